//! Counts: what Pummel says it sent is what the server received, exactly, however the run ends.

#[path = "common/load.rs"]
mod load;

use std::{thread, time::Duration};

use load::{run, start, target, url, Folder, Nginx};

#[test]
fn every_request_of_a_bounded_run_arrives_once() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-c", "7", "-n", "1000"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.number("/totals/requests"), 1000);
    assert_eq!(run.number("/totals/failures"), 0);
    assert_eq!(run.number("/totals/exchanges/sent"), 1000);
    assert_eq!(run.number("/totals/exchanges/answered"), 1000);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 1000);
}

#[test]
fn connections_are_opened_once_per_user_and_reused_ever_after() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-c", "200", "-d", "2s"]);
    assert_eq!(run.number("/client/connections/opened"), 200);
    let requests = run.number("/totals/requests");
    assert_eq!(run.number("/client/connections/reused"), requests - 200);
    assert_eq!(run.number("/client/connections/stale"), 0);
    let counts = target.stop();
    assert_eq!((counts.requests, counts.connections_opened), (requests, 200));
    run.assert_conserved();
}

#[test]
fn loops_are_per_user_and_rows_follow_hrp() {
    let target = target();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: tx, base_url: \"http://{}\"}}\n\
             teststeps:\n\
             - {{name: t1 begin, transaction: {{name: t1, type: start}}}}\n\
             - {{name: g1, request: {{method: GET, url: /hello/x}}}}\n\
             - {{name: t1 finish, transaction: {{name: t1, type: end}}}}\n\
             - {{name: t2 begin, transaction: {{name: t2, type: start}}}}\n\
             - {{name: bad, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n\
             - {{name: never, request: {{method: GET, url: /hello/y}}}}\n",
            target.local_addr()
        ),
    );
    let run = run(&["boom", &case, "--spawn-count", "3", "--spawn-rate", "1000", "--loop-count", "4"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let steps: Vec<_> = run.summary["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["type"].as_str().unwrap(),
                row["name"].as_str().unwrap(),
                row["requests"].as_u64(),
                row["failures"].as_u64(),
            )
        })
        .collect();
    assert!(steps.contains(&("request-GET", "g1", Some(12), Some(0))), "{steps:?}");
    assert!(steps.contains(&("request-GET", "bad", Some(12), Some(12))), "{steps:?}");
    assert!(!steps.iter().any(|row| row.1 == "never" && row.2 != Some(0)), "a failing step ends the iteration");
    let mut transactions: Vec<_> = run.summary["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["passed"].as_u64().unwrap(), row["failed"].as_u64().unwrap()))
        .collect();
    transactions.sort_unstable();
    assert_eq!(transactions, [("Action", 0, 12), ("t1", 12, 0), ("t2", 0, 12)]);
    assert_eq!(run.errors("assertion"), 12);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 24);
}

#[test]
fn the_targets_count_equals_ours_with_stops_at_random_moments() {
    for round in 0..6 {
        let target = target();
        let running = start(&["hit", &url(&target, "/hello/a"), "-c", "50", "-d", "30s"]);
        thread::sleep(Duration::from_millis(200 + random_ms(round)));
        running.interrupt();
        let run = running.finish();
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.assert_conserved();
        assert_eq!(run.number("/conservation/abandoned"), 0, "the stop drains");
        assert_eq!(target.stop().requests, run.number("/totals/exchanges/sent"));
    }
}

#[test]
fn nginx_counts_what_we_sent_with_stops_at_random_moments() {
    let nginx = Nginx::start();
    let mut questions = 0;
    for round in 0..6 {
        let before = nginx.requests(questions);
        questions += 1;
        let running = start(&["hit", &format!("http://{}/hello/a", nginx.address), "-c", "50", "-d", "30s"]);
        thread::sleep(Duration::from_millis(200 + random_ms(round)));
        running.interrupt();
        let run = running.finish();
        run.assert_conserved();
        assert!(run.number("/totals/requests") > 0);
        assert_eq!(nginx.requests(questions) - before, run.number("/totals/exchanges/sent"));
        questions += 1;
    }
}

#[test]
fn a_second_interrupt_ends_the_run_now_and_still_reports() {
    let target = target();
    let running = start(&["hit", &url(&target, "/delay/30000"), "-c", "5", "-d", "60s", "--timeout", "60s"]);
    thread::sleep(Duration::from_millis(700));
    running.interrupt();
    thread::sleep(Duration::from_millis(300));
    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.number("/conservation/started"), 5);
    assert_eq!(run.number("/conservation/abandoned"), 5);
    assert_eq!(run.number("/totals/requests"), 0);
    assert_eq!(run.number("/totals/exchanges/sent"), 5);
    run.assert_conserved();
}

#[test]
fn think_time_ends_at_once_when_the_run_stops() {
    let target = target();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: think, base_url: \"http://{}\"}}\nteststeps:\n\
             - {{name: g, request: {{method: GET, url: /hello/x}}}}\n\
             - {{name: wait, think_time: {{time: 50}}}}\n",
            target.local_addr()
        ),
    );
    let run = run(&["boom", &case, "--spawn-count", "3", "--spawn-rate", "1000", "--run-time", "1"]);
    assert_eq!(run.number("/totals/requests"), 3);
    let duration_s = run.summary["run"]["duration_s"].as_f64().unwrap();
    assert!(duration_s < 40.0, "the think time of 50 s was not waited for: {duration_s}");
    run.assert_conserved();
}

#[test]
fn a_rate_limit_counts_requests_and_loses_no_loop() {
    let target = target();
    let (_folder, case) = one_request_case(&target);
    let run =
        run(&["boom", &case, "--spawn-count", "4", "--spawn-rate", "1000", "--loop-count", "5", "--max-rps", "50"]);
    assert_eq!(run.number("/totals/requests"), 20, "hrp would run 5 of these 20");
    assert_eq!(target.stop().requests, 20);
}

#[test]
fn two_cores_share_the_load_and_their_counts_add_up() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-c", "9", "-n", "500", "--cores", "2"]);
    assert_eq!(run.number("/totals/requests"), 500);
    assert_eq!(run.number("/client/connections/opened"), 9);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 500);
}

#[test]
fn a_dead_idle_connection_is_replaced_and_no_request_fails() {
    let target = target();
    let get =
        run(&["hit", &url(&target, "/close-after/5/hello/x?announce=0"), "-c", "2", "-n", "100", "--max-rps", "200"]);
    assert_eq!(get.number("/totals/requests"), 100);
    assert_eq!(get.number("/totals/failures"), 0);
    get.assert_conserved();
    assert_eq!(target.counts().requests, 100);
}

#[test]
fn without_keepalive_each_request_has_a_connection_of_its_own() {
    let target = target();
    let (_folder, case) = one_request_case(&target);
    let run = run(&[
        "boom",
        &case,
        "--spawn-count",
        "2",
        "--spawn-rate",
        "1000",
        "--loop-count",
        "50",
        "--disable-keepalive",
    ]);
    assert_eq!(run.number("/totals/requests"), 100);
    assert_eq!(run.number("/client/connections/opened"), 100);
    assert_eq!(run.number("/client/connections/reused"), 0);
    assert_eq!(target.stop().connections_opened, 100);
}

/// A case of one request, in a folder that goes when it is dropped.
fn one_request_case(target: &pummel_target::Target) -> (Folder, String) {
    let folder = Folder::new();
    let case = format!(
        "config: {{name: one, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: g, request: {{method: GET, url: /hello/x}}}}\n",
        target.local_addr()
    );
    let path = folder.write("case.yml", &case);
    (folder, path)
}

/// Up to half a second, different in each round and each process.
fn random_ms(round: u64) -> u64 {
    let seed =
        u64::from(std::process::id()) ^ std::time::SystemTime::now().elapsed().map_or(0, |t| t.as_nanos() as u64);
    (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round * 137)) % 500
}
