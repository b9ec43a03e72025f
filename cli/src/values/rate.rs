//! Rates with their unit of time, and stages of a load: `5000/s`, `300/m`; `30s:100,2m:500,30s:0`, `1m:2000/s`.

use std::time::Duration;

use pummel_engine::{MAX_ARRIVAL_RATE, MAX_RATE};

use super::{duration::parse_duration, number::parse_users};

/// More stages than anybody writes; a longer list is a slip of a script.
const STAGES_MAX: usize = 1_000;

/// Where a stage goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StageTarget {
    /// To so many users; where a rate is given, that many are started or ended a second and then stay.
    Users {
        /// How many.
        users: u32,
        /// Users a second.
        spawn_rate: Option<f64>,
    },
    /// To so many iterations a second.
    Rate(f64),
}

/// A stage as typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StageText {
    /// How long it lasts.
    pub(crate) over: Duration,
    /// What there is at its end.
    pub(crate) target: StageTarget,
}

/// Parses a rate of arrivals above zero: a number, with `/s` (as without), `/m` or `/h`. Gives it per second.
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_rate_per(text: &str) -> Result<f64, String> {
    above_zero(rate_of(text, MAX_ARRIVAL_RATE)?)
}

fn above_zero(rate: f64) -> Result<f64, String> {
    if rate > 0.0 {
        Ok(rate)
    } else {
        Err("must be above zero".into())
    }
}

/// A level of a search as typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// The number, or the rate per second.
    pub(crate) value: f64,
    /// It was written as a rate, `5/s`.
    pub(crate) with_unit: bool,
}

/// Parses a level of a search: a rate as [`parse_rate_per`] takes it, or a number of users.
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_level(text: &str) -> Result<Level, String> {
    Ok(Level { value: parse_rate_per(text)?, with_unit: text.contains('/') })
}

fn rate_of(text: &str, max: f64) -> Result<f64, String> {
    const FORMS: &str = "write a number with /s, /m or /h, such as 5000/s";
    let (number, unit) = text.trim().split_once('/').unwrap_or((text.trim(), "s"));
    let per = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("has the unknown unit \"/{unit}\"; {FORMS}")),
    };
    let number = number.trim();
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // Rust's own float syntax would also take "inf", "nan" and "1e3".
    let rate = number.parse::<f64>().ok().filter(|_| plain).ok_or_else(|| format!("is no rate; {FORMS}"))? / per;
    if rate > max {
        return Err(format!("is above the highest rate, {max:.0} a second"));
    }
    Ok(rate)
}

/// Parses stages, `TIME:TARGET` with commas between: of users (`30s:100`, or `30s:100@10` for 10 a second) or of a rate
/// (`30s:500/s`). All are of one kind.
///
/// # Errors
/// A sentence that names the stage.
pub(crate) fn parse_stages(text: &str) -> Result<Stages, String> {
    let stages: Vec<StageText> = text.split(',').map(stage).collect::<Result<_, _>>()?;
    if stages.len() > STAGES_MAX {
        return Err(format!("has {} stages; there may be {STAGES_MAX}", stages.len()));
    }
    let of_rate = |stage: &StageText| matches!(stage.target, StageTarget::Rate(_));
    if stages.iter().any(of_rate) && !stages.iter().all(of_rate) {
        return Err(
            "has users in one stage and a rate in another; write all as users (100) or all as rates (100/s)".into()
        );
    }
    if stages.iter().all(|stage| stage.over.is_zero()) {
        return Err("lasts no time at all; give a stage one, such as 30s:100".into());
    }
    Ok(Stages(stages))
}

/// Stages of one kind, at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stages(pub(crate) Vec<StageText>);

impl Stages {
    /// True where they are of a rate.
    pub(crate) fn of_rate(&self) -> bool {
        matches!(self.0[0].target, StageTarget::Rate(_))
    }
}

fn stage(text: &str) -> Result<StageText, String> {
    let text = text.trim();
    let wrong = |why: String| format!("has the stage \"{text}\", which {why}");
    let (over, target) = text
        .split_once(':')
        .ok_or_else(|| wrong("is not TIME:TARGET, such as 30s:100 for users or 30s:500/s for a rate".into()))?;
    let over = parse_duration(over).map_err(|why| wrong(format!("has a time that {why}")))?;
    let target = if target.contains('/') && !target.contains('@') {
        StageTarget::Rate(rate_of(target, MAX_ARRIVAL_RATE).map_err(|why| wrong(format!("has a rate that {why}")))?)
    } else {
        let (users, spawn_rate) = match target.split_once('@') {
            Some((users, rate)) => {
                let rate = rate_of(rate, MAX_RATE).and_then(above_zero);
                let rate = rate.map_err(|why| wrong(format!("has a spawn rate that {why}")))?;
                (users, Some(rate))
            }
            None => (target, None),
        };
        let users = match users.trim() {
            "0" => 0,
            users => parse_users(users).map_err(|why| wrong(format!("has a number of users that {why}")))?,
        };
        StageTarget::Users { users, spawn_rate }
    };
    Ok(StageText { over, target })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_have_a_unit_of_time() {
        for (text, rate) in
            [("5000/s", 5_000.0), ("5000", 5_000.0), ("300/m", 5.0), ("7200/h", 2.0), (" 0.5 / s ", 0.5)]
        {
            assert_eq!(parse_rate_per(text), Ok(rate), "{text}");
        }
        assert_eq!(parse_rate_per("10000000/s"), Ok(1e7));
        for (text, part) in [
            ("0/s", "above zero"),
            ("5/d", "unknown unit \"/d\""),
            ("-1/s", "is no rate; write"),
            ("1e3/s", "is no rate"),
            ("inf", "is no rate"),
            ("/s", "is no rate"),
            ("1e10", "is no rate"),
            ("10000001/s", "is above the highest rate, 10000000 a second"),
        ] {
            assert!(parse_rate_per(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn stages_of_users_and_of_a_rate() {
        let stages = parse_stages("30s:100, 2m:500@10,30s:0").unwrap();
        assert!(!stages.of_rate());
        assert_eq!(
            stages.0,
            [
                StageText {
                    over: Duration::from_secs(30),
                    target: StageTarget::Users { users: 100, spawn_rate: None }
                },
                StageText {
                    over: Duration::from_mins(2),
                    target: StageTarget::Users { users: 500, spawn_rate: Some(10.0) }
                },
                StageText { over: Duration::from_secs(30), target: StageTarget::Users { users: 0, spawn_rate: None } },
            ]
        );
        let rates = parse_stages("0s:10/s,1m:600/m,5:0/s").unwrap();
        assert!(rates.of_rate());
        assert_eq!(rates.0[1], StageText { over: Duration::from_mins(1), target: StageTarget::Rate(10.0) });
    }

    #[test]
    fn what_is_wrong_with_a_stage_is_said_with_its_text() {
        for (text, part) in [
            ("", "the stage \"\", which is not TIME:TARGET"),
            ("30s", "the stage \"30s\", which is not TIME:TARGET"),
            ("30s:10,x:5", "the stage \"x:5\", which has a time that"),
            ("30s:many", "has a number of users that is not a whole number"),
            ("30s:10@0", "has a spawn rate that must be above zero"),
            ("30s:10/d", "has a rate that has the unknown unit"),
            ("30s:10000001/s", "has a rate that is above the highest rate, 10000000 a second"),
            ("30s:10,30s:5/s", "users in one stage and a rate in another"),
            ("0s:10", "lasts no time at all"),
            ("30s:2000000", "more than a run may have"),
        ] {
            let message = parse_stages(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_stages_or_a_sentence(text in "[0-9a-z:,@/. ]{0,40}") {
            if let Err(message) = parse_stages(&text) {
                prop_assert!(message.len() > 10);
            }
        }
    }
}
