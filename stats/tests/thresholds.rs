//! Thresholds of runs whose every sample is known.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{fail, key, sample, succeed, S};
use pummel_stats::summary::Threshold;
use pummel_stats::threshold::{Abort, Unit, Watch};
use pummel_stats::{Collector, CollectorSpec, FinalFacts, Model, Recorder, RowKind, RunFacts, Summary};

fn start(model: Model, cores: usize, thresholds: Watch) -> (Collector, Vec<Recorder>) {
    Collector::start(CollectorSpec {
        cores,
        model,
        start: Instant::now(),
        run: RunFacts::default(),
        outputs: Vec::new(),
        thresholds,
        warmup: None,
        samples_per_sort: 0,
    })
    .expect("threads can be started")
}

fn watch(expressions: &[&str]) -> Watch {
    Watch::new(expressions.iter().map(|expression| expression.parse().expect(expression)).collect(), None)
}

/// Two cores, 4 s of load. Of the step `a`, 1,000 requests on each core that take 1 to 1,000 us, 2,000 to 2,999 in response; of
/// `b`, 3 that succeed and 1 that fails. The transaction `t` takes 10 us, and 30 us where it fails. `once` is no load.
fn summary(model: Model, expressions: &[&str]) -> Arc<Summary> {
    let (collector, recorders) = start(model, 2, watch(expressions));
    for (core, mut recorder) in recorders.into_iter().enumerate() {
        let (a, b) = (recorder.row(key(RowKind::Request, "a")), recorder.row(key(RowKind::Request, "b")));
        let (t, once) = (recorder.row(key(RowKind::Transaction, "t")), recorder.row(key(RowKind::Setup, "once")));
        recorder.row(key(RowKind::Request, "never"));
        recorder.user_started(0);
        recorder.setup_succeeded(once, sample(70));
        for us in 1..=1_000 {
            recorder.started();
            recorder.exchanges(a, common::one_sent());
            recorder.succeeded(a, pummel_stats::Sample { response_us: us + 1_999, ..sample(us) });
        }
        if core == 0 {
            (0..3).for_each(|_| succeed(&mut recorder, b, 500));
            fail(&mut recorder, b, "no");
            recorder.transaction(t, true, 10);
            recorder.transaction(t, false, 30);
        }
        recorder.user_finished(4 * S);
        recorder.finish(4 * S);
    }
    collector.load_stopped(4 * S);
    collector.finish(FinalFacts::default()).unwrap().summary
}

/// Expression, value, whether it held.
fn judged(model: Model, expressions: &[&str]) -> Vec<(String, Option<f64>, bool)> {
    let judged = |threshold: &Threshold| (threshold.expression.clone(), threshold.value, threshold.ok);
    summary(model, expressions).thresholds.iter().map(judged).collect()
}

#[test]
fn figures_of_all_requests() {
    let expect = [
        ("requests>=2004", 2_004.0, true),
        ("errors<=1", 1.0, true),
        ("errors<1", 1.0, false),
        ("errors<0.05%", 1.0 / 2_004.0, true),
        ("rps>501", 501.0, false),
        ("rps>=501", 501.0, true),
        ("min<=1us", 1.0, true),
        ("max<1ms", 1_000.0, false),
        ("p50<=500us", 500.0, true),
        ("service.max<=1ms", 1_000.0, true),
        ("response.max<2999us", 2_999.0, false),
    ];
    let expected = expect.map(|(expression, value, ok)| (expression.to_owned(), Some(value), ok));
    assert_eq!(judged(Model::Closed, &expect.map(|(expression, ..)| expression)), expected);
}

#[test]
fn a_latency_that_says_no_more_is_the_models() {
    for (model, max) in [(Model::Closed, 1_000.0), (Model::Open, 2_999.0)] {
        assert_eq!(judged(model, &["a:max<9s"]), [("a:max<9s".to_owned(), Some(max), true)]);
    }
}

#[test]
fn figures_of_one_name() {
    let expect = [
        ("a:errors<=0", Some(0.0), true),
        ("a:requests>=2000", Some(2_000.0), true),
        ("a:rps>=500", Some(500.0), true),
        ("b:errors<=25%", Some(0.25), true),
        ("b:mean<=500us", Some(500.0), true),
        // Durations of those that failed count, too.
        ("t:mean<=20us", Some(20.0), true),
        ("t:errors<=50%", Some(0.5), true),
        ("once:requests>=2", Some(2.0), true),
        ("b:p50<1s", None, false),
        ("never:errors<=0", None, false),
        ("unheard:requests<5", None, false),
    ];
    let expected = expect.map(|(expression, value, ok)| (expression.to_owned(), value, ok));
    assert_eq!(judged(Model::Closed, &expect.map(|(expression, ..)| expression)), expected);
}

#[test]
fn one_that_cannot_be_judged_says_why() {
    let summary = summary(Model::Closed, &["b:p50<1s", "never:errors<=0", "a:max<500us", "unheard:rps>1"]);
    let reasons: Vec<_> = summary.thresholds.iter().map(|threshold| threshold.reason.as_deref()).collect();
    let nothing = "nothing was finished that it could be held against";
    let unheard = "no step, transaction or referenced case had this name";
    assert_eq!(reasons, [Some("only 3 of 20 samples that p50 needs"), Some(nothing), None, Some(unheard)]);
    let slow = &summary.thresholds[2];
    assert_eq!((slow.by, slow.limit, slow.unit), (Some(1.0), Some(500.0), Unit::Us));
    // Only the end saw it, so it is the last second's.
    assert_eq!(slow.first_failed_s, Some(summary.series.len() as u64 - 1));
}

#[test]
fn a_run_that_is_broken_while_it_goes_on_is_stopped_once() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let abort =
        Abort { after: Duration::from_secs(1), stop: Box::new(move || count.fetch_add(1, Ordering::Relaxed) == 0) };
    let conditions = vec!["errors<=1".parse().unwrap(), "rps>1000".parse().unwrap()];
    // A second is published as soon as the one core has covered it.
    let (collector, mut recorders) = start(Model::Closed, 1, Watch::new(conditions, Some(abort)));
    let mut recorder = recorders.remove(0);
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    fail(&mut recorder, row, "no");
    recorder.hand_over(1);
    fail(&mut recorder, row, "no");
    recorder.hand_over(2);
    let since = Instant::now();
    while asked.load(Ordering::Relaxed) == 0 && since.elapsed() < Duration::from_secs(30) {
        std::thread::yield_now();
    }
    recorder.user_finished(3 * S);
    recorder.finish(3 * S);
    collector.load_stopped(3 * S);
    let summary = collector.finish(FinalFacts { aborted: true, ..FinalFacts::default() }).unwrap().summary;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(summary.run.stopped_for.is_some());
    // 1 failure after the first second and 2 after the second; a rate of 1 a second from the first on.
    assert!(!summary.thresholds[0].ok && !summary.thresholds[1].ok);
    assert_eq!(summary.thresholds[1].first_failed_s, Some(0));
}
