//! Figures as people read them: the unit that fits and three significant digits, which is what the histograms hold.

/// A latency in microseconds as `850 us`, `1.24 ms` or `2.50 s`. Below a millisecond it is whole microseconds.
pub fn latency(us: f64) -> String {
    // The borders lie where rounding would carry into the next unit: 999.6 us is 1.00 ms, never 1000 us.
    if us < 999.5 {
        format!("{us:.0} us")
    } else if us < 999_500.0 {
        format!("{} ms", three_digits(us / 1e3))
    } else {
        format!("{} s", three_digits(us / 1e6))
    }
}

/// [`latency`] of a figure that may not be known, which is `-`.
pub fn latency_or_dash(us: Option<f64>) -> String {
    us.map_or_else(|| "-".to_owned(), latency)
}

/// [`latency_or_dash`] of whole microseconds.
pub(crate) fn whole_us(us: Option<u64>) -> String {
    latency_or_dash(us.map(|us| us as f64))
}

/// A number of bytes as `412 B`, `1.21 KiB`, `5.72 MiB` and so on up to TiB; a KiB is 1,024 bytes.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        // 1,023.5 and more would be shown as 1024 of this unit.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{} {unit}", three_digits(value))
    }
}

/// Events a second: two decimals below 100, one below 10,000, whole above. `-` where there was no time to count in.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() {
        "-".to_owned()
    } else if per_second < 99.995 {
        format!("{per_second:.2}")
    } else if per_second < 9_999.95 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.0}")
    }
}

/// `count` a second over `seconds`; not a number where no time went by, which [`rate`] shows as `-`.
pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        f64::NAN
    }
}

/// The share of `part` in `whole` as `0.0%`, `<0.1%`, `20.0%`, `>99.9%` or `100.0%`: none and all are said of none and all
/// alone, however many there are. Of nothing it is `0.0%`.
pub fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0.0%".to_owned();
    }
    let share = part as f64 / whole as f64 * 100.0;
    if share < 0.05 {
        "<0.1%".to_owned()
    } else if share >= 99.95 && part < whole {
        ">99.9%".to_owned()
    } else {
        format!("{share:.1}%")
    }
}

/// Whole seconds as `45s`, `1m30s` or `2h5m0s`.
pub fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) => format!("{s}s"),
        (0, _) => format!("{m}m{s}s"),
        _ => format!("{h}h{m}m{s}s"),
    }
}

/// A positive number with three significant digits, more where its whole part has more. The borders are where rounding
/// carries into another digit.
fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_change_their_unit_where_rounding_carries() {
        for (us, text) in [
            (0.0, "0 us"),
            (1.0, "1 us"),
            (850.0, "850 us"),
            (999.0, "999 us"),
            (999.4, "999 us"),
            (999.5, "1.00 ms"),
            (1_000.0, "1.00 ms"),
            (1_240.0, "1.24 ms"),
            (9_994.0, "9.99 ms"),
            (9_995.0, "10.0 ms"),
            (99_949.0, "99.9 ms"),
            (99_950.0, "100 ms"),
            (999_499.0, "999 ms"),
            (999_500.0, "1.00 s"),
            (2_500_000.0, "2.50 s"),
            (59_960_000.0, "60.0 s"),
            (3_600_000_000.0, "3600 s"),
        ] {
            assert_eq!(latency(us), text, "{us}");
        }
        assert_eq!(latency_or_dash(None), "-");
        assert_eq!(whole_us(Some(1_500)), "1.50 ms");
    }

    #[test]
    fn bytes_change_their_unit_where_rounding_carries() {
        const KIB: u64 = 1024;
        for (count, text) in [
            (0, "0 B"),
            (412, "412 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (10 * KIB, "10.0 KiB"),
            (1023 * KIB, "1023 KiB"),
            (1024 * KIB - 1, "1.00 MiB"),
            (6_000_000, "5.72 MiB"),
            (KIB * KIB * KIB, "1.00 GiB"),
            (2048 * KIB * KIB * KIB * KIB, "2048 TiB"),
        ] {
            assert_eq!(bytes(count), text, "{count}");
        }
    }

    #[test]
    fn rates_keep_their_digits_where_they_matter() {
        for (per_second, text) in [
            (0.0, "0.00"),
            (0.5, "0.50"),
            (99.99, "99.99"),
            (99.996, "100.0"),
            (9_999.94, "9999.9"),
            (9_999.96, "10000"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(rate(per_second), text, "{per_second}");
        }
        assert_eq!(rate(per_second(30, 3.0)), "10.00");
        assert_eq!(rate(per_second(30, 0.0)), "-");
    }

    #[test]
    fn none_and_all_are_said_of_none_and_all_alone() {
        assert_eq!(percent(0, 0), "0.0%");
        assert_eq!(percent(0, 10), "0.0%");
        assert_eq!(percent(1, 30_000), "<0.1%");
        assert_eq!(percent(1, 2_000), "0.1%");
        assert_eq!(percent(12, 60), "20.0%");
        assert_eq!(percent(9_999, 10_000), ">99.9%");
        assert_eq!(percent(10_000, 10_000), "100.0%");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(clock(0), "0s");
        assert_eq!(clock(59), "59s");
        assert_eq!(clock(90), "1m30s");
        assert_eq!(clock(7_500), "2h5m0s");
    }
}
