//! What the page says of small runs, by hand.

use serde_json::{json, Value};

use super::data::PageData;
use super::html_report;
use super::made_up::{hostile_name, hour, key, run, span};
use crate::collector::Model;
use crate::failure::{FailureSample, SampledMessage};
use crate::kept::{KeptRun, KeptSecond, RunState};
use crate::row::{RowKey, RowKind};
use crate::summary::{SeriesPoint, Threshold};

fn data(run: &KeptRun, spans: &[KeptSecond]) -> Value {
    serde_json::to_value(PageData::new(run, spans.to_vec())).unwrap()
}

/// The data as it stands in the page.
fn data_in(page: &str) -> &str {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("the data's element");
    rest.split_once("</script>").expect("its end").0
}

fn two_steps() -> KeptRun {
    run(vec![key(RowKind::Request, "a"), key(RowKind::Request, "b"), key(RowKind::Transaction, "t")])
}

#[test]
fn rates_are_counts_divided_by_the_spans_seconds() {
    let spans = [span(0, 3, &[(0, &[10, 20, 30, 40], 2), (1, &[50], 0)]), span(3, 3, &[(1, &[60, 70], 1)])];
    let charts = &data(&two_steps(), &spans)["charts"];
    assert_eq!((&charts["t_s"], &charts["span_s"]), (&json!([0, 3]), &json!([3, 3])));
    assert_eq!(charts["users"], json!([10, 13]));
    assert_eq!(charts["received"], json!([1000, 1000]));
    // 7 requests of 100 bytes, and 3.
    assert_eq!(charts["sent"], json!([233.3, 100]));
    assert_eq!(charts["connections"], json!([4, 4]));
    assert_eq!(charts["cpu"], json!([25, 25]));
    assert_eq!(charts["all"]["rps"], json!([2.333, 1]));
    assert_eq!(charts["all"]["failures"], json!([0.6667, 0.3333]));
    // The row of the transaction has nothing, so there is no curve of it.
    let rows = charts["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| &row["name"]).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((&rows[0]["rps"], &rows[0]["failures"]), (&json!([2, 0]), &json!([0.6667, 0])));
    assert_eq!(rows[1]["rps"], json!([0.3333, 1]));
    assert_eq!((&charts["arrivals"], &charts["all_service"]), (&json!([]), &json!([])));
}

#[test]
fn percentiles_are_of_the_spans_samples_and_null_where_there_are_none() {
    let ten: Vec<u64> = (1..=10).map(|n| n * 10).collect();
    let spans = [span(0, 1, &[(0, &ten, 0), (2, &[900], 0)]), span(1, 1, &[(1, &[7], 0)]), span(2, 1, &[])];
    let charts = &data(&two_steps(), &spans)["charts"];
    assert_eq!(charts["all"]["p50"], json!([50, 7, null]));
    assert_eq!(charts["all"]["p95"], json!([100, 7, null]));
    assert_eq!(charts["rows"][0]["p50"], json!([50, null, null]));
    assert_eq!(charts["rows"][0]["p99_9"], json!([100, null, null]));
    assert_eq!(
        (&charts["rows"][2]["transaction"], &charts["rows"][2]["p99"]),
        (&json!(true), &json!([900, null, null]))
    );
}

#[test]
fn a_distribution_goes_as_far_as_a_sample_lies_beyond() {
    let hundred: Vec<u64> = (1..=100).collect();
    let mut spans = vec![
        span(0, 1, &[(0, &[5_000], 0)]),
        span(1, 1, &[(0, &hundred[..50], 0)]),
        span(2, 1, &[(0, &hundred[50..], 0)]),
    ];
    spans[0].point.warmup = true;
    let charts = &data(&two_steps(), &spans)["charts"];
    let distribution = charts["all"]["distribution"].as_array().unwrap();
    // Two factors of ten of 20 points each, and the first.
    assert_eq!(distribution.len(), 41);
    // None, 90 % and 99 %; the warm-up's sample is not among them.
    assert_eq!((&distribution[0], &distribution[20], &distribution[40]), (&json!(1), &json!(90), &json!(99)));
    assert_eq!(&charts["rows"][0]["distribution"], &charts["all"]["distribution"]);
}

#[test]
fn what_is_missing_in_time_is_a_gap_and_the_drain_is_no_point() {
    let mut drain = span(9, 1, &[(0, &[1_000], 0)]);
    drain.point.drain = true;
    let mut first = span(0, 2, &[(0, &[10], 0)]);
    first.point.warmup = true;
    let spans = [first, span(2, 2, &[(0, &[20], 0)]), span(7, 2, &[(0, &[30], 0)]), drain];
    let charts = &data(&two_steps(), &spans)["charts"];
    assert_eq!((&charts["t_s"], &charts["span_s"]), (&json!([0, 2, 4, 7]), &json!([2, 2, 3, 2])));
    assert_eq!(charts["all"]["rps"], json!([0.5, 0.5, null, 0.5]));
    assert_eq!(charts["all"]["p50"], json!([10, 20, null, 30]));
    assert_eq!(charts["users"], json!([10, 12, null, 17]));
    assert_eq!(charts["warmup"], json!([[0, 2]]));
    // What the drain brought was measured: of three samples the share of a half lies at the second.
    assert_eq!(charts["all"]["distribution"][6], 30);
}

#[test]
fn an_open_run_has_response_times_and_its_arrivals() {
    let mut run = two_steps();
    run.summary.run.model = Model::Open;
    run.summary.totals.response_us.p99 = Some(123);
    let mut one = span(0, 2, &[(0, &[10, 10], 0)]);
    one.parts[0].response_us = super::made_up::distribution([70, 70]);
    (one.point.arrivals, one.point.arrivals_missed) = (3, 1);
    let data = data(&run, &[one]);
    let charts = &data["charts"];
    assert_eq!((&charts["arrivals"], &charts["arrivals_missed"]), (&json!([1.5]), &json!([0.5])));
    assert_eq!((&charts["all"]["p50"], &charts["rows"][0]["p50"]), (&json!([70]), &json!([70])));
    assert_eq!(charts["all"]["distribution"][0], 70);
    assert_eq!(charts["all_service"][0], 10);
    assert_eq!(data["totals"]["latency_us"][8], 123);
}

#[test]
fn a_run_that_was_cut_off_has_no_verdict() {
    let mut run = two_steps();
    run.state = RunState::CutOff;
    let spans = [span(0, 2, &[(0, &[10], 0)]), span(2, 1, &[(0, &[10], 0)])];
    let data = data(&run, &spans);
    assert_eq!((&data["cut_off"], &data["written_s"], &data["verdict"]), (&json!(true), &json!(3), &Value::Null));
    assert!(html_report(&run, spans.clone()).contains("<title>boom demo: cut off</title>"));
    let groups = data["environment"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["title"] != "Load generator"));
}

#[test]
fn the_title_says_how_it_went() {
    let mut run = two_steps();
    assert!(html_report(&run, []).contains("<title>boom demo: valid</title>"));
    run.summary.thresholds = vec![Threshold { expression: "p99<1ms".into(), ok: false, ..Threshold::default() }];
    assert!(html_report(&run, []).contains("<title>boom demo: threshold missed</title>"));
}

#[test]
fn rows_beyond_the_bound_are_counted_and_the_busiest_are_drawn() {
    let run = run((0..50).map(|n| key(RowKind::Request, &format!("step {n}"))).collect());
    let latencies: Vec<Vec<u64>> = (0..50).map(|n| vec![10; n + 1]).collect();
    let parts: Vec<(usize, &[u64], u64)> =
        latencies.iter().enumerate().map(|(row, us)| (row, us.as_slice(), 0)).collect();
    let charts = &data(&run, &[span(0, 1, &parts)])["charts"];
    assert_eq!(charts["rows_left_out"], 10);
    let rows = charts["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"], &rows[39]["name"]), (40, &json!("step 10"), &json!("step 49")));
}

#[test]
fn hostile_texts_stay_texts_and_are_bounded() {
    let name = hostile_name();
    let mut run = run(vec![RowKey { name: name.clone(), ..key(RowKind::Request, "") }]);
    let summary = &mut run.summary;
    run.label = Some(name.to_string());
    summary.run.name = name.to_string();
    summary.run.host.kernel = name.to_string();
    summary.plan = json!({ name.as_ref(): name.as_ref() });
    summary.steps[0].name = name.to_string();
    summary.transactions[0].case = name.to_string();
    (summary.errors[0].message, summary.errors[0].step) = (name.to_string(), name.to_string());
    summary.addresses[0].address = name.to_string();
    summary.client.reasons = vec![name.to_string()];
    summary.thresholds =
        vec![Threshold { expression: name.to_string(), reason: Some(name.to_string()), ..Threshold::default() }];
    summary.failure_samples = vec![FailureSample {
        step: name.to_string(),
        request: SampledMessage { head: name.to_string(), body: name.to_string(), ..SampledMessage::default() },
        ..FailureSample::default()
    }];
    let page = html_report(&run, [span(0, 1, &[(0, &[10], 0)])]);

    // The frame's own four scripts, and no image.
    let tags = |tag: &str| page.matches(tag).count();
    assert_eq!((tags("<script"), tags("</script>"), tags("<img")), (4, 4, 0));
    assert!(page.contains("<title>boom &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;  xxx"));
    let json = data_in(&page);
    assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\n']));
    let data: Value = serde_json::from_str(json).unwrap();
    let kept = data["steps"]["rows"][0]["name"].as_str().unwrap();
    assert_eq!(kept.chars().count(), 256);
    assert!(kept.starts_with("</script><img src=x onerror=alert(1)>\"'  xxx") && kept.ends_with('…'));
    assert_eq!(data["charts"]["rows"][0]["name"], kept);
    let sample = &data["samples"]["rows"][0]["request"];
    assert_eq!(sample["body"].as_str().unwrap().chars().count(), 4_096);
    assert_eq!((&sample["head_whole"], &sample["body_whole"]), (&json!(false), &json!(false)));
    // Two dozen places, each bounded.
    assert!(json.len() < 40_000, "{} bytes", json.len());
}

#[test]
fn the_policy_lets_nothing_run_or_load_but_what_the_page_was_made_with() {
    let (one, other) = (html_report(&two_steps(), []), html_report(&two_steps(), [span(0, 1, &[])]));
    let policy = |page: &str| {
        let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    assert!(policy(&one).starts_with("default-src 'none'; style-src 'nonce-"));
    assert!(!policy(&one).contains("unsafe") && !policy(&one).contains('*'));
    // It is told by the run, and the same for the same.
    assert_ne!(policy(&one), policy(&other));
    assert_eq!(one, html_report(&two_steps(), []));
    // The one address on the page stands in the library's licence line.
    assert_eq!(one.matches("http").count() - one.matches("http-equiv").count(), 1);
}

#[test]
fn samples_of_failures_are_bounded_together_and_counted() {
    let mut run = two_steps();
    let sample = FailureSample {
        request: SampledMessage { body: "b".repeat(4_000), ..SampledMessage::default() },
        ..FailureSample::default()
    };
    run.summary.failure_samples = vec![sample; 90];
    run.summary.failure_samples_left_out = 7;
    let samples = &data(&run, &[])["samples"];
    // 65 times 4,000 bytes are within 256 KiB.
    assert_eq!((samples["rows"].as_array().unwrap().len(), &samples["left_out"]), (65, &json!(32)));
}

#[test]
fn an_hour_of_20_steps_is_less_than_a_megabyte() {
    let (run, spans) = hour();
    let page = html_report(&run, spans.clone());
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let data: Value = serde_json::from_str(data_in(&page)).unwrap();
    assert_eq!(data["charts"]["rows"].as_array().unwrap().len(), 22);
    assert_eq!(data["charts"]["rows"][21]["p99_9"].as_array().unwrap().len(), 600);
    // The made-up span counts transactions too: 22 rows with 50 that succeed and 6 that fail, in 6 s.
    assert_eq!(data["charts"]["all"]["rps"][6], 205.3);
}

#[test]
fn no_time_at_all_is_a_page_too() {
    let mut empty = run(Vec::new());
    empty.summary = crate::summary::Summary::default();
    let mut odd = span(0, 0, &[(7, &[10], 0)]);
    odd.point = SeriesPoint::default();
    for spans in [Vec::new(), vec![odd]] {
        let data: Value = serde_json::from_str(data_in(&html_report(&empty, spans.clone()))).unwrap();
        assert_eq!(data["charts"]["rows"], json!([]));
    }
}
