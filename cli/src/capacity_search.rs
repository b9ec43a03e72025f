//! The search of `capacity` at work: what it asks for next is run, and what was found is told to it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use pummel_engine::{Control, Load, Plan};
use pummel_stats::{
    capacity::{succeeded_per_s, By, CapacityResult, EndedBy, ProbeOutcome, Search, SearchRun, Sizing, Step},
    clock::rfc3339_utc,
    display::probe_line,
    Host, Summary, Verdict,
};

use crate::{execute::not_started, failure::Failure, plan_capacity::PlannedSearch};

/// How long the estimate runs at full speed, where iterations end in it.
const ESTIMATE: Duration = Duration::from_secs(3);

/// It is not begun where less time than this is left.
const ESTIMATE_MIN: Duration = Duration::from_secs(1);

/// Its users: enough to keep most services busy, few enough to harm none.
const ESTIMATE_USERS: u32 = 64;

/// A run between probes, in which the service recovers, is so long at least, and long enough for [`COOL_DOWN_ARRIVALS`].
const COOL_DOWN: Duration = Duration::from_secs(1);

/// Arrivals that say how the service is doing, within [`COOL_DOWN_MAX`].
const COOL_DOWN_ARRIVALS: f64 = 20.0;
const COOL_DOWN_MAX: Duration = Duration::from_secs(5);

/// Of so few arrivals it waits for, however long that takes.
const COOL_DOWN_ARRIVALS_MIN: f64 = 2.0;

/// Requests in flight at the end of a run may go on for so long at most, and less where the plan says so.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// They take so long in most cases, or twice as long as an iteration.
const DRAIN_USUAL: Duration = Duration::from_secs(1);

/// What the search found, and the last run's summary, which says why where nothing succeeded.
pub(crate) struct Found {
    /// The result.
    pub(crate) result: CapacityResult,
    /// The run after which it ended.
    pub(crate) last: Option<Arc<Summary>>,
    /// How long the last estimate waited for an iteration to end.
    pub(crate) estimated_for: Duration,
}

/// Searches to the end, or until the time is over or somebody interrupts.
///
/// # Errors
/// A run that could not start.
pub(crate) fn search(planned: &PlannedSearch, control: &Control) -> Result<Found, Failure> {
    let drain_max = planned.plan.stop_timeout.min(DRAIN_MAX);
    let mut at_work = AtWork { planned, control, sizing: planned.sizing.clone() };
    let deadline = Instant::now() + planned.max_duration;
    let mut search = Search::new(planned.spec.clone());
    let (begun, started_at) = (Instant::now(), rfc3339_utc(SystemTime::now()));
    let (mut last, mut estimated_for) = (None, Duration::ZERO);
    loop {
        let step = search.next();
        if matches!(step, Step::Done) {
            break;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let length = match length_of(&step, &at_work.sizing, drain_max, left) {
            Ok(length) => length,
            Err(needed) => {
                out_of_time(&mut search, &step, needed, left);
                break;
            }
        };
        if matches!(step, Step::Estimate { .. }) {
            estimated_for = length.load();
        }
        let summary = at_work.run(&step, length)?;
        if control.raised() > 0 {
            search.stop(EndedBy::Interrupted);
            break;
        }
        at_work.tell(&mut search, &step, length, &summary);
        last = Some(summary);
    }
    let mut result = search.finish();
    result.run = SearchRun {
        name: planned.plan.name.clone(),
        started_at,
        duration_s: begun.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: Host::read(planned.plan.cpus.len()),
    };
    Ok(Found { result, last, estimated_for })
}

/// Ends the search, as what comes next takes longer than there is time.
fn out_of_time(search: &mut Search, step: &Step, needed: Duration, left: Duration) {
    match *step {
        // The one before was as long as it could be.
        Step::Estimate { times } if times > 1 => search.stop(EndedBy::NothingEnded),
        Step::Probe { level, .. } => {
            let level = search.spec().by.text(level);
            let (needed, left) = (needed.as_secs_f64().ceil(), left.as_secs_f64().floor());
            search.note(format!("a probe of {level} would take {needed:.0} s, and {left:.0} s were left"));
            search.stop(EndedBy::Time);
        }
        Step::Estimate { .. } | Step::CoolDown { .. } | Step::Done => search.stop(EndedBy::Time),
    }
}

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    /// Before it measures.
    settle: Duration,
    measure: Duration,
    /// For requests in flight at its end, at most.
    drain: Duration,
}

impl Length {
    fn load(self) -> Duration {
        self.settle + self.measure
    }
}

struct AtWork<'a> {
    planned: &'a PlannedSearch,
    control: &'a Control,
    sizing: Sizing,
}

/// How long what comes next is, with so much time left; where that is too little, how much it needs. Requests in flight at its end
/// may take `drain_max`, and are cut off where there is less.
fn length_of(step: &Step, sizing: &Sizing, drain_max: Duration, left: Duration) -> Result<Length, Duration> {
    let (least_settle, wanted_settle, measure, drained) = match *step {
        Step::Estimate { times } => {
            (Duration::ZERO, Duration::ZERO, (ESTIMATE * times).min(left).max(ESTIMATE_MIN), Duration::ZERO)
        }
        Step::Probe { level, purpose, times } => {
            let drained = drain_max.min(sizing.iteration(purpose).saturating_mul(2).max(DRAIN_USUAL));
            (sizing.least_settle(), sizing.settle(purpose), sizing.measure(level, times), drained)
        }
        Step::CoolDown { level } => (Duration::ZERO, Duration::ZERO, cool_down(level), Duration::ZERO),
        Step::Done => return Err(Duration::ZERO),
    };
    let fixed = measure.saturating_add(drained);
    let needed = fixed.saturating_add(least_settle);
    let for_settling = left.checked_sub(fixed).filter(|_| needed <= left).ok_or(needed)?;
    // The longer settling of slow iterations is cut to what there is.
    let settle = wanted_settle.min(for_settling);
    Ok(Length { settle, measure, drain: drain_max.min(left.saturating_sub(settle.saturating_add(measure))) })
}

impl AtWork<'_> {
    fn run(&self, step: &Step, length: Length) -> Result<Arc<Summary>, Failure> {
        let planned = self.planned;
        let load = match *step {
            Step::Estimate { .. } | Step::Done => Load::closed(ESTIMATE_USERS.min(planned.users_max)),
            Step::Probe { level, .. } | Step::CoolDown { level } => self.load(level),
        };
        let load = Load { run_time: Some(length.load()), ..load };
        let warmup = Some(length.settle).filter(|settle| !settle.is_zero());
        let mut plan = Plan { load, warmup, stop_timeout: length.drain, ..planned.plan.clone() };
        if !matches!(step, Step::Probe { .. }) {
            // They are judged where there is a level to judge.
            plan.thresholds.conditions.clear();
        }
        let finished = pummel_engine::run(plan, self.control, Vec::new()).map_err(|error| not_started(&error))?;
        if !finished.summary.conservation.ok {
            let what = finished.summary.conservation.broken.join("; ");
            let help = "this is a defect of pummel: please report it";
            crate::failure::warn(format!("the counts of a probe do not add up: {what}"), Some(help.into()));
        }
        Ok(finished.summary)
    }

    fn load(&self, level: f64) -> Load {
        match self.planned.spec.by {
            By::Rate => self.planned.open(level),
            By::Users => Load::closed(level as u32),
        }
    }

    fn tell(&mut self, search: &mut Search, step: &Step, length: Length, summary: &Summary) {
        match *step {
            Step::Estimate { .. } if summary.iterations.count == 0 && summary.errors.is_empty() => {
                let seconds = length.load().as_secs_f64();
                self.say(&format!("estimate at full speed: no iteration ended in {seconds:.0} s"));
                search.nothing_ended();
            }
            Step::Estimate { .. } => {
                let per_s = succeeded_per_s(summary);
                self.say(&format!("estimate at full speed: {}", By::Rate.text(per_s)));
                self.sizing.saw_estimate(summary);
                search.estimated(per_s);
            }
            Step::Probe { purpose, .. } => {
                let settled = length.settle >= self.sizing.iteration(purpose);
                if let Some(probe) = search.probed(ProbeOutcome::of(summary, settled)) {
                    self.sizing.saw_probe(summary, probe);
                    self.say(&probe_line(self.planned.spec.by, probe));
                }
            }
            Step::CoolDown { .. } => {
                let totals = &summary.totals;
                let latency = if self.planned.spec.by == By::Rate { &totals.response_us } else { &totals.service_us };
                search.cooled_down(latency.p50);
            }
            Step::Done => {}
        }
    }

    fn say(&self, line: &str) {
        if self.planned.live {
            self.planned.stream().print(&format!("{line}\n"));
        }
    }
}

fn cool_down(level: f64) -> Duration {
    let seconds = |arrivals: f64| Duration::try_from_secs_f64(arrivals / level).unwrap_or(COOL_DOWN_MAX);
    COOL_DOWN.max(seconds(COOL_DOWN_ARRIVALS).min(COOL_DOWN_MAX)).max(seconds(COOL_DOWN_ARRIVALS_MIN))
}

impl Found {
    /// True where this machine kept the answer from being known.
    pub(crate) fn limited_by_client(&self) -> bool {
        let doubtful = |probe: &pummel_stats::capacity::Probe| probe.outcome.verdict == Verdict::Invalid;
        self.result.limit.side == pummel_stats::Limit::Client || self.result.probes.last().is_some_and(doubtful)
    }
}

#[cfg(test)]
mod tests {
    use pummel_stats::{capacity::Purpose, SearchSpec};

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn sizing(iteration_s: f64) -> Sizing {
        let mut sizing = Sizing::new(&SearchSpec::new(By::Rate, Vec::new()), 2 * S, 5 * S, false);
        let mut summary = Summary::default();
        summary.iterations.mean_us = Some(iteration_s * 1e6);
        sizing.saw_estimate(&summary);
        sizing
    }

    /// Settling, measuring and draining, in seconds, where as much as 5 s of the last is allowed.
    fn length(step: Step, iteration_s: f64, left_s: u32) -> Result<[u64; 3], u64> {
        let length = length_of(&step, &sizing(iteration_s), 5 * S, left_s * S).map_err(|needed| needed.as_secs())?;
        assert!(length.load() + length.drain <= left_s * S);
        Ok([length.settle, length.measure, length.drain].map(|time| time.as_secs()))
    }

    #[test]
    fn an_estimate_is_as_long_as_the_time_allows() {
        let estimate = |times, left_s| length(Step::Estimate { times }, 0.0, left_s);
        assert_eq!(
            [estimate(1, 600), estimate(4, 600), estimate(16, 50)],
            [Ok([0, 3, 5]), Ok([0, 12, 5]), Ok([0, 48, 2])]
        );
        assert_eq!([estimate(4, 7), estimate(1, 1), estimate(4, 0)], [Ok([0, 7, 0]), Ok([0, 1, 0]), Err(1)]);
    }

    #[test]
    fn a_probe_settles_longer_for_slow_iterations_as_far_as_there_is_time() {
        let probe = |iteration_s, left_s| {
            length(Step::Probe { level: 10.0, purpose: Purpose::Growth, times: 1 }, iteration_s, left_s)
        };
        assert_eq!([probe(0.1, 600), probe(4.0, 600)], [Ok([2, 5, 5]), Ok([8, 5, 5])]);
        // 5 s to measure and 5 s to drain leave 4 s of 14 to settle, and less than 2 s are not enough.
        assert_eq!([probe(4.0, 14), probe(4.0, 12), probe(4.0, 11)], [Ok([4, 5, 5]), Ok([2, 5, 5]), Err(12)]);
        // Quick ones are done a second after the stop.
        assert_eq!([probe(0.1, 8), probe(0.1, 7)], [Ok([2, 5, 1]), Err(8)]);
    }

    #[test]
    fn a_cool_down_waits_for_arrivals() {
        assert_eq!([1_000.0, 10.0, 1.0, 0.1].map(|level| cool_down(level).as_secs()), [1, 2, 5, 20]);
        assert_eq!(length(Step::CoolDown { level: 1.0 }, 0.0, 4), Err(5));
    }
}
