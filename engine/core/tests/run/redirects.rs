//! Redirects: what is sent where, and that each hop is counted once however the chain ends.

use std::{net::Ipv4Addr, sync::Arc, thread, time::Duration};

use pummel_case::{Case, Step};
use pummel_engine::{Control, Cookies};
use pummel_stats::Summary;

use crate::{
    plan::{error_of, plan, request, summary_of, summary_with, yaml},
    server::{answering, closed_port, redirect, response, target, Log, OK},
};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Another host of this machine.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What hrp follows.
const TEN: u32 = 10;

/// One run of one case by one user, redirects followed.
fn followed(case: Case) -> Arc<Summary> {
    let mut plan = plan(case);
    plan.network.max_redirects = TEN;
    summary_of(plan)
}

/// (started, succeeded, sent, answered, redirects, unsent).
fn counts(summary: &Summary) -> (u64, u64, u64, u64, u64, u64) {
    let (requests, exchanges) = (&summary.conservation, &summary.totals.exchanges);
    let (sent, answered) = (exchanges.sent, exchanges.answered);
    (requests.started, requests.succeeded, sent, answered, exchanges.redirects, exchanges.unsent)
}

/// Method, target and body of what a server saw.
fn lines(log: &Log) -> Vec<String> {
    let seen = log.lock().unwrap();
    seen.iter().map(|request| format!("{} {} {}", request.method, request.target, request.body)).collect()
}

#[test]
fn each_hop_is_an_exchange_of_one_request_on_one_connection() {
    let target = target();
    let mut plan = plan(request("GET", &format!("http://{}/redirect/3", target.local_addr())));
    plan.load.users = 3;
    plan.load.loops_per_user = Some(5);
    plan.network.max_redirects = TEN;
    let summary = summary_of(plan);
    // /redirect/3, 2, 1, 0 and /api/redirected.
    assert_eq!(counts(&summary), (15, 15, 75, 75, 60, 0));
    let seen = target.stop();
    assert_eq!((seen.requests, seen.connections_opened), (75, 3));
    assert_eq!(summary.client.connections.reused, 75 - 3);
    assert_eq!(summary.totals.service_us.count, 15);
    assert_eq!(summary.client.lateness_us.count, 15);
}

#[test]
fn the_bytes_of_all_hops_are_the_requests() {
    let (address, log) = answering(HERE, |seen| match &*seen.target {
        "/a" => redirect("302 Found", "/b"),
        _ => OK.to_vec(),
    });
    let summary = followed(request("GET", &format!("http://{address}/a")));
    assert_eq!(lines(&log), ["GET /a ", "GET /b "]);
    assert_eq!(log.lock().unwrap()[1].field("Referer"), format!("http://{address}/a"));
    assert_eq!(summary.totals.bytes_received, (redirect("302 Found", "/b").len() + OK.len()) as u64);
    let bytes = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: pummel-test\r\n{fields}\r\n").len() as u64
    };
    let referer = format!("Referer: http://{address}/a\r\n");
    assert_eq!(summary.totals.bytes_sent, bytes("/a", "") + bytes("/b", &referer));
}

#[test]
fn a_chain_without_end_is_stopped_at_the_limit() {
    let (address, log) = answering(HERE, |_| redirect("301 Moved", "/again"));
    let summary = followed(request("GET", &format!("http://{address}/")));
    assert_eq!(error_of(&summary), ("redirect", 1));
    assert_eq!(summary.errors[0].message, "stopped after 10 redirects");
    assert_eq!(counts(&summary), (1, 0, 11, 11, 10, 0));
    assert_eq!(log.lock().unwrap().len(), 11);
    assert_eq!(summary.client.connections.opened, 1, "a connection is not to blame for what came on it");
}

#[test]
fn as_many_as_the_limit_are_followed() {
    let target = target();
    // Nine, and the last one to the answer.
    let summary = followed(request("GET", &format!("http://{}/redirect/9", target.local_addr())));
    assert_eq!(counts(&summary), (1, 1, 11, 11, 10, 0));
}

#[test]
fn a_redirect_is_the_answer_where_none_are_followed() {
    for (max_redirects, allowed) in [(0, None), (0, Some(true)), (TEN, Some(false))] {
        let target = target();
        let mut plan = plan(yaml(&format!(
            "config: {{name: c, base_url: \"http://{}\"}}\n\
             teststeps:\n\
             - {{name: a, request: {{method: GET, url: /redirect/3}},\n   \
                 validate: [{{eq: [status_code, 302]}}, {{eq: [headers.Location, /redirect/2]}}]}}\n",
            target.local_addr()
        )));
        let Step::Request(step) = &mut plan.cases[0].steps[0] else { unreachable!("the case is one request") };
        step.allow_redirects = allowed;
        plan.network.max_redirects = max_redirects;
        let summary = summary_of(plan);
        assert_eq!(counts(&summary), (1, 1, 1, 1, 0, 0), "{max_redirects} {allowed:?}: {:?}", summary.errors);
        assert_eq!(target.stop().requests, 1);
    }
}

#[test]
fn only_the_last_response_is_checked() {
    let (address, _) = answering(HERE, |seen| match &*seen.target {
        "/a" => redirect("302 Found", "/b"),
        _ => response("201 Created", "X-Last: yes\r\n"),
    });
    let summary = followed(yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /a}},\n   \
             validate: [{{eq: [status_code, 201]}}, {{eq: [headers.\"X-Last\", \"yes\"]}}, {{eq: [body, ok]}}]}}\n",
    )));
    assert_eq!(counts(&summary), (1, 1, 2, 2, 1, 0), "{:?}", summary.errors);
}

#[test]
fn the_status_decides_over_method_and_body() {
    for (status, method, onward) in [
        ("301 Moved", "POST", "GET /b "),
        ("302 Found", "POST", "GET /b "),
        ("303 See Other", "PUT", "GET /b "),
        ("307 Temporary", "POST", "POST /b n is 7"),
        ("308 Permanent", "PATCH", "PATCH /b n is 7"),
    ] {
        let (address, log) = answering(HERE, move |seen| match &*seen.target {
            "/a" => redirect(status, "b"),
            _ => OK.to_vec(),
        });
        // A constant body and a rendered one.
        for body in ["n is 7", "n is $n"] {
            log.lock().unwrap().clear();
            let summary = followed(yaml(&format!(
                "config: {{name: c, base_url: \"http://{address}\", variables: {{n: 7}}}}\n\
                 teststeps:\n\
                 - {{name: a, request: {{method: {method}, url: /a, body: {body}}}}}\n",
            )));
            assert_eq!(counts(&summary), (1, 1, 2, 2, 1, 0), "{status}: {:?}", summary.errors);
            assert_eq!(lines(&log), [format!("{method} /a n is 7"), onward.to_owned()], "{status}");
            let length = if onward.starts_with("GET") { "" } else { "6" };
            assert_eq!(log.lock().unwrap()[1].field("Content-Length"), length);
        }
    }
}

#[test]
fn head_stays_head() {
    let bare = |fields: &str| format!("HTTP/1.1 303 See Other\r\nContent-Length: 99\r\n{fields}\r\n").into_bytes();
    let (address, log) = answering(HERE, move |seen| match &*seen.target {
        "/a" => bare("Location: /b\r\n"),
        _ => bare(""),
    });
    let summary = followed(request("HEAD", &format!("http://{address}/a")));
    assert_eq!(lines(&log), ["HEAD /a ", "HEAD /b "]);
    assert_eq!(counts(&summary), (1, 1, 2, 2, 1, 0), "a redirect without a Location is the answer");
}

#[test]
fn statuses_that_are_no_redirect_are_the_answer() {
    for status in ["300 Choices", "304 Not Modified", "305 Proxy", "399 What", "200 OK", "201 Created"] {
        let (address, _) = answering(HERE, move |_| {
            if status.starts_with("304") {
                return b"HTTP/1.1 304 Not Modified\r\nLocation: /b\r\n\r\n".to_vec();
            }
            redirect(status, "/b")
        });
        let summary = followed(request("GET", &format!("http://{address}/a")));
        assert_eq!(counts(&summary), (1, 1, 1, 1, 0, 0), "{status}");
    }
}

#[test]
fn secrets_and_cookies_do_not_follow_to_another_host() {
    let (there, there_log) = answering(ELSEWHERE, |_| OK.to_vec());
    let (here, here_log) = answering(HERE, move |seen| match &*seen.target {
        "/a" => response("302 Found", &format!("Set-Cookie: sid=1\r\nLocation: http://{there}/b\r\n")),
        _ => OK.to_vec(),
    });
    let mut plan = plan(yaml(&format!(
        "config: {{name: c, base_url: \"http://{here}\"}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: /a, headers: {{Authorization: secret, X-A: x}}, cookies: {{own: \"0\"}}}}}}\n\
         - {{name: b, request: {{method: GET, url: /c}}}}\n",
    )));
    plan.network.max_redirects = TEN;
    plan.network.cookies = Cookies::PerIteration;
    let summary = summary_of(plan);
    assert_eq!(counts(&summary), (2, 2, 3, 3, 1, 0), "{:?}", summary.errors);
    assert_eq!(summary.client.connections.opened, 2, "one for each origin");
    let here_log = here_log.lock().unwrap();
    assert_eq!((here_log[0].field("Authorization"), here_log[0].field("Cookie")), ("secret", "own=0"));
    assert_eq!((&*here_log[1].target, here_log[1].field("Cookie"), here_log[1].connection), ("/c", "sid=1", 0));
    let there_log = there_log.lock().unwrap();
    let onward = &there_log[0];
    assert_eq!((onward.field("Authorization"), onward.field("Cookie"), onward.field("X-A")), ("", "", "x"));
    assert_eq!(onward.field("Host"), there.to_string());
}

#[test]
fn a_redirect_to_a_refused_port_fails_as_one_request() {
    let closed = closed_port();
    let (address, _) = answering(HERE, move |_| redirect("302 Found", &format!("http://{closed}/b")));
    let mut plan = plan(request("GET", &format!("http://{address}/a")));
    plan.load.loops_per_user = Some(3);
    plan.network.max_redirects = TEN;
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("connect_refused", 3));
    assert_eq!(counts(&summary), (3, 0, 3, 3, 3, 3));
    assert_eq!(summary.client.connections.opened, 1, "the connection of the redirect was put back");
}

#[test]
fn a_location_no_request_can_go_to_is_a_failure_of_the_redirect() {
    for location in ["http://", "ftp://h/", "http://h:0/"] {
        let (address, _) = answering(HERE, move |_| redirect("302 Found", location));
        let summary = followed(request("GET", &format!("http://{address}/a")));
        assert_eq!(error_of(&summary), ("redirect", 1), "{location}");
        assert_eq!(counts(&summary), (1, 0, 1, 1, 0, 0), "{location}");
    }
}

#[test]
fn a_server_that_closes_after_each_answer_is_followed_on_new_connections() {
    let (address, log) = answering(HERE, |seen| match &*seen.target {
        "/a" => response("302 Found", "Connection: close\r\nLocation: /b\r\n"),
        _ => OK.to_vec(),
    });
    let summary = followed(request("GET", &format!("http://{address}/a")));
    assert_eq!(counts(&summary), (1, 1, 2, 2, 1, 0));
    assert_eq!(log.lock().unwrap().iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_dead_connection_on_the_way_is_replaced() {
    // Each connection of this server dies with its second request.
    let (there, _) = answering(ELSEWHERE, |seen| if seen.target == "/first" { OK.to_vec() } else { Vec::new() });
    let (here, _) = answering(HERE, move |_| redirect("302 Found", &format!("http://{there}/first?again")));
    let summary = followed(yaml(&format!(
        "config: {{name: c}}\n\
         teststeps:\n\
         - {{name: a, request: {{method: GET, url: \"http://{there}/first\"}}}}\n\
         - {{name: b, request: {{method: GET, url: \"http://{here}/a\"}}}}\n",
    )));
    let exchanges = &summary.totals.exchanges;
    assert_eq!((exchanges.stale_retries, exchanges.redirects), (1, 1));
    assert_eq!(error_of(&summary), ("closed_early", 1), "the fresh connection dies too, and there is no second retry");
    assert_eq!((exchanges.sent, exchanges.answered), (3, 2));
}

#[test]
fn one_time_limit_covers_the_whole_chain() {
    let (address, log) = answering(HERE, |_| {
        thread::sleep(Duration::from_millis(20));
        redirect("302 Found", "/again")
    });
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    plan.network.max_redirects = u32::MAX;
    plan.network.request_timeout = Duration::from_millis(300);
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("request_timeout", 1));
    let exchanges = &summary.totals.exchanges;
    assert_eq!(exchanges.sent + exchanges.unsent, exchanges.redirects + 1);
    // 300 ms leave room for 15 answers that take 20 ms each.
    assert!(exchanges.answered <= 15, "{}", exchanges.answered);
    assert!(log.lock().unwrap().len() as u64 <= exchanges.sent);
}

#[test]
fn a_chain_is_given_up_at_the_stop() {
    for grace in [Duration::ZERO, Duration::from_millis(50)] {
        let target = answering(HERE, |_| redirect("302 Found", "/again"));
        let mut plan = plan(request("GET", &format!("http://{}/", target.0)));
        plan.load.users = 4;
        plan.network.max_redirects = u32::MAX;
        plan.stop_timeout = grace;
        let stop = Control::default();
        let raised = stop.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            raised.raise();
        });
        let summary = summary_with(plan, &stop);
        assert_eq!((summary.conservation.started, summary.conservation.abandoned), (4, 4));
        assert!(summary.totals.exchanges.redirects > 0, "chains were under way");
    }
}
