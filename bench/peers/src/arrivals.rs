//! What stamps of arrivals say about the schedule that made them. Every tool's are judged by these, and by nothing it says itself.

const NS_PER_S: f64 = 1e9;

/// How far each arrival lies behind an even grid of that rate, microseconds, ascending. The grid begins as early as the
/// arrivals allow: none lies before its place. So a tool may start when it likes, and is measured from its most punctual request.
pub(crate) fn behind_grid_us(stamps_ns: &[u64], rate: f64) -> Vec<f64> {
    let Some(first) = stamps_ns.first() else { return Vec::new() };
    let places = stamps_ns.iter().enumerate();
    let offset_ns = |(n, stamp): (usize, &u64)| (stamp - first) as f64 - n as f64 * NS_PER_S / rate;
    let offsets: Vec<f64> = places.map(offset_ns).collect();
    let start = offsets.iter().copied().fold(f64::INFINITY, f64::min);
    let mut behind: Vec<f64> = offsets.iter().map(|offset| (offset - start) / 1000.0).collect();
    behind.sort_by(f64::total_cmp);
    behind
}

/// Arrivals a second, from the first to the last; of fewer than two there is none.
pub(crate) fn rate_per_s(stamps_ns: &[u64]) -> Option<f64> {
    let (first, last) = (stamps_ns.first()?, stamps_ns.last()?);
    let gaps = stamps_ns.len() - 1;
    (last > first).then(|| gaps as f64 * NS_PER_S / (last - first) as f64)
}

/// The times between one arrival and the next, seconds.
pub(crate) fn gaps_s(stamps_ns: &[u64]) -> Vec<f64> {
    stamps_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / NS_PER_S).collect()
}

/// Standard deviation by mean: 0 for even gaps, 1 for those of a Poisson process.
pub(crate) fn variation(gaps_s: &[f64]) -> f64 {
    let count = gaps_s.len() as f64;
    let mean = gaps_s.iter().sum::<f64>() / count;
    let variance = gaps_s.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
    variance.sqrt() / mean
}

/// The Kolmogorov-Smirnov statistic of gaps against the exponential distribution of a rate: the most by which the share of gaps
/// up to some length differs from what the distribution says.
pub(crate) fn distance_to_exponential(gaps_s: &[f64], rate: f64) -> f64 {
    let mut sorted = gaps_s.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let distance = |(n, gap): (usize, &f64)| {
        let expected = 1.0 - (-rate * gap).exp();
        (expected - n as f64 / count).max((n + 1) as f64 / count - expected)
    };
    sorted.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// What the statistic of so many exponential gaps stays below, 99 times in 100 (the limit for many of them; of Kolmogorov's
/// distribution, for a rate that is given and not fitted).
pub(crate) fn distance_allowed(gaps: usize) -> f64 {
    1.628 / (gaps as f64).sqrt()
}

/// The least figure of an ascending list that a share of them does not exceed.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::{behind_grid_us, distance_allowed, distance_to_exponential, gaps_s, quantile, rate_per_s, variation};

    #[test]
    fn the_most_punctual_arrival_sets_the_grid() {
        // A millisecond apart; the first is late by 30 us, the third by 100 us.
        let stamps = [5_030_000, 6_000_000, 7_100_000, 8_000_000];
        assert_eq!(behind_grid_us(&stamps, 1000.0), [0.0, 0.0, 30.0, 100.0]);
        assert!(behind_grid_us(&[], 1000.0).is_empty());
        // One in a hundred missing puts all behind it back by a gap.
        assert_eq!(behind_grid_us(&[0, 2_000_000, 3_000_000], 1000.0), [0.0, 1000.0, 1000.0]);
    }

    #[test]
    fn rate_and_gaps() {
        let stamps = [1_000_000_000, 1_500_000_000, 3_000_000_000];
        assert_eq!(rate_per_s(&stamps), Some(1.0));
        assert_eq!(gaps_s(&stamps), [0.5, 1.5]);
        // Mean 1, each half away from it.
        assert!((variation(&[0.5, 1.5]) - 0.5).abs() < 1e-12);
        assert_eq!((rate_per_s(&[5]), rate_per_s(&[])), (None, None));
    }

    #[test]
    fn gaps_at_the_quantiles_of_an_exponential_are_one() {
        // At shares of 1/20, 3/20, ... each step of a tenth is met in its middle.
        let gaps: Vec<f64> = (0..10).map(|n| -(1.0 - (f64::from(n) + 0.5) / 10.0).ln() / 2000.0).collect();
        assert!((distance_to_exponential(&gaps, 2000.0) - 0.05).abs() < 1e-12);
        // Even gaps of the mean: none below it, where an exponential has 1 - 1/e of them, and none above.
        let even = [1.0 / 2000.0; 10];
        assert!((distance_to_exponential(&even, 2000.0) - (1.0 - (-1.0_f64).exp())).abs() < 1e-12);
        assert!((distance_allowed(10_000) - 0.01628).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_figures_of_the_list() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&hundred, 0.5), quantile(&hundred, 0.99)), (Some(50.0), Some(99.0)));
        assert_eq!((quantile(&hundred, 0.0), quantile(&hundred, 1.0)), (Some(1.0), Some(100.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
