//! Whose connections are whose, how many there are, and how long they are used.

use std::{
    net::Ipv4Addr,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};

use pummel_engine::{Connections, Cookies};

use crate::{
    plan::{cpus, error_of, plan, request, summary_of, yaml},
    server::{answering, closed_port, read_request, response, scripted, target, write, Log, OK},
};

/// Which connection each request came on.
fn connections_of(log: &Log) -> Vec<usize> {
    log.lock().unwrap().iter().map(|seen| seen.connection).collect()
}

#[test]
fn bounded_connections_are_as_many_as_allowed_over_all_cores() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/2", target.local_addr())));
    plan.load.users = 12;
    plan.load.loops_per_user = Some(20);
    plan.cpus = cpus(2);
    plan.network.connections = Connections::Shared { most: Some(3) };
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((summary.conservation.succeeded, counts.requests), (240, 240));
    assert_eq!((summary.client.connections.opened, counts.connections_opened), (3, 3));
    assert_eq!(summary.client.connections.reused, 237);
}

#[test]
fn fewer_connections_than_cores_leave_cores_out() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 8;
    plan.load.loops_per_user = Some(10);
    plan.cpus = cpus(3);
    plan.network.connections = Connections::Shared { most: Some(1) };
    assert_eq!(plan.cores_used(), 1);
    assert_eq!(summary_of(plan).conservation.succeeded, 80);
    let counts = target.stop();
    assert_eq!((counts.requests, counts.connections_opened), (80, 1));
}

#[test]
fn users_of_one_connection_take_turns() {
    // The server knows its users by the cookie it gives each.
    let users = Arc::new(AtomicU32::new(0));
    let (address, log) = answering(Ipv4Addr::LOCALHOST, move |seen| {
        if !seen.field("Cookie").is_empty() {
            return response("200 OK", "");
        }
        response("200 OK", &format!("Set-Cookie: user={}\r\n", users.fetch_add(1, Ordering::Relaxed)))
    });
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.users = 4;
    plan.load.loops_per_user = Some(6);
    plan.network.connections = Connections::Shared { most: Some(1) };
    plan.network.cookies = Cookies::PerUser;
    assert_eq!(summary_of(plan).conservation.succeeded, 24);
    assert_eq!(connections_of(&log), [0; 24]);
    let log = log.lock().unwrap();
    let users: Vec<&str> = log.iter().skip(4).map(|seen| seen.field("Cookie")).collect();
    assert_eq!(users, ["user=0", "user=1", "user=2", "user=3"].repeat(5));
}

#[test]
fn the_wait_for_a_connection_is_part_of_the_response_time_only() {
    const DELAY_US: u64 = 100_000;
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/100", target.local_addr())));
    plan.load.users = 2;
    plan.network.connections = Connections::Shared { most: Some(1) };
    let summary = summary_of(plan);
    let (service, response) = (&summary.totals.service_us, &summary.totals.response_us);
    // One waits for the other's answer, then for its own.
    assert!(response.max.unwrap() >= 2 * DELAY_US, "{response:?}");
    assert!(response.max.unwrap() - service.max.unwrap() >= DELAY_US / 2, "{response:?} {service:?}");
}

#[test]
fn who_waits_for_a_connection_at_the_stop_has_sent_nothing() {
    let address = scripted(|stream| while read_request(stream) {});
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.users = 3;
    plan.load.loops_per_user = None;
    plan.load.run_time = Some(Duration::from_millis(200));
    plan.stop_timeout = Duration::from_millis(100);
    plan.network.connections = Connections::Shared { most: Some(1) };
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.started, summary.conservation.abandoned), (3, 3));
    let exchanges = &summary.totals.exchanges;
    assert_eq!((exchanges.sent, exchanges.unsent, summary.client.connections.opened), (1, 2, 1));
}

#[test]
fn a_connection_that_cannot_be_opened_lets_the_next_user_try() {
    let mut plan = plan(request("GET", &format!("http://{}/", closed_port())));
    plan.load.users = 3;
    plan.load.loops_per_user = Some(5);
    plan.network.connections = Connections::Shared { most: Some(1) };
    assert_eq!(error_of(&summary_of(plan)), ("connect_refused", 15));
}

#[test]
fn a_dead_connection_is_replaced_and_lets_the_next_user_go_on() {
    // Closes after one answer and does not say so.
    let address = scripted(|stream| {
        if read_request(stream) {
            write(stream, OK);
        }
    });
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.users = 4;
    plan.load.loops_per_user = Some(10);
    plan.network.connections = Connections::Shared { most: Some(2) };
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, summary.errors.len()), (40, 0), "{:?}", summary.errors);
    assert_eq!(summary.client.connections.opened, 40);
}

#[test]
fn each_iteration_begins_as_a_new_visitor() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}}}\n- {{name: b, request: {{method: GET, url: /}}}}\n",
        target.local_addr()
    )));
    plan.load.users = 3;
    plan.load.loops_per_user = Some(4);
    plan.network.connections = Connections::PerIteration;
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((counts.requests, counts.connections_opened), (24, 12));
    assert_eq!((summary.client.connections.opened, summary.client.connections.reused), (12, 12));
}

#[test]
fn a_connection_carries_so_many_requests_and_its_server_is_told_of_the_last() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", ""));
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.loops_per_user = Some(8);
    plan.network.max_requests_per_connection = Some(3);
    let summary = summary_of(plan);
    assert_eq!((summary.client.connections.opened, summary.client.connections.reused), (3, 5));
    assert_eq!(connections_of(&log), [0, 0, 0, 1, 1, 1, 2, 2]);
    let log = log.lock().unwrap();
    let told: Vec<bool> = log.iter().map(|seen| seen.field("Connection") == "close").collect();
    assert_eq!(told, [false, false, true, false, false, true, false, false]);
}

#[test]
fn a_server_says_how_many_requests_a_connection_takes() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", "Keep-Alive: timeout=60, max=2\r\n"));
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.loops_per_user = Some(5);
    assert_eq!(summary_of(plan).client.connections.opened, 3);
    assert_eq!(connections_of(&log), [0, 0, 1, 1, 2]);
}

#[test]
fn a_connection_that_has_become_old_is_closed_after_its_response() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/20", target.local_addr())));
    plan.load.loops_per_user = Some(4);
    plan.network.max_connection_age = Some(Duration::from_millis(20));
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((summary.conservation.succeeded, counts.requests, counts.connections_opened), (4, 4, 4));
}

#[test]
fn a_connection_that_has_become_old_while_idle_is_not_used_again() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}}}\n- {{name: p, think_time: {{time: 1.1}}}}\n",
        target.local_addr()
    )));
    plan.load.loops_per_user = Some(3);
    plan.network.max_connection_age = Some(Duration::from_secs(1));
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((counts.requests, counts.connections_opened), (3, 3));
    assert_eq!((summary.client.connections.reused, summary.client.connections.stale), (0, 0));
}
