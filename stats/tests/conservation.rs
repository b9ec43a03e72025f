//! No count is lost or invented, whenever the cores hand over and however the run ends.

mod common;

use std::thread;

use common::{fail, key, one_sent, sample, start, start_ago, succeed, Keep, S};
use pummel_stats::{Delivery, FinalFacts, RowKind};

/// A small generator with a seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn several_cores_that_hand_over_at_random_lose_nothing() {
    const CORES: u64 = 4;
    const ROUNDS: u64 = 20_000;
    let keep = Keep::default();
    let (collector, recorders) = start(CORES as usize, vec![keep.spec(Delivery::Lossless)]);
    let threads: Vec<_> = recorders
        .into_iter()
        .enumerate()
        .map(|(core, mut recorder)| {
            thread::spawn(move || {
                let mut dice = Dice(core as u64 + 1);
                let rows = ["a", "b", "c"].map(|name| recorder.row(key(RowKind::Request, name)));
                let transaction = recorder.row(key(RowKind::Transaction, "t"));
                recorder.user_started(0);
                let mut second = 0;
                let (mut service_sum, mut failures) = (0, 0);
                for round in 0..ROUNDS {
                    let row = rows[dice.below(3) as usize];
                    if dice.below(10) == 0 {
                        fail(&mut recorder, row, "refused");
                        failures += 1;
                    } else {
                        let service_us = 1 + dice.below(100_000);
                        service_sum += service_us;
                        succeed(&mut recorder, row, service_us);
                    }
                    recorder.transaction(transaction, round % 2 == 0, 7);
                    if dice.below(500) == 0 {
                        second += 1 + dice.below(3);
                        recorder.hand_over(second);
                    }
                }
                recorder.user_finished((second + 1) * S);
                recorder.finish((second + 1) * S);
                (service_sum, failures)
            })
        })
        .collect();
    let told: Vec<(u64, u64)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;

    let failures: u64 = told.iter().map(|t| t.1).sum();
    let service_sum: u64 = told.iter().map(|t| t.0).sum();
    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    assert!(summary.conservation.ok && summary.conservation.exchanges);
    assert_eq!(summary.totals.requests, CORES * ROUNDS);
    assert_eq!(summary.totals.failures, failures);
    assert_eq!(summary.totals.bytes_received, 200 * (CORES * ROUNDS - failures));
    assert_eq!(summary.totals.exchanges.sent, CORES * ROUNDS - failures);
    assert_eq!(summary.totals.exchanges.unsent, failures);
    let service = &summary.totals.service_us;
    assert_eq!(service.count, CORES * ROUNDS - failures);
    assert_eq!(service.mean, Some((service_sum as f64 / service.count as f64 * 1000.0).round() / 1000.0));
    assert_eq!(summary.steps.len(), 3);
    assert_eq!(summary.steps.iter().map(|step| step.requests).sum::<u64>(), CORES * ROUNDS);
    assert_eq!(summary.transactions[0].passed, CORES * ROUNDS / 2);
    assert_eq!(summary.transactions[0].failed, CORES * ROUNDS / 2);
    assert_eq!(summary.transactions[0].duration_us.count, CORES * ROUNDS);
    assert_eq!(summary.errors.iter().map(|error| error.count).sum::<u64>(), failures);

    // What a store that applies snapshots and corrections would hold.
    let snapshots = keep.snapshots.lock().unwrap();
    let from_rows: u64 = snapshots
        .iter()
        .flat_map(|s| s.rows.iter().chain(s.corrections.iter().flat_map(|c| &c.rows)))
        .filter(|row| row.key.kind == RowKind::Request)
        .map(|row| row.succeeded + row.failed)
        .sum();
    assert_eq!(from_rows, CORES * ROUNDS);
    let numbers: Vec<u64> = snapshots.iter().flat_map(|s| &s.corrections).map(|c| c.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(snapshots.last().unwrap().overall.requests, CORES * ROUNDS);
}

#[test]
fn what_ends_after_the_stop_is_the_drain() {
    let keep = Keep::default();
    let (collector, mut recorders) = start(1, vec![keep.spec(Delivery::Lossless)]);
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    (0..10).for_each(|_| succeed(&mut recorder, row, 1_000));
    recorder.hand_over(1);
    (0..20).for_each(|_| succeed(&mut recorder, row, 2_000));
    (0..3).for_each(|_| recorder.started());
    recorder.load_stopped(2 * S + S / 100);
    collector.load_stopped(2 * S + S / 100);
    recorder.exchanges(row, one_sent());
    recorder.succeeded(row, sample(9_000));
    recorder.hand_over(3);
    recorder.exchanges(row, one_sent());
    recorder.succeeded(row, sample(9_000));
    recorder.exchanges(row, one_sent());
    recorder.abandoned(row);
    recorder.user_finished(4 * S);
    recorder.finish(4 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;

    let series: Vec<_> = summary.series.iter().map(|p| (p.t_s, p.users, p.requests, p.p50_us, p.drain)).collect();
    assert_eq!(series, [(0, 1, 10, Some(1_000), false), (1, 1, 20, Some(2_000), false), (2, 0, 2, Some(9_000), true)]);
    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    assert_eq!(summary.conservation.abandoned, 1);
    assert_eq!(summary.steps[0].abandoned, 1);
    // 30 requests within 2.01 s; the two of the drain count as requests, not towards the rate.
    assert_eq!(summary.totals.requests, 32);
    assert!((summary.run.load_s - 2.01).abs() < 1e-9);
    assert!((summary.run.duration_s - 4.0).abs() < 1e-9);
    assert!((summary.totals.rps - 30.0 / 2.01).abs() < 1e-9);
    assert!((summary.steps[0].rps - 30.0 / 2.01).abs() < 1e-9);
    assert!(keep.snapshots.lock().unwrap().last().unwrap().point.drain);
}

#[test]
fn a_second_waits_two_seconds_for_a_core_and_takes_the_rest_as_a_correction() {
    let keep = Keep::default();
    // The run clock is 10 s ahead of the first hand-over, so every second before is overdue at once.
    let (collector, mut recorders) = start_ago(2, 10, vec![keep.spec(Delivery::Lossless)]);
    let mut late = recorders.pop().unwrap();
    let mut on_time = recorders.pop().unwrap();
    for recorder in [&mut on_time, &mut late] {
        let row = recorder.row(key(RowKind::Request, "a"));
        recorder.user_started(0);
        succeed(recorder, row, 100);
    }
    on_time.hand_over(1);
    while keep.snapshots.lock().unwrap().is_empty() {
        thread::yield_now();
    }
    late.hand_over(1);
    for mut recorder in [on_time, late] {
        recorder.user_finished(2 * S);
        recorder.finish(2 * S);
    }
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    let snapshots = keep.snapshots.lock().unwrap();
    let corrections: Vec<_> = snapshots.iter().flat_map(|s| &s.corrections).filter(|c| c.point.t_s == 0).collect();
    assert!(!corrections.is_empty());
    let last = &corrections.last().unwrap().point;
    assert_eq!((last.requests, last.users, last.p50_us), (2, 2, Some(100)));
    assert_eq!(summary.series[0], *last);
    assert!(summary.conservation.ok);
}

#[test]
fn a_core_that_breaks_down_leaves_no_request_open() {
    let (collector, mut recorders) = start(2, Vec::new());
    let mut well = recorders.pop().unwrap();
    let mut broken = recorders.pop().unwrap();
    for recorder in [&mut well, &mut broken] {
        let row = recorder.row(key(RowKind::Request, "a"));
        recorder.user_started(0);
        succeed(recorder, row, 10);
        recorder.hand_over(1);
        recorder.started();
    }
    broken.abandon_unfinished();
    broken.finish(S);
    let row = well.row(key(RowKind::Request, "a"));
    well.exchanges(row, one_sent());
    well.succeeded(row, sample(10));
    well.finish(2 * S);
    let facts = FinalFacts { broken_cores: vec![0], ..FinalFacts::default() };
    let summary = collector.finish(facts).unwrap().summary;
    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    assert_eq!((summary.conservation.started, summary.conservation.succeeded), (4, 3));
    assert_eq!(summary.conservation.abandoned, 1);
    assert!(summary.client.reasons.iter().any(|reason| reason.starts_with("core 0 of the load broke down")));
}

#[test]
fn a_request_nobody_ended_is_found() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    succeed(&mut recorder, row, 10);
    recorder.started();
    recorder.exchanges(row, one_sent());
    recorder.finish(S);
    let conservation = collector.finish(FinalFacts::default()).unwrap().summary.conservation.clone();
    assert!(!conservation.ok);
    assert_eq!(conservation.broken, ["started against succeeded + failed + abandoned: 2 against 1"]);
}

#[test]
fn a_run_in_which_nothing_happened_has_a_summary() {
    let (collector, recorders) = start(2, Vec::new());
    for mut recorder in recorders {
        recorder.finish(0);
    }
    let summary = collector.finish(FinalFacts { aborted: true, ..FinalFacts::default() }).unwrap().summary;
    assert!(summary.conservation.ok && summary.run.aborted);
    assert_eq!((summary.totals.requests, summary.totals.service_us.p50), (0, None));
    assert!(summary.totals.rps.abs() < 1e-9 && summary.totals.failure_ratio.abs() < 1e-9);
    assert!(summary.steps.is_empty() && summary.errors.is_empty());
}

#[test]
fn recorders_that_go_without_a_word_do_not_hold_the_end() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    succeed(&mut recorder, row, 10);
    recorder.hand_over(1);
    succeed(&mut recorder, row, 10);
    drop(recorder);
    // The stats thread has time to notice by itself.
    thread::sleep(std::time::Duration::from_millis(50));
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    assert_eq!(summary.totals.requests, 1);
}
