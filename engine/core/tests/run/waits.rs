//! Functions that wait (`${sleep(s)}`): the user waits, its core and the request's time do not. And names that hold values.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use pummel_case::Case;
use pummel_engine::Control;

use crate::{
    plan::{plan, summary_of, summary_with, yaml},
    server::{recording, OK},
    stop::{raise, SOON},
};

fn one_step(address: std::net::SocketAddr, step: &str) -> Case {
    yaml(&format!("config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n- {{name: a, {step}}}\n"))
}

/// In the request, in a hook before it, and in a validator behind it.
const PLACES: [&str; 3] = [
    "variables: {v: \"${sleep(SECONDS)}\"}, request: {method: GET, url: \"/?v=$v\"}",
    "request: {method: GET, url: /}, setup_hooks: [\"${sleep(SECONDS)}\"]",
    "request: {method: GET, url: /}, teardown_hooks: [\"${sleep(SECONDS)}\"]",
];

#[test]
fn the_wait_belongs_to_the_iteration_and_not_to_the_request() {
    for place in PLACES {
        let (address, _) = recording(|_| OK.to_vec());
        let mut plan = plan(one_step(address, &place.replace("SECONDS", "1")));
        plan.record_action = true;
        let summary = summary_of(plan);
        assert_eq!(summary.conservation.succeeded, 1, "{place}: {:?}", summary.errors);
        let wait = Duration::from_secs(1).as_micros() as u64;
        assert!(summary.transactions[0].duration_us.min >= Some(wait), "{place}");
        // Response time counts from when the wait was over.
        assert!(summary.totals.response_us.max < Some(wait), "{place}");
    }
}

#[test]
fn the_wait_ends_at_the_stop() {
    for (place, abandoned) in PLACES.into_iter().zip([0, 0, 1]) {
        let (stop, asked) = (Control::default(), Arc::new(AtomicU64::new(0)));
        let signal = stop.clone();
        let (address, targets) = recording(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == 2 {
                signal.raise();
            }
            OK.to_vec()
        });
        let mut plan = plan(one_step(address, &place.replace("SECONDS", "80000")));
        plan.load.users = 3;
        if abandoned == 0 {
            raise(&stop, 1, SOON);
        }
        let counts = summary_with(plan, &stop).conservation.clone();
        // Who waits before its request has none under way; who waits behind it has not finished it.
        assert_eq!((counts.started, counts.abandoned), (3 * abandoned, 3 * abandoned), "{place}");
        assert_eq!(targets.lock().unwrap().len() as u64, 3 * abandoned, "{place}");
    }
}

#[test]
fn a_name_with_values_has_a_row_for_each() {
    let (address, _) = recording(|target| {
        let body = format!("{{\"n\":\"{}\"}}", target.trim_start_matches('/'));
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    });
    let case = yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: one, request: {{method: GET, url: /x}}, extract: {{n: body.n}}}}\n\
         - {{name: \"of $n\", request: {{method: GET, url: /b}}}}\n\
         - {{name: two, request: {{method: GET, url: /y}}, extract: {{n: body.n}}}}\n\
         - {{name: \"of $n\", request: {{method: GET, url: /b}}}}\n",
    ));
    let mut plan = plan(case);
    plan.load.loops_per_user = Some(2);
    let summary = summary_of(plan);
    let mut rows: Vec<_> = summary.steps.iter().map(|step| (&*step.name, step.requests)).collect();
    rows.sort_unstable();
    assert_eq!(rows, [("of x", 2), ("of y", 2), ("one", 2), ("two", 2)]);
}
