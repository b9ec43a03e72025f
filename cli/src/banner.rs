//! What a run is about to do, in a few lines before it starts: the load, the CPUs, the ports it needs.

use std::{fmt::Write, time::Duration};

use pummel_engine::{PacingUnit, Plan, PortBudget};

use crate::values::format_cpu_list;

/// Seconds a port rests after this side closed its connection (TCP_TIMEWAIT_LEN in the kernel).
const TIME_WAIT_S: u64 = 60;

/// The lines, each with a line break. `ports` is none where the system does not tell.
pub(crate) fn banner(plan: &Plan, ports: Option<PortBudget>) -> String {
    let mut text = format!("pummel {}: {}\n", plan.command, plan.name);
    let _ = writeln!(text, "  load   {}", load_line(plan));
    // The engine leaves CPUs without a user of their own alone.
    let used = plan.cpus.len().min(plan.load.users.div_ceil(plan.network.http2.streams.max(1)) as usize);
    let _ = writeln!(text, "  CPUs   {}", format_cpu_list(&plan.cpus[..used]));
    if let Some(ports) = ports {
        let _ = writeln!(text, "  ports  {}", ports_line(plan, ports));
    }
    text
}

fn load_line(plan: &Plan) -> String {
    let load = &plan.load;
    let what = if plan.record_action { "user" } else { "connection" };
    let streams = plan.network.http2.streams;
    let mut parts = if plan.network.http2.all && streams > 1 && !plan.record_action {
        let connections = load.users.div_ceil(streams);
        vec![format!("{} of {streams} streams each", counted(connections.into(), what))]
    } else {
        vec![counted(load.users.into(), what)]
    };
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
    match load.run_time {
        Some(time) => parts.push(format!("for {}", show_duration(time))),
        None if load.loops_per_user.is_none() && load.total_requests.is_none() => parts.push("until Ctrl-C".into()),
        None => {}
    }
    parts.join(", ")
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
    } else if !plan.network.keepalive {
        let _ = write!(
            line,
            "; without keep-alive each request takes one, and beyond {} a second they may run out",
            available / TIME_WAIT_S
        );
    }
    line
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
    fn a_budget_that_is_too_small_stands_out() {
        let plan = planned_demo(&[]).plan;
        assert!(ports_line(&plan, PortBudget { needed: 300, available: 100 }).contains("TOO MANY"));
        let plan = planned_demo(&["--disable-keepalive"]).plan;
        assert!(ports_line(&plan, PORTS).contains("beyond 470 a second"));
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
