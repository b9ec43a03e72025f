//! How long a probe settles and measures, from what has been seen of the service so far.

use std::time::Duration;

use super::probe::{Grade, Probe, Purpose, FEW_FAILED};
use super::spec::{By, SearchSpec};
use crate::summary::Summary;
use crate::threshold::{Condition, Metric};

/// More samples than a percentile needs are aimed at by this share: no probe makes exactly what the one before did.
const MARGIN: f64 = 0.1;

/// Arrivals of a Poisson process are fewer than their mean by this many times its root once in 700 times.
const DEVIATIONS: f64 = 3.0;

/// An iteration has settled after this many times what one takes on average.
const SETTLED_AFTER: f64 = 2.0;

/// How long probes are.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    by: By,
    poisson: bool,
    settle: Duration,
    measure: Duration,
    needs: Vec<Need>,
    /// What an iteration took on average in the last run that says so, seconds.
    iteration_s: Option<f64>,
    /// The same of the last probe, whatever became of it.
    last_iteration_s: Option<f64>,
}

/// The samples of one threshold.
#[derive(Clone, Debug, PartialEq)]
struct Need {
    condition: Condition,
    samples: u64,
    /// How many of them one unit of the level makes a second.
    per_level: Option<f64>,
}

impl Sizing {
    /// Of a search that has seen nothing yet: a probe settles and measures so long at least.
    pub fn new(spec: &SearchSpec, settle: Duration, measure: Duration, poisson: bool) -> Self {
        let need = |condition: &Condition| match condition.metric {
            Metric::Latency(_, statistic) => statistic.samples_needed(),
            Metric::Errors | Metric::Rps | Metric::Requests => 1,
        };
        let needs = spec.thresholds.iter();
        let needs =
            needs.map(|condition| Need { condition: condition.clone(), samples: need(condition), per_level: None });
        Self {
            by: spec.by,
            poisson,
            settle,
            measure,
            needs: needs.collect(),
            iteration_s: None,
            last_iteration_s: None,
        }
    }

    /// How long a probe settles: twice the time of an iteration, of which a service under load says more than one at ease. A probe
    /// that is a repeat goes by the one before, in which iterations may have taken longer than at any level that held.
    pub fn settle(&self, purpose: Purpose) -> Duration {
        let iterations = seconds(self.iteration(purpose).as_secs_f64() * SETTLED_AFTER);
        self.settle.max(iterations)
    }

    /// How long a probe settles at least, whatever an iteration takes.
    pub fn least_settle(&self) -> Duration {
        self.settle
    }

    /// What an iteration takes on average, as far as it is known before the probe.
    pub fn iteration(&self, purpose: Purpose) -> Duration {
        let last = self.last_iteration_s.filter(|_| purpose == Purpose::Repeat);
        seconds(self.iteration_s.unwrap_or(0.0).max(last.unwrap_or(0.0)))
    }

    /// How long a probe at a level measures, which is to last so many times as long as others.
    pub fn measure(&self, level: f64, times: u32) -> Duration {
        let for_samples = self.needs.iter().map(|need| self.seconds_for(need, level)).fold(0.0, f64::max);
        seconds(self.measure.as_secs_f64().max(for_samples) * f64::from(times))
    }

    fn seconds_for(&self, need: &Need, level: f64) -> f64 {
        // An iteration makes one sample at least, as far as nobody knows better. What a user does nobody knows.
        let at_first = (self.by == By::Rate).then_some(1.0);
        let Some(per_level) = need.per_level.or(at_first) else { return 0.0 };
        let samples = need.samples as f64;
        let by_chance = if self.poisson { DEVIATIONS * samples.sqrt() } else { 0.0 };
        (samples * (1.0 + MARGIN) + by_chance) / (per_level * level)
    }

    /// Takes note of the estimate: a closed run, whose level in a search by rate is what it did.
    pub fn saw_estimate(&mut self, summary: &Summary) {
        self.iteration_s = summary.iterations.mean_us.map(|us| us / 1e6).or(self.iteration_s);
        if summary.totals.failure_ratio < FEW_FAILED && self.by == By::Rate {
            self.saw(summary, summary.iterations.per_s);
        }
    }

    /// Takes note of a probe and its summary. One that failed says nothing of how many samples there will be.
    pub fn saw_probe(&mut self, summary: &Summary, probe: &Probe) {
        self.last_iteration_s = summary.iterations.mean_us.map(|us| us / 1e6);
        if probe.outcome.is_typical() {
            self.saw(summary, probe.level);
        }
        if probe.grade == Grade::Held {
            self.iteration_s = self.last_iteration_s.or(self.iteration_s);
        }
    }

    fn saw(&mut self, summary: &Summary, level: f64) {
        for need in &mut self.needs {
            let per_level = samples_per_s(summary, &need.condition) / level;
            if !per_level.is_finite() || per_level <= 0.0 {
                continue;
            }
            // Requests that failed are no samples, but each iteration is to make one.
            let floor = if self.by == By::Rate && need.condition.step.is_none() { 1.0 } else { 0.0 };
            need.per_level = Some(per_level.max(floor));
        }
    }
}

/// Samples a second of a condition: requests of its row that succeeded, or transactions that ended. Errors count all requests.
fn samples_per_s(summary: &Summary, condition: &Condition) -> f64 {
    let latency = matches!(condition.metric, Metric::Latency(..));
    let of = |rps: f64, requests: u64, failures: u64| {
        let failed = if latency && requests > 0 { failures as f64 / requests as f64 } else { 0.0 };
        rps * (1.0 - failed)
    };
    let Some(name) = &condition.step else {
        return of(summary.totals.rps, summary.totals.requests, summary.totals.failures);
    };
    for rows in [&summary.steps, &summary.setup] {
        let mut named = rows.iter().filter(|row| row.name == *name).peekable();
        if named.peek().is_some() {
            return named.map(|row| of(row.rps, row.requests, row.failures)).sum();
        }
    }
    summary.transactions.iter().filter(|row| row.name == *name).map(|row| row.rps).sum()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capacity::ProbeOutcome;
    use crate::summary::{Step, Transaction};

    const S: Duration = Duration::from_secs(1);

    fn sizing(by: By, thresholds: &[&str]) -> Sizing {
        let thresholds = thresholds.iter().map(|text| text.parse().unwrap()).collect();
        Sizing::new(&SearchSpec::new(by, thresholds), 2 * S, 5 * S, false)
    }

    /// So many requests a second for 10 s, some of which failed, in iterations that took so long.
    fn summary(rps: f64, failure_ratio: f64, iteration_s: f64) -> Summary {
        let mut summary = Summary::default();
        let requests = (rps * 10.0) as u64;
        summary.totals.requests = requests;
        summary.totals.failures = (requests as f64 * failure_ratio) as u64;
        summary.totals.failure_ratio = failure_ratio;
        summary.totals.rps = rps;
        summary.iterations.per_s = rps;
        summary.iterations.mean_us = Some(iteration_s * 1e6);
        summary
    }

    fn probe(level: f64, grade: Grade, summary: &Summary) -> Probe {
        let outcome = ProbeOutcome {
            requests: summary.totals.requests,
            failures: summary.totals.failures,
            achieved_share: Some(if grade == Grade::Failed { 0.5 } else { 1.0 }),
            ..ProbeOutcome::default()
        };
        Probe { level, grade, outcome, ..Probe::default() }
    }

    fn saw(sizing: &mut Sizing, level: f64, grade: Grade, summary: &Summary) {
        sizing.saw_probe(summary, &probe(level, grade, summary));
    }

    fn whole_s(duration: Duration) -> u64 {
        duration.as_secs_f64().round() as u64
    }

    #[test]
    fn at_first_an_iteration_is_a_sample_and_a_user_nobody_knows() {
        // p99 needs 1,000, and 10 % more are aimed at.
        assert_eq!(whole_s(sizing(By::Rate, &["p50<1s", "p99<1s"]).measure(10.0, 1)), 110);
        assert_eq!(whole_s(sizing(By::Rate, &["p99<1s"]).measure(1_000.0, 1)), 5);
        assert_eq!(whole_s(sizing(By::Users, &["p99<1s"]).measure(1.0, 1)), 5);
        assert_eq!(whole_s(sizing(By::Users, &[]).measure(1.0, 4)), 20);
    }

    #[test]
    fn chance_takes_more_of_poissons_arrivals() {
        let thresholds = vec!["p99<1s".parse().unwrap()];
        let poisson = Sizing::new(&SearchSpec::new(By::Rate, thresholds), S, S, true);
        // 1,100 and three times the root of 1,000.
        assert!((poisson.measure(1.0, 1).as_secs_f64() - 1_194.868).abs() < 0.001);
    }

    #[test]
    fn the_most_demanding_threshold_counts_its_own_samples() {
        let mut sizing = sizing(By::Rate, &["p99<1s", "pay:p90<1s", "pay:errors<1%", "whole:p50<1s"]);
        let mut seen = summary(40.0, 0.0, 0.1);
        let step = |name: &str, rps, requests, failures| Step {
            name: name.into(),
            rps,
            requests,
            failures,
            ..Step::default()
        };
        // Of 10 iterations a second one in ten pays, and one in ten of these fails: 0.09 samples an iteration.
        seen.steps = vec![step("browse", 39.0, 390, 0), step("pay", 1.0, 10, 1)];
        seen.transactions = vec![Transaction { name: "whole".into(), rps: 10.0, ..Transaction::default() }];
        saw(&mut sizing, 10.0, Grade::Held, &seen);
        // p90 needs 100: 110 / (0.09 x 10/s) = 122 s, where the 1,000 of all requests take 1,100 / 40 = 27.5 s.
        assert_eq!(whole_s(sizing.measure(10.0, 1)), 122);
        assert_eq!([sizing.measure(20.0, 1), sizing.measure(10.0, 2)].map(whole_s), [61, 244]);
    }

    #[test]
    fn users_make_what_they_made() {
        let mut sizing = sizing(By::Users, &["p99<50ms"]);
        saw(&mut sizing, 2.0, Grade::Held, &summary(40.0, 0.0, 0.05));
        // 20/s each: 1,100 take one user 55 s, and twenty 2.75 s.
        assert_eq!([sizing.measure(1.0, 1), sizing.measure(20.0, 1)].map(whole_s), [55, 5]);
    }

    #[test]
    fn probes_that_failed_teach_nothing() {
        let mut sizing = sizing(By::Rate, &["p99<1s"]);
        saw(&mut sizing, 10.0, Grade::Held, &summary(20.0, 0.0, 0.1));
        let known = sizing.measure(10.0, 1);
        assert_eq!(whole_s(known), 55);
        saw(&mut sizing, 100.0, Grade::Failed, &summary(50.0, 0.0, 9.0));
        saw(&mut sizing, 100.0, Grade::Failed, &summary(200.0, 0.9, 0.01));
        assert_eq!((sizing.measure(10.0, 1), sizing.settle(Purpose::Growth)), (known, 2 * S));
        // One with too few samples does.
        saw(&mut sizing, 100.0, Grade::Inconclusive, &summary(500.0, 0.0, 0.1));
        assert_eq!(whole_s(sizing.measure(10.0, 1)), 22);
    }

    #[test]
    fn an_iteration_is_a_sample_at_least() {
        let mut sizing = sizing(By::Rate, &["p99<1s"]);
        // One in ten fails where that is allowed.
        saw(&mut sizing, 10.0, Grade::Held, &summary(10.0, 0.09, 0.1));
        assert_eq!(whole_s(sizing.measure(10.0, 1)), 110);
    }

    #[test]
    fn a_probe_settles_twice_as_long_as_an_iteration() {
        let mut sizing = sizing(By::Rate, &["errors<1%"]);
        assert_eq!((sizing.settle(Purpose::Growth), sizing.iteration(Purpose::Growth)), (2 * S, Duration::ZERO));
        sizing.saw_estimate(&summary(20.0, 0.0, 2.5));
        assert_eq!(sizing.settle(Purpose::Growth), 5 * S);
        // The repeat of a probe goes by that probe, others by the last that held.
        saw(&mut sizing, 20.0, Grade::Failed, &summary(20.0, 0.0, 4.0));
        assert_eq!([Purpose::Repeat, Purpose::Bisection].map(|purpose| sizing.settle(purpose)), [8 * S, 5 * S]);
        saw(&mut sizing, 10.0, Grade::Held, &summary(10.0, 0.0, 0.5));
        assert_eq!([Purpose::Repeat, Purpose::Bisection].map(|purpose| sizing.settle(purpose)), [2 * S, 2 * S]);
    }

    #[test]
    fn an_estimate_teaches_where_few_failed() {
        let mut sizing = sizing(By::Rate, &["a:p99<1s"]);
        let mut seen = summary(100.0, 0.0, 0.1);
        seen.steps = vec![Step { name: "a".into(), rps: 50.0, requests: 500, ..Step::default() }];
        sizing.saw_estimate(&Summary {
            totals: crate::summary::Totals { failure_ratio: 0.1, ..Default::default() },
            ..seen.clone()
        });
        assert_eq!(whole_s(sizing.measure(10.0, 1)), 110);
        sizing.saw_estimate(&seen);
        assert_eq!(whole_s(sizing.measure(10.0, 1)), 220);
    }

    proptest! {
        #[test]
        fn a_probe_is_never_shorter_than_asked_for_and_higher_levels_never_take_longer(
            level in 0.001_f64..1e6, rps in 0.0_f64..1e6, failure_ratio in 0.0_f64..1.0, iteration_s in 0.0_f64..100.0, times in 1_u32..16
        ) {
            let mut sizing = sizing(By::Rate, &["p99<1s", "errors<1%"]);
            saw(&mut sizing, level, Grade::Held, &summary(rps, failure_ratio, iteration_s));
            let (here, above) = (sizing.measure(level, times), sizing.measure(level * 2.0, times));
            prop_assert!(here >= 5 * S * times && above <= here && sizing.settle(Purpose::Growth) >= 2 * S);
            prop_assert!(here.as_secs_f64() <= (1_100.0 / level).max(5.0) * f64::from(times) + 1e-6);
        }
    }
}
