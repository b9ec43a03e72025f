//! Seconds of the run clock, and the time of day as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub(crate) const NS_PER_S: u64 = 1_000_000_000;

/// A stop this shortly after a full second belongs to the second before: run times are whole seconds as a rule, the stop
/// comes a little after, and a last second of 2 ms would look like a collapse in every chart.
const STOP_SLACK_NS: u64 = 50_000_000;

/// The last second of a load that stopped at `at_ns`.
pub(crate) fn last_second_of_load(at_ns: u64) -> u64 {
    at_ns.saturating_sub(STOP_SLACK_NS) / NS_PER_S
}

/// A time as the run clock counts; the longest there is stands for all beyond it.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A time of day as RFC 3339 in UTC with milliseconds, such as `2026-11-22T01:52:20.000Z`. Times before 1970 read as its
/// first instant.
pub fn rfc3339_utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The time a text says that [`rfc3339_utc`] wrote; `None` of any other.
pub(crate) fn from_rfc3339_utc(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let [millis] = numbers(millis, '.')?;
    let is_time = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (hour < 24 && minute < 60 && second < 60 && millis < 1000);
    let days = is_time.then(|| {
        let years: u64 = (1970..year).map(days_in_year).sum();
        years + (1..month).map(|month| days_in_month(year, month)).sum::<u64>() + day - 1
    })?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis))
}

/// As many numbers as there should be, and nothing else.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = text.split(between).map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    // 400 years have 146,097 days whatever year they start in; the loops below then take 400 steps at most.
    year += days / 146_097 * 400;
    days %= 146_097;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_can_be_looked_up() {
        let at = |s, ms| rfc3339_utc(UNIX_EPOCH + Duration::from_secs(s) + Duration::from_millis(ms));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399, 0), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_000_000_000, 0), "2001-09-09T01:46:40.000Z");
        assert_eq!(at(1_735_689_599, 999), "2024-12-31T23:59:59.999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(12_622_780_800, 0), "2370-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_utc(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn times_read_back() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.007Z",
            "2026-11-22T01:52:20.000Z",
            "9999-12-31T00:00:00.999Z",
        ] {
            assert_eq!(rfc3339_utc(from_rfc3339_utc(text).unwrap()), text);
        }
        for text in [
            "",
            "Z",
            "2026-11-22",
            "2026-11-31T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "1969-01-01T00:00:00.000Z",
            "18446744073709551615-01-01T00:00:00.000Z",
            "2026-11-22T24:00:00.000Z",
            "2026-11-22T01:52:20.000+01:00",
        ] {
            assert_eq!(from_rfc3339_utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_stop_just_after_a_second_belongs_to_the_one_before() {
        assert_eq!(last_second_of_load(0), 0);
        assert_eq!(last_second_of_load(15_000_000_000), 14);
        assert_eq!(last_second_of_load(15_049_999_999), 14);
        assert_eq!(last_second_of_load(15_050_000_000), 15);
        assert_eq!(last_second_of_load(15_900_000_000), 15);
    }
}
