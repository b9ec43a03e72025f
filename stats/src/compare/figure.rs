//! What is compared of each step.

use serde::{Serialize, Serializer};

/// A figure of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// Requests, or transactions, finished per second of load.
    Rps,
    /// The share of them that failed, 0 to 1. Differences are absolute.
    Failures,
    /// Mean latency, microseconds.
    Mean,
    /// Median latency, microseconds.
    P50,
    /// 90th percentile, microseconds.
    P90,
    /// 95th percentile, microseconds.
    P95,
    /// 99th percentile, microseconds.
    P99,
    /// Greatest latency, microseconds.
    Max,
}

/// How many figures there are.
const COUNT: usize = 8;

/// Differences of latencies and rates below this are called none, as a ratio.
const NOISE_RATIO: f64 = 0.01;
/// Differences of shares below this are called none: one request in ten thousand.
const NOISE_SHARE: f64 = 0.0001;

impl Figure {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; COUNT] =
        [Self::Rps, Self::Failures, Self::Mean, Self::P50, Self::P90, Self::P95, Self::P99, Self::Max];

    /// Its name in conditions: `rps`, `errors`, `mean`, `p50` to `p99`, `max`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rps => "rps",
            Self::Failures => "errors",
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    /// Its name in JSON, unit included.
    pub fn key(self) -> &'static str {
        match self {
            Self::Rps => "rps",
            Self::Failures => "failure_ratio",
            Self::Mean => "mean_us",
            Self::P50 => "p50_us",
            Self::P90 => "p90_us",
            Self::P95 => "p95_us",
            Self::P99 => "p99_us",
            Self::Max => "max_us",
        }
    }

    /// The share of the samples a percentile lies above.
    pub(crate) fn share(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.50),
            Self::P90 => Some(0.90),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Rps | Self::Failures | Self::Mean | Self::Max => None,
        }
    }

    /// Whether it is a time.
    pub fn is_latency(self) -> bool {
        !matches!(self, Self::Rps | Self::Failures)
    }

    /// Samples it needs to be judged: 10/(1-q) for a percentile, so that ten lie above it.
    pub(crate) fn samples_needed(self) -> u64 {
        match self {
            Self::P50 => 20,
            Self::P90 => 100,
            Self::P95 => 200,
            Self::P99 => 1_000,
            Self::Rps | Self::Failures | Self::Mean | Self::Max => 1,
        }
    }

    /// The way that is better: more of it, or less.
    pub(crate) fn more_is_better(self) -> bool {
        self == Self::Rps
    }

    /// How far `b` is from `a`: their difference for a share, else as a ratio of `a`, which cannot be told where that is zero.
    pub(crate) fn difference(self, a: f64, b: f64) -> Option<f64> {
        match self {
            Self::Failures => Some(b - a),
            _ if a > 0.0 => Some(b / a - 1.0),
            _ => None,
        }
    }

    /// Differences up to this are noise.
    pub(crate) fn noise(self) -> f64 {
        match self {
            Self::Failures => NOISE_SHARE,
            _ => NOISE_RATIO,
        }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// What is known of a row: each figure, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures([Option<f64>; COUNT]);

impl Figures {
    /// A figure, if it is known; always finite and not negative.
    pub fn get(&self, figure: Figure) -> Option<f64> {
        self.0[figure as usize]
    }

    /// Notes a figure. What is no finite number of zero or more is not known.
    pub fn set(&mut self, figure: Figure, value: impl Into<Option<f64>>) {
        self.0[figure as usize] = value.into().filter(|value| value.is_finite() && *value >= 0.0);
    }

    /// Notes the share of failures.
    pub(crate) fn set_failures(&mut self, failures: u64, requests: u64) {
        self.set(Figure::Failures, (requests > 0).then(|| failures as f64 / requests as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_by_their_kind() {
        let mut figures = Figures::default();
        for (at, figure) in Figure::ALL.into_iter().enumerate() {
            assert_eq!(figure as usize, at);
            figures.set(figure, at as f64);
        }
        assert_eq!(figures.get(Figure::P90), Some(4.0));
        for none in [f64::NAN, f64::INFINITY, -1.0] {
            figures.set(Figure::P90, none);
            assert_eq!(figures.get(Figure::P90), None);
        }
    }

    #[test]
    fn shares_differ_by_points_and_the_rest_by_ratio() {
        assert_eq!(Figure::P99.difference(200.0, 300.0), Some(0.5));
        assert_eq!(Figure::Failures.difference(0.0, 0.25), Some(0.25));
        assert_eq!(Figure::Rps.difference(0.0, 5.0), None);
    }
}
