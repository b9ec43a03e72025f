//! The search of `capacity` at work: what it asks for next is run, and what was found is told to it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use pummel_engine::{Close, Control, Load, Plan};
use pummel_stats::{
    capacity::{succeeded_per_s, By, CapacityResult, EndedBy, ProbeOutcome, Purpose, Search, SearchRun, Sizing, Step},
    clock::rfc3339_utc,
    display::probe_line,
    Finished, Host, Summary, Verdict,
};

use crate::{execute::not_started, exit, failure::Failure, plan_capacity::PlannedSearch};

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
    /// How long the last run waited in which nothing ended: an estimate, or the first probe by users.
    pub(crate) waited_for: Duration,
    /// Why a run failed that others came before.
    pub(crate) fault: Option<Fault>,
}

/// Why a run of the search says nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It could not start.
    NotStarted(Failure),
    /// It broke down, or its counts do not add up.
    Defect(Failure),
}

/// Searches to the end, or until the time is over, somebody interrupts, or a run fails.
///
/// # Errors
/// A first run that failed: then nothing is known.
pub(crate) fn search(planned: &PlannedSearch, control: &Control) -> Result<Found, Failure> {
    let mut plan = planned.plan.clone();
    let closed_by_reset = !planned.close_given && may_use_up_ports(planned);
    if closed_by_reset {
        plan.network.tcp.close = Close::Rst;
    }
    let mut found = search_with(planned, control, |step, length| run(planned, &plan, control, step, length))?;
    if closed_by_reset {
        found.result.notes.push(format!(
            "connections were closed with a reset, as the ports of up to {} at a time might not have come back between probes; \
             --close fin closes them in order",
            planned.most_users()
        ));
    }
    Ok(found)
}

/// The search, whose runs somebody else makes.
fn search_with(
    planned: &PlannedSearch,
    control: &Control,
    mut run: impl FnMut(&Step, Length) -> Result<Arc<Summary>, Fault>,
) -> Result<Found, Failure> {
    let drain_max = planned.plan.stop_timeout.min(DRAIN_MAX);
    let mut at_work = AtWork { planned, sizing: planned.sizing.clone() };
    let deadline = Instant::now() + planned.max_duration;
    let mut search = Search::new(planned.spec.clone());
    let (begun, started_at) = (Instant::now(), rfc3339_utc(SystemTime::now()));
    let (mut last, mut waited_for, mut fault) = (None, Duration::ZERO, None);
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
        if search.probes().is_empty() {
            waited_for = length.load();
        }
        let summary = match run(&step, length) {
            Ok(summary) => summary,
            Err(Fault::NotStarted(failure) | Fault::Defect(failure)) if last.is_none() => return Err(failure),
            Err(why) => {
                search.note(format!("{} failed: {}", what(planned.spec.by, &step), why.failure().message()));
                search.stop(EndedBy::RunFailed);
                fault = Some(why);
                break;
            }
        };
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
    Ok(Found { result, last, waited_for, fault })
}

impl Fault {
    /// What to tell people.
    pub(crate) fn failure(&self) -> &Failure {
        match self {
            Self::NotStarted(failure) | Self::Defect(failure) => failure,
        }
    }
}

/// A step as the subject of a sentence.
fn what(by: By, step: &Step) -> String {
    match *step {
        Step::Estimate { .. } | Step::Done => "the estimate".to_owned(),
        Step::Probe { level, .. } => format!("a probe of {}", by.text(level)),
        Step::CoolDown { level } => format!("a cool-down at {}", by.text(level)),
    }
}

/// Whether a probe may open more connections than ports come back while one lasts. Where connections end as the load goes on, how
/// they are closed is a part of it.
fn may_use_up_ports(planned: &PlannedSearch) -> bool {
    let resolved = pummel_engine::resolve(planned.plan.clone()).ok();
    let budget = resolved.and_then(|resolved| resolved.port_budget());
    budget.filter(|ports| !ports.renews && ports.destinations > 0).is_some_and(|ports| {
        let probe = planned.sizing.least_settle() + planned.sizing.measure(f64::INFINITY, 1);
        are_too_few(planned.most_users(), ports.sustainable_connections_per_s, probe)
    })
}

fn are_too_few(users_max: u32, sustainable_per_s: Option<u64>, probe: Duration) -> bool {
    sustainable_per_s.is_some_and(|per_s| f64::from(users_max) > per_s as f64 * probe.as_secs_f64())
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
    sizing: Sizing,
}

/// How long what comes next is, with so much time left; where that is too little, how much it needs. Requests in flight at its end
/// may take `drain_max` in a probe, else twice as long as an iteration usually does, and are cut off where there is less.
fn length_of(step: &Step, sizing: &Sizing, drain_max: Duration, left: Duration) -> Result<Length, Duration> {
    let usual = |purpose| drain_max.min(sizing.iteration(purpose).saturating_mul(2).max(DRAIN_USUAL));
    let (least_settle, wanted_settle, measure, least_drain, drain_max) = match *step {
        Step::Estimate { times } => {
            let measure = (ESTIMATE * times).min(left).max(ESTIMATE_MIN);
            (Duration::ZERO, Duration::ZERO, measure, Duration::ZERO, usual(Purpose::Growth))
        }
        Step::Probe { level, purpose, times } => {
            (sizing.least_settle(), sizing.settle(purpose), sizing.measure(level, times), usual(purpose), drain_max)
        }
        Step::CoolDown { level } => {
            (Duration::ZERO, Duration::ZERO, cool_down(level), Duration::ZERO, usual(Purpose::Growth))
        }
        Step::Done => return Err(Duration::ZERO),
    };
    let fixed = measure.saturating_add(least_drain);
    let needed = fixed.saturating_add(least_settle);
    let for_settling = left.checked_sub(fixed).filter(|_| needed <= left).ok_or(needed)?;
    // The longer settling of slow iterations is cut to what there is.
    let settle = wanted_settle.min(for_settling);
    Ok(Length { settle, measure, drain: drain_max.min(left.saturating_sub(settle.saturating_add(measure))) })
}

/// Makes a run of the search with this plan, whose load is the step's.
fn run(
    planned: &PlannedSearch,
    plan: &Plan,
    control: &Control,
    step: &Step,
    length: Length,
) -> Result<Arc<Summary>, Fault> {
    let load = match *step {
        Step::Estimate { .. } | Step::Done => Load::closed(ESTIMATE_USERS.min(planned.users_max)),
        Step::Probe { level, .. } | Step::CoolDown { level } => match planned.spec.by {
            By::Rate => planned.open(level),
            By::Users => Load::closed(level as u32),
        },
    };
    let load = Load { run_time: Some(length.load()), ..load };
    let warmup = Some(length.settle).filter(|settle| !settle.is_zero());
    let mut plan = Plan { load, warmup, stop_timeout: length.drain, ..plan.clone() };
    if !matches!(step, Step::Probe { .. }) {
        // They are judged where there is a level to judge.
        plan.thresholds.conditions.clear();
    }
    let finished =
        pummel_engine::run(plan, control, Vec::new()).map_err(|error| Fault::NotStarted(not_started(&error)))?;
    match defect(&finished) {
        Some(defect) => Err(Fault::Defect(defect)),
        None => Ok(finished.summary),
    }
}

/// What is wrong with a run whose figures nobody should rely on.
fn defect(finished: &Finished) -> Option<Failure> {
    let conservation = &finished.summary.conservation;
    let what = match finished.broken_cores.as_slice() {
        [] if conservation.ok => return None,
        [] => format!("the counts of a run do not add up: {}", conservation.broken.join("; ")),
        [core, ..] => format!("core {core} of the load broke down"),
    };
    Some(Failure::with_code(exit::FAILED, what, "this is a defect of pummel: please report it"))
}

/// Whether somebody answered, or nobody was asked: the users may think first.
fn answered(summary: &Summary) -> bool {
    summary.totals.requests > 0 || summary.conservation.started == 0
}

fn nothing_ended_of(summary: &Summary) -> bool {
    summary.totals.requests == 0 && summary.errors.is_empty()
}

impl AtWork<'_> {
    fn tell(&mut self, search: &mut Search, step: &Step, length: Length, summary: &Summary) {
        match *step {
            Step::Estimate { .. } if summary.iterations.count == 0 && summary.errors.is_empty() => {
                let seconds = length.load().as_secs_f64();
                self.say(&format!("estimate at full speed: no iteration ended in {seconds:.0} s"));
                search.nothing_ended(answered(summary));
            }
            Step::Probe { .. } if self.is_first_of_users(search) && nothing_ended_of(summary) => {
                let seconds = length.load().as_secs_f64();
                self.say(&format!("one user: no request ended in {seconds:.0} s"));
                search.nothing_ended(answered(summary));
            }
            Step::Estimate { .. } => {
                let per_s = succeeded_per_s(summary);
                self.say(&format!("estimate at full speed: {}", By::Rate.text(per_s)));
                self.sizing.saw_estimate(summary);
                search.estimated(per_s);
            }
            Step::Probe { purpose, .. } => {
                let settled = length.settle >= self.sizing.iteration(purpose);
                if let Some(probe) = search.probed(ProbeOutcome::of(summary, settled, length.drain)) {
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

    /// A search by users has no estimate, in which a service that never answers would show.
    fn is_first_of_users(&self, search: &Search) -> bool {
        self.planned.spec.by == By::Users && search.probes().is_empty()
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
    use pummel_stats::{
        summary::{ErrorCount, Threshold},
        SearchSpec,
    };

    use super::*;
    use crate::plan_capacity::tests::planned as planned_search;

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
            [Ok([0, 3, 1]), Ok([0, 12, 1]), Ok([0, 48, 1])]
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
        // A service that hangs now is not waited for; one that is slow is.
        let cool_down = |iteration_s| length(Step::CoolDown { level: 10.0 }, iteration_s, 600);
        assert_eq!([0.1, 2.0, 9.0].map(cool_down), [Ok([0, 2, 1]), Ok([0, 2, 4]), Ok([0, 2, 5])]);
    }

    const ARGS: [&str; 3] = ["http://127.0.0.1:1/", "--threshold", "errors<1%"];

    fn planned(more: &[&str]) -> PlannedSearch {
        planned_search(&[&ARGS, &["--quiet"][..], more].concat()).unwrap()
    }

    /// 1,000 iterations a second, all of which succeeded.
    fn good() -> Summary {
        let mut summary = Summary::default();
        (summary.totals.requests, summary.totals.rps) = (5_000, 1_000.0);
        (summary.iterations.count, summary.iterations.per_s) = (5_000, 1_000.0);
        summary.thresholds = vec![Threshold { expression: "errors<1%".into(), ok: true, ..Threshold::default() }];
        summary
    }

    /// A run in which so many requests were begun, and none ended.
    fn silent(started: u64) -> Summary {
        let mut summary = Summary::default();
        summary.conservation.started = started;
        summary
    }

    /// The search with these runs, and how many it made.
    fn found(planned: &PlannedSearch, mut runs: impl FnMut(usize) -> Result<Summary, Fault>) -> (Found, Vec<Step>) {
        let mut steps = Vec::new();
        let found = search_with(planned, &Control::default(), |step, _| {
            steps.push(*step);
            runs(steps.len()).map(Arc::new)
        });
        (found.unwrap(), steps)
    }

    #[test]
    fn a_run_that_cannot_start_leaves_what_is_known() {
        let refused = || Fault::NotStarted(Failure::without_help(exit::FAILED, "cannot resolve h"));
        let (found, steps) = found(&planned(&[]), |run| if run == 4 { Err(refused()) } else { Ok(good()) });
        // The estimate of 1,000/s, then 250/s and 500/s, then 1,000/s.
        assert_eq!(steps.len(), 4);
        assert_eq!((found.result.ended_by, found.result.probe_count), (EndedBy::RunFailed, 2));
        assert!(found.result.held.is_some_and(|held| (held - 500.0).abs() < 1e-9), "{:?}", found.result.held);
        assert_eq!(found.result.notes, ["a probe of 1,000/s failed: cannot resolve h"]);
        assert_eq!(found.fault.unwrap().failure().message(), "cannot resolve h");
        // The first one leaves nothing.
        let first = search_with(&planned(&[]), &Control::default(), |_, _| Err(refused()));
        assert_eq!(first.err().unwrap().message(), "cannot resolve h");
    }

    #[test]
    fn a_service_that_never_answers_is_said_within_seconds() {
        let (by_rate, steps) = found(&planned(&[]), |_| Ok(silent(64)));
        assert_eq!(steps, [1, 4].map(|times| Step::Estimate { times }));
        assert_eq!((by_rate.result.ended_by, by_rate.waited_for), (EndedBy::NothingEnded, 12 * S));
        let (by_users, steps) = found(&planned(&["--by", "users"]), |_| Ok(silent(1)));
        assert_eq!((by_users.result.ended_by, by_users.waited_for, steps.len()), (EndedBy::NothingEnded, 7 * S, 1));
        // Users that think first have asked nobody yet.
        let (_, steps) = found(&planned(&[]), |run| Ok(if run < 3 { silent(0) } else { good() }));
        assert_eq!(steps[2], Step::Estimate { times: 16 });
    }

    #[test]
    fn what_fails_before_the_first_request_is_a_failure() {
        let mut broken = silent(0);
        broken.errors = vec![ErrorCount::default()];
        broken.thresholds = vec![Threshold { expression: "errors<1%".into(), ..Threshold::default() }];
        let (found, steps) = found(&planned(&["--by", "users"]), |_| Ok(broken.clone()));
        assert_eq!((found.result.ended_by, steps.len()), (EndedBy::NothingSucceeded, 1));
    }

    #[test]
    fn a_run_that_broke_down_is_a_defect() {
        let finished = |ok, broken_cores| {
            let mut summary = good();
            summary.conservation.ok = ok;
            summary.conservation.broken = if ok { Vec::new() } else { vec!["started: 2 against 1".into()] };
            Finished { summary: Arc::new(summary), output_problems: Vec::new(), broken_cores }
        };
        let message = |finished| defect(&finished).map(|failure| (failure.message(), failure.exit_code()));
        assert_eq!(message(finished(true, vec![])), None);
        assert_eq!(message(finished(true, vec![1])), Some(("core 1 of the load broke down".into(), 1)));
        let text = "the counts of a run do not add up: started: 2 against 1";
        assert_eq!(message(finished(false, vec![])), Some((text.into(), 1)));
    }

    #[test]
    fn a_search_may_need_more_ports_than_come_back() {
        // 28,232 ports that rest 60 s are 470 a second, 3,290 in the 7 s of a probe.
        assert_eq!([3_290, 3_291].map(|users| are_too_few(users, Some(470), 7 * S)), [false, true]);
        // Those that come back after a second, and those that never rest.
        assert_eq!([Some(28_232), None].map(|per_s| are_too_few(10_000, per_s, 7 * S)), [false, false]);
        let users = |more: &[&str]| planned(more).most_users();
        assert_eq!(users(&["--by", "users", "--at-most", "12"]), 12);
        assert_eq!(users(&["--at-most", "12", "--max-users", "50"]), 50);
        assert_eq!([planned(&[]).close_given, planned(&["--close", "fin"]).close_given], [false, true]);
    }
}
