//! The sparse form: what one second of one row looked like.

use super::{Latency, Moments, Recorded};

/// An immutable set of latencies: exact moments and the histogram buckets that hold something. Merges exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    moments: Moments,
    /// (upper end of the bucket in microseconds, count), rising.
    buckets: Vec<(u64, u64)>,
}

impl Distribution {
    /// Buckets must rise and their counts add up to the moments' count.
    pub(crate) fn new(moments: Moments, buckets: Vec<(u64, u64)>) -> Self {
        Self { moments, buckets }
    }

    /// That of some values, microseconds.
    pub fn of(values: impl IntoIterator<Item = u64>) -> Self {
        let mut recorded = Recorded::<u32>::default();
        for value in values {
            recorded.record(value);
        }
        recorded.to_distribution()
    }

    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.moments.count()
    }

    /// Exact count, extremes and sums.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// The buckets that hold something, rising: (upper end in microseconds, count).
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// The value at a share of the samples (0 to 1), microseconds; `None` when there are none.
    pub fn value_at(&self, share: f64) -> Option<u64> {
        let (min, max) = (self.moments.min()?, self.moments.max()?);
        let total: u64 = self.buckets.iter().map(|bucket| bucket.1).sum();
        let rank = ((share.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut below = 0;
        // The last bucket holds what is beyond the histogram's range, too, so there the exact maximum is the answer.
        let (_, but_the_last) = self.buckets.split_last()?;
        for &(value_us, count) in but_the_last {
            below += count;
            if below >= rank {
                return Some(value_us.max(min));
            }
        }
        Some(max)
    }

    /// Several parts together.
    pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Distribution>) -> Self {
        /// From so many buckets on a histogram, which has to be walked from one end to the other, takes less time than sorting.
        const HISTOGRAM_FROM: usize = 4_096;
        let parts: Vec<_> = parts.into_iter().collect();
        if let [one] = parts.as_slice() {
            return (*one).clone();
        }
        if parts.iter().map(|part| part.buckets.len()).sum::<usize>() < HISTOGRAM_FROM {
            return Self::sorted(&parts);
        }
        let mut together = Recorded::<u64>::default();
        for part in parts {
            together.merge(part);
        }
        together.to_distribution()
    }

    fn sorted(parts: &[&Distribution]) -> Self {
        let (mut moments, mut buckets) = (Moments::default(), Vec::new());
        for part in parts {
            moments.merge(&part.moments);
            buckets.extend_from_slice(&part.buckets);
        }
        // The standard library's sort finds the rising stretches that are there, and merges them.
        buckets.sort_by_key(|&(value_us, _)| value_us);
        buckets.dedup_by(|(value_us, count), (kept_us, kept)| {
            let is_the_same = value_us == kept_us;
            *kept += if is_the_same { *count } else { 0 };
            is_the_same
        });
        buckets.shrink_to_fit();
        Self { moments, buckets }
    }

    /// Adds what another part holds. Of many parts [`merged`](Self::merged) makes one sooner.
    pub fn merge(&mut self, part: &Distribution) {
        if self.buckets.is_empty() || part.buckets.is_empty() {
            self.moments.merge(&part.moments);
            self.buckets.extend_from_slice(&part.buckets);
        } else {
            *self = Self::sorted(&[&*self, part]);
        }
    }

    /// The figures of this distribution.
    pub fn latency(&self) -> Latency {
        Latency::new(&self.moments, |shares| shares.map(|share| self.value_at(share).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latency::HIGHEST_US;

    fn of(values: &[u64]) -> Distribution {
        Distribution::of(values.iter().copied())
    }

    #[test]
    fn values_at_shares_of_ten_samples() {
        let ten = of(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(ten.value_at(0.0), Some(10));
        assert_eq!(ten.value_at(0.5), Some(50));
        assert_eq!(ten.value_at(0.51), Some(60));
        assert_eq!(ten.value_at(0.9), Some(90));
        assert_eq!(ten.value_at(1.0), Some(100));
        assert_eq!(Distribution::default().value_at(0.5), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        // A few values, which are sorted, and so many that they go to a histogram.
        #[test]
        fn parts_together_are_what_all_of_it_would_have_been(
            values in prop_oneof![
                prop::collection::vec(0..HIGHEST_US * 2, 0..100),
                prop::collection::vec(0..100_000_u64, 9_000..10_000),
            ],
            parts in 1..9_usize,
        ) {
            let each = values.len().div_ceil(parts).max(1);
            let parts: Vec<_> = values.chunks(each).map(of).collect();
            let whole = of(&values);
            prop_assert_eq!(&Distribution::merged(&parts), &whole);
            let mut one_by_one = Distribution::default();
            for part in &parts {
                one_by_one.merge(part);
            }
            prop_assert_eq!(&one_by_one, &whole);
        }
    }

    #[test]
    fn merging_interleaves_and_adds() {
        let mut left = of(&[1, 3, 3, 9]);
        left.merge(&of(&[2, 3, 20]));
        assert_eq!(left.buckets(), [(1, 1), (2, 1), (3, 3), (9, 1), (20, 1)]);
        assert_eq!(left, of(&[1, 3, 3, 9, 2, 3, 20]));
        left.merge(&Distribution::default());
        assert_eq!(left.count(), 7);
        let parts = [of(&[5, 9]), Distribution::default(), of(&[9]), of(&[1, 9, 70_000])];
        assert_eq!(Distribution::merged(&parts), of(&[5, 9, 9, 1, 9, 70_000]));
        assert_eq!(Distribution::merged([]), Distribution::default());
        // Many, to a histogram: each of 10,000 values twice.
        let many = [of(&(1..=10_000).collect::<Vec<_>>()), of(&(1..=10_000).rev().collect::<Vec<_>>())];
        assert!(many[0].buckets().len() > 2_048);
        let together = Distribution::merged(&many);
        // From 4,096 us on a bucket is 4 us wide: 5,000 stands at the beginning of one.
        assert_eq!((together.count(), together.value_at(0.5)), (20_000, Some(5_003)));
        assert_eq!(together.buckets()[..2_047], (1..=2_047).map(|us| (us, 2)).collect::<Vec<_>>());
    }
}
