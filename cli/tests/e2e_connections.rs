//! How many connections a real server sees, and how long they are used.

#[path = "common/load.rs"]
mod load;

use load::{closed_port, run, Folder, Nginx};

/// nginx with a server whose idle connections end after a second, which it says; its address.
fn impatient() -> (Nginx, String) {
    let port = closed_port();
    let block = format!(
        "server {{ listen 127.0.0.1:{port}; keepalive_timeout 1s 1s; location / {{ return 200 '$connection'; }} }}"
    );
    (Nginx::start_with(&block), format!("http://127.0.0.1:{port}"))
}

fn case(folder: &Folder, base: &str, pause_s: f64) -> String {
    folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: \"{base}\"}}\nteststeps:\n\
             - {{name: a, request: {{method: GET, url: /}}}}\n- {{name: p, think_time: {{time: {pause_s}}}}}\n\
             - {{name: b, request: {{method: POST, url: /}}}}\n"
        ),
    )
}

#[test]
fn no_request_goes_out_on_a_connection_that_is_about_to_be_closed() {
    let (_nginx, base) = impatient();
    let folder = Folder::new();
    // Within the last quarter of the second, and beyond it.
    for pause_s in [0.9, 1.5] {
        let case = case(&folder, &base, pause_s);
        let run = run(&["boom", &case, "--spawn-count", "2", "--spawn-rate", "10", "--loop-count", "1"]);
        assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stdout);
        run.assert_conserved();
        let connections = |name: &str| run.number(&format!("/client/connections/{name}"));
        assert_eq!((connections("opened"), connections("reused"), connections("stale")), (4, 0, 0), "{pause_s}");
        assert_eq!(run.number("/totals/exchanges/stale_retries"), 0);
    }
}

#[test]
fn an_idle_connection_is_used_while_its_server_keeps_it() {
    let (_nginx, base) = impatient();
    let folder = Folder::new();
    let case = case(&folder, &base, 0.1);
    let run = run(&["boom", &case, "--spawn-count", "1", "--loop-count", "1"]);
    assert_eq!((run.number("/client/connections/opened"), run.number("/client/connections/reused")), (1, 1));
}

#[test]
fn modes_give_a_server_so_many_connections() {
    let nginx = Nginx::start();
    let folder = Folder::new();
    let case = case(&folder, &format!("http://{}/hello", nginx.address), 0.0);
    let opened = |mode: &[&str]| {
        let load = ["boom", &case, "--spawn-count", "6", "--spawn-rate", "1000", "--loop-count", "4"];
        let run = run(&[&load[..], mode].concat());
        assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}\n{}", run.stdout, run.stderr);
        run.assert_conserved();
        assert_eq!(run.number("/totals/requests"), 48);
        run.number("/client/connections/opened")
    };
    assert_eq!(opened(&[]), 6);
    assert_eq!(opened(&["--connections", "per-iteration"]), 24);
    assert!(opened(&["--connections", "shared:2"]) <= 2);
    assert_eq!(opened(&["--max-requests-per-connection", "3"]), 18);
    assert_eq!(opened(&["--max-requests-per-connection", "1"]), 48);
    // Any time that has passed is more.
    assert_eq!(opened(&["--max-connection-age", "0.000001"]), 48);
}

#[test]
fn a_mode_that_is_none_is_wrong_usage() {
    for mode in ["shared:0", "shared:x", "per-request"] {
        let run = run(&["boom", "nothing.yml", "--connections", mode]);
        assert_eq!(run.code, 2, "{}", run.stderr);
    }
}

#[test]
fn a_bound_that_http2_would_not_keep_is_wrong_usage() {
    let (nginx, base) = impatient();
    let folder = Folder::new();
    let case = case(&folder, &base, 0.0);
    let run = run(&["boom", &case, "--connections", "shared:2", "--http2"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("--connections shared:N with --http2"), "{}", run.stderr);
    assert_eq!(nginx.requests(0), 0);
}

#[test]
fn a_host_takes_connections_for_each_protocol_it_is_spoken_to_in() {
    let place = format!("127.0.0.1:{}", closed_port());
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c}}\nteststeps:\n\
             - {{name: a, request: {{method: GET, url: \"http://{place}/\"}}}}\n\
             - {{name: b, request: {{method: GET, url: \"http://{place}/\", http2: false}}}}\n\
             - {{name: c, websocket: {{type: open, url: \"ws://{place}/\"}}}}\n"
        ),
    );
    let load = ["--spawn-count", "4", "--spawn-rate", "1000", "--loop-count", "1"];
    let run = run(&[&["boom", &case, "--http2", "--streams", "2"], &load[..]].concat());
    // 2 users share one with HTTP/2, and each has one for HTTP/1.1 and one for its WebSocket. Nobody takes any of them here.
    assert_eq!(run.number("/plan/ports/needed"), 2 + 4 + 4);
    assert_eq!(run.number("/totals/failures"), run.number("/totals/requests"));
}
