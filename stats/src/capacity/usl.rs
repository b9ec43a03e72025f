//! The Universal Scalability Law (N. J. Gunther, *Guerrilla Capacity Planning*, 2007, chapter 4): what throughput does with
//! concurrency.
//!
//! ```text
//! X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))
//! ```
//!
//! *lambda* is the throughput of one, *sigma* the share of work that waits for its turn (contention), *kappa* what it costs to
//! agree with each other (coherence). With kappa above 0 throughput has a peak, at `N* = sqrt((1 - sigma) / kappa)`.
//!
//! `N/X` is linear in `1/lambda`, `sigma/lambda` and `kappa/lambda`, so the fit is one of least squares, of the relative error,
//! since levels span decades. None of the three may be negative; of every subset of the last two the best fit that keeps to that is
//! taken, which with two candidates is the exact answer of an active-set method.

use serde::{Deserialize, Serialize};

use super::probe::{Grade, Probe};
use super::spec::By;
use crate::verdict::Verdict;

/// Points the fit needs. It has three parameters, and through three points every curve goes.
pub const POINTS_MIN: usize = 4;

/// How many times the largest N must be the smallest. What hardly varies has no shape.
pub const SPAN_MIN: f64 = 4.0;

/// The largest N there must be at least: the law is about how requests get in each other's way, which takes two of them.
pub const BUSY_MIN: f64 = 2.0;

/// The peak is told up to this many times the largest N measured (accuracy section 4).
pub const BEYOND_MEASURED: f64 = 1.5;

/// Where a point is further off than this share, the law is not what these points follow.
pub const RESIDUAL_MAX: f64 = 0.25;

/// Two N closer than this share are the same point measured twice.
const DISTINCT: f64 = 0.01;

/// Of a closed probe in which more than this share failed, throughput says nothing of its users.
const FAILURE_RATIO_MAX: f64 = 0.01;

/// A column that is this close to the others, relative to its length, adds nothing but noise.
const INDEPENDENT: f64 = 1e-9;

/// The law, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UslFit {
    /// It was fitted.
    Fitted(Usl),
    /// It was not.
    NotFitted {
        /// Why, in a sentence.
        why: String,
    },
}

impl Default for UslFit {
    fn default() -> Self {
        Self::NotFitted { why: "there were no probes".to_owned() }
    }
}

/// What N is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concurrency {
    /// Users of closed probes.
    #[default]
    Users,
    /// Requests under way at once on average in open probes, by Little's law.
    MeanInFlight,
}

/// The law as fitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usl {
    /// What N is.
    pub concurrency: Concurrency,
    /// Throughput of one, iterations per second.
    pub lambda_per_s: f64,
    /// Contention, 0 or more.
    pub sigma: f64,
    /// Coherence, 0 or more.
    pub kappa: f64,
    /// Where throughput is highest; `null` where the law has no peak, or it lies beyond what was measured.
    pub peak: Option<Peak>,
    /// Why there is no peak, in a few words.
    pub no_peak: Option<String>,
    /// The points, by N, and how far the law is off.
    pub points: Vec<FittedPoint>,
    /// The largest residual's size, as a share of what was measured.
    pub residual_max_ratio: f64,
    /// Root of the mean of their squares.
    pub residual_rms_ratio: f64,
    /// Share of the throughput's variance that the law explains; `null` where throughput did not vary.
    pub r_squared: Option<f64>,
}

/// The peak of throughput.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Peak {
    /// N*.
    pub n: f64,
    /// X(N*), iterations per second.
    pub per_s: f64,
}

/// A point and what the law makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FittedPoint {
    /// N.
    pub n: f64,
    /// Throughput measured, iterations per second.
    pub per_s: f64,
    /// Throughput by the law.
    pub fitted_per_s: f64,
    /// Law less measurement, as a share of what was measured.
    pub residual_ratio: f64,
}

impl Usl {
    /// X(N), iterations per second.
    pub fn per_s_at(&self, n: f64) -> f64 {
        self.lambda_per_s * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }
}

/// The law through the probes of a search that can carry it: the client was valid, and the load was steady. An open probe that
/// failed is not: its queue grew while it was measured.
pub(super) fn fit_probes(by: By, probes: &[Probe]) -> UslFit {
    let steady = |probe: &&Probe| {
        let outcome = &probe.outcome;
        let few_failed = outcome.failures as f64 <= outcome.requests as f64 * FAILURE_RATIO_MAX;
        probe.grade == Grade::Held || by == By::Users && outcome.verdict == Verdict::Valid && few_failed
    };
    let points = probes.iter().filter(steady).map(|probe| {
        let n = match by {
            By::Users => probe.level,
            By::Rate => probe.outcome.in_flight_mean.unwrap_or(0.0),
        };
        (n, probe.outcome.iterations_per_s)
    });
    let concurrency = match by {
        By::Users => Concurrency::Users,
        By::Rate => Concurrency::MeanInFlight,
    };
    fit(concurrency, points)
}

/// The law through points (N, iterations per second). Points that are not above zero in both are left out.
pub fn fit(concurrency: Concurrency, points: impl IntoIterator<Item = (f64, f64)>) -> UslFit {
    let sound = |&(n, x): &(f64, f64)| n.is_finite() && x.is_finite() && n > 0.0 && x > 0.0;
    let mut points: Vec<_> = points.into_iter().filter(sound).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fitted = why_not(&points).map_or_else(|| law(concurrency, &points), Err);
    match fitted {
        Ok(usl) => UslFit::Fitted(usl),
        Err(why) => UslFit::NotFitted { why },
    }
}

/// Why these points, sorted by N, carry no law.
fn why_not(points: &[(f64, f64)]) -> Option<String> {
    let (Some(&(least, _)), Some(&(most, _))) = (points.first(), points.last()) else {
        return Some("no probe held, or none with anything under way".to_owned());
    };
    let mut distinct = 0;
    let mut last = 0.0;
    for &(n, _) in points {
        if n > last * (1.0 + DISTINCT) {
            distinct += 1;
            last = n;
        }
    }
    if distinct < POINTS_MIN {
        return Some(format!("{POINTS_MIN} points of different concurrency are needed, and there are {distinct}"));
    }
    if most < least * SPAN_MIN {
        let span = most / least;
        return Some(format!("concurrency must span a factor of {SPAN_MIN:.0}, and spans {span:.1}"));
    }
    if most < BUSY_MIN {
        return Some(format!(
            "{BUSY_MIN:.0} requests at once are needed to see them in each other's way, and there were {most:.1}"
        ));
    }
    None
}

fn law(concurrency: Concurrency, points: &[(f64, f64)]) -> Result<Usl, String> {
    // Each row is divided by what is measured, N/X, so what is left of 1 is the relative error.
    let column = |of: fn(f64) -> f64| points.iter().map(|&(n, x)| of(n) * x / n).collect::<Vec<f64>>();
    let [one, sigma, kappa] = [column(|_| 1.0), column(|n| n - 1.0), column(|n| n * (n - 1.0))];
    let mut best: Option<([f64; 3], f64)> = None;
    for (with_sigma, with_kappa) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut columns = vec![one.as_slice()];
        columns.extend(with_sigma.then_some(sigma.as_slice()));
        columns.extend(with_kappa.then_some(kappa.as_slice()));
        let Some((found, error)) = least_squares(&columns) else { continue };
        if found.iter().any(|&one| one < 0.0) || found[0] <= 0.0 {
            continue;
        }
        let mut found = found.into_iter();
        let mut taken = |with: bool| if with { found.next().unwrap_or(0.0) } else { 0.0 };
        let coefficients = [taken(true), taken(with_sigma), taken(with_kappa)];
        if best.is_none_or(|(_, least)| error < least) {
            best = Some((coefficients, error));
        }
    }
    let found = best.map(|([one, sigma, kappa], _)| (1.0 / one, sigma / one, kappa / one));
    let finite = found.filter(|(lambda, sigma, kappa)| [lambda, sigma, kappa].iter().all(|figure| figure.is_finite()));
    let Some((lambda_per_s, sigma, kappa)) = finite else {
        return Err("no curve of the law runs through these points".to_owned());
    };
    let mut usl = Usl { concurrency, lambda_per_s, sigma, kappa, ..Usl::default() };
    usl.judge(points);
    // Below one user the law may have a pole.
    if usl.points.iter().any(|point| !point.residual_ratio.is_finite() || point.fitted_per_s <= 0.0) {
        return Err("no curve of the law runs through these points".to_owned());
    }
    if usl.residual_max_ratio > RESIDUAL_MAX {
        let off = usl.residual_max_ratio * 100.0;
        return Err(format!("the law does not describe these points: the nearest curve is off by up to {off:.0} %"));
    }
    Ok(usl)
}

impl Usl {
    /// Peak, residuals and R squared.
    fn judge(&mut self, points: &[(f64, f64)]) {
        let n_max = points.last().map_or(0.0, |&(n, _)| n);
        match self.peak_n() {
            Ok(n) if n < 1.0 => self.no_peak = Some("none: throughput only falls with concurrency".to_owned()),
            Ok(n) if n <= n_max * BEYOND_MEASURED => self.peak = Some(Peak { n, per_s: self.per_s_at(n) }),
            Ok(_) => self.no_peak = Some("beyond the measured range".to_owned()),
            Err(why) => self.no_peak = Some(why.to_owned()),
        }
        let fitted = points.iter().map(|&(n, per_s)| {
            let fitted_per_s = self.per_s_at(n);
            FittedPoint { n, per_s, fitted_per_s, residual_ratio: (fitted_per_s - per_s) / per_s }
        });
        self.points = fitted.collect();
        let count = points.len() as f64;
        let mean = points.iter().map(|&(_, x)| x).sum::<f64>() / count;
        let (mut residuals, mut left, mut variance) = (0.0, 0.0, 0.0);
        for point in &self.points {
            self.residual_max_ratio = self.residual_max_ratio.max(point.residual_ratio.abs());
            residuals += point.residual_ratio.powi(2);
            left += (point.fitted_per_s - point.per_s).powi(2);
            variance += (point.per_s - mean).powi(2);
        }
        self.residual_rms_ratio = (residuals / count).sqrt();
        // Below this the points differ by rounding alone.
        self.r_squared = (variance > count * (mean * 1e-9).powi(2)).then(|| 1.0 - left / variance);
    }

    fn peak_n(&self) -> Result<f64, &'static str> {
        if self.kappa <= 0.0 {
            Err("none: kappa is 0")
        } else if self.sigma >= 1.0 {
            Err("none: sigma is 1 or more, so throughput only falls")
        } else {
            Ok(((1.0 - self.sigma) / self.kappa).sqrt())
        }
    }
}

/// Coefficients of the columns whose sum is closest to 1 in every row, and the sum of the squares of what is left; `None` where a
/// column is made up of others. By the modified Gram-Schmidt method on columns of length 1: the powers of N differ by decades.
fn least_squares(columns: &[&[f64]]) -> Option<(Vec<f64>, f64)> {
    let count = columns.len();
    let mut rest = vec![1.0; columns.first()?.len()];
    let mut bases: Vec<Vec<f64>> = Vec::with_capacity(count);
    // Upper triangle: shares of the bases in each column.
    let mut shares = vec![vec![0.0; count]; count];
    let mut goal = vec![0.0; count];
    let mut lengths = vec![0.0; count];
    for (at, column) in columns.iter().enumerate() {
        lengths[at] = length(column);
        let mut basis: Vec<f64> = column.iter().map(|value| value / lengths[at]).collect();
        for (before, other) in bases.iter().enumerate() {
            shares[before][at] = dot(other, &basis);
            subtract(&mut basis, shares[before][at], other);
        }
        let left = length(&basis);
        // A length that is not a number is no length.
        if left.is_nan() || left <= INDEPENDENT {
            return None;
        }
        shares[at][at] = left;
        for value in &mut basis {
            *value /= left;
        }
        goal[at] = dot(&basis, &rest);
        subtract(&mut rest, goal[at], &basis);
        bases.push(basis);
    }
    let mut found = vec![0.0; count];
    for at in (0..count).rev() {
        let above: f64 = (at + 1..count).map(|later| shares[at][later] * found[later]).sum();
        found[at] = (goal[at] - above) / shares[at][at];
    }
    for (coefficient, length) in found.iter_mut().zip(&lengths) {
        *coefficient /= length;
    }
    found.iter().all(|coefficient| coefficient.is_finite()).then(|| (found, dot(&rest, &rest)))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn subtract(from: &mut [f64], times: f64, what: &[f64]) {
    for (from, what) in from.iter_mut().zip(what) {
        *from -= times * what;
    }
}

#[cfg(test)]
#[path = "usl_tests.rs"]
mod tests;
