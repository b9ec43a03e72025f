//! Requests that had no answer, though they had long enough: cut off after the stop, they are neither an error nor in any latency, and
//! a service that leaves some unanswered would pass for a good one. In a probe they count as failed, and as slower than all others.

use std::time::Duration;

use crate::summary::{Summary, Threshold};
use crate::threshold::{with_separators, Condition, Figure, Metric, Standing, Statistic, Unit};

/// What is cut off after this many times the p99 of those that succeeded was not about to be answered.
const LONG_ENOUGH: f64 = 2.0;

/// The requests of a probe that had no answer.
pub(super) struct Unanswered<'a> {
    summary: &'a Summary,
    /// How long requests had after the stop, at least, before they were cut off.
    drained: Duration,
    long_enough: bool,
}

/// Requests of a row, or of all.
#[derive(Clone, Copy)]
struct Counts {
    requests: u64,
    failures: u64,
    unanswered: u64,
}

impl<'a> Unanswered<'a> {
    /// Of a run that cut off its last requests so long after its stop.
    pub(super) fn of(summary: &'a Summary, drained: Duration) -> Self {
        let usual_us = summary.totals.service_us.p99.unwrap_or(0) as f64;
        let long_enough = drained.as_secs_f64() * 1e6 > usual_us * LONG_ENOUGH;
        Self { summary, drained, long_enough }
    }

    /// How many of all there are.
    pub(super) fn count(&self) -> u64 {
        self.counts(None).unanswered
    }

    /// A threshold of the run, with them.
    pub(super) fn judged(&self, threshold: &Threshold) -> Threshold {
        let Ok(condition) = threshold.expression.parse::<Condition>() else { return threshold.clone() };
        let counts = self.counts(condition.step.as_deref());
        if counts.unanswered == 0 {
            return threshold.clone();
        }
        match condition.metric {
            Metric::Errors => counts.errors(&condition).into_threshold(&condition, threshold.first_failed_s),
            Metric::Latency(_, statistic) if threshold.ok => self.latency(threshold, &condition, statistic, counts),
            Metric::Latency(..) | Metric::Rps | Metric::Requests => threshold.clone(),
        }
    }

    /// A latency that held among those that succeeded. All that is known of the others is that they took longer than `drained`.
    fn latency(&self, threshold: &Threshold, condition: &Condition, of: Statistic, counts: Counts) -> Threshold {
        let (succeeded, unanswered) = (counts.requests.saturating_sub(counts.failures), counts.unanswered);
        let drained_us = self.drained.as_secs_f64() * 1e6;
        let at_least_us = match of {
            Statistic::Min => None,
            Statistic::Max => Some(drained_us),
            Statistic::Mean => threshold.value.map(|mean_us| {
                (mean_us * succeeded as f64 + drained_us * unanswered as f64) / (succeeded + unanswered) as f64
            }),
            // They are the slowest: it is one of them where they are more than stand beyond it.
            Statistic::Percentile(millionths) => {
                let beyond = (succeeded + unanswered) as f64 * f64::from(Statistic::WHOLE.saturating_sub(millionths));
                (unanswered as f64 * f64::from(Statistic::WHOLE) > beyond).then_some(drained_us)
            }
        };
        let breaks =
            |us: f64| !condition.operator.is_lower_bound() && !condition.operator.holds(us, condition.bound.value());
        if !at_least_us.is_some_and(breaks) {
            return threshold.clone();
        }
        let (unanswered, all) = (with_separators(unanswered), with_separators(succeeded + unanswered));
        let reason = Some(format!("{unanswered} of {all} requests had no answer"));
        Threshold { ok: false, value: None, reason, ..threshold.clone() }
    }

    /// Those of all, or of the steps with a name; of transactions nobody knows which did not end.
    fn counts(&self, step: Option<&str>) -> Counts {
        let steps = || self.summary.steps.iter().filter(|row| step.is_none_or(|name| row.name == name));
        let unanswered = if self.long_enough { steps().map(|row| row.abandoned).sum() } else { 0 };
        let (requests, failures) = match step {
            None => (self.summary.totals.requests, self.summary.totals.failures),
            Some(_) => (steps().map(|row| row.requests).sum(), steps().map(|row| row.failures).sum()),
        };
        Counts { requests, failures, unanswered }
    }
}

impl Counts {
    fn errors(self, condition: &Condition) -> Standing {
        let (failed, all) = (self.failures + self.unanswered, self.requests + self.unanswered);
        let value = match condition.unit() {
            Unit::Ratio => failed as f64 / all as f64,
            Unit::Us | Unit::PerSecond | Unit::Count => failed as f64,
        };
        Standing::of(condition, Figure { finished: all, samples: all, value: Some(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::{Grade, ProbeOutcome};
    use crate::latency::Latency;
    use crate::summary::{Step, Totals};

    const DRAINED: Duration = Duration::from_secs(5);

    /// 995 requests of 20 ms, and 5 that were abandoned; 400 and 4 of them are of one step.
    fn summary(thresholds: &[(&str, f64)]) -> Summary {
        let step = |name: &str, requests, abandoned| Step { name: name.into(), requests, abandoned, ..Step::default() };
        let service_us = Latency { count: 995, p99: Some(20_000), ..Latency::default() };
        let threshold = |&(expression, value): &(&str, f64)| {
            let condition: Condition = expression.parse().unwrap();
            let figure = Figure { finished: 995, samples: 100_000, value: Some(value) };
            Standing::of(&condition, figure).into_threshold(&condition, None)
        };
        Summary {
            totals: Totals { requests: 995, service_us, ..Totals::default() },
            steps: vec![step("browse", 595, 1), step("pay", 400, 4)],
            thresholds: thresholds.iter().map(threshold).collect(),
            ..Summary::default()
        }
    }

    fn judged(expression: &str, value: f64) -> Threshold {
        let summary = summary(&[(expression, value)]);
        assert!(summary.thresholds[0].ok, "{expression}");
        Unanswered::of(&summary, DRAINED).judged(&summary.thresholds[0])
    }

    #[test]
    fn a_service_that_leaves_requests_unanswered_does_not_hold() {
        let summary = summary(&[("errors<0.1%", 0.0), ("p99.9<50ms", 20_000.0)]);
        let probe = ProbeOutcome::of(&summary, true, DRAINED);
        assert_eq!((probe.unanswered, probe.requests, probe.grade()), (5, 995, Grade::Failed));
        assert_eq!(probe.failed_of_all(), (5, 1_000));
        assert!(probe.thresholds.iter().all(|threshold| !threshold.ok), "{:?}", probe.thresholds);
        // Who is cut off at once may have been answered at once.
        let probe = ProbeOutcome::of(&summary, true, Duration::ZERO);
        assert_eq!((probe.unanswered, probe.grade()), (0, Grade::Held));
    }

    #[test]
    fn they_count_as_failed() {
        let share = judged("errors<1%", 0.0);
        assert_eq!((share.ok, share.value), (true, Some(0.005)));
        let share = judged("errors<0.4%", 0.0);
        assert_eq!((share.ok, share.value), (false, Some(0.005)));
        assert_eq!((judged("errors<=5", 0.0).ok, judged("errors<5", 0.0).value), (true, Some(5.0)));
        // 4 of 404.
        let of_step = judged("pay:errors<0.9%", 0.0);
        assert_eq!((of_step.ok, of_step.value), (false, Some(4.0 / 404.0)));
        assert!(judged("browse:errors<0.9%", 0.0).ok);
    }

    #[test]
    fn they_are_the_slowest() {
        // Of 1,000 the last 5 are 0.5 %.
        for (expression, value, ok) in [
            ("p99.5<50ms", 20_000.0, true),
            ("p99.6<50ms", 20_000.0, false),
            ("p99.6<6s", 20_000.0, true),
            ("max<50ms", 20_000.0, false),
            ("min<50ms", 20_000.0, true),
            ("p99.9>1ms", 20_000.0, true),
            // 995 x 20 ms and 5 x 5 s make 44.9 ms.
            ("mean<44ms", 20_000.0, false),
            ("mean<45ms", 20_000.0, true),
            // 4 of 404 are more than 0.9 %, and 1 of 596 is less.
            ("pay:p99.1<50ms", 20_000.0, false),
            ("browse:p99<50ms", 20_000.0, true),
        ] {
            assert_eq!(judged(expression, value).ok, ok, "{expression}");
        }
        let reason = judged("p99.6<50ms", 20_000.0).reason;
        assert_eq!(reason.as_deref(), Some("5 of 1,000 requests had no answer"));
    }

    #[test]
    fn the_last_requests_of_a_slow_service_may_be_young() {
        let mut slow = summary(&[("errors<0.1%", 0.0)]);
        for (p99_us, count) in [(2_499_999, 5), (2_500_000, 0)] {
            slow.totals.service_us.p99 = Some(p99_us);
            assert_eq!(Unanswered::of(&slow, DRAINED).count(), count, "{p99_us}");
        }
    }
}
