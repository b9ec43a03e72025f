//! Exact count, extremes and sums of a set of values.

/// Count, minimum, maximum, sum and sum of squares, all exact.
///
/// They stand beside each histogram because its own extremes and mean are rounded to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    count: u64,
    min: u64,
    max: u64,
    sum: u64,
    sum_squares: u128,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, min: u64::MAX, max: 0, sum: 0, sum_squares: 0 }
    }
}

impl Moments {
    /// Those that were kept.
    pub(crate) fn of(count: u64, (min, max): (u64, u64), sum: u64, sum_squares: u128) -> Self {
        Self { count, min, max, sum, sum_squares }
    }

    /// Adds one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = self.sum.wrapping_add(value);
        self.sum_squares = self.sum_squares.wrapping_add(u128::from(value) * u128::from(value));
    }

    /// Adds what another part saw.
    pub fn merge(&mut self, part: &Moments) {
        self.count += part.count;
        self.min = self.min.min(part.min);
        self.max = self.max.max(part.max);
        self.sum = self.sum.wrapping_add(part.sum);
        self.sum_squares = self.sum_squares.wrapping_add(part.sum_squares);
    }

    /// How many values there are.
    #[inline]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Sum of the squares of the values.
    pub fn sum_squares(&self) -> u128 {
        self.sum_squares
    }

    /// The least value; `None` of none.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The greatest value; `None` of none.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Arithmetic mean; `None` of none.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Standard deviation of the whole population (divided by n); `None` of none.
    ///
    /// The variance is `(n * sum_squares - sum^2) / n^2` in integers, because the textbook difference of two large floats
    /// loses every digit when the spread is small against the mean.
    pub fn stddev(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let (n, sum) = (u128::from(self.count), u128::from(self.sum));
        let mean = self.sum as f64 / self.count as f64;
        let scaled = n.checked_mul(self.sum_squares).and_then(|a| sum.checked_mul(sum).map(|b| a.saturating_sub(b)));
        let variance = match scaled {
            Some(scaled) => scaled as f64 / (self.count as f64 * self.count as f64),
            // Only runs of some 10^13 hour-long samples come here.
            None => (self.sum_squares as f64 / self.count as f64 - mean * mean).max(0.0),
        };
        Some(variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Moments {
        let mut moments = Moments::default();
        for &value in values {
            moments.record(value);
        }
        moments
    }

    #[test]
    fn nothing_has_no_figures() {
        let none = Moments::default();
        assert_eq!((none.count(), none.sum(), none.sum_squares()), (0, 0, 0));
        assert_eq!((none.min(), none.max(), none.mean(), none.stddev()), (None, None, None, None));
    }

    #[test]
    fn figures_of_a_textbook_set() {
        // Mean 5, population standard deviation 2.
        let moments = of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((moments.count(), moments.sum(), moments.sum_squares()), (8, 40, 232));
        assert_eq!((moments.min(), moments.max()), (Some(2), Some(9)));
        assert_eq!(moments.mean(), Some(5.0));
        assert_eq!(moments.stddev(), Some(2.0));
    }

    #[test]
    fn a_small_spread_on_a_large_mean_keeps_its_digits() {
        // Two values 2 apart: deviation 1 whatever the mean.
        assert_eq!(of(&[3_599_999_998, 3_600_000_000]).stddev(), Some(1.0));
    }

    #[test]
    fn merging_is_recording_all() {
        let mut left = of(&[7, 100]);
        left.merge(&of(&[3]));
        left.merge(&Moments::default());
        assert_eq!(left, of(&[7, 100, 3]));
    }
}
