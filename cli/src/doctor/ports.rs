//! Ephemeral ports: each connection to one address and port takes one of this machine's.

use super::Finding;

const PORTS: &str = "ports";

/// Seconds a port rests after this side closed its connection (TCP_TIMEWAIT_LEN in the kernel).
const TIME_WAIT_S: u32 = 60;

/// Seconds it rests where `tcp_tw_reuse` lets it be taken again: everywhere with 1, on loopback with 2, the kernel's default.
const REUSED_AFTER_S: u32 = 1;

/// Linux's default range has 28,232 ports; a narrower one was set by somebody.
const PORTS_GOOD: u32 = 20_000;

/// From the texts of `ip_local_port_range` and `tcp_tw_reuse` (Documentation/networking/ip-sysctl).
pub(super) fn check_ports(range: Option<&str>, tw_reuse: Option<&str>) -> Finding {
    let Some((first, last)) = range.and_then(parse_range) else {
        return Finding::advice(
            PORTS,
            "the range of ephemeral ports is not readable",
            "is /proc mounted? runs go on, without a port budget",
        );
    };
    let ports = last - first + 1;
    let (rested, at_once) = (ports / TIME_WAIT_S, ports / REUSED_AFTER_S);
    let renewed = match tw_reuse {
        Some("0") => format!("{rested} new a second"),
        Some("1") => format!("{at_once} new a second"),
        _ => format!("{rested} new a second, {at_once} on loopback"),
    };
    let found = format!("{first}-{last}: {ports} connections to one address; without keep-alive {renewed}");
    if ports < PORTS_GOOD {
        Finding::advice(PORTS, found, "widen it: sysctl -w net.ipv4.ip_local_port_range='1024 65535'")
    } else {
        Finding::good(PORTS, found)
    }
}

fn parse_range(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().map(str::parse::<u32>);
    match (numbers.next()?.ok()?, numbers.next()?.ok()?) {
        (first, last) if first <= last && u16::try_from(last).is_ok() => Some((first, last)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn the_budget_is_the_width_of_the_range() {
        let usual = check_ports(Some("32768\t60999"), Some("2"));
        assert_eq!(usual.state, State::Good);
        assert!(usual.found.contains("28232 connections"), "{}", usual.found);
        assert!(usual.found.ends_with("470 new a second, 28232 on loopback"), "{}", usual.found);
        let found = |reuse| check_ports(Some("32768\t60999"), Some(reuse)).found;
        assert!(found("0").ends_with("without keep-alive 470 new a second"));
        assert!(found("1").ends_with("without keep-alive 28232 new a second"));
    }

    #[test]
    fn a_narrow_or_unreadable_range_is_worth_a_word() {
        let narrow = check_ports(Some("40000 40099"), Some("0"));
        assert_eq!(narrow.state, State::Advice);
        assert!(narrow.found.contains("100 connections"), "{}", narrow.found);
        assert!(narrow.remedy.contains("ip_local_port_range"));
        for range in [None, Some(""), Some("1"), Some("9 3"), Some("x y"), Some("1 99999")] {
            assert_eq!(check_ports(range, None).state, State::Advice, "{range:?}");
        }
    }
}
