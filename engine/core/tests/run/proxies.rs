//! Requests through proxies, and what a proxy can do wrong.

use std::{net::Ipv4Addr, net::SocketAddr, thread, time::Duration};

use pummel_engine::{Plan, Proxies, Proxy};
use pummel_stats::Summary;

use crate::{
    plan::{error_of, outcome, plan, request, summary_of},
    server::{answering, closed_port, read_target, recording, response, scripted, write, OK},
};

/// Nobody can resolve it.
const HOST: &str = "no-such-host.invalid";

fn through(mut plan: Plan, address: SocketAddr) -> Plan {
    let credentials = Some("user:secret".to_owned());
    let proxy = Some(Proxy { https: false, host: address.ip().to_string(), port: address.port(), credentials });
    plan.network.proxies = Proxies { http: proxy.clone(), https: proxy, none_for: vec!["127.0.0.0/8".into()] };
    plan
}

/// A plan whose one request needs a tunnel: what is spoken inside does not matter where there is none.
fn tunnelled(address: SocketAddr) -> Plan {
    let mut plan = through(plan(request("GET", &format!("http://{HOST}:81/"))), address);
    plan.network.http2.all = true;
    plan
}

fn message_of(summary: &Summary) -> (&str, &str) {
    assert_eq!((summary.errors.len(), summary.totals.failures), (1, 1), "{:?}", summary.errors);
    (&summary.errors[0].kind, &summary.errors[0].message)
}

#[test]
fn a_proxy_gets_the_whole_url_and_nobody_looks_up_the_host() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", ""));
    let mut plan = through(plan(request("GET", &format!("http://{HOST}:81/a?b=1"))), address);
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, summary.client.connections.opened), (3, 1));
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 3);
    for seen in log.iter() {
        assert_eq!(seen.target, format!("http://{HOST}:81/a?b=1"));
        assert_eq!(seen.field("Host"), format!("{HOST}:81"));
        assert_eq!(seen.field("Proxy-Authorization"), "Basic dXNlcjpzZWNyZXQ=");
    }
}

#[test]
fn a_host_that_needs_no_proxy_is_reached_directly() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| response("200 OK", ""));
    assert_eq!(summary_of(through(plan(request("GET", &format!("http://{address}/a"))), closed_port())).errors, []);
    let log = log.lock().unwrap();
    assert_eq!((&*log[0].target, log[0].field("Proxy-Authorization")), ("/a", ""));
}

#[test]
fn a_redirect_to_a_host_without_a_proxy_leaves_it() {
    let (direct, seen) = recording(|_| OK.to_vec());
    let location = format!("http://{direct}/b");
    let (proxy, _) = recording(move |_| crate::server::redirect("302 Found", &location));
    let mut plan = through(plan(request("GET", &format!("http://{HOST}/a"))), proxy);
    plan.network.max_redirects = 1;
    assert_eq!(summary_of(plan).conservation.succeeded, 1);
    assert_eq!(*seen.lock().unwrap(), ["/b"]);
}

#[test]
fn a_proxy_that_wants_credentials_fails_the_request_and_is_asked_once() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| {
        response("407 Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n")
    });
    let mut plan = through(plan(request("GET", &format!("http://{HOST}/"))), address);
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!(error_of(&summary), ("proxy", 3));
    assert!(summary.errors[0].message.contains("--proxy http://USER:PASSWORD@HOST:PORT"));
    assert_eq!((summary.totals.exchanges.sent, summary.totals.exchanges.answered), (3, 3));
    // The connection is as good as before.
    assert_eq!((log.lock().unwrap().len(), summary.client.connections.opened), (3, 1));
}

#[test]
fn a_servers_own_407_is_an_answer() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |_| response("407 Odd", ""));
    assert_eq!(summary_of(plan(request("GET", &format!("http://{address}/")))).conservation.succeeded, 1);
}

#[test]
fn a_proxy_that_is_not_there_is_named_as_such() {
    let summary = summary_of(through(plan(request("GET", &format!("http://{HOST}/"))), closed_port()));
    assert_eq!(message_of(&summary), ("proxy", "the proxy refused the connection: is it running on that port?"));
    assert_eq!((summary.totals.exchanges.unsent, summary.client.connections.opened), (1, 0));
}

#[test]
fn a_run_whose_proxy_has_no_address_does_not_start() {
    let mut plan = through(plan(request("GET", "http://example.test/")), closed_port());
    plan.network.proxies.http.as_mut().unwrap().host = HOST.into();
    let error = outcome(plan, &pummel_engine::Control::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot resolve the proxy {HOST}")), "{error}");
}

#[test]
fn a_tunnel_that_is_refused_fails_the_request_with_the_proxys_status() {
    for (status, told) in [
        ("407 Who", "the proxy asks for credentials (407): give them as --proxy http://USER:PASSWORD@HOST:PORT"),
        ("403 Forbidden", "the proxy refused to open a tunnel with status 403"),
        ("302 Found", "the proxy refused to open a tunnel with status 302"),
    ] {
        let (address, log) = answering(Ipv4Addr::LOCALHOST, move |_| response(status, ""));
        let summary = summary_of(tunnelled(address));
        assert_eq!(message_of(&summary), ("proxy", told));
        let exchanges = &summary.totals.exchanges;
        assert_eq!((exchanges.sent, exchanges.unsent, summary.client.connections.errors), (0, 1, 1));
        let log = log.lock().unwrap();
        assert_eq!((log.len(), &*log[0].method, log[0].target.clone()), (1, "CONNECT", format!("{HOST}:81")));
        assert_eq!(
            (log[0].field("Host"), log[0].field("Proxy-Authorization")),
            (&*log[0].target, "Basic dXNlcjpzZWNyZXQ=")
        );
    }
}

#[test]
fn what_a_proxy_answers_wrongly_is_told() {
    for (answer, told) in [
        ("", "the proxy closed the connection before it opened a tunnel"),
        ("HTTP/1.1 200 O", "the proxy closed the connection before it opened a tunnel"),
        ("SSH-2.0-x\r\n", "the proxy's answer to CONNECT: what came back is not HTTP"),
        ("HTTP/1.1 200 OK\r\n\r\nwelcome", "the proxy sent bytes through the tunnel that nobody asked for"),
        ("HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\ncut", "the proxy refused to open a tunnel with status 502"),
    ] {
        let address = scripted(move |stream| {
            read_target(stream);
            write(stream, answer.as_bytes());
        });
        let summary = summary_of(tunnelled(address));
        let (kind, message) = message_of(&summary);
        assert_eq!((kind, message.starts_with(told)), ("proxy", true), "{answer:?}: {message}");
    }
}

#[test]
fn a_proxy_that_does_not_answer_is_waited_for_as_long_as_for_a_connection() {
    let address = scripted(|stream| {
        read_target(stream);
        thread::sleep(Duration::from_hours(1));
    });
    let mut plan = tunnelled(address);
    plan.network.connect_timeout = Duration::from_millis(100);
    assert_eq!(message_of(&summary_of(plan)), ("proxy", "the proxy did not open a tunnel within --connect-timeout"));
}
