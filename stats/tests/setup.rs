//! Once-per-user steps stand beside the load; referenced cases are timed and are no transactions.

mod common;

use common::{key, one_sent, sample, start, succeed, Keep, S};
use pummel_stats::{Delivery, FinalFacts, RowKey, RowKind};

#[test]
fn what_users_do_once_is_counted_apart() {
    let keep = Keep::default();
    let (collector, mut recorders) = start(1, vec![keep.spec(Delivery::Lossless)]);
    let mut recorder = recorders.pop().unwrap();
    // The same name and type in the load is a row of its own.
    let (login, load) = (recorder.row(key(RowKind::Setup, "a")), recorder.row(key(RowKind::Request, "a")));
    recorder.user_started(0);
    recorder.setup_began(0);
    recorder.exchanges(login, one_sent());
    recorder.setup_failed(login, 70, 30, 20, "assertion", "no");
    recorder.exchanges(login, one_sent());
    recorder.setup_succeeded(login, sample(9_000));
    recorder.exchanges(login, one_sent());
    recorder.setup_abandoned(login);
    recorder.setup_ended(S / 2);
    succeed(&mut recorder, load, 400);
    recorder.hand_over(1);
    recorder.user_finished(2 * S);
    recorder.finish(2 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;

    assert_eq!(summary.conservation.broken, Vec::<String>::new());
    assert_eq!((summary.conservation.started, summary.totals.requests, summary.totals.failures), (1, 1, 0));
    assert_eq!(
        (summary.totals.exchanges.sent, summary.totals.bytes_received, summary.totals.bytes_sent),
        (1, 200, 100)
    );
    assert_eq!((summary.totals.service_us.max, summary.totals.failed_us.count), (Some(400), 0));
    assert_eq!(summary.series.iter().map(|point| point.requests).sum::<u64>(), 1);
    assert_eq!(summary.series[0].p99_us, Some(400));
    assert_eq!((summary.steps.len(), summary.setup.len()), (1, 1));
    let login = &summary.setup[0];
    assert_eq!((login.requests, login.failures, login.abandoned, login.exchanges.sent), (2, 1, 1, 3));
    assert_eq!((login.bytes_received, login.bytes_sent), (230, 120));
    assert_eq!((login.service_us.max, login.failed_us.max), (Some(9_000), Some(70)));
    let errors: Vec<_> = summary.errors.iter().map(|error| (&*error.step, &*error.message, error.count)).collect();
    assert_eq!(errors, [("a", "no", 1)]);
    // A live display shows the load.
    let snapshots = keep.snapshots.lock().unwrap();
    let kinds = snapshots.iter().flat_map(|snapshot| snapshot.totals.iter()).map(|row| row.key.kind);
    assert!(kinds.into_iter().all(|kind| kind == RowKind::Request));
    let kinds = snapshots.iter().flat_map(|snapshot| &snapshot.rows).map(|row| row.key.kind);
    assert!(kinds.into_iter().all(|kind| kind == RowKind::Request));
}

#[test]
fn littles_law_leaves_the_time_of_the_setup_out() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    recorder.user_started(0);
    recorder.setup_began(0);
    recorder.setup_ended(2 * S);
    // 20 iterations of 100 ms fill the other two of four seconds.
    (0..20).for_each(|_| recorder.iteration(100_000));
    recorder.user_finished(4 * S);
    recorder.finish(4 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    let little = summary.client.little.as_ref().expect("20 iterations are enough");
    assert!((little.users - 0.5).abs() < 1e-9, "active for half of the load: {little:?}");
    assert!((little.ratio - 1.0).abs() < 1e-9, "{little:?}");
}

#[test]
fn a_referenced_case_is_timed_and_is_no_transaction() {
    let keep = Keep::default();
    let (collector, mut recorders) = start(1, vec![keep.spec(Delivery::Lossless)]);
    let mut recorder = recorders.pop().unwrap();
    let action = recorder.row(key(RowKind::Transaction, "Action"));
    let login = RowKey { label: "testcase".into(), ..key(RowKind::Transaction, "login") };
    let login = recorder.row(login);
    recorder.user_started(0);
    recorder.transaction(login, true, 100);
    recorder.transaction(login, false, 300);
    recorder.count_error(login, "variable", "no value");
    recorder.transaction(action, true, 500);
    recorder.user_finished(S);
    recorder.finish(S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    let rows: Vec<_> = summary.transactions.iter().map(|t| (&*t.label, &*t.name, t.passed, t.failed)).collect();
    assert_eq!(rows, [("transaction", "Action", 1, 0), ("testcase", "login", 1, 1)]);
    assert_eq!((summary.errors[0].count, summary.totals.requests), (1, 0));
    let snapshots = keep.snapshots.lock().unwrap();
    let overall = &snapshots.last().unwrap().overall;
    assert_eq!((overall.transactions_passed, overall.transactions_failed), (1, 0));
}
