//! The search of `capacity` at work: what it asks for next is run, and what was found is told to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pummel_engine::{Control, Load, Plan};
use pummel_stats::{
    capacity::{succeeded_per_s, By, CapacityResult, EndedBy, ProbeOutcome, Search, Sizing, Step},
    display::probe_line,
    Summary, Verdict,
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
    let drain = planned.plan.stop_timeout.min(DRAIN_MAX);
    let mut at_work = AtWork { planned, control, drain, sizing: planned.sizing.clone() };
    let deadline = Instant::now() + planned.max_duration;
    let mut search = Search::new(planned.spec.clone());
    let (mut last, mut estimated_for) = (None, Duration::ZERO);
    loop {
        let step = search.next();
        if matches!(step, Step::Done) {
            break;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let length = match at_work.length_of(&step, left) {
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
    Ok(Found { result: search.finish(), last, estimated_for })
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
    /// The longest drain.
    drain: Duration,
    sizing: Sizing,
}

impl AtWork<'_> {
    /// How long what comes next is, with so much time left; where that is too little, how much it needs.
    fn length_of(&self, step: &Step, left: Duration) -> Result<Length, Duration> {
        match *step {
            Step::Estimate { times } => {
                let measure = (ESTIMATE * times).min(left);
                self.unsettled(measure.max(ESTIMATE_MIN), left)
            }
            Step::Probe { level, purpose, times } => {
                let fixed = self.sizing.measure(level, times).saturating_add(self.drain);
                let wanted = self.sizing.settle(purpose);
                let needed = fixed.saturating_add(self.sizing.least_settle());
                // The longer settling of slow iterations is cut to what there is.
                let settle = left.checked_sub(fixed).filter(|_| needed <= left).ok_or(needed)?.min(wanted);
                Ok(Length { settle, measure: fixed - self.drain, drain: self.drain })
            }
            Step::CoolDown { level } => self.unsettled(cool_down(level), left),
            Step::Done => Err(Duration::ZERO),
        }
    }

    /// A run that measures from the beginning, and whose drain is cut to what there is.
    fn unsettled(&self, measure: Duration, left: Duration) -> Result<Length, Duration> {
        let drain = left.checked_sub(measure).ok_or(measure)?.min(self.drain);
        Ok(Length { settle: Duration::ZERO, measure, drain })
    }

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
