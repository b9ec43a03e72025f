//! Open runs: which arrivals there are follows from the schedule alone, and each is made once or missed.

use std::{net::Ipv4Addr, time::Duration};

use pummel_case::{Case, PlainRequest};
use pummel_engine::{CatchUp, Connections, Control, Plan, Spacing, MAX_ARRIVAL_RATE};
use pummel_stats::{summary::Arrivals, Summary};

use crate::{
    cursor::{with_rows, UNIQUE},
    plan::{arrivals, arrive_at, cpus, error_of, plan, request, stages, summary_of, summary_with, yaml},
    server::{answering, closed_port, response, target},
    setup,
    stop::{raise, SOON},
};

/// An open run of one request to `url` on so many cores.
fn open(url: &str, rate: f64, users: u32, cores: usize) -> Plan {
    let mut plan = plan(request("GET", url));
    plan.cpus = cpus(cores);
    arrive_at(&mut plan, rate, users);
    plan
}

fn for_seconds(mut plan: Plan, seconds: f64) -> Plan {
    plan.load.run_time = Some(Duration::from_secs_f64(seconds));
    plan
}

/// What became of the arrivals; every one of them was made or missed, and those made are one request each.
pub(crate) fn arrivals_of(summary: &Summary) -> &Arrivals {
    let arrivals = summary.arrivals.as_ref().expect("an open run");
    assert_eq!(arrivals.intended + arrivals.carried, arrivals.made + arrivals.missed);
    assert!(arrivals.users_peak <= arrivals.users_max, "{arrivals:?}");
    assert_eq!(summary.series.iter().map(|second| second.arrivals).sum::<u64>(), arrivals.made);
    assert_eq!(summary.series.iter().map(|second| second.arrivals_missed).sum::<u64>(), arrivals.missed);
    arrivals
}

#[test]
fn a_rate_for_a_time_is_so_many_arrivals_on_any_number_of_cores() {
    for cores in [1, 2, 3] {
        let target = target();
        let plan = for_seconds(open(&format!("http://{}/", target.local_addr()), 200.0, 20, cores), 0.6);
        let summary = summary_of(plan);
        let arrivals = arrivals_of(&summary);
        assert_eq!((arrivals.intended, arrivals.users_max), (120, 20), "{cores} cores");
        assert_eq!((summary.totals.requests, target.stop().requests), (arrivals.made, arrivals.made));
        // Users are used again, and so are their connections.
        assert!(summary.client.connections.opened <= 20, "{:?}", summary.client.connections);
        assert!(!summary.run.aborted);
    }
}

#[test]
fn what_is_intended_after_a_warmup_is_the_rate_by_the_time_measured() {
    for cores in [1, 2] {
        let target = target();
        let mut plan = for_seconds(open(&format!("http://{}/", target.local_addr()), 200.0, 20, cores), 0.9);
        plan.warmup = Some(Duration::from_millis(350));
        let summary = summary_of(plan);
        // 180 in all, of which 70 are due before 350 ms; the one that is due then is measured, whoever came first to it.
        let arrivals = summary.arrivals.as_ref().unwrap();
        assert_eq!(arrivals.intended, 110, "{cores} cores");
        assert_eq!(arrivals.intended + arrivals.carried, arrivals.made + arrivals.missed, "{arrivals:?}");
        assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
    }
}

#[test]
fn a_rate_beyond_any_machine_is_counted_and_ends_in_time() {
    for (spacing, catch_up) in [
        (Spacing::Even, CatchUp::Burst),
        (Spacing::Even, CatchUp::Smooth),
        (Spacing::Even, CatchUp::Drop),
        (Spacing::Poisson { seed: 1 }, CatchUp::Burst),
        (Spacing::Poisson { seed: 1 }, CatchUp::Drop),
    ] {
        let target = target();
        let mut plan = for_seconds(open(&format!("http://{}/", target.local_addr()), MAX_ARRIVAL_RATE, 4, 2), 0.2);
        (arrivals(&mut plan).spacing, arrivals(&mut plan).catch_up) = (spacing, catch_up);
        // Gone through one by one they took minutes, and a run of minutes never ends.
        let summary = summary_of(plan);
        let arrivals = arrivals_of(&summary);
        if spacing == Spacing::Even {
            assert_eq!(arrivals.intended, 2_000_000);
            // Users are used again, however fast others are given up. Poisson gaps are drawn one by one, which may take a slow
            // machine all of its time.
            assert!(arrivals.made > 4, "{arrivals:?}");
        }
        assert!(arrivals.missed > arrivals.made, "{arrivals:?}");
        assert_eq!(arrivals.made + arrivals.missed, arrivals.intended);
        assert_eq!(target.stop().requests, arrivals.made);
    }
}

#[test]
fn a_number_of_iterations_is_met_exactly_and_ends_the_run() {
    for (cores, spacing) in [(1, Spacing::Even), (2, Spacing::Even), (3, Spacing::Poisson { seed: 5 })] {
        let target = target();
        let mut plan = open(&format!("http://{}/", target.local_addr()), 500.0, 9, cores);
        plan.load.total_iterations = Some(37);
        arrivals(&mut plan).spacing = spacing;
        let summary = summary_of(plan);
        let arrivals = arrivals_of(&summary);
        assert_eq!((arrivals.intended, arrivals.made, arrivals.missed), (37, 37, 0), "{cores} cores");
        assert_eq!((summary.totals.requests, target.stop().requests), (37, 37));
        assert_eq!(summary.client.lateness_us.count, 37);
    }
}

#[test]
fn a_rate_below_one_a_second_has_its_arrivals_too() {
    let target = target();
    let plan = for_seconds(open(&format!("http://{}/", target.local_addr()), 0.5, 2, 2), 2.1);
    // At 0 and at 2 s.
    assert_eq!(arrivals_of(&summary_of(plan)).intended, 2);
}

#[test]
fn a_ramp_has_as_many_arrivals_as_the_area_below_it() {
    for cores in [1, 2] {
        let target = target();
        let mut plan = open(&format!("http://{}/", target.local_addr()), 0.0, 50, cores);
        arrivals(&mut plan).stages = stages(&[(0.4, 200.0), (0.2, 200.0), (0.2, 0.0), (0.1, 0.0), (0.0, 100.0)]);
        let summary = summary_of(for_seconds(plan, 1.0));
        // 40 on the way up, 40 at the top, 20 on the way down, none for 0.1 s, 10 in what is left.
        assert_eq!(arrivals_of(&summary).intended, 110, "{cores} cores");
    }
}

#[test]
fn a_ramp_down_to_nothing_ends_a_run_without_a_time() {
    let target = target();
    let mut plan = open(&format!("http://{}/", target.local_addr()), 100.0, 50, 2);
    arrivals(&mut plan).stages = stages(&[(0.4, 0.0)]);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, target.stop().requests), (20, 20));
}

#[test]
fn a_seed_decides_how_many_visitors_come() {
    let target = target();
    let intended = |seed: u64, cores: usize| {
        let mut plan = open(&format!("http://{}/", target.local_addr()), 500.0, 50, cores);
        arrivals(&mut plan).spacing = Spacing::Poisson { seed };
        let summary = summary_of(for_seconds(plan, 0.4));
        assert_eq!(summary.plan["seed"], seed);
        arrivals_of(&summary).intended
    };
    let (first, second) = (intended(1, 1), intended(3, 1));
    assert_eq!((intended(1, 2), intended(3, 2)), (first, second), "the same on any number of cores");
    assert_ne!(first, second);
}

#[test]
fn used_up_requests_and_rows_end_the_run() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", ""));
    let mut bounded = open(&format!("http://{address}/"), 400.0, 9, 1);
    bounded.load.total_requests = Some(20);
    let summary = summary_of(bounded);
    assert_eq!((summary.totals.requests, log.lock().unwrap().len()), (20, 20));
    assert!(arrivals_of(&summary).made >= 20);
    for cores in [1, 2] {
        let mut rows = plan(with_rows(address, "a, b, c, d, e", UNIQUE));
        rows.cpus = cpus(cores);
        arrive_at(&mut rows, 400.0, 9);
        assert_eq!(summary_of(rows).conservation.succeeded, 5);
    }
}

#[test]
fn the_last_request_ends_a_slow_run_at_once() {
    for cores in [1, 2] {
        let target = target();
        let mut plan = open(&format!("http://{}/", target.local_addr()), 1e-5, 9, cores);
        plan.load.total_requests = Some(1);
        // The second arrival would be due in a day.
        assert_eq!(summary_of(plan).totals.requests, 1, "{cores} cores");
    }
}

#[test]
fn requests_are_met_exactly_whichever_core_their_iterations_are_on() {
    // Three requests an iteration: of two cores one has all of the first, and half of the arrivals of three.
    for (requests, iterations) in [(3, Some(1)), (9, Some(3)), (7, Some(3)), (2, None)] {
        let target = target();
        let of = |name: &str| PlainRequest {
            name: name.into(),
            method: "GET".into(),
            url: format!("http://{}/", target.local_addr()),
            headers: Vec::new(),
            body: None,
        };
        let mut plan = plan(Case::from_requests("a case", ["a", "b", "c"].map(of).into()).unwrap());
        plan.cpus = cpus(2);
        // Where the iterations have no bound, the second is due in a day on the core that has done nothing.
        arrive_at(&mut plan, if iterations.is_some() { 200.0 } else { 1e-5 }, 9);
        (plan.load.total_requests, plan.load.total_iterations) = (Some(requests), iterations);
        let summary = summary_of(plan);
        assert_eq!((summary.totals.requests, target.stop().requests), (requests, requests));
    }
}

#[test]
fn each_user_sets_up_once_before_its_first_arrival() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", ""));
    for cores in [1, 2] {
        log.lock().unwrap().clear();
        let mut plan = plan(setup::case(address));
        plan.cpus = cpus(cores);
        arrive_at(&mut plan, 200.0, 4);
        plan.load.total_iterations = Some(30);
        let summary = summary_of(plan);
        assert_eq!((arrivals_of(&summary).made, summary.totals.requests), (30, 30));
        let log = log.lock().unwrap();
        let logins: Vec<_> = log.iter().filter(|seen| seen.target == "/login").map(|seen| seen.connection).collect();
        assert!((1..=4).contains(&logins.len()), "{logins:?}");
        assert_eq!((summary.setup[0].requests, log.len()), (logins.len() as u64, 30 + logins.len()));
        for connection in logins {
            let of_it: Vec<_> = log.iter().filter(|seen| seen.connection == connection).collect();
            assert_eq!(of_it[0].target, "/login");
            assert!(of_it[1..].iter().all(|seen| seen.target == "/work"));
        }
    }
}

#[test]
fn iterations_that_fail_are_made_like_others() {
    let target = target();
    let failing = yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: no, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         - {{name: never, request: {{method: GET, url: /}}}}\n",
        target.local_addr()
    ));
    let mut plan = plan(failing);
    arrive_at(&mut plan, 300.0, 5);
    plan.load.total_iterations = Some(25);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, summary.totals.failures, target.stop().requests), (25, 25, 25));
    assert_eq!(error_of(&summary), ("assertion", 25));
}

#[test]
fn arrivals_go_on_while_every_connection_is_refused() {
    let mut plan = open(&format!("http://{}/", closed_port()), 300.0, 5, 2);
    plan.load.total_iterations = Some(25);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, summary.totals.failures), (25, 25));
    assert_eq!((error_of(&summary), summary.totals.exchanges.unsent), (("connect_refused", 25), 25));
}

#[test]
fn users_may_share_connections() {
    let target = target();
    let mut plan = open(&format!("http://{}/delay/5", target.local_addr()), 400.0, 30, 2);
    plan.network.connections = Connections::Shared { most: Some(2) };
    plan.load.total_iterations = Some(60);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, summary.totals.requests), (60, 60));
    assert!(target.stop().connections_opened <= 2);
}

#[test]
fn a_stop_in_the_middle_leaves_no_arrival_unaccounted() {
    for catch_up in [CatchUp::Burst, CatchUp::Smooth, CatchUp::Drop] {
        let target = target();
        let mut plan = open(&format!("http://{}/hang", target.local_addr()), 1_000.0, 1, 1);
        arrivals(&mut plan).catch_up = catch_up;
        plan.stop_timeout = Duration::from_millis(50);
        let stop = Control::default();
        raise(&stop, 1, SOON);
        let summary = summary_with(plan, &stop);
        let arrivals = arrivals_of(&summary);
        assert!(summary.run.aborted);
        assert_eq!((arrivals.made, summary.conservation.abandoned, arrivals.users_peak), (1, 1, 1));
        assert_eq!(arrivals.missed, arrivals.intended - 1);
        assert!(arrivals.waited_for_users || arrivals.intended == 1);
    }
}

#[test]
fn a_stop_before_the_first_arrival_ends_the_run() {
    let mut plan = open(&format!("http://{}/", closed_port()), 0.0, 5, 2);
    arrivals(&mut plan).stages = stages(&[(1e9, 1e-9)]);
    let stop = Control::default();
    raise(&stop, 1, SOON);
    // The first of an even course is due at once, however slow it is; there is no second one.
    assert!(arrivals_of(&summary_with(plan, &stop)).intended <= 1);
}
