//! The writable form: an HDR histogram with exact moments beside it.

use hdrhistogram::{Counter, Histogram};

use super::{Distribution, Moments, HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS};

/// Range a new histogram is laid out for, microseconds. It grows by doubling up to [`HIGHEST_US`] when a longer value
/// comes, so a row of millisecond latencies holds 24 KiB instead of 94, and reaches its steady size in its first seconds.
const FIRST_RANGE_US: u64 = 32_767;

/// A distribution being written. The histogram is made on the first value.
#[derive(Clone, Debug)]
pub(crate) struct Recorded<C: Counter> {
    moments: Moments,
    histogram: Option<Histogram<C>>,
}

impl<C: Counter> Default for Recorded<C> {
    fn default() -> Self {
        Self { moments: Moments::default(), histogram: None }
    }
}

#[cold]
#[inline(never)]
fn new_histogram<C: Counter>() -> Histogram<C> {
    let mut histogram = Histogram::new_with_bounds(LOWEST_US, FIRST_RANGE_US, SIGNIFICANT_DIGITS)
        .expect("constant bounds within the histogram's own");
    histogram.auto(true);
    histogram
}

impl<C: Counter> Recorded<C> {
    /// Adds one value, microseconds.
    #[inline]
    pub(crate) fn record(&mut self, value_us: u64) {
        self.moments.record(value_us);
        self.count_in_bucket(value_us, C::one());
    }

    #[inline]
    fn count_in_bucket(&mut self, value_us: u64, count: C) {
        let clamped = value_us.clamp(LOWEST_US, HIGHEST_US);
        let histogram = self.histogram.get_or_insert_with(new_histogram);
        if histogram.record_n(clamped, count).is_err() {
            // Growing can fail on targets of 32 bits alone; the count then goes to the last bucket rather than be lost.
            histogram.saturating_record_n(clamped, count);
        }
    }

    /// Exact figures of what was recorded.
    pub(crate) fn moments(&self) -> &Moments {
        &self.moments
    }

    /// How many values the histogram itself holds; equals the moments' count, and the conservation check looks at both.
    pub(crate) fn bucketed(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// Empties it for the next interval. The histogram is walked only if something is in it.
    pub(crate) fn clear(&mut self) {
        if self.moments.count() == 0 {
            return;
        }
        self.moments = Moments::default();
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
    }

    /// Memory held by the buckets, bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |h| (h.distinct_values() * size_of::<C>()) as u64)
    }

    /// Every bucket that holds something, in rising order, as (upper end in microseconds, count).
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.histogram
            .iter()
            .filter(|h| !h.is_empty())
            .flat_map(Histogram::iter_recorded)
            .map(|step| (step.value_iterated_to(), step.count_at_value().as_u64()))
    }

    /// The sparse form of what was recorded.
    pub(crate) fn to_distribution(&self) -> Distribution {
        Distribution::new(self.moments, self.buckets().collect())
    }

    /// Values at several shares (0 to 1, rising), microseconds, in one walk. All 0 when nothing was recorded.
    pub(crate) fn values_at<const N: usize>(&self, shares: [f64; N]) -> [u64; N] {
        let (Some(histogram), Some(min), Some(max)) = (&self.histogram, self.moments.min(), self.moments.max()) else {
            return [0; N];
        };
        let mut values = [0; N];
        for (slot, value) in values.iter_mut().zip(histogram.value_at_quantiles(shares)) {
            // The last bucket holds what is beyond the histogram's range, too.
            *slot = if value >= histogram.max() { max } else { value.max(min) };
        }
        values
    }
}

impl Recorded<u64> {
    /// Adds what a part recorded, exactly.
    pub(crate) fn merge(&mut self, part: &Distribution) {
        self.moments.merge(part.moments());
        for &(value_us, count) in part.buckets() {
            self.count_in_bucket(value_us, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_buckets_equal_the_values_recorded() {
        let mut recorded = Recorded::<u32>::default();
        assert_eq!((recorded.moments().count(), recorded.bucketed(), recorded.held_bytes()), (0, 0, 0));
        for value in [0, 1, 5, 5, 40_000, HIGHEST_US, HIGHEST_US * 2] {
            recorded.record(value);
        }
        assert_eq!((recorded.moments().count(), recorded.bucketed()), (7, 7));
        // 0 counts in the first bucket and twice the range in the last, while the extremes stay exact.
        assert_eq!(recorded.moments().min(), Some(0));
        assert_eq!(recorded.moments().max(), Some(HIGHEST_US * 2));
        let buckets: Vec<_> = recorded.buckets().collect();
        assert_eq!(buckets[0], (1, 2));
        assert_eq!(buckets[1], (5, 2));
        assert_eq!(buckets.iter().map(|b| b.1).sum::<u64>(), 7);
        assert_eq!(recorded.values_at([0.5, 1.0]), [5, HIGHEST_US * 2]);
    }

    #[test]
    fn clearing_leaves_nothing_behind() {
        let mut recorded = Recorded::<u32>::default();
        recorded.record(70_000);
        recorded.clear();
        assert_eq!((recorded.moments().count(), recorded.bucketed()), (0, 0));
        recorded.record(3);
        assert_eq!(recorded.buckets().collect::<Vec<_>>(), [(3, 1)]);
        assert_eq!(recorded.values_at([0.5]), [3]);
    }

    #[test]
    fn totals_outgrow_a_cores_counters() {
        let part = Distribution::new(
            {
                let mut moments = Moments::default();
                moments.record(9);
                moments
            },
            vec![(9, u64::from(u32::MAX))],
        );
        let mut total = Recorded::<u64>::default();
        total.merge(&part);
        total.merge(&part);
        assert_eq!(total.bucketed(), 2 * u64::from(u32::MAX));
    }
}
