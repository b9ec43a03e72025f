//! The run as the page's scripts read it.

use serde::Serialize;

use super::charts::Charts;
use super::environment::{groups, Group};
use super::figure::{Figure, Figures};
use super::text::{lines, short};
use crate::collector::Model;
use crate::endpoint::Endpoint;
use crate::failure::{FailureSample, SampledMessage};
use crate::kept::{KeptRun, KeptSecond, RunState};
use crate::latency::Latency;
use crate::row::ExchangeCounts;
use crate::summary::{ErrorCount, LiveChange, Step, Summary, Threshold, Transaction};
use crate::verdict::{Limit, Verdict};

/// Rows of a table. A run whose steps are named after values has very many, and the JSON summary has all.
const ROWS_MAX: usize = 500;

/// Errors, the most frequent first.
const ERRORS_MAX: usize = 200;

/// Sentences of one sort, changes of the run, addresses.
const LINES_MAX: usize = 100;

/// Failure samples.
const SAMPLES_MAX: usize = 100;

/// A head or a body of a sample, characters.
const SAMPLE_CHARS_MAX: usize = 4_096;

/// Text of all samples together, bytes: they must not outgrow the charts.
const SAMPLES_BYTES_MAX: usize = 256 * 1024;

/// Everything on the page.
#[derive(Debug, Serialize)]
pub(super) struct PageData {
    label: Option<String>,
    cut_off: bool,
    /// The seconds that were written of a run that was cut off.
    written_s: u64,
    run: RunData,
    /// `null` where the run was cut off: there was nobody to judge, and so no threshold and no check of counts either.
    verdict: Option<VerdictData>,
    /// What does not add up; empty where everything does, or where nothing was checked.
    broken: Vec<String>,
    thresholds: Vec<Threshold>,
    totals: TotalsData,
    steps: Table<StepData>,
    setup: Table<StepData>,
    transactions: Table<TransactionData>,
    phases: Vec<(&'static str, Figures)>,
    addresses: Table<Endpoint>,
    errors: Table<ErrorCount>,
    samples: Table<SampleData>,
    environment: Vec<Group>,
    charts: Charts,
}

#[derive(Debug, Serialize)]
struct RunData {
    id: String,
    name: String,
    command: String,
    open: bool,
    started_at: String,
    duration_s: Figure,
    load_s: Figure,
    warmup_s: Figure,
    version: String,
    aborted: bool,
    stopped_for: Option<String>,
    changes: Vec<LiveChange>,
    /// What the warm-up brought: requests, failures, RPS, latency.
    warmup: Option<(u64, u64, Figure, Figures)>,
    /// Arrivals of an open run: intended, made, missed.
    arrivals: Option<(u64, u64, u64)>,
    iterations: u64,
}

#[derive(Debug, Serialize)]
struct VerdictData {
    verdict: Verdict,
    limit: Limit,
    reasons: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TotalsData {
    requests: u64,
    failures: u64,
    rps: Figure,
    bytes_received: u64,
    bytes_sent: u64,
    /// The latency that percentiles of this run mean.
    latency_us: Figures,
}

/// The rows that are shown, and how many are not.
#[derive(Debug, Serialize)]
struct Table<T> {
    rows: Vec<T>,
    left_out: u64,
}

#[derive(Debug, Serialize)]
struct StepData {
    case: String,
    #[serde(rename = "type")]
    label: String,
    name: String,
    requests: u64,
    failures: u64,
    abandoned: u64,
    rps: Figure,
    bytes_received: u64,
    bytes_sent: u64,
    bytes_decoded: u64,
    exchanges: ExchangeCounts,
    service_us: Figures,
    response_us: Figures,
    failed_us: Figures,
    /// Sending, waiting, receiving; `null` where it was not asked for.
    phases: Option<(Figures, Figures, Figures)>,
    plugin_us: Option<Figures>,
}

#[derive(Debug, Serialize)]
struct TransactionData {
    case: String,
    #[serde(rename = "type")]
    label: String,
    name: String,
    passed: u64,
    failed: u64,
    rps: Figure,
    duration_us: Figures,
}

#[derive(Debug, Serialize)]
struct SampleData {
    case: String,
    step: String,
    setup: bool,
    kind: String,
    message: String,
    at_s: Figure,
    service_us: u64,
    response_us: u64,
    request: MessageData,
    response: Option<MessageData>,
}

/// One side of an exchange: what is shown of it, and whether that is all there was.
#[derive(Debug, Serialize)]
struct MessageData {
    head: String,
    head_whole: bool,
    body: String,
    body_whole: bool,
    body_bytes: u64,
}

impl PageData {
    pub(super) fn new(run: &KeptRun, spans: impl IntoIterator<Item = KeptSecond>) -> Self {
        let summary = &run.summary;
        let charts = Charts::new(run, spans);
        let cut_off = run.state == RunState::CutOff;
        Self {
            label: run.label.as_deref().map(short),
            cut_off,
            written_s: charts.written_s,
            run: RunData::new(summary),
            verdict: (!cut_off).then(|| VerdictData {
                verdict: summary.client.verdict,
                limit: summary.client.limit,
                reasons: sentences(&summary.client.reasons),
                notes: sentences(&summary.client.notes),
            }),
            broken: if cut_off { Vec::new() } else { sentences(&summary.conservation.broken) },
            thresholds: if cut_off { Vec::new() } else { thresholds(summary) },
            totals: TotalsData {
                requests: summary.totals.requests,
                failures: summary.totals.failures,
                rps: Figure(summary.totals.rps),
                bytes_received: summary.totals.bytes_received,
                bytes_sent: summary.totals.bytes_sent,
                latency_us: Figures(model_latency(summary).clone()),
            },
            steps: Table::of(&summary.steps, ROWS_MAX, StepData::of),
            setup: Table::of(&summary.setup, ROWS_MAX, StepData::of),
            transactions: Table::of(&summary.transactions, ROWS_MAX, TransactionData::of),
            phases: phases(summary),
            addresses: Table::of(&summary.addresses, LINES_MAX, |of| Endpoint {
                address: short(&of.address),
                ..of.clone()
            }),
            errors: Table::of(&summary.errors, ERRORS_MAX, |error| ErrorCount {
                kind: short(&error.kind),
                step: short(&error.step),
                message: short(&error.message),
                count: error.count,
            }),
            samples: samples(summary),
            environment: groups(run),
            charts,
        }
    }

    /// The run in a word.
    pub(super) fn headline(&self) -> &'static str {
        match &self.verdict {
            None => "cut off",
            _ if self.thresholds.iter().any(|threshold| !threshold.ok) => "threshold missed",
            Some(of) => match of.verdict {
                Verdict::Valid => "valid",
                Verdict::Degraded => "degraded",
                Verdict::Invalid => "invalid",
            },
        }
    }
}

impl RunData {
    fn new(summary: &Summary) -> Self {
        let run = &summary.run;
        Self {
            id: short(&run.id),
            name: short(&run.name),
            command: short(&run.command),
            open: run.model == Model::Open,
            started_at: short(&run.started_at),
            duration_s: Figure(run.duration_s),
            load_s: Figure(run.load_s),
            warmup_s: Figure(run.warmup_s),
            version: short(&run.version),
            aborted: run.aborted,
            stopped_for: run.stopped_for.as_deref().map(short),
            changes: run
                .changes
                .iter()
                .take(LINES_MAX)
                .map(|of| LiveChange { t_s: of.t_s, change: short(&of.change) })
                .collect(),
            warmup: summary.warmup.as_ref().map(|of| {
                let latency = if run.model == Model::Open { &of.response_us } else { &of.service_us };
                (of.requests, of.failures, Figure(of.rps), Figures(latency.clone()))
            }),
            arrivals: summary.arrivals.as_ref().map(|of| (of.intended, of.made, of.missed)),
            iterations: summary.iterations.count,
        }
    }
}

impl<T> Table<T> {
    fn of<R>(rows: &[R], most: usize, row: impl Fn(&R) -> T) -> Self {
        Self { rows: rows.iter().take(most).map(row).collect(), left_out: rows.len().saturating_sub(most) as u64 }
    }
}

impl StepData {
    fn of(step: &Step) -> Self {
        let figures = |latency: &Latency| Figures(latency.clone());
        Self {
            case: short(&step.case),
            label: short(&step.label),
            name: short(&step.name),
            requests: step.requests,
            failures: step.failures,
            abandoned: step.abandoned,
            rps: Figure(step.rps),
            bytes_received: step.bytes_received,
            bytes_sent: step.bytes_sent,
            bytes_decoded: step.bytes_decoded,
            exchanges: step.exchanges,
            service_us: figures(&step.service_us),
            response_us: figures(&step.response_us),
            failed_us: figures(&step.failed_us),
            phases: step
                .phases
                .as_ref()
                .map(|of| (figures(&of.send_us), figures(&of.wait_us), figures(&of.receive_us))),
            plugin_us: step.plugin_us.as_ref().map(figures),
        }
    }
}

impl TransactionData {
    fn of(transaction: &Transaction) -> Self {
        Self {
            case: short(&transaction.case),
            label: short(&transaction.label),
            name: short(&transaction.name),
            passed: transaction.passed,
            failed: transaction.failed,
            rps: Figure(transaction.rps),
            duration_us: Figures(transaction.duration_us.clone()),
        }
    }
}

impl SampleData {
    fn of(sample: &FailureSample) -> Self {
        Self {
            case: short(&sample.case),
            step: short(&sample.step),
            setup: sample.setup,
            kind: short(&sample.kind),
            message: short(&sample.message),
            at_s: Figure(sample.at_s),
            service_us: sample.timing.service_us,
            response_us: sample.timing.response_us,
            request: MessageData::of(&sample.request),
            response: sample.response.as_ref().map(MessageData::of),
        }
    }

    fn text_bytes(&self) -> usize {
        let of = |message: &MessageData| message.head.len() + message.body.len();
        of(&self.request) + self.response.as_ref().map_or(0, of)
    }
}

impl MessageData {
    fn of(message: &SampledMessage) -> Self {
        let (head, head_shown) = lines(&message.head, SAMPLE_CHARS_MAX);
        let (body, body_shown) = lines(&message.body, SAMPLE_CHARS_MAX);
        Self {
            head,
            head_whole: head_shown && !message.head_truncated,
            body,
            body_whole: body_shown && !message.body_truncated,
            body_bytes: message.body_bytes,
        }
    }
}

fn model_latency(summary: &Summary) -> &Latency {
    match summary.run.model {
        Model::Closed => &summary.totals.service_us,
        Model::Open => &summary.totals.response_us,
    }
}

fn sentences(of: &[String]) -> Vec<String> {
    // A sentence is the program's own, and one that is cut loses its point; only a name within it may be long.
    of.iter().take(LINES_MAX).map(|sentence| crate::display::text::one_line(sentence, 1_000)).collect()
}

fn thresholds(summary: &Summary) -> Vec<Threshold> {
    let bounded = |of: &Threshold| Threshold {
        expression: short(&of.expression),
        reason: of.reason.as_deref().map(short),
        ..of.clone()
    };
    summary.thresholds.iter().take(LINES_MAX).map(bounded).collect()
}

/// Where the time of connections and requests went, as far as it is known.
fn phases(summary: &Summary) -> Vec<(&'static str, Figures)> {
    let of = &summary.phases;
    let known = [
        ("Name lookup", Some(&of.dns_us)),
        ("Connect", Some(&of.connect_us)),
        ("TLS handshake", Some(&of.tls_us)),
        ("Send", of.send_us.as_ref()),
        ("Wait", of.wait_us.as_ref()),
        ("Receive", of.receive_us.as_ref()),
        ("Lateness", Some(&summary.client.lateness_us)),
    ];
    known
        .into_iter()
        .filter_map(|(name, latency)| Some((name, latency.filter(|latency| latency.count > 0)?)))
        .map(|(name, latency)| (name, Figures(latency.clone())))
        .collect()
}

/// The first samples of each sort come first in the summary; what goes beyond the page's bounds is left out.
fn samples(summary: &Summary) -> Table<SampleData> {
    let all = &summary.failure_samples;
    let mut bytes = 0;
    let rows: Vec<SampleData> = all
        .iter()
        .take(SAMPLES_MAX)
        .map(SampleData::of)
        .take_while(|sample| {
            bytes += sample.text_bytes();
            bytes <= SAMPLES_BYTES_MAX
        })
        .collect();
    let left_out = (all.len() - rows.len()) as u64 + summary.failure_samples_left_out;
    Table { rows, left_out }
}
