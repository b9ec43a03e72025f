//! The search itself: which level next, and what a finished probe means for it.

use super::cool_down::{CoolDown, Cooled};
use super::probe::{Grade, Probe, ProbeOutcome, Purpose};
use super::result::{CapacityLimit, CapacityResult, Confirmed, EndedBy};
use super::spec::{By, SearchSpec};
use super::COOL_DOWNS_MAX;
use crate::verdict::Limit;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Find roughly what the service does in a short closed run, and tell [`Search::estimated`] or [`Search::nothing_ended`].
    Estimate {
        /// How many times as long as at first.
        times: u32,
    },
    /// Probe a level, and tell [`Search::probed`]; or of the first one by users [`Search::nothing_ended`].
    Probe {
        /// Iterations/s, or users.
        level: f64,
        /// Why.
        purpose: Purpose,
        /// How many times as long as others it measures: a confirmation, or one that had too few samples.
        times: u32,
    },
    /// Load the service lightly for a moment, and tell [`Search::cooled_down`].
    CoolDown {
        /// Iterations/s, or users.
        level: f64,
    },
    /// The search has ended; [`Search::finish`] has the result.
    Done,
}

/// A capacity search under way.
#[derive(Clone, Debug)]
pub struct Search {
    spec: SearchSpec,
    state: State,
    estimate_per_s: Option<f64>,
    probes: Vec<Probe>,
    /// The lowest level that failed.
    bound: Option<Bound>,
    confirmed: Option<Confirmed>,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum State {
    Estimating { times: u32 },
    Trying(Trial),
    CoolingDown(CoolDown, Trial),
    Ended(EndedBy),
}

/// A level under trial: one probe, and another where that one failed or could not be judged.
#[derive(Clone, Debug)]
struct Trial {
    level: f64,
    /// Why the level is tried; never [`Purpose::Repeat`].
    purpose: Purpose,
    /// Where its probes begin in [`Search::probes`].
    from: usize,
    failed: u32,
    /// How often a probe had too few samples, so that the next lasts longer.
    lengthened: u32,
}

/// How many times as long an estimate lasts in which nothing ended, and how many times as long as the first the longest is: where
/// iterations are long, and where nothing was answered at all.
const ESTIMATE_LONGER: u32 = 4;
const ESTIMATE_LONGEST: u32 = 16;
const ESTIMATE_LONGEST_UNANSWERED: u32 = 4;

/// How many times as long a confirmation measures, and a probe each time that the one before had too few samples.
const LONGER: u32 = 2;

/// How often a probe is lengthened. What cannot be judged in eight times the time that should do cannot be judged.
const LENGTHENED_MAX: u32 = 3;

/// Probes that must fail before their level has.
const FAILURES: u32 = 2;

#[derive(Clone, Debug)]
struct Bound {
    level: f64,
    limit: CapacityLimit,
}

impl Search {
    /// A search that has done nothing yet. Figures of the spec that make no sense are moved to the nearest that do.
    pub fn new(spec: SearchSpec) -> Self {
        let spec = spec.made_sound();
        let mut search = Self {
            spec,
            state: State::Estimating { times: 1 },
            estimate_per_s: None,
            probes: Vec::new(),
            bound: None,
            confirmed: None,
            notes: Vec::new(),
        };
        if search.spec.by == By::Users {
            search.begin(search.spec.first(0.0), Purpose::Growth);
        }
        search
    }

    /// What to do next. Asking changes nothing.
    pub fn next(&self) -> Step {
        match &self.state {
            State::Estimating { times } => Step::Estimate { times: *times },
            State::Trying(trial) => Step::Probe {
                level: trial.level,
                purpose: trial.purpose_of_probe(self.probes.len()),
                times: trial.times(),
            },
            State::CoolingDown(cool_down, _) => Step::CoolDown { level: cool_down.level },
            State::Ended(_) => Step::Done,
        }
    }

    /// The estimate: iterations that succeeded a second. Where none did there is nothing to search for.
    pub fn estimated(&mut self, per_s: f64) {
        if !matches!(self.state, State::Estimating { .. }) {
            return;
        }
        if !per_s.is_finite() || per_s <= 0.0 {
            self.end(EndedBy::NothingSucceeded);
            return;
        }
        self.estimate_per_s = Some(per_s);
        self.spec.reach_down_to(per_s);
        self.begin(self.spec.first(per_s), Purpose::Growth);
    }

    /// In the estimate no iteration ended, and nothing failed: it is repeated for longer, and not so often where requests were sent
    /// and none of them was `answered`. The same of the first probe by users ends the search.
    pub fn nothing_ended(&mut self, answered: bool) {
        let longest = if answered { ESTIMATE_LONGEST } else { ESTIMATE_LONGEST_UNANSWERED };
        match &mut self.state {
            State::Estimating { times } if *times < longest => *times *= ESTIMATE_LONGER,
            State::Estimating { .. } => self.end(EndedBy::NothingEnded),
            State::Trying(_) if self.spec.by == By::Users && self.probes.is_empty() => self.end(EndedBy::NothingEnded),
            State::Trying(_) | State::CoolingDown(..) | State::Ended(_) => {}
        }
    }

    /// What the probe that was asked for found; gives it back with its grade. `None` where no probe was asked for: then it is no
    /// part of the search.
    pub fn probed(&mut self, outcome: ProbeOutcome) -> Option<&Probe> {
        let State::Trying(trial) = &self.state else { return None };
        let mut trial = trial.clone();
        let grade = outcome.grade();
        self.probes.push(Probe {
            number: self.probes.len() as u64 + 1,
            level: trial.level,
            purpose: trial.purpose_of_probe(self.probes.len()),
            longer: trial.times() > 1,
            grade,
            outcome,
        });
        match grade {
            Grade::Held => self.held(&trial),
            // Before it nobody knew how many samples a user makes; it is repeated for as long as they take.
            Grade::Inconclusive if self.spec.by == By::Users && self.probes.len() == 1 => self.go_on_with(trial, None),
            Grade::Inconclusive if trial.lengthened < LENGTHENED_MAX => {
                trial.lengthened += 1;
                self.note_too_few_samples("was repeated for longer");
                self.go_on_with(trial, None);
            }
            Grade::Inconclusive => {
                self.note_too_few_samples("longer probes did not help");
                self.end(EndedBy::TooFewSamples);
            }
            // A search by users has no estimate, in which it would have shown.
            Grade::Failed if self.nothing_ever_succeeded() => self.end(EndedBy::NothingSucceeded),
            Grade::Failed | Grade::ClientLimited => {
                trial.failed += 1;
                if trial.failed < FAILURES {
                    let cool_down = self.cool_down();
                    self.go_on_with(trial, Some(cool_down));
                } else {
                    self.failed(&trial);
                }
            }
        }
        self.probes.last()
    }

    /// The median latency of the cool-down that was asked for, microseconds; `None` where nothing succeeded.
    pub fn cooled_down(&mut self, p50_us: Option<u64>) {
        let State::CoolingDown(cool_down, trial) = &mut self.state else { return };
        let cooled = cool_down.made(p50_us.map(|us| us as f64));
        if cooled == Cooled::NotYet {
            return;
        }
        let trial = trial.clone();
        if cooled == Cooled::GivenUp {
            let before = self.probes.last().map(|probe| self.spec.by.text(probe.level)).unwrap_or_default();
            self.notes.push(format!(
                "after {before} latency was not back in {COOL_DOWNS_MAX} cool-downs; the search went on without"
            ));
        }
        self.state = State::Trying(trial);
    }

    /// Ends the search where it stands: the time is used up, somebody interrupts it, a run failed.
    pub fn stop(&mut self, why: EndedBy) {
        if let State::Trying(trial) | State::CoolingDown(_, trial) = &self.state {
            if trial.failed > 0 {
                let level = self.spec.by.text(trial.level);
                self.notes.push(format!("a probe failed at {level} and was not repeated, so it does not count"));
            }
        }
        self.end(why);
    }

    /// Adds what else is to be known, a sentence.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The probes so far, in order.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The spec as the search takes it.
    pub fn spec(&self) -> &SearchSpec {
        &self.spec
    }

    /// The result. A search that was not done counts as [`EndedBy::Interrupted`].
    pub fn finish(mut self) -> CapacityResult {
        if !matches!(self.state, State::Ended(_)) {
            self.stop(EndedBy::Interrupted);
        }
        let ended_by = match self.state {
            State::Ended(why) => why,
            State::Estimating { .. } | State::Trying(_) | State::CoolingDown(..) => EndedBy::Interrupted,
        };
        let held = self.highest_held();
        self.note_contradiction();
        let (failed, limit) = match self.bound {
            Some(Bound { level, limit }) => (Some(level), limit),
            None => (None, CapacityLimit::default()),
        };
        CapacityResult {
            held,
            failed,
            limit,
            ended_by,
            estimate_per_s: self.estimate_per_s,
            confirmed: self.confirmed,
            notes: self.notes,
            ..CapacityResult::of_probes(&self.spec, self.probes)
        }
    }

    /// The highest level below the lowest that failed at which a probe held.
    fn highest_held(&self) -> Option<f64> {
        self.held_levels().max_by(f64::total_cmp)
    }

    fn held_levels(&self) -> impl Iterator<Item = f64> + '_ {
        let bound = self.bound.as_ref().map_or(f64::INFINITY, |bound| bound.level);
        let held = self.probes.iter().filter(|probe| probe.grade == Grade::Held);
        held.map(|probe| probe.level).filter(move |&level| level < bound)
    }

    fn held(&mut self, trial: &Trial) {
        if trial.failed > 0 {
            let level = self.spec.by.text(trial.level);
            self.notes.push(format!("{level} failed once and held when it was repeated"));
        }
        if trial.purpose != Purpose::Confirmation {
            self.advance(None);
            return;
        }
        let duration_s = self.probes.last().map_or(0.0, |probe| probe.outcome.duration_s);
        self.confirmed = Some(Confirmed { level: trial.level, duration_s });
        self.end(if self.bound.is_some() { EndedBy::Converged } else { EndedBy::HighestReached });
    }

    fn failed(&mut self, trial: &Trial) {
        if trial.purpose == Purpose::Confirmation {
            let level = self.spec.by.text(trial.level);
            self.notes.push(format!("the confirmation at {level} failed, so the answer was looked for below"));
        }
        let limit = CapacityLimit::of_failed(&self.probes[trial.from..]);
        self.bound = Some(Bound { level: trial.level, limit });
        let cool_down = self.cool_down();
        self.advance(Some(cool_down));
    }

    /// On to the level that follows from what has held and what has failed.
    fn advance(&mut self, cool_down: Option<CoolDown>) {
        let failed = self.bound.as_ref().map(|bound| bound.level);
        let next = match (self.highest_held(), failed) {
            (None, None) => Some((self.spec.min, Purpose::Growth)),
            (None, Some(failed)) => self.spec.below(failed).map(|level| (level, Purpose::Descent)),
            (Some(held), None) if held < self.spec.max => Some((self.spec.above(held), Purpose::Growth)),
            (Some(held), None) => Some((self.spec.confirmation(held), Purpose::Confirmation)),
            (Some(held), Some(failed)) => Some(match self.spec.between(held, failed) {
                Some(level) => (level, Purpose::Bisection),
                None => (self.spec.confirmation(held), Purpose::Confirmation),
            }),
        };
        match next {
            Some((level, purpose)) => self.go_on_with(Trial::new(level, purpose, self.probes.len()), cool_down),
            None => self.end(EndedBy::NothingHeld),
        }
    }

    fn begin(&mut self, level: f64, purpose: Purpose) {
        self.go_on_with(Trial::new(level, purpose, self.probes.len()), None);
    }

    /// Every way to another probe leads through here, so that their number is bounded.
    fn go_on_with(&mut self, trial: Trial, cool_down: Option<CoolDown>) {
        if self.probes.len() >= self.spec.probes_max {
            self.state = State::Trying(trial);
            self.stop(EndedBy::ProbesUsedUp);
            return;
        }
        self.state = match cool_down {
            Some(cool_down) => State::CoolingDown(cool_down, trial),
            None => State::Trying(trial),
        };
    }

    fn end(&mut self, why: EndedBy) {
        if !matches!(self.state, State::Ended(_)) {
            self.state = State::Ended(why);
        }
    }

    /// At the lowest level that held, whose latency is known; where none has, at half of the lowest that was tried.
    fn cool_down(&self) -> CoolDown {
        let lowest = |levels: &mut dyn Iterator<Item = f64>| levels.min_by(f64::total_cmp);
        let Some(held) = lowest(&mut self.held_levels()) else {
            let tried = lowest(&mut self.probes.iter().map(|probe| probe.level));
            return CoolDown::new(self.spec.half(tried.unwrap_or(self.spec.min)), None);
        };
        let probe = self.probes.iter().find(|probe| probe.grade == Grade::Held && probe.level <= held);
        let p50_us = probe.and_then(|probe| probe.outcome.latency_us.p50);
        CoolDown::new(held, p50_us.map(|us| us as f64))
    }

    /// The first probe by users, in which no request succeeded.
    fn nothing_ever_succeeded(&self) -> bool {
        self.spec.by == By::Users && matches!(self.probes.as_slice(), [only] if only.outcome.nothing_succeeded())
    }

    /// A level that held and does not lie below the lowest that failed makes it unclear why that one failed.
    fn note_contradiction(&mut self) {
        let Some(bound) = &mut self.bound else { return };
        let held = self.probes.iter().filter(|probe| probe.grade == Grade::Held && probe.level >= bound.level);
        let Some(highest) = held.max_by(|a, b| a.level.total_cmp(&b.level)) else { return };
        bound.limit.side = Limit::Unclear;
        bound.limit.resource = None;
        let (held, failed) = (self.spec.by.text(highest.level), self.spec.by.text(bound.level));
        self.notes.push(format!(
            "probe {} held at {held}, and {failed} failed: what the service does differs from probe to probe",
            highest.number
        ));
    }

    fn note_too_few_samples(&mut self, what: &str) {
        let Some(probe) = self.probes.last() else { return };
        let missing = probe.outcome.thresholds.iter().find(|threshold| threshold.samples_missing.is_some());
        let why = missing.and_then(|threshold| threshold.reason.as_deref()).unwrap_or("too few samples");
        let level = self.spec.by.text(probe.level);
        self.notes.push(format!("{level} could not be judged and {what}: {why}"));
    }
}

impl Trial {
    fn new(level: f64, purpose: Purpose, from: usize) -> Self {
        Self { level, purpose, from, failed: 0, lengthened: 0 }
    }

    /// How many times as long as others its next probe measures.
    fn times(&self) -> u32 {
        LONGER.pow(self.lengthened + u32::from(self.purpose == Purpose::Confirmation))
    }

    /// Of the probe that comes after so many.
    fn purpose_of_probe(&self, probes: usize) -> Purpose {
        if probes == self.from {
            self.purpose
        } else {
            Purpose::Repeat
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
