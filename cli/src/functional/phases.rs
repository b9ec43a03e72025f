//! The phases of a request, as text and with hrp's names.

use pummel_engine::{ExchangeRecord, Phases};
use pummel_stats::display::units::latency;

/// hrp's phases and the points of time they add up to, whole milliseconds, in hrp's order (hrp spec 13.8).
pub(super) fn hrp_phases_ms(phases: Phases) -> [(&'static str, u64); 10] {
    let Phases { dns_us, connect_us, tls_us, wait_us, receive_us, total_us } = phases;
    let connected_us = dns_us + connect_us;
    let opened_us = connected_us + tls_us;
    [
        ("DNSLookup", dns_us / 1000),
        ("TCPConnection", connect_us / 1000),
        ("TLSHandshake", tls_us / 1000),
        ("ServerProcessing", wait_us / 1000),
        ("ContentTransfer", receive_us / 1000),
        ("NameLookup", dns_us / 1000),
        ("Connect", connected_us / 1000),
        ("Pretransfer", opened_us / 1000),
        ("StartTransfer", (opened_us + wait_us) / 1000),
        ("Total", total_us / 1000),
    ]
}

/// The phases on one line (`--http-stat`). A connection that was open before says so, and one that was never made.
pub(super) fn phases_line(exchange: &ExchangeRecord) -> String {
    let Phases { dns_us, connect_us, tls_us, wait_us, receive_us, total_us } = exchange.phases;
    let time = |us: u64| latency(us as f64);
    let opening = match (exchange.address, connect_us) {
        (None, 0) => return format!("no connection, total {}", time(total_us)),
        (Some(_), 0) => "connection reused".to_owned(),
        _ if tls_us == 0 => format!("dns {}, connect {}", time(dns_us), time(connect_us)),
        _ => format!("dns {}, connect {}, tls {}", time(dns_us), time(connect_us), time(tls_us)),
    };
    let address = exchange.address.map(|address| format!(", {address}")).unwrap_or_default();
    format!("{opening}, wait {}, receive {}, total {}{address}", time(wait_us), time(receive_us), time(total_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: Phases =
        Phases { dns_us: 1_500, connect_us: 2_700, tls_us: 0, wait_us: 10_000, receive_us: 900, total_us: 15_200 };

    #[test]
    fn points_of_time_add_up_before_they_are_rounded() {
        let ms: Vec<u64> = hrp_phases_ms(PHASES).iter().map(|(_, ms)| *ms).collect();
        assert_eq!(ms, [1, 2, 0, 10, 0, 1, 4, 4, 14, 15]);
        let secured = Phases { tls_us: 3_900, total_us: 19_100, ..PHASES };
        let ms: Vec<u64> = hrp_phases_ms(secured).iter().map(|(_, ms)| *ms).collect();
        assert_eq!(ms, [1, 2, 3, 10, 0, 1, 4, 8, 18, 19], "TLS is part of what comes before the request");
    }

    #[test]
    fn the_line_says_whether_a_connection_was_opened() {
        let mut exchange = ExchangeRecord { phases: PHASES, ..ExchangeRecord::default() };
        assert_eq!(phases_line(&exchange), "dns 1.50 ms, connect 2.70 ms, wait 10.0 ms, receive 900 us, total 15.2 ms");
        exchange.phases.tls_us = 3_900;
        assert!(phases_line(&exchange).starts_with("dns 1.50 ms, connect 2.70 ms, tls 3.90 ms, wait 10.0 ms"));
        exchange.phases = Phases { total_us: 95, ..Phases::default() };
        assert_eq!(phases_line(&exchange), "no connection, total 95 us");
        exchange.phases = Phases { wait_us: 100, receive_us: 5, total_us: 110, ..Phases::default() };
        exchange.address = Some(([127, 0, 0, 1], 80).into());
        assert_eq!(phases_line(&exchange), "connection reused, wait 100 us, receive 5 us, total 110 us, 127.0.0.1:80");
    }
}
