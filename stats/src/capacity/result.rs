//! What a search found, as `--json` writes it: schema `pummel.capacity/1`.
//!
//! Levels are iterations per second or users, as [`CapacityResult::level_unit`] says. Like the summary's, the schema only ever gains
//! fields.

use serde::{Deserialize, Serialize};

use super::probe::{ClientResource, Grade, Probe};
use super::spec::{By, SearchSpec};
use super::usl::{self, UslFit};
use crate::display::units::{latency, rate};
use crate::summary::{Host, Threshold};
use crate::threshold::{with_separators, Unit};
use crate::verdict::{Limit, Verdict};

/// The schema's name and version, the value of [`CapacityResult::schema`].
pub const SCHEMA: &str = "pummel.capacity/1";

/// What ended a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The interval is as narrow as was asked for, and the answer is confirmed.
    Converged,
    /// The highest level to try held, and is confirmed.
    HighestReached,
    /// The lowest level to try failed.
    NothingHeld,
    /// No iteration succeeded in the estimate.
    NothingSucceeded,
    /// No iteration ended in the estimate, not in the longest either, and none failed; by users, no request of the first probe.
    NothingEnded,
    /// A probe had too few samples to be judged, however long it was made.
    TooFewSamples,
    /// As many probes were made as may be.
    ProbesUsedUp,
    /// The time was used up.
    Time,
    /// A run could not be started, or broke down; a note says why.
    RunFailed,
    /// Somebody interrupted it.
    #[default]
    Interrupted,
}

/// What was searched, when and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchRun {
    /// What was loaded: the case's name, or the URL.
    pub name: String,
    /// When the first run began, RFC 3339 in UTC.
    pub started_at: String,
    /// How long the whole search took, seconds.
    pub duration_s: f64,
    /// Version of the program.
    pub version: String,
    /// The machine the load came from.
    pub host: Host,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CapacityResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was searched, when and where.
    pub run: SearchRun,
    /// What was varied.
    pub by: By,
    /// What levels are counted in: `per_s` or `users`.
    pub level_unit: String,
    /// What a level had to hold, each in its shortest form.
    pub thresholds: Vec<String>,
    /// How far the two ends of the interval may lie apart, as a share.
    pub precision: f64,
    /// The answer: the highest level that held, below every one that failed. `null` where there is none.
    pub held: Option<f64>,
    /// The other end of the interval: the lowest level that failed. `null` where none did.
    pub failed: Option<f64>,
    /// Where and how long the answer was confirmed; `null` where it was not.
    pub confirmed: Option<Confirmed>,
    /// What made the level `failed` fail.
    pub limit: CapacityLimit,
    /// What ended the search.
    pub ended_by: EndedBy,
    /// Iterations per second in the estimate; `null` where there was none.
    pub estimate_per_s: Option<f64>,
    /// Number of probes made.
    pub probe_count: u64,
    /// All of them, in order.
    pub probes: Vec<Probe>,
    /// The last probe of each level, by level.
    pub curve: Vec<CurvePoint>,
    /// The Universal Scalability Law through the curve.
    pub usl: UslFit,
    /// What else is to be known, in sentences.
    pub notes: Vec<String>,
}

/// The last probe of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    /// Its level, a little below the answer.
    pub level: f64,
    /// How long it lasted, seconds.
    pub duration_s: f64,
}

/// What made the lowest level that failed do so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CapacityLimit {
    /// The server where every probe of the level failed with a client that was well, the client where it was in the way of every
    /// one, and otherwise unclear.
    pub side: Limit,
    /// Of the client, what was in the way; `null` where that is not known, or it was not the client.
    pub resource: Option<ClientResource>,
    /// Why the last probe of the level did not hold, in sentences.
    pub reasons: Vec<String>,
}

/// One level of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurvePoint {
    /// Iterations/s, or users.
    pub level: f64,
    /// Iterations that succeeded, per second.
    pub achieved_per_s: f64,
    /// Median latency.
    pub p50_us: Option<u64>,
    /// 95th percentile.
    pub p95_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
    /// Requests that failed or had no answer, as a share of those that did and those that finished, 0 to 1.
    pub failure_ratio: f64,
    /// What the probe said of the level.
    pub grade: Grade,
    /// How many probes were made there.
    pub probes: u64,
}

impl CapacityResult {
    /// What follows from the probes alone.
    pub(super) fn of_probes(spec: &SearchSpec, probes: Vec<Probe>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            by: spec.by,
            level_unit: match spec.by {
                By::Rate => "per_s",
                By::Users => "users",
            }
            .to_owned(),
            thresholds: spec.thresholds.iter().map(ToString::to_string).collect(),
            precision: spec.precision,
            probe_count: probes.len() as u64,
            curve: curve(&probes),
            usl: usl::fit_probes(spec.by, &probes),
            probes,
            ..Self::default()
        }
    }

    /// The answer is only a lower bound, because the client may have been what failed above it.
    pub fn is_lower_bound(&self) -> bool {
        self.held.is_some() && (self.failed.is_none() || self.limit.side != Limit::Server)
    }
}

impl CapacityLimit {
    /// What made a level fail, of its probes.
    pub(super) fn of_failed(probes: &[Probe]) -> Self {
        let Some(last) = probes.last() else { return Self::default() };
        // One that had too few samples was repeated for longer, and decided nothing.
        let grades = probes.iter().map(|probe| probe.grade).filter(|&grade| grade != Grade::Inconclusive);
        let grades: Vec<Grade> = grades.collect();
        let all = |grade| !grades.is_empty() && grades.iter().all(|&one| one == grade);
        let (side, resource) = if all(Grade::ClientLimited) {
            (Limit::Client, probes.iter().rev().find_map(|probe| probe.outcome.resource()))
        } else if all(Grade::Failed) {
            (Limit::Server, None)
        } else {
            (Limit::Unclear, None)
        };
        Self { side, resource, reasons: why_not_held(last) }
    }
}

fn why_not_held(probe: &Probe) -> Vec<String> {
    let outcome = &probe.outcome;
    if outcome.verdict != Verdict::Valid && !outcome.reasons.is_empty() {
        return outcome.reasons.clone();
    }
    let broken = outcome.thresholds.iter().filter(|threshold| !threshold.ok);
    let mut reasons: Vec<String> = broken.map(how_it_was).collect();
    if outcome.unanswered > 0 {
        let (unanswered, all) = (with_separators(outcome.unanswered), with_separators(outcome.failed_of_all().1));
        reasons.push(format!("{unanswered} of {all} requests had no answer, and count as failed"));
    }
    if let Some(share) = outcome.achieved_share.filter(|_| !outcome.achieved()) {
        reasons.push(format!("only {:.1} % of the rate was achieved", share * 100.0));
    }
    if let Some(users_max) = outcome.client.users_max.filter(|_| outcome.users_ran_out()) {
        reasons.push(format!("all {} users were busy, and arrivals waited for one", with_separators(users_max)));
    }
    reasons
}

fn how_it_was(broken: &Threshold) -> String {
    let figure = match (&broken.reason, broken.value) {
        (Some(reason), _) => reason.clone(),
        (None, None) => return format!("{} did not hold", broken.expression),
        (None, Some(value)) => match broken.unit {
            Unit::Us => latency(value),
            Unit::Ratio => format!("{:.2} %", value * 100.0),
            Unit::PerSecond => format!("{}/s", rate(value)),
            Unit::Count => format!("{value:.0}"),
        },
    };
    format!("{} did not hold: {figure}", broken.expression)
}

fn curve(probes: &[Probe]) -> Vec<CurvePoint> {
    let mut curve: Vec<CurvePoint> = Vec::new();
    for probe in probes {
        let outcome = &probe.outcome;
        let (failed, all) = outcome.failed_of_all();
        let mut point = CurvePoint {
            level: probe.level,
            achieved_per_s: outcome.iterations_per_s,
            p50_us: outcome.latency_us.p50,
            p95_us: outcome.latency_us.p95,
            p99_us: outcome.latency_us.p99,
            failure_ratio: if all == 0 { 0.0 } else { failed as f64 / all as f64 },
            grade: probe.grade,
            probes: 1,
        };
        match curve.binary_search_by(|there| there.level.total_cmp(&probe.level)) {
            Ok(at) => {
                point.probes += curve[at].probes;
                curve[at] = point;
            }
            Err(at) => curve.insert(at, point),
        }
    }
    curve
}
