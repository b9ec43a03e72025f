//! Metrics while a run goes on, against the real receivers: Prometheus that scrapes and is written to, and its Pushgateway.

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/load.rs"]
mod load;
#[path = "common/prometheus.rs"]
mod prometheus;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
};

use certificates::Authority;
use load::{binary, closed_port, run, start, start_as, target, url, Folder, Nginx};
use prometheus::Server;

fn one(values: &[f64]) -> u64 {
    let [value] = values else { panic!("not one series: {values:?}") };
    *value as u64
}

#[test]
fn prometheus_scrapes_both_kinds_of_histograms_and_is_written_to() {
    let target = target();
    let endpoint = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
    let classic = Server::prometheus(endpoint, &[]);
    let native = Server::prometheus(endpoint, &["native-histograms"]);
    let write = format!("http://{}/api/v1/write", classic.address);
    let running = start(&[
        "hit",
        &url(&target, "/hello/a"),
        "-c",
        "4",
        "--max-rps",
        "200",
        "-d",
        "5m",
        "--metrics",
        &endpoint.to_string(),
        "--prometheus-remote-write",
        &write,
    ]);

    // What one scrape brings belongs together: the histogram holds as many as were counted.
    let success = "{job=\"scraped\",result=\"success\"}";
    let counted = "== on (name) (pummel_requests_total{job=\"scraped\"} > 0)";
    for query in [
        format!("pummel_request_duration_seconds_count{success} {counted}"),
        format!("pummel_request_duration_seconds_bucket{{job=\"scraped\",result=\"success\",le=\"+Inf\"}} {counted}"),
        format!("histogram_quantile(0.5, pummel_request_duration_seconds_bucket{success}) > 0"),
        "pummel_users{job=\"scraped\"} == 4".to_owned(),
        "pummel_connections_open{job=\"scraped\"} == 4".to_owned(),
        "pummel_run_info{job=\"scraped\",command=\"hit\",model=\"closed\"}".to_owned(),
    ] {
        assert_eq!(classic.query_until_there(&query).len(), 1, "{query}");
    }
    for query in [
        format!("histogram_count(pummel_request_duration_seconds{success}) {counted}"),
        format!("histogram_quantile(0.5, pummel_request_duration_seconds{success}) > 0"),
        format!("histogram_quantile(0.5, pummel_request_duration_seconds{success}) < 60"),
    ] {
        assert_eq!(native.query_until_there(&query).len(), 1, "{query}");
    }

    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("failed"), "{}", run.stderr);
    run.assert_conserved();
    // The last write is made when everything is known.
    let requests = run.number("/totals/requests");
    assert_eq!(one(&classic.query_until_there("pummel_requests_total{job=\"pummel\"}")), requests);
    let written = "pummel_request_duration_seconds_bucket{job=\"pummel\",result=\"success\",le=\"+Inf\"}";
    assert_eq!(one(&classic.query(written)), requests);
    assert_eq!(one(&classic.query("pummel_running{job=\"pummel\"}")), 0);
}

#[test]
fn a_pushgateway_keeps_what_hrp_would_have_pushed() {
    let target = target();
    let gateway = Server::pushgateway();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: tx, base_url: \"http://{}\"}}\n\
             teststeps:\n\
             - {{name: t1 begin, transaction: {{name: t1, type: start}}}}\n\
             - {{name: \"q\\\"uote\\\\ and\\nline\", request: {{method: GET, url: /hello/x}}}}\n\
             - {{name: t1 finish, transaction: {{name: t1, type: end}}}}\n\
             - {{name: bad, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n",
            target.local_addr()
        ),
    );
    let address = gateway.address.to_string();
    let arguments =
        ["--spawn-count", "2", "--spawn-rate", "1000", "--loop-count", "50", "--prometheus-gateway", &address];
    let run = run(&[&["boom", case.as_str()], &arguments[..]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("failed ("), "{}", run.stderr);
    run.assert_conserved();
    let text = gateway.get("/metrics").expect("the gateway answers");
    let line = |name: &str, labels: &[&str]| -> f64 {
        let is_it =
            |line: &&str| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label));
        let line = text.lines().find(is_it).unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
        assert!(line.contains("job=\"hrp\"") && line.contains("mode=\"standalone\""), "{line}");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let hostile = "name=\"q\\\"uote\\\\ and\\nline\"";
    for (name, labels, expected) in [
        ("total_num_requests", &["method=\"request-GET\"", hostile][..], 100.0),
        ("total_num_failures", &["method=\"request-GET\"", "name=\"bad\""], 100.0),
        ("total_num_requests", &["method=\"transaction\"", "name=\"t1\""], 100.0),
        ("total_num_failures", &["method=\"transaction\"", "name=\"Action\""], 100.0),
        ("response_time_count", &[hostile], 100.0),
        ("errors", &["method=\"request-GET\"", "name=\"bad\"", "error=\""], 100.0),
        ("transactions_passed", &[], 100.0),
        ("transactions_failed", &[], 100.0),
        ("fail_ratio", &[], 0.5),
        ("state", &[], 5.0),
        ("users", &[], 0.0),
    ] {
        assert!((line(name, labels) - expected).abs() < 1e-9, "{name} {labels:?} {}", line(name, labels));
    }
}

#[test]
fn a_gateway_that_is_not_there_is_said_at_the_end_and_changes_nothing() {
    let target = target();
    let gateway = format!("http://anna:s3cret@127.0.0.1:{}", closed_port());
    let run = run(&["hit", &url(&target, "/hello/a"), "-n", "100", "--prometheus-gateway", &gateway]);
    assert_eq!((run.code, run.number("/totals/requests")), (0, 100), "{}", run.stderr);
    assert!(run.stderr.contains("1 of 1 push failed (last: connection refused)"), "{}", run.stderr);
    assert!(
        !run.stderr.contains("s3cret") && !run.stdout.contains("s3cret") && !run.summary.to_string().contains("s3cret")
    );
}

#[test]
fn a_receiver_behind_tls_is_one_the_system_trusts() {
    let target = target();
    let authority = Authority::new();
    let signed = authority.sign("receiver", "IP:127.0.0.1", 1);
    let port = closed_port();
    let _receiver = Nginx::start_with(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         client_max_body_size 0; location / {{ return 204; }} }}",
        signed.certificate.display(),
        signed.key.display()
    ));
    let hit = url(&target, "/hello/a");
    let write = format!("https://127.0.0.1:{port}/api/v1/write");
    let arguments = ["hit", &hit, "-n", "10", "--prometheus-remote-write", &write];
    let mut trusting = Command::new(binary());
    trusting.env("SSL_CERT_FILE", authority.certificate());
    let trusted = start_as(trusting, &arguments).finish();
    assert_eq!(trusted.code, 0, "{}", trusted.stderr);
    assert!(!trusted.stderr.contains("failed ("), "{}", trusted.stderr);
    let mut distrusting = Command::new(binary());
    distrusting.env("SSL_CERT_FILE", Authority::new().certificate());
    let refused = start_as(distrusting, &arguments).finish();
    assert_eq!(refused.code, 0, "{}", refused.stderr);
    assert!(refused.stderr.contains("1 of 1 push failed (last: "), "{}", refused.stderr);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
}

#[test]
fn a_port_that_is_taken_is_wrong_usage() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = run(&["hit", "http://127.0.0.1:1/", "-n", "1", "--metrics", &address]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("--metrics: cannot listen on {address}: ")), "{}", run.stderr);
    assert!(run.summary.is_null());
}
