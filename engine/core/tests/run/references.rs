//! Referenced cases: their steps are recorded one by one and each as a whole (hrp spec 7.11, 12.2, 14.8).

use std::net::SocketAddr;

use pummel_case::Case;
use pummel_stats::Summary;

use crate::{
    plan::{error_of, plan, summary_of, yaml},
    server::{recording, OK},
};

const NO: &[u8] = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";

/// `outer` refers to a case that refers to a case; `/b` comes behind.
fn nested(address: SocketAddr, loops: u32) -> Case {
    yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - name: outer\n  loops: {loops}\n  testcase:\n    config: {{name: one}}\n    teststeps:\n\
         \x20   - {{name: a, request: {{method: GET, url: /a}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         \x20   - name: inner\n      testcase:\n        config: {{name: two}}\n        teststeps:\n\
         \x20       - {{name: x, request: {{method: GET, url: /x}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         - {{name: b, request: {{method: GET, url: /b}}}}\n",
    ))
}

/// Type, passed and failed of everything timed as a whole, the outermost last.
fn timed(summary: &Summary) -> Vec<(&str, u64, u64)> {
    let mut rows: Vec<_> = summary.transactions.iter().map(|t| (&*t.label, &*t.name, t.passed, t.failed)).collect();
    rows.sort_by_key(|(label, name, ..)| (*label == "transaction", std::cmp::Reverse(name.len())));
    rows.into_iter().map(|(label, _, passed, failed)| (label, passed, failed)).collect()
}

#[test]
fn each_reference_is_timed_as_a_whole_beside_its_steps() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(nested(address, 2));
    plan.load.loops_per_user = Some(3);
    plan.record_action = true;
    let summary = summary_of(plan);
    assert_eq!(targets.lock().unwrap()[..5], ["/a", "/x", "/a", "/x", "/b"]);
    assert_eq!(summary.steps.iter().map(|step| step.requests).collect::<Vec<_>>(), [6, 6, 3]);
    assert_eq!((&*summary.steps[0].label, &*summary.steps[0].name), ("request", "outer - a"));
    assert_eq!(timed(&summary), [("testcase", 6, 0), ("testcase", 6, 0), ("transaction", 3, 0)]);
    assert_eq!(summary.totals.requests, 15, "a reference is no request");
}

#[test]
fn a_failing_step_fails_every_reference_it_is_in() {
    let (address, targets) = recording(|target| if target == "/x" { NO } else { OK }.to_vec());
    let mut plan = plan(nested(address, 1));
    plan.load.loops_per_user = Some(2);
    plan.record_action = true;
    let summary = summary_of(plan);
    assert_eq!(*targets.lock().unwrap(), ["/a", "/x", "/a", "/x"]);
    assert_eq!(error_of(&summary), ("assertion", 2));
    assert_eq!(timed(&summary), [("testcase", 0, 2), ("testcase", 0, 2), ("transaction", 0, 2)]);
}

#[test]
fn a_reference_ends_before_what_comes_behind_it_fails() {
    let (address, _) = recording(|_| OK.to_vec());
    let mut case = nested(address, 1);
    let failing = yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps: [{{name: f, request: {{method: GET, url: /f}}, validate: [{{eq: [status_code, 1]}}]}}]\n",
    ));
    case.steps.extend(failing.steps);
    let mut plan = plan(case);
    plan.record_action = true;
    assert_eq!(timed(&summary_of(plan)), [("testcase", 1, 0), ("testcase", 1, 0), ("transaction", 0, 1)]);
}

#[test]
fn what_a_setup_case_extracts_stays_for_all_iterations() {
    let (address, targets) = recording(|target| match target {
        "/login" => b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"token\":\"abc\"}".to_vec(),
        _ => OK.to_vec(),
    });
    let mut plan = plan(yaml(&format!(
        "config:\n  name: c\n  base_url: \"http://{address}\"\n  setup_case:\n\
         \x20 - {{name: login, request: {{method: GET, url: /login}}, extract: {{token: body.token}}}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: \"/a?t=$token\"}}}}\n",
    )));
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!(*targets.lock().unwrap(), ["/login", "/a?t=abc", "/a?t=abc", "/a?t=abc"]);
    assert_eq!((summary.totals.requests, summary.setup[0].requests), (3, 1));
}
