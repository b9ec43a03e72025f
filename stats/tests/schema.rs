//! `pummel.summary/1` as scripts read it: names, order, types, nulls.

mod common;

use common::{key, run_of_one_request, start, S};
use pummel_stats::{sample, FinalFacts, RowKind, Summary};
use serde_json::Value;

/// Every name the schema promises, by the object that holds it.
const PROMISED: [(&str, &[&str]); 16] = [
    (
        "",
        &[
            "schema",
            "run",
            "plan",
            "totals",
            "steps",
            "setup",
            "transactions",
            "errors",
            "warmup",
            "failure_samples",
            "failure_samples_left_out",
            "series",
            "client",
            "phases",
            "tls",
            "plugin",
            "conservation",
            "thresholds",
        ],
    ),
    ("/run", &["id", "name", "command", "model", "started_at", "duration_s", "load_s", "warmup_s", "version", "host"]),
    ("/run/host", &["kernel", "cpus", "cores_used"]),
    (
        "/totals",
        &[
            "requests",
            "failures",
            "failure_ratio",
            "rps",
            "bytes_received",
            "bytes_sent",
            "bytes_decoded",
            "exchanges",
            "service_us",
            "response_us",
            "failed_us",
        ],
    ),
    ("/totals/exchanges", &["sent", "answered", "redirects", "stale_retries", "auth_rounds", "unsent"]),
    (
        "/totals/service_us",
        &["count", "min", "mean", "stddev", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99", "max"],
    ),
    (
        "/steps/0",
        &[
            "case",
            "type",
            "name",
            "requests",
            "failures",
            "rps",
            "bytes_received",
            "exchanges",
            "service_us",
            "response_us",
            "failed_us",
            "phases",
            "plugin_us",
        ],
    ),
    ("/transactions/0", &["case", "type", "name", "passed", "failed", "rps", "duration_us"]),
    ("/errors/0", &["kind", "step", "message", "count"]),
    (
        "/series/0",
        &[
            "t_s",
            "span_s",
            "users",
            "requests",
            "failures",
            "p50_us",
            "p95_us",
            "p99_us",
            "bytes_received",
            "handshakes",
            "plugin_calls",
            "warmup",
            "drain",
        ],
    ),
    ("/client", &["verdict", "limit", "reasons", "cpu_cores", "connections", "lateness_us", "exhausted"]),
    ("/client/connections", &["opened", "peak", "reused", "stale", "errors"]),
    ("/conservation", &["started", "succeeded", "failed", "abandoned", "exchanges", "ok"]),
    ("/client/lateness_us", &["count", "max"]),
    ("/phases", &["dns_us", "connect_us", "tls_us", "send_us", "wait_us", "receive_us"]),
    ("/phases/connect_us", &["count", "p50", "max"]),
];

#[test]
fn every_promised_name_is_there() {
    let json = serde_json::to_value(sample::summary()).unwrap();
    for (place, names) in PROMISED {
        let object = json.pointer(place).and_then(Value::as_object).unwrap_or_else(|| panic!("{place} is no object"));
        for name in names {
            assert!(object.contains_key(*name), "{place} has no {name}");
        }
    }
    assert_eq!(json["schema"], "pummel.summary/1");
    assert_eq!(json["run"]["model"], "closed");
    assert_eq!(json["client"]["verdict"], "valid");
    assert_eq!(json["client"]["limit"], "server");
    assert_eq!(json["thresholds"], Value::Array(Vec::new()));
}

#[test]
fn microseconds_are_integers_means_are_floats_and_nothing_is_null() {
    let json = serde_json::to_value(sample::summary()).unwrap();
    let service = &json["totals"]["service_us"];
    for integer in ["count", "min", "p50", "p99_99", "max"] {
        assert!(service[integer].is_u64(), "{integer}");
    }
    assert!(service["mean"].is_f64() && service["stddev"].is_f64());
    assert!(json["totals"]["rps"].is_f64());
    let nothing = &json["steps"][0]["failed_us"];
    assert_eq!(nothing["count"], 0);
    assert!(nothing["min"].is_null() && nothing["p50"].is_null() && nothing["mean"].is_null());
}

#[test]
fn what_is_written_can_be_read_back() {
    let summary = sample::summary();
    let text = serde_json::to_string_pretty(&summary).unwrap();
    assert!(serde_json::from_str::<Summary>(&text).unwrap() == summary, "read back differently:\n{text}");
}

#[test]
fn a_reader_ignores_what_it_does_not_know_and_fills_in_what_is_missing() {
    let text = r#"{"schema":"pummel.summary/1","totals":{"requests":7,"novelty":true},"later":{}}"#;
    let summary: Summary = serde_json::from_str(text).unwrap();
    assert_eq!(summary.totals.requests, 7);
    assert!(summary.steps.is_empty());
}

#[test]
fn a_real_run_carries_its_plan_and_its_start() {
    let json = serde_json::to_value(run_of_one_request(FinalFacts::default())).unwrap();
    assert_eq!(json["plan"]["users"], 1);
    assert_eq!(json["run"]["id"], "id");
    let started_at = json["run"]["started_at"].as_str().unwrap();
    assert!(started_at.len() == 24 && started_at.ends_with('Z') && started_at.starts_with("20"), "{started_at}");
    assert_eq!(json["totals"]["service_us"]["p50"], 400);
    assert_eq!(json["totals"]["response_us"]["p50"], 401);
}

#[test]
fn the_rate_of_a_transaction_is_that_of_the_load_window() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Transaction, "buy"));
    recorder.user_started(0);
    // 3 passed and 1 failed in 2 s of load; the one that ends after the stop is counted and is no part of the rate.
    (0..4).for_each(|n| recorder.transaction(row, n > 0, 100));
    recorder.load_stopped(2 * S);
    collector.load_stopped(2 * S);
    recorder.transaction(row, true, 100);
    recorder.user_finished(3 * S);
    recorder.finish(3 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    let buy = &summary.transactions[0];
    assert_eq!((buy.passed, buy.failed), (4, 1));
    assert!((buy.rps - 2.0).abs() < 1e-9, "{}", buy.rps);
}
