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

    /// True for a case that may be picked.
    pub(crate) fn may_pick(&self, case: usize) -> bool {
        self.weight(case) > 0
    }

    fn weight(&self, case: usize) -> u64 {
        self.sums[case] - case.checked_sub(1).map_or(0, |before| self.sums[before])
    }

    /// The index of one of the cases that `may` allows; none where it allows none that may be picked.
    pub(crate) fn pick_among(&self, random: &mut fastrand::Rng, may: impl Fn(usize) -> bool) -> Option<usize> {
        let weight = |case: usize| if may(case) { self.weight(case) } else { 0 };
        let sum: u64 = (0..self.sums.len()).map(weight).sum();
        let mut at = if sum == 0 { return None } else { random.u64(0..sum) };
        (0..self.sums.len()).find(|case| {
            let here = at < weight(*case);
            at = at.saturating_sub(weight(*case));
            here
        })
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
    fn among_some_only_those_are_picked_by_their_weights() {
        let choice = Choice::new([2, 0, 1, 5].into_iter());
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0; 4];
        (0..3000).for_each(|_| counts[choice.pick_among(&mut random, |case| case != 3).unwrap()] += 1);
        assert_eq!((counts[1], counts[3]), (0, 0));
        assert!((1900..2100).contains(&counts[0]), "{counts:?}");
        assert_eq!(choice.pick_among(&mut random, |case| case == 1), None, "a weight of 0 beside others");
        assert_eq!([0, 1, 2, 3].map(|case| choice.may_pick(case)), [true, false, true, true]);
    }

    #[test]
    fn without_weights_all_are_picked_alike() {
        let counts = picked(&[0, 0, 0]);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(picked(&[0]), [3000]);
    }
}
