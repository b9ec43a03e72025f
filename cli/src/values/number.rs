//! Rates and counts with their bounds.

use pummel_engine::{MAX_RATE, MAX_USERS};

/// Parses a rate per second above zero; decimals are allowed (`0.5` is one every two seconds).
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = parse_number(text)?;
    if rate <= 0.0 {
        return Err("must be above zero".into());
    }
    Ok(rate)
}

/// Parses a ceiling on a rate: zero or less means none, as in hrp (hrp spec 14.1).
///
/// # Errors
/// A sentence for what is not a number.
pub(crate) fn parse_rate_limit(text: &str) -> Result<Option<f64>, String> {
    let rate = parse_number(text)?;
    Ok((rate > 0.0).then_some(rate))
}

/// Parses a count of one or more.
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_whole_at_least_one(text: &str) -> Result<u64, String> {
    match text.trim().parse::<u64>() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("is not a whole number above zero".into()),
    }
}

/// Parses a number of virtual users or connections, 1 to [`MAX_USERS`].
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_users(text: &str) -> Result<u32, String> {
    let users = parse_whole_at_least_one(text)?;
    match u32::try_from(users) {
        Ok(users) if users <= MAX_USERS => Ok(users),
        _ => Err(format!("is more than a run may have, {MAX_USERS}")),
    }
}

fn parse_number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number <= MAX_RATE => Ok(number),
        Ok(number) if number.is_finite() => Err(format!("is above the highest rate, {MAX_RATE:.0} a second")),
        _ => Err("is not a number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_above_zero_and_bounded() {
        assert_eq!(parse_rate("50"), Ok(50.0));
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "x", "", "inf", "nan", "1e10"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_of_zero_or_less_is_no_limit() {
        assert_eq!(parse_rate_limit("0"), Ok(None));
        assert_eq!(parse_rate_limit("-1"), Ok(None));
        assert_eq!(parse_rate_limit("5"), Ok(Some(5.0)));
        assert!(parse_rate_limit("many").is_err());
    }

    #[test]
    fn users_are_bounded() {
        assert_eq!(parse_users("200"), Ok(200));
        assert_eq!(parse_users("1000000"), Ok(1_000_000));
        assert!(parse_users("1000001").unwrap_err().contains("1000000"));
        assert!(parse_users("0").is_err());
    }

    #[test]
    fn counts_start_at_one() {
        assert_eq!(parse_whole_at_least_one("1"), Ok(1));
        assert_eq!(parse_whole_at_least_one("0").unwrap_err(), "must be at least 1");
        assert!(parse_whole_at_least_one("-3").is_err());
        assert!(parse_whole_at_least_one("1.5").is_err());
    }
}
