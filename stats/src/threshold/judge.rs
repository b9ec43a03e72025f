//! Whether a figure is where its condition wants it.

use std::fmt::{self, Display};

use crate::summary::Threshold;

use super::condition::{Condition, Metric, Statistic};

/// What a condition is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figure {
    /// Requests finished, or transactions ended.
    pub(crate) finished: u64,
    /// Samples of the latency; of other figures it does not matter.
    pub(crate) samples: u64,
    /// The figure in its unit; `None` where there is none.
    pub(crate) value: Option<f64>,
}

/// How a condition stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    /// The figure is where it must be.
    Held(f64),
    /// It is not.
    Broken(f64),
    /// There is no figure to speak of. At the end this does not pass; before, it breaks nothing.
    Unknown(Unknown),
}

/// Why there is no figure to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// No row has the name. Where steps are named after values of their users this is known at the end alone.
    NoSuchStep,
    /// No request finished.
    NothingFinished,
    /// The run ended within its warm-up.
    NothingMeasured,
    /// Requests finished, all of them failed.
    NothingSucceeded,
    /// Fewer samples than the percentile needs.
    TooFewSamples {
        /// How many there are.
        samples: u64,
        /// Which percentile.
        statistic: Statistic,
    },
}

impl Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStep => f.write_str("no step, transaction or referenced case had this name"),
            Self::NothingFinished => f.write_str("nothing was finished that it could be held against"),
            Self::NothingMeasured => f.write_str("no request after the warm-up: the run ended within it"),
            Self::NothingSucceeded => f.write_str("no request succeeded, so there is no latency"),
            Self::TooFewSamples { samples, statistic } => write!(
                f,
                "only {} of {} samples that {statistic} needs",
                with_separators(*samples),
                with_separators(statistic.samples_needed())
            ),
        }
    }
}

/// `1,234,567`.
pub(crate) fn with_separators(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Standing {
    /// How the condition stands with this figure.
    pub(crate) fn of(condition: &Condition, figure: Figure) -> Self {
        if figure.finished == 0 {
            return Self::Unknown(Unknown::NothingFinished);
        }
        if let Metric::Latency(_, statistic @ Statistic::Percentile(_)) = condition.metric {
            if figure.samples > 0 && figure.samples < statistic.samples_needed() {
                return Self::Unknown(Unknown::TooFewSamples { samples: figure.samples, statistic });
            }
        }
        match figure.value {
            None => Self::Unknown(Unknown::NothingSucceeded),
            Some(value) if condition.operator.holds(value, condition.bound.value()) => Self::Held(value),
            Some(value) => Self::Broken(value),
        }
    }

    /// The threshold as the summary has it.
    pub(crate) fn into_threshold(self, condition: &Condition, first_failed_s: Option<u64>) -> Threshold {
        let bound = condition.bound.value();
        let (value, reason) = match self {
            Self::Held(value) | Self::Broken(value) => (Some(value), None),
            Self::Unknown(unknown) => (None, Some(unknown.to_string())),
        };
        Threshold {
            expression: condition.to_string(),
            value,
            ok: matches!(self, Self::Held(_)),
            limit: Some(bound),
            unit: condition.unit(),
            by: match self {
                Self::Broken(value) if bound > 0.0 => Some((value - bound).abs() / bound),
                _ => None,
            },
            first_failed_s,
            reason,
            samples_missing: match self {
                Self::Unknown(Unknown::TooFewSamples { samples, statistic }) => {
                    Some(statistic.samples_needed().saturating_sub(samples))
                }
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Unit;

    fn standing(condition: &str, finished: u64, samples: u64, value: Option<f64>) -> Standing {
        Standing::of(&condition.parse().unwrap(), Figure { finished, samples, value })
    }

    #[test]
    fn the_four_comparisons_at_their_borders() {
        for (condition, below, at, above) in [
            ("max<10us", true, false, false),
            ("max<=10us", true, true, false),
            ("max>10us", false, false, true),
            ("max>=10us", false, true, true),
        ] {
            let held = |value| matches!(standing(condition, 1, 1, Some(value)), Standing::Held(_));
            assert_eq!((held(9.0), held(10.0), held(11.0)), (below, at, above), "{condition}");
        }
    }

    #[test]
    fn a_share_at_its_limit_is_at_its_limit() {
        // 7 of 1,000 failed.
        assert_eq!(standing("errors<=0.7%", 1_000, 0, Some(7.0 / 1_000.0)), Standing::Held(0.007));
        assert_eq!(standing("errors<0.7%", 1_000, 0, Some(7.0 / 1_000.0)), Standing::Broken(0.007));
    }

    #[test]
    fn a_percentile_of_too_few_samples_does_not_pass() {
        let few = standing("p99<1s", 40, 40, Some(5.0));
        let threshold = few.into_threshold(&"p99<1s".parse().unwrap(), None);
        assert_eq!((threshold.ok, threshold.value, threshold.by), (false, None, None));
        assert_eq!(threshold.reason.as_deref(), Some("only 40 of 1,000 samples that p99 needs"));
        assert_eq!(threshold.samples_missing, Some(960));
        assert!(matches!(standing("p99<1s", 999, 999, Some(5.0)), Standing::Unknown(_)));
        assert_eq!(standing("p99<1s", 1_000, 1_000, Some(5.0)), Standing::Held(5.0));
        assert_eq!(standing("max<1s", 1, 1, Some(5.0)), Standing::Held(5.0));
    }

    #[test]
    fn nothing_passes_where_nothing_happened() {
        for condition in ["p99<1s", "errors<1%", "errors<=0", "rps>1", "requests<5", "a:max<1s"] {
            let standing = standing(condition, 0, 0, Some(0.0));
            assert_eq!(standing, Standing::Unknown(Unknown::NothingFinished), "{condition}");
            assert!(!standing.into_threshold(&condition.parse().unwrap(), None).ok);
        }
        // 5 requests, none of which succeeded.
        assert_eq!(standing("p99<1s", 5, 0, None), Standing::Unknown(Unknown::NothingSucceeded));
    }

    #[test]
    fn the_summary_says_by_how_much() {
        let threshold = |condition: &str, value| {
            standing(condition, 5_000, 5_000, Some(value)).into_threshold(&condition.parse().unwrap(), Some(3))
        };
        let slow = threshold("a:p99 < 10ms", 15_000.0);
        assert_eq!((slow.expression.as_str(), slow.unit, slow.limit), ("a:p99<10ms", Unit::Us, Some(10_000.0)));
        assert_eq!((slow.value, slow.by, slow.first_failed_s), (Some(15_000.0), Some(0.5), Some(3)));
        assert_eq!(slow.samples_missing, None);
        assert_eq!(threshold("rps>2000", 1_500.0).by, Some(0.25));
        assert_eq!((threshold("errors<=0", 7.0).by, threshold("rps>1", 2.0).by), (None, None));
        assert_eq!((threshold("errors<1%", 0.5).unit, threshold("errors<1", 5.0).unit), (Unit::Ratio, Unit::Count));
    }

    #[test]
    fn long_counts_have_separators() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(with_separators(count), text);
        }
    }
}
