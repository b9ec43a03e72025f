//! Rows of the parameters: one sequence for all users of all cores (hrp spec 7.6, 7.7).

use std::{collections::BTreeMap, net::SocketAddr};

use crossbeam_channel::unbounded;
use pummel_case::Case;
use pummel_engine::{Functional, FunctionalEvent};

use crate::{
    plan::{cpus, plan, summary_of, yaml, NEVER},
    server::{recording, Targets, OK},
};

pub(crate) fn with_rows(address: SocketAddr, rows: &str, setting: &str) -> Case {
    yaml(&format!(
        "config:\n  name: c\n  base_url: \"http://{address}\"\n  parameters: {{id: [{rows}]}}\n\
         \x20 parameters_setting: {{{setting}}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: \"/$id\"}}, validate: [{{eq: [status_code, 200]}}]}}\n",
    ))
}

pub(crate) const UNIQUE: &str = "pick_order: unique, unique_rows: true";

/// How often each target was asked for.
fn counted(targets: &Targets) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    targets.lock().unwrap().iter().for_each(|target| *counts.entry(target.clone()).or_default() += 1);
    counts
}

#[test]
fn one_core_takes_the_rows_in_order_and_begins_again() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(with_rows(address, "a, b, c", ""));
    plan.load.loops_per_user = Some(7);
    summary_of(plan);
    assert_eq!(*targets.lock().unwrap(), ["/a", "/b", "/c", "/a", "/b", "/c", "/a"]);
}

#[test]
fn the_users_of_all_cores_share_one_sequence() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(with_rows(address, "a, b, c", ""));
    plan.load.users = 4;
    plan.load.loops_per_user = Some(3);
    plan.cpus = cpus(2);
    summary_of(plan);
    // Twelve iterations: each row four times, whoever made them.
    let four = |target: &str| (target.to_owned(), 4);
    assert_eq!(counted(&targets), BTreeMap::from([four("/a"), four("/b"), four("/c")]));
}

#[test]
fn unique_rows_are_used_once_and_end_their_users() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = plan(with_rows(address, "a, b, c, d, e", UNIQUE));
    plan.load.users = 4;
    plan.load.loops_per_user = None;
    plan.cpus = cpus(2);
    assert_eq!(summary_of(plan).conservation.succeeded, 5);
    assert_eq!(counted(&targets).into_values().collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn a_case_whose_rows_are_used_is_passed_over() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut both = plan(with_rows(address, "a, b", UNIQUE));
    both.cases.push(with_rows(address, "c, d, e, f, g, h", UNIQUE));
    both.load.loops_per_user = None;
    assert_eq!(summary_of(both).conservation.succeeded, 8);
    assert_eq!(counted(&targets).into_values().collect::<Vec<_>>(), [1; 8]);
}

#[test]
fn a_functional_run_takes_each_row_once_up_to_the_first_that_fails() {
    for (continue_on_failure, expected) in [(false, vec!["/a", "/b"]), (true, vec!["/a", "/b", "/c"])] {
        let no = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
        let (address, targets) = recording(move |target| if target == "/b" { no.to_vec() } else { OK.to_vec() });
        let (events, told) = unbounded();
        let mut plan = plan(with_rows(address, "a, b, c", ""));
        plan.functional = Some(Functional { continue_on_failure, case_timeout: NEVER, events });
        summary_of(plan);
        assert_eq!(*targets.lock().unwrap(), expected);
        let ended = |event| if let FunctionalEvent::CaseEnded { passed, .. } = event { Some(passed) } else { None };
        let passed: Vec<_> = told.try_iter().filter_map(ended).collect();
        assert_eq!(passed, [true, false, true][..expected.len()]);
    }
}
