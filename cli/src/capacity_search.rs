//! The search of `capacity` at work: what it asks for next is run, and what was found is told to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pummel_engine::{Control, Load, Plan};
use pummel_stats::{
    capacity::{By, CapacityResult, EndedBy, ProbeArrivals, ProbeFacts, ProbeOutcome, Search, Step},
    display::probe_line,
    Summary, Verdict,
};

use crate::{execute::not_started, failure::Failure, plan_capacity::PlannedSearch};

/// How long the estimate runs at full speed.
const ESTIMATE: Duration = Duration::from_secs(3);

/// Its users: enough to keep most services busy, few enough to harm none.
const ESTIMATE_USERS: u32 = 64;

/// A run between probes, in which the service recovers, is so long at least, and long enough for [`COOL_DOWN_ARRIVALS`].
const COOL_DOWN: Duration = Duration::from_secs(1);

/// Arrivals that say how the service is doing, within [`COOL_DOWN_MAX`].
const COOL_DOWN_ARRIVALS: f64 = 20.0;
const COOL_DOWN_MAX: Duration = Duration::from_secs(5);

/// How many times as long a probe measures where it is to be longer.
const LONGER: f64 = 2.0;

/// What the search found, and the last run's summary, which says why where nothing succeeded.
pub(crate) struct Found {
    /// The result.
    pub(crate) result: CapacityResult,
    /// The run after which it ended.
    pub(crate) last: Option<Arc<Summary>>,
}

/// Searches to the end, or until the time is over or somebody interrupts.
///
/// # Errors
/// A run that could not start.
pub(crate) fn search(planned: &PlannedSearch, control: &Control) -> Result<Found, Failure> {
    let mut at_work =
        AtWork { planned, control, deadline: Instant::now() + planned.max_duration, per_level: None, last: None };
    let mut search = Search::new(planned.spec.clone());
    loop {
        let step = search.next();
        if matches!(step, Step::Done) {
            break;
        }
        let time_left = at_work.deadline.saturating_duration_since(Instant::now());
        if at_work.time_of(&step) > time_left {
            search.stop(EndedBy::Time);
            break;
        }
        let summary = at_work.run(&step)?;
        if control.raised() > 0 {
            search.stop(EndedBy::Interrupted);
            break;
        }
        at_work.tell(&mut search, &step, &summary);
        at_work.last = Some(summary);
    }
    Ok(Found { result: search.finish(), last: at_work.last })
}

struct AtWork<'a> {
    planned: &'a PlannedSearch,
    control: &'a Control,
    deadline: Instant,
    /// Successful requests a second that one unit of the level made last time: says how long samples take.
    per_level: Option<f64>,
    last: Option<Arc<Summary>>,
}

impl AtWork<'_> {
    /// How long a probe at a level measures.
    fn measures(&self, level: f64, longer: bool) -> Duration {
        let planned = self.planned;
        // An iteration is one request at least; users make as many as they did last time, and at first nobody knows.
        let at_first = if planned.spec.by == By::Rate { 1.0 } else { f64::INFINITY };
        let per_s = level * self.per_level.unwrap_or(at_first);
        let for_samples = planned.spec.samples_needed() as f64 / per_s;
        let seconds = planned.measure.as_secs_f64().max(for_samples) * if longer { LONGER } else { 1.0 };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// How long what comes next will take.
    fn time_of(&self, step: &Step) -> Duration {
        match *step {
            Step::Estimate => ESTIMATE,
            Step::Probe { level, longer, .. } => self.planned.settle.saturating_add(self.measures(level, longer)),
            Step::CoolDown { level } => cool_down(level),
            Step::Done => Duration::ZERO,
        }
    }

    fn run(&self, step: &Step) -> Result<Arc<Summary>, Failure> {
        let planned = self.planned;
        let (load, warmup) = match *step {
            Step::Estimate | Step::Done => (Load::closed(ESTIMATE_USERS.min(planned.users_max)), None),
            Step::Probe { level, .. } => (self.load(level), Some(planned.settle)),
            Step::CoolDown { level } => (self.load(level), None),
        };
        let load = Load { run_time: Some(self.time_of(step)), ..load };
        let mut plan = Plan { load, warmup, ..planned.plan.clone() };
        if warmup.is_none() {
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

    fn tell(&mut self, search: &mut Search, step: &Step, summary: &Summary) {
        match *step {
            Step::Estimate => {
                let per_s = succeeded_per_s(summary);
                if self.planned.live {
                    let text = format!("estimate at full speed: {}\n", By::Rate.text(per_s.round()));
                    self.planned.stream().print(&text);
                }
                search.estimated(per_s);
            }
            Step::Probe { level, .. } => {
                let outcome = ProbeOutcome::of(summary, facts(summary));
                let succeeded = (summary.totals.requests - summary.totals.failures) as f64 / summary.run.load_s;
                self.per_level = Some(succeeded / level).filter(|rate| rate.is_finite() && *rate > 0.0);
                if let Some(probe) = search.probed(outcome) {
                    if self.planned.live {
                        self.planned.stream().print(&format!("{}\n", probe_line(self.planned.spec.by, probe)));
                    }
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
}

fn cool_down(level: f64) -> Duration {
    let for_arrivals = Duration::try_from_secs_f64(COOL_DOWN_ARRIVALS / level).unwrap_or(COOL_DOWN_MAX);
    COOL_DOWN.max(for_arrivals.min(COOL_DOWN_MAX))
}

/// Iterations that succeeded, per second of the load window: of cases as they are recorded, of a URL those of its requests.
fn succeeded_per_s(summary: &Summary) -> f64 {
    let whole = summary.transactions.iter().filter(|row| row.name == "Action");
    let (passed, all) = whole.fold((0, 0), |(passed, all), row| (passed + row.passed, all + row.passed + row.failed));
    let share = if all > 0 { passed as f64 / all as f64 } else { 1.0 - summary.totals.failure_ratio };
    if summary.totals.requests == 0 {
        return 0.0;
    }
    summary.iterations.per_s * share
}

/// What a probe's summary says beside its figures.
fn facts(summary: &Summary) -> ProbeFacts<'static> {
    ProbeFacts {
        arrivals: summary.arrivals.as_ref().map(|arrivals| ProbeArrivals {
            intended: arrivals.intended,
            made: arrivals.made,
            // The load has settled before the window began.
            finished: Some(summary.iterations.count),
            users_peak: arrivals.users_peak,
            users_max: arrivals.users_max,
        }),
        iterations_per_s: Some(succeeded_per_s(summary)),
        exhausted: &[],
    }
}

impl Found {
    /// True where this machine kept the answer from being known.
    pub(crate) fn limited_by_client(&self) -> bool {
        let doubtful = |probe: &pummel_stats::capacity::Probe| probe.outcome.verdict == Verdict::Invalid;
        self.result.limit.side == pummel_stats::Limit::Client || self.result.probes.last().is_some_and(doubtful)
    }
}
