//! Dates of cookies, which servers write in many ways (RFC 6265 section 5.1.1).

/// Reads a date as leniently as browsers do, in seconds since 1970; none where it names no time.
pub(crate) fn cookie_date(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        // Each token is the first thing it can be that was not found yet, in this order.
        if time.is_none() {
            time = time_of_day(token);
            if time.is_some() {
                continue;
            }
        }
        if day.is_none() {
            day = digits(token, 1, 2);
            if day.is_some() {
                continue;
            }
        }
        if month.is_none() {
            month = month_number(token);
            if month.is_some() {
                continue;
            }
        }
        if year.is_none() {
            year = digits(token, 2, 4);
        }
    }
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let valid = year >= 1601 && hour <= 23 && minute <= 59 && second <= 59;
    if !valid || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// The delimiters of the grammar: everything but digits, letters, `:` and what no date has.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// Leading digits, at least `min` and at most `max`, with anything but a digit behind them.
fn digits(token: &[u8], min: usize, max: usize) -> Option<i64> {
    let length = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length < min || length > max {
        return None;
    }
    Some(token[..length].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

/// `hh:mm:ss`, each of one digit or two.
fn time_of_day(token: &[u8]) -> Option<(i64, i64, i64)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    // Before a colon nothing but digits may stand.
    let mut whole = || parts.next().filter(|part| part.len() <= 2).and_then(exact);
    let (hour, minute) = (whole()?, whole()?);
    Some((hour, minute, digits(parts.next()?, 1, 2)?))
}

fn exact(part: &[u8]) -> Option<i64> {
    if part.iter().all(u8::is_ascii_digit) {
        digits(part, 1, 2)
    } else {
        None
    }
}

/// 1 to 12, by the first three letters.
fn month_number(token: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let start = token.get(..3)?;
    MONTHS.iter().position(|month| start.eq_ignore_ascii_case(*month)).map(|index| index as i64 + 1)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that the leap day is their last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    // Months from March have 31, 30, 31, 30, 31 days over and over: 153 in five.
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_servers_send() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "06 nov 1994 8:49:37",
            "1994 Nov 6 08:49:37",
            "08:49:37 6 November 94 extra",
        ] {
            assert_eq!(cookie_date(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(cookie_date(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(cookie_date(b"Thu, 29-Feb-2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(cookie_date(b"1 Mar 2000 0:0:0"), Some(951_868_800));
        assert_eq!(cookie_date(b"31 Dec 1969 23:59:59"), Some(-1), "a year of four digits stays as it is");
        assert_eq!(cookie_date(b"1 Jan 69 0:0:0"), Some(3_124_224_000));
        assert_eq!(cookie_date(b"31 Dec 9999 23:59:59"), Some(253_402_300_799));
    }

    #[test]
    fn what_names_no_time_is_none() {
        for text in [
            "",
            "soon",
            "06 Nov 1994",
            "06 1994 08:49:37",
            "Nov 1994 08:49:37 GMT",
            "06 Nov 08:49:37",
            "32 Jan 2000 00:00:00",
            "0 Jan 2000 00:00:00",
            "29 Feb 2023 00:00:00",
            "29 Feb 1900 00:00:00",
            "31 Apr 2000 00:00:00",
            "06 Nov 1600 08:49:37",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 00:60:00",
            "06 Nov 1994 00:00:60",
            "06 Nov 19941 08:49:37",
            "06 Nov 1994 008:49:37",
            "06 Nov 1994 08:49",
        ] {
            assert_eq!(cookie_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_day_is_one_after_the_day_before() {
        let mut expected = days_since_1970(1601, 1, 1);
        assert_eq!(expected, -134_774);
        for year in 1601..2401 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_since_1970(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }
}
