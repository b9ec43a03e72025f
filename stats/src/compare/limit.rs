//! Differences that are too much: `p99 +10%`, `rps -5%`, `login:errors +0.1%`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::figure::Figure;
use super::judge::{Judgement, Pair};

/// What limits may be of, for messages.
const METRICS: &str = "rps, errors, mean, p50, p90, p95, p99 or max";

/// Largest number a limit may hold, percent.
const PERCENT_MAX: f64 = 1e6;

/// How much worse a figure may become, written `[STEP:]METRIC +N%` or `-N%`. It is broken where the difference is beyond N and its
/// whole confidence interval on that side of zero.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeLimit {
    /// Name of a step or transaction; all requests without.
    pub step: Option<String>,
    /// What is looked at.
    pub figure: Figure,
    /// The difference that is still in order, percent of the baseline, for `errors` percentage points; the other way than better.
    pub percent: f64,
}

/// Why a text is no limit: what is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeLimitError {
    /// No sign with a number behind it.
    #[error("holds no difference; write a metric and how much worse it may become, such as 'p99 +10%', 'rps -5%' or 'errors +0.1%'")]
    NoDifference,
    /// A colon with nothing before it.
    #[error("has no step before the colon; write its name there, or leave out the colon to mean all requests")]
    NoStep,
    /// Nothing that is compared.
    #[error("the metric \"{0}\" is not compared; write {METRICS}")]
    UnknownMetric(String),
    /// Not a number of zero or more with a percent sign.
    #[error("the difference \"{0}\" is not a number of percent, such as +10% or -5%")]
    NoPercent(String),
    /// Better is no failure.
    #[error("{metric} is better that way; write {example}")]
    WrongWay {
        /// The metric.
        metric: &'static str,
        /// What can be written.
        example: &'static str,
    },
}

impl FromStr for ChangeLimit {
    type Err = ChangeLimitError;

    /// The last colon and the last sign count, so a step's name may hold both. White space around the parts does not matter.
    fn from_str(text: &str) -> Result<Self, ChangeLimitError> {
        let at = text.rfind(['+', '-']).ok_or(ChangeLimitError::NoDifference)?;
        let (left, right) = text.split_at(at);
        let (step, metric) = match left.rsplit_once(':') {
            Some((step, _)) if step.trim().is_empty() => return Err(ChangeLimitError::NoStep),
            Some((step, metric)) => (Some(step.trim().to_owned()), metric.trim()),
            None => (None, left.trim()),
        };
        let named = |figure: &Figure| figure.name() == metric;
        let figure = Figure::ALL.into_iter().find(named);
        let figure = figure.ok_or_else(|| ChangeLimitError::UnknownMetric(metric.chars().take(60).collect()))?;
        let number = right[1..].trim().strip_suffix('%').map(str::trim);
        // Rust's own float syntax would also take "inf", "nan" and "1e3".
        let plain = |number: &&str| number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let percent = number.filter(plain).and_then(|number| number.parse::<f64>().ok());
        let percent = percent.filter(|percent| *percent <= PERCENT_MAX);
        let percent = percent.ok_or_else(|| ChangeLimitError::NoPercent(right.trim().chars().take(60).collect()))?;
        if right.starts_with('-') != figure.more_is_better() {
            let metric = figure.name();
            let example = if figure.more_is_better() { "- before the number" } else { "+ before the number" };
            return Err(ChangeLimitError::WrongWay { metric, example });
        }
        Ok(Self { step, figure, percent })
    }
}

impl fmt::Display for ChangeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = &self.step {
            write!(f, "{step}:")?;
        }
        let sign = if self.figure.more_is_better() { '-' } else { '+' };
        write!(f, "{} {sign}{}%", self.figure.name(), self.percent)
    }
}

/// Whether a limit holds for one contender.
#[derive(Clone, Debug, Serialize)]
pub struct LimitOutcome {
    /// The limit as written.
    pub limit: String,
    /// The contender's place among the contenders.
    pub contender: usize,
    /// Whether it holds.
    pub outcome: Standing,
    /// Why, in a sentence with figures; empty where it holds.
    pub reason: String,
}

/// Whether a limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The difference is within it, or may be chance.
    Holds,
    /// The difference is beyond it, and no chance.
    Broken,
    /// There is not enough data to say.
    NotJudged,
}

impl ChangeLimit {
    /// Whether a contender keeps it. Of several steps of the same name, in several cases, each must.
    pub fn judge(&self, pair: &Pair) -> LimitOutcome {
        let outcome =
            |outcome, reason| LimitOutcome { limit: self.to_string(), contender: pair.contender, outcome, reason };
        let rows: Vec<_> = match &self.step {
            None => vec![&pair.all_requests],
            Some(step) => pair.steps.iter().filter(|row| row.name.name == *step).collect(),
        };
        if rows.is_empty() {
            return outcome(Standing::NotJudged, "not both have such a step".into());
        }
        let mut unknown = None;
        for row in rows {
            let judgement = row.figures.iter().find(|judgement| judgement.figure == self.figure);
            match judgement.map(|judgement| (self.breaks(judgement), judgement)) {
                Some((Some(true), judgement)) => return outcome(Standing::Broken, reason(judgement)),
                Some((Some(false), _)) => {}
                Some((None, _)) => unknown = Some("not enough data"),
                None => unknown = Some("neither knows this figure"),
            }
        }
        match unknown {
            Some(why) => outcome(Standing::NotJudged, why.to_owned()),
            None => outcome(Standing::Holds, String::new()),
        }
    }

    /// Whether a difference is beyond the limit and its interval beyond zero; `None` where that cannot be told.
    fn breaks(&self, judgement: &Judgement) -> Option<bool> {
        let (difference, [low, high]) = (judgement.difference_percent?, judgement.interval_percent?);
        // The near end is the one towards better.
        let (worse, near) = if self.figure.more_is_better() { (-difference, -high) } else { (difference, low) };
        Some(worse > self.percent && near > 0.0)
    }

    /// Whether this is a step of either side.
    pub fn knows(&self, pair: &Pair) -> bool {
        let Some(step) = &self.step else { return true };
        let named = pair.steps.iter().map(|row| &row.name);
        named.chain(&pair.only_in_baseline).chain(&pair.only_in_contender).any(|row| row.name == *step)
    }
}

fn reason(judgement: &Judgement) -> String {
    let unit = if judgement.figure == Figure::Failures { " points" } else { "%" };
    let shown = |value: Option<f64>| format!("{:+.1}{unit}", value.unwrap_or_default());
    let [low, high] = judgement.interval_percent.unwrap_or_default();
    format!("{} (95% interval {} to {})", shown(judgement.difference_percent), shown(Some(low)), shown(Some(high)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::judge::{Change, RowJudgement};
    use crate::compare::measured::RowName;

    fn parsed(text: &str) -> ChangeLimit {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn judgement(figure: Figure, difference: Option<f64>, interval: Option<[f64; 2]>) -> Judgement {
        Judgement {
            figure,
            baseline: None,
            contender: None,
            difference_percent: difference,
            interval_percent: interval,
            verdict: Change::Unknown,
        }
    }

    fn row(name: &str, figures: Vec<Judgement>) -> RowJudgement {
        RowJudgement { name: RowName { name: name.into(), ..RowName::default() }, figures }
    }

    fn pair(all: Vec<Judgement>, steps: Vec<RowJudgement>) -> Pair {
        Pair {
            contender: 1,
            all_requests: row("", all),
            steps,
            only_in_baseline: vec![RowName { name: "old".into(), ..RowName::default() }],
            only_in_contender: Vec::new(),
            nothing_in_common: false,
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_parts_are_what_they_say() {
        let limit = parsed("login:p95 +10%");
        assert_eq!((limit.step.as_deref(), limit.figure, limit.percent), (Some("login"), Figure::P95, 10.0));
        assert_eq!(parsed(" rps - 5 % "), parsed("rps -5%"));
        assert_eq!(parsed("errors+0.1%").figure, Figure::Failures);
        assert_eq!(parsed("GET http://h:80/a+b: max +0%").step.as_deref(), Some("GET http://h:80/a+b"));
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        for (text, part) in [
            ("", "holds no difference; write a metric"),
            ("p99", "holds no difference"),
            (":p99 +5%", "no step before the colon"),
            ("p99.9 +5%", "the metric \"p99.9\" is not compared; write rps, errors"),
            ("p99 +5", "the difference \"+5\" is not a number of percent"),
            ("p99 +%", "is not a number of percent"),
            ("p99 +infinity%", "is not a number of percent"),
            ("p99 +1e3%", "is not a number of percent"),
            ("p99 -5%", "p99 is better that way; write + before the number"),
            ("rps +5%", "rps is better that way; write - before the number"),
        ] {
            let message = text.parse::<ChangeLimit>().expect_err(text).to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn beyond_the_bound_and_no_chance() {
        let standing = |limit: &str, figure, difference, interval| {
            let pair = pair(vec![judgement(figure, difference, interval)], Vec::new());
            parsed(limit).judge(&pair).outcome
        };
        use Standing::{Broken, Holds, NotJudged};
        let p99 = |difference, interval| standing("p99 +10%", Figure::P99, Some(difference), Some(interval));
        assert_eq!(p99(12.0, [2.0, 22.0]), Broken);
        assert_eq!(p99(12.0, [-1.0, 25.0]), Holds, "it may be chance");
        assert_eq!(p99(10.0, [9.0, 11.0]), Holds, "it is not beyond");
        assert_eq!(p99(-50.0, [-60.0, -40.0]), Holds);
        let rps = |difference, interval| standing("rps -5%", Figure::Rps, Some(difference), Some(interval));
        assert_eq!(rps(-6.0, [-8.0, -4.0]), Broken);
        assert_eq!(rps(-6.0, [-13.0, 1.0]), Holds);
        assert_eq!(rps(6.0, [5.0, 7.0]), Holds);
        assert_eq!(standing("p99 +10%", Figure::P99, Some(50.0), None), NotJudged);
        assert_eq!(standing("p99 +10%", Figure::P50, Some(50.0), Some([40.0, 60.0])), NotJudged);
    }

    #[test]
    fn steps_are_found_by_name_and_each_must_keep_it() {
        let grown = |low| vec![judgement(Figure::P95, Some(20.0), Some([low, 30.0]))];
        let steps = vec![row("login", grown(-1.0)), row("login", grown(5.0)), row("logout", grown(-1.0))];
        let pair = pair(Vec::new(), steps);
        let broken = parsed("login:p95 +10%").judge(&pair);
        assert_eq!(
            (broken.outcome, broken.reason.as_str()),
            (Standing::Broken, "+20.0% (95% interval +5.0% to +30.0%)")
        );
        assert_eq!(parsed("logout:p95 +10%").judge(&pair).outcome, Standing::Holds);
        assert_eq!(parsed("old:p95 +10%").judge(&pair).outcome, Standing::NotJudged);
        assert!(parsed("old:p95 +10%").knows(&pair) && parsed("p95 +10%").knows(&pair));
        assert!(!parsed("lgoin:p95 +10%").knows(&pair));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser_and_what_is_shown_reads_back(text in "[a-z:]{0,5}(p99|rps|errors)? ?[-+]?[0-9.]{0,5}%?|\\PC*") {
            if let Ok(limit) = text.parse::<ChangeLimit>() {
                prop_assert_eq!(limit.to_string().parse::<ChangeLimit>(), Ok(limit));
            }
        }
    }
}
