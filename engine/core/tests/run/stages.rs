//! Closed runs over time: users that come and go, iterations shared by all, pacing.

use std::{collections::BTreeMap, thread, time::Duration};

use pummel_engine::{ClosedLoad, LoadModel, Pacing, PacingUnit, Plan};
use pummel_stats::{Limit, Summary};

use crate::{
    cursor::{with_rows, UNIQUE},
    plan::{cpus, plan, request, spawn_at, stages, summary_of, yaml},
    server::{recording, target, OK},
};

/// Up to so many users that come and go by these stages, for ever while they are there.
fn staged(plan: &mut Plan, users: u32, of: &[(f64, f64)]) {
    let closed = ClosedLoad { spawn_rate: f64::INFINITY, stages: stages(of), pacing: None };
    plan.load.users = users;
    plan.load.model = LoadModel::Closed(closed);
    plan.load.loops_per_user = None;
}

/// Up to four, down to none, up to three, down to none.
const UP_AND_DOWN: &[(f64, f64)] =
    &[(0.2, 4.0), (0.5, 4.0), (0.2, 0.0), (0.5, 0.0), (0.0, 3.0), (0.5, 3.0), (0.1, 0.0)];

#[test]
fn users_come_and_go_and_come_again() {
    for cores in [1, 2] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/delay/3", target.local_addr())));
        plan.cpus = cpus(cores);
        staged(&mut plan, 4, UP_AND_DOWN);
        // Without a run time it ends with the last user.
        let summary = summary_of(plan);
        let counts = target.stop();
        assert_eq!((summary.client.connections.opened, counts.connections_opened), (7, 7), "{cores} cores");
        assert_eq!((summary.conservation.succeeded, summary.conservation.abandoned), (counts.requests, 0));
        assert_eq!(summary.iterations.count, counts.requests, "each iteration ran to its end");
        assert!(summary.run.load_s >= 1.5, "a time without users is no end: {}", summary.run.load_s);
        assert!(summary.series.iter().all(|second| second.users <= 4));
    }
}

#[test]
fn users_that_are_to_end_finish_their_iteration() {
    let (address, targets) = recording(|_| {
        thread::sleep(Duration::from_millis(7));
        OK.to_vec()
    });
    let step = |url: &str| format!("- {{name: {url}, request: {{method: GET, url: /{url}}}}}\n");
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n{}{}{}",
        step("a"),
        step("b"),
        step("c")
    )));
    plan.cpus = cpus(2);
    staged(&mut plan, 4, UP_AND_DOWN);
    let summary = summary_of(plan);
    let mut counts = BTreeMap::<String, u64>::new();
    targets.lock().unwrap().iter().for_each(|target| *counts.entry(target.clone()).or_default() += 1);
    let each = summary.iterations.count;
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [each; 3]);
    assert_eq!((summary.conservation.started, summary.conservation.abandoned), (3 * each, 0));
}

#[test]
fn the_run_time_ends_stages_too() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/3", target.local_addr())));
    staged(&mut plan, 2, &[(0.0, 2.0), (1e6, 2.0)]);
    plan.load.run_time = Some(Duration::from_millis(300));
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.abandoned, target.stop().connections_opened), (0, 2));
}

#[test]
fn iterations_of_the_whole_run_are_met_exactly() {
    for (users, iterations, cores) in [(10, 7, 1), (10, 7, 2), (3, 200, 2), (4, 1, 2), (4, 2, 3)] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
        (plan.load.users, plan.load.loops_per_user, plan.cpus) = (users, None, cpus(cores));
        plan.load.total_iterations = Some(iterations);
        let summary = summary_of(plan);
        let counts = (summary.iterations.count, summary.conservation.succeeded, target.stop().requests);
        assert_eq!(counts, (iterations, iterations, iterations), "{users} users on {cores} cores");
    }
}

#[test]
fn iterations_that_the_users_of_a_core_cannot_do_are_done_by_others() {
    // Each core's half are 5. Core 1 has one of the three users, which does 4.
    let (address, _) = recording(|_| OK.to_vec());
    let mut loops = plan(request("GET", &format!("http://{address}/")));
    loops.cpus = cpus(2);
    (loops.load.users, loops.load.loops_per_user, loops.load.total_iterations) = (3, Some(4), Some(10));
    assert_eq!(summary_of(loops).iterations.count, 10);

    // Core 1 has the user that ends after a tenth of a second, in which it does 100 of its 200 at most.
    let target = target();
    let bounds: [fn(&mut Plan); 2] =
        [|plan| plan.load.total_iterations = Some(400), |plan| plan.load.total_requests = Some(400)];
    for bound in bounds {
        let mut stages = plan(request("GET", &format!("http://{}/delay/1", target.local_addr())));
        stages.cpus = cpus(2);
        staged(&mut stages, 2, &[(0.0, 2.0), (0.1, 2.0), (0.0, 1.0), (1e6, 1.0)]);
        bound(&mut stages);
        assert_eq!(summary_of(stages).conservation.succeeded, 400);
    }
}

#[test]
fn users_still_to_start_do_not_hold_the_end_of_all_work_back() {
    // The second user would start in eleven days.
    let (address, _) = recording(|_| OK.to_vec());
    let work: [fn(&mut Plan); 2] =
        [|plan| plan.load.total_iterations = Some(4), |plan| plan.load.total_requests = Some(4)];
    for (bound, cores) in [(work[0], 1), (work[1], 1), (work[0], 2), (work[1], 2)] {
        let mut plan = plan(request("GET", &format!("http://{address}/")));
        (plan.load.users, plan.load.loops_per_user, plan.cpus) = (5, None, cpus(cores));
        spawn_at(&mut plan, 1e-6);
        bound(&mut plan);
        assert_eq!(summary_of(plan).conservation.succeeded, 4, "{cores} cores");
    }
    let mut rows = plan(with_rows(address, "a, b, c", UNIQUE));
    (rows.load.users, rows.load.loops_per_user) = (5, None);
    spawn_at(&mut rows, 1e-6);
    assert_eq!(summary_of(rows).conservation.succeeded, 3);
}

/// What Little's law says, where it was judged, holds.
fn assert_little_holds(summary: &Summary) {
    let ratio = summary.client.little.as_ref().map_or(1.0, |little| little.ratio);
    assert!((0.95..=1.05).contains(&ratio), "{:?}", summary.client.little);
}

#[test]
fn pacing_is_the_least_time_between_the_beginnings_of_iterations() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.loops_per_user = Some(5);
    let pacing = Some(Duration::from_millis(50));
    plan.load.model = LoadModel::Closed(ClosedLoad { spawn_rate: f64::INFINITY, stages: Vec::new(), pacing });
    let summary = summary_of(plan);
    assert_eq!(target.stop().requests, 5);
    assert!(summary.run.load_s >= 0.2, "{}", summary.run.load_s);
}

#[test]
fn waiting_between_iterations_is_no_matter_of_littles_law() {
    let target = target();
    for (pacing, ceiling) in [(Some(Duration::from_millis(8)), None), (None, Some(500.0))] {
        let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
        (plan.load.users, plan.load.loops_per_user) = (4, Some(50));
        plan.load.model = LoadModel::Closed(ClosedLoad { spawn_rate: f64::INFINITY, stages: Vec::new(), pacing });
        plan.pacing = ceiling.map(|per_second| Pacing { per_second, unit: PacingUnit::Iteration });
        let summary = summary_of(plan);
        assert_eq!(summary.iterations.count, 200);
        // 49 gaps of 8 ms; 199 of 2 ms, of which 10 ms may be made up for.
        assert!(summary.run.load_s >= 0.387, "{}", summary.run.load_s);
        assert!(summary.client.little.is_some(), "{:?}", summary.client.notes);
        assert_little_holds(&summary);
        assert_ne!(summary.client.limit, Limit::Server, "the plan held it back");
    }
}
