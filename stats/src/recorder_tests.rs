//! A recorder against channels the test holds: nobody empties them unless it says so.

use crossbeam_channel::{bounded, Receiver, Sender};

use super::*;
use crate::errors::{MAX_ERRORS, OTHER_MESSAGES};
use crate::failure::{SAMPLES_BYTES_MAX, SAMPLES_MAX};
use crate::interval::UserTime;
use crate::row::RowKind;

struct Bench {
    recorder: Recorder,
    give_back: Sender<Box<Interval>>,
    intervals: Receiver<Box<Interval>>,
    row: RowId,
}

fn key(name: &str) -> RowKey {
    RowKey { case: "c".into(), kind: RowKind::Request, label: "request-GET".into(), name: name.into() }
}

/// A recorder with one row and one spare set.
fn bench() -> Bench {
    bench_with(None)
}

/// The same with a warm-up that ends then.
fn bench_with(warmup_ns: Option<u64>) -> Bench {
    let (give_back, spares) = bounded(TRAVELLING_PER_CORE);
    let (to_collector, intervals) = bounded(TRAVELLING_PER_CORE);
    give_back.send(Box::default()).unwrap();
    let mut recorder = Recorder::new(0, warmup_ns, 2, spares, to_collector);
    let row = recorder.row(key("a"));
    Bench { recorder, give_back, intervals, row }
}

impl Bench {
    fn succeed(&mut self, times: u64) {
        for _ in 0..times {
            self.recorder.started();
            self.recorder.succeeded(self.row, Sample { service_us: 5, bytes_received: 10, ..Sample::default() });
        }
    }
}

fn tallies(interval: &Interval) -> Vec<(u64, u64, u64)> {
    interval.seconds.iter().map(|t| (t.second, t.requests, t.bytes_received)).collect()
}

#[test]
fn without_a_spare_everything_travels_later_and_nothing_is_lost() {
    let mut bench = bench();
    for (second, times) in [(1, 3), (2, 4), (3, 0), (4, 5)] {
        bench.succeed(times);
        bench.recorder.hand_over(second);
    }
    let first = bench.intervals.try_recv().unwrap();
    assert_eq!(tallies(&first), [(0, 3, 30)]);
    assert_eq!((first.covered_until_s, first.counts.succeeded), (1, 3));
    assert!(bench.intervals.try_recv().is_err());

    bench.give_back.send(Box::default()).unwrap();
    bench.succeed(1);
    bench.recorder.hand_over(7);
    let second = bench.intervals.try_recv().unwrap();
    assert_eq!(tallies(&second), [(1, 4, 40), (2, 0, 0), (3, 5, 50), (4, 0, 0), (5, 0, 0), (6, 1, 10)]);
    assert_eq!((second.covered_until_s, second.counts.succeeded), (7, 10));
    assert_eq!(second.rows[0].service.bucketed(), 10);
}

#[test]
fn the_same_seconds_are_covered_once() {
    let mut bench = bench();
    bench.succeed(1);
    bench.recorder.hand_over(2);
    bench.give_back.send(Box::default()).unwrap();
    bench.recorder.hand_over(2);
    bench.recorder.hand_over(0);
    assert_eq!(bench.intervals.len(), 1);
}

#[test]
fn the_stop_parts_the_load_from_the_drain_even_without_a_spare() {
    let mut bench = bench();
    bench.succeed(1);
    bench.recorder.hand_over(1);
    bench.succeed(2);
    bench.recorder.load_stopped(1_500_000_000);
    bench.succeed(4);
    bench.recorder.finish(3_000_000_000);
    let intervals: Vec<_> = bench.intervals.try_iter().collect();
    assert_eq!(intervals.iter().map(|i| i.counts.succeeded).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(intervals.iter().map(|i| i.in_window()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(tallies(&intervals[1]), [(1, 2, 20)]);
    assert_eq!(intervals[1].stopped_ns, Some(1_500_000_000));
    assert_eq!(intervals[2].finished_ns, Some(3_000_000_000));
}

#[test]
fn a_stop_just_after_a_hand_over_adds_to_the_second_before() {
    let mut bench = bench();
    bench.recorder.user_started(0);
    bench.succeed(1);
    bench.recorder.hand_over(1);
    bench.succeed(2);
    bench.recorder.load_stopped(1_010_000_000);
    let intervals: Vec<_> = bench.intervals.try_iter().collect();
    assert_eq!(tallies(&intervals[1]), [(0, 2, 20)]);
    // Its users were counted with the first part.
    assert_eq!((intervals[0].seconds[0].users, intervals[1].seconds[0].users), (1, 0));
}

#[test]
fn user_time_is_users_times_seconds_until_the_stop() {
    let mut bench = bench();
    let s = NS_PER_S;
    bench.recorder.user_started(s);
    bench.recorder.user_started(2 * s);
    bench.recorder.user_finished(4 * s);
    bench.recorder.iteration(3_000_000);
    bench.recorder.load_stopped(10 * s);
    // 1 user for 1 s, 2 for 2 s, 1 for 6 s.
    bench.recorder.iteration(1);
    // At rest from 9 s on, of which one second lies before the stop; and after it.
    bench.recorder.rested(9 * s, 15 * s);
    bench.recorder.rested(13 * s, 15 * s);
    bench.recorder.user_finished(20 * s);
    bench.recorder.finish(20 * s);
    let intervals: Vec<_> = bench.intervals.try_iter().collect();
    let time = intervals[0].user_time;
    assert_eq!((time.active_ns, time.users), (11 * u128::from(s), 2));
    assert_eq!((time.iterations.count(), time.iterations.sum()), (1, 3_000_000));
    assert_eq!(intervals[0].first_user_ns, Some(s));
    assert_eq!((intervals[1].user_time.active_ns, intervals[1].user_time.rested_ns), (0, u128::from(s)));
    assert_eq!(intervals[1].user_time.iterations.count(), 0);
    assert_eq!(intervals[1].last_user_ns, 20 * s);
}

#[test]
fn a_key_is_interned_once_and_told_once() {
    let mut bench = bench();
    assert_eq!(bench.recorder.row(key("a")), bench.row);
    let b = bench.recorder.row(key("b"));
    assert_ne!(b, bench.row);
    bench.recorder.hand_over(1);
    bench.give_back.send(Box::default()).unwrap();
    bench.recorder.succeeded(b, Sample::default());
    bench.recorder.hand_over(2);
    let told: Vec<Vec<String>> =
        bench.intervals.try_iter().map(|i| i.new_rows.iter().map(|k| k.name.to_string()).collect()).collect();
    assert_eq!(told, [vec!["a".to_owned(), "b".to_owned()], Vec::new()]);
}

#[test]
fn errors_over_the_limit_count_by_kind() {
    let mut bench = bench();
    let b = bench.recorder.row(key("b"));
    for n in 0..MAX_ERRORS + 50 {
        bench.recorder.failed(bench.row, 1, 0, 0, "assertion", &format!("value {n}"));
    }
    bench.recorder.failed(b, 1, 0, 0, "assertion", "value 1");
    bench.recorder.failed(b, 1, 0, 0, "reset", "connection reset");
    bench.recorder.failed(bench.row, 1, 0, 0, "assertion", "value 1");
    bench.recorder.hand_over(1);
    let interval = bench.intervals.try_recv().unwrap();
    let counted: Vec<_> =
        interval.new_errors.iter().zip(&interval.errors).map(|(e, n)| (e.kind, e.row, &*e.message, *n)).collect();
    assert_eq!(counted.len(), MAX_ERRORS + 2);
    assert_eq!(counted[1], ("assertion", Some(0), "value 1", 2));
    assert_eq!(counted[MAX_ERRORS], ("assertion", None, OTHER_MESSAGES, 51));
    assert_eq!(counted[MAX_ERRORS + 1], ("reset", None, OTHER_MESSAGES, 1));
    assert_eq!(interval.errors.iter().sum::<u64>(), interval.counts.failed);
}

#[test]
fn what_a_broken_core_had_open_counts_as_abandoned_across_hand_overs() {
    let mut bench = bench();
    bench.recorder.started();
    bench.recorder.started();
    bench.recorder.hand_over(1);
    bench.recorder.started();
    bench.succeed(1);
    assert_eq!(bench.recorder.in_flight(), 3);
    bench.recorder.abandon_unfinished();
    assert_eq!(bench.recorder.in_flight(), 0);
    bench.recorder.finish(NS_PER_S);
    let last = bench.intervals.try_iter().last().unwrap();
    assert_eq!((last.counts.abandoned, last.counts.lost), (3, 3));
}

#[test]
fn a_recorder_whose_collector_is_gone_goes_on() {
    let Bench { mut recorder, give_back, intervals, row } = bench();
    drop((give_back, intervals));
    recorder.started();
    recorder.hand_over(1);
    recorder.failed(row, 1, 0, 0, "reset", "gone");
    recorder.load_stopped(NS_PER_S);
    recorder.finish(NS_PER_S);
    recorder.finish(NS_PER_S);
}

#[test]
fn addresses_beyond_the_limit_share_an_entry_and_nothing_is_lost() {
    use crate::endpoint::{EndpointCounts, EndpointKind, MAX_ENDPOINTS, OTHER_ENDPOINTS};
    let mut bench = bench();
    let recorder = &mut bench.recorder;
    for address in 0..MAX_ENDPOINTS + 3 {
        let id = recorder.endpoint(EndpointKind::Address, &address.to_string());
        recorder.endpoint_connected(id);
        recorder.endpoint_request(id, false);
        recorder.endpoint_request(id, true);
    }
    let source = recorder.endpoint(EndpointKind::Source, "0");
    recorder.endpoint_refused(source);
    recorder.hand_over(1);
    assert_eq!(recorder.endpoint(EndpointKind::Source, "0"), source);
    recorder.endpoint_refused(source);
    bench.give_back.send(Box::default()).unwrap();
    recorder.hand_over(2);

    let first = bench.intervals.try_recv().unwrap();
    assert_eq!(first.new_endpoints.len(), MAX_ENDPOINTS + 2);
    assert_eq!(&*first.new_endpoints[MAX_ENDPOINTS].name, OTHER_ENDPOINTS);
    let one = EndpointCounts { connections: 1, connect_errors: 0, requests: 2, failures: 1 };
    assert_eq!(first.endpoints[0], one);
    assert_eq!(
        first.endpoints[MAX_ENDPOINTS],
        EndpointCounts { connections: 3, connect_errors: 0, requests: 6, failures: 3 }
    );
    let refused = EndpointCounts { connect_errors: 1, ..EndpointCounts::default() };
    assert_eq!(first.endpoints[MAX_ENDPOINTS + 1], refused);
    let second = bench.intervals.try_recv().unwrap();
    assert_eq!((second.new_endpoints.len(), second.endpoints[0]), (0, EndpointCounts::default()));
    assert_eq!(second.endpoints[MAX_ENDPOINTS + 1], refused);
}

/// A second, its users and its requests.
type Second = (u64, u64, u64);

/// What each interval holds: in the warm-up or not, how many succeeded, its seconds.
fn parted(bench: &Bench) -> Vec<(bool, u64, Vec<Second>)> {
    let seconds = |i: &Interval| i.seconds.iter().map(|t| (t.second, t.users, t.requests)).collect();
    bench.intervals.try_iter().map(|i| (i.warmup, i.counts.succeeded, seconds(&i))).collect()
}

#[test]
fn the_warmups_end_within_a_second_parts_it_and_its_users_are_counted_once() {
    let mut bench = bench_with(Some(1_500_000_000));
    bench.recorder.user_started(0);
    bench.succeed(1);
    bench.recorder.hand_over(1);
    bench.succeed(2);
    bench.recorder.warmup_ended(1_500_200_000);
    bench.succeed(4);
    bench.give_back.send(Box::default()).unwrap();
    bench.recorder.hand_over(2);
    bench.succeed(8);
    bench.recorder.load_stopped(3 * NS_PER_S);
    bench.succeed(16);
    bench.recorder.finish(4 * NS_PER_S);
    let expected = [
        (true, 1, vec![(0, 1, 1)]),
        (true, 2, vec![(1, 0, 2)]),
        (false, 4, vec![(1, 1, 4)]),
        (false, 8, vec![(2, 1, 8)]),
        (false, 16, vec![(0, 0, 16)]),
    ];
    assert_eq!(parted(&bench), expected);
}

#[test]
fn a_warmup_of_whole_seconds_ends_with_whichever_call_comes_first() {
    for ticker_first in [false, true] {
        let mut bench = bench_with(Some(NS_PER_S));
        bench.recorder.user_started(0);
        bench.succeed(3);
        if ticker_first {
            bench.recorder.hand_over(1);
            bench.recorder.warmup_ended(NS_PER_S + 9);
        } else {
            bench.recorder.warmup_ended(NS_PER_S + 9);
            bench.recorder.hand_over(1);
        }
        bench.succeed(5);
        bench.recorder.finish(2 * NS_PER_S);
        let expected = [(true, 3, vec![(0, 1, 3)]), (false, 5, vec![(1, 1, 5)])];
        assert_eq!(parted(&bench), expected, "{ticker_first}");
    }
}

#[test]
fn a_core_that_is_late_parts_the_warmup_when_it_gets_there() {
    let mut bench = bench_with(Some(NS_PER_S));
    bench.recorder.user_started(0);
    bench.succeed(3);
    bench.recorder.warmup_ended(3_400_000_000);
    bench.succeed(5);
    bench.recorder.finish(4 * NS_PER_S);
    let expected = [(true, 3, vec![(0, 1, 0), (1, 1, 0), (2, 1, 3)]), (false, 5, vec![(3, 1, 5)])];
    assert_eq!(parted(&bench), expected);
}

#[test]
fn a_stop_within_the_warmup_leaves_nothing_to_measure() {
    let mut bench = bench_with(Some(5 * NS_PER_S));
    bench.succeed(1);
    bench.recorder.load_stopped(2 * NS_PER_S);
    bench.succeed(2);
    bench.recorder.warmup_ended(5 * NS_PER_S);
    bench.recorder.hand_over(6);
    bench.succeed(4);
    bench.recorder.finish(6 * NS_PER_S);
    let parts: Vec<_> = parted(&bench).into_iter().map(|(warmup, succeeded, _)| (warmup, succeeded)).collect();
    // The drain waits for a spare.
    assert_eq!(parts, [(true, 1), (true, 6)]);
}

#[test]
fn a_stop_that_a_late_core_sees_before_the_warmups_end_parts_them_too() {
    let mut bench = bench_with(Some(NS_PER_S));
    bench.succeed(1);
    bench.recorder.load_stopped(2 * NS_PER_S);
    bench.succeed(2);
    bench.recorder.warmup_ended(2 * NS_PER_S);
    bench.recorder.finish(3 * NS_PER_S);
    let parts: Vec<_> = parted(&bench).into_iter().map(|(warmup, succeeded, _)| (warmup, succeeded)).collect();
    assert_eq!(parts, [(true, 1), (false, 2)]);
}

#[test]
fn every_hand_over_that_waits_for_no_spare_finds_room() {
    let mut bench = bench_with(Some(NS_PER_S));
    bench.recorder.hand_over(1);
    bench.give_back.send(Box::default()).unwrap();
    bench.recorder.hand_over(2);
    bench.give_back.send(Box::default()).unwrap();
    bench.recorder.hand_over(3);
    bench.recorder.load_stopped(4 * NS_PER_S);
    bench.recorder.finish(5 * NS_PER_S);
    assert_eq!(bench.intervals.len(), TRAVELLING_PER_CORE);
}

#[test]
fn without_a_warmup_its_end_means_nothing() {
    let mut bench = bench();
    bench.succeed(1);
    bench.recorder.warmup_ended(NS_PER_S);
    assert!(bench.intervals.is_empty());
}

#[test]
fn user_time_begins_anew_with_the_users_there_are() {
    let mut bench = bench_with(Some(4 * NS_PER_S));
    let s = NS_PER_S;
    bench.recorder.user_started(0);
    bench.recorder.user_started(s);
    bench.recorder.user_finished(3 * s);
    bench.recorder.iteration(7);
    bench.recorder.warmup_ended(4 * s);
    bench.recorder.iteration(9);
    bench.recorder.user_started(6 * s);
    bench.recorder.load_stopped(8 * s);
    let times: Vec<_> = bench.intervals.try_iter().map(|i| i.user_time).collect();
    let told = |t: &UserTime| (t.active_ns / u128::from(s), t.users, t.iterations.sum());
    // 1 user for 4 s and 1 for 2 s; then 1 for 4 s and 1 for 2 s.
    assert_eq!(times.iter().map(told).collect::<Vec<_>>(), [(6, 2, 7), (6, 2, 9)]);
}

fn sample_of(bytes: usize) -> Box<FailureSample> {
    Box::new(FailureSample { message: "x".repeat(bytes), ..FailureSample::default() })
}

#[test]
fn the_first_failures_of_each_sort_are_kept_over_the_whole_run() {
    let mut bench = bench();
    let other = bench.recorder.row(key("b"));
    for second in 1..=3 {
        for (row, kind) in [(bench.row, "reset"), (bench.row, "assertion"), (other, "reset")] {
            assert_eq!(bench.recorder.wants_sample(row, kind), second <= 2, "{second}");
            bench.recorder.sample(row, kind, sample_of(second));
        }
        bench.recorder.hand_over(second as u64);
        let interval = bench.intervals.try_recv().unwrap();
        assert_eq!((interval.samples.len(), interval.samples_left_out), (if second <= 2 { 3 } else { 0 }, 0));
        bench.give_back.send(Box::default()).unwrap();
    }
}

#[test]
fn samples_are_bounded_in_number_and_in_text() {
    let mut bench = bench();
    let large = SAMPLES_BYTES_MAX / 2;
    bench.recorder.sample(bench.row, "reset", sample_of(large));
    bench.recorder.sample(bench.row, "reset", sample_of(large + 1));
    assert_eq!((bench.recorder.current.samples.len(), bench.recorder.current.samples_left_out), (1, 1));
    bench.recorder.sample(bench.row, "reset", sample_of(large));
    assert_eq!((bench.recorder.current.samples.len(), bench.recorder.current.samples_left_out), (2, 1));
    let row = bench.recorder.row(key("b"));
    assert!(!bench.recorder.wants_sample(row, "reset"));
    bench.recorder.leave_out_sample(row, "reset");
    bench.recorder.leave_out_sample(bench.row, "reset");
    assert_eq!(bench.recorder.current.samples_left_out, 2);

    let mut bench = self::bench();
    for n in 0..SAMPLES_MAX + 5 {
        let row = bench.recorder.row(key(&n.to_string()));
        bench.recorder.sample(row, "reset", sample_of(1));
    }
    assert_eq!((bench.recorder.current.samples.len(), bench.recorder.current.samples_left_out), (SAMPLES_MAX, 5));
}

#[test]
fn arrivals_a_broken_core_did_not_make_are_missed() {
    let mut bench = bench();
    bench.recorder.arrivals(ArrivalsPart { intended: 9, made: 4, missed: 1, ..ArrivalsPart::default() });
    bench.recorder.hand_over(1);
    bench.recorder.arrivals(ArrivalsPart { intended: 2, made: 1, ..ArrivalsPart::default() });
    bench.recorder.abandon_unfinished();
    bench.recorder.finish(1_500_000_000);
    let missed: Vec<_> = bench.intervals.try_iter().map(|interval| interval.counts.arrivals_missed).collect();
    // 11 in all, of which 5 were made.
    assert_eq!(missed, [1, 5]);
}
