//! The tables of latencies: steps, transactions, the times of failed requests, and phases.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::page::Text;
use super::sections::nothing_measured;
use crate::collector::Model;
use crate::display::text::{columns, one_line, LEFT, NAME_CHARS_MAX, RIGHT};
use crate::display::units::{latency, latency_or_dash, percent, rate, whole_us};
use crate::latency::Latency;
use crate::row::TRANSACTION;
use crate::summary::{Plugin, Step, Summary};

/// A percentile of the tables.
pub(crate) struct Percentile {
    pub(crate) name: &'static str,
    of: fn(&Latency) -> Option<u64>,
    /// Samples it needs, 10/(1-q), so that ten of them lie above it (accuracy section 3).
    pub(crate) samples: u64,
}

impl Percentile {
    /// Its value as people read it, with a mark where too few samples stand behind it.
    pub(crate) fn text(&self, latency: &Latency) -> String {
        match (self.of)(latency) {
            value @ Some(_) if self.is_weak(latency) => format!("~{}", whole_us(value)),
            value => whole_us(value),
        }
    }

    /// There is a value, with too few samples behind it.
    pub(crate) fn is_weak(&self, latency: &Latency) -> bool {
        latency.count > 0 && latency.count < self.samples
    }

    /// What it takes, as a footnote says it.
    pub(crate) fn need(&self) -> String {
        format!("{} needs {}", self.name.to_lowercase(), self.samples)
    }
}

pub(crate) const PERCENTILES: [Percentile; 5] = [
    Percentile { name: "P50", of: |latency| latency.p50, samples: 20 },
    Percentile { name: "P90", of: |latency| latency.p90, samples: 100 },
    Percentile { name: "P95", of: |latency| latency.p95, samples: 200 },
    Percentile { name: "P99", of: |latency| latency.p99, samples: 1_000 },
    Percentile { name: "P99.9", of: |latency| latency.p99_9, samples: 10_000 },
];

/// Columns of every latency.
const LATENCY_HEADER: [&str; 8] = ["MEAN", "MIN", "P50", "P90", "P95", "P99", "P99.9", "MAX"];

/// Writes the tables, and what their marks mean. They show service time in a closed run and response time in an open one;
/// the other stands in a line below.
pub(super) fn figures(text: &mut Text, summary: &Summary) {
    let mut tables = Tables { cases: has_several_cases(summary), weak: BTreeSet::new() };
    tables.steps(text, summary);
    tables.transactions(text, summary);
    tables.setup(text, summary);
    tables.failed(text, summary);
    tables.phases(text, summary);
    tables.plugin(text, summary);
    tables.footnote(text);
}

/// Names need their case in front.
pub(crate) fn has_several_cases(summary: &Summary) -> bool {
    let steps = summary.steps.iter().map(|step| step.case.as_str());
    let setup = summary.setup.iter().map(|step| step.case.as_str());
    let transactions = summary.transactions.iter().map(|transaction| transaction.case.as_str());
    steps.chain(setup).chain(transactions).collect::<BTreeSet<_>>().len() > 1
}

struct Tables {
    /// Names need their case in front.
    cases: bool,
    /// Places in [`PERCENTILES`] that were marked somewhere.
    weak: BTreeSet<usize>,
}

impl Tables {
    fn steps(&mut self, text: &mut Text, summary: &Summary) {
        let model = summary.run.model;
        text.heading(match model {
            Model::Closed => "Requests (closed model: service time of those that succeeded)",
            Model::Open => "Requests (open model: response time of those that succeeded)",
        });
        let totals = &summary.totals;
        if let Some(warmup) = summary.warmup.as_ref().filter(|_| nothing_measured(summary)) {
            text.line(&format!(
                "  nothing was measured: the run ended after {}, within its warm-up of {}",
                latency(warmup.duration_s * 1e6),
                latency(warmup.planned_s * 1e6)
            ));
            return;
        }
        if totals.requests == 0 {
            text.line("  no request finished");
            return;
        }
        let mut rows = Vec::new();
        for step in &summary.steps {
            let latency = shown(model, &step.service_us, &step.response_us).0;
            let counts = [step.requests.to_string(), step.failures.to_string(), rate(step.rps)];
            rows.push(self.row(self.step_name(step), counts, latency, step.failures));
        }
        let (latency, other) = shown(model, &totals.service_us, &totals.response_us);
        if summary.steps.len() > 1 {
            let counts = [totals.requests.to_string(), totals.failures.to_string(), rate(totals.rps)];
            rows.push(self.row("Total".to_owned(), counts, latency, totals.failures));
        }
        if other.count > 0 {
            let name = match model {
                Model::Closed => "(response time)",
                Model::Open => "(service time)",
            };
            rows.push(self.row(name.to_owned(), <[String; 3]>::default(), other, 0));
        }
        table(text, ["REQUESTS", "FAILED", "RPS"], rows);
    }

    fn transactions(&mut self, text: &mut Text, summary: &Summary) {
        if summary.transactions.is_empty() {
            return;
        }
        text.heading("Transactions (durations of all, passed and failed)");
        let mut rows = Vec::new();
        for transaction in &summary.transactions {
            let count = transaction.passed + transaction.failed;
            let name = match transaction.label.as_str() {
                "" | TRANSACTION => transaction.name.clone(),
                label => format!("{label} {}", transaction.name),
            };
            let name = self.with_case(&transaction.case, &name);
            let counts = [count.to_string(), transaction.failed.to_string(), rate(transaction.rps)];
            rows.push(self.row(name, counts, &transaction.duration_us, transaction.failed));
        }
        table(text, ["FINISHED", "FAILED", "PER S"], rows);
    }

    /// What each user did once, before its load.
    fn setup(&mut self, text: &mut Text, summary: &Summary) {
        if summary.setup.is_empty() {
            return;
        }
        let model = summary.run.model;
        text.heading("Once per user (before its load, in no figure above)");
        let mut rows = Vec::new();
        for step in &summary.setup {
            let latency = shown(model, &step.service_us, &step.response_us).0;
            let counts = [step.requests.to_string(), step.failures.to_string(), rate(step.rps)];
            rows.push(self.row(self.step_name(step), counts, latency, step.failures));
        }
        table(text, ["REQUESTS", "FAILED", "PER S"], rows);
    }

    fn failed(&mut self, text: &mut Text, summary: &Summary) {
        let mut rows = Vec::new();
        for step in summary.steps.iter().filter(|step| step.failures > 0) {
            let share = percent(step.failures, step.requests);
            let counts = [step.failures.to_string(), step.requests.to_string(), share];
            rows.push(self.row(self.step_name(step), counts, &step.failed_us, 0));
        }
        if !rows.is_empty() {
            text.heading("Failed requests (the time they took, apart from the latencies above)");
            table(text, ["FAILED", "OF", "SHARE"], rows);
        }
    }

    /// Where the time went: only where the phases of requests were asked for.
    fn phases(&mut self, text: &mut Text, summary: &Summary) {
        let phases = &summary.phases;
        let (Some(send), Some(wait), Some(receive)) = (&phases.send_us, &phases.wait_us, &phases.receive_us) else {
            return;
        };
        text.heading("Phases (of connections opened, and of requests that succeeded)");
        let named = [
            ("dns", &phases.dns_us),
            ("connect", &phases.connect_us),
            ("tls", &phases.tls_us),
            ("send", send),
            ("wait", wait),
            ("receive", receive),
        ];
        let rows = named.into_iter().filter(|(_, latency)| latency.count > 0);
        let rows = rows.map(|(name, latency)| self.row(name.to_owned(), [latency.count.to_string()], latency, 0));
        table(text, ["COUNT"], rows.collect());
    }

    /// What calls of plugin functions took, step by step and in all.
    fn plugin(&mut self, text: &mut Text, summary: &Summary) {
        let Some(plugin) = &summary.plugin else { return };
        text.heading("Functions of the plugin (their time is in no request's)");
        let steps = summary.setup.iter().chain(&summary.steps);
        let calling = steps.filter_map(|step| step.plugin_us.as_ref().map(|calls| (self.step_name(step), calls)));
        let mut named: Vec<_> = calling.collect();
        // The row of one step that made every call says all there is.
        if plugin.calls > 0 && named.iter().all(|(_, calls)| calls.count < plugin.calls) {
            named.push(("Total".to_owned(), &plugin.call_us));
        }
        if !named.is_empty() {
            let rows = named.into_iter().map(|(name, calls)| self.row(name, [calls.count.to_string()], calls, 0));
            let rows = rows.collect();
            table(text, ["CALLS"], rows);
        }
        text.line(&format!("  {}", plugin_line(plugin)));
    }

    fn footnote(&self, text: &mut Text) {
        if self.weak.is_empty() {
            return;
        }
        let needs: Vec<_> = self.weak.iter().map(|&at| PERCENTILES[at].need()).collect();
        text.line(&format!("  ~ too few samples to rely on: {}", needs.join(", ")));
    }

    /// Cells of a row, and whether it is one with failures.
    fn row<const N: usize>(&mut self, name: String, counts: [String; N], latency: &Latency, failures: u64) -> Row {
        let mut cells = vec![name];
        cells.extend(counts);
        cells.extend([latency_or_dash(latency.mean), whole_us(latency.min)]);
        cells.extend((0..PERCENTILES.len()).map(|at| self.percentile(at, latency)));
        cells.push(whole_us(latency.max));
        Row { cells, failed: failures > 0 }
    }

    fn percentile(&mut self, at: usize, latency: &Latency) -> String {
        if PERCENTILES[at].is_weak(latency) {
            self.weak.insert(at);
        }
        PERCENTILES[at].text(latency)
    }

    fn step_name(&self, step: &Step) -> String {
        self.with_case(&step.case, &step_name(step))
    }

    fn with_case(&self, case: &str, name: &str) -> String {
        let name = one_line(name, NAME_CHARS_MAX);
        if self.cases {
            format!("{}: {name}", one_line(case, NAME_CHARS_MAX))
        } else {
            name
        }
    }
}

/// `12345 calls, 0 errors, at most 200 at once, 7.3% of the iterations' time; 1 process, 0 restarts`.
fn plugin_line(plugin: &Plugin) -> String {
    let of = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut calls = match plugin.calls {
        0 if plugin.in_flight_max > 0 => {
            format!("no call ended, at most {} at once", plugin.in_flight_max)
        }
        0 => "no calls".to_owned(),
        calls => format!(
            "{}, {}, at most {} at once",
            of(calls, "call", "calls"),
            of(plugin.errors, "error", "errors"),
            plugin.in_flight_max
        ),
    };
    if let Some(share) = plugin.share_of_iterations.filter(|_| plugin.calls > 0) {
        // In millionths, which is finer than what is shown.
        let share = percent((share * 1e6).ceil() as u64, 1_000_000);
        let _ = write!(calls, ", {share} of the iterations' time");
    }
    let processes = of(plugin.workers(), "process", "processes");
    format!("{calls}; {processes}, {}", of(plugin.restarts(), "restart", "restarts"))
}

/// Type and name. The type is shown without what every request's type begins with.
pub(crate) fn step_name(step: &Step) -> String {
    let label = step.label.strip_prefix("request-").unwrap_or(&step.label);
    if step.name.starts_with(label) {
        step.name.clone()
    } else {
        format!("{label} {}", step.name)
    }
}

/// The latency of the model, and the other one.
pub(crate) fn shown<'a>(model: Model, service: &'a Latency, response: &'a Latency) -> (&'a Latency, &'a Latency) {
    match model {
        Model::Closed => (service, response),
        Model::Open => (response, service),
    }
}

struct Row {
    cells: Vec<String>,
    failed: bool,
}

/// A table of latencies; lines of rows with failures are red.
fn table<const N: usize>(text: &mut Text, counts: [&str; N], rows: Vec<Row>) {
    let header = [&["NAME"][..], &counts, &LATENCY_HEADER].concat();
    let alignments = [&[LEFT][..], &[RIGHT; N], &[RIGHT; LATENCY_HEADER.len()]].concat();
    let failed: Vec<_> = rows.iter().map(|row| row.failed).collect();
    let cells: Vec<_> = rows.into_iter().map(|row| row.cells).collect();
    let lines = columns(&header, &alignments, &cells);
    // The first line is the header's.
    for (line, failed) in lines.iter().zip([false].into_iter().chain(failed)) {
        let line = format!("  {line}");
        let line = if failed { text.paint.red(&line) } else { line };
        text.line(&line);
    }
}
