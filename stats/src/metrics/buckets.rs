//! A latency distribution that only grows, in the two forms scrapers know: fixed bounds, and powers of a base (native histograms).
//!
//! Both are made from the buckets of a [`Distribution`], which are 0.1 % wide: a sample counts by its bucket's upper end.

use std::collections::BTreeMap;

use crate::latency::Distribution;

/// Upper bounds of the fixed buckets, microseconds: 1, 2.5 and 5 of each power of ten from 100 us on, and 60 s, a usual time limit.
pub(super) const BOUNDS_US: [u64; 19] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 25_000_000, 50_000_000, 60_000_000,
];

/// Schema of the native buckets: bounds are powers of 2^(2^-4), so that a bucket is 4.4 % wide and ten powers of two, as from 1 ms to
/// 1 s, fill 160 of them, which is what OpenTelemetry takes for a sensible most.
pub(super) const SCHEMA: i32 = 4;

/// What is not above this counts as zero in a native histogram, seconds: 2^-128, as in Prometheus' own libraries. Latencies begin at 1 us.
pub(super) const ZERO_THRESHOLD_S: f64 = 2.938_735_877_055_719e-39;

/// Samples by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    count: u64,
    sum_us: u64,
    /// By place in [`BOUNDS_US`]; the last counts what is above all of them.
    fixed: [u64; BOUNDS_US.len() + 1],
    /// By index of the native bucket.
    native: BTreeMap<i32, u64>,
}

impl Buckets {
    /// Adds the samples of a second.
    pub(super) fn add(&mut self, part: &Distribution) {
        self.count += part.count();
        self.sum_us = self.sum_us.saturating_add(part.moments().sum());
        for &(upper_us, count) in part.buckets() {
            self.fixed[BOUNDS_US.partition_point(|bound_us| *bound_us < upper_us)] += count;
            *self.native.entry(native_index(upper_us)).or_default() += count;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum_s(&self) -> f64 {
        seconds(self.sum_us)
    }

    /// (upper bound in seconds, samples at or below it), rising; without the one that holds all.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut below = 0;
        BOUNDS_US.iter().zip(&self.fixed).map(move |(bound_us, count)| {
            below += count;
            (seconds(*bound_us), below)
        })
    }

    /// Samples between two fixed bounds, one entry more than there are bounds.
    pub(super) fn fixed(&self) -> &[u64] {
        &self.fixed
    }

    /// Runs of native buckets that follow each other: how far each begins behind the end of the one before (the first: behind index 0),
    /// and its length.
    pub(super) fn spans(&self) -> Vec<(i32, u32)> {
        let mut spans: Vec<(i32, u32)> = Vec::new();
        let mut end = 0;
        for index in self.native.keys() {
            match spans.last_mut().filter(|_| *index == end) {
                Some((_, length)) => *length += 1,
                None => spans.push((index - end, 1)),
            }
            end = index + 1;
        }
        spans
    }

    /// The count of each native bucket, as the difference to the one before.
    pub(super) fn deltas(&self) -> Vec<i64> {
        let mut before = 0;
        let count = self.native.values().map(|count| {
            let delta = *count as i64 - before;
            before = *count as i64;
            delta
        });
        count.collect()
    }
}

/// The native bucket a value falls into: that whose upper bound 2^(index / 2^schema), in seconds, is the least one not below it.
fn native_index(us: u64) -> i32 {
    (seconds(us.max(1)).log2() * f64::from(1 << SCHEMA)).ceil() as i32
}

pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Distribution {
        Distribution::of(values.iter().copied())
    }

    #[test]
    fn fixed_buckets_are_cumulative_over_all_seconds() {
        let mut buckets = Buckets::default();
        buckets.add(&of(&[100, 101, 900]));
        buckets.add(&of(&[1_000, 1_001, 70_000_000]));
        let cumulative: Vec<_> = buckets.cumulative().collect();
        assert_eq!(cumulative[..5], [(0.0001, 1), (0.000_25, 2), (0.0005, 2), (0.001, 4), (0.0025, 5)]);
        assert_eq!(cumulative[18], (60.0, 5));
        assert_eq!(buckets.count(), 6);
        assert!((buckets.sum_s() - 70.003_102).abs() < 1e-12);
        assert_eq!(buckets.fixed().iter().sum::<u64>(), 6);
    }

    #[test]
    fn native_buckets_have_their_upper_bound_in_them() {
        // 1 s is 2^0, 0.5 s is 2^-1 = 2^(-16/16).
        assert_eq!(native_index(1_000_000), 0);
        assert_eq!(native_index(1_000_001), 1);
        assert_eq!(native_index(500_000), -16);
        assert_eq!(native_index(500_001), -15);
        // 2^-20 s is 0.95 us, so 1 us is above index -320: 16 log2(1e-6) = -318.9.
        assert_eq!(native_index(1), -318);
        assert_eq!(native_index(0), -318);
    }

    #[test]
    fn spans_skip_what_is_empty_and_deltas_add_up() {
        let mut buckets = Buckets::default();
        assert_eq!((buckets.spans(), buckets.deltas()), (Vec::new(), Vec::new()));
        // Indexes -16 (three), -15 (one) and 0 (two).
        buckets.add(&of(&[499_000, 499_000, 499_000, 510_000, 990_000, 990_000]));
        assert_eq!(buckets.spans(), [(-16, 2), (14, 1)]);
        assert_eq!(buckets.deltas(), [3, -2, 1]);
    }
}
