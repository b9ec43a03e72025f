//! Once-per-user steps: before the load, outside its counts, and until they pass.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};

use pummel_case::Case;
use pummel_engine::Control;

use crate::{
    plan::{cpus, plan, summary_of, summary_with, yaml},
    server::{recording, OK},
};

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n";

/// `/login` once per user, then `/work`.
pub(crate) fn case(address: std::net::SocketAddr) -> Case {
    let steps = |url| {
        yaml(&format!(
            "config: {{name: c, base_url: \"http://{address}\"}}\n\
             teststeps:\n\
             - {{name: {url}, request: {{method: GET, url: /{url}}}, validate: [{{eq: [status_code, 200]}}]}}\n",
        ))
    };
    let mut case = steps("work");
    case.setup = steps("login").steps;
    case
}

#[test]
fn each_user_sets_up_once_and_the_load_does_not_count_it() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(case(address));
    plan.load.users = 4;
    plan.load.loops_per_user = Some(5);
    plan.cpus = cpus(2);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.started, summary.totals.requests), (20, 20));
    assert_eq!((summary.totals.exchanges.sent, summary.totals.exchanges.answered), (20, 20));
    assert_eq!(summary.totals.service_us.count, 20);
    assert_eq!(summary.series.iter().map(|second| second.requests).sum::<u64>(), 20);
    assert_eq!(summary.client.lateness_us.count, 20);
    let rows = |steps: &[pummel_stats::summary::Step]| {
        let row = |step: &pummel_stats::summary::Step| (step.name.clone(), step.requests, step.exchanges.answered);
        steps.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&summary.steps), [("work".to_owned(), 20, 20)]);
    assert_eq!(rows(&summary.setup), [("login".to_owned(), 4, 4)]);
    assert_eq!(summary.setup[0].service_us.count, 4);
    // The connections are the users', and stay.
    assert_eq!((summary.client.connections.opened, summary.client.connections.reused), (4, 20));
    let targets = targets.lock().unwrap();
    assert_eq!((targets.len(), targets.iter().filter(|target| *target == "/login").count()), (24, 4));
    assert_eq!(targets[0], "/login");
}

#[test]
fn a_setup_that_fails_is_tried_again_before_any_iteration() {
    let asked = Arc::new(AtomicU64::new(0));
    let (address, targets) = recording(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => UNAVAILABLE.to_vec(),
        _ => OK.to_vec(),
    });
    let summary = summary_of(plan(case(address)));
    assert_eq!(*targets.lock().unwrap(), ["/login", "/login", "/work"]);
    assert_eq!((summary.setup[0].requests, summary.setup[0].failures, summary.setup[0].failed_us.count), (2, 1, 1));
    assert_eq!((summary.conservation.succeeded, summary.totals.failures), (1, 0));
    let errors: Vec<_> = summary.errors.iter().map(|error| (&*error.kind, &*error.step, error.count)).collect();
    assert_eq!(errors, [("assertion", "login", 1)], "what went wrong is told");
}

#[test]
fn a_user_that_cannot_be_set_up_ends_at_the_stop() {
    let stop = Control::default();
    let asked = stop.clone();
    let (address, targets) = recording(move |_| {
        asked.raise();
        UNAVAILABLE.to_vec()
    });
    let mut plan = plan(case(address));
    plan.load.loops_per_user = None;
    let summary = summary_with(plan, &stop);
    assert_eq!((summary.conservation.started, summary.totals.exchanges.sent), (0, 0));
    let setup = &summary.setup[0];
    assert_eq!((setup.requests, setup.failures, setup.exchanges.answered), (1, 1, 1));
    assert_eq!(*targets.lock().unwrap(), ["/login"]);
}

#[test]
fn the_case_that_is_never_picked_is_not_set_up() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut both = plan(case(address));
    both.cases[0].weight = 1;
    both.cases.push(case(address));
    assert_eq!(summary_of(both).conservation.succeeded, 1);
    assert_eq!(*targets.lock().unwrap(), ["/login", "/work"]);
}
