//! The runs of a store as a table, as JSON, and what is said of one.

use comfy_table::{presets, Table};

use super::report::{report, ReportOptions};
use super::text::{one_line, LEFT, NAME_CHARS_MAX, RIGHT};
use super::units::{bytes, latency, latency_or_dash, rate};
use crate::kept::{KeptRun, RunState};
use crate::store::{Listed, Pruned};

/// A table, the latest run first.
pub fn runs_table(runs: &[Listed]) -> String {
    if runs.is_empty() {
        return "No runs.\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "RUN", "STARTED", "NAME", "LABEL", "DURATION", "REQUESTS", "FAILS", "RPS", "P99", "VERDICT", "SIZE",
    ]);
    for run in runs {
        let verdict = match (run.state, &run.verdict) {
            (RunState::CutOff, _) => "cut off",
            (RunState::Ended, verdict) => verdict.as_deref().unwrap_or("-"),
        };
        // To the minute, which is what tells runs apart.
        let started = run.started_at.get(..16).unwrap_or(&run.started_at).replace('T', " ");
        table.add_row([
            run.id.get(..8).unwrap_or(&run.id).to_owned(),
            started,
            one_line(&run.name, NAME_CHARS_MAX),
            one_line(run.label.as_deref().unwrap_or(""), NAME_CHARS_MAX),
            latency(run.duration_s * 1e6),
            run.requests.to_string(),
            run.failures.to_string(),
            run.rps.map_or_else(|| "-".to_owned(), rate),
            latency_or_dash(run.p99_us.map(|us| us as f64)),
            verdict.to_owned(),
            bytes(run.bytes),
        ]);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if (4..=8).contains(&at) || at == 10 { RIGHT } else { LEFT });
    }
    // Without borders each cell begins with a space that parts it from the one before.
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// The same as a JSON list.
pub fn runs_json(runs: &[Listed]) -> String {
    serde_json::to_string_pretty(runs).map_or_else(
        |error| error.to_string(),
        |mut text| {
            text.push('\n');
            text
        },
    )
}

/// What went, or would go.
pub fn prune_text(pruned: &Pruned, dry_run: bool) -> String {
    let what = if dry_run { "would be deleted" } else { "deleted" };
    format!(
        "{}{} runs, {}: {what}\n",
        if pruned.runs.is_empty() { String::new() } else { runs_table(&pruned.runs) },
        pruned.runs.len(),
        bytes(pruned.bytes)
    )
}

/// What the end of a run printed; of one that was cut off, what can be said of it.
pub fn kept_report(run: &KeptRun, options: ReportOptions) -> String {
    let text = report(&run.summary, options);
    match run.state {
        RunState::Ended => text,
        RunState::CutOff => format!(
            "This run was cut off, or goes on: this is what was written of it, {} s. It has no verdict and no check of its counts.\n\n{text}",
            run.summary.run.duration_s
        ),
    }
}
