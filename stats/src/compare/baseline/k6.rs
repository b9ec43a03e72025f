//! The summary k6 exports (`--summary-export`), and the data a script's `handleSummary` gets written as JSON. Times are in
//! milliseconds.
//!
//! Its latencies are of requests with an expected response where it has those apart, else of all. Percentiles it was not asked for
//! (`--summary-trend-stats`) are not in it; p(99) is such a one.

use serde_json::Value;

use super::json::{count, number};
use super::BaselineError;
use crate::compare::figure::{Figure, Figures};
use crate::compare::measured::{Measured, MeasuredRow};

/// Whether a document is k6's.
pub(super) fn is_it(document: &Value) -> bool {
    document.pointer("/metrics/http_reqs").is_some() || document.pointer("/metrics/iterations").is_some()
}

/// Reads a document.
pub(super) fn read(document: &Value) -> Result<Measured, BaselineError> {
    let missing = |what: &str| BaselineError::Incomplete {
        tool: "k6's JSON",
        what: format!("metrics.http_reqs has no {what}: a run without HTTP requests cannot be compared"),
    };
    // In what handleSummary gets, the values of a metric stand one level deeper.
    let metric = |name: &str| {
        let metric = document.get("metrics")?.get(name)?;
        Some(metric.get("values").unwrap_or(metric))
    };
    let reqs = metric("http_reqs").ok_or_else(|| missing("values"))?;
    let requests = count(reqs, "/count").ok_or_else(|| missing("count"))?;
    let rps = number(reqs, "/rate").ok_or_else(|| missing("rate"))?;
    // Its "passes" are the requests of which "failed" is true.
    let failures = metric("http_req_failed").map_or(0, |failed| {
        let ratio = number(failed, "/value").or_else(|| number(failed, "/rate"));
        let of_ratio = || ratio.map(|ratio| (ratio * requests as f64).round() as u64);
        count(failed, "/passes").or_else(of_ratio).unwrap_or(0).min(requests)
    });

    let mut figures = Figures::default();
    figures.set(Figure::Rps, rps);
    figures.set_failures(failures, requests);
    let expected = metric("http_req_duration{expected_response:true}");
    let (times, samples) = match expected {
        Some(times) => (Some(times), requests - failures),
        None => (metric("http_req_duration"), requests),
    };
    // Keys with a bracket need no escape in a pointer; "/" alone does.
    for (figure, keys) in [
        (Figure::Mean, &["/avg"][..]),
        (Figure::P50, &["/med", "/p(50)"]),
        (Figure::P90, &["/p(90)"]),
        (Figure::P95, &["/p(95)"]),
        (Figure::P99, &["/p(99)"]),
        (Figure::Max, &["/max"]),
    ] {
        let ms = times.and_then(|times| keys.iter().find_map(|key| number(times, key)));
        figures.set(figure, ms.map(|ms| ms * 1e3));
    }
    let all = MeasuredRow { requests, failures, samples, figures, ..MeasuredRow::default() };
    Ok(Measured { all, ..Measured::default() })
}

#[cfg(test)]
mod tests {
    use crate::compare::baseline::read as read_any;
    use crate::compare::baseline::tests::{figures, survives_damage};
    use crate::compare::measured::Source;

    const SAMPLE: &str = r#"{
    "root_group": { "groups": {}, "checks": {}, "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e" },
    "metrics": {
        "http_req_failed": { "passes": 12, "fails": 1575, "value": 0.00756143667296786 },
        "iteration_duration": { "med": 3.63154, "max": 29.611535, "p(90)": 5.5905, "p(95)": 8.2649, "avg": 3.9814, "min": 1.5607 },
        "http_req_duration": { "avg": 3.9, "min": 1.523364, "med": 3.6, "max": 99.0, "p(90)": 5.3, "p(95)": 7.7 },
        "vus": { "max": 3, "value": 3, "min": 0 },
        "iterations": { "rate": 528.3735309289374, "count": 1587 },
        "http_reqs": { "count": 1587, "rate": 528.3735309289374 },
        "http_req_duration{expected_response:true}": {
            "max": 21.068284, "p(90)": 5.2534876, "p(95)": 7.5932397, "avg": 3.8487845, "min": 1.523364, "med": 3.558046
        }
    }
}"#;

    survives_damage!(SAMPLE);

    #[test]
    fn what_was_expected_makes_the_latencies() {
        let (source, measured) = read_any(SAMPLE.as_bytes()).unwrap();
        let all = measured.all;
        assert_eq!((source, all.requests, all.failures, all.samples), (Source::K6, 1_587, 12, 1_575));
        let expected = [
            Some(528.373_531),
            Some(0.007_561),
            Some(3_848.784_5),
            Some(3_558.046),
            Some(5_253.487_6),
            Some(7_593.239_7),
            None,
            Some(21_068.284),
        ];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn what_handle_summary_writes_is_read_too() {
        let text = r#"{"metrics": {
            "http_reqs": {"type": "counter", "contains": "default", "values": {"count": 1200, "rate": 20}},
            "http_req_failed": {"type": "rate", "values": {"rate": 0.005}},
            "http_req_duration": {"type": "trend", "values": {"avg": 820.4, "med": 700, "p(95)": 1450, "p(99)": 2100, "max": 3000}}
        }}"#;
        let all = read_any(text.as_bytes()).unwrap().1.all;
        assert_eq!((all.requests, all.failures, all.samples), (1_200, 6, 1_200));
        let p = [Some(700_000.0), None, Some(1_450_000.0), Some(2_100_000.0)];
        let expected = [Some(20.0), Some(0.005), Some(820_400.0), p[0], p[1], p[2], p[3], Some(3_000_000.0)];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn a_run_without_http_says_so() {
        let error = read_any(br#"{"metrics": {"iterations": {"count": 5, "rate": 1}}}"#).unwrap_err();
        let text =
            "looks like k6's JSON, but metrics.http_reqs has no values: a run without HTTP requests cannot be compared";
        assert_eq!(error.to_string(), text);
    }
}
