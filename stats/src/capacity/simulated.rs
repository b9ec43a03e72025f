//! Searches against servers whose capacity can be computed by hand.

use super::probe::{ClientHints, Grade, ProbeOutcome};
use super::{By, CapacityResult, EndedBy, Search, SearchSpec, Step};
use crate::latency::Latency;
use crate::summary::Threshold;
use crate::threshold::Unit;
use crate::verdict::Verdict;

/// Seconds of a probe, and of a longer one.
const PROBE_S: f64 = 5.0;
const LONGER_S: f64 = 10.0;

/// What a search by this asks of a service.
pub(crate) fn spec(by: By) -> SearchSpec {
    SearchSpec::new(by, ["p99<50ms", "errors<1%"].map(|text| text.parse().unwrap()).to_vec())
}

/// Runs a search to its end. The server is asked for a level, and whether the probe is a longer one; cool-downs find it well.
pub(crate) fn run(search: &mut Search, estimate_per_s: f64, mut server: impl FnMut(f64, bool) -> ProbeOutcome) {
    loop {
        match search.next() {
            Step::Estimate { .. } => search.estimated(estimate_per_s),
            Step::Probe { level, times, .. } => {
                let longer = times > 1;
                let duration_s = if longer { LONGER_S } else { PROBE_S };
                search.probed(ProbeOutcome { duration_s, ..server(level, longer) });
            }
            Step::CoolDown { level } => search.cooled_down(server(level, false).latency_us.p50),
            Step::Done => return,
        }
    }
}

/// The result of such a search.
pub(crate) fn result(
    spec: SearchSpec,
    estimate_per_s: f64,
    server: impl FnMut(f64, bool) -> ProbeOutcome,
) -> CapacityResult {
    let mut search = Search::new(spec);
    run(&mut search, estimate_per_s, server);
    search.finish()
}

/// An open probe that found these figures. Latencies are exponential with this mean, as in an M/M/1 queue.
pub(crate) fn outcome(per_s: f64, mean_us: f64, failure_ratio: f64) -> ProbeOutcome {
    let at = |share: f64| Some((-(1.0 - share).ln() * mean_us).round() as u64);
    let requests = (per_s * PROBE_S).round() as u64;
    let failures = (requests as f64 * failure_ratio).round() as u64;
    let latency_us = Latency {
        count: requests - failures,
        min: Some(1),
        mean: Some(mean_us),
        stddev: Some(mean_us),
        p50: at(0.5),
        p75: at(0.75),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p99_9: at(0.999),
        p99_99: at(0.9999),
        max: at(0.99999),
    };
    let p99_us = latency_us.p99.unwrap() as f64;
    ProbeOutcome {
        duration_s: PROBE_S,
        thresholds: vec![
            threshold("p99<50ms", p99_us, 50_000.0, Unit::Us),
            threshold("errors<1%", failure_ratio, 0.01, Unit::Ratio),
        ],
        achieved_share: Some(1.0),
        iterations_per_s: per_s * (1.0 - failure_ratio),
        requests_per_s: per_s,
        requests,
        failures,
        latency_us,
        in_flight_mean: Some(per_s * mean_us / 1e6),
        client: ClientHints { core_occupied_share: Some(0.3), ..ClientHints::default() },
        ..ProbeOutcome::default()
    }
}

fn threshold(expression: &str, value: f64, limit: f64, unit: Unit) -> Threshold {
    let ok = value < limit;
    let by = (!ok).then(|| (value - limit) / limit);
    Threshold {
        expression: expression.into(),
        value: Some(value),
        ok,
        limit: Some(limit),
        unit,
        by,
        ..Threshold::default()
    }
}

/// A server that fails every request above a level and answers in 2 ms below.
pub(crate) fn token_bucket(capacity: f64) -> impl Fn(f64, bool) -> ProbeOutcome {
    move |level, _| outcome(level, 2_000.0, (1.0 - capacity / level).max(0.0))
}

/// An M/M/1 queue that serves so many a second; from there on its queue grows and it does not keep up.
pub(crate) fn queue(served_per_s: f64) -> impl Fn(f64, bool) -> ProbeOutcome {
    move |level, _| {
        if level < served_per_s * 0.9999 {
            outcome(level, 1e6 / (served_per_s - level), 0.0)
        } else {
            let share = served_per_s / level;
            ProbeOutcome { achieved_share: Some(share.min(1.0)), ..outcome(level * share, 2_000_000.0, 0.0) }
        }
    }
}

/// A probe with no more to say than its grade.
pub(crate) fn graded(grade: Grade) -> ProbeOutcome {
    let mut outcome = outcome(1_000.0, 1_000.0, if grade == Grade::Failed { 0.5 } else { 0.0 });
    match grade {
        Grade::Held | Grade::Failed => {}
        Grade::ClientLimited => {
            outcome.verdict = Verdict::Invalid;
            outcome.reasons = vec!["the client's CPU 0 was busy 97.0 %: the client is the limit".into()];
            outcome.client.core_occupied_share = Some(0.97);
        }
        Grade::Inconclusive => {
            let p99 = &mut outcome.thresholds[0];
            (p99.ok, p99.value, p99.samples_missing) = (false, None, Some(960));
            p99.reason = Some("only 40 of 1,000 samples that p99 needs".into());
        }
    }
    outcome
}

/// The result of a search that is stopped after so many probes.
pub(crate) fn stopped_after(
    probes: usize,
    why: EndedBy,
    estimate_per_s: f64,
    server: impl Fn(f64, bool) -> ProbeOutcome,
) -> CapacityResult {
    let mut search = Search::new(spec(By::Rate));
    search.estimated(estimate_per_s);
    while search.probes().len() < probes {
        match search.next() {
            Step::Probe { level, times, .. } => drop(search.probed(server(level, times > 1))),
            Step::CoolDown { .. } => search.cooled_down(Some(1)),
            Step::Estimate { .. } | Step::Done => break,
        }
    }
    search.stop(why);
    search.finish()
}
