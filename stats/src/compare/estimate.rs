//! What the figures of a row are, and what they might have been: the bootstrap.

use fastrand::Rng;

use super::figure::Figure;
use super::measured::{MeasuredRow, Span};
use crate::latency::Distribution;

/// Least intervals of a run that say how much it varies.
pub(super) const INTERVALS_LEAST: usize = 20;
/// Least repeated runs that say how much they vary.
pub(super) const RUNS_LEAST: usize = 3;

/// Resamples, where a row is of usual size.
const RESAMPLES: usize = 1_000;
/// Least of them: the ends of a 95 % interval then rest on ten.
const RESAMPLES_LEAST: usize = 400;
/// Histogram buckets added up for one row of one run, at most: some 50 ms of one core.
const WORK_MAX: usize = 40_000_000;

/// Two-sided 95 % quantiles of Student's t, by degrees of freedom from 2 on.
const T_975: [f64; 29] = [
    4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
    2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same of the normal distribution.
const Z_975: f64 = 1.960;

/// A figure of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Estimate {
    /// What was measured; the mean over several runs.
    pub(super) point: Option<f64>,
    /// What it might have been, in no order; `None` where that cannot be told.
    pub(super) resampled: Option<Vec<f64>>,
}

/// The figures of one row in all runs of a contender that have it, in the order of [`Figure::ALL`]. The same seed gives the same.
pub(super) fn estimates(runs: &[&MeasuredRow], seed: u64) -> [Estimate; Figure::ALL.len()] {
    let mut rng = Rng::with_seed(seed);
    if runs.len() >= RUNS_LEAST {
        return Figure::ALL.map(|figure| over_runs(runs, figure, &mut rng));
    }
    let resampled: Vec<_> = runs.iter().map(|row| Resampled::of(row, &mut rng)).collect();
    Figure::ALL.map(|figure| Estimate {
        point: mean_point(runs, figure),
        resampled: mean_of_each(resampled.iter().map(|run| run.figures[figure as usize].as_deref())),
    })
}

/// The mean over the runs in which the figure is known.
fn mean_point(runs: &[&MeasuredRow], figure: Figure) -> Option<f64> {
    mean(&runs.iter().filter_map(|row| row.figures.get(figure)).collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Resamples runs. The variance of the mean of so few is too small by 1 - 1/n.
fn over_runs(runs: &[&MeasuredRow], figure: Figure, rng: &mut Rng) -> Estimate {
    let judged = runs.iter().filter(|row| row.samples >= figure.samples_needed() || !figure.is_latency());
    let values: Vec<f64> = judged.filter_map(|row| row.figures.get(figure)).collect();
    let point = mean_point(runs, figure);
    if values.len() < RUNS_LEAST {
        return Estimate { point, resampled: None };
    }
    let n = values.len();
    let drawn = (0..RESAMPLES).map(|_| (0..n).map(|_| values[rng.usize(0..n)]).sum::<f64>() / n as f64).collect();
    let mut resampled = widened(drawn, figure, 1.0 / n as f64, n - 1);
    rng.shuffle(&mut resampled);
    Estimate { point, resampled: Some(resampled) }
}

/// Resamples whose variance is too small by a share of itself, and rests on so many degrees of freedom: Student's t then has its ends
/// further out than the normal distribution. Both are put right by a factor on how far each is from the middle, in logarithms where
/// that can be, so that a time or rate stays above zero.
fn widened(mut drawn: Vec<f64>, figure: Figure, too_small_by: f64, freedom: usize) -> Vec<f64> {
    drawn.sort_unstable_by(f64::total_cmp);
    let Some(&middle) = drawn.get(drawn.len() / 2) else { return drawn };
    let t = T_975.get(freedom.saturating_sub(2)).copied().unwrap_or(Z_975);
    let factor = t / Z_975 / (1.0 - too_small_by).sqrt();
    let logarithmic = figure != Figure::Failures && drawn[0] > 0.0;
    for value in &mut drawn {
        *value = if logarithmic {
            middle * (*value / middle).powf(factor)
        } else {
            (middle + factor * (*value - middle)).max(0.0)
        };
    }
    drawn
}

/// The mean of the first values, of the second, and so on; `None` where one of the lists is missing.
fn mean_of_each<'a>(lists: impl ExactSizeIterator<Item = Option<&'a [f64]>>) -> Option<Vec<f64>> {
    let count = lists.len();
    let lists: Vec<&[f64]> = lists.collect::<Option<_>>()?;
    let length = lists.iter().map(|list| list.len()).min()?;
    Some((0..length).map(|at| lists.iter().map(|list| list[at]).sum::<f64>() / count as f64).collect())
}

/// What the figures of one run might have been.
struct Resampled {
    figures: [Option<Vec<f64>>; Figure::ALL.len()],
}

impl Resampled {
    /// Draws as many intervals as there are, with replacement, in blocks of neighbours around a circle (Politis and Romano, 1992).
    /// What lasts for some intervals, such as a pause of the server, is then drawn as a whole. Blocks of length l of n intervals make
    /// the variance too small by l/n, with 1.5 n/l degrees of freedom, those of a Bartlett window of that length.
    fn of(row: &MeasuredRow, rng: &mut Rng) -> Self {
        let mut figures = [const { None }; Figure::ALL.len()];
        let spans = &row.spans[..];
        if spans.len() < INTERVALS_LEAST {
            return Self { figures };
        }
        let latencies = Latencies::of(row);
        let resamples = (WORK_MAX / latencies.as_ref().map_or(1, Latencies::work)).clamp(RESAMPLES_LEAST, RESAMPLES);
        let mut drawn: [Vec<f64>; Figure::ALL.len()] = [const { Vec::new() }; Figure::ALL.len()];
        let mut times = vec![0_u32; spans.len()];
        let mut scratch = latencies.as_ref().map(Latencies::scratch);
        for _ in 0..resamples {
            draw_blocks(&mut times, rng);
            let sums = Sums::of(spans, &times);
            let mut note = |figure: Figure, value: f64| {
                if value.is_finite() {
                    drawn[figure as usize].push(value);
                }
            };
            note(Figure::Rps, sums.requests / sums.length_s);
            note(Figure::Failures, sums.failures / sums.requests);
            if let (Some(latencies), Some(scratch)) = (&latencies, &mut scratch) {
                latencies.add_up(&times, scratch, &mut note);
            }
        }
        for (figure, values) in Figure::ALL.into_iter().zip(drawn) {
            let enough = !figure.is_latency() || row.samples >= figure.samples_needed();
            // A figure that many resamples do not have rests on some intervals alone.
            if enough && values.len() * 20 >= resamples * 19 {
                let (n, block) = (spans.len(), block(spans.len()));
                let mut values = widened(values, figure, block as f64 / n as f64, n * 3 / (block * 2));
                // The other side's are in order, too, and pairs must be of chance.
                rng.shuffle(&mut values);
                figures[figure as usize] = Some(values);
            }
        }
        Self { figures }
    }
}

/// How long a block is, of so many intervals: long enough for what lasts, short enough that there are several.
fn block(intervals: usize) -> usize {
    (intervals as f64).sqrt().ceil() as usize
}

/// How often each interval is drawn.
fn draw_blocks(times: &mut [u32], rng: &mut Rng) {
    let count = times.len();
    let block = block(count);
    times.fill(0);
    let mut left = count;
    while left > 0 {
        let start = rng.usize(0..count);
        for at in start..start + block.min(left) {
            times[at % count] += 1;
        }
        left -= block.min(left);
    }
}

/// Counts of a resample.
#[derive(Default)]
struct Sums {
    length_s: f64,
    requests: f64,
    failures: f64,
}

impl Sums {
    fn of(spans: &[Span], times: &[u32]) -> Self {
        let mut sums = Self::default();
        for (span, &times) in spans.iter().zip(times) {
            sums.length_s += span.length_s * f64::from(times);
            sums.requests += span.requests as f64 * f64::from(times);
            sums.failures += span.failures as f64 * f64::from(times);
        }
        sums
    }
}

/// The histograms of a row's spans, over one list of values.
struct Latencies {
    /// Upper ends of all buckets, rising, microseconds; the last is the greatest value.
    values_us: Vec<u64>,
    /// Of each span (place in the values, count).
    counts: Vec<Vec<(u32, u64)>>,
    /// Of each span, the sum of its latencies, microseconds.
    sums_us: Vec<u64>,
}

impl Latencies {
    /// `None` where they are not known of every span, or too few spans have any.
    fn of(row: &MeasuredRow) -> Option<Self> {
        let parts: Vec<&Distribution> = row.spans.iter().map(|span| span.latency.as_ref()).collect::<Option<_>>()?;
        if parts.iter().filter(|part| part.count() > 0).count() < INTERVALS_LEAST {
            return None;
        }
        let mut values_us: Vec<u64> =
            parts.iter().flat_map(|part| part.buckets()).map(|&(value_us, _)| value_us).collect();
        values_us.sort_unstable();
        values_us.dedup();
        let place = |value_us: u64| values_us.binary_search(&value_us).unwrap_or_default() as u32;
        let counts =
            parts.iter().map(|part| part.buckets().iter().map(|&(us, count)| (place(us), count)).collect()).collect();
        let sums_us = parts.iter().map(|part| part.moments().sum()).collect();
        if let (Some(last), Some(max)) =
            (values_us.last_mut(), parts.iter().filter_map(|part| part.moments().max()).max())
        {
            *last = max;
        }
        Some(Self { values_us, counts, sums_us })
    }

    /// Buckets touched by a resample.
    fn work(&self) -> usize {
        (self.values_us.len() + self.counts.iter().map(Vec::len).sum::<usize>()).max(1)
    }

    fn scratch(&self) -> Vec<u64> {
        vec![0; self.values_us.len()]
    }

    /// Merges what was drawn, and notes the figures of the whole.
    fn add_up(&self, times: &[u32], merged: &mut [u64], note: &mut impl FnMut(Figure, f64)) {
        merged.fill(0);
        let (mut total, mut sum_us) = (0_u64, 0.0);
        for ((counts, span_us), &times) in self.counts.iter().zip(&self.sums_us).zip(times) {
            if times == 0 {
                continue;
            }
            sum_us += *span_us as f64 * f64::from(times);
            for &(place, count) in counts {
                let count = count.saturating_mul(u64::from(times));
                let sum = &mut merged[place as usize];
                *sum = sum.saturating_add(count);
                total = total.saturating_add(count);
            }
        }
        if total == 0 {
            return;
        }
        note(Figure::Mean, sum_us / total as f64);
        let mut below = 0;
        let mut at = 0;
        for figure in [Figure::P50, Figure::P90, Figure::P95, Figure::P99] {
            let share = figure.share().unwrap_or(1.0);
            let rank = ((share * total as f64).ceil() as u64).max(1);
            while at + 1 < merged.len() && merged[at] < rank.saturating_sub(below) {
                below += merged[at];
                at += 1;
            }
            note(figure, self.values_us[at] as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figure::Figures;
    use crate::compare::testing::distribution;

    fn row(spans: Vec<Span>) -> MeasuredRow {
        let samples = spans.iter().filter_map(|span| span.latency.as_ref()).map(Distribution::count).sum();
        MeasuredRow { samples, spans, ..MeasuredRow::default() }
    }

    fn span(values: &[u64]) -> Span {
        Span { length_s: 1.0, requests: values.len() as u64, failures: 0, latency: Some(distribution(values)) }
    }

    fn of_rps(rps: f64) -> MeasuredRow {
        let mut figures = Figures::default();
        figures.set(Figure::Rps, rps);
        MeasuredRow { figures, ..MeasuredRow::default() }
    }

    fn resampled(row: &MeasuredRow, figure: Figure) -> Option<Vec<f64>> {
        estimates(&[row], 7)[figure as usize].resampled.clone()
    }

    #[test]
    fn equal_intervals_leave_no_choice() {
        let values: Vec<u64> = (1..=100).collect();
        let row = row(vec![span(&values); 20]);
        for (figure, value) in [
            (Figure::Rps, 100.0),
            (Figure::Failures, 0.0),
            (Figure::Mean, 50.5),
            (Figure::P50, 50.0),
            (Figure::P90, 90.0),
            (Figure::P95, 95.0),
            (Figure::P99, 99.0),
        ] {
            let resampled = resampled(&row, figure).unwrap();
            assert_eq!(resampled.len(), RESAMPLES);
            assert!(resampled.iter().all(|&drawn| (drawn - value).abs() < 1e-9), "{figure:?}");
        }
        assert_eq!(resampled(&row, Figure::Max), None, "the maximum of one run is one request");
    }

    #[test]
    fn too_little_says_nothing() {
        let values: Vec<u64> = (1..=50).collect();
        assert_eq!(resampled(&row(vec![span(&values); 19]), Figure::P50), None, "19 intervals");
        let row_950 = row(vec![span(&values[..40]); 20]);
        assert!(resampled(&row_950, Figure::P95).is_some(), "800 samples are enough for p95");
        assert_eq!(resampled(&row_950, Figure::P99), None, "and too few for p99");
        let mut some_without = row(vec![span(&values); 25]);
        some_without.spans[3].latency = None;
        assert_eq!(resampled(&some_without, Figure::P50), None);
        assert!(resampled(&some_without, Figure::Rps).is_some(), "counts are there");
    }

    #[test]
    fn resamples_lie_around_the_mean_and_are_the_same_each_time() {
        // 10 and 30 requests, by turns of five: any interval is as likely as any other, so the mean is 20.
        let spans = (0..40).map(|at| Span { length_s: 1.0, requests: 10 + 20 * (at / 5 % 2), ..Span::default() });
        let row = row(spans.collect());
        let drawn = resampled(&row, Figure::Rps).unwrap();
        let middle = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((middle - 20.0).abs() < 0.3, "{middle}");
        assert!(drawn.iter().any(|rps| *rps < 17.0) && drawn.iter().any(|rps| *rps > 23.0));
        assert_eq!(Some(drawn), resampled(&row, Figure::Rps));
    }

    #[test]
    fn blocks_cover_as_many_intervals_as_there_are() {
        let mut rng = Rng::with_seed(1);
        for count in [20, 27, 100] {
            let mut times = vec![0; count];
            draw_blocks(&mut times, &mut rng);
            assert_eq!(times.iter().sum::<u32>() as usize, count);
        }
    }

    #[test]
    fn three_runs_are_resampled_as_wholes() {
        let runs = [of_rps(90.0), of_rps(100.0), of_rps(110.0)];
        let [rps, failures, ..] = estimates(&runs.each_ref(), 7);
        assert_eq!(rps.point, Some(100.0));
        let drawn = rps.resampled.unwrap();
        // Means of three lie from 90 to 110; the factor for three runs is 4.303/1.96 / sqrt(2/3) = 2.689, and 0.9^2.689 = 0.753.
        let ends =
            |drawn: &[f64]| drawn.iter().fold((f64::MAX, 0.0_f64), |(least, most), &v| (least.min(v), most.max(v)));
        let (least, most) = ends(&drawn);
        assert!((least - 75.3).abs() < 0.1 && (most - 129.2).abs() < 0.1, "{least} {most}");
        assert_eq!(failures, Estimate::default());

        let same = [of_rps(50.0), of_rps(50.0), of_rps(50.0)];
        assert_eq!(ends(&estimates(&same.each_ref(), 7)[0].resampled.clone().unwrap()), (50.0, 50.0));
    }

    #[test]
    fn two_runs_are_the_mean_of_both() {
        let values: Vec<u64> = (1..=100).collect();
        let mut slow = row(vec![span(&[200; 100]); 20]);
        let mut fast = row(vec![span(&values); 20]);
        slow.figures.set(Figure::P50, 200.0);
        fast.figures.set(Figure::P50, 50.0);
        let p50 = &estimates(&[&slow, &fast], 7)[Figure::P50 as usize];
        assert_eq!(p50.point, Some(125.0));
        assert!(p50.resampled.as_ref().unwrap().iter().all(|&us| (us - 125.0).abs() < 1e-9));
        let unknown = MeasuredRow::default();
        assert_eq!(estimates(&[&slow, &unknown], 7)[Figure::P50 as usize].resampled, None);
    }
}
