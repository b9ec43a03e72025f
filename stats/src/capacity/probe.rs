//! One probe: what was found, and what it says of its level.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::unanswered::Unanswered;
use crate::collector::Model;
use crate::latency::Latency;
use crate::row::TRANSACTION;
use crate::summary::{Arrivals, Summary, Threshold};
use crate::threshold::{Condition, Metric, Part};
use crate::verdict::{is_few, Limit, Resource, Verdict, ACHIEVED_SHARE, SATURATED_SHARE};

/// The transaction as which each iteration of a case is recorded (hrp spec 14.8).
const ACTION: &str = "Action";

/// A probe in which fewer fail says how long an iteration takes, and how many samples it makes.
pub(super) const FEW_FAILED: f64 = 0.1;

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
    /// All users that there may be were busy, so arrivals waited.
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
    /// The thresholds and whether they held. Requests without an answer count in them as failed, and as slower than all others.
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
    /// Requests that had no answer when they were cut off after the load, though they had long enough.
    pub unanswered: u64,
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
    /// The busiest core's share of the time in which its thread ran or waited for the CPU, 0 to 1: what the verdict looks at.
    pub core_occupied_share: Option<f64>,
    /// Most users busy at once, in an open probe.
    pub users_peak: Option<u64>,
    /// Users there may be, in an open probe.
    pub users_max: Option<u64>,
    /// An arrival waited for a user, or was missed.
    pub waited_for_users: bool,
    /// What ran out.
    pub exhausted: Vec<ClientResource>,
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
    /// What the run with this summary found. `settled` where the load had settled before its window began: then as many iterations
    /// end in it as begin, and fewer say that work piles up, which a short probe does not show in any other way. Requests under way
    /// at its end were cut off after `drained`.
    pub fn of(summary: &Summary, settled: bool, drained: Duration) -> Self {
        let (totals, client) = (&summary.totals, &summary.client);
        let arrivals = summary.arrivals.as_ref();
        let in_flight_mean = in_flight(summary);
        let unanswered = Unanswered::of(summary, drained);
        Self {
            duration_s: summary.run.load_s,
            verdict: client.verdict,
            limit: client.limit,
            reasons: client.reasons.clone(),
            thresholds: summary.thresholds.iter().map(|threshold| unanswered.judged(threshold)).collect(),
            achieved_share: arrivals.and_then(|arrivals| achieved_share(summary, arrivals, settled)),
            iterations_per_s: succeeded_per_s(summary),
            requests_per_s: totals.rps,
            requests: totals.requests,
            failures: totals.failures,
            unanswered: unanswered.count(),
            latency_us: match summary.run.model {
                Model::Closed => totals.service_us.clone(),
                Model::Open => totals.response_us.clone(),
            },
            in_flight_mean,
            client: ClientHints {
                core_occupied_share: client
                    .cpu_cores
                    .iter()
                    .filter_map(|core| core.share_occupied)
                    .max_by(f64::total_cmp),
                users_peak: arrivals.map(|arrivals| arrivals.users_peak),
                users_max: arrivals.map(|arrivals| arrivals.users_max),
                // Those that wait from the warm-up on to the end are missed.
                waited_for_users: arrivals.is_some_and(|arrivals| arrivals.waited_for_users || arrivals.missed > 0),
                exhausted: client.exhausted.clone(),
            },
        }
    }

    /// What it says of its level: where the client distorted the figures, nothing, whatever the thresholds say. Where users ran out,
    /// response times and the rate are the client's doing; errors and service times are the server's all the same.
    pub fn grade(&self) -> Grade {
        let mut broken =
            self.thresholds.iter().filter(|threshold| !threshold.ok && threshold.samples_missing.is_none());
        match self.verdict {
            Verdict::Valid => {}
            // Counts and throughput stand; what was measured in time does not.
            Verdict::Degraded if broken.clone().any(counts_alone) => return Grade::Failed,
            Verdict::Degraded | Verdict::Invalid => return Grade::ClientLimited,
        }
        if !self.users_ran_out() {
            if broken.next().is_some() || !self.achieved() {
                return Grade::Failed;
            }
        } else if broken.clone().any(|threshold| !counts_the_wait(threshold)) {
            return Grade::Failed;
        } else if broken.next().is_some() || !self.achieved() {
            return Grade::ClientLimited;
        }
        if self.thresholds.iter().any(|threshold| !threshold.ok) {
            return Grade::Inconclusive;
        }
        Grade::Held
    }

    /// Whether no request succeeded.
    pub(super) fn nothing_succeeded(&self) -> bool {
        self.failures >= self.requests
    }

    /// Requests that failed or had no answer, and all of them.
    pub fn failed_of_all(&self) -> (u64, u64) {
        (self.failures + self.unanswered, self.requests + self.unanswered)
    }

    /// Whether it says how long an iteration takes and how many samples it makes: it held, or at least hardly failed and kept up.
    pub(super) fn is_typical(&self) -> bool {
        let (failed, all) = self.failed_of_all();
        let few_failed = (failed as f64) < all as f64 * FEW_FAILED;
        self.grade() == Grade::Held || few_failed && self.achieved()
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

    /// All users were busy, and arrivals waited for one.
    pub(super) fn users_ran_out(&self) -> bool {
        let client = &self.client;
        client.waited_for_users && client.users_max.is_some_and(|max| client.users_peak.is_some_and(|peak| peak >= max))
    }
}

/// Whether a threshold looks at counts and at no time.
fn counts_alone(threshold: &Threshold) -> bool {
    let metric = threshold.expression.parse::<Condition>().map(|condition| condition.metric);
    matches!(metric, Ok(Metric::Errors))
}

/// Whether a threshold looks at a time that begins when the schedule intended it, the wait for a user included. That of a row
/// which turns out to be a transaction does not, and is taken for one that does.
fn counts_the_wait(threshold: &Threshold) -> bool {
    let metric = threshold.expression.parse::<Condition>().map(|condition| condition.metric);
    matches!(metric, Ok(Metric::Latency(None | Some(Part::Response), _)))
}

/// The lesser of arrivals made and, in a load that had settled, iterations finished, as a share of those intended; `None` where none
/// was intended.
fn achieved_share(summary: &Summary, arrivals: &Arrivals, settled: bool) -> Option<f64> {
    if arrivals.intended == 0 {
        return None;
    }
    let share = |count: f64| (count / arrivals.intended as f64).min(1.0);
    let made = if is_few(arrivals) { 1.0 } else { share(arrivals.made_of_intended() as f64) };
    if !settled {
        return Some(made);
    }
    // How many are under way differs between the two ends of the window by chance: in a queue without memory by the root of
    // twice their mean, of which three are not exceeded. Their mean is Little's: those that pause between two steps count too.
    let per_s = arrivals.intended as f64 / summary.run.load_s.max(f64::MIN_POSITIVE);
    let iterations = per_s * summary.iterations.mean_us.unwrap_or(0.0) / 1e6;
    let under_way = iterations.max(in_flight(summary).unwrap_or(0.0));
    let by_chance = 1.0 + 3.0 * (2.0 * under_way).sqrt();
    Some(made.min(share(summary.iterations.count as f64 + by_chance)))
}

/// Iterations that succeeded, per second of the load window: of cases as they are recorded, of a URL those of its requests.
pub fn succeeded_per_s(summary: &Summary) -> f64 {
    if summary.totals.requests == 0 {
        return 0.0;
    }
    let whole = summary.transactions.iter().filter(|row| row.label == TRANSACTION && row.name == ACTION);
    let (passed, all) = whole.fold((0, 0), |(passed, all), row| (passed + row.passed, all + row.passed + row.failed));
    let share = if all > 0 { passed as f64 / all as f64 } else { 1.0 - summary.totals.failure_ratio };
    summary.iterations.per_s * share
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

    /// In a summary with none abandoned it does not matter.
    const DRAINED: Duration = Duration::from_secs(5);

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

    /// A probe whose ten users were all busy while arrivals waited, so that only so much was achieved.
    fn without_users(achieved_share: f64) -> ProbeOutcome {
        let client =
            ClientHints { users_peak: Some(10), users_max: Some(10), waited_for_users: true, ..ClientHints::default() };
        ProbeOutcome { achieved_share: Some(achieved_share), client, ..good() }
    }

    #[test]
    fn users_that_ran_out_are_the_clients_doing() {
        let busy = without_users(0.7);
        assert_eq!((busy.grade(), busy.resource()), (Grade::ClientLimited, Some(ClientResource::Users)));
        // Response time counts the wait for a user, as a percentile without a name does in an open probe.
        for expression in ["p99<50ms", "response.p99<50ms", "login:mean<1s"] {
            let slow = ProbeOutcome { thresholds: vec![threshold(expression, false)], ..without_users(1.0) };
            assert_eq!(slow.grade(), Grade::ClientLimited, "{expression}");
        }
        // Nothing that was asked for is broken.
        assert_eq!(without_users(1.0).grade(), Grade::Held);
    }

    #[test]
    fn errors_and_service_times_are_the_servers_though_users_ran_out() {
        for expression in ["errors<1%", "service.p99<50ms", "login:service.max<1s"] {
            let broken = vec![threshold("p99<50ms", false), threshold(expression, false)];
            let slow = ProbeOutcome { thresholds: broken, ..without_users(0.7) };
            assert_eq!(slow.grade(), Grade::Failed, "{expression}");
        }
    }

    #[test]
    fn all_users_busy_without_an_arrival_that_waited_are_a_tight_fit() {
        let mut tight = without_users(0.7);
        tight.client.waited_for_users = false;
        assert_eq!((tight.grade(), tight.resource()), (Grade::Failed, None));
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
        let probe = ProbeOutcome::of(&sample::summary(), true, DRAINED);
        assert_eq!((probe.requests, probe.failures, probe.achieved_share), (30_000, 4, None));
        assert!((probe.requests_per_s - 2000.0).abs() < 1e-9);
        assert!((probe.client.core_occupied_share.unwrap() - 0.624).abs() < 1e-9);
        // 2,000/s x 8.1 ms.
        assert!((probe.in_flight_mean.unwrap() - 16.2).abs() < 0.01, "{:?}", probe.in_flight_mean);
        assert_eq!(probe.latency_us, sample::summary().totals.service_us);
        assert_eq!(probe.grade(), Grade::Held);
    }

    /// 15 s with so many arrivals, all of them made, and iterations finished.
    fn open(intended: u64, finished: u64, iteration_us: f64) -> Summary {
        let mut summary = sample::summary();
        summary.run.model = Model::Open;
        summary.arrivals = Some(Arrivals { intended, made: intended, users_max: 1_000, ..Arrivals::default() });
        summary.iterations.count = finished;
        summary.iterations.mean_us = Some(iteration_us);
        summary
    }

    #[test]
    fn an_open_summary() {
        let mut summary = open(30_000, 30_000, 8_100.0);
        let arrivals = summary.arrivals.as_mut().unwrap();
        (arrivals.made, arrivals.users_peak, arrivals.waited_for_users) = (29_000, 1_000, true);
        summary.client.exhausted = vec![ClientResource::Descriptors];
        let probe = ProbeOutcome::of(&summary, true, DRAINED);
        assert_eq!(probe.achieved_share, Some(29.0 / 30.0));
        assert_eq!((probe.client.users_peak, probe.client.users_max), (Some(1_000), Some(1_000)));
        assert!(probe.users_ran_out());
        assert_eq!(probe.resource(), Some(ClientResource::Descriptors));
        assert_eq!(probe.latency_us, summary.totals.response_us);
    }

    #[test]
    fn arrivals_that_waited_to_the_end_waited_for_users() {
        let mut summary = open(30_000, 29_000, 8_100.0);
        let arrivals = summary.arrivals.as_mut().unwrap();
        (arrivals.users_peak, arrivals.missed) = (1_000, 1_000);
        assert!(ProbeOutcome::of(&summary, true, DRAINED).users_ran_out());
        summary.arrivals.as_mut().unwrap().missed = 0;
        assert!(!ProbeOutcome::of(&summary, true, DRAINED).users_ran_out());
    }

    #[test]
    fn iterations_that_succeeded() {
        let mut summary = sample::summary();
        summary.transactions.clear();
        (summary.iterations.per_s, summary.totals.failure_ratio) = (1_000.0, 0.25);
        assert!((succeeded_per_s(&summary) - 750.0).abs() < 1e-9);
        // Of a case nine in ten, whatever its requests did.
        let row = |name: &str, passed, failed| crate::summary::Transaction {
            label: TRANSACTION.into(),
            name: name.into(),
            passed,
            failed,
            ..Default::default()
        };
        summary.transactions = vec![row(ACTION, 90, 10), row("other", 0, 100)];
        assert!((succeeded_per_s(&summary) - 900.0).abs() < 1e-9);
        summary.totals.requests = 0;
        assert!(succeeded_per_s(&summary).abs() < 1e-9);
    }

    #[test]
    fn an_arrival_missing_of_a_slow_probe_is_no_failure() {
        // Of 50 one, as for the verdict; of 50 four are missed.
        for (made, share, grade) in [(49, 1.0, Grade::Held), (46, 0.92, Grade::Failed)] {
            let mut summary = open(50, 50, 8_100.0);
            let arrivals = summary.arrivals.as_mut().unwrap();
            (arrivals.made, arrivals.missed) = (made, 50 - made);
            let probe = ProbeOutcome::of(&summary, true, DRAINED);
            assert_eq!((probe.achieved_share, probe.grade()), (Some(share), grade), "{made}");
        }
    }

    #[test]
    fn a_core_is_as_occupied_as_the_verdict_has_it() {
        let mut summary = sample::summary();
        let core = &mut summary.client.cpu_cores[0];
        // Both were high in the same quarter of the seconds.
        (core.share_busy, core.run_queue_share, core.share_occupied) = (Some(0.5), Some(0.12), Some(0.95));
        let probe = ProbeOutcome::of(&summary, true, DRAINED);
        assert_eq!((probe.client.core_occupied_share, probe.resource()), (Some(0.95), Some(ClientResource::Cpu)));
    }

    #[test]
    fn work_that_piles_up_is_not_achieved() {
        // 2,000/s x 16.2 ms are 32.4 under way; the root of 64.8 is 8.05, so 25.1 more may be at the end than at the start.
        let share =
            |finished| ProbeOutcome::of(&open(30_000, finished, 16_200.0), true, DRAINED).achieved_share.unwrap();
        assert!((share(29_975) - 1.0).abs() < 1e-12, "{}", share(29_975));
        assert!((share(28_475) - 28_500.149_25 / 30_000.0).abs() < 1e-6, "{}", share(28_475));
        // In a load that has not settled fewer end than begin.
        let unsettled = ProbeOutcome::of(&open(30_000, 10_000, 16_200.0), false, DRAINED);
        assert_eq!((unsettled.achieved_share, unsettled.grade()), (Some(1.0), Grade::Held));
    }

    #[test]
    fn iterations_that_pause_are_under_way_too() {
        // 10/s for 15 s with 2.5 s of think time are 25 under way: the root of 50 is 7.07, and 22.2 may be missing by chance.
        let share =
            |finished| ProbeOutcome::of(&open(150, finished, 2_500_000.0), true, DRAINED).achieved_share.unwrap();
        assert!((share(128) - 1.0).abs() < 1e-12 && share(127) < 1.0, "{} {}", share(128), share(127));
    }

    #[test]
    fn a_run_in_which_nothing_finished_fails() {
        let summary = Summary { thresholds: vec![threshold("p99<50ms", false)], ..Summary::default() };
        let probe = ProbeOutcome::of(&summary, true, DRAINED);
        assert_eq!((probe.grade(), probe.in_flight_mean, probe.resource()), (Grade::Failed, None, None));
        assert!(probe.nothing_succeeded() && !probe.is_typical());
    }

    #[test]
    fn a_probe_is_typical_if_it_held_or_hardly_failed() {
        let of = |failures, achieved_share, ok| ProbeOutcome {
            requests: 1_000,
            failures,
            achieved_share: Some(achieved_share),
            thresholds: vec![threshold("errors<50%", ok)],
            ..good()
        };
        let typical = [of(400, 1.0, true), of(99, 1.0, false), of(100, 1.0, false), of(0, 0.5, false)];
        assert_eq!(typical.map(|probe| probe.is_typical()), [true, true, false, false]);
        assert!(of(1_000, 1.0, false).nothing_succeeded());
    }
}
