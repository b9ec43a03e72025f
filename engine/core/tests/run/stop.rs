//! Stops: whatever a run waits for, it ends when it is told to, and what was under way is accounted for.

use std::{thread, time::Duration};

use pummel_engine::{Control, Pacing, PacingUnit};

use crate::{
    plan::{cpus, plan, request, summary_of, summary_with, yaml, NEVER},
    server::target,
};

/// Raises a signal so often, the first time after `after`.
pub(crate) fn raise(stop: &Control, times: u8, after: Duration) {
    let stop = stop.clone();
    thread::spawn(move || {
        thread::sleep(after);
        (0..times).for_each(|_| stop.raise());
    });
}

pub(crate) const SOON: Duration = Duration::from_millis(200);

#[test]
fn a_stop_at_any_moment_leaves_no_request_unaccounted() {
    for after_ms in [0, 1, 20, 70, 150] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
        plan.load.users = 20;
        plan.load.loops_per_user = None;
        plan.cpus = cpus(2);
        let stop = Control::default();
        raise(&stop, 1, Duration::from_millis(after_ms));
        let summary = summary_with(plan, &stop);
        // The grace is long: what was under way is finished, not cut off.
        assert_eq!(summary.conservation.abandoned, 0);
        assert_eq!(summary.totals.exchanges.sent, target.stop().requests, "stopped after {after_ms} ms");
        assert!(summary.run.aborted);
    }
}

#[test]
fn a_signal_before_the_start_ends_the_run_at_once() {
    for times in [1, 2] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/hang", target.local_addr())));
        plan.load.loops_per_user = None;
        plan.stop_timeout = Duration::ZERO;
        let stop = Control::default();
        (0..times).for_each(|_| stop.raise());
        let summary = summary_with(plan, &stop);
        assert_eq!(summary.conservation.started, summary.conservation.abandoned);
    }
}

#[test]
fn users_that_are_not_started_yet_do_not_hold_the_end_back() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/10", target.local_addr())));
    plan.load.users = 3;
    crate::plan::spawn_at(&mut plan, 1e-6);
    plan.load.loops_per_user = None;
    plan.load.run_time = Some(SOON);
    plan.cpus = cpus(2);
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.started, target.stop().requests);
}

#[test]
fn think_time_ends_at_the_stop() {
    let mut plan = plan(yaml("config: {name: c}\nteststeps:\n- {name: pause, think_time: {time: 80000}}\n"));
    plan.load.users = 5;
    let stop = Control::default();
    raise(&stop, 1, SOON);
    assert_eq!(summary_with(plan, &stop).conservation.started, 0);
}

#[test]
fn the_wait_for_a_slot_ends_at_the_stop() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 5;
    plan.pacing = Some(Pacing { per_second: 1e-6, unit: PacingUnit::Request });
    let stop = Control::default();
    raise(&stop, 1, SOON);
    let summary = summary_with(plan, &stop);
    assert_eq!(summary.conservation.started, target.stop().requests);
}

#[test]
fn requests_without_an_answer_are_given_up_after_the_grace() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/hang", target.local_addr())));
    plan.load.users = 6;
    plan.stop_timeout = Duration::from_millis(50);
    plan.cpus = cpus(2);
    let stop = Control::default();
    raise(&stop, 1, SOON);
    let summary = summary_with(plan, &stop);
    assert_eq!((summary.conservation.started, summary.conservation.abandoned), (6, 6));
    assert_eq!(summary.totals.exchanges.sent, target.stop().requests);
}

#[test]
fn the_end_of_the_run_time_gives_up_requests_too() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/hang", target.local_addr())));
    plan.load.users = 2;
    plan.load.run_time = Some(SOON);
    plan.stop_timeout = Duration::from_millis(50);
    assert_eq!(summary_of(plan).conservation.abandoned, 2);
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/hang", target.local_addr())));
    plan.load.users = 2;
    plan.stop_timeout = NEVER;
    let stop = Control::default();
    raise(&stop, 2, SOON);
    assert_eq!(summary_with(plan, &stop).conservation.abandoned, 2);
}

#[test]
fn a_connect_under_way_is_given_up_unsent() {
    // The first connection fills the backlog of nobody's accepts; the others stay in SYN-SENT.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.users = 8;
    plan.network.connect_timeout = NEVER;
    plan.stop_timeout = Duration::ZERO;
    let stop = Control::default();
    raise(&stop, 1, SOON);
    let summary = summary_with(plan, &stop);
    let exchanges = &summary.totals.exchanges;
    assert_eq!(summary.conservation.abandoned, 8);
    assert_eq!((exchanges.sent, exchanges.unsent), (summary.client.connections.opened, 8 - exchanges.sent));
    assert!(exchanges.unsent > 0, "some connects were under way");
}
