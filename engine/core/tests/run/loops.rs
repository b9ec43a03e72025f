//! Loops: steps run as often as they say, and however often that is, a stop ends them.

use pummel_case::{Case, Repeat, Step};
use pummel_engine::Control;

use crate::{
    plan::{plan, summary_of, summary_with, yaml},
    server::{recording, OK},
    stop::{raise, SOON},
};

/// The case with a loop behind a step, which goes back to `first`.
fn with_loop(mut case: Case, behind: usize, first: usize, times: u32, index: usize) -> Case {
    case.steps.insert(behind + 1, Step::Repeat(Repeat { first, times, index }));
    case
}

fn two_requests(address: std::net::SocketAddr) -> Case {
    yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /a}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         - {{name: b, request: {{method: GET, url: /b}}}}\n",
    ))
}

#[test]
fn a_step_runs_as_often_as_its_loop_says_in_every_iteration() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(with_loop(two_requests(address), 0, 0, 3, 0));
    plan.load.loops_per_user = Some(2);
    let summary = summary_of(plan);
    assert_eq!(*targets.lock().unwrap(), ["/a", "/a", "/a", "/b", "/a", "/a", "/a", "/b"]);
    assert_eq!((summary.steps[0].requests, summary.steps[1].requests), (6, 2));
}

#[test]
fn loops_in_loops_begin_anew_each_time() {
    let (address, targets) = recording(|_| OK.to_vec());
    let inner = with_loop(two_requests(address), 0, 0, 2, 0);
    // Around all: a a b, a a b.
    summary_of(plan(with_loop(inner, 2, 0, 2, 1)));
    assert_eq!(*targets.lock().unwrap(), ["/a", "/a", "/b", "/a", "/a", "/b"]);
}

#[test]
fn a_failure_ends_the_loop_with_the_iteration() {
    let refused = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    let (address, targets) = recording(|_| refused.to_vec());
    let mut plan = plan(with_loop(two_requests(address), 0, 0, 3, 0));
    plan.load.loops_per_user = Some(2);
    assert_eq!(summary_of(plan).conservation.failed, 2);
    assert_eq!(*targets.lock().unwrap(), ["/a", "/a"]);
}

#[test]
fn loops_in_which_nothing_waits_end_at_the_stop() {
    let marks = yaml(
        "config: {name: c}\n\
         teststeps:\n\
         - {name: begin, transaction: {name: t, type: start}}\n\
         - {name: end, transaction: {name: t, type: end}}\n\
         - {name: pause, think_time: {time: 0}}\n",
    );
    let inner = with_loop(marks, 2, 0, 1_000_000, 0);
    let mut plan = plan(with_loop(inner, 3, 0, 1_000_000, 1));
    plan.load.users = 2;
    let stop = Control::default();
    raise(&stop, 1, SOON);
    let summary = summary_with(plan, &stop);
    assert!(summary.run.aborted && summary.conservation.started == 0);
}
