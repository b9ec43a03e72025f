//! Prometheus' protobuf exposition (`io.prometheus.client`), which is the one that carries native histograms: each family with its
//! length before it.
//!
//! The messages are those of prometheus/client_model, `io/prometheus/client/metrics.proto`, less what is not written here.

use prost::Message;

use super::buckets::{Buckets, SCHEMA, ZERO_THRESHOLD_S};
use super::family::{Family, Kind, Labels, Value};

/// What an HTTP answer with it says it is.
pub(super) const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    /// 0 counter, 1 gauge, 2 summary, 4 histogram.
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// `Gauge` and `Counter`, whose first field is the same.
#[derive(Clone, Copy, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<Span>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// The families that have series, one after the other.
pub(super) fn encode(families: &[Family]) -> Vec<u8> {
    let filled = families.iter().filter(|family| !family.series.is_empty());
    filled.flat_map(|family| message(family).encode_length_delimited_to_vec()).collect()
}

fn message(family: &Family) -> MetricFamily {
    MetricFamily {
        name: family.name.to_owned(),
        help: family.help.to_owned(),
        kind: match family.kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Summary => 2,
            Kind::Histogram => 4,
        },
        metric: family.series.iter().map(|series| metric(family.kind, &series.labels, &series.value)).collect(),
    }
}

fn metric(kind: Kind, labels: &Labels, value: &Value) -> Metric {
    let label = labels.iter().map(|(name, value)| LabelPair { name: (*name).to_owned(), value: value.to_string() });
    let mut metric = Metric { label: label.collect(), ..Metric::default() };
    match value {
        Value::Number(value) if kind == Kind::Counter => metric.counter = Some(Number { value: *value }),
        Value::Number(value) => metric.gauge = Some(Number { value: *value }),
        Value::Histogram(buckets) => metric.histogram = Some(histogram(buckets)),
        Value::Summary { count, sum, quantiles } => {
            let quantile = quantiles.iter().map(|&(quantile, value)| Quantile { quantile, value });
            metric.summary = Some(Summary { sample_count: *count, sample_sum: *sum, quantile: quantile.collect() });
        }
    }
    metric
}

/// Both forms: who does not know native histograms, or is told to keep the others too, finds the fixed buckets.
fn histogram(buckets: &Buckets) -> Histogram {
    let fixed = buckets.cumulative().map(|(upper_bound, cumulative_count)| Bucket { cumulative_count, upper_bound });
    let spans = buckets.spans().into_iter().map(|(offset, length)| Span { offset, length });
    Histogram {
        sample_count: buckets.count(),
        sample_sum: buckets.sum_s(),
        bucket: fixed.collect(),
        schema: SCHEMA,
        zero_threshold: ZERO_THRESHOLD_S,
        zero_count: 0,
        positive_span: spans.collect(),
        positive_delta: buckets.deltas(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Recorded;

    #[test]
    fn families_read_back() {
        let mut recorded = Recorded::<u32>::default();
        for us in [499_000, 499_000, 990_000] {
            recorded.record(us);
        }
        let mut buckets = Buckets::default();
        buckets.add(&recorded.to_distribution());
        let mut times = Family::new("t_seconds", "Times", Kind::Histogram);
        times.histogram(vec![("name", "a\"\n".into())], &buckets);
        let bytes = encode(&[Family::single("n_total", "Number", Kind::Counter, 3.0), times]);

        let mut rest = bytes.as_slice();
        let number = MetricFamily::decode_length_delimited(&mut rest).unwrap();
        assert_eq!((number.name.as_str(), number.kind), ("n_total", 0));
        assert_eq!(number.metric[0].counter, Some(Number { value: 3.0 }));
        let times = MetricFamily::decode_length_delimited(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(times.metric[0].label[0].value, "a\"\n");
        let histogram = times.metric[0].histogram.as_ref().unwrap();
        assert_eq!((histogram.sample_count, histogram.schema), (3, 4));
        assert_eq!(histogram.positive_span, [Span { offset: -16, length: 1 }, Span { offset: 15, length: 1 }]);
        assert_eq!(histogram.positive_delta, [2, -1]);
        let half_a_second = histogram.bucket.iter().find(|bucket| (bucket.upper_bound - 0.5).abs() < 1e-9).unwrap();
        assert_eq!((half_a_second.cumulative_count, histogram.bucket.len()), (2, 19));
    }

    #[test]
    fn a_message_is_that_of_the_protocol_byte_by_byte() {
        // Length 21; field 1 "n"; field 2 "h"; field 3 gauge; field 4 of 11: field 2 of 9: field 1, a double, 1.0.
        let expected =
            [21, 0x0a, 1, b'n', 0x12, 1, b'h', 0x18, 1, 0x22, 11, 0x12, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        assert_eq!(encode(&[Family::single("n", "h", Kind::Gauge, 1.0)]), expected);
    }
}
