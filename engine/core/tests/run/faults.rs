//! Faults: each has its kind, is counted once, and ends no other user's work.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    sync::Arc,
    time::Duration,
};

use pummel_engine::{Control, EngineError, RetryStale};
use socket2::SockRef;

use crate::{
    plan::{error_of, outcome, plan, request, summary_of, yaml},
    server::{closed_port, read_request, scripted, target, write, OK},
};

#[test]
fn a_refused_port_sends_nothing() {
    let mut plan = plan(request("GET", &format!("http://{}/", closed_port())));
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("connect_refused", 3));
    assert_eq!((summary.totals.exchanges.sent, summary.totals.exchanges.unsent), (0, 3));
    assert_eq!((summary.client.connections.opened, summary.client.connections.errors), (0, 3));
}

#[test]
fn each_way_to_spoil_a_response_has_its_kind() {
    let target = target();
    for (path, kind) in [
        ("half/1000", "closed_early"),
        ("drop", "closed_early"),
        ("reset", "reset"),
        ("garbage", "protocol"),
        ("big-header/1048576", "protocol"),
        ("hang", "request_timeout"),
    ] {
        let before = target.counts().requests;
        let mut plan = plan(request("GET", &format!("http://{}/{path}", target.local_addr())));
        plan.load.users = 2;
        plan.load.loops_per_user = Some(2);
        if kind == "request_timeout" {
            plan.network.request_timeout = Duration::from_millis(100);
        }
        let summary = summary_of(plan);
        assert_eq!(error_of(&summary), (kind, 4), "{path}");
        let exchanges = &summary.totals.exchanges;
        assert_eq!((exchanges.sent, exchanges.answered), (4, 0), "{path}");
        assert_eq!(summary.client.connections.opened, 4, "{path}: a spoiled connection is not used again");
        assert_eq!(target.counts().requests - before, 4, "{path}");
    }
}

#[test]
fn a_body_that_ends_with_the_connection_must_not_end_with_a_reset() {
    let body = |linger| {
        let address = scripted(move |stream| {
            read_request(stream);
            write(stream, b"HTTP/1.1 200 OK\r\n\r\nsome");
            SockRef::from(&*stream).set_linger(linger).unwrap();
        });
        summary_of(plan(request("GET", &format!("http://{address}/"))))
    };
    assert_eq!(body(None).conservation.succeeded, 1);
    assert_eq!(error_of(&body(Some(Duration::ZERO))), ("reset", 1));
}

/// Answers the first request of each connection and closes on the second.
fn one_answer_a_connection() -> std::net::SocketAddr {
    scripted(|stream| {
        read_request(stream);
        write(stream, OK);
        read_request(stream);
    })
}

#[test]
fn a_dead_idle_connection_is_replaced_once_for_methods_that_may_be_repeated() {
    let mut plan = plan(request("GET", &format!("http://{}/", one_answer_a_connection())));
    plan.load.loops_per_user = Some(5);
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.succeeded, 5);
    let exchanges = &summary.totals.exchanges;
    assert_eq!((exchanges.sent, exchanges.answered, exchanges.stale_retries), (5, 5, 4));
    let connections = &summary.client.connections;
    assert_eq!((connections.opened, connections.reused, connections.stale), (5, 4, 4));
}

#[test]
fn a_post_on_a_dead_connection_fails_unless_all_methods_are_retried() {
    let mut once = plan(request("POST", &format!("http://{}/", one_answer_a_connection())));
    once.load.loops_per_user = Some(5);
    let summary = summary_of(once);
    // Every other one meets the connection that the one before it left.
    assert_eq!((summary.conservation.succeeded, error_of(&summary)), (3, ("reset", 2)));
    assert_eq!((summary.totals.exchanges.sent, summary.client.connections.opened), (5, 3));

    let mut all = plan(request("POST", &format!("http://{}/", one_answer_a_connection())));
    all.load.loops_per_user = Some(5);
    all.network.retry_stale = RetryStale::All;
    assert_eq!(summary_of(all).totals.exchanges.stale_retries, 4);
}

#[test]
fn a_connection_closed_between_two_requests_is_replaced_without_a_retry() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: \"/api?close_after=1&announce=0\"}}}}\n\
         - {{name: pause, think_time: {{time: 0.2}}}}\n",
        target.local_addr()
    )));
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, summary.client.connections.opened), (3, 3));
    assert_eq!(summary.totals.exchanges.sent, target.stop().requests);
}

#[test]
fn bytes_nobody_asked_for_are_never_an_answer() {
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let address = scripted(move |stream| {
        while read_request(stream) {
            counter.fetch_add(1, Ordering::Relaxed);
            write(stream, &[OK, b"HTTP/1.1 500 Surplus\r\nContent-Length: 0\r\n\r\n"].concat());
        }
    });
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}, validate: [{{eq: [status_code, 200]}}]}}\n",
    )));
    plan.load.loops_per_user = Some(5);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, sent.load(Ordering::Relaxed)), (5, 5));
    assert_eq!(summary.client.connections.opened, 5, "each connection is spoiled by its surplus");
}

#[test]
fn a_request_that_fails_its_checks_keeps_its_connection() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}, validate: [{{eq: [status_code, 201]}}]}}\n\
         - {{name: b, request: {{method: GET, url: /}}}}\n",
        target.local_addr()
    )));
    plan.load.loops_per_user = Some(3);
    plan.record_action = true;
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("assertion", 3));
    assert_eq!(
        (summary.steps[0].failures, summary.steps[1].requests),
        (3, 0),
        "an iteration ends at its first failure"
    );
    assert_eq!((summary.transactions[0].passed, summary.transactions[0].failed), (0, 3));
    assert_eq!((summary.client.connections.opened, target.stop().requests), (1, 3));
}

#[test]
fn a_request_that_cannot_be_written_down_costs_no_connection_each_time() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\", variables: {{h: \"a b\"}}}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /, headers: {{Host: $h}}}}}}\n",
        target.local_addr()
    )));
    plan.load.loops_per_user = Some(4);
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("request", 4));
    assert_eq!((summary.totals.exchanges.unsent, target.stop().requests), (4, 0));
    assert!(summary.client.connections.opened <= 1, "{}", summary.client.connections.opened);
}

#[test]
fn a_name_without_an_address_fails_its_own_requests_only() {
    let target = target();
    let good = request("GET", &format!("http://{}/", target.local_addr()));
    let mut both = plan(good);
    both.cases[0].weight = 1;
    let mut bad = request("GET", "http://no-such-host.invalid/");
    bad.weight = 1;
    both.cases.push(bad);
    both.load.loops_per_user = Some(40);
    let summary = summary_of(both);
    assert_eq!(error_of(&summary).0, "dns");
    assert_eq!(summary.conservation.started, 40);
    assert_eq!(
        (summary.totals.exchanges.sent, summary.totals.exchanges.unsent),
        (target.stop().requests, summary.conservation.failed)
    );

    let nothing_resolves = outcome(plan(request("GET", "http://no-such-host.invalid/")), &Control::default());
    assert!(matches!(nothing_resolves, Err(EngineError::Unresolvable { host, .. }) if host == "no-such-host.invalid"));
}
