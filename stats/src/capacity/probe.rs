//! One probe: what was found, and what it says of its level.

use serde::{Deserialize, Serialize};

use crate::collector::Model;
use crate::latency::Latency;
use crate::summary::{CpuCore, Summary, Threshold};
use crate::verdict::{Exhausted, Limit, Resource, Verdict, ACHIEVED_SHARE, SATURATED_SHARE};

/// Why a probe was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// No level has failed yet: on to the next.
    #[default]
    Growth,
    /// No level has held yet: further down.
    Descent,
    /// Between a level that held and one that failed.
    Bisection,
    /// Once more at a level where a probe failed or could not be judged.
    Repeat,
    /// A little below the level that was found, for longer.
    Confirmation,
}

/// What a probe says of its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Every threshold held, the rate was achieved, and the client did not distort the figures.
    Held,
    /// A threshold was broken, or the service did not keep up with the rate.
    #[default]
    Failed,
    /// The client was in the way, so nothing is known of the service at this level.
    ClientLimited,
    /// Nothing was broken, but a percentile has too few samples to be judged.
    Inconclusive,
}

/// A resource of the load generator that can be in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientResource {
    /// A core of the load was saturated.
    Cpu,
    /// Ephemeral ports ran out.
    Ports,
    /// File descriptors ran out.
    Descriptors,
    /// Memory ran out.
    Memory,
    /// All users that there may be were busy, so arrivals were missed.
    Users,
}

/// What a probe found. [`of`](Self::of) reads it off a run's summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeOutcome {
    /// Length of the load window, seconds.
    pub duration_s: f64,
    /// Whether the client's figures can be trusted.
    pub verdict: Verdict,
    /// What limited the throughput, as the verdict has it.
    pub limit: Limit,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// The thresholds and whether they held.
    pub thresholds: Vec<Threshold>,
    /// What was achieved of the load that was intended, 0 to 1; `null` in a closed probe, which intends no rate.
    pub achieved_share: Option<f64>,
    /// Iterations that succeeded, per second of the load window.
    pub iterations_per_s: f64,
    /// Requests finished, succeeded and failed, per second of the load window.
    pub requests_per_s: f64,
    /// Requests finished.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// Latency of the requests that succeeded: response time in an open probe, service time in a closed one.
    pub latency_us: Latency,
    /// Requests under way at once, on average: Little's law, requests/s x mean service time, failed ones with the time they took.
    pub in_flight_mean: Option<f64>,
    /// What there is to see of the client's own limits.
    pub client: ClientHints,
}

/// The client's own limits, as far as a probe came to see them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientHints {
    /// The busiest core's share of the time in which its thread ran or waited for the CPU, 0 to 1.
    pub core_occupied_share: Option<f64>,
    /// Most users busy at once, in an open probe.
    pub users_peak: Option<u64>,
    /// Users there may be, in an open probe.
    pub users_max: Option<u64>,
    /// What ran out.
    pub exhausted: Vec<ClientResource>,
}

/// What the summary of a probe does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProbeFacts<'a> {
    /// Of an open probe its arrivals.
    pub arrivals: Option<ProbeArrivals>,
    /// Iterations that succeeded, per second of the load window. `None` takes Little's figure of a closed run, and otherwise the
    /// rate of requests that succeeded, which is the same where an iteration is one request.
    pub iterations_per_s: Option<f64>,
    /// What ran out in the client.
    pub exhausted: &'a [Exhausted],
}

/// The arrivals of an open probe within its load window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeArrivals {
    /// Arrivals the schedule asked for.
    pub intended: u64,
    /// Arrivals that were made.
    pub made: u64,
    /// Iterations that ended, whatever their end. Only where the load had settled before the window began: then as many end in it
    /// as begin, and fewer say that work piles up, which a short probe does not show in any other way. `None` looks at arrivals alone.
    pub finished: Option<u64>,
    /// Most users busy at once.
    pub users_peak: u64,
    /// Users there may be.
    pub users_max: u64,
}

/// One probe of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Its place in the search, from 1.
    pub number: u64,
    /// Iterations/s, or users.
    pub level: f64,
    /// Why it was made.
    pub purpose: Purpose,
    /// It was asked to last longer than others.
    pub longer: bool,
    /// What it says of its level.
    pub grade: Grade,
    /// What was found.
    #[serde(flatten)]
    pub outcome: ProbeOutcome,
}

impl ProbeOutcome {
    /// What the run with this summary found.
    pub fn of(summary: &Summary, facts: ProbeFacts<'_>) -> Self {
        let (totals, client) = (&summary.totals, &summary.client);
        let in_flight_mean = in_flight(summary);
        let iterations_per_s = facts.iterations_per_s.or_else(|| {
            let little = client.little.as_ref().filter(|_| summary.run.model == Model::Closed);
            little.map(|little| little.iterations_per_s)
        });
        Self {
            duration_s: summary.run.load_s,
            verdict: client.verdict,
            limit: client.limit,
            reasons: client.reasons.clone(),
            thresholds: summary.thresholds.clone(),
            achieved_share: facts.arrivals.and_then(|arrivals| arrivals.achieved_share(in_flight_mean.unwrap_or(0.0))),
            iterations_per_s: iterations_per_s.unwrap_or(totals.rps * (1.0 - totals.failure_ratio)),
            requests_per_s: totals.rps,
            requests: totals.requests,
            failures: totals.failures,
            latency_us: match summary.run.model {
                Model::Closed => totals.service_us.clone(),
                Model::Open => totals.response_us.clone(),
            },
            in_flight_mean,
            client: ClientHints {
                core_occupied_share: client.cpu_cores.iter().filter_map(occupied).max_by(f64::total_cmp),
                users_peak: facts.arrivals.map(|arrivals| arrivals.users_peak),
                users_max: facts.arrivals.map(|arrivals| arrivals.users_max),
                exhausted: facts.exhausted.iter().map(|exhausted| exhausted.resource.into()).collect(),
            },
        }
    }

    /// What it says of its level: where the client distorted the figures, nothing, whatever the thresholds say.
    pub fn grade(&self) -> Grade {
        if self.verdict != Verdict::Valid {
            return Grade::ClientLimited;
        }
        if self.thresholds.iter().any(|threshold| !threshold.ok && threshold.samples_missing.is_none()) {
            return Grade::Failed;
        }
        if !self.achieved() {
            return if self.users_ran_out() { Grade::ClientLimited } else { Grade::Failed };
        }
        if self.thresholds.iter().any(|threshold| !threshold.ok) {
            return Grade::Inconclusive;
        }
        Grade::Held
    }

    /// The client's resource that was in the way, if it can be told.
    pub fn resource(&self) -> Option<ClientResource> {
        if let Some(&exhausted) = self.client.exhausted.first() {
            return Some(exhausted);
        }
        if self.client.core_occupied_share.is_some_and(|share| share > SATURATED_SHARE) {
            return Some(ClientResource::Cpu);
        }
        self.users_ran_out().then_some(ClientResource::Users)
    }

    /// The load was the one intended.
    pub fn achieved(&self) -> bool {
        self.achieved_share.is_none_or(|share| share >= ACHIEVED_SHARE)
    }

    /// All users were busy, and arrivals were missed for it.
    fn users_ran_out(&self) -> bool {
        let all_busy = self.client.users_max.is_some_and(|max| self.client.users_peak.is_some_and(|peak| peak >= max));
        all_busy && !self.achieved()
    }
}

impl ProbeArrivals {
    /// The lesser of arrivals made and iterations finished, as a share of those intended; `None` where none was intended.
    fn achieved_share(&self, in_flight_mean: f64) -> Option<f64> {
        if self.intended == 0 {
            return None;
        }
        let share = |count: f64| (count / self.intended as f64).min(1.0);
        // How many are in flight differs between the two ends of the window by chance: in a queue without memory by the root of
        // twice their mean, of which three are not exceeded.
        let by_chance = 1.0 + 3.0 * (2.0 * in_flight_mean).sqrt();
        let finished = self.finished.map_or(1.0, |finished| share(finished as f64 + by_chance));
        Some(share(self.made as f64).min(finished))
    }
}

/// Little's law on requests; `None` where nothing was finished.
fn in_flight(summary: &Summary) -> Option<f64> {
    let totals = &summary.totals;
    if totals.requests == 0 {
        return None;
    }
    let failed_us = totals.failed_us.mean.unwrap_or(0.0) * totals.failure_ratio;
    let service_us = totals.service_us.mean.unwrap_or(0.0) * (1.0 - totals.failure_ratio);
    Some(totals.rps * (failed_us + service_us) / 1e6)
}

/// Share of the time in which the core's thread ran or waited for its CPU.
fn occupied(core: &CpuCore) -> Option<f64> {
    core.share_busy.map(|busy| (busy + core.run_queue_share.unwrap_or(0.0)).min(1.0))
}

impl From<Resource> for ClientResource {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Ports => Self::Ports,
            Resource::Descriptors => Self::Descriptors,
            Resource::Memory => Self::Memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn threshold(expression: &str, ok: bool) -> Threshold {
        Threshold { expression: expression.into(), ok, value: Some(1.0), ..Threshold::default() }
    }

    /// A probe in which everything was as it should be.
    fn good() -> ProbeOutcome {
        ProbeOutcome { thresholds: vec![threshold("p99<50ms", true)], achieved_share: Some(1.0), ..Default::default() }
    }

    #[test]
    fn a_level_holds_where_all_three_conditions_do() {
        assert_eq!(good().grade(), Grade::Held);
        assert_eq!(ProbeOutcome { achieved_share: Some(0.99), ..good() }.grade(), Grade::Held);
        assert_eq!(ProbeOutcome { achieved_share: None, ..good() }.grade(), Grade::Held);
        assert_eq!(ProbeOutcome { achieved_share: Some(0.989), ..good() }.grade(), Grade::Failed);
        assert_eq!(ProbeOutcome { achieved_share: Some(f64::NAN), ..good() }.grade(), Grade::Failed);
        let broken = vec![threshold("errors<1%", true), threshold("p99<50ms", false)];
        assert_eq!(ProbeOutcome { thresholds: broken, ..good() }.grade(), Grade::Failed);
    }

    #[test]
    fn the_client_verdict_goes_before_everything() {
        for verdict in [Verdict::Degraded, Verdict::Invalid] {
            assert_eq!(ProbeOutcome { verdict, ..good() }.grade(), Grade::ClientLimited);
            let broken = vec![threshold("p99<50ms", false)];
            assert_eq!(ProbeOutcome { verdict, thresholds: broken, ..good() }.grade(), Grade::ClientLimited);
        }
    }

    #[test]
    fn too_few_samples_are_no_failure_but_what_is_broken_is() {
        let few = Threshold { samples_missing: Some(960), value: None, ..threshold("p99<50ms", false) };
        assert_eq!(ProbeOutcome { thresholds: vec![few.clone()], ..good() }.grade(), Grade::Inconclusive);
        let both = vec![few.clone(), threshold("errors<1%", false)];
        assert_eq!(ProbeOutcome { thresholds: both, ..good() }.grade(), Grade::Failed);
        let slow = ProbeOutcome { thresholds: vec![few], achieved_share: Some(0.5), ..good() };
        assert_eq!(slow.grade(), Grade::Failed);
    }

    #[test]
    fn missed_arrivals_are_the_clients_where_all_its_users_were_busy_and_latency_held() {
        let client = ClientHints { users_peak: Some(10), users_max: Some(10), ..ClientHints::default() };
        let busy = ProbeOutcome { achieved_share: Some(0.7), client, ..good() };
        assert_eq!((busy.grade(), busy.resource()), (Grade::ClientLimited, Some(ClientResource::Users)));
        let slow = ProbeOutcome { thresholds: vec![threshold("p99<50ms", false)], ..busy.clone() };
        assert_eq!(slow.grade(), Grade::Failed);
        // All of them busy without an arrival missed is a tight fit and no more.
        let tight = ProbeOutcome { achieved_share: Some(1.0), ..busy };
        assert_eq!((tight.grade(), tight.resource()), (Grade::Held, None));
    }

    #[test]
    fn what_ran_out_is_named_first() {
        let hot = ClientHints { core_occupied_share: Some(0.9), ..ClientHints::default() };
        let cpu = ProbeOutcome { client: hot.clone(), ..good() };
        assert_eq!(cpu.resource(), Some(ClientResource::Cpu));
        let ports = ClientHints { exhausted: vec![ClientResource::Ports], ..hot };
        assert_eq!(ProbeOutcome { client: ports, ..good() }.resource(), Some(ClientResource::Ports));
    }

    #[test]
    fn a_closed_summary() {
        let probe = ProbeOutcome::of(&sample::summary(), ProbeFacts::default());
        assert_eq!((probe.requests, probe.failures, probe.achieved_share), (30_000, 4, None));
        // Little's figure of the sample, and its busy and waiting share.
        assert!((probe.iterations_per_s - 1000.0).abs() < 1e-9 && (probe.requests_per_s - 2000.0).abs() < 1e-9);
        assert!((probe.client.core_occupied_share.unwrap() - 0.624).abs() < 1e-9);
        // 2,000/s x 8.1 ms.
        assert!((probe.in_flight_mean.unwrap() - 16.2).abs() < 0.01, "{:?}", probe.in_flight_mean);
        assert_eq!(probe.latency_us, sample::summary().totals.service_us);
        assert_eq!(probe.grade(), Grade::Held);
    }

    #[test]
    fn an_open_summary() {
        let mut summary = sample::summary();
        summary.run.model = Model::Open;
        summary.client.little = None;
        let arrivals =
            ProbeArrivals { intended: 30_000, made: 29_000, finished: None, users_peak: 20, users_max: 1_000 };
        let exhausted = [Exhausted { resource: Resource::Descriptors, detail: String::new() }];
        let probe = ProbeOutcome::of(
            &summary,
            ProbeFacts { arrivals: Some(arrivals), iterations_per_s: None, exhausted: &exhausted },
        );
        assert_eq!(probe.achieved_share, Some(29.0 / 30.0));
        assert!((probe.iterations_per_s - 2000.0 * 29_996.0 / 30_000.0).abs() < 1e-9);
        assert_eq!((probe.client.users_peak, probe.client.users_max), (Some(20), Some(1_000)));
        assert_eq!(probe.resource(), Some(ClientResource::Descriptors));
        assert_eq!(probe.latency_us, summary.totals.response_us);
    }

    #[test]
    fn work_that_piles_up_is_not_achieved() {
        let arrivals = |finished| ProbeArrivals { intended: 10_000, made: 10_000, finished, ..Default::default() };
        // 8 in flight on average: 1 + 3 x 4 = 13 more may be under way at the end than at the start.
        let share = |finished| arrivals(finished).achieved_share(8.0).unwrap();
        assert!((share(Some(9_987)) - 1.0).abs() < 1e-12 && (share(Some(9_487)) - 0.95).abs() < 1e-12);
        assert!((share(None) - 1.0).abs() < 1e-12);
        assert_eq!(ProbeArrivals::default().achieved_share(0.0), None);
    }

    #[test]
    fn a_run_in_which_nothing_finished_fails() {
        let summary = Summary { thresholds: vec![threshold("p99<50ms", false)], ..Summary::default() };
        let probe = ProbeOutcome::of(&summary, ProbeFacts::default());
        assert_eq!((probe.grade(), probe.in_flight_mean, probe.resource()), (Grade::Failed, None, None));
    }
}
