//! Cookies of once-per-user steps, and of functional runs.

use std::net::{Ipv4Addr, SocketAddr};

use crossbeam_channel::unbounded;
use pummel_engine::{Cookies, Functional};

use crate::{
    plan::{plan, summary_of, yaml, NEVER},
    server::{answering, response, Log},
};

/// A server whose `/login` gives a session and whose `/visit` another cookie.
fn server() -> (SocketAddr, Log) {
    answering(Ipv4Addr::LOCALHOST, |seen| match &*seen.target {
        "/login" => response("200 OK", "Set-Cookie: sid=1; Path=/\r\n"),
        "/visit" => response("200 OK", "Set-Cookie: seen=2; Path=/\r\n"),
        _ => response("200 OK", ""),
    })
}

/// Target and cookies of each request.
fn sent(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().map(|seen| format!("{} {}", seen.target, seen.field("Cookie"))).collect()
}

#[test]
fn a_login_once_per_user_lasts_while_other_cookies_go_with_the_iteration() {
    let (address, log) = server();
    let mut case = yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: l, request: {{method: GET, url: /login}}}}\n\
         - {{name: v, request: {{method: GET, url: /visit}}}}\n\
         - {{name: w, request: {{method: GET, url: /work}}}}\n",
    ));
    case.setup = vec![case.steps.remove(0)];
    let mut plan = plan(case);
    plan.load.loops_per_user = Some(2);
    plan.network.cookies = Cookies::PerIteration;
    summary_of(plan);
    assert_eq!(sent(&log), ["/login ", "/visit sid=1", "/work sid=1; seen=2", "/visit sid=1", "/work sid=1; seen=2"]);
}

#[test]
fn a_functional_run_begins_each_case_without_cookies() {
    let (address, log) = server();
    let case = yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: w, request: {{method: GET, url: /work}}}}\n\
         - {{name: l, request: {{method: GET, url: /login}}}}\n\
         - {{name: x, request: {{method: GET, url: /work}}}}\n",
    ));
    let (events, _told) = unbounded();
    let mut plan = plan(case.clone());
    plan.cases.push(case);
    plan.network.cookies = Cookies::PerUser;
    plan.functional = Some(Functional { continue_on_failure: false, case_timeout: NEVER, events });
    summary_of(plan);
    let one_case = ["/work ", "/login ", "/work sid=1"];
    assert_eq!(sent(&log), [one_case, one_case].concat());
}
