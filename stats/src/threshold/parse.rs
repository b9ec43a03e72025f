//! How a threshold is written.

use std::str::FromStr;

use super::condition::{Bound, Condition, Metric, Operator, Part, Statistic};

/// What the message about a metric ends with.
const METRICS: &str =
    "p99, p99.9 or another percentile, min, mean or max, with service. or response. before it if need be; or errors, rps, requests";

/// Why a text is no threshold: what is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Nothing to compare with.
    #[error(
        "holds no comparison; write METRIC, one of < <= > >=, and a value, such as p99<250ms, errors<0.1% or rps>2000"
    )]
    NoOperator,
    /// A colon with nothing before it.
    #[error("has no step before the colon; write its name there, or leave out the colon to mean all requests")]
    NoStep,
    /// Nothing is looked at.
    #[error("the metric \"{0}\" is unknown; write {METRICS}")]
    UnknownMetric(String),
    /// `p0`, `p100`, `p101`, or more digits than histograms of any size could tell apart.
    #[error("there is no percentile \"{0}\"; it lies above 0 and below 100, with four decimals at most; min and max are the ends")]
    NoPercentile(String),
    /// `service.errors` and the like.
    #[error("\"{0}\" is no latency, so neither service. nor response. can stand before it; leave that out")]
    NoLatency(String),
    /// Not a number of zero or more.
    #[error("the value \"{0}\" is not a number of zero or more, such as 250 or 0.1")]
    NoNumber(String),
    /// A latency without a unit, or with one that is none of time.
    #[error(
        "{metric} is a time, and \"{value}\" has no unit of time; write us, ms or s behind the number, such as 250ms"
    )]
    NoTime {
        /// The metric.
        metric: String,
        /// The value as written.
        value: String,
    },
    /// A number with a unit its metric does not take.
    #[error("{metric} is counted in {counted_in}, and \"{value}\" has another unit; write {example}")]
    WrongUnit {
        /// The metric.
        metric: String,
        /// What it is counted in.
        counted_in: &'static str,
        /// The value as written.
        value: String,
        /// How it can be written.
        example: &'static str,
    },
    /// No run can hold it.
    #[error("no run can hold this: {0}")]
    NeverHolds(&'static str),
    /// Every run holds it.
    #[error("every run holds this, so it says nothing: {0}")]
    AlwaysHolds(&'static str),
}

impl FromStr for Condition {
    type Err = ConditionError;

    /// Reads `[STEP:]METRIC OP VALUE[UNIT]`. The last comparison and the last colon before it count, so the name of a step may
    /// hold both. White space around the parts does not matter.
    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let at = text.rfind(['<', '>']).ok_or(ConditionError::NoOperator)?;
        let (left, right) = text.split_at(at);
        let (operator, value) = match (right.starts_with('<'), right[1..].strip_prefix('=')) {
            (true, Some(value)) => (Operator::AtMost, value),
            (true, None) => (Operator::Below, &right[1..]),
            (false, Some(value)) => (Operator::AtLeast, value),
            (false, None) => (Operator::Above, &right[1..]),
        };
        let (step, metric) = match left.rsplit_once(':') {
            Some((step, _)) if step.trim().is_empty() => return Err(ConditionError::NoStep),
            Some((step, metric)) => (Some(step.trim().to_owned()), metric),
            None => (None, left),
        };
        let metric = metric_of(metric.trim())?;
        let condition = Self { step, metric, operator, bound: bound_of(metric, value.trim())? };
        refuse_the_pointless(&condition)?;
        Ok(condition)
    }
}

fn metric_of(text: &str) -> Result<Metric, ConditionError> {
    let (part, name) = match text.split_once('.') {
        Some(("service", name)) => (Some(Part::Service), name),
        Some(("response", name)) => (Some(Part::Response), name),
        _ => (None, text),
    };
    let metric = match name {
        "min" => Metric::Latency(part, Statistic::Min),
        "mean" => Metric::Latency(part, Statistic::Mean),
        "max" => Metric::Latency(part, Statistic::Max),
        "errors" => Metric::Errors,
        "rps" => Metric::Rps,
        "requests" => Metric::Requests,
        _ => match name.strip_prefix('p') {
            Some(percent) if percent.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                let millionths = millionths_of(percent).ok_or_else(|| ConditionError::NoPercentile(name.to_owned()))?;
                Metric::Latency(part, Statistic::Percentile(millionths))
            }
            _ => return Err(ConditionError::UnknownMetric(text.to_owned())),
        },
    };
    if part.is_some() && !matches!(metric, Metric::Latency(..)) {
        return Err(ConditionError::NoLatency(name.to_owned()));
    }
    Ok(metric)
}

/// Millionths of a whole in a number of percent; exact, because `99.9 / 100` is not.
fn millionths_of(percent: &str) -> Option<u32> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 2 || decimals.len() > 4 {
        return None;
    }
    let millionths = format!("{whole}{decimals:0<4}").parse().ok()?;
    (1..Statistic::WHOLE).contains(&millionths).then_some(millionths)
}

fn bound_of(metric: Metric, value: &str) -> Result<Bound, ConditionError> {
    let number_ends = value.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |at| at + 1);
    let (number, unit) = (&value[..number_ends], value[number_ends..].trim());
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // Rust's own float syntax would also take "inf", "nan" and "1e3".
    let number = number.parse::<f64>().ok().filter(|number| plain && number.is_finite());
    let number = number.ok_or_else(|| ConditionError::NoNumber(value.to_owned()))?;
    let wrong_unit = |counted_in, example| {
        Err(ConditionError::WrongUnit { metric: metric.to_string(), counted_in, value: value.to_owned(), example })
    };
    match (metric, unit) {
        (Metric::Latency(..), "us") => Ok(Bound::Us(number)),
        (Metric::Latency(..), "ms") => Ok(Bound::Ms(number)),
        (Metric::Latency(..), "s") => Ok(Bound::S(number)),
        (Metric::Latency(..), _) => Err(ConditionError::NoTime { metric: metric.to_string(), value: value.to_owned() }),
        (Metric::Errors, "%") => Ok(Bound::Percent(number)),
        (Metric::Errors | Metric::Rps | Metric::Requests, "") => Ok(Bound::Plain(number)),
        (Metric::Errors, _) => wrong_unit("percent of the requests, or as a number", "errors<1% or errors<10"),
        (Metric::Rps, _) => wrong_unit("requests a second", "the number alone, such as rps>2000"),
        (Metric::Requests, _) => wrong_unit("requests", "the number alone, such as requests>1000"),
    }
}

/// What cannot be held or cannot be broken is a slip.
fn refuse_the_pointless(condition: &Condition) -> Result<(), ConditionError> {
    let value = condition.bound.value();
    let nothing = value <= 0.0;
    match (condition.operator, condition.bound) {
        (Operator::Below, _) if nothing => {
            Err(ConditionError::NeverHolds("nothing is below zero; write <= to ask for none at all"))
        }
        (Operator::AtLeast, _) if nothing => {
            Err(ConditionError::AlwaysHolds("nothing is below zero; write > to ask for some"))
        }
        (Operator::Above, Bound::Percent(_)) if value >= 1.0 => {
            Err(ConditionError::NeverHolds("a share is at most 100%; write a smaller one"))
        }
        (Operator::AtLeast, Bound::Percent(_)) if value > 1.0 => {
            Err(ConditionError::NeverHolds("a share is at most 100%; write a smaller one"))
        }
        (Operator::Below, Bound::Percent(_)) if value > 1.0 => {
            Err(ConditionError::AlwaysHolds("a share is at most 100%; write a smaller one"))
        }
        (Operator::AtMost, Bound::Percent(_)) if value >= 1.0 => {
            Err(ConditionError::AlwaysHolds("a share is at most 100%; write a smaller one"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Condition {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refused(text: &str) -> String {
        text.parse::<Condition>().expect_err(text).to_string()
    }

    #[test]
    fn the_parts_are_what_they_say() {
        let condition = parsed("login:p95<=100ms");
        assert_eq!(condition.step.as_deref(), Some("login"));
        assert_eq!(condition.metric, Metric::Latency(None, Statistic::Percentile(950_000)));
        assert_eq!((condition.operator, condition.bound), (Operator::AtMost, Bound::Ms(100.0)));
        for (text, bound) in [
            ("p99<250ms", 250_000.0),
            ("max<1.5s", 1_500_000.0),
            ("min>=3us", 3.0),
            ("p50<1.001ms", 1_001.0),
            ("errors<0.7%", 0.007),
            ("errors<=5", 5.0),
            ("rps>2000", 2_000.0),
        ] {
            assert_eq!(Some(parsed(text).bound.value()), Some(bound), "{text}");
        }
        assert_eq!(
            parsed("response.p99<1s").metric,
            Metric::Latency(Some(Part::Response), Statistic::Percentile(990_000))
        );
        assert_eq!(parsed("a:service.mean<1s").metric, Metric::Latency(Some(Part::Service), Statistic::Mean));
    }

    #[test]
    fn white_space_does_not_matter_and_names_may_hold_anything() {
        assert_eq!(parsed("  p99.9  < 2 s "), parsed("p99.9<2s"));
        assert_eq!(parsed("GET http://h:80/a<b : errors <= 0 %").step.as_deref(), Some("GET http://h:80/a<b"));
        assert_eq!(parsed("order p99: p99 > 1ms").step.as_deref(), Some("order p99"));
    }

    #[test]
    fn percentiles_need_ten_samples_beyond_them() {
        for (text, needed) in [("p50", 20), ("p90", 100), ("p99", 1_000), ("p99.9", 10_000), ("p99.99", 100_000)] {
            let Metric::Latency(_, statistic) = parsed(&format!("{text}<1s")).metric else { panic!("{text}") };
            assert_eq!((statistic.samples_needed(), statistic.to_string().as_str()), (needed, text));
        }
        assert_eq!(Statistic::Max.samples_needed(), 1);
    }

    #[test]
    fn what_is_wrong_says_what_and_what_to_write() {
        for (text, part) in [
            ("", "holds no comparison"),
            ("p99", "holds no comparison; write METRIC"),
            ("p99=5ms", "holds no comparison"),
            (":p99<5ms", "no step before the colon"),
            ("<5ms", "the metric \"\" is unknown"),
            ("p<5ms", "the metric \"p\" is unknown"),
            ("P99<5ms", "the metric \"P99\" is unknown; write p99"),
            ("latency<5ms", "the metric \"latency\" is unknown"),
            ("p101<5ms", "no percentile \"p101\""),
            ("p100<5ms", "min and max are the ends"),
            ("p0<5ms", "no percentile \"p0\""),
            ("p-1<5ms", "no percentile \"p-1\""),
            ("p99.99999<5ms", "four decimals at most"),
            ("p99.<5ms", "no percentile \"p99.\""),
            ("service.errors<1%", "\"errors\" is no latency"),
            ("p99<ms", "the value \"ms\" is not a number"),
            ("p99<", "the value \"\" is not a number"),
            ("errors<-1%", "the value \"-1%\" is not a number of zero or more"),
            ("p99<1e3ms", "the value \"1e3ms\""),
            ("p99<infms", "the value \"infms\""),
            ("p99<1.2.3ms", "the value \"1.2.3ms\""),
            ("p99<==5ms", "the value \"=5ms\""),
            ("p99<5", "\"5\" has no unit of time; write us, ms or s"),
            ("p99<5%", "\"5%\" has no unit of time"),
            ("p99<5m", "\"5m\" has no unit of time"),
            ("rps>100ms", "rps is counted in requests a second"),
            ("rps>1%", "rps is counted in requests a second"),
            ("requests>1s", "the number alone, such as requests>1000"),
            ("errors<1ms", "write errors<1% or errors<10"),
            ("errors<0%", "no run can hold this: nothing is below zero"),
            ("p99<0ms", "no run can hold this"),
            ("errors>100%", "no run can hold this: a share is at most 100%"),
            ("errors>=101%", "no run can hold this"),
            ("errors<101%", "every run holds this"),
            ("errors<=100%", "every run holds this"),
            ("rps>=0", "every run holds this"),
        ] {
            let message = refused(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    fn metrics() -> impl Strategy<Value = Metric> {
        let part = prop_oneof![Just(None), Just(Some(Part::Service)), Just(Some(Part::Response))];
        let statistic = prop_oneof![
            Just(Statistic::Min),
            Just(Statistic::Mean),
            Just(Statistic::Max),
            (1..Statistic::WHOLE).prop_map(Statistic::Percentile),
        ];
        prop_oneof![
            (part, statistic).prop_map(|(part, statistic)| Metric::Latency(part, statistic)),
            Just(Metric::Errors),
            Just(Metric::Rps),
            Just(Metric::Requests),
        ]
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let step = proptest::option::of("[a-z<>=:./%0-9 ]{0,8}[a-z]");
        let operator =
            prop_oneof![Just(Operator::Below), Just(Operator::AtMost), Just(Operator::Above), Just(Operator::AtLeast)];
        // Thousandths, from what every metric takes.
        (step, metrics(), operator, 1_u32..99_000, 0_u8..3).prop_map(|(step, metric, operator, thousandths, unit)| {
            let number = f64::from(thousandths) / 1e3;
            let bound = match (metric, unit) {
                (Metric::Latency(..), 0) => Bound::Us(number),
                (Metric::Latency(..), 1) => Bound::Ms(number),
                (Metric::Latency(..), _) => Bound::S(number),
                (Metric::Errors, 0) => Bound::Percent(number),
                (Metric::Errors | Metric::Rps | Metric::Requests, _) => Bound::Plain(number),
            };
            Condition { step: step.map(|step| step.trim().to_owned()), metric, operator, bound }
        })
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same(condition in conditions()) {
            prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*") {
            if let Ok(condition) = text.parse::<Condition>() {
                prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
            }
        }
    }
}
