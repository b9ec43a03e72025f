//! The phases of a request, as text and with hrp's names.

use pummel_engine::{ExchangeRecord, Phases, StepRecord};
use pummel_stats::display::units::latency;

/// hrp's phases and the points of time they add up to, whole milliseconds, in hrp's order (hrp spec 13.8). hrp knows no
/// sending: the server's part begins when the request is written, and its points of time come after that.
pub(super) fn hrp_phases_ms(phases: Phases) -> [(&'static str, u64); 10] {
    let Phases { dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us } = phases;
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
        ("StartTransfer", (opened_us + send_us + wait_us) / 1000),
        ("Total", total_us / 1000),
    ]
}

/// The phases of a step on one line (`--http-stat`): its calls of plugin functions, which are in no other phase, then those of
/// its exchange. None where there was neither.
pub(super) fn step_phases_line(record: &StepRecord) -> Option<String> {
    let plugin = (record.plugin_us > 0).then(|| format!("plugin {}", latency(record.plugin_us as f64)));
    let exchange = record.exchange.as_deref().map(phases_line);
    let phases: Vec<_> = plugin.into_iter().chain(exchange).collect();
    (!phases.is_empty()).then(|| phases.join(", "))
}

/// The phases of an exchange. A connection that was open before says so, and one that was never made.
fn phases_line(exchange: &ExchangeRecord) -> String {
    let Phases { dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us } = exchange.phases;
    let time = |us: u64| latency(us as f64);
    let opening = match (&exchange.address, connect_us) {
        (None, 0) => return format!("no connection, total {}", time(total_us)),
        (Some(_), 0) => "connection reused".to_owned(),
        _ if tls_us > 0 => format!("dns {}, connect {}, tls {}", time(dns_us), time(connect_us), time(tls_us)),
        _ => format!("dns {}, connect {}", time(dns_us), time(connect_us)),
    };
    let address = exchange.address.as_ref().map(|address| format!(", {address}")).unwrap_or_default();
    format!(
        "{opening}, send {}, wait {}, receive {}, total {}{address}",
        time(send_us),
        time(wait_us),
        time(receive_us),
        time(total_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::sample::passing;

    const PHASES: Phases = Phases {
        dns_us: 1_500,
        connect_us: 2_700,
        tls_us: 3_900,
        send_us: 1_200,
        wait_us: 10_000,
        receive_us: 900,
        total_us: 20_400,
    };

    #[test]
    fn points_of_time_add_up_before_they_are_rounded() {
        let ms: Vec<u64> = hrp_phases_ms(PHASES).iter().map(|(_, ms)| *ms).collect();
        assert_eq!(ms, [1, 2, 3, 10, 0, 1, 4, 8, 19, 20]);
    }

    #[test]
    fn calls_of_plugins_are_a_phase_of_their_own_also_where_nothing_was_sent() {
        let mut record = StepRecord { plugin_us: 1_240, exchange: None, ..passing("log in") };
        assert_eq!(step_phases_line(&record).as_deref(), Some("plugin 1.24 ms"));
        record.exchange = Some(Box::default());
        assert_eq!(step_phases_line(&record).as_deref(), Some("plugin 1.24 ms, no connection, total 0 us"));
        record.plugin_us = 0;
        assert_eq!(step_phases_line(&record).as_deref(), Some("no connection, total 0 us"));
        record.exchange = None;
        assert_eq!(step_phases_line(&record), None);
    }

    #[test]
    fn the_line_says_whether_a_connection_was_opened() {
        let mut exchange = ExchangeRecord { phases: PHASES, ..ExchangeRecord::default() };
        let opened = "dns 1.50 ms, connect 2.70 ms, tls 3.90 ms";
        let rest = "send 1.20 ms, wait 10.0 ms, receive 900 us, total 20.4 ms";
        assert_eq!(phases_line(&exchange), format!("{opened}, {rest}"));
        exchange.phases.tls_us = 0;
        assert_eq!(phases_line(&exchange), format!("dns 1.50 ms, connect 2.70 ms, {rest}"));
        exchange.phases = Phases { total_us: 95, ..Phases::default() };
        assert_eq!(phases_line(&exchange), "no connection, total 95 us");
        exchange.phases = Phases { send_us: 2, wait_us: 100, receive_us: 5, total_us: 110, ..Phases::default() };
        exchange.address = Some(pummel_engine::Address::Inet(([127, 0, 0, 1], 80).into()));
        assert_eq!(
            phases_line(&exchange),
            "connection reused, send 2 us, wait 100 us, receive 5 us, total 110 us, 127.0.0.1:80"
        );
    }
}
