//! Ages and sizes, as people write them: `30d`, `2w`, `12h`; `500MB`, `2GiB`.

use std::time::Duration;

use super::duration::parse_duration;

/// Parses an age: days, weeks, or any time [`parse_duration`] takes.
///
/// # Errors
/// A sentence for text in another form.
pub(crate) fn parse_age(text: &str) -> Result<Duration, String> {
    const DAY_S: u64 = 24 * 3600;
    let text = text.trim();
    let unit_s = match text.chars().last() {
        Some('d') => DAY_S,
        Some('w') => 7 * DAY_S,
        _ => return parse_duration(text).map_err(|_| "is not an age; write 30d, 2w or 12h".into()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| "is not an age; write 30d, 2w or 12h".to_owned())?;
    count.checked_mul(unit_s).map(Duration::from_secs).ok_or_else(|| "is longer than time is counted".into())
}

/// Parses a number of bytes: `500`, `500kB`, `20MB`, `2GB` by thousands, `KiB`, `MiB`, `GiB` by 1,024.
///
/// # Errors
/// A sentence for text in another form.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err("is not a size; write 500MB or 2GiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "is not a size; write 500MB or 2GiB".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "is more than bytes are counted".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes() {
        assert_eq!(parse_age("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(parse_age("2w"), Ok(Duration::from_hours(336)));
        assert_eq!(parse_age("12h"), Ok(Duration::from_hours(12)));
        assert!(parse_age("d").is_err() && parse_age("9999999999999999999w").is_err() && parse_age("many").is_err());
        assert_eq!(parse_size("500"), Ok(500));
        assert_eq!(parse_size("500MB"), Ok(500_000_000));
        assert_eq!(parse_size("2 GiB"), Ok(2_147_483_648));
        assert!(
            parse_size("2 TiB").is_err() && parse_size("GB").is_err() && parse_size("99999999999999999999G").is_err()
        );
    }
}
