use std::time::Duration;

use super::*;
use crate::plan::{Spacing, Stage};

const MS: u64 = 1_000_000;

/// One core with so many users and 100 arrivals a second.
fn state(users: usize, catch_up: CatchUp) -> State {
    let turn = Turn::of(0, 1);
    let arrivals = Arrivals::new(Course::steady(100.0), Spacing::Even, turn, None, u64::MAX);
    State::new(arrivals, catch_up, users)
}

/// Users that are all free already.
fn with_free_users(users: usize, catch_up: CatchUp) -> State {
    State { free: (0..users).collect(), started: users, ..state(users, catch_up) }
}

/// Goes on at a time until there is nothing to do; gives the intended times of what was made, in milliseconds.
fn made(state: &mut State, now_ms: u64) -> Vec<u64> {
    let mut made = Vec::new();
    while let Next::Given(number) | Next::Start(number) = state.go_on(now_ms * MS) {
        made.push(state.given[number].take().unwrap() / MS);
    }
    made
}

#[test]
fn each_arrival_is_made_at_its_time_by_a_free_user_or_a_new_one() {
    let mut state = state(3, CatchUp::Burst);
    assert_eq!(made(&mut state, 0), [0]);
    assert!(matches!(state.go_on(0), Next::SleepUntil(10_000_000)));
    state.free.push(0);
    assert!(matches!(state.go_on(10 * MS), Next::Given(0)));
    assert!(matches!(state.go_on(20 * MS), Next::Start(1)));
    assert!(matches!(state.go_on(30 * MS), Next::Start(2)));
    assert!(matches!(state.go_on(40 * MS), Next::WaitForUser(u64::MAX)));
    assert_eq!((state.counts.intended, state.counts.waited), (5, 0));
    // What is due at 40 ms and at 50 ms has waited; what comes at 60 ms does not.
    state.free.extend([0, 1, 2]);
    assert_eq!(made(&mut state, 52), [40, 50]);
    assert_eq!(made(&mut state, 60), [60]);
    assert_eq!(state.counts.waited, 2);
}

#[test]
fn what_is_due_from_the_end_of_the_warmup_on_is_none_of_it() {
    let mut state = State { count_until_ns: 50 * MS - 1, ..with_free_users(99, CatchUp::Burst) };
    // The core comes here 3 ms late.
    assert_eq!(made(&mut state, 53), [0, 10, 20, 30, 40, 50]);
    assert_eq!(state.counts.intended, 5);
    state.count_until_ns = u64::MAX;
    state.count_intended(60 * MS);
    assert_eq!(state.counts.intended, 7);
}

#[test]
fn an_arrival_counts_where_it_is_due_and_not_where_it_is_made() {
    for catch_up in [CatchUp::Burst, CatchUp::Drop] {
        // The warm-up ends at 50 ms, and the core comes to the one that is due then before it comes to the end of the warm-up.
        let mut state = State { count_until_ns: 50 * MS - 1, ..with_free_users(99, catch_up) };
        let mut began = 0;
        for now_ms in [0, 10, 20, 30, 40, 50] {
            for due_ms in made(&mut state, now_ms) {
                state.begin(due_ms * MS);
                began += 1;
            }
        }
        assert_eq!(began, 6);
        let warmup = state.part(50 * MS + 1, false);
        state.count_all();
        assert_eq!((warmup.intended, warmup.made, warmup.missed), (5, 5, 0));
        // What is due at 60 ms and at 70 ms finds nobody.
        state.free.clear();
        state.started = 99;
        assert!(made(&mut state, 75).is_empty());
        let measured = state.part(75 * MS, true);
        assert_eq!((measured.intended, measured.made, measured.missed), (3, 1, 2));
    }
}

#[test]
fn what_is_dropped_counts_where_it_was_due() {
    let mut state = State { count_until_ns: 50 * MS - 1, started: 99, ..state(99, CatchUp::Drop) };
    assert!(made(&mut state, 65).is_empty());
    let warmup = state.part(65 * MS, false);
    assert_eq!((warmup.intended, warmup.missed), (5, 5));
    state.count_all();
    let measured = state.part(65 * MS, false);
    assert_eq!((measured.intended, measured.missed), (2, 2));
}

#[test]
fn what_waits_at_the_end_of_the_warmup_is_made_after_it() {
    // 50 are due by then; the two users began 10 of them.
    let mut state = State { count_until_ns: 500 * MS - 1, ..with_free_users(10, CatchUp::Burst) };
    for due_ms in made(&mut state, 500) {
        state.begin(due_ms * MS);
    }
    let warmup = state.part(500 * MS, false);
    state.count_all();
    assert_eq!((warmup.intended, warmup.made, warmup.missed), (50, 10, 0));
    // 50 more are due by 990 ms, and 60 users become free.
    state.free.extend(0..10);
    for _ in 0..6 {
        for due_ms in made(&mut state, 990) {
            state.begin(due_ms * MS);
        }
        state.free.extend(0..10);
    }
    let measured = state.part(990 * MS, true);
    assert_eq!((measured.intended, measured.made, measured.missed), (50, 60, 30));
}

#[test]
fn a_slow_service_has_the_users_it_needs_and_none_is_late_beyond_the_patience() {
    let turn = Turn::of(0, 1);
    let arrivals = Arrivals::new(Course::steady(10_000.0), Spacing::Even, turn, None, u64::MAX);
    let mut state = State::new(arrivals, CatchUp::Burst, 1_001);
    // None of 1,001 ends, and the core looks 20 us too late each time, with a rest before.
    let (mut now_ns, mut rests, mut latest_ns) = (0, 0, 0);
    while state.started < 1_001 {
        match state.go_on(now_ns) {
            Next::Start(number) => latest_ns = latest_ns.max(now_ns - state.given[number].take().unwrap()),
            Next::SleepUntil(at_ns) | Next::WaitForUser(at_ns) => {
                (now_ns, rests) = (at_ns + 20_000, rests + 1);
                state.starts.looked(rests);
            }
            Next::Given(_) | Next::Exhausted => panic!("nobody is free"),
        }
    }
    assert_eq!((latest_ns, state.counts.waited), (520_000, 0));
    // The last was due at 100 ms. What comes then finds that there may be no further user.
    assert_eq!(now_ns, 100_520_000);
    assert!(matches!(state.go_on(now_ns), Next::WaitForUser(u64::MAX)));
    assert!(state.short_of_users && state.waited_for_users);
}

#[test]
fn an_arrival_that_was_given_and_not_begun_waited_for_its_user_if_that_sets_up() {
    let at_the_stop = |setting_up| {
        let mut state = State { setting_up, ..state(3, CatchUp::Burst) };
        assert!(matches!(state.go_on(0), Next::Start(0)));
        let part = state.part(5 * MS, true);
        assert_eq!((part.intended, part.made, part.missed), (1, 0, 1));
        part.waited_for_users
    };
    assert_eq!([at_the_stop(0), at_the_stop(1)], [false, true]);
}

#[test]
fn millions_of_arrivals_that_find_no_user_are_missed_at_once() {
    let busy = || State { given: vec![None], started: 1, ..state(1, CatchUp::Drop) };
    let arrivals = Arrivals::new(Course::steady(1e7), Spacing::Even, Turn::of(0, 1), None, u64::MAX);
    let mut state = State { intended: arrivals.clone(), arrivals, ..busy() };
    assert!(made(&mut state, 3_600_000).is_empty());
    assert_eq!((state.counts.intended, state.counts.missed), (36_000_000_001, 36_000_000_001));
    state.free.push(0);
    assert!(matches!(state.go_on(3_600_000 * MS), Next::SleepUntil(3_600_000_000_100)));
}

#[test]
fn a_burst_makes_up_for_everything_with_the_times_that_were_intended() {
    let mut state = with_free_users(99, CatchUp::Burst);
    assert_eq!(made(&mut state, 50), [0, 10, 20, 30, 40, 50]);
    assert_eq!((state.counts.intended, state.counts.missed), (6, 0));
}

#[test]
fn smooth_makes_up_at_five_quarters_of_the_rate() {
    let mut state = with_free_users(999, CatchUp::Smooth);
    assert_eq!(made(&mut state, 1_000), [0]);
    // A gap of 8 ms instead of 10.
    assert!(matches!(state.go_on(1_000 * MS), Next::SleepUntil(1_008_000_000)));
    assert_eq!(made(&mut state, 1_008), [10]);
    // 1 s behind at 100/s is caught up with in 4 s.
    let (mut now_ms, mut count) = (1_008, 2);
    while now_ms < 4_990 {
        now_ms += 8;
        count += made(&mut state, now_ms).len();
    }
    assert_eq!(count, 500);
    assert!(matches!(state.go_on(now_ms * MS), Next::SleepUntil(5_000_000_000)));
}

#[test]
fn smooth_goes_by_the_gaps_of_the_schedule_where_the_rate_begins_at_nothing() {
    let ramp = Course::new(0.0, &[Stage { over: Duration::from_secs(10), target: 100.0 }]);
    let arrivals = Arrivals::new(ramp, Spacing::Even, Turn::of(0, 1), None, u64::MAX);
    let mut state = State { intended: arrivals.clone(), arrivals, ..with_free_users(9, CatchUp::Smooth) };
    // 5 t^2 = n: due at 0, 447, 632 and 775 ms. The second follows the first after 447 / 1.25 ms.
    assert_eq!(made(&mut state, 700), [0]);
    assert!(matches!(state.go_on(1_057 * MS), Next::SleepUntil(_)));
    assert_eq!(made(&mut state, 1_058), [447]);
}

#[test]
fn nothing_that_was_held_up_is_made_in_a_pause() {
    let mut state = with_free_users(1, CatchUp::Burst);
    assert_eq!(made(&mut state, 50), [0]);
    state.pause_ns = 60 * MS..u64::MAX;
    state.follow(|rate| rate.halt(0.06));
    state.free.push(0);
    assert_eq!(made(&mut state, 59), [10]);
    state.free.push(0);
    assert!(matches!(state.go_on(500 * MS), Next::Exhausted));
    state.pause_ns.end = 600 * MS;
    assert!(matches!(state.go_on(590 * MS), Next::SleepUntil(600_000_000)));
    assert_eq!(made(&mut state, 600), [20], "with the time that was intended");
    assert_eq!(state.counts.intended, 6);
}

#[test]
fn who_waits_until_one_more_may_start_waits_for_a_free_user_too() {
    let turn = Turn::of(0, 1);
    let fast = Arrivals::new(Course::steady(100_000.0), Spacing::Even, turn, None, u64::MAX);
    let mut state = State::new(fast, CatchUp::Burst, 99);
    // The first 16 start users, and the 17th, due at 160 us, waits for half a millisecond first.
    let at_ns = 300_000;
    (0..16).for_each(|number| assert!(matches!(state.go_on(at_ns), Next::Start(started) if started == number)));
    assert!(matches!(state.go_on(at_ns), Next::WaitForUser(660_000)));
    state.free.push(3);
    assert!(matches!(state.go_on(at_ns), Next::Given(3)));
    assert_eq!(state.counts.waited, 0, "one more may start yet");
}

#[test]
fn what_is_late_is_dropped_and_counted() {
    let mut state = with_free_users(99, CatchUp::Drop);
    // 10 ms late is within the grain of things.
    assert_eq!(made(&mut state, 50), [40, 50]);
    assert_eq!((state.counts.intended, state.counts.missed), (6, 4));
}

#[test]
fn what_finds_no_user_is_dropped_at_once() {
    let mut state = state(1, CatchUp::Drop);
    assert_eq!(made(&mut state, 0), [0]);
    assert!(made(&mut state, 10).is_empty());
    assert_eq!((state.counts.intended, state.counts.missed), (2, 1));
    state.free.push(0);
    assert_eq!(made(&mut state, 20), [20]);
}
