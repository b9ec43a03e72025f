//! The timer queue: what a think time or a request timeout costs, with few and with many deadlines pending.
//!
//! A user has one deadline in the queue, so the counts pending are numbers of users.

use divan::counter::ItemsCount;
use divan::{black_box, Bencher};
use pummel_ring::Timers;

/// Deadlines handled in one sample: enough to hide the clock's own cost.
const BATCH: u64 = 1_000;

/// Users of a small, a usual and a large run on one core.
const PENDING: [u64; 3] = [64, 1_000, 10_000];

fn main() {
    divan::main();
}

/// Deadlines one nanosecond apart, put in out of order: 7,919 is prime, so every place is met once.
fn filled(pending: u64) -> Timers {
    let mut timers = Timers::default();
    for n in 0..pending {
        timers.add(n * 7_919 % pending, n as u32, 0);
    }
    timers
}

/// Steady state: the earliest deadline comes up, and its user sets the next one behind all others, as think times do.
#[divan::bench(args = PENDING)]
fn due_and_set_anew(bencher: Bencher, pending: u64) {
    let mut timers = filled(pending);
    let mut now = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            let (key, generation) = timers.pop_due(black_box(now)).expect("one deadline per nanosecond");
            timers.add(now + pending, key, generation);
            now += 1;
        }
    });
}

/// The look that every pass of the driver takes when nothing is due.
#[divan::bench(args = PENDING)]
fn nothing_due(bencher: Bencher, pending: u64) {
    let mut timers = Timers::default();
    for n in 0..pending {
        timers.add(u64::MAX - n, n as u32, 0);
    }
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for now in 0..BATCH {
            assert_eq!(timers.pop_due(black_box(now)), None);
            black_box(timers.next_ns());
        }
    });
}

/// Deadlines that come and go while later ones wait: short sleeps in the midst of request timeouts.
#[divan::bench(args = PENDING)]
fn short_among_long(bencher: Bencher, pending: u64) {
    let mut timers = Timers::default();
    for n in 0..pending {
        timers.add(u64::MAX - n, n as u32, 0);
    }
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for now in 0..BATCH {
            timers.add(black_box(now), 0, 0);
            assert_eq!(timers.pop_due(black_box(now)), Some((0, 0)));
        }
    });
}
