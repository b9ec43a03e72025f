//! Proxies: a real one sees what it should, and says no as it does.

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/load.rs"]
mod load;
#[path = "common/tinyproxy.rs"]
mod tinyproxy;

use std::process::Command;

use certificates::Authority;
use load::{binary, closed_port, run, start_as, target, url, Folder, Nginx};
use tinyproxy::Tinyproxy;

/// nginx with a server that speaks TLS; with its URL and the authority that signed for it.
fn tls_server() -> (Nginx, String, Authority) {
    let authority = Authority::new();
    let certificate = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1", 1);
    let port = closed_port();
    let nginx = Nginx::start_with(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 200 'ok'; }} }}",
        certificate.certificate.display(),
        certificate.key.display()
    ));
    (nginx, format!("https://127.0.0.1:{port}/"), authority)
}

#[test]
fn plain_requests_are_forwarded_and_the_server_counts_them() {
    let (proxy, nginx) = (Tinyproxy::start(""), Nginx::start());
    let address = format!("http://{}/hello/x", nginx.address);
    let before = nginx.requests(0) + 1;
    let run = run(&["hit", &address, "-c", "3", "-n", "12", "--proxy", &proxy.url("")]);
    assert_eq!(
        (run.code, run.number("/totals/requests"), run.number("/totals/failures")),
        (0, 12, 0),
        "{}",
        run.stdout
    );
    run.assert_conserved();
    proxy.asked(&format!("GET {address} HTTP/1.1"), 12);
    assert_eq!(nginx.requests(before), 12);
    assert!(run.stdout.contains(&format!("proxy  http://{}", proxy.address)), "{}", run.stdout);
    assert_eq!(run.summary["plan"]["proxies"]["http"], proxy.url(""));
}

#[test]
fn credentials_are_asked_for_and_given() {
    let (proxy, target) = (Tinyproxy::start("BasicAuth anna hushed"), target());
    let address = url(&target, "/");
    let refused = run(&["hit", &address, "-c", "1", "-n", "4", "--proxy", &proxy.url("")]);
    assert_eq!((refused.number("/totals/failures"), refused.errors("proxy")), (4, 4), "{}", refused.stdout);
    assert!(refused.stdout.contains("the proxy asks for credentials (407)"), "{}", refused.stdout);
    assert_eq!(refused.number("/totals/exchanges/sent"), 4, "asked once each");
    refused.assert_conserved();
    let let_in = run(&["hit", &address, "-c", "1", "-n", "4", "--proxy", &proxy.url("anna:hushed@")]);
    assert_eq!(let_in.number("/totals/failures"), 0, "{}", let_in.stdout);
    for text in [&let_in.stdout, &let_in.stderr, &let_in.summary.to_string()] {
        assert!(!text.contains("hushed"), "{text}");
    }
    assert_eq!(target.stop().requests, 4);
}

#[test]
fn the_environment_names_a_proxy_where_it_is_asked() {
    let (proxy, target) = (Tinyproxy::start(""), target());
    let address = url(&target, "/");
    let with_environment = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.env("HTTP_PROXY", proxy.url("")).env_remove("http_proxy").env_remove("REQUEST_METHOD");
        command.env("no_proxy", "localhost");
        let run = start_as(command, arguments).finish();
        assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}\n{}", run.stdout, run.stderr);
    };
    with_environment(&["hit", &address, "-c", "1", "-n", "2"]);
    proxy.asked("GET ", 0);
    with_environment(&["hit", &address, "-c", "1", "-n", "3", "--proxy-from-env"]);
    proxy.asked("GET ", 3);
    let local = address.replace("127.0.0.1", "localhost");
    with_environment(&["hit", &local, "-c", "1", "-n", "4", "--proxy-from-env"]);
    with_environment(&["hit", &address, "-c", "1", "-n", "5", "--proxy-from-env", "--no-proxy", "127.0.0.0/8"]);
    proxy.asked("GET ", 3);
    assert_eq!(target.stop().requests, 14);
}

#[test]
fn run_takes_hrps_flag_and_shows_where_it_went() {
    let (proxy, target) = (Tinyproxy::start(""), target());
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c}}\nteststeps:\n- {{name: a, request: {{method: GET, url: \"{}\"}}, validate: [{{eq: [status_code, 200]}}]}}\n",
            url(&target, "/")
        ),
    );
    let ran = run(&["run", &case, "-p", &proxy.url("")]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.summary.to_string().contains(&proxy.address.port().to_string()), "{:#}", ran.summary);
    proxy.asked("GET ", 1);
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    let ran = run(&["run", &case, "--proxy-url", &nowhere]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("the proxy refused the connection"), "{}", ran.stdout);
}

#[test]
fn other_kinds_of_proxies_are_wrong_usage() {
    for (proxy, what) in [("socks5://u:secret@h:1080", "SOCKS"), ("https://u:secret@h", "TLS to the proxy")] {
        let run = run(&["hit", "http://127.0.0.1:1/", "-n", "1", "--proxy", proxy]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(what) && !run.stderr.contains("secret"), "{}", run.stderr);
    }
}

#[test]
fn https_goes_through_one_tunnel_for_each_connection() {
    let proxy = Tinyproxy::start("BasicAuth anna secret");
    let (nginx, address, authority) = tls_server();
    let root = authority.certificate().display().to_string();
    let before = nginx.requests(0) + 1;
    let hit = |credentials: &str| {
        run(&["hit", &address, "-c", "3", "-n", "30", "--cacert", &root, "--proxy", &proxy.url(credentials)])
    };
    let run = hit("anna:secret@");
    assert_eq!(
        (run.code, run.number("/totals/requests"), run.number("/totals/failures")),
        (0, 30, 0),
        "{}",
        run.stdout
    );
    run.assert_conserved();
    assert_eq!(run.number("/client/connections/opened"), 3);
    let host = address.trim_start_matches("https://").trim_end_matches('/');
    proxy.asked(&format!("CONNECT {host} HTTP/1.1"), 3);
    assert_eq!(nginx.requests(before), 30);
    let run = hit("");
    assert_eq!((run.number("/totals/failures"), run.errors("proxy")), (30, 30), "{}", run.stdout);
    assert_eq!(run.number("/totals/exchanges/unsent"), 30);
    run.assert_conserved();
}

#[test]
fn each_host_behind_a_proxy_takes_connections_of_its_own() {
    // One that keeps the connections of its clients, as tinyproxy does not.
    let port = closed_port();
    let _proxy = Nginx::start_with(&format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://$http_host; }} }}"
    ));
    let proxy = format!("http://127.0.0.1:{port}");
    let targets = [target(), target()];
    let folder = Folder::new();
    let step =
        |name, target| format!("- {{name: {name}, request: {{method: GET, url: \"{}\"}}}}\n", url(target, "/hello/x"));
    let steps = step("a", &targets[0]) + &step("b", &targets[1]);
    let case = folder.write("case.yml", &format!("config: {{name: two}}\nteststeps:\n{steps}"));
    let load = ["boom", &case, "--loop-count", "4", "--spawn-rate", "1000", "--cores", "1", "--proxy", &proxy];
    let ran = run(&[&load[..], &["--spawn-count", "3"]].concat());
    assert_eq!(
        (ran.code, ran.number("/totals/requests"), ran.number("/totals/failures")),
        (0, 24, 0),
        "{}",
        ran.stdout
    );
    assert_eq!((ran.number("/client/connections/opened"), ran.number("/plan/ports/needed")), (6, 6));
    let ran = run(&[&load[..], &["--spawn-count", "3", "--connections", "shared:1"]].concat());
    assert_eq!((ran.number("/client/connections/opened"), ran.number("/plan/ports/needed")), (2, 2));
    ran.assert_conserved();

    // 200 for the connections, 64 and 16 for what there is besides.
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=279:279").arg(binary());
    let refused = start_as(limited, &[&load[..], &["--spawn-count", "100"]].concat()).finish();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("280") && refused.stderr.contains("descriptors"), "{}", refused.stderr);
    for target in targets {
        assert_eq!(target.stop().requests, 24);
    }
}
