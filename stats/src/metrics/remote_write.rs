//! Prometheus remote write 1.0: protobuf in the block format of snappy.
//!
//! The messages are those of prometheus/prometheus, `prompb/remote.proto` and `types.proto`, less what is not written here. Histograms
//! go as their fixed buckets, which every receiver takes.

use prost::Message;

use super::family::{number, Family, Kind, Value};
use super::state::State;

/// The headers the specification asks for.
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("Content-Type", "application/x-protobuf"),
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
];

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct MetricMetadata {
    /// 1 counter, 2 gauge, 3 histogram, 5 summary.
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    metric_family_name: String,
    #[prost(string, tag = "4")]
    help: String,
}

/// What is written of a state: what a scrape would have given, as job `pummel` and the run's own instance.
pub(super) struct Writing {
    families: Vec<Family>,
    instance: String,
    timestamp_ms: i64,
}

impl Writing {
    pub(super) fn of(state: &State) -> Self {
        Self { families: state.families(), instance: state.instance.clone(), timestamp_ms: state.updated_ms() }
    }

    /// The body of the request.
    ///
    /// # Errors
    /// It is longer than the format can hold (4 GiB).
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let bytes = self.request().encode_to_vec();
        snap::raw::Encoder::new().compress_vec(&bytes).map_err(|error| format!("cannot be compressed: {error}"))
    }

    fn request(&self) -> WriteRequest {
        let mut request = WriteRequest::default();
        for family in self.families.iter().filter(|family| !family.series.is_empty()) {
            request.metadata.push(MetricMetadata {
                kind: match family.kind {
                    Kind::Counter => 1,
                    Kind::Gauge => 2,
                    Kind::Histogram => 3,
                    Kind::Summary => 5,
                },
                metric_family_name: family.name.to_owned(),
                help: family.help.to_owned(),
            });
            for series in &family.series {
                let mut add = |ending: &str, more: Option<(&str, f64)>, value: f64| {
                    let labels = series.labels.iter().map(|(name, value)| (*name, value.to_string()));
                    let more = more.map(|(name, value)| (name, number(value)));
                    let name = format!("{}{ending}", family.name);
                    request.timeseries.push(self.one(name, labels.chain(more), value));
                };
                match &series.value {
                    Value::Number(value) => add("", None, *value),
                    Value::Histogram(buckets) => {
                        for (bound, count) in buckets.cumulative() {
                            add("_bucket", Some(("le", bound)), count as f64);
                        }
                        add("_bucket", Some(("le", f64::INFINITY)), buckets.count() as f64);
                        add("_sum", None, buckets.sum_s());
                        add("_count", None, buckets.count() as f64);
                    }
                    Value::Summary { count, sum, quantiles } => {
                        for (share, value) in quantiles {
                            add("", Some(("quantile", *share)), *value);
                        }
                        add("_sum", None, *sum);
                        add("_count", None, *count as f64);
                    }
                }
            }
        }
        request
    }

    /// Labels are sorted, and empty ones are left out, as the specification wants them.
    fn one<'a>(&self, name: String, labels: impl Iterator<Item = (&'a str, String)>, value: f64) -> TimeSeries {
        let own = [("__name__", name), ("job", "pummel".to_owned()), ("instance", self.instance.clone())];
        let mut labels: Vec<_> = own
            .into_iter()
            .chain(labels)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Label { name: name.to_owned(), value })
            .collect();
        labels.sort();
        TimeSeries { labels, samples: vec![Sample { value, timestamp: self.timestamp_ms }] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::state::MetricsFacts;
    use crate::sample;

    #[test]
    fn the_body_reads_back() {
        let mut state = State::new(MetricsFacts::default());
        state.add(&sample::snapshot(0));
        let body = Writing::of(&state).encode().unwrap();
        let bytes = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let request = WriteRequest::decode(bytes.as_slice()).unwrap();
        let find = |name: &str, label: &str, value: &str| {
            let has = |series: &TimeSeries, name: &str, value: &str| {
                series.labels.iter().any(|label| label.name == name && label.value == value)
            };
            let found = request.timeseries.iter().find(|one| has(one, "__name__", name) && has(one, label, value));
            found.unwrap_or_else(|| panic!("no {name}")).clone()
        };
        let hello = find("pummel_requests_total", "name", "hello");
        let labels: Vec<_> = hello.labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        assert_eq!(
            labels,
            [
                ("__name__", "pummel_requests_total"),
                ("case", "demo"),
                ("instance", state.instance.as_str()),
                ("job", "pummel"),
                ("name", "hello"),
                ("type", "request-GET"),
            ]
        );
        assert_eq!(hello.samples, [Sample { value: 1000.0, timestamp: state.updated_ms() }]);
        // 400 to 2,398 us, 2 apart: 301 are at or below 1 ms.
        assert!((find("pummel_request_duration_seconds_bucket", "le", "0.001").samples[0].value - 301.0).abs() < 1e-9);
        assert!(
            (find("pummel_request_duration_seconds_count", "name", "hello").samples[0].value - 1000.0).abs() < 1e-9
        );
        let kinds: Vec<_> = request.metadata.iter().map(|one| (one.metric_family_name.as_str(), one.kind)).collect();
        assert!(kinds.contains(&("pummel_request_duration_seconds", 3)), "{kinds:?}");
    }
}
