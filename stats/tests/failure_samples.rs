//! Samples of failures, from the cores' recorders to the summary.

mod common;

use common::{key, start, S};
use pummel_stats::{FailureSample, FinalFacts, RowKind};

#[test]
fn of_all_cores_the_earliest_are_kept_and_each_is_of_its_row() {
    // Two of each sort, as `start` asks for.
    let (collector, mut recorders) = start(2, Vec::new());
    let fail = |recorder: &mut pummel_stats::Recorder, kind, at_s| {
        let row = recorder.row(key(kind, "a"));
        recorder.user_started(0);
        if kind == RowKind::Request {
            recorder.started();
            recorder.failed(row, 1, 0, 0, "reset", "gone");
            recorder.exchanges(row, common::one_sent());
        } else {
            recorder.setup_failed(row, 1, 0, 0, "reset", "gone");
        }
        let sample = FailureSample { kind: "reset".into(), message: "gone".into(), at_s, ..FailureSample::default() };
        recorder.sample(row, "reset", Box::new(sample));
        recorder.user_finished(S);
    };
    for at_s in [0.2, 0.4, 0.6] {
        fail(&mut recorders[0], RowKind::Request, at_s);
    }
    for at_s in [0.1, 0.3] {
        fail(&mut recorders[1], RowKind::Request, at_s);
    }
    fail(&mut recorders[1], RowKind::Setup, 0.5);
    // The later ones arrive first.
    for recorder in &mut recorders {
        recorder.finish(S);
    }
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
    let samples: Vec<_> =
        summary.failure_samples.iter().map(|sample| (&*sample.step, sample.setup, sample.at_s)).collect();
    assert_eq!(samples, [("a", false, 0.1), ("a", false, 0.2), ("a", true, 0.5)]);
    assert!(summary.failure_samples.iter().all(|sample| sample.case == "case" && sample.message == "gone"));
    assert_eq!(summary.failure_samples_left_out, 0);
}
