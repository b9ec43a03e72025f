//! Pieces the readers of text share.

use super::NAME_CHARS_MAX;

/// A name on one line, cut to its bound.
pub(super) fn bounded(name: &str) -> String {
    crate::display::text::one_line(name.trim(), NAME_CHARS_MAX)
}

/// A number of zero or more as tools write it; `1,086` is one thousand and some. Not `inf`, `nan` or `1e3`.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let digits: String = text.chars().filter(|c| *c != ',').collect();
    digits.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

/// A count.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b',');
    let digits: String = text.chars().filter(|c| *c != ',').collect();
    digits.parse().ok().filter(|_| plain)
}

/// A time of one unit, such as `1.02ms`, in microseconds.
pub(super) fn time_us(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    Some(number * unit_us(unit)?)
}

/// A time of several units, such as Go's `1h2m3.5s`, in seconds.
pub(super) fn duration_s(text: &str) -> Option<f64> {
    let mut left = text.trim();
    let mut sum_us = 0.0;
    while !left.is_empty() {
        let unit_at = left.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_end = left[unit_at..].find(|c: char| c.is_ascii_digit()).map_or(left.len(), |at| unit_at + at);
        sum_us += number(&left[..unit_at])? * unit_us(&left[unit_at..unit_end])?;
        left = &left[unit_end..];
    }
    (sum_us > 0.0).then_some(sum_us / 1e6)
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    Some((number(&text[..at])?, &text[at..]))
}

fn unit_us(unit: &str) -> Option<f64> {
    match unit {
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(1.0),
        "ms" => Some(1e3),
        "s" => Some(1e6),
        "m" => Some(60e6),
        "h" => Some(3_600e6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_as_tools_write_them() {
        assert_eq!(number("1,086.5"), Some(1086.5));
        assert_eq!([number(""), number("nan"), number("-1"), number("1.2.3")], [None; 4]);
        assert_eq!(count("1,086,106,192"), Some(1_086_106_192));
        assert_eq!(time_us("850.00us"), Some(850.0));
        assert_eq!(time_us("1.02s"), Some(1_020_000.0));
        assert_eq!([time_us("5"), time_us("ms"), time_us("5kg")], [None; 3]);
        assert_eq!(duration_s("1h2m3.5s"), Some(3_723.5));
        assert_eq!(duration_s("30s"), Some(30.0));
        assert_eq!(duration_s("1.5ms"), Some(0.0015));
        assert_eq!([duration_s(""), duration_s("5"), duration_s("0s"), duration_s("s")], [None; 4]);
    }
}
