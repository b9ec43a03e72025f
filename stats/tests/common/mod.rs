//! What the tests of this crate's promises share.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file is a crate of its own and uses a part")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pummel_stats::threshold::Watch;
use pummel_stats::{
    Collector, CollectorSpec, Delivery, Exchanges, FinalFacts, Model, Output, OutputSpec, Recorder, RowId, RowKey,
    RowKind, RunFacts, Sample, Snapshot, Summary,
};

/// Nanoseconds in a second.
pub const S: u64 = 1_000_000_000;

pub fn start(cores: usize, outputs: Vec<OutputSpec>) -> (Collector, Vec<Recorder>) {
    start_ago(cores, 0, outputs)
}

/// A run whose clock started some seconds ago.
pub fn start_ago(cores: usize, ago_s: u64, outputs: Vec<OutputSpec>) -> (Collector, Vec<Recorder>) {
    let start = Instant::now().checked_sub(Duration::from_secs(ago_s)).expect("the machine runs for longer");
    start_spec(CollectorSpec { start, outputs, ..spec(cores) })
}

/// A run with a warm-up of so many nanoseconds.
pub fn start_with_warmup(cores: usize, warmup_ns: u64, outputs: Vec<OutputSpec>) -> (Collector, Vec<Recorder>) {
    start_spec(CollectorSpec { warmup: Some(Duration::from_nanos(warmup_ns)), outputs, ..spec(cores) })
}

/// A closed run that starts now, with nothing asked for.
pub fn spec(cores: usize) -> CollectorSpec {
    CollectorSpec {
        cores,
        model: Model::Closed,
        start: Instant::now(),
        run: RunFacts {
            id: "id".into(),
            name: "test".into(),
            plan: serde_json::json!({"users": 1}),
            ..RunFacts::default()
        },
        outputs: Vec::new(),
        thresholds: Watch::default(),
        warmup: None,
        samples_per_sort: 2,
    }
}

pub fn start_spec(spec: CollectorSpec) -> (Collector, Vec<Recorder>) {
    Collector::start(spec).expect("threads can be started")
}

pub fn key(kind: RowKind, name: &str) -> RowKey {
    let label = match kind {
        RowKind::Request | RowKind::Setup => "request-GET",
        RowKind::Transaction => "transaction",
    };
    RowKey { case: "case".into(), kind, label: label.into(), name: name.into() }
}

pub fn sample(service_us: u64) -> Sample {
    Sample { service_us, response_us: service_us + 1, bytes_received: 200, bytes_sent: 100 }
}

pub fn one_sent() -> Exchanges {
    Exchanges { sent: 1, answered: 1, ..Exchanges::default() }
}

/// One request from its start to its success.
pub fn succeed(recorder: &mut Recorder, row: RowId, service_us: u64) {
    recorder.started();
    recorder.exchanges(row, one_sent());
    recorder.succeeded(row, sample(service_us));
}

/// One request that fails after 50 us.
pub fn fail(recorder: &mut Recorder, row: RowId, message: &str) {
    recorder.started();
    recorder.exchanges(row, Exchanges { unsent: 1, ..Exchanges::default() });
    recorder.failed(row, 50, 0, 0, "connect refused", message);
}

/// The summary of a run of one user, whose one request takes 400 us.
pub fn run_of_one_request(facts: FinalFacts) -> Summary {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    succeed(&mut recorder, row, 400);
    recorder.user_finished(S);
    recorder.finish(S);
    (*collector.finish(facts).unwrap().summary).clone()
}

/// Keeps all it is given.
#[derive(Clone, Default)]
pub struct Keep {
    pub snapshots: Arc<Mutex<Vec<Arc<Snapshot>>>>,
    pub summaries: Arc<Mutex<Vec<Arc<Summary>>>>,
}

impl Keep {
    pub fn spec(&self, delivery: Delivery) -> OutputSpec {
        OutputSpec { name: "keep".into(), delivery, output: Box::new(self.clone()) }
    }

    /// Waits until so many snapshots were published; half a minute at most.
    pub fn wait_for(&self, snapshots: usize) {
        let since = Instant::now();
        while self.snapshots.lock().unwrap().len() < snapshots && since.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Output for Keep {
    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        self.snapshots.lock().unwrap().push(Arc::clone(snapshot));
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        self.summaries.lock().unwrap().push(Arc::clone(summary));
    }
}
