//! The schedule of an open run: what 100,000 arrivals cost, a second of a very fast run. 50 ms are 5 % of a core.

use divan::counter::ItemsCount;
use divan::{black_box, Bencher};
use pummel_engine::{walk_arrivals, Spacing};

/// Arrivals of one sample, and their rate per second.
const ARRIVALS: u64 = 100_000;

fn main() {
    divan::main();
}

/// Evenly spaced ones.
#[divan::bench]
fn even(bencher: Bencher) {
    let walk = || walk_arrivals(black_box(ARRIVALS as f64), ARRIVALS, Spacing::Even);
    bencher.counter(ItemsCount::new(ARRIVALS)).bench_local(walk);
}

/// Those of a Poisson process.
#[divan::bench]
fn poisson(bencher: Bencher) {
    let walk = || walk_arrivals(black_box(ARRIVALS as f64), ARRIVALS, Spacing::Poisson { seed: 1 });
    bencher.counter(ItemsCount::new(ARRIVALS)).bench_local(walk);
}
