//! The figures of a distribution as they stand in the summary.

use hdrhistogram::Counter;
use serde::{Deserialize, Serialize};

use super::{Moments, Recorded};

/// Shares that [`Latency`] reports, in the order of its fields.
const SHARES: [f64; 7] = [0.50, 0.75, 0.90, 0.95, 0.99, 0.999, 0.9999];

/// Count, extremes, mean, standard deviation and percentiles, in microseconds. All but the count are `None`
/// (`null` in JSON) when nothing was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// How many samples there are.
    pub count: u64,
    /// Exact minimum.
    pub min: Option<u64>,
    /// Arithmetic mean, to the nanosecond.
    pub mean: Option<f64>,
    /// Standard deviation of the population, to the nanosecond.
    pub stddev: Option<f64>,
    /// Median.
    pub p50: Option<u64>,
    /// 75th percentile.
    pub p75: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p99_9: Option<u64>,
    /// 99.99th percentile.
    pub p99_99: Option<u64>,
    /// Exact maximum.
    pub max: Option<u64>,
}

impl Latency {
    /// `values_at` gives the values at the shares it is asked for; it is not called when nothing was counted.
    pub(crate) fn new(moments: &Moments, values_at: impl FnOnce([f64; 7]) -> [u64; 7]) -> Self {
        if moments.count() == 0 {
            return Self::default();
        }
        let [p50, p75, p90, p95, p99, p99_9, p99_99] = values_at(SHARES).map(Some);
        Self {
            count: moments.count(),
            min: moments.min(),
            mean: moments.mean().map(to_the_nanosecond),
            stddev: moments.stddev().map(to_the_nanosecond),
            p50,
            p75,
            p90,
            p95,
            p99,
            p99_9,
            p99_99,
            max: moments.max(),
        }
    }
}

/// Digits beyond the nanosecond are noise, and a short number survives every JSON parser unchanged.
fn to_the_nanosecond(us: f64) -> f64 {
    (us * 1000.0).round() / 1000.0
}

impl<C: Counter> From<&Recorded<C>> for Latency {
    fn from(recorded: &Recorded<C>) -> Self {
        Self::new(recorded.moments(), |shares| recorded.values_at(shares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_to_ten_thousand() {
        let mut recorded = Recorded::<u32>::default();
        (1..=10_000).for_each(|v| recorded.record(v));
        let latency = Latency::from(&recorded);
        assert_eq!((latency.count, latency.min, latency.max), (10_000, Some(1), Some(10_000)));
        assert_eq!(latency.mean, Some(5_000.5));
        // Buckets are 4 us wide at 5,000 and 8 us wide at 9,000; a percentile is the upper end of its bucket.
        assert_eq!(latency.p50, Some(5_003));
        assert_eq!(latency.p90, Some(9_007));
        assert_eq!(latency.p99_99, Some(9_999));
        assert_eq!(latency, recorded.to_distribution().latency());
    }

    #[test]
    fn nothing_is_null_in_json() {
        let json = serde_json::to_value(Latency::default()).unwrap();
        assert_eq!(json["count"], 0);
        for field in ["min", "mean", "stddev", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99", "max"] {
            assert!(json[field].is_null(), "{field}");
        }
        assert_eq!(json.as_object().unwrap().len(), 12);
    }
}
