//! Which case an iteration runs (hrp spec 14.5).

/// Picks by weight where any case has one, else uniformly. A weight of 0 is never picked beside others.
pub(crate) struct Choice {
    /// Sums of weights up to each case.
    sums: Vec<u64>,
}

impl Choice {
    pub(crate) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let mut weights: Vec<u64> = weights.map(u64::from).collect();
        if weights.iter().all(|weight| *weight == 0) {
            weights.fill(1);
        }
        let sums = weights.iter().scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// The index of a case.
    #[inline]
    pub(crate) fn pick(&self, random: &mut fastrand::Rng) -> usize {
        if self.sums.len() < 2 {
            return 0;
        }
        let at = random.u64(0..self.sums[self.sums.len() - 1]);
        self.sums.partition_point(|sum| *sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;

    fn picked(weights: &[u32]) -> Vec<usize> {
        let choice = Choice::new(weights.iter().copied());
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = vec![0; weights.len()];
        (0..3000).for_each(|_| counts[choice.pick(&mut random)] += 1);
        counts
    }

    #[test]
    fn weight_0_is_never_picked_beside_others_and_the_rest_by_weight() {
        let counts = picked(&[2, 0, 1]);
        assert_eq!(counts[1], 0);
        assert!((1900..2100).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn without_weights_all_are_picked_alike() {
        let counts = picked(&[0, 0, 0]);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(picked(&[0]), [3000]);
    }
}
