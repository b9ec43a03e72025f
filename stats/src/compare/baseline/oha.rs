//! oha's JSON (`--output-format json`, in older versions `-j`). Times are in seconds.
//!
//! Its latencies are of all responses, whatever their status; where it was told to part them (`--stats-success-breakdown`), those of
//! successes are taken. Requests that its end of time cut off are none.

use serde_json::Value;

use super::json::number;
use super::BaselineError;
use crate::compare::figure::{Figure, Figures};
use crate::compare::measured::{Measured, MeasuredRow};

/// What oha calls requests that were under way when its time was up.
const CUT_OFF: &str = "aborted due to deadline";

/// Whether a document is oha's.
pub(super) fn is_it(document: &Value) -> bool {
    document.pointer("/summary/requestsPerSec").is_some() && document.get("statusCodeDistribution").is_some()
}

/// Reads a document.
pub(super) fn read(document: &Value) -> Result<Measured, BaselineError> {
    let empty = serde_json::Map::new();
    let of = |name: &str| document.get(name).and_then(Value::as_object).unwrap_or(&empty);
    let (mut answered, mut refused, mut broken) = (0_u64, 0_u64, 0_u64);
    for (status, times) in of("statusCodeDistribution") {
        let times = times.as_u64().unwrap_or(0);
        answered = answered.saturating_add(times);
        if status.parse::<u16>().is_ok_and(|status| status >= 400) {
            refused = refused.saturating_add(times);
        }
    }
    for times in of("errorDistribution").iter().filter(|(error, _)| *error != CUT_OFF).map(|(_, times)| times) {
        broken = broken.saturating_add(times.as_u64().unwrap_or(0));
    }
    let requests = answered.saturating_add(broken);
    let failures = refused.saturating_add(broken).min(requests);
    let length_s = number(document, "/summary/total").filter(|length_s| *length_s > 0.0);
    let length_s = length_s.ok_or_else(|| BaselineError::Incomplete {
        tool: "oha's JSON",
        what: "summary.total, its length in seconds, is missing".into(),
    })?;

    let mut figures = Figures::default();
    figures.set(Figure::Rps, requests as f64 / length_s);
    figures.set_failures(failures, requests);
    let us = |pointer: &str| number(document, pointer).map(|s| s * 1e6);
    figures.set(Figure::Mean, us("/summary/average"));
    figures.set(Figure::Max, us("/summary/slowest"));
    let successes = "latencyPercentilesSuccessful";
    let parted = document.get(successes).is_some_and(Value::is_object);
    let percentiles = if parted { successes } else { "latencyPercentiles" };
    for (figure, name) in [(Figure::P50, "p50"), (Figure::P90, "p90"), (Figure::P95, "p95"), (Figure::P99, "p99")] {
        figures.set(figure, us(&format!("/{percentiles}/{name}")));
    }
    let samples = if parted { answered.saturating_sub(refused) } else { answered };
    let all = MeasuredRow { requests, failures, samples, figures, ..MeasuredRow::default() };
    Ok(Measured { all, ..Measured::default() })
}

#[cfg(test)]
mod tests {
    use crate::compare::baseline::read as read_any;
    use crate::compare::baseline::tests::{figures, survives_damage};
    use crate::compare::measured::Source;

    const SAMPLE: &str = r#"{
  "summary": {
    "successRate": 0.9991,
    "total": 10.0,
    "slowest": 0.071233484,
    "fastest": 0.001477021,
    "average": 0.007225,
    "requestsPerSec": 2768.0,
    "totalData": 110612,
    "sizePerRequest": 4,
    "sizePerSec": 11057.75
  },
  "responseTimeHistogram": { "0.001477021": 1, "0.008452667300000001": 27652 },
  "latencyPercentiles": {
    "p10": 0.003054799, "p25": 0.003704982, "p50": 0.004653315, "p75": 0.006276435, "p90": 0.015124434,
    "p95": 0.027722344, "p99": 0.041193928, "p99.9": 0.050760319, "p99.99": 0.070767424
  },
  "rps": { "mean": 3363.25, "stddev": 1814.4, "max": 15850.4, "min": 22.9, "percentiles": { "p50": 3933.2 } },
  "details": {
    "DNSDialup": { "average": 0.0055, "fastest": 0.0031, "slowest": 0.0083 },
    "DNSLookup": { "average": 0.0000145, "fastest": 0.000005, "slowest": 0.00008 }
  },
  "statusCodeDistribution": { "200": 27600, "503": 50 },
  "errorDistribution": { "aborted due to deadline": 20, "Connection refused (os error 111)": 10 }
}"#;

    /// As oha 1.16.0 wrote it: 500 requests of 4 connections to `pummel target`, which answered each with 503.
    const REAL: &str = include_str!("samples/oha-1.16.0.json");

    survives_damage!(SAMPLE);

    #[test]
    fn a_file_of_oha_itself_is_read() {
        let (source, measured) = read_any(REAL.as_bytes()).unwrap();
        let all = measured.all;
        assert_eq!((source, all.requests, all.failures, all.samples), (Source::Oha, 500, 500, 500));
        let us = [77.354_582, 70.235, 106.208, 140.539, 365.843, 1_168.105].map(Some);
        assert_eq!(figures(&all)[1..], [Some(1.0), us[0], us[1], us[2], us[3], us[4], us[5]]);
        // 500 in 10.791558 ms.
        assert!((figures(&all)[0].unwrap() - 46_332.513).abs() < 0.001);
    }

    #[test]
    fn counts_are_of_what_finished() {
        let (source, measured) = read_any(SAMPLE.as_bytes()).unwrap();
        let all = measured.all;
        assert_eq!((source, all.requests, all.failures, all.samples), (Source::Oha, 27_660, 60, 27_650));
        let p = [4_653.315, 15_124.434, 27_722.344, 41_193.928].map(Some);
        let expected = [Some(2_766.0), Some(0.002_169), Some(7_225.0), p[0], p[1], p[2], p[3], Some(71_233.484)];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn percentiles_of_successes_where_it_has_them() {
        let parted = SAMPLE.replace(
            "\"latencyPercentiles\"",
            "\"latencyPercentilesSuccessful\": {\"p50\": 0.001, \"p99\": null}, \"latencyPercentiles\"",
        );
        let all = read_any(parted.as_bytes()).unwrap().1.all;
        assert_eq!((figures(&all)[3], figures(&all)[6], all.samples), (Some(1_000.0), None, 27_600));
    }

    #[test]
    fn a_run_without_a_length_has_no_rate() {
        let error = read_any(SAMPLE.replace("\"total\": 10.0", "\"total\": null").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "looks like oha's JSON, but summary.total, its length in seconds, is missing");
    }
}
