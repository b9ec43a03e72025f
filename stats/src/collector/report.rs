//! The summary, made from what was added up.

use crate::backlog::Backlog;
use crate::clock::rfc3339_utc;
use crate::endpoint::EndpointKind;
use crate::interval::{CoreCounts, UserTime};
use crate::latency::Latency;
use crate::phases::RequestCells;
use crate::row::{ExchangeCounts, RowKind};
use crate::summary::{
    Arrivals, Client, Connections, Conservation, Iterations, Little, Memory, Phases, Plugin, Run, SeriesPoint, Step,
    StepPhases, Summary, Threshold, Tls, Totals, Transaction, SCHEMA,
};
use crate::threshold::{Standing, Unknown};
use crate::verdict::{judge, Facts};

use super::thread::StatsThread;
use super::totals::{RowSum, Totals as PartTotals};
use super::window::Window;
use super::{plugins, thresholds, warmup, FinalFacts, Model};

/// Iterations each user must have finished on average before Little's law is judged. The iteration a user is in at the
/// stop does not count; with 20 finished ones it is 2.5 % on average, half of what the law may be off by.
const ITERATIONS_PER_USER: u64 = 20;

/// Little's law is not judged above this share of requests that could not be sent. After an iteration in which nothing
/// went out a user pauses for a moment, which belongs to no iteration and would break the law by itself.
const UNSENT_SHARE: f64 = 0.01;

/// Builds the summary of a run that is over.
pub(super) fn summary(stats: &mut StatsThread, facts: &FinalFacts) -> Summary {
    let errors = stats.totals.errors().to_vec();
    let (failure_samples, failure_samples_left_out) = stats.totals.samples.finish();
    let warmup = warmup::summary(stats);
    let (load_s, whole_load_s) = (stats.window.load_s(), stats.window.whole_load_s());
    let plugin = plugins::summary(stats, facts);
    Summary {
        schema: SCHEMA.to_owned(),
        run: run(stats, facts),
        plan: stats.run.plan.clone(),
        totals: totals(stats, load_s),
        iterations: iterations(stats, load_s),
        arrivals: arrivals(stats, facts, load_s),
        latency_distribution: match stats.model {
            Model::Closed => stats.totals.service.to_distribution(),
            Model::Open => stats.totals.response.to_distribution(),
        },
        steps: stats.totals.of_kind(RowKind::Request).map(|row| step(row, load_s)).collect(),
        setup: stats.totals.of_kind(RowKind::Setup).map(|row| step(row, whole_load_s)).collect(),
        transactions: stats.totals.of_kind(RowKind::Transaction).map(|row| transaction(row, load_s)).collect(),
        errors,
        warmup,
        failure_samples,
        failure_samples_left_out,
        addresses: stats.whole.endpoints.of_kind(EndpointKind::Address),
        sources: stats.whole.endpoints.of_kind(EndpointKind::Source),
        series: stats.timeline.series().to_vec(),
        client: client(stats, facts, plugin.as_ref(), arrivals(stats, facts, load_s).as_ref()),
        phases: phases(stats),
        tls: tls(stats, facts, load_s),
        plugin,
        conservation: conservation(stats),
        thresholds: thresholds(stats, load_s),
    }
}

fn run(stats: &StatsThread, facts: &FinalFacts) -> Run {
    let run = &stats.run;
    Run {
        id: run.id.clone(),
        name: run.name.clone(),
        command: run.command.clone(),
        model: stats.model,
        started_at: rfc3339_utc(stats.started_at),
        duration_s: stats.window.duration_s(),
        load_s: stats.window.load_s(),
        warmup_s: stats.window.warmup_s(),
        version: run.version.clone(),
        aborted: facts.aborted,
        stopped_for: stats.thresholds.stopped_for().map(str::to_owned),
        changes: facts.changes.clone(),
        host: run.host.clone(),
    }
}

fn thresholds(stats: &StatsThread, load_s: f64) -> Vec<Threshold> {
    let last_s = stats.timeline.series().iter().rev().find(|point| !point.drain).map_or(0, |point| point.t_s);
    if stats.window.ended_in_warmup() {
        return stats.thresholds.results(last_s, |_| Standing::Unknown(Unknown::NothingMeasured));
    }
    stats.thresholds.results(last_s, |condition| thresholds::standing(&stats.totals, condition, load_s))
}

pub(super) fn per_second(count: u64, load_s: f64) -> f64 {
    if load_s > 0.0 {
        count as f64 / load_s
    } else {
        0.0
    }
}

fn totals(stats: &StatsThread, load_s: f64) -> Totals {
    let (totals, counts) = (&stats.totals, &stats.totals.counts);
    let requests = counts.succeeded + counts.failed;
    let in_window = totals.of_kind(RowKind::Request).map(|row| row.in_window).sum();
    Totals {
        requests,
        failures: counts.failed,
        failure_ratio: if requests == 0 { 0.0 } else { counts.failed as f64 / requests as f64 },
        rps: per_second(in_window, load_s),
        bytes_received: counts.bytes_received,
        bytes_sent: totals.of_kind(RowKind::Request).map(|row| row.bytes_sent).sum(),
        bytes_decoded: totals.of_kind(RowKind::Request).map(|row| row.bytes_decoded).sum(),
        exchanges: all_exchanges(totals),
        service_us: Latency::from(&totals.service),
        response_us: Latency::from(&totals.response),
        failed_us: Latency::from(&totals.failed_us),
    }
}

fn iterations(stats: &StatsThread, load_s: f64) -> Iterations {
    let iterations = &stats.totals.user_time.iterations;
    let count = iterations.count();
    Iterations { count, per_s: per_second(count, load_s), mean_us: iterations.mean() }
}

fn arrivals(stats: &StatsThread, facts: &FinalFacts, load_s: f64) -> Option<Arrivals> {
    let (users_max, counts) = (facts.users_max?, &stats.totals.counts);
    Some(Arrivals {
        intended: counts.arrivals_intended,
        carried: carried(stats),
        made: counts.arrivals_made,
        missed: counts.arrivals_missed,
        per_s: per_second(counts.arrivals_made, load_s),
        users_peak: stats.totals.users_peak(),
        users_max,
        waited_for_users: stats.totals.waited_for_users,
        waited: counts.arrivals_waited,
    })
}

/// Arrivals that were due in the warm-up and still to be made at its end.
fn carried(stats: &StatsThread) -> u64 {
    stats.warmup.as_deref().map_or(0, |warmup| warmup.counts.arrivals_waiting())
}

/// How the iterations of an open run went through what was measured of it.
fn backlog(stats: &StatsThread, arrivals: &Arrivals) -> Backlog {
    let (totals, warmup) = (&stats.totals, stats.warmup.as_deref());
    let iterations = &totals.user_time.iterations;
    let in_window: u64 = totals.of_kind(RowKind::Request).map(|row| row.in_window).sum();
    let ended_after_it = (totals.counts.succeeded + totals.counts.failed).saturating_sub(in_window);
    let under_way = |part: &PartTotals| part.counts.arrivals_made.saturating_sub(part.user_time.iterations.count());
    let seconds = stats.timeline.series().iter().filter(|point| !point.warmup && !point.drain);
    Backlog {
        made: arrivals.made,
        ended: iterations.count(),
        mean_us: iterations.mean(),
        at_start: warmup.map_or(0, under_way),
        requests_at_stop: ended_after_it + totals.counts.abandoned,
        // The last second is hardly ever a whole one.
        peak_per_s: seconds.map(|point| point.arrivals as f64).fold(arrivals.per_s, f64::max),
    }
}

/// Those of the load.
pub(super) fn all_exchanges(totals: &PartTotals) -> ExchangeCounts {
    let mut all = ExchangeCounts::default();
    for row in totals.of_kind(RowKind::Request) {
        all.merge(&row.exchanges);
    }
    all
}

pub(super) fn step(row: &RowSum, load_s: f64) -> Step {
    Step {
        case: row.key.case.to_string(),
        label: row.key.label.to_string(),
        name: row.key.name.to_string(),
        requests: row.succeeded + row.failed,
        failures: row.failed,
        abandoned: row.abandoned,
        rps: per_second(row.in_window, load_s),
        bytes_received: row.bytes_received,
        bytes_sent: row.bytes_sent,
        bytes_decoded: row.bytes_decoded,
        exchanges: row.exchanges,
        service_us: Latency::from(&row.service),
        response_us: Latency::from(&row.response),
        failed_us: Latency::from(&row.failed_us),
        phases: row.phases.as_ref().map(|phases| phases.summed_up()),
        plugin_us: row.plugin.as_deref().map(Latency::from),
    }
}

pub(super) fn transaction(row: &RowSum, load_s: f64) -> Transaction {
    Transaction {
        case: row.key.case.to_string(),
        label: row.key.label.to_string(),
        name: row.key.name.to_string(),
        passed: row.succeeded,
        failed: row.failed,
        rps: per_second(row.in_window, load_s),
        duration_us: Latency::from(&row.duration),
    }
}

fn client(stats: &StatsThread, facts: &FinalFacts, plugin: Option<&Plugin>, arrivals: Option<&Arrivals>) -> Client {
    let counts = &stats.whole.counts;
    let (lateness_us, service_us) = (Latency::from(&stats.totals.lateness), Latency::from(&stats.totals.service));
    let (cpu_cores, occupied) = stats.sampler.cores();
    let system = stats.sampler.system();
    let little = pauses_are_few(stats.totals.counts.started, all_exchanges(&stats.totals).unsent)
        .and_then(|()| little(stats.model, &stats.totals.user_time, &stats.window));
    let judgement = judge(&Facts {
        model: stats.model,
        paced: facts.paced,
        cores: &cpu_cores,
        occupied: &occupied,
        lateness: &lateness_us,
        service: &service_us,
        load_s: stats.window.load_s(),
        little: little.clone(),
        open: arrivals,
        backlog: arrivals.map(|arrivals| backlog(stats, arrivals)),
        exhausted: &facts.exhausted,
        broken_cores: &facts.broken_cores,
        plugin,
        system: &system,
    });
    let mut notes = judgement.notes;
    if stats.window.ended_in_warmup() {
        notes.insert(0, "nothing was measured: the run ended within its warm-up".to_owned());
    }
    notes.extend(stats.sampler.notes());
    let (resident_bytes, resident_peak_bytes) = stats.sampler.resident_bytes();
    Client {
        verdict: judgement.verdict,
        limit: judgement.limit,
        reasons: judgement.reasons,
        notes,
        exhausted: facts.exhausted.iter().map(|exhausted| exhausted.resource.into()).collect(),
        cpu_cores,
        connections: Connections {
            opened: counts.connections_opened,
            closed: counts.connections_closed,
            peak: stats.whole.connections_peak(),
            reused: counts.connections_reused,
            stale: counts.connections_stale,
            errors: counts.connection_errors,
        },
        lateness_us,
        little: little.ok(),
        system,
        memory: Memory { histograms_bytes: stats.held_bytes(), resident_bytes, resident_peak_bytes },
    }
}

fn phases(stats: &StatsThread) -> Phases {
    let connections = &stats.whole.connections;
    let requests = stats.totals.phases.as_deref().map(RequestCells::summed_up);
    let (send_us, wait_us, receive_us) = match requests {
        Some(StepPhases { send_us, wait_us, receive_us }) => (Some(send_us), Some(wait_us), Some(receive_us)),
        None => (None, None, None),
    };
    Phases {
        dns_us: Latency::from(&connections.dns),
        connect_us: Latency::from(&connections.connect),
        tls_us: Latency::from(&connections.tls),
        send_us,
        wait_us,
        receive_us,
    }
}

fn tls(stats: &StatsThread, facts: &FinalFacts, load_s: f64) -> Option<Tls> {
    let counts = &stats.whole.counts;
    (counts.handshakes > 0).then(|| Tls {
        handshakes: counts.handshakes,
        resumed: counts.handshakes_resumed,
        handshakes_per_s: per_second(stats.totals.handshakes_in_window, load_s),
        unverified: facts.unverified,
    })
}

/// Whether users spent their time in iterations, as Little's law takes it; if not, why.
fn pauses_are_few(started: u64, unsent: u64) -> Result<(), String> {
    if unsent as f64 <= started as f64 * UNSENT_SHARE {
        return Ok(());
    }
    Err(format!("{unsent} of {started} requests could not be sent, and users pause after those"))
}

/// The figures of Little's law over the load window, or why there is nothing to judge.
fn little(model: Model, time: &UserTime, window: &Window) -> Result<Little, String> {
    if model == Model::Open {
        return Err("an open run has no fixed number of users".to_owned());
    }
    let (load_s, iterations) = (window.load_s(), time.iterations.count());
    let Some(mean_us) = time.iterations.mean().filter(|_| load_s > 0.0 && time.at_work_ns() > 0) else {
        return Err("no iteration ran to its end".to_owned());
    };
    if iterations < time.users * ITERATIONS_PER_USER {
        return Err(format!(
            "{ITERATIONS_PER_USER} iterations of each user are needed, and {} made {iterations} in all",
            if time.users == 1 { "1 user".to_owned() } else { format!("{} users", time.users) },
        ));
    }
    let users = time.at_work_ns() as f64 / 1e9 / load_s;
    let iterations_per_s = iterations as f64 / load_s;
    let ratio = iterations_per_s * mean_us / 1e6 / users;
    Ok(Little { users, iterations_per_s, iteration_mean_us: mean_us, ratio })
}

/// Checks the whole run: a request may begin in the warm-up and end after it.
fn conservation(stats: &StatsThread) -> Conservation {
    let counts = &stats.whole.counts;
    let mut broken = Vec::new();
    let mut equal = |what: &str, left: u64, right: u64| {
        if left != right {
            broken.push(format!("{what}: {left} against {right}"));
        }
    };
    let requests = counts.succeeded + counts.failed;
    equal("started against succeeded + failed + abandoned", counts.started, requests + counts.abandoned);

    let rows = |figure: fn(&RowSum) -> u64| -> u64 {
        stats.parts().flat_map(|part| part.of_kind(RowKind::Request)).map(figure).sum()
    };
    equal("succeeded against the sum over rows", counts.succeeded, rows(|row| row.succeeded));
    equal("failed against the sum over rows", counts.failed, rows(|row| row.failed));
    equal("abandoned against the sum over rows", counts.abandoned - counts.lost, rows(|row| row.abandoned));
    equal("bytes received against the sum over rows", counts.bytes_received, rows(|row| row.bytes_received));
    equal("succeeded against the service histograms", counts.succeeded, rows(|row| row.service.bucketed()));
    equal("succeeded against the response histograms", counts.succeeded, rows(|row| row.response.bucketed()));
    equal("failed against the histograms of failures", counts.failed, rows(|row| row.failed_us.bucketed()));
    let connections = &stats.whole.connections;
    let opened = connections.connect.bucketed();
    equal("connections opened against their histogram", counts.connections_opened, opened);
    equal("TLS handshakes against their histogram", counts.handshakes, connections.tls.bucketed());

    let calls = stats.parts().map(|part| part.plugins.bucketed()).sum();
    equal("calls of plugins against their histogram", counts.plugin_calls, calls);

    equal(
        "arrivals intended against made + missed",
        counts.arrivals_intended,
        counts.arrivals_made + counts.arrivals_missed,
    );

    let seconds = |figure: fn(&SeriesPoint) -> u64| stats.timeline.series().iter().map(figure).sum::<u64>();
    equal("requests against the sum over seconds", requests, seconds(|point| point.requests));
    equal("failures against the sum over seconds", counts.failed, seconds(|point| point.failures));
    equal("bytes received against the sum over seconds", counts.bytes_received, seconds(|point| point.bytes_received));
    equal("TLS handshakes against the sum over seconds", counts.handshakes, seconds(|point| point.handshakes));
    equal("calls of plugins against the sum over seconds", counts.plugin_calls, seconds(|point| point.plugin_calls));
    equal("arrivals made against the sum over seconds", counts.arrivals_made, seconds(|point| point.arrivals));
    equal(
        "arrivals missed against the sum over seconds",
        counts.arrivals_missed,
        seconds(|point| point.arrivals_missed),
    );

    let mut exchanges = ExchangeCounts::default();
    stats.parts().for_each(|part| exchanges.merge(&all_exchanges(part)));
    let exchanges = exchanges_hold(counts, &exchanges, &mut broken);
    Conservation {
        started: counts.started,
        succeeded: counts.succeeded,
        failed: counts.failed,
        abandoned: counts.abandoned,
        exchanges,
        ok: broken.is_empty(),
        broken,
    }
}

/// started + redirects + auth_rounds = sent + unsent, where what a broken core had open may be missing on the right.
fn exchanges_hold(counts: &CoreCounts, exchanges: &ExchangeCounts, broken: &mut Vec<String>) -> bool {
    let due = counts.started + exchanges.redirects + exchanges.auth_rounds;
    let made = exchanges.sent + exchanges.unsent;
    let adds_up = made <= due && made + counts.lost >= due;
    if !adds_up {
        broken.push(format!("started + redirects + auth_rounds against exchanges sent + unsent: {due} against {made}"));
    }
    let answered = exchanges.answered <= exchanges.sent;
    if !answered {
        broken.push(format!("more answers than exchanges sent: {} against {}", exchanges.answered, exchanges.sent));
    }
    adds_up && answered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Moments;

    fn user_time(users: u64, active_s: u64, iterations: u64, each_us: u64) -> UserTime {
        let mut moments = Moments::default();
        (0..iterations).for_each(|_| moments.record(each_us));
        UserTime { active_ns: u128::from(active_s) * 1_000_000_000, iterations: moments, users, ..UserTime::default() }
    }

    fn ten_seconds() -> Window {
        Window { first_user_ns: Some(1_000_000_000), stopped_ns: Some(11_000_000_000), ..Window::default() }
    }

    #[test]
    fn littles_law_of_two_users_that_never_pause() {
        // 2 users for 10 s, 100 iterations of 200 ms: 10/s x 0.2 s = 2.
        let little = little(Model::Closed, &user_time(2, 20, 100, 200_000), &ten_seconds()).unwrap();
        assert!((little.users - 2.0).abs() < 1e-9);
        assert!((little.iterations_per_s - 10.0).abs() < 1e-9);
        assert!((little.iteration_mean_us - 200_000.0).abs() < 1e-9);
        assert!((little.ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_time_between_two_iterations_is_none_of_littles() {
        // 2 users for 10 s, of which they rest 8 s each: 20 iterations of 200 ms make 4 s, and so do 2 users for 2 s.
        let rested = UserTime { rested_ns: 16_000_000_000, ..user_time(1, 20, 20, 200_000) };
        let little = little(Model::Closed, &rested, &ten_seconds()).unwrap();
        assert!((little.users - 0.4).abs() < 1e-9 && (little.ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_iterations_are_not_judged() {
        let why = little(Model::Closed, &user_time(2, 20, 39, 200_000), &ten_seconds()).unwrap_err();
        assert!(why.contains("2 users made 39 in all"), "{why}");
        assert!(little(Model::Closed, &user_time(2, 20, 0, 0), &ten_seconds()).is_err());
        assert!(little(Model::Open, &user_time(2, 20, 100, 200_000), &ten_seconds()).is_err());
    }

    #[test]
    fn users_that_could_not_send_paused_instead() {
        assert!(pauses_are_few(0, 0).is_ok());
        assert!(pauses_are_few(100, 1).is_ok());
        assert_eq!(
            pauses_are_few(100, 2).unwrap_err(),
            "2 of 100 requests could not be sent, and users pause after those"
        );
        let one = little(Model::Closed, &user_time(1, 20, 1, 200_000), &ten_seconds()).unwrap_err();
        assert_eq!(one, "20 iterations of each user are needed, and 1 user made 1 in all");
    }

    #[test]
    fn exchanges_add_up_or_are_named() {
        let counts = CoreCounts { started: 10, ..CoreCounts::default() };
        // 10 requests, one redirected, one refused: 11 exchanges, 10 of them sent.
        let good = ExchangeCounts { sent: 10, answered: 9, redirects: 1, unsent: 1, ..ExchangeCounts::default() };
        let mut broken = Vec::new();
        assert!(exchanges_hold(&counts, &good, &mut broken) && broken.is_empty());

        let short = ExchangeCounts { sent: 9, ..good };
        assert!(!exchanges_hold(&counts, &short, &mut broken));
        assert_eq!(broken, ["started + redirects + auth_rounds against exchanges sent + unsent: 11 against 10"]);

        let lost = CoreCounts { lost: 1, ..counts };
        broken.clear();
        assert!(exchanges_hold(&lost, &short, &mut broken));

        assert!(!exchanges_hold(&counts, &ExchangeCounts { answered: 11, ..good }, &mut broken));
    }
}
