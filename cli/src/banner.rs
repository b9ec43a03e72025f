//! What a run is about to do, in a few lines before it starts: the load, the CPUs, the ports it needs.

use std::{fmt::Write, time::Duration};

use pummel_engine::{Connections, PacingUnit, Plan, PortBudget, Proxies, Proxy};

use crate::values::format_cpu_list;

/// Seconds a port rests after this side closed its connection (TCP_TIMEWAIT_LEN in the kernel).
const TIME_WAIT_S: u64 = 60;

/// The lines, each with a line break. `ports` is none where the system does not tell.
pub(crate) fn banner(plan: &Plan, ports: Option<PortBudget>) -> String {
    let mut text = format!("pummel {}: {}\n", plan.command, plan.name);
    let _ = writeln!(text, "  load   {}", load_line(plan));
    let _ = writeln!(text, "  CPUs   {}", format_cpu_list(&plan.cpus[..plan.cores_used()]));
    if let Some(line) = proxy_line(&plan.network.proxies) {
        let _ = writeln!(text, "  proxy  {line}");
    }
    if let Some(ports) = ports {
        let _ = writeln!(text, "  ports  {}", ports_line(plan, ports));
    }
    text
}

fn load_line(plan: &Plan) -> String {
    let load = &plan.load;
    let what = if plan.record_action { "user" } else { "connection" };
    let mut parts = vec![counted(load.users.into(), what)];
    if load.spawn_rate.is_finite() && load.users > 1 {
        parts.push(format!("{} started a second", load.spawn_rate));
    }
    if let Some(loops) = load.loops_per_user {
        parts.push(format!("{} each", counted(loops, "iteration")));
    }
    if let Some(requests) = load.total_requests {
        parts.push(format!("{} in all", counted(requests, "request")));
    }
    if let Some(pacing) = plan.pacing {
        let unit = match pacing.unit {
            PacingUnit::Request => "requests",
            PacingUnit::Iteration => "iterations",
        };
        parts.push(format!("at most {} {unit} a second", pacing.per_second));
    }
    if let Connections::Shared { most: Some(most) } = plan.network.connections {
        parts.push(format!("at most {} to one host", counted(most.into(), "connection")));
    }
    match load.run_time {
        Some(time) => parts.push(format!("for {}", show_duration(time))),
        None if load.loops_per_user.is_none() && load.total_requests.is_none() => parts.push("until Ctrl-C".into()),
        None => {}
    }
    parts.join(", ")
}

/// Which proxies stand between, without their credentials; none where none do.
fn proxy_line(proxies: &Proxies) -> Option<String> {
    let place = |proxy: &Proxy| {
        let scheme = if proxy.https { "https" } else { "http" };
        let (open, close) = if proxy.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{scheme}://{open}{}{close}:{}", proxy.host, proxy.port)
    };
    let mut line = match (&proxies.http, &proxies.https) {
        (None, None) => return None,
        (Some(http), Some(https)) if http == https => place(http),
        (Some(http), Some(https)) => format!("{} for http, {} for https", place(http), place(https)),
        (Some(http), None) => format!("{} for http", place(http)),
        (None, Some(https)) => format!("{} for https", place(https)),
    };
    if !proxies.none_for.is_empty() {
        let _ = write!(line, ", none for {}", proxies.none_for.join(", "));
    }
    Some(line)
}

/// `1 user`, `2 users`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The budget of one source address towards one destination, and what happens where the plan goes beyond it.
fn ports_line(plan: &Plan, ports: PortBudget) -> String {
    let PortBudget { needed, available } = ports;
    let mut line = format!("{needed} of {available} towards one address");
    if needed > available {
        line.push_str(": TOO MANY, the rest will fail; widen net.ipv4.ip_local_port_range");
    } else if let Some(taker) = port_taker(plan) {
        let _ = write!(line, "; {taker} takes one, and beyond {} a second they may run out", available / TIME_WAIT_S);
    }
    line
}

/// What takes a port each time it comes, where something does.
fn port_taker(plan: &Plan) -> Option<&'static str> {
    if !plan.network.keepalive || plan.network.max_requests_per_connection == Some(1) {
        return Some("without keep-alive each request");
    }
    (plan.network.connections == Connections::PerIteration).then_some("with --connections per-iteration each iteration")
}

/// `15s`, `1m30s`, `500ms`.
fn show_duration(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    if millis > 0 {
        return match seconds {
            0 => format!("{millis}ms"),
            _ => format!("{}s", time.as_secs_f64()),
        };
    }
    let mut text = String::new();
    for (count, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{planned_demo, planned_hit};

    const PORTS: PortBudget = PortBudget { needed: 200, available: 28_232 };

    #[test]
    fn the_demo_says_what_it_does() {
        insta::assert_snapshot!(banner(&planned_demo(&[]).plan, Some(PORTS)), @r"
        pummel demo: a case
          load   200 users, 50 started a second, for 15s
          CPUs   0
          ports  200 of 28232 towards one address
        ");
    }

    #[test]
    fn bounds_and_rates_are_shown() {
        let plan = planned_demo(&["--spawn-count=1", "--run-time=0", "--max-rps=5", "--rate-unit=iteration"]).plan;
        assert_eq!(load_line(&plan), "1 user, at most 5 iterations a second, until Ctrl-C");
        let plan = planned_demo(&["--spawn-count=2", "--run-time=0", "--loop-count=3"]).plan;
        assert_eq!(load_line(&plan), "2 users, 50 started a second, 3 iterations each");
        let plan = planned_demo(&["--spawn-count=1", "--run-time=0", "--loop-count=1"]).plan;
        assert_eq!(load_line(&plan), "1 user, 1 iteration each");
        let plan = planned_hit(&["http://h/", "-n", "20", "--max-rps", "0.5"]).unwrap().plan;
        assert_eq!(load_line(&plan), "10 connections, 20 requests in all, at most 0.5 requests a second");
    }

    #[test]
    fn proxies_and_shared_connections_are_shown_and_credentials_are_not() {
        let plan = planned_demo(&["--connections=shared:1", "--proxy=http://u:secret@P:3128", "--no-proxy=a,.b"]).plan;
        assert!(load_line(&plan).contains("at most 1 connection to one host"));
        assert_eq!(proxy_line(&plan.network.proxies).as_deref(), Some("http://p:3128, none for a, .b"));
        assert_eq!(proxy_line(&planned_demo(&[]).plan.network.proxies), None);
    }

    #[test]
    fn a_budget_that_is_too_small_stands_out() {
        let plan = planned_demo(&[]).plan;
        assert!(ports_line(&plan, PortBudget { needed: 300, available: 100 }).contains("TOO MANY"));
        let plan = planned_demo(&["--disable-keepalive"]).plan;
        assert!(ports_line(&plan, PORTS).contains("without keep-alive each request takes one, and beyond 470 a second"));
        let plan = planned_demo(&["--connections=per-iteration"]).plan;
        assert!(ports_line(&plan, PORTS).contains("each iteration takes one"));
    }

    #[test]
    fn times_are_short() {
        for (ms, text) in
            [(15_000, "15s"), (90_000, "1m30s"), (3_600_000, "1h"), (500, "500ms"), (1_500, "1.5s"), (0, "0s")]
        {
            assert_eq!(show_duration(Duration::from_millis(ms)), text);
        }
    }
}
