//! What a threshold can ask.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// One threshold. Its text ([`Display`]) is the shortest way to write it, and reads back as the same condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Name of a step, a transaction or a referenced case; `None` is all requests together.
    pub step: Option<String>,
    /// What is looked at.
    pub metric: Metric,
    /// How it must compare.
    pub operator: Operator,
    /// With what.
    pub bound: Bound,
}

/// What a threshold looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A latency of the requests that succeeded; of transactions, the durations of all.
    Latency(Option<Part>, Statistic),
    /// Failed requests: their share where the bound is in percent, their number otherwise.
    Errors,
    /// Requests finished within the load window, per second of it.
    Rps,
    /// Requests finished.
    Requests,
}

/// Which latency; a threshold that names none means *service* time in a closed run and *response* time in an open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From the first byte handed to the kernel to the last body byte.
    Service,
    /// From the time the schedule intended to the last body byte.
    Response,
}

/// One figure of a latency distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The exact minimum.
    Min,
    /// The arithmetic mean.
    Mean,
    /// The exact maximum.
    Max,
    /// A percentile, in millionths: 990,000 is p99. Above 0 and below a million.
    Percentile(u32),
}

impl Statistic {
    /// Millionths of a whole.
    pub(crate) const WHOLE: u32 = 1_000_000;

    /// How many samples the figure needs to mean anything: a percentile, 10 beyond it (1,000 for p99); others, one.
    pub fn samples_needed(self) -> u64 {
        match self {
            Self::Percentile(millionths) => {
                (10 * u64::from(Self::WHOLE)).div_ceil(u64::from(Self::WHOLE.saturating_sub(millionths).max(1)))
            }
            Self::Min | Self::Mean | Self::Max => 1,
        }
    }
}

/// How a figure must compare with the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

impl Operator {
    /// Whether the figure is where it must be.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
        }
    }

    /// True for `>` and `>=`.
    pub fn is_lower_bound(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }
}

/// The number a figure is held against, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Microseconds.
    Us(f64),
    /// Milliseconds.
    Ms(f64),
    /// Seconds.
    S(f64),
    /// A share in percent.
    Percent(f64),
    /// A number of requests, or of requests a second.
    Plain(f64),
}

impl Bound {
    /// The bound in the unit of the figure: microseconds, a share of 0 to 1, or the number as it is.
    ///
    /// Rounded to a thousandth of a microsecond and a millionth of a millionth, so that `0.7%` is exactly 7 in 1,000.
    pub fn value(self) -> f64 {
        let rounded = |value: f64, to: f64| (value * to).round() / to;
        match self {
            Self::Us(us) => us,
            Self::Ms(ms) => rounded(ms * 1e3, 1e3),
            Self::S(s) => rounded(s * 1e6, 1e3),
            Self::Percent(percent) => rounded(percent / 100.0, 1e12),
            Self::Plain(number) => number,
        }
    }
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Us,
    /// A share of 0 to 1.
    Ratio,
    /// Events a second.
    PerSecond,
    /// A number of requests.
    #[default]
    Count,
}

impl Condition {
    /// What the figure is counted in.
    pub fn unit(&self) -> Unit {
        match (self.metric, self.bound) {
            (Metric::Latency(..), _) => Unit::Us,
            (Metric::Errors, Bound::Percent(_)) => Unit::Ratio,
            (Metric::Rps, _) => Unit::PerSecond,
            (Metric::Errors | Metric::Requests, _) => Unit::Count,
        }
    }

    /// Whether the running figure says anything before the end. A number that only grows is below a lower bound at first.
    pub fn can_be_broken_early(&self) -> bool {
        !(self.unit() == Unit::Count && self.operator.is_lower_bound())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = &self.step {
            write!(f, "{step}:")?;
        }
        write!(f, "{}{}{}", self.metric, self.operator, self.bound)
    }
}

impl Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(None, statistic) => write!(f, "{statistic}"),
            Self::Latency(Some(Part::Service), statistic) => write!(f, "service.{statistic}"),
            Self::Latency(Some(Part::Response), statistic) => write!(f, "response.{statistic}"),
            Self::Errors => f.write_str("errors"),
            Self::Rps => f.write_str("rps"),
            Self::Requests => f.write_str("requests"),
        }
    }
}

impl Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min => f.write_str("min"),
            Self::Mean => f.write_str("mean"),
            Self::Max => f.write_str("max"),
            // Ten thousand millionths are a percent; the quotient is the nearest number, so it is written with their digits.
            Self::Percentile(millionths) => write!(f, "p{}", f64::from(*millionths) / 1e4),
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        })
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Us(us) => write!(f, "{us}us"),
            Self::Ms(ms) => write!(f, "{ms}ms"),
            Self::S(s) => write!(f, "{s}s"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Plain(number) => write!(f, "{number}"),
        }
    }
}
