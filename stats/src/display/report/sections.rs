//! What stands around the tables: title, errors, sockets and bytes, the verdict, the check of the counts.

use super::page::Text;
use crate::collector::Model;
use crate::display::text::{columns, one_line, LEFT, MESSAGE_CHARS_MAX, NAME_CHARS_MAX, RIGHT};
use crate::display::units::{bytes, latency, percent, rate, whole_us};
use crate::summary::{CpuCore, Summary, Threshold};
use crate::threshold::Unit;
use crate::verdict::{Limit, Verdict};

/// Errors shown, the most frequent ones. More than a screen of them is read by a program, from the JSON summary.
const ERRORS_MAX: usize = 20;

/// Addresses shown; --json has the others.
const ENDPOINTS_MAX: usize = 20;

/// Cores named one by one; of more than fit a line only the busiest is.
const CORES_NAMED_MAX: usize = 6;

/// A drain shorter than this is not worth a word, seconds.
const DRAIN_WORTH_SAYING_S: f64 = 0.05;

/// What ran, how long, with what.
pub(super) fn title(text: &mut Text, summary: &Summary) {
    let run = &summary.run;
    let title = text.paint.bold(&format!("Summary: {}", one_line(&run.name, NAME_CHARS_MAX)));
    text.line("");
    text.line(&title);
    text.line(&format!("  {}, started {}, run {}", run.command, run.started_at, run.id));
    let mut facts = Vec::new();
    match summary.series.iter().map(|point| point.users).max() {
        // Nobody was active at the end of any second: the run was over sooner.
        None | Some(0) => {}
        Some(1) => facts.push("1 user".to_owned()),
        Some(users) => facts.push(format!("{users} users")),
    }
    let cores = run.host.cores_used;
    facts.push(format!("{cores} {} of {} CPUs", if cores == 1 { "core" } else { "cores" }, run.host.cpus));
    facts.push(match &summary.warmup {
        None => format!("{} of load", latency(run.load_s * 1e6)),
        Some(_) if nothing_measured(summary) => format!("{} of warm-up", latency(run.warmup_s * 1e6)),
        Some(_) => format!("{} of load after {} of warm-up", latency(run.load_s * 1e6), latency(run.warmup_s * 1e6)),
    });
    let drain_s = run.duration_s - run.load_s - run.warmup_s;
    if drain_s >= DRAIN_WORTH_SAYING_S {
        facts.push(format!("{} of drain", latency(drain_s * 1e6)));
    }
    if let Some(threshold) = &run.stopped_for {
        let why = format!("stopped early, broken: {}", one_line(threshold, NAME_CHARS_MAX));
        facts.push(text.paint.yellow(&why));
    } else if run.aborted {
        facts.push(text.paint.yellow("stopped by Ctrl-C or a signal"));
    }
    text.line(&format!("  {}", facts.join(", ")));
}

/// The load ended within the warm-up.
pub(crate) fn nothing_measured(summary: &Summary) -> bool {
    summary.warmup.is_some() && summary.run.load_s <= 0.0
}

/// What the warm-up did, where there was one.
pub(super) fn warmup(text: &mut Text, summary: &Summary) {
    let Some(warmup) = &summary.warmup else { return };
    text.heading("Warm-up (apart, in no figure above)");
    let shown = match summary.run.model {
        Model::Closed => &warmup.service_us,
        Model::Open => &warmup.response_us,
    };
    text.line(&format!(
        "  {}, {} requests, {} failed ({}), {} RPS, p50 {}, p95 {}, p99 {}",
        latency(warmup.duration_s * 1e6),
        warmup.requests,
        warmup.failures,
        percent(warmup.failures, warmup.requests),
        rate(warmup.rps),
        whole_us(shown.p50),
        whole_us(shown.p95),
        whole_us(shown.p99),
    ));
}

/// What went wrong, the most frequent first.
pub(super) fn errors(text: &mut Text, summary: &Summary) {
    if summary.errors.is_empty() {
        return;
    }
    text.heading("Errors");
    let shown = summary.errors.iter().take(ERRORS_MAX).map(|error| {
        vec![
            error.count.to_string(),
            one_line(&error.kind, NAME_CHARS_MAX),
            one_line(&error.step, NAME_CHARS_MAX),
            one_line(&error.message, MESSAGE_CHARS_MAX),
        ]
    });
    let lines = columns(&["COUNT", "KIND", "STEP", "MESSAGE"], &[RIGHT, LEFT, LEFT, LEFT], &shown.collect::<Vec<_>>());
    for (at, line) in lines.iter().enumerate() {
        let line = format!("  {line}");
        let line = if at == 0 { line } else { text.paint.red(&line) };
        text.line(&line);
    }
    let rest = summary.errors.get(ERRORS_MAX..).unwrap_or_default();
    if !rest.is_empty() {
        let count: u64 = rest.iter().map(|error| error.count).sum();
        text.line(&format!("  and {count} errors of {} more sorts; --json has them all", rest.len()));
    }
}

/// Thresholds, if any were given.
pub(super) fn thresholds(text: &mut Text, summary: &Summary) {
    if summary.thresholds.is_empty() {
        return;
    }
    text.heading("Thresholds");
    for threshold in &summary.thresholds {
        let line = format!("{} ({})", one_line(&threshold.expression, MESSAGE_CHARS_MAX), how_it_was(threshold));
        let mark = if threshold.ok { text.paint.green("held") } else { text.paint.red("MISSED") };
        text.line(&format!("  {mark} {line}"));
    }
}

/// The figure, by how much it missed, and when that was seen first.
pub(crate) fn how_it_was(threshold: &Threshold) -> String {
    let mut parts = Vec::new();
    match (threshold.value, &threshold.reason) {
        (_, Some(reason)) => parts.push(one_line(reason, MESSAGE_CHARS_MAX)),
        (Some(value), None) => parts.push(format!("was {}", in_unit(value, threshold.unit))),
        (None, None) => parts.push("no figure".to_owned()),
    }
    if let (Some(by), Some(value), Some(limit)) = (threshold.by, threshold.value, threshold.limit) {
        parts.push(distance(by, value, limit));
    }
    if let (false, Some(second)) = (threshold.ok, threshold.first_failed_s) {
        parts.push(format!("first seen in second {second}"));
    }
    parts.join(", ")
}

fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Us => latency(value),
        Unit::Ratio if value > 0.0 && value < 0.000_005 => "<0.001%".to_owned(),
        Unit::Ratio => format!("{:.3}%", value * 100.0),
        Unit::PerSecond => format!("{}/s", rate(value)),
        Unit::Count => format!("{value:.0}"),
    }
}

/// `25.0% too low`, `50.0% over`, `250 times the limit`.
fn distance(by: f64, value: f64, limit: f64) -> String {
    if by <= 0.0 {
        "exactly the limit".to_owned()
    } else if value < limit {
        format!("{:.1}% too low", by * 100.0)
    } else if by < 9.0 {
        format!("{:.1}% over", by * 100.0)
    } else {
        format!("{:.0} times the limit", by + 1.0)
    }
}

/// Sockets, bytes and exchanges.
pub(super) fn wire(text: &mut Text, summary: &Summary) {
    let (connections, totals) = (&summary.client.connections, &summary.totals);
    let exchanges = &totals.exchanges;
    text.heading(match &summary.warmup {
        None => "On the wire",
        Some(_) => "On the wire (connections and handshakes of the whole run, the rest without its warm-up)",
    });
    text.line(&format!(
        "  connections  opened {}, at once {}, reused {}, stale {}, errors {}",
        connections.opened, connections.peak, connections.reused, connections.stale, connections.errors
    ));
    text.line(&format!(
        "  exchanges    sent {}, answered {}, unsent {}, redirects {}, stale retries {}, authentication {}",
        exchanges.sent,
        exchanges.answered,
        exchanges.unsent,
        exchanges.redirects,
        exchanges.stale_retries,
        exchanges.auth_rounds
    ));
    if let Some(tls) = &summary.tls {
        let (handshakes, resumed) = (tls.handshakes, tls.resumed);
        text.line(&format!(
            "  TLS          handshakes {handshakes} ({}/s), resumed {resumed}",
            rate(tls.handshakes_per_s)
        ));
    }
    let decoded = match totals.bytes_decoded {
        0 => String::new(),
        decoded => format!(", bodies decoded to {}", bytes(decoded)),
    };
    let (received, sent) = (bytes(totals.bytes_received), bytes(totals.bytes_sent));
    text.line(&format!("  bytes        received {received}, sent {sent}{decoded}"));
    if summary.tls.as_ref().is_some_and(|tls| tls.unverified) {
        // `hit` verifies unless it is told not to; the commands that run cases do as hrp does.
        let notice = match summary.run.command.as_str() {
            "hit" => "certificates were not verified (--insecure)",
            _ => "certificates were not verified (as hrp); --verify checks them",
        };
        text.sentence("  note: ", notice);
    }
}

/// What each address did, where there is more than one.
pub(super) fn endpoints(text: &mut Text, summary: &Summary) {
    for (heading, all) in [("Addresses", &summary.addresses), ("Source addresses", &summary.sources)] {
        if all.len() < 2 {
            continue;
        }
        text.heading(heading);
        let shown = all.iter().take(ENDPOINTS_MAX).map(|endpoint| {
            let counts = [endpoint.connections, endpoint.connect_errors, endpoint.requests, endpoint.failures];
            let mut row = vec![one_line(&endpoint.address, NAME_CHARS_MAX)];
            row.extend(counts.map(|count| count.to_string()));
            row
        });
        let head = ["ADDRESS", "CONNECTIONS", "CONNECT ERRORS", "REQUESTS", "FAILURES"];
        for line in columns(&head, &[LEFT, RIGHT, RIGHT, RIGHT, RIGHT], &shown.collect::<Vec<_>>()) {
            text.line(&format!("  {line}"));
        }
        if let Some(rest @ 1..) = all.len().checked_sub(ENDPOINTS_MAX) {
            text.line(&format!("  and {rest} more; --json has them all"));
        }
    }
}

/// Whether the figures can be trusted, and why.
pub(super) fn client(text: &mut Text, summary: &Summary) {
    let client = &summary.client;
    text.heading("Load generator");
    let sentence = verdict_sentence(client.verdict);
    let verdict = match client.verdict {
        Verdict::Valid => text.paint.green(sentence),
        Verdict::Degraded => text.paint.yellow(sentence),
        Verdict::Invalid => text.paint.red(sentence),
    };
    text.line(&format!("  verdict      {verdict}"));
    text.line(&format!("  limited by   {}", limit_sentence(client.limit)));
    for reason in &client.reasons {
        text.sentence("    - ", reason);
    }
    // Where none was sampled a note says why.
    if client.cpu_cores.iter().any(|core| core.share_mean.is_some()) {
        text.line(&format!("  cores        {}", cores(&client.cpu_cores)));
    }
    let late = &client.lateness_us;
    if late.count > 0 {
        let (p50, p99, max) = (whole_us(late.p50), whole_us(late.p99), whole_us(late.max));
        text.line(&format!("  lateness     p50 {p50}, p99 {p99}, max {max}"));
    }
    if let Some(little) = &client.little {
        text.line(&format!(
            "  Little's law {:.1} users were active, iterations/s x mean iteration time make {:.1}",
            little.users,
            little.users * little.ratio
        ));
    }
    for note in &client.notes {
        text.sentence("  note: ", note);
    }
}

/// What a verdict means.
pub(crate) fn verdict_sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "VALID: the load generator did not distort the figures",
        Verdict::Degraded => "DEGRADED: counts and throughput stand, latencies are distorted",
        Verdict::Invalid => "INVALID: the load was not the one asked for",
    }
}

/// Who was the limit.
pub(crate) fn limit_sentence(limit: Limit) -> &'static str {
    match limit {
        Limit::Client => "the client (this program or its machine)",
        Limit::Server => "the server, or the way to it",
        Limit::Unclear => "neither side clearly",
    }
}

/// Cores and how busy they were.
fn cores(cores: &[CpuCore]) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    if cores.len() <= CORES_NAMED_MAX {
        let named = cores.iter().enumerate().map(|(at, core)| {
            let place = core.cpu.map_or_else(|| format!("core {at}"), |cpu| format!("CPU {cpu}"));
            match core.share_mean {
                Some(_) => format!("{place} {} busy, at most {}", share(core.share_mean), share(core.share_max)),
                None => format!("{place} not sampled"),
            }
        });
        return named.collect::<Vec<_>>().join("; ");
    }
    let most = |of: fn(&CpuCore) -> Option<f64>| cores.iter().filter_map(of).max_by(f64::total_cmp);
    let (mean, max) = (most(|core| core.share_mean), most(|core| core.share_max));
    format!("the busiest of {} cores {} busy, at most {}", cores.len(), share(mean), share(max))
}

/// The check that nothing was lost or invented.
pub(super) fn conservation(text: &mut Text, summary: &Summary) {
    let counts = &summary.conservation;
    text.heading(match &summary.warmup {
        None => "Counts",
        Some(_) => "Counts (of the whole run, its warm-up too)",
    });
    let sum = format!(
        "  started {} = succeeded {} + failed {} + abandoned {}",
        counts.started, counts.succeeded, counts.failed, counts.abandoned
    );
    if counts.ok {
        text.line(&format!("{sum}; rows, seconds and exchanges add up: {}", text.paint.green("ok")));
        return;
    }
    text.line(&format!("{sum}; {}", text.paint.red("NOT OK, please report this:")));
    for broken in &counts.broken {
        let line = text.paint.red(&format!("    - {}", one_line(broken, MESSAGE_CHARS_MAX)));
        text.line(&line);
    }
}
