//! Times as people write them: `30`, `30s`, `2m`, `500ms`, `1h`, `1m30s`.

use std::time::Duration;

/// The longest time a flag takes. A year of load is a typing error, and the bound keeps later sums far from overflow.
const DURATION_MAX: Duration = Duration::from_hours(365 * 24);

/// What the message of every refusal ends with.
const FORMS: &str = "write seconds (30) or a number with a unit (500ms, 30s, 2m, 1h, 1m30s)";

/// Parses a time of zero or more. A number without a unit is in seconds, as hrp's `--run-time` has it (hrp spec 14.1);
/// numbers may have decimals, and units may follow one another (`1m30s`).
///
/// # Errors
/// A sentence for text in another form, and for a time above one year.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("is empty; {FORMS}"));
    }
    let seconds = match text.parse::<f64>() {
        // Rust's own float syntax would also take "inf", "nan" and "1e3".
        Ok(seconds) if is_plain_number(text) => seconds,
        _ => sum_of_parts(text)?,
    };
    if seconds > DURATION_MAX.as_secs_f64() {
        return Err("is longer than a year".into());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("is not a time; {FORMS}"))
}

/// As [`parse_duration`], for times that must be above zero.
///
/// # Errors
/// As there, and for zero.
pub(crate) fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err(format!("must be above zero; {FORMS}")),
        duration => Ok(duration),
    }
}

fn is_plain_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Seconds of a sequence of numbers, each with its unit.
fn sum_of_parts(text: &str) -> Result<f64, String> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(unit_at);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_| format!("is not a time; {FORMS}"))?;
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(format!("ends in a number without a unit; {FORMS}")),
            other => return Err(format!("has the unknown unit \"{other}\"; {FORMS}")),
        };
        seconds += number * factor;
        rest = after;
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read() {
        for (text, ms) in [
            ("30", 30_000),
            ("0", 0),
            ("1.5", 1_500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            (" 10s ", 10_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_a_sentence() {
        for text in ["", "-1", "-1s", "s", "10x", "1e3", "inf", "nan", "1m30", "1..5s", "10 s", "9999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("10d").unwrap_err().contains("unknown unit \"d\""));
        assert!(parse_duration("366h").is_ok());
        assert!(parse_duration("8761h").unwrap_err().contains("longer than a year"));
    }

    #[test]
    fn zero_is_refused_where_it_means_nothing() {
        assert!(parse_positive_duration("0").unwrap_err().contains("above zero"));
        assert_eq!(parse_positive_duration("1"), Ok(Duration::from_secs(1)));
    }
}
