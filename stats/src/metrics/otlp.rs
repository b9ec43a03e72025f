//! OpenTelemetry's protocol over HTTP, in protobuf: gauges, cumulative sums and histograms, and summaries.
//!
//! The messages are those of open-telemetry/opentelemetry-proto, `metrics/v1/metrics.proto` and what it takes in, less what is not
//! written here.

use std::time::{SystemTime, UNIX_EPOCH};

use prost::{Message, Oneof};

use super::buckets::{seconds, BOUNDS_US};
use super::family::{Family, Kind, Series, Value};
use super::state::State;

/// What a request with it says it is.
pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct ExportMetricsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9, 11")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
    #[prost(message, tag = "11")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<SummaryPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "4")]
    value: Option<Number>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
enum Number {
    #[prost(double, tag = "4")]
    Double(f64),
}

#[derive(Clone, PartialEq, Message)]
struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryPoint {
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, tag = "5")]
    sum: f64,
    #[prost(message, repeated, tag = "6")]
    quantile_values: Vec<Quantile>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

/// What is exported of a state.
pub(super) struct Export {
    families: Vec<Family>,
    instance: String,
    version: String,
    start_ns: u64,
    time_ns: u64,
}

impl Export {
    pub(super) fn of(state: &State) -> Self {
        Self {
            families: state.families(),
            instance: state.instance.clone(),
            version: state.facts.version.clone(),
            start_ns: nanos(state.started_at),
            time_ns: nanos(state.updated_at),
        }
    }

    /// The body of the request.
    pub(super) fn encode(&self) -> Vec<u8> {
        let resource = [("service.name", "pummel"), ("service.version", &self.version)];
        let resource = resource.into_iter().chain([("service.instance.id", self.instance.as_str())]);
        let filled = self.families.iter().filter(|family| !family.series.is_empty());
        let metrics = ScopeMetrics {
            scope: Some(Scope { name: "pummel".to_owned(), version: self.version.clone() }),
            metrics: filled.map(|family| self.metric(family)).collect(),
        };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes: attributes(resource) }),
                scope_metrics: vec![metrics],
            }],
        };
        request.encode_to_vec()
    }

    fn metric(&self, family: &Family) -> Metric {
        let numbers = || family.series.iter().filter_map(|series| self.number(series)).collect();
        let data = match family.kind {
            Kind::Counter => {
                Data::Sum(Sum { data_points: numbers(), aggregation_temporality: CUMULATIVE, is_monotonic: true })
            }
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
            Kind::Histogram => Data::Histogram(Histogram {
                data_points: family.series.iter().filter_map(|series| self.histogram(series)).collect(),
                aggregation_temporality: CUMULATIVE,
            }),
            Kind::Summary => Data::Summary(Summary {
                data_points: family.series.iter().filter_map(|series| self.summary(series)).collect(),
            }),
        };
        Metric {
            name: family.name.to_owned(),
            description: family.help.to_owned(),
            unit: unit(family.name).to_owned(),
            data: Some(data),
        }
    }

    fn number(&self, series: &Series) -> Option<NumberPoint> {
        let Value::Number(value) = series.value else { return None };
        Some(NumberPoint {
            start_time_unix_nano: self.start_ns,
            time_unix_nano: self.time_ns,
            value: Some(Number::Double(value)),
            attributes: attributes_of(series),
        })
    }

    fn histogram(&self, series: &Series) -> Option<HistogramPoint> {
        let Value::Histogram(buckets) = &series.value else { return None };
        Some(HistogramPoint {
            start_time_unix_nano: self.start_ns,
            time_unix_nano: self.time_ns,
            count: buckets.count(),
            sum: Some(buckets.sum_s()),
            bucket_counts: buckets.fixed().to_vec(),
            explicit_bounds: BOUNDS_US.map(seconds).to_vec(),
            attributes: attributes_of(series),
        })
    }

    fn summary(&self, series: &Series) -> Option<SummaryPoint> {
        let Value::Summary { count, sum, quantiles } = &series.value else { return None };
        Some(SummaryPoint {
            start_time_unix_nano: self.start_ns,
            time_unix_nano: self.time_ns,
            count: *count,
            sum: *sum,
            quantile_values: quantiles.iter().map(|&(quantile, value)| Quantile { quantile, value }).collect(),
            attributes: attributes_of(series),
        })
    }
}

/// In the Unified Code for Units of Measure, which OpenTelemetry uses.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes_total") {
        "By"
    } else {
        "1"
    }
}

fn attributes_of(series: &Series) -> Vec<KeyValue> {
    attributes(series.labels.iter().map(|(name, value)| (*name, &**value)))
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<KeyValue> {
    let one = |(key, value): (&str, &str)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::Text(value.to_owned())) }),
    };
    pairs.map(one).collect()
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::state::MetricsFacts;
    use crate::sample;

    #[test]
    fn the_body_reads_back() {
        let mut state = State::new(MetricsFacts { version: "1.2".into(), ..MetricsFacts::default() });
        state.add(&sample::snapshot(0));
        let request = ExportMetricsServiceRequest::decode(Export::of(&state).encode().as_slice()).unwrap();
        let resource = &request.resource_metrics[0];
        let named = attributes([("service.name", "pummel"), ("service.version", "1.2")].into_iter());
        assert_eq!(resource.resource.as_ref().unwrap().attributes[..2], named);
        let metrics = &resource.scope_metrics[0].metrics;
        let data = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().data.clone().unwrap();
        let Data::Sum(requests) = data("pummel_requests_total") else { panic!("no sum") };
        assert_eq!((requests.aggregation_temporality, requests.is_monotonic), (2, true));
        let hello = &requests.data_points[0];
        assert_eq!(hello.value, Some(Number::Double(1000.0)));
        assert_eq!(
            hello.attributes,
            attributes([("case", "demo"), ("type", "request-GET"), ("name", "hello")].into_iter())
        );
        assert!(hello.start_time_unix_nano < hello.time_unix_nano);
        let Data::Histogram(times) = data("pummel_request_duration_seconds") else { panic!("no histogram") };
        let hello = &times.data_points[0];
        assert_eq!((hello.bucket_counts.len(), hello.explicit_bounds.len()), (20, 19));
        // 400 to 2,398 us, 2 apart: 51 up to 500 us, 250 more up to 1 ms, the rest up to 2.5 ms.
        assert_eq!(hello.bucket_counts[..6], [0, 0, 51, 250, 699, 0]);
        let Data::Gauge(users) = data("pummel_users") else { panic!("no gauge") };
        assert_eq!(users.data_points[0].value, Some(Number::Double(50.0)));
        let bytes = metrics.iter().find(|metric| metric.name == "pummel_sent_bytes_total").unwrap();
        assert_eq!(bytes.unit, "By");
    }
}
