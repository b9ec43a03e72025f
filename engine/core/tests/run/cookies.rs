//! Cookies: each user sends its own, where they belong and as long as they last.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex,
    },
};

use pummel_engine::{Connections, Cookies, Plan};

use crate::{
    plan::{cpus, plan, summary_of, yaml},
    server::{answering, redirect, response, Log},
};

/// A server that gives each client without a session a new one, `sid=0`, `sid=1` and so on.
fn sessions() -> (SocketAddr, Log) {
    let next = Arc::new(AtomicU64::new(0));
    answering(Ipv4Addr::LOCALHOST, move |seen| {
        if seen.field("Cookie").contains("sid=") {
            return response("200 OK", "");
        }
        let session = next.fetch_add(1, Ordering::Relaxed);
        response("200 OK", &format!("Set-Cookie: sid={session}; Path=/; HttpOnly\r\n"))
    })
}

/// The `Cookie` fields a server saw.
fn sent(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().map(|seen| seen.field("Cookie").to_owned()).collect()
}

/// A plan of one case with these steps.
fn steps(address: SocketAddr, steps: &str, cookies: Cookies) -> Plan {
    let text = format!("config: {{name: c, base_url: \"http://{address}\", variables: {{n: 7}}}}\nteststeps:\n{steps}");
    let mut plan = plan(yaml(&text));
    plan.network.cookies = cookies;
    plan
}

/// A constant request, and one that is rendered each time.
const TWO: &str = "- {name: a, request: {method: GET, url: /a}}\n\
                   - {name: b, request: {method: POST, url: \"/b?n=$n\", body: \"n is $n\"}}\n";

#[test]
fn cookies_last_as_long_as_the_plan_says() {
    for (policy, expected) in [
        (Cookies::Off, ["", "", "", "", "", ""]),
        (Cookies::PerIteration, ["", "sid=0", "", "sid=1", "", "sid=2"]),
        (Cookies::PerUser, ["", "sid=0", "sid=0", "sid=0", "sid=0", "sid=0"]),
    ] {
        let (address, log) = sessions();
        let mut plan = steps(address, TWO, policy);
        plan.load.loops_per_user = Some(3);
        let summary = summary_of(plan);
        assert_eq!(summary.conservation.succeeded, 6);
        assert_eq!(sent(&log), expected, "{policy:?}");
        assert_eq!(summary.client.connections.opened, 1);
    }
}

#[test]
fn the_bytes_sent_are_those_with_the_cookies() {
    let bytes = |policy| {
        let (address, _) = sessions();
        let mut plan = steps(address, "- {name: a, request: {method: GET, url: /a}}\n", policy);
        plan.load.loops_per_user = Some(3);
        let summary = summary_of(plan);
        // Ports have different lengths.
        summary.totals.bytes_sent - 3 * address.to_string().len() as u64
    };
    assert_eq!(bytes(Cookies::PerUser) - bytes(Cookies::Off), 2 * "Cookie: sid=0\r\n".len() as u64);
}

#[test]
fn no_user_ever_sends_the_session_of_another() {
    for connections in [Connections::PerUser, Connections::Shared { most: None }] {
        let (address, log) = sessions();
        let mut plan = steps(address, TWO, Cookies::PerUser);
        plan.load.users = 20;
        plan.load.loops_per_user = Some(10);
        plan.cpus = cpus(2);
        plan.network.connections = connections;
        let summary = summary_of(plan);
        assert_eq!(summary.conservation.succeeded, 400);
        let mut uses: HashMap<String, Vec<usize>> = HashMap::new();
        for seen in &*log.lock().unwrap() {
            uses.entry(seen.field("Cookie").to_owned()).or_default().push(seen.connection);
        }
        // Each of the users asked once without a session, then 19 times with the one it was given.
        assert_eq!((uses.len(), uses.remove("").map(|first| first.len())), (21, Some(20)));
        for (session, on) in uses {
            assert_eq!(on.len(), 19, "{session}");
            if connections == Connections::PerUser {
                assert!(on.iter().all(|connection| *connection == on[0]), "{session} is one user's");
            }
        }
    }
}

#[test]
fn the_steps_own_cookies_come_first() {
    let (address, log) = sessions();
    let own = "- {name: a, request: {method: GET, url: /a}}\n\
               - {name: b, request: {method: GET, url: /b, headers: {Cookie: \"h=1\"}, cookies: {own: \"2\"}}}\n\
               - {name: c, request: {method: GET, url: \"/c?n=$n\", headers: {Accept: \"x\", Zed: \"y\"}, cookies: {own: \"$n\"}}}\n";
    assert_eq!(summary_of(steps(address, own, Cookies::PerIteration)).conservation.succeeded, 3);
    assert_eq!(sent(&log), ["", "h=1; own=2; sid=0", "own=7; sid=0"]);
    let names: Vec<_> = log.lock().unwrap()[2].fields.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["Host", "User-Agent", "Accept", "Cookie", "Zed"]);
}

#[test]
fn cookies_are_sent_where_they_belong_until_they_are_removed() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |seen| match &*seen.target {
        "/set" => response("200 OK", "Set-Cookie: a=1; Path=/deep\r\nset-cookie: b=2\r\nSet-Cookie: c=3; Secure\r\n"),
        "/unset" => response("200 OK", "Set-Cookie: b=; Max-Age=0\r\n"),
        _ => response("200 OK", ""),
    });
    let walk: Vec<_> = ["/set", "/", "/deep/er", "/deeper", "/unset", "/deep"]
        .iter()
        .map(|url| format!("- {{name: s, request: {{method: GET, url: {url}}}}}\n"))
        .collect();
    assert_eq!(summary_of(steps(address, &walk.concat(), Cookies::PerIteration)).conservation.succeeded, 6);
    assert_eq!(sent(&log), ["", "b=2", "a=1; b=2", "b=2", "b=2", "a=1"]);
}

#[test]
fn a_redirect_sets_cookies_before_it_is_followed() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |seen| match &*seen.target {
        "/login" => {
            let mut both = redirect("302 Found", "/home");
            let at = both.windows(9).position(|line| line == b"Location:").unwrap();
            both.splice(at..at, b"Set-Cookie: sid=1\r\n".iter().copied());
            both
        }
        _ => response("200 OK", "Set-Cookie: seen=2\r\n"),
    });
    let login = "- {name: a, request: {method: POST, url: /login, body: x}}\n\
                 - {name: b, request: {method: GET, url: /}}\n";
    let mut plan = steps(address, login, Cookies::PerIteration);
    plan.network.max_redirects = 10;
    assert_eq!(summary_of(plan).conservation.succeeded, 2);
    assert_eq!(sent(&log), ["", "sid=1", "sid=1; seen=2"]);
}

#[test]
fn cookies_of_a_request_that_fails_its_checks_are_kept() {
    let (address, log) = sessions();
    let steps_that_fail = "- {name: a, request: {method: GET, url: /a}, validate: [{eq: [status_code, 201]}]}\n";
    let mut plan = steps(address, steps_that_fail, Cookies::PerUser);
    plan.load.loops_per_user = Some(2);
    assert_eq!(summary_of(plan).conservation.failed, 2);
    assert_eq!(sent(&log), ["", "sid=0"]);
}

#[test]
fn what_is_set_badly_breaks_nothing() {
    let answers = Arc::new(Mutex::new(
        ["Set-Cookie: \r\n", "Set-Cookie: =1\r\n", "Set-Cookie: a=\u{e4}; Expires=never\r\n", ""]
            .into_iter()
            .rev()
            .collect::<Vec<_>>(),
    ));
    let (address, log) =
        answering(Ipv4Addr::LOCALHOST, move |_| response("200 OK", answers.lock().unwrap().pop().unwrap_or_default()));
    let mut plan = steps(address, "- {name: a, request: {method: GET, url: /a}}\n", Cookies::PerUser);
    plan.load.loops_per_user = Some(4);
    assert_eq!(summary_of(plan).conservation.succeeded, 4);
    assert_eq!(sent(&log), ["", "", "", "a=\u{e4}"]);
}
