//! Nothing an output does changes the run or its totals.

mod common;

use std::sync::{Arc, Mutex};

use common::{key, start, succeed, Keep, S};
use pummel_stats::{Collector, Delivery, FinalFacts, Output, OutputSpec, Recorder, RowKind, Snapshot, Summary};

/// Seconds of the made-up runs.
const SECONDS: u64 = 20;

/// 20 s with 10 requests in each, as fast as they can be recorded.
fn play(collector: Collector, mut recorder: Recorder) -> pummel_stats::Finished {
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    for second in 1..=SECONDS {
        (0..10).for_each(|_| succeed(&mut recorder, row, 1_000));
        recorder.hand_over(second);
    }
    recorder.user_finished(SECONDS * S);
    recorder.finish(SECONDS * S);
    collector.finish(FinalFacts::default()).unwrap()
}

/// Waits at its first snapshot until the gate opens.
struct Hangs {
    gate: Arc<Mutex<()>>,
    kept: Keep,
}

impl Output for Hangs {
    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        drop(self.gate.lock());
        self.kept.snapshot(snapshot);
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        self.kept.finish(summary);
    }
}

#[test]
fn a_display_that_hangs_forever_is_left_behind() {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let (hung, well) = (Keep::default(), Keep::default());
    let hangs = OutputSpec {
        name: "console".into(),
        delivery: Delivery::MaySkip,
        output: Box::new(Hangs { gate: Arc::clone(&gate), kept: hung.clone() }),
    };
    let (collector, mut recorders) = start(1, vec![hangs, well.spec(Delivery::Lossless)]);
    let finished = play(collector, recorders.pop().unwrap());
    assert_eq!(finished.summary.totals.requests, 10 * SECONDS);
    assert!(finished.summary.conservation.ok);
    assert_eq!(finished.output_problems, ["output console did not finish within 5 s and was left behind"]);
    assert!(hung.snapshots.lock().unwrap().is_empty());
    assert_eq!(well.summaries.lock().unwrap().len(), 1);
    drop(closed);
}

#[test]
fn a_slow_store_loses_no_second_and_a_slow_display_gets_the_summary() {
    let gate = Arc::new(Mutex::new(()));
    let (display, store) = (Keep::default(), Keep::default());
    let outputs = [(Delivery::MaySkip, &display), (Delivery::Lossless, &store)].map(|(delivery, kept)| OutputSpec {
        name: "slow".into(),
        delivery,
        output: Box::new(Hangs { gate: Arc::clone(&gate), kept: kept.clone() }),
    });
    let (collector, mut recorders) = start(1, outputs.into());
    let closed = gate.lock().unwrap();
    let run = std::thread::spawn({
        let recorder = recorders.pop().unwrap();
        move || play(collector, recorder)
    });
    // Both wait at the gate while the run is recorded.
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(closed);
    let finished = run.join().unwrap();
    assert!(finished.output_problems.is_empty());

    let seconds: Vec<u64> = store.snapshots.lock().unwrap().iter().map(|s| s.point.t_s).collect();
    assert_eq!(seconds, (0..SECONDS).collect::<Vec<_>>());
    for kept in [&display, &store] {
        assert_eq!(kept.summaries.lock().unwrap()[0].totals.requests, 10 * SECONDS);
    }
}

/// Panics at once.
struct Breaks;

impl Output for Breaks {
    fn snapshot(&mut self, _: &Arc<Snapshot>) {
        panic!("an output that breaks down, on purpose");
    }

    fn finish(&mut self, _: &Arc<Summary>) {}
}

#[test]
fn an_output_that_panics_is_named_and_harms_nobody() {
    let breaks = OutputSpec { name: "store".into(), delivery: Delivery::Lossless, output: Box::new(Breaks) };
    let well = Keep::default();
    let (collector, mut recorders) = start(1, vec![breaks, well.spec(Delivery::Lossless)]);
    let finished = play(collector, recorders.pop().unwrap());
    assert_eq!(finished.output_problems, ["output store broke down before it finished"]);
    assert_eq!(finished.summary.totals.requests, 10 * SECONDS);
    assert_eq!(well.summaries.lock().unwrap().len(), 1);
}
