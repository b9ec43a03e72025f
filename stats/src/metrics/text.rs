//! The Prometheus text format, version 0.0.4.

use std::fmt::Write;

use super::family::{number, Family, Kind, Labels, Value};

/// What an HTTP answer with it says it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The families that have series, one after the other.
pub(super) fn encode(families: &[Family]) -> Vec<u8> {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.series.is_empty()) {
        write_family(&mut text, family);
    }
    text.into_bytes()
}

fn write_family(text: &mut String, family: &Family) {
    let Family { name, help, kind, series } = family;
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for one in series {
        let labels = &one.labels;
        match &one.value {
            Value::Number(value) => write_line(text, name, "", labels, None, *value),
            Value::Histogram(buckets) => {
                for (bound, count) in buckets.cumulative() {
                    write_line(text, name, "_bucket", labels, Some(("le", bound)), count as f64);
                }
                let count = buckets.count() as f64;
                write_line(text, name, "_bucket", labels, Some(("le", f64::INFINITY)), count);
                write_line(text, name, "_sum", labels, None, buckets.sum_s());
                write_line(text, name, "_count", labels, None, count);
            }
            Value::Summary { count, sum, quantiles } => {
                for (share, value) in quantiles {
                    write_line(text, name, "", labels, Some(("quantile", *share)), *value);
                }
                write_line(text, name, "_sum", labels, None, *sum);
                write_line(text, name, "_count", labels, None, *count as f64);
            }
        }
    }
}

fn write_line(text: &mut String, name: &str, ending: &str, labels: &Labels, more: Option<(&str, f64)>, value: f64) {
    text.push_str(name);
    text.push_str(ending);
    let mut separator = '{';
    for (label, value) in labels {
        let _ = write!(text, "{separator}{label}=\"");
        escape(text, value);
        text.push('"');
        separator = ',';
    }
    if let Some((label, value)) = more {
        let _ = write!(text, "{separator}{label}=\"{}\"", number(value));
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {}", number(value));
}

/// A label's value: backslash, quote and line feed are the three that are escaped.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Recorded;
    use crate::metrics::buckets::Buckets;
    use crate::metrics::family::Series;

    #[test]
    fn labels_are_escaped() {
        let mut family = Family::new("m", "Help", Kind::Counter);
        family.number(vec![("name", "a\\b\"c\nd{},= é".into()), ("empty", "".into())], 2.0);
        let text = String::from_utf8(encode(&[family])).unwrap();
        let expected = "# HELP m Help\n# TYPE m counter\nm{name=\"a\\\\b\\\"c\\nd{},= é\",empty=\"\"} 2\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_histogram_is_cumulative_and_a_summary_has_quantiles() {
        let mut recorded = Recorded::<u32>::default();
        for us in [90, 200, 200, 61_000_000] {
            recorded.record(us);
        }
        let mut buckets = Buckets::default();
        buckets.add(&recorded.to_distribution());
        let mut histogram = Family::new("h_seconds", "Help", Kind::Histogram);
        histogram.histogram(vec![("a", "b".into())], &buckets);
        let mut summary = Family::new("s", "Help", Kind::Summary);
        let value = Value::Summary { count: 4, sum: 2.5, quantiles: vec![(0.5, 0.25)] };
        summary.series.push(Series { labels: Vec::new(), value });
        let text = String::from_utf8(encode(&[histogram, Family::new("none", "", Kind::Gauge), summary])).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "# HELP h_seconds Help",
                "# TYPE h_seconds histogram",
                "h_seconds_bucket{a=\"b\",le=\"0.0001\"} 1",
                "h_seconds_bucket{a=\"b\",le=\"0.00025\"} 3",
                "h_seconds_bucket{a=\"b\",le=\"0.0005\"} 3",
                "h_seconds_bucket{a=\"b\",le=\"0.001\"} 3",
            ]
        );
        assert_eq!(
            lines[20..],
            [
                "h_seconds_bucket{a=\"b\",le=\"60\"} 3",
                "h_seconds_bucket{a=\"b\",le=\"+Inf\"} 4",
                "h_seconds_sum{a=\"b\"} 61.00049",
                "h_seconds_count{a=\"b\"} 4",
                "# HELP s Help",
                "# TYPE s summary",
                "s{quantile=\"0.5\"} 0.25",
                "s_sum 2.5",
                "s_count 4",
            ]
        );
    }
}
