//! What statistics cost: a request on the core, a hand-over on the core, and the merge on the stats thread.
//!
//! A request may cost some 30 ns of the 7 us there are; a hand-over comes once a second.

use std::time::Instant;

use divan::counter::ItemsCount;
use divan::{black_box, Bencher};
use pummel_stats::{
    sample, Collector, CollectorSpec, FinalFacts, Model, Recorder, RowId, RowKey, RowKind, RunFacts, Sample,
};

/// Requests in one sample: enough to hide the clock's own cost.
const BATCH: u64 = 1_000;

fn main() {
    divan::main();
}

fn start() -> (Collector, Recorder, RowId) {
    let (collector, mut recorders) = Collector::start(CollectorSpec {
        cores: 1,
        model: Model::Closed,
        start: Instant::now(),
        run: RunFacts::default(),
        outputs: Vec::new(),
        thresholds: pummel_stats::threshold::Watch::default(),
        warmup: None,
        samples_per_sort: 0,
    })
    .expect("threads can be started");
    let mut recorder = recorders.remove(0);
    let row = recorder.row(RowKey {
        case: "demo".into(),
        kind: RowKind::Request,
        label: "request-GET".into(),
        name: "hello".into(),
    });
    (collector, recorder, row)
}

/// Latencies spread over 50 us to 1 ms, so that the histogram's buckets do not all lie in one cache line.
fn latencies() -> impl Iterator<Item = Sample> {
    (0..BATCH).map(|n| {
        let service_us = 50 + n * 7919 % 950;
        Sample { service_us, response_us: service_us + 2, bytes_received: 230, bytes_sent: 120 }
    })
}

/// What every request of a closed run records.
fn record(recorder: &mut Recorder, row: RowId) {
    for sample in latencies() {
        recorder.started();
        recorder.lateness(black_box(3));
        recorder.succeeded(row, black_box(sample));
    }
}

#[divan::bench]
fn request(bencher: Bencher) {
    let (_collector, mut recorder, row) = start();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| record(&mut recorder, row));
}

#[divan::bench]
fn succeeded_alone(bencher: Bencher) {
    let (_collector, mut recorder, row) = start();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| latencies().for_each(|sample| recorder.succeeded(row, black_box(sample))));
}

#[divan::bench]
fn hand_over(bencher: Bencher) {
    let (_collector, mut recorder, row) = start();
    let mut second = 0;
    record(&mut recorder, row);
    bencher.bench_local(|| {
        second += 1;
        recorder.hand_over(second);
    });
}

/// One row's second merged into another's, as a display does that shows three seconds at once.
#[divan::bench]
fn merge_row_seconds(bencher: Bencher) {
    let second = sample::snapshot(0);
    bencher.with_inputs(|| (*second.rows[0]).clone()).bench_local_refs(|row| row.merge(black_box(&second.rows[0])));
}

/// A whole run of ten seconds: record, hand over, merge, publish, sum up.
#[divan::bench]
fn run_of_ten_seconds() -> u64 {
    let (collector, mut recorder, row) = start();
    recorder.user_started(0);
    for second in 1..=10 {
        record(&mut recorder, row);
        recorder.hand_over(second);
    }
    recorder.finish(10_000_000_000);
    let finished = collector.finish(FinalFacts::default()).expect("the stats thread works");
    finished.summary.totals.requests
}
