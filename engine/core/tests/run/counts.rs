//! Counts: what the run says is what the server saw.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

use pummel_engine::{Connections, Pacing, PacingUnit, Plan};

use crate::{
    plan::{cpus, plan, request, summary_of, yaml},
    server::{read_request, target, write, OK},
};

#[test]
fn every_user_opens_one_connection_and_does_its_loops() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 8;
    plan.load.loops_per_user = Some(50);
    plan.cpus = cpus(2);
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((summary.conservation.started, summary.conservation.succeeded), (400, 400));
    assert_eq!((summary.totals.exchanges.sent, summary.totals.exchanges.answered), (400, 400));
    assert_eq!((counts.requests, counts.connections_opened), (400, 8));
    let connections = &summary.client.connections;
    assert_eq!((connections.opened, connections.reused, connections.errors), (8, 392, 0));
    // However short the run was.
    assert_eq!(connections.peak, 8);
    assert_eq!(summary.totals.service_us.count, 400);
    assert_eq!(summary.client.lateness_us.count, 400);
}

#[test]
fn a_core_with_fewer_users_ends_early_without_the_other() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/delay/5", target.local_addr())));
    plan.load.users = 3;
    plan.load.loops_per_user = Some(20);
    plan.cpus = cpus(2);
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.succeeded, 60);
    assert_eq!(target.stop().requests, 60);
}

#[test]
fn a_bound_on_requests_is_met_exactly_by_all_cores_together() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 4;
    plan.load.loops_per_user = None;
    plan.load.total_requests = Some(101);
    plan.cpus = cpus(2);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.started, target.stop().requests), (101, 101));
}

#[test]
fn each_of_the_users_that_start_at_once_has_its_part_of_a_bound_whichever_core_is_first() {
    let bounds: [fn(&mut Plan); 2] =
        [|plan| plan.load.total_iterations = Some(8), |plan| plan.load.total_requests = Some(8)];
    for round in 0..40 {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
        (plan.load.users, plan.load.loops_per_user, plan.cpus) = (5, None, cpus(2));
        bounds[round % 2](&mut plan);
        let summary = summary_of(plan);
        let counts = target.stop();
        assert_eq!((summary.conservation.succeeded, counts.requests, counts.connections_opened), (8, 8, 5));
    }
}

#[test]
fn users_without_a_request_left_do_not_wait_for_their_slots() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 500;
    plan.load.loops_per_user = None;
    plan.load.total_requests = Some(2);
    // Slots for all users would take more than eight minutes.
    plan.pacing = Some(Pacing { per_second: 1.0, unit: PacingUnit::Request });
    assert_eq!(summary_of(plan).conservation.succeeded, 2);
}

#[test]
fn users_of_a_core_may_share_its_connections() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
    plan.load.users = 6;
    plan.load.loops_per_user = Some(20);
    plan.network.connections = Connections::Shared { most: None };
    let summary = summary_of(plan);
    let counts = target.stop();
    assert_eq!((summary.conservation.succeeded, counts.requests), (120, 120));
    let connections = &summary.client.connections;
    assert_eq!(connections.opened + connections.reused, 120);
    assert_eq!(connections.opened, counts.connections_opened);
    assert!(connections.opened <= 6);
}

#[test]
fn without_keepalive_each_request_has_a_connection_even_if_the_server_closes_none() {
    /// More than a core's ring has room for, were they all to linger.
    const REQUESTS: u64 = 1_200;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            read_request(&mut stream);
            write(&mut stream, OK);
            held.push(stream);
        }
    });
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.load.loops_per_user = Some(REQUESTS);
    plan.network.keepalive = false;
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, summary.errors.len()), (REQUESTS, 0), "{:?}", summary.errors);
    assert_eq!((summary.client.connections.opened, summary.client.connections.reused), (REQUESTS, 0));
}

#[test]
fn a_case_records_its_requests_its_transactions_and_its_iterations() {
    let target = target();
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{}\", variables: {{n: 7}}}}\n\
         teststeps:\n\
         - {{name: begin, transaction: {{name: t, type: start}}}}\n\
         - {{name: a, request: {{method: GET, url: \"/api?n=$n\"}}, extract: {{id: body.data.id}},\n   \
             validate: [{{eq: [status_code, 200]}}, {{eq: [body.data.name, yangfan]}}]}}\n\
         - {{name: b, request: {{method: POST, url: \"/echo\", json: {{id: $id}}}}, validate: [{{eq: [body.id, 12345]}}]}}\n\
         - {{name: end, transaction: {{name: t, type: end}}}}\n",
        target.local_addr()
    )));
    plan.load.users = 3;
    plan.load.loops_per_user = Some(4);
    plan.record_action = true;
    let summary = summary_of(plan);
    assert_eq!(summary.errors, []);
    let steps: Vec<_> = summary.steps.iter().map(|step| (&*step.label, &*step.name, step.requests)).collect();
    assert_eq!(steps, [("request-GET", "a", 12), ("request-POST", "b", 12)]);
    let transactions: Vec<_> = summary.transactions.iter().map(|t| (&*t.name, t.passed, t.failed)).collect();
    assert_eq!(transactions, [("t", 12, 0), ("Action", 12, 0)]);
    assert_eq!(target.stop().requests, 24);
}

#[test]
fn an_iteration_without_a_pause_leaves_the_core_to_others() {
    let mut plan = plan(yaml("config: {name: c}\nteststeps:\n- {name: pause, think_time: {time: 0}}\n"));
    plan.load.loops_per_user = None;
    plan.load.run_time = Some(Duration::from_millis(200));
    assert_eq!(summary_of(plan).conservation.started, 0);
}
