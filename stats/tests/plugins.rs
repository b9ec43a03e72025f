//! Calls of plugin functions, from the cores to the summary.

mod common;

use common::{fail, key, one_sent, run_of_one_request, sample, start, succeed, S};
use proptest::prelude::*;
use pummel_stats::{errors::MAX_ERRORS, FinalFacts, PluginCaller, PluginProcesses, Recorder, RowKind, Summary};

/// One request whose function takes `call_us` before it is sent.
fn call_and_succeed(recorder: &mut Recorder, row: pummel_stats::RowId, call_us: u64) {
    recorder.plugin_call(PluginCaller::Row(row), call_us, false);
    succeed(recorder, row, 100);
}

#[test]
fn calls_of_all_cores_and_kinds_of_steps_add_up() {
    let (collector, recorders) = start(2, Vec::new());
    let [mut first, mut second] = <[_; 2]>::try_from(recorders).ok().expect("two cores");
    let (login, hello) = (first.row(key(RowKind::Setup, "login")), first.row(key(RowKind::Request, "hello")));
    let order = second.row(key(RowKind::Request, "order"));
    first.user_started(0);
    second.user_started(0);

    // Core 0: once per user 9 ms and, outside its requests, 4 ms; in the config's variables 2 ms, and for a request 300 us and 500 us that fail.
    first.plugin_in_flight(1);
    first.plugin_call(PluginCaller::Row(login), 9_000, false);
    first.plugin_call(PluginCaller::Setup, 4_000, false);
    first.plugin_call(PluginCaller::Iteration, 2_000, false);
    first.plugin_in_flight(3);
    call_and_succeed(&mut first, hello, 300);
    first.hand_over(1);
    first.plugin_in_flight(2);
    first.plugin_call(PluginCaller::Row(hello), 500, true);
    fail(&mut first, hello, "rand_str: ValueError: empty range");
    // Core 1: 1 ms in the first second, and 700 us after the stop, which are no part of the iterations.
    second.plugin_in_flight(4);
    call_and_succeed(&mut second, order, 1_000);
    second.hand_over(1);
    collector.load_stopped(2 * S);
    for recorder in [&mut first, &mut second] {
        recorder.load_stopped(2 * S);
    }
    call_and_succeed(&mut second, order, 700);
    for recorder in [&mut first, &mut second] {
        recorder.user_finished(3 * S);
        recorder.finish(3 * S);
    }
    assert_eq!((first.plugin_time_us(), second.plugin_time_us()), (15_800, 1_700));
    let python =
        PluginProcesses { path: "/p/debugtalk.py".into(), runner: "own".into(), workers: 2, ..Default::default() };
    let facts = FinalFacts { plugins: vec![python.clone()], ..FinalFacts::default() };
    let summary = collector.finish(facts).unwrap().summary;

    let plugin = summary.plugin.as_ref().unwrap();
    assert_eq!((plugin.calls, plugin.errors, plugin.in_flight_max), (7, 1, 7));
    assert_eq!((plugin.call_us.count, plugin.call_us.min, plugin.call_us.max), (7, Some(300), Some(9_000)));
    assert_eq!(plugin.call_us.mean, Some(2_500.0));
    // 2,000 + 300 + 500 + 1,000 us of two users' 2 s each.
    assert_eq!(plugin.share_of_iterations, Some(0.000_95));
    assert_eq!(plugin.processes, [python]);
    assert_eq!((plugin.workers(), plugin.restarts()), (2, 0));

    let calls = |step: &pummel_stats::summary::Step| step.plugin_us.as_ref().map(|calls| (calls.count, calls.mean));
    assert_eq!(summary.steps.iter().map(calls).collect::<Vec<_>>(), [Some((2, Some(400.0))), Some((2, Some(850.0)))]);
    assert_eq!(calls(&summary.setup[0]), Some((1, Some(9_000.0))));
    let seconds: Vec<_> = summary.series.iter().map(|point| (point.t_s, point.plugin_calls, point.drain)).collect();
    assert_eq!(seconds, [(0, 5, false), (1, 1, false), (2, 1, true)]);
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
}

#[test]
fn a_call_counts_once_though_its_request_ends_in_a_later_interval() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    // The sets go back and forth: what is not cleared would be counted again with the next requests.
    for second in 1..=6 {
        recorder.started();
        recorder.plugin_call(PluginCaller::Row(row), 40, false);
        recorder.hand_over(2 * second - 1);
        recorder.exchanges(row, one_sent());
        recorder.succeeded(row, sample(100));
        recorder.hand_over(2 * second);
    }
    recorder.user_finished(12 * S);
    recorder.finish(12 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    assert_eq!(summary.steps[0].plugin_us.as_ref().unwrap().count, 6);
    assert_eq!(summary.plugin.as_ref().unwrap().calls, 6);
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
}

#[test]
fn a_run_without_a_plugin_has_no_figures_of_it_and_one_without_calls_has_its_processes() {
    let without = run_of_one_request(FinalFacts::default());
    assert_eq!((&without.plugin, &without.steps[0].plugin_us), (&None, &None));
    let idle = run_of_one_request(FinalFacts { plugins: vec![PluginProcesses::default()], ..FinalFacts::default() });
    let plugin = idle.plugin.unwrap();
    assert_eq!((plugin.calls, plugin.call_us.count, plugin.share_of_iterations), (0, 0, Some(0.0)));
    assert_eq!(idle.steps[0].plugin_us, None);
}

#[test]
fn ten_thousand_messages_of_exceptions_are_bounded_and_every_one_is_counted() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    for n in 0..10_000_u64 {
        let message = format!("sign: ValueError: {n} {}", "x".repeat(10_000));
        let kind = if n % 4 == 0 { "plugin" } else { "function" };
        recorder.plugin_call(PluginCaller::Row(row), 10, true);
        recorder.started();
        recorder.exchanges(row, pummel_stats::Exchanges { unsent: 1, ..Default::default() });
        recorder.failed(row, 10, 0, 0, kind, &message);
    }
    recorder.user_finished(S);
    recorder.finish(S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    // Those told apart, and one entry of each kind for the rest.
    assert_eq!(summary.errors.len(), MAX_ERRORS + 2);
    assert_eq!(summary.errors.iter().map(|error| error.count).sum::<u64>(), 10_000);
    assert!(summary.errors.iter().all(|error| error.message.len() <= 300));
    let of = |kind: &str| summary.errors.iter().filter(|e| e.kind == kind).map(|e| e.count).sum::<u64>();
    assert_eq!((of("plugin"), of("function")), (2_500, 7_500));
    let plugin = summary.plugin.as_ref().unwrap();
    assert_eq!((plugin.calls, plugin.errors), (10_000, 10_000));
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
}

/// Records the calls on so many cores in turn, `cuts` hand-overs spread among them.
fn run(calls: &[(u64, bool, bool)], cores: usize, cuts: usize) -> Summary {
    let (collector, mut recorders) = start(cores, Vec::new());
    let rows: Vec<_> = recorders.iter_mut().map(|recorder| recorder.row(key(RowKind::Request, "a"))).collect();
    for recorder in &mut recorders {
        recorder.user_started(0);
    }
    let every = calls.len() / (cuts + 1) + 1;
    for (n, &(call_us, failed, in_step)) in calls.iter().enumerate() {
        let (recorder, row) = (&mut recorders[n % cores], rows[n % cores]);
        recorder.plugin_call(if in_step { PluginCaller::Row(row) } else { PluginCaller::Setup }, call_us, failed);
        if n % every == every - 1 {
            for recorder in &mut recorders {
                recorder.hand_over((n / every + 1) as u64);
            }
        }
    }
    for recorder in &mut recorders {
        recorder.finish(1_000 * S);
    }
    (*collector.finish(FinalFacts::default()).unwrap().summary).clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_of_calls_make_the_whole(
        calls in prop::collection::vec((0..40_000_000_u64, any::<bool>(), any::<bool>()), 1..200),
        cores in 1..4_usize,
        cuts in 0..6_usize,
    ) {
        let (whole, parts) = (run(&calls, 1, 0), run(&calls, cores, cuts));
        let (one, all) = (whole.plugin.unwrap(), parts.plugin.unwrap());
        prop_assert_eq!(&one.call_us, &all.call_us);
        prop_assert_eq!(&whole.steps[0].plugin_us, &parts.steps[0].plugin_us);
        prop_assert_eq!(all.calls, calls.len() as u64);
        prop_assert_eq!(all.errors, calls.iter().filter(|(_, failed, _)| *failed).count() as u64);
        prop_assert_eq!(parts.series.iter().map(|p| p.plugin_calls).sum::<u64>(), calls.len() as u64);
        let sum: u64 = calls.iter().map(|(call_us, ..)| call_us).sum();
        let mean = (sum as f64 / calls.len() as f64 * 1000.0).round() / 1000.0;
        prop_assert_eq!(all.call_us.mean, Some(mean));
        prop_assert!(parts.conservation.ok, "{:?}", parts.conservation.broken);
    }
}
