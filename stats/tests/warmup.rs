//! A warm-up is kept apart, and nothing of it is lost.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

use common::{fail, key, one_sent, sample, spec, start, start_spec, start_with_warmup, succeed, Keep, S};
use proptest::prelude::*;
use pummel_stats::summary::{ErrorCount, Step, Warmup};
use pummel_stats::threshold::{Abort, Watch};
use pummel_stats::{
    ArrivalsPart, Collector, CollectorSpec, Delivery, Distribution, EndpointKind, FinalFacts, Opening, PluginCaller,
    Recorder, RowKind, Summary,
};

fn one(cores: (Collector, Vec<Recorder>)) -> (Collector, Recorder) {
    let (collector, mut recorders) = cores;
    (collector, recorders.remove(0))
}

fn end(collector: Collector) -> Arc<Summary> {
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    summary
}

fn warmup(summary: &Summary) -> &Warmup {
    summary.warmup.as_ref().expect("a warm-up")
}

/// Name, requests, failures; by name, as the order in which cores tell of their rows is not known.
fn counts(steps: &[Step]) -> Vec<(&str, u64, u64)> {
    let mut counts: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.requests, step.failures)).collect();
    counts.sort_unstable();
    counts
}

fn messages(errors: &[ErrorCount]) -> Vec<(&str, u64)> {
    errors.iter().map(|error| (error.message.as_str(), error.count)).collect()
}

fn same(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

/// One core, 2 s of warm-up and 2 s that are measured.
///
/// Warm-up: 10 requests of 1 ms in second 0, 5 of 2 ms and a failure in second 1. Measured: one that was under way, of 9 ms, and 20
/// of 0.5 ms in second 2, a failure in second 3.
fn two_and_two_seconds(keep: &Keep) -> Arc<Summary> {
    let (collector, mut recorder) = one(start_with_warmup(1, 2 * S, vec![keep.spec(Delivery::Lossless)]));
    let row = recorder.row(key(RowKind::Request, "a"));
    let transaction = recorder.row(key(RowKind::Transaction, "t"));
    recorder.user_started(0);
    (0..10).for_each(|_| succeed(&mut recorder, row, 1_000));
    recorder.transaction(transaction, true, 50);
    recorder.hand_over(1);
    keep.wait_for(1);
    (0..5).for_each(|_| succeed(&mut recorder, row, 2_000));
    fail(&mut recorder, row, "cold");
    fail(&mut recorder, row, "both");
    recorder.lateness(700);
    recorder.started();
    recorder.warmup_ended(2 * S + 30_000);
    keep.wait_for(2);
    recorder.exchanges(row, one_sent());
    recorder.succeeded(row, sample(9_000));
    (0..20).for_each(|_| succeed(&mut recorder, row, 500));
    recorder.transaction(transaction, false, 60);
    recorder.lateness(2);
    recorder.hand_over(3);
    keep.wait_for(3);
    fail(&mut recorder, row, "both");
    recorder.user_finished(4 * S);
    recorder.finish(4 * S);
    end(collector)
}

#[test]
fn arrivals_that_wait_at_the_end_of_the_warmup_are_carried_over_it() {
    let (collector, mut recorder) = one(start_with_warmup(1, 2 * S, Vec::new()));
    recorder.user_started(0);
    recorder.arrivals(ArrivalsPart { intended: 200, made: 150, missed: 10, ..ArrivalsPart::default() });
    recorder.warmup_ended(2 * S);
    recorder.arrivals(ArrivalsPart { intended: 100, made: 120, missed: 20, ..ArrivalsPart::default() });
    recorder.user_finished(3 * S);
    recorder.finish(3 * S);
    let facts = FinalFacts { users_max: Some(5), ..FinalFacts::default() };
    let summary = collector.finish(facts).unwrap().summary;
    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    let arrivals = summary.arrivals.as_ref().unwrap();
    assert_eq!((arrivals.intended, arrivals.carried, arrivals.made, arrivals.missed), (100, 40, 120, 20));
    assert_eq!(arrivals.made_of_intended(), 80);
}

#[test]
fn each_part_has_its_own_figures() {
    let summary = two_and_two_seconds(&Keep::default());
    let before = warmup(&summary);
    assert!(same(before.planned_s, 2.0) && same(before.duration_s, 2.0) && same(summary.run.warmup_s, 2.0));
    assert_eq!((before.requests, before.failures, before.bytes_received), (17, 2, 3_000));
    assert!(same(before.rps, 8.5) && same(before.steps[0].rps, 8.5));
    assert_eq!((before.service_us.count, before.service_us.p50, before.service_us.max), (15, Some(1_000), Some(2_000)));
    assert_eq!((before.response_us.max, before.failed_us.count, before.exchanges.sent), (Some(2_001), 2, 15));
    assert_eq!(counts(&before.steps), [("a", 17, 2)]);
    assert_eq!((before.transactions[0].passed, before.transactions[0].failed), (1, 0));
    assert_eq!(messages(&before.errors), [("cold", 1), ("both", 1)]);

    let totals = &summary.totals;
    assert_eq!((totals.requests, totals.failures, totals.bytes_received), (22, 1, 4_200));
    assert_eq!((totals.service_us.count, totals.service_us.p50, totals.service_us.max), (21, Some(500), Some(9_000)));
    assert_eq!((totals.exchanges.sent, totals.exchanges.unsent), (21, 1));
    assert_eq!(counts(&summary.steps), [("a", 22, 1)]);
    assert_eq!((summary.transactions[0].passed, summary.transactions[0].failed), (0, 1));
    assert_eq!(messages(&summary.errors), [("both", 1)]);
    assert_eq!((summary.client.lateness_us.count, summary.client.lateness_us.max), (1, Some(2)));
    // 22 requests and 1 transaction in 2 s.
    assert!(same(summary.run.load_s, 2.0) && same(totals.rps, 11.0) && same(summary.steps[0].rps, 11.0));
    assert!(same(summary.run.duration_s, 4.0) && same(summary.transactions[0].rps, 0.5));
    assert_eq!((summary.conservation.started, summary.conservation.succeeded), (39, 36));
    let series: Vec<_> = summary.series.iter().map(|point| (point.t_s, point.requests, point.warmup)).collect();
    assert_eq!(series, [(0, 10, true), (1, 7, true), (2, 21, false), (3, 1, false)]);
}

#[test]
fn snapshots_are_of_the_warmup_and_begin_anew_behind_it() {
    let keep = Keep::default();
    two_and_two_seconds(&keep);
    let snapshots = keep.snapshots.lock().unwrap();
    let told: Vec<_> = snapshots
        .iter()
        .map(|s| (s.point.warmup, s.overall.requests, s.overall.load_s as u64, s.totals[0].succeeded, s.errors.len()))
        .collect();
    assert_eq!(told, [(true, 10, 1, 10, 0), (true, 17, 2, 15, 2), (false, 21, 1, 21, 0), (false, 22, 2, 21, 1)]);
    assert_eq!((snapshots[1].client.lateness_us.max, snapshots[2].client.lateness_us.max), (Some(700), Some(2)));
    assert_eq!(snapshots[1].overall.in_flight, 1);
}

#[test]
fn cores_part_the_warmup_at_moments_of_their_own() {
    let (collector, mut recorders) = start_with_warmup(2, S + S / 2, Vec::new());
    let (mut late, mut on_time) = (recorders.pop().unwrap(), recorders.pop().unwrap());
    let a = on_time.row(key(RowKind::Request, "a"));
    let b = late.row(key(RowKind::Request, "b"));
    on_time.user_started(0);
    late.user_started(0);
    (0..3).for_each(|_| succeed(&mut on_time, a, 100));
    on_time.hand_over(1);
    late.hand_over(1);
    (0..2).for_each(|_| succeed(&mut on_time, a, 100));
    on_time.warmup_ended(S + S / 2);
    // Seen after the warm-up by one core, while the other is still in it.
    let c = on_time.row(key(RowKind::Request, "c"));
    (0..4).for_each(|_| succeed(&mut on_time, c, 100));
    fail(&mut on_time, c, "new");
    on_time.hand_over(2);
    let d = late.row(key(RowKind::Request, "d"));
    (0..5).for_each(|_| succeed(&mut late, b, 100));
    fail(&mut late, d, "old");
    // Its ticker comes before its warm-up's end.
    late.hand_over(2);
    late.warmup_ended(2 * S + 1);
    (0..7).for_each(|_| succeed(&mut late, d, 100));
    for mut recorder in [on_time, late] {
        recorder.user_finished(3 * S + S / 2);
        recorder.finish(3 * S + S / 2);
    }
    let summary = end(collector);
    assert_eq!(counts(&warmup(&summary).steps), [("a", 5, 0), ("b", 5, 0), ("d", 1, 1)]);
    assert_eq!(counts(&summary.steps), [("a", 0, 0), ("b", 0, 0), ("c", 5, 1), ("d", 7, 0)]);
    assert_eq!(messages(&warmup(&summary).errors), [("old", 1)]);
    assert_eq!(messages(&summary.errors), [("new", 1)]);
    // 12 requests in 2 s.
    assert!(same(summary.run.load_s, 2.0) && same(summary.totals.rps, 6.0) && same(warmup(&summary).duration_s, 1.5));
    let series: Vec<_> = summary.series.iter().map(|p| (p.requests, p.users, p.warmup)).collect();
    assert_eq!(series, [(3, 2, true), (13, 2, true), (0, 0, false), (7, 0, false)]);
}

#[test]
fn connections_addresses_and_once_per_user_steps_are_those_of_the_whole_run() {
    let (collector, mut recorder) = one(start_with_warmup(1, 2 * S, Vec::new()));
    let login = recorder.row(key(RowKind::Setup, "login"));
    let row = recorder.row(key(RowKind::Request, "a"));
    let address = recorder.endpoint(EndpointKind::Address, "127.0.0.1:1");
    recorder.user_started(0);
    for second in [0, 2] {
        (0..3).for_each(|_| recorder.opened(Opening { dns_us: None, connect_us: 90 }));
        (0..2).for_each(|_| recorder.handshake(500, false));
        recorder.endpoint_connected(address);
        recorder.connection_reused();
        recorder.setup_succeeded(login, sample(10));
        recorder.setup_failed(login, 20, 0, 0, "assertion", "not yet");
        succeed(&mut recorder, row, 100);
        if second == 0 {
            recorder.warmup_ended(2 * S);
        }
    }
    recorder.connection_closed();
    recorder.user_finished(4 * S);
    recorder.finish(4 * S);
    let summary = end(collector);
    let connections = &summary.client.connections;
    assert_eq!((connections.opened, connections.closed, connections.peak, connections.reused), (6, 1, 6, 2));
    assert_eq!((summary.phases.connect_us.count, summary.addresses[0].connections), (6, 2));
    let tls = summary.tls.as_ref().unwrap();
    // 2 of the 4 handshakes came in the 2 s that are measured.
    assert!(tls.handshakes == 4 && same(tls.handshakes_per_s, 1.0));
    // 4 in the 4 s of the whole run.
    assert_eq!(counts(&summary.setup), [("login", 4, 2)]);
    assert!(same(summary.setup[0].rps, 1.0));
    assert_eq!(messages(&summary.errors), [("not yet", 2)]);
    assert_eq!((warmup(&summary).requests, summary.totals.requests, warmup(&summary).errors.len()), (1, 1, 0));
}

#[test]
fn calls_of_plugins_are_those_of_the_whole_run_and_their_share_that_of_what_is_measured() {
    let (collector, mut recorder) = one(start_with_warmup(1, 10 * S, Vec::new()));
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    recorder.plugin_in_flight(3);
    recorder.plugin_call(PluginCaller::Row(row), 9_000_000, true);
    recorder.plugin_call(PluginCaller::Iteration, 1_000, false);
    recorder.warmup_ended(10 * S);
    recorder.plugin_in_flight(2);
    recorder.plugin_call(PluginCaller::Row(row), 2_000_000, false);
    recorder.user_finished(20 * S);
    recorder.finish(20 * S);
    let summary = end(collector);
    let plugin = summary.plugin.as_ref().expect("calls");
    assert_eq!((plugin.calls, plugin.errors, plugin.in_flight_max), (3, 1, 3));
    assert_eq!((plugin.call_us.count, plugin.call_us.min, plugin.call_us.max), (3, Some(1_000), Some(9_000_000)));
    // 2 of the 10 s of one user.
    assert_eq!(plugin.share_of_iterations, Some(0.2));
    assert_eq!(summary.steps[0].plugin_us.as_ref().map(|calls| calls.count), Some(1));
}

#[test]
fn littles_law_is_about_what_is_measured() {
    let (collector, mut recorder) = one(start_with_warmup(1, 10 * S, Vec::new()));
    recorder.user_started(0);
    recorder.user_started(0);
    (0..10).for_each(|_| recorder.iteration(2_000_000));
    recorder.warmup_ended(10 * S);
    (0..100).for_each(|_| recorder.iteration(200_000));
    recorder.load_stopped(20 * S);
    collector.load_stopped(20 * S);
    recorder.finish(20 * S);
    let summary = end(collector);
    // 2 users, 10 iterations a second of 0.2 s.
    let little = summary.client.little.as_ref().expect("enough iterations");
    assert!(same(little.users, 2.0) && same(little.iterations_per_s, 10.0) && same(little.ratio, 1.0), "{little:?}");
}

#[test]
fn a_run_that_stops_in_its_warmup_measures_nothing() {
    let thresholds = Watch::new(vec!["errors<1%".parse().unwrap(), "requests<5".parse().unwrap()], None);
    let warm = Some(Duration::from_secs(5));
    let (collector, mut recorder) = one(start_spec(CollectorSpec { thresholds, warmup: warm, ..spec(1) }));
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    (0..6).for_each(|_| succeed(&mut recorder, row, 100));
    recorder.started();
    recorder.load_stopped(2 * S);
    collector.load_stopped(2 * S);
    recorder.exchanges(row, one_sent());
    recorder.succeeded(row, sample(100));
    recorder.user_finished(6 * S);
    recorder.finish(6 * S);
    let summary = end(collector);
    assert_eq!((summary.totals.requests, warmup(&summary).requests), (0, 7));
    assert!(same(summary.run.load_s, 0.0) && same(summary.run.warmup_s, 2.0) && same(summary.totals.rps, 0.0));
    // What the drain brought is no part of a rate.
    assert!(same(warmup(&summary).rps, 3.0) && same(warmup(&summary).planned_s, 5.0));
    assert!(summary.series.iter().all(|point| point.warmup) && summary.series.last().unwrap().drain);
    for threshold in &summary.thresholds {
        assert_eq!(threshold.reason.as_deref(), Some("no request after the warm-up: the run ended within it"));
        assert!(!threshold.ok && threshold.value.is_none());
    }
    assert_eq!(summary.client.notes[0], "nothing was measured: the run ended within its warm-up");
}

#[test]
fn thresholds_look_at_nothing_of_the_warmup() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let abort = Abort { after: Duration::ZERO, stop: Box::new(move || count.fetch_add(1, Ordering::Relaxed) == 0) };
    let conditions = vec!["errors<=0".parse().unwrap(), "a:errors<10%".parse().unwrap()];
    let keep = Keep::default();
    let (collector, mut recorder) = one(start_spec(CollectorSpec {
        thresholds: Watch::new(conditions, Some(abort)),
        warmup: Some(Duration::from_secs(1)),
        outputs: vec![keep.spec(Delivery::Lossless)],
        ..spec(1)
    }));
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    fail(&mut recorder, row, "cold");
    recorder.warmup_ended(S);
    succeed(&mut recorder, row, 100);
    recorder.hand_over(2);
    recorder.user_finished(2 * S + S / 2);
    recorder.finish(2 * S + S / 2);
    let summary = end(collector);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let judged: Vec<_> = summary.thresholds.iter().map(|t| (t.value, t.ok, t.first_failed_s)).collect();
    assert_eq!(judged, [(Some(0.0), true, None), (Some(0.0), true, None)]);
    assert!(keep.snapshots.lock().unwrap()[0].point.warmup);
}

#[test]
fn a_request_that_was_lost_in_the_warmup_is_found() {
    let (collector, mut recorder) = one(start_with_warmup(1, S, Vec::new()));
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    succeed(&mut recorder, row, 100);
    recorder.started();
    recorder.warmup_ended(S);
    succeed(&mut recorder, row, 100);
    recorder.exchanges(row, one_sent());
    recorder.finish(2 * S);
    let conservation = collector.finish(FinalFacts::default()).unwrap().summary.conservation.clone();
    assert_eq!(conservation.broken, ["started against succeeded + failed + abandoned: 3 against 2"]);
}

#[test]
fn its_section_has_the_names_scripts_rely_on() {
    let json = serde_json::to_value(&*two_and_two_seconds(&Keep::default())).unwrap();
    let names: Vec<_> = json["warmup"].as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "planned_s",
        "duration_s",
        "requests",
        "failures",
        "rps",
        "bytes_received",
        "exchanges",
        "service_us",
        "response_us",
        "failed_us",
        "steps",
        "transactions",
        "errors",
    ];
    for name in promised {
        assert!(names.contains(&name), "{name}");
    }
    let of = |step: &serde_json::Value| step.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(of(&json["warmup"]["steps"][0]), of(&json["steps"][0]));
}

#[test]
fn without_a_warmup_the_summary_has_none() {
    let (collector, mut recorder) = one(start(1, Vec::new()));
    recorder.finish(S);
    let json = serde_json::to_value(&*end(collector)).unwrap();
    assert!(json["warmup"].is_null() && json["run"]["warmup_s"] == 0.0);
}

/// Records the values on one core with `cuts` hand-overs, the first `split` of them in a warm-up.
fn run(values: &[u64], split: Option<usize>, cuts: usize) -> (Arc<Summary>, Distribution) {
    let keep = Keep::default();
    let outputs = vec![keep.spec(Delivery::Lossless)];
    let every = values.len() / (cuts + 1) + 1;
    let (collector, mut recorder) = one(match split {
        None => start(1, outputs),
        // Hand-overs are at full seconds, the warm-up's end is between two.
        Some(split) => start_with_warmup(1, (split / every) as u64 * S + S / 2, outputs),
    });
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    for (n, &value) in values.iter().enumerate() {
        if split == Some(n) {
            recorder.warmup_ended((n / every) as u64 * S + S / 2);
        }
        succeed(&mut recorder, row, value);
        if n % every == every - 1 {
            recorder.hand_over((n / every + 1) as u64);
        }
    }
    recorder.user_finished(10 * S);
    recorder.finish(10 * S);
    let summary = end(collector);
    let mut all = Distribution::default();
    let snapshots = keep.snapshots.lock().unwrap();
    snapshots.iter().flat_map(|s| s.rows.iter().chain(s.corrections.iter().flat_map(|c| &c.rows))).for_each(|row| {
        all.merge(&row.latency);
    });
    (summary, all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_parts_are_what_runs_of_their_own_would_be(
        values in prop::collection::vec(1..60_000_000_u64, 2..300),
        share in 0.0..1.0_f64,
        cuts in 0..5_usize,
    ) {
        let split = (values.len() as f64 * share) as usize;
        let (whole, whole_us) = run(&values, None, cuts);
        let (parted, parted_us) = run(&values, Some(split), cuts);
        let (before, after) = (warmup(&parted), &parted.totals);
        prop_assert_eq!(before.requests, split as u64);
        prop_assert_eq!(before.requests + after.requests, whole.totals.requests);
        prop_assert_eq!(before.bytes_received + after.bytes_received, whole.totals.bytes_received);
        prop_assert_eq!(&before.service_us, &run(&values[..split], None, 0).0.totals.service_us);
        prop_assert_eq!(&after.service_us, &run(&values[split..], None, 0).0.totals.service_us);
        prop_assert_eq!(parted_us, whole_us);
        prop_assert_eq!(parted.series.iter().map(|point| point.requests).sum::<u64>(), values.len() as u64);
    }
}
