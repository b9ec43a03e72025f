//! Seconds of the run clock, and the time of day as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

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

/// A time of day as RFC 3339 in UTC with milliseconds, such as `2026-11-22T01:52:20.000Z`. Times before 1970, and
/// those beyond the year 262142, read as its first instant.
pub fn rfc3339_utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = i64::try_from(since.as_secs()).ok().and_then(|s| DateTime::from_timestamp(s, since.subsec_nanos()));
    date.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time of RFC 3339 that ends with `Z`, such as [`rfc3339_utc`] writes, to the millisecond; `None` of any other text.
pub(crate) fn from_rfc3339_utc(text: &str) -> Option<SystemTime> {
    let date = DateTime::parse_from_rfc3339(text).ok().filter(|_| text.ends_with('Z'))?;
    u64::try_from(date.timestamp_millis()).ok().map(|ms| UNIX_EPOCH + Duration::from_millis(ms))
}

/// Seconds since 1970 by this machine's clock.
pub(crate) fn unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
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
