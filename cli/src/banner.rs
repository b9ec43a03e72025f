//! What a run is about to do, in a few lines before it starts: the load, the CPUs, the ports it needs.

use std::{fmt::Write, time::Duration};

use pummel_engine::{
    CatchUp, Connections, LoadModel, OpenLoad, PacingUnit, Plan, PortBudget, Proxies, Proxy, Spacing, Stage,
};

use crate::values::format_cpu_list;

/// The lines, each with a line break. `ports` is none where the system does not tell.
pub(crate) fn banner(plan: &Plan, ports: Option<PortBudget>) -> String {
    let mut text = format!("pummel {}: {}\n", plan.command, plan.name);
    let _ = writeln!(text, "  load   {}", load_line(plan));
    let _ = writeln!(text, "  CPUs   {}", format_cpu_list(&plan.cpus[..plan.cores_used()]));
    if let Some(line) = proxy_line(&plan.network.proxies) {
        let _ = writeln!(text, "  proxy  {line}");
    }
    if let Some(ports) = ports.filter(|ports| ports.destinations > 0) {
        let _ = writeln!(text, "  ports  {}", ports_line(ports));
    }
    text
}

fn load_line(plan: &Plan) -> String {
    let load = &plan.load;
    let what = if plan.record_action { "user" } else { "connection" };
    let streams = plan.network.http2.streams;
    let mut parts = if let LoadModel::Open(open) = &load.model {
        vec![arrivals_line(open), format!("up to {}", counted(load.users.into(), what))]
    } else if plan.network.http2.all && streams > 1 && !plan.record_action {
        let connections = load.users.div_ceil(streams);
        vec![format!("{} of {streams} streams each", counted(connections.into(), what))]
    } else {
        vec![counted(load.users.into(), what)]
    };
    if let LoadModel::Closed(closed) = &load.model {
        if !closed.stages.is_empty() {
            // What is shown are connections where they are what was asked for.
            let each = if plan.network.http2.all && !plan.record_action { streams.max(1) } else { 1 };
            let stage = |stage: &Stage| Stage { target: stage.target / f64::from(each), ..*stage };
            let shown: Vec<Stage> = closed.stages.iter().map(stage).collect();
            parts[0] = format!("up to {} in {}", parts[0], stages_line(&shown, ""));
        } else if closed.spawn_rate.is_finite() && load.users > 1 {
            parts.push(format!("{} started a second", closed.spawn_rate));
        }
        if let Some(pacing) = closed.pacing {
            parts.push(format!("an iteration every {} at most", show_duration(pacing)));
        }
    }
    if let Some(loops) = load.loops_per_user {
        parts.push(format!("{} each", counted(loops, "iteration")));
    }
    // Of an open hit both are given, and mean the same.
    if let Some(iterations) = load.total_iterations.filter(|_| load.total_requests.is_none()) {
        parts.push(format!("{} in all", counted(iterations, "iteration")));
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
        None if [load.loops_per_user, load.total_requests, load.total_iterations] == [None; 3] => {
            parts.push("until Ctrl-C".into());
        }
        None => {}
    }
    if let Some(warmup) = plan.warmup {
        parts.push(format!("the first {} as warm-up", show_duration(warmup)));
    }
    parts.join(", ")
}

/// `open run: 1000 iterations a second, Poisson (seed 7)`.
fn arrivals_line(open: &OpenLoad) -> String {
    let mut line = format!("open run: {} iterations a second", open.rate);
    if !open.stages.is_empty() {
        line = format!("open run: from {} iterations a second in {}", open.rate, stages_line(&open.stages, "/s"));
    }
    if let Spacing::Poisson { seed } = open.spacing {
        let _ = write!(line, ", Poisson (seed {seed})");
    }
    match open.catch_up {
        CatchUp::Burst => {}
        CatchUp::Smooth => line.push_str(", late ones made up for smoothly"),
        CatchUp::Drop => line.push_str(", late ones dropped"),
    }
    line
}

/// How many stages a line spells out.
const STAGES_SHOWN: usize = 5;

fn stages_line(stages: &[Stage], unit: &str) -> String {
    let shown = stages.iter().take(STAGES_SHOWN);
    let shown: Vec<String> =
        shown.map(|stage| format!("{} to {}{unit}", show_duration(stage.over), stage.target)).collect();
    let more = stages.len().saturating_sub(STAGES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} ({}{more})", counted(stages.len() as u64, "stage"), shown.join(", "))
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

/// What is needed and available towards one destination, and what happens where the plan goes beyond it.
fn ports_line(ports: PortBudget) -> String {
    let mut line = format!("{} of {} towards one address", ports.needed, ports.available());
    if ports.sources > 1 {
        let _ = write!(line, " ({} from each of {} source addresses)", ports.ports, ports.sources);
    }
    if ports.needed > ports.available() {
        line.push_str(": TOO MANY, the rest will fail; add --source-ip or widen net.ipv4.ip_local_port_range");
    } else if let Some(sustainable) = ports.sustainable_connections_per_s.filter(|_| ports.may_run_out()) {
        let _ = write!(line, "; connections are renewed, and beyond {sustainable} new ones a second they may run out");
    }
    line
}

/// What is to be said before a run that may use up ports faster than they come free again, and what to do about it.
pub(crate) fn port_warning(ports: PortBudget) -> Option<(String, String)> {
    let sustainable = ports.sustainable_connections_per_s.filter(|_| ports.may_run_out())?;
    let product = format!(
        "{} x {} x {}",
        counted(ports.ports, "port"),
        if ports.sources == 1 { "1 source address".to_owned() } else { format!("{} source addresses", ports.sources) },
        counted(ports.destinations, "destination")
    );
    Some((
        format!(
            "this run opens new connections all the time, and a port rests for a while after each that the server leaves to \
             us to close: beyond {sustainable} new connections a second ({product}) ports may run out \
             (address_exhausted)"
        ),
        "add addresses with --source-ip, close with --close rst, set net.ipv4.tcp_tw_reuse=1, widen \
         net.ipv4.ip_local_port_range, or hold the rate with --max-rps"
            .to_owned(),
    ))
}

/// `15s`, `1m30s`, `500ms`.
pub(crate) fn show_duration(time: Duration) -> String {
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

    const PORTS: PortBudget = PortBudget {
        needed: 200,
        ports: 28_232,
        sources: 1,
        destinations: 1,
        renews: false,
        sustainable_connections_per_s: Some(470),
        wanted_connections_per_s: None,
        wanted_connections: None,
    };

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
        assert!(ports_line(PortBudget { needed: 28_233, ..PORTS }).contains("TOO MANY"));
        let more = PortBudget { needed: 28_233, sources: 2, ..PORTS };
        assert_eq!(ports_line(more), "28233 of 56464 towards one address (28232 from each of 2 source addresses)");
    }

    #[test]
    fn a_run_that_renews_its_connections_is_warned_of_the_rate() {
        assert_eq!(port_warning(PORTS), None);
        let renews = PortBudget { renews: true, ..PORTS };
        assert!(ports_line(renews).contains("beyond 470 new ones a second"));
        let (warning, help) = port_warning(renews).unwrap();
        assert!(
            warning.contains("beyond 470 new connections a second (28232 ports x 1 source address x 1 destination)")
        );
        assert!(help.contains("--source-ip") && help.contains("--close rst"));
        assert_eq!(port_warning(PortBudget { wanted_connections_per_s: Some(470.0), ..renews }), None);
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
