//! What is kept of a functional run's events, and what the process ends with.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pummel_case::Case;
use pummel_engine::{FunctionalEvent, StepRecord};
use serde_json::{Map, Value};

use crate::exit;

/// The most bytes of one body that are kept: what a person still scrolls through.
const BODY_KEPT_BYTES: usize = 1 << 20;

/// The most bytes of bodies and values that are kept in all, so that a long run with large answers fits into memory. What
/// comes later is left out and said to be.
const KEPT_BYTES: usize = 256 << 20;

/// What stands in place of a value that is left out.
const LEFT_OUT: &str = "(left out: the results of this run are too large)";

/// What outputs say of a case that is known before it runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CaseFacts {
    /// `config.name`.
    pub(crate) name: String,
    /// Its file.
    pub(crate) path: Option<PathBuf>,
    /// The variables of its config, evaluated.
    pub(crate) config_variables: Map<String, Value>,
}

impl CaseFacts {
    /// Those of a loaded case.
    pub(crate) fn of(case: &Case) -> Self {
        Self { name: case.name.to_string(), path: case.path.clone(), config_variables: case.config_variables() }
    }
}

/// How much of the steps the outputs need after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Their numbers: lines of text are all there is.
    Counts,
    /// Each step and the validators that failed, but not what it sent and got.
    Steps,
    /// All of it.
    Exchanges,
}

/// A step of the results.
#[derive(Debug, Clone)]
pub(crate) struct StepResult {
    /// What the engine told, bodies cut to what is kept.
    pub(crate) record: StepRecord,
    /// How many bytes of the request's body are left out.
    pub(crate) request_cut_bytes: u64,
    /// How many bytes of the response's body are left out.
    pub(crate) response_cut_bytes: u64,
}

/// One run of a case: all of it, or one row of its parameters.
#[derive(Debug, Clone)]
pub(crate) struct CaseRun {
    /// What was known before.
    pub(crate) facts: Arc<CaseFacts>,
    /// When it began.
    pub(crate) started_at: SystemTime,
    /// How long it took, microseconds.
    pub(crate) elapsed_us: u64,
    /// No step failed and it came to its end.
    pub(crate) passed: bool,
    /// Why not, where it is no step's failure.
    pub(crate) error: Option<String>,
    /// Its exit code.
    exit_code: u8,
    /// What it exports.
    pub(crate) exports: Map<String, Value>,
    /// How many steps were executed.
    pub(crate) steps_run: u64,
    /// How many of them failed.
    pub(crate) steps_failed: u64,
    /// Its steps, where they are kept.
    pub(crate) steps: Vec<StepResult>,
}

/// A number of things, and how many of them passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// All of them.
    pub(crate) total: u64,
    /// Those that failed.
    pub(crate) failed: u64,
}

impl Count {
    /// Those that passed.
    pub(crate) fn passed(self) -> u64 {
        self.total - self.failed
    }
}

/// The results of a functional run.
#[derive(Debug)]
pub(crate) struct Results {
    facts: Vec<Arc<CaseFacts>>,
    keep: Keep,
    /// Bytes that may still be kept.
    budget_bytes: usize,
    /// Which cases of the plan have begun.
    begun: BTreeSet<usize>,
    /// When the run began.
    pub(crate) started_at: SystemTime,
    /// How long it took; zero until [`finish`](Self::finish).
    pub(crate) elapsed: Duration,
    /// The runs of cases, in order.
    pub(crate) cases: Vec<CaseRun>,
    /// The sentence and the exit code of the first failure, where there is one.
    first_failure: Option<(String, u8)>,
}

/// What the run itself says at its end, beside its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// It came to its end.
    Whole,
    /// A signal ended it.
    Interrupted,
    /// The engine broke down.
    Broken,
}

impl Results {
    /// Those of a run of these cases that begins at `started_at`.
    pub(crate) fn new(facts: Vec<CaseFacts>, keep: Keep, started_at: SystemTime) -> Self {
        Self {
            facts: facts.into_iter().map(Arc::new).collect(),
            keep,
            budget_bytes: KEPT_BYTES,
            begun: BTreeSet::new(),
            started_at,
            elapsed: Duration::ZERO,
            cases: Vec::new(),
            first_failure: None,
        }
    }

    /// Takes the next event.
    pub(crate) fn take(&mut self, event: FunctionalEvent) {
        match event {
            FunctionalEvent::CaseStarted { case, started_at } => self.begin(case, started_at),
            FunctionalEvent::Step(record) => self.take_step(*record),
            FunctionalEvent::CaseEnded { passed, error, exit_code, elapsed_us, exports, .. } => {
                let Some(run) = self.cases.last_mut() else { return };
                run.passed = passed;
                run.error = error;
                run.exit_code = exit_code;
                run.elapsed_us = elapsed_us;
                run.exports = exports;
                self.note_failure();
            }
        }
    }

    /// A run of a case counts as failed until its end is told: one that breaks off has no other end.
    fn begin(&mut self, case: usize, started_at: SystemTime) {
        self.begun.insert(case);
        self.cases.push(CaseRun {
            facts: self.facts.get(case).cloned().unwrap_or_default(),
            started_at,
            elapsed_us: 0,
            passed: false,
            error: Some("it was not brought to its end".to_owned()),
            exit_code: exit::FAILED,
            exports: Map::new(),
            steps_run: 0,
            steps_failed: 0,
            steps: Vec::new(),
        });
    }

    fn take_step(&mut self, mut record: StepRecord) {
        let Some(run) = self.cases.last_mut() else { return };
        run.steps_run += 1;
        if let Some(failure) = &record.failure {
            run.steps_failed += 1;
            if self.first_failure.is_none() {
                let sentence = format!("{}: {}: {}", run.facts.name, record.name, failure.message);
                self.first_failure = Some((sentence, failure.exit_code.max(exit::FAILED)));
            }
        }
        if self.keep == Keep::Counts {
            return;
        }
        let (mut request_cut_bytes, mut response_cut_bytes) = (0, 0);
        if self.keep == Keep::Steps {
            record.exchange = None;
            record.extracted = Vec::new();
            record.validators.retain(|validator| !validator.passed);
        }
        if let Some(exchange) = &mut record.exchange {
            request_cut_bytes = cut(&mut exchange.request_body, &mut self.budget_bytes);
            if let Some(response) = &mut exchange.response {
                response_cut_bytes = cut(&mut response.body, &mut self.budget_bytes);
            }
        }
        let values = record.extracted.iter_mut().map(|(_, value)| value);
        let values = values.chain(record.validators.iter_mut().flat_map(|one| [&mut one.expect, &mut one.actual]));
        for value in values {
            let bytes = size_of_value(value);
            if bytes > self.budget_bytes {
                *value = LEFT_OUT.into();
            } else {
                self.budget_bytes -= bytes;
            }
        }
        run.steps.push(StepResult { record, request_cut_bytes, response_cut_bytes });
    }

    /// The sentence of a case that failed although no step did.
    fn note_failure(&mut self) {
        let Some(run) = self.cases.last() else { return };
        if run.passed || self.first_failure.is_some() {
            return;
        }
        let why = run.error.as_deref().unwrap_or("it failed");
        self.first_failure = Some((format!("{}: {why}", run.facts.name), run.exit_code.max(exit::FAILED)));
    }

    /// Ends the run.
    pub(crate) fn finish(&mut self, elapsed: Duration, end: RunEnd) {
        self.elapsed = elapsed;
        if let Some(run) = self.cases.last_mut().filter(|run| !run.passed && run.elapsed_us == 0) {
            let since = run.started_at.duration_since(self.started_at).unwrap_or_default();
            run.elapsed_us = elapsed.saturating_sub(since).as_micros() as u64;
        }
        self.note_failure();
        let missing = self.facts.len().saturating_sub(self.begun.len());
        let cases = if missing == 1 { "case" } else { "cases" };
        let failure = match end {
            RunEnd::Broken => Some(("the engine broke down; please report this".to_owned(), exit::FAILED)),
            RunEnd::Interrupted if missing > 0 => {
                Some((format!("interrupted: {missing} {cases} not run"), exit::INTERRUPTED))
            }
            _ if missing > 0 => Some((format!("{missing} {cases} not run"), exit::FAILED)),
            _ => None,
        };
        if self.first_failure.is_none() {
            self.first_failure = failure;
        }
    }

    /// The sentence of the first failure and the exit code that goes with it; none where everything passed. Only told after
    /// [`finish`](Self::finish).
    pub(crate) fn failure(&self) -> Option<(&str, u8)> {
        self.first_failure.as_ref().map(|(sentence, code)| (sentence.as_str(), *code))
    }

    /// Runs of cases.
    pub(crate) fn case_count(&self) -> Count {
        let failed = self.cases.iter().filter(|run| !run.passed).count() as u64;
        Count { total: self.cases.len() as u64, failed }
    }

    /// Executed steps.
    pub(crate) fn step_count(&self) -> Count {
        self.cases.iter().fold(Count::default(), |sum, run| Count {
            total: sum.total + run.steps_run,
            failed: sum.failed + run.steps_failed,
        })
    }
}

/// Cuts a body to what may be kept; gives how many bytes went.
fn cut(body: &mut Vec<u8>, budget_bytes: &mut usize) -> u64 {
    let kept = body.len().min(BODY_KEPT_BYTES).min(*budget_bytes);
    let gone = body.len() - kept;
    body.truncate(kept);
    body.shrink_to_fit();
    *budget_bytes -= kept;
    gone as u64
}

/// About how much memory a value's text takes.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => size_of::<Value>(),
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size_of_value).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size_of_value(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::sample::{ended, facts, failing, results, started, step, t0};

    fn run_of(events: Vec<FunctionalEvent>, cases: usize, end: RunEnd) -> Results {
        let mut results = Results::new(vec![facts(); cases], Keep::Exchanges, t0());
        for event in events {
            results.take(event);
        }
        results.finish(Duration::from_millis(5), end);
        results
    }

    #[test]
    fn passing_and_failing_are_counted() {
        let results = results();
        assert_eq!(results.case_count(), Count { total: 2, failed: 1 });
        assert_eq!(results.step_count(), Count { total: 4, failed: 2 });
        assert_eq!(results.step_count().passed(), 2);
    }

    #[test]
    fn the_first_failure_gives_the_exit_code() {
        let events =
            || vec![started(0), step(failing("a", 21)), ended(0, 21), started(1), step(failing("b", 23)), ended(1, 23)];
        let results = run_of(events(), 2, RunEnd::Whole);
        assert_eq!(results.failure(), Some(("shop <1>: a: step validation failed", 21)));
        // An interruption does not hide what came before it.
        assert_eq!(run_of(events(), 3, RunEnd::Interrupted).failure().unwrap().1, 21);
        let passed = run_of(vec![started(0), ended(0, 0)], 1, RunEnd::Whole);
        assert_eq!(passed.failure(), None);
    }

    #[test]
    fn what_no_step_is_to_blame_for_is_a_failure_too() {
        let timeout = FunctionalEvent::CaseEnded {
            case: 0,
            passed: false,
            error: Some("longer than 5 s".into()),
            exit_code: 39,
            elapsed_us: 1,
            exports: Map::new(),
        };
        let results = run_of(vec![started(0), timeout], 1, RunEnd::Whole);
        assert_eq!(results.failure(), Some(("shop <1>: longer than 5 s", 39)));
        assert_eq!(run_of(vec![], 2, RunEnd::Interrupted).failure(), Some(("interrupted: 2 cases not run", 38)));
        assert_eq!(run_of(vec![], 1, RunEnd::Whole).failure(), Some(("1 case not run", 1)));
        let broken = run_of(vec![started(0)], 1, RunEnd::Broken);
        assert_eq!(broken.failure(), Some(("shop <1>: it was not brought to its end", 1)));
        assert_eq!(broken.cases[0].elapsed_us, 5_000);
        assert_eq!(run_of(vec![started(0), ended(0, 0)], 1, RunEnd::Broken).failure().unwrap().1, 1);
    }

    #[test]
    fn an_end_or_a_step_without_a_begin_counts_nothing() {
        let results = run_of(vec![ended(0, 0), step(failing("a", 1))], 1, RunEnd::Whole);
        assert_eq!(results.case_count(), Count::default());
    }

    #[test]
    fn bodies_are_cut_one_by_one_and_in_sum() {
        let mut budget_bytes = BODY_KEPT_BYTES + 10;
        let mut body = vec![b'a'; BODY_KEPT_BYTES + 7];
        assert_eq!((cut(&mut body, &mut budget_bytes), body.len(), budget_bytes), (7, BODY_KEPT_BYTES, 10));
        let mut body = vec![b'a'; 25];
        assert_eq!((cut(&mut body, &mut budget_bytes), body.len(), budget_bytes), (15, 10, 0));
    }

    #[test]
    fn without_files_only_numbers_are_kept() {
        let mut results = Results::new(vec![facts()], Keep::Counts, t0());
        results.take(started(0));
        results.take(step(failing("a", 1)));
        assert_eq!((results.cases[0].steps.len(), results.step_count().total), (0, 1));
    }
}
