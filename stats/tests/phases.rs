//! Phases of connections and requests, and TLS handshakes, from two cores to the summary.

mod common;

use common::{key, run_of_one_request, sample, start, succeed, S};
use pummel_stats::{FinalFacts, Opening, RequestPhases, RowKind};

#[test]
fn connections_and_handshakes_of_all_cores_add_up() {
    let (collector, recorders) = start(2, Vec::new());
    let [mut first, mut second] = <[_; 2]>::try_from(recorders).ok().expect("two cores");
    first.user_started(0);
    first.opened(Opening { dns_us: Some(3_000), connect_us: 100 });
    first.handshake(2_000, false);
    first.hand_over(1);
    first.opened(Opening { dns_us: None, connect_us: 200 });
    first.handshake(400, true);
    second.opened(Opening { dns_us: None, connect_us: 600 });
    second.handshake(1_200, false);
    // The load lasts 2 s; what is opened after it is in no rate.
    collector.load_stopped(2 * S);
    for recorder in [&mut first, &mut second] {
        recorder.load_stopped(2 * S);
    }
    second.handshake(800, true);
    first.user_finished(3 * S);
    first.finish(3 * S);
    second.finish(3 * S);
    let facts = FinalFacts { unverified: true, ..FinalFacts::default() };
    let summary = collector.finish(facts).unwrap().summary;

    let phases = &summary.phases;
    assert_eq!((phases.dns_us.count, phases.dns_us.max), (1, Some(3_000)));
    assert_eq!((phases.connect_us.count, phases.connect_us.mean), (3, Some(300.0)));
    assert_eq!((phases.tls_us.count, phases.tls_us.mean), (4, Some(1_100.0)));
    assert_eq!((&phases.send_us, &phases.wait_us, &phases.receive_us), (&None, &None, &None));
    let tls = summary.tls.as_ref().unwrap();
    assert_eq!((tls.handshakes, tls.resumed, tls.unverified), (4, 2, true));
    assert!((tls.handshakes_per_s - 1.5).abs() < 1e-9, "3 in 2 s: {}", tls.handshakes_per_s);
    let seconds: Vec<_> = summary.series.iter().map(|point| (point.t_s, point.handshakes, point.drain)).collect();
    assert_eq!(seconds, [(0, 1, false), (1, 2, false), (2, 1, true)]);
    assert_eq!(summary.client.connections.opened, 3);
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
}

#[test]
fn a_run_without_tls_has_no_figures_of_it() {
    let (collector, mut recorders) = start(1, Vec::new());
    recorders[0].finish(S);
    let facts = FinalFacts { unverified: true, ..FinalFacts::default() };
    assert_eq!(collector.finish(facts).unwrap().summary.tls, None);
}

#[test]
fn the_phases_of_steps_add_up_to_those_of_the_run_without_what_users_do_once() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = |recorder: &mut pummel_stats::Recorder, kind, name| recorder.row(key(kind, name));
    let login = row(&mut recorder, RowKind::Setup, "login");
    let hello = row(&mut recorder, RowKind::Request, "hello");
    let order = row(&mut recorder, RowKind::Request, "order");
    recorder.user_started(0);
    recorder.setup_succeeded(login, sample(9_000));
    recorder.request_phases(login, RequestPhases { send_us: 1, wait_us: 8_000, receive_us: 999 });
    for (second, wait_us) in [(1, 100), (2, 300)] {
        succeed(&mut recorder, hello, 10 + wait_us);
        recorder.request_phases(hello, RequestPhases { send_us: 4, wait_us, receive_us: 6 });
        recorder.hand_over(second);
    }
    succeed(&mut recorder, order, 1_000);
    recorder.request_phases(order, RequestPhases { send_us: 40, wait_us: 200, receive_us: 762 });
    recorder.user_finished(3 * S);
    recorder.finish(3 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;

    let of = |at: usize| summary.steps[at].phases.clone().unwrap();
    let (hello, order) = (of(0), of(1));
    assert_eq!((hello.wait_us.count, hello.wait_us.min, hello.wait_us.max), (2, Some(100), Some(300)));
    assert_eq!((order.send_us.mean, order.receive_us.mean), (Some(40.0), Some(762.0)));
    let login = summary.setup[0].phases.clone().unwrap();
    assert_eq!((login.wait_us.count, login.wait_us.max), (1, Some(8_000)));
    // 4 + 4 + 40, 100 + 300 + 200 and 6 + 6 + 762, each over three requests.
    let all = [&summary.phases.send_us, &summary.phases.wait_us, &summary.phases.receive_us].map(Option::as_ref);
    let means = all.map(|latency| latency.and_then(|latency| latency.mean));
    assert_eq!(means, [Some(16.0), Some(200.0), Some(258.0)]);
}

#[test]
fn phases_that_nobody_asked_for_are_null() {
    let json = serde_json::to_value(run_of_one_request(FinalFacts::default())).unwrap();
    for pointer in ["/phases/send_us", "/phases/wait_us", "/phases/receive_us", "/steps/0/phases", "/tls"] {
        assert!(json.pointer(pointer).is_some_and(serde_json::Value::is_null), "{pointer}");
    }
    assert_eq!(json["phases"]["connect_us"]["count"], 0);
}

#[test]
fn a_late_handshake_counts_in_its_second() {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    recorder.user_started(0);
    recorder.handshake(500, false);
    // Whether or not a set comes back in between: two seconds may travel together.
    recorder.hand_over(1);
    recorder.handshake(700, false);
    recorder.handshake(700, true);
    recorder.hand_over(2);
    recorder.hand_over(3);
    recorder.user_finished(3 * S);
    recorder.finish(3 * S);
    let summary = collector.finish(FinalFacts::default()).unwrap().summary;
    assert_eq!(summary.series.iter().map(|point| point.handshakes).collect::<Vec<_>>(), [1, 2, 0]);
    assert!(summary.conservation.ok, "{:?}", summary.conservation.broken);
}
