//! A comment for a pull request, in GitHub-flavoured Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::collector::Model;
use crate::display::report::{
    has_several_cases, how_it_was, limit_sentence, nothing_measured, shown, step_name, verdict_sentence, PERCENTILES,
};
use crate::display::text::one_line;
use crate::display::units::{latency, rate, whole_us};
use crate::latency::Latency;
use crate::summary::Summary;

/// Steps shown, in the order of the run. A comment on GitHub has 65,536 characters at most, and with these bounds it has less.
const STEPS_MAX: usize = 40;
/// Thresholds shown, those that were missed first.
const THRESHOLDS_MAX: usize = 25;
/// Errors shown, the most frequent ones.
const ERRORS_MAX: usize = 10;
/// Reasons of the verdict shown.
const REASONS_MAX: usize = 10;
/// Longest name or message, characters: what is longer makes a table nobody reads.
const NAME_CHARS_MAX: usize = 120;
/// Longest sentence of the verdict, characters.
const SENTENCE_CHARS_MAX: usize = 200;

/// The percentiles of the table.
const SHOWN: [&str; 3] = ["P50", "P95", "P99"];

/// The summary as Markdown: outcome, verdict of the load generator, thresholds, steps and the most frequent errors. Less than 65,536
/// characters, whatever the run holds.
///
/// Names and messages from outside stand in code spans, where GitHub sees neither markup nor mentions.
pub fn markdown(summary: &Summary) -> String {
    let mut text = String::new();
    title(&mut text, summary);
    verdict(&mut text, summary);
    thresholds(&mut text, summary);
    steps(&mut text, summary);
    errors(&mut text, summary);
    text
}

fn title(text: &mut String, summary: &Summary) {
    let run = &summary.run;
    line(text, &format!("## Load test {}: {}", code(&run.name), outcome(summary)));
    let mut facts = vec![
        format!("{} run {}", code(&run.command), code(&run.id)),
        format!("started {}", code(&run.started_at)),
        format!("{} of load", latency(run.load_s * 1e6)),
    ];
    if run.warmup_s > 0.0 {
        facts.push(format!("{} of warm-up", latency(run.warmup_s * 1e6)));
    }
    if let Some(users) = summary.series.iter().map(|point| point.users).max().filter(|users| *users > 0) {
        facts.push(format!("at most {users} {}", if users == 1 { "user" } else { "users" }));
    }
    if let Some(threshold) = &run.stopped_for {
        facts.push(format!("stopped early, broken: {}", code(threshold)));
    } else if run.aborted {
        facts.push("stopped by Ctrl-C or a signal".to_owned());
    }
    facts.push(format!("pummel {}", code(&run.version)));
    line(text, "");
    line(text, &facts.join(", "));
}

/// What there is to know before all else.
fn outcome(summary: &Summary) -> String {
    let missed = summary.thresholds.iter().filter(|threshold| !threshold.ok).count();
    let mut parts = Vec::new();
    match (missed, summary.thresholds.len()) {
        (0, 0) => {}
        (0, 1) => parts.push("the threshold held".to_owned()),
        (0, all) => parts.push(format!("all {all} thresholds held")),
        (1, 1) => parts.push("the threshold was missed".to_owned()),
        (missed, all) => parts.push(format!("{missed} of {all} thresholds missed")),
    }
    if !summary.was_judged() {
        parts.push("cut off".to_owned());
    } else if summary.client.verdict == crate::Verdict::Invalid {
        parts.push("invalid".to_owned());
    }
    if !summary.conservation.broken.is_empty() {
        parts.push("the counts do not add up".to_owned());
    }
    if parts.is_empty() {
        parts.push("done".to_owned());
    }
    parts.join(", ")
}

fn verdict(text: &mut String, summary: &Summary) {
    line(text, "");
    if !summary.was_judged() {
        line(text, "No verdict: the run was cut off, and these are the figures of what was kept of it.");
        return;
    }
    let client = &summary.client;
    line(text, &format!("**{}**; limited by {}", verdict_sentence(client.verdict), limit_sentence(client.limit)));
    if !client.reasons.is_empty() {
        line(text, "");
    }
    for reason in client.reasons.iter().take(REASONS_MAX) {
        line(text, &format!("- {}", prose(reason)));
    }
}

fn thresholds(text: &mut String, summary: &Summary) {
    if summary.thresholds.is_empty() {
        return;
    }
    heading(text, "Thresholds");
    table(text, &["Result", "Threshold", "Figure"], 0);
    let (held, missed): (Vec<_>, Vec<_>) = summary.thresholds.iter().partition(|threshold| threshold.ok);
    for threshold in missed.iter().chain(&held).take(THRESHOLDS_MAX) {
        let result = if threshold.ok { "held" } else { "**MISSED**" };
        row(text, &[result.to_owned(), cell(&threshold.expression), prose(&how_it_was(threshold))]);
    }
    more(text, summary.thresholds.len(), THRESHOLDS_MAX);
}

fn steps(text: &mut String, summary: &Summary) {
    heading(text, "Requests");
    if nothing_measured(summary) {
        line(text, "Nothing was measured: the run ended within its warm-up.");
        return;
    }
    let totals = &summary.totals;
    if totals.requests == 0 {
        line(text, "No request finished.");
        return;
    }
    let model = summary.run.model;
    line(
        text,
        match model {
            Model::Closed => "Closed model: service time of the requests that succeeded.",
            Model::Open => "Open model: response time of the requests that succeeded.",
        },
    );
    line(text, "");
    table(text, &["Step", "Requests", "Failed", "RPS", "p50", "p95", "p99", "max"], 1);
    let cases = has_several_cases(summary);
    let mut weak = BTreeSet::new();
    for step in summary.steps.iter().take(STEPS_MAX) {
        let name = step_name(step);
        let name = if cases { cell(&format!("{}: {name}", step.case)) } else { cell(&name) };
        let latency = shown(model, &step.service_us, &step.response_us).0;
        row(text, &figures(name, [step.requests, step.failures], step.rps, latency, &mut weak));
    }
    if summary.steps.len() > 1 {
        let latency = shown(model, &totals.service_us, &totals.response_us).0;
        let counts = [totals.requests, totals.failures];
        row(text, &figures("**Total**".to_owned(), counts, totals.rps, latency, &mut weak));
    }
    more(text, summary.steps.len(), STEPS_MAX);
    if !weak.is_empty() {
        let needs: Vec<_> = weak.iter().map(|&at: &usize| PERCENTILES[at].need()).collect();
        line(text, "");
        line(text, &prose(&format!("~ too few samples to rely on: {}", needs.join(", "))));
    }
}

/// The cells of a row; notes which percentiles too few samples stand behind.
fn figures(
    name: String,
    [requests, failures]: [u64; 2],
    rps: f64,
    latency: &Latency,
    weak: &mut BTreeSet<usize>,
) -> Vec<String> {
    let mut cells = vec![name, requests.to_string(), failures.to_string(), rate(rps)];
    for (at, percentile) in PERCENTILES.iter().enumerate().filter(|(_, percentile)| SHOWN.contains(&percentile.name)) {
        cells.push(prose(&percentile.text(latency)));
        if percentile.is_weak(latency) {
            weak.insert(at);
        }
    }
    cells.push(whole_us(latency.max));
    cells
}

fn errors(text: &mut String, summary: &Summary) {
    if summary.errors.is_empty() {
        return;
    }
    heading(text, "Errors");
    table(text, &["Count", "Kind", "Step", "Message"], 0);
    for error in summary.errors.iter().take(ERRORS_MAX) {
        row(text, &[error.count.to_string(), cell(&error.kind), cell(&error.step), cell(&error.message)]);
    }
    more(text, summary.errors.len(), ERRORS_MAX);
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn heading(text: &mut String, heading: &str) {
    line(text, &format!("\n### {heading}\n"));
}

/// The head of a table; columns from `numbers_from` on are numbers, if that is not 0.
fn table(text: &mut String, head: &[&str], numbers_from: usize) {
    line(text, &format!("| {} |", head.join(" | ")));
    let rules: Vec<_> =
        (0..head.len()).map(|at| if numbers_from > 0 && at >= numbers_from { "---:" } else { "---" }).collect();
    line(text, &format!("| {} |", rules.join(" | ")));
}

fn row(text: &mut String, cells: &[String]) {
    line(text, &format!("| {} |", cells.join(" | ")));
}

fn more(text: &mut String, all: usize, most: usize) {
    if let Some(rest @ 1..) = all.checked_sub(most) {
        line(text, &format!("\nand {rest} more"));
    }
}

/// A text from outside as a code span (GFM section 6.3): it ends at a run of as many backticks as it began with, so these are one more
/// than any run in it.
fn code(text: &str) -> String {
    let text = one_line(text, NAME_CHARS_MAX);
    let text = text.trim();
    if text.is_empty() {
        return "-".to_owned();
    }
    let fence = "`".repeat(longest_run(text, '`') + 1);
    // A backtick at an end would be one of the fence's; a space there is taken off where both ends have one.
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// [`code`] in a table, where a stroke ends a cell also within a code span, but for one that is escaped (GFM section 4.10).
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// A sentence of our own, which may quote something: nothing in it is markup, a link, a mention or a reference.
fn prose(sentence: &str) -> String {
    let mut text = String::new();
    for c in one_line(sentence, SENTENCE_CHARS_MAX).chars() {
        match c {
            // GitHub looks for these in the finished text, so that escapes do not help and an empty comment does.
            '@' | '#' => _ = write!(text, "{c}<!-- -->"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '!' | '$' => {
                text.extend(['\\', c]);
            }
            c => text.push(c),
        }
    }
    // What would become a link by itself (GFM section 6.9).
    text.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report_files::sample::HOSTILE;
    use crate::sample;
    use crate::summary::{ErrorCount, Threshold};
    use crate::threshold::Unit;
    use crate::Verdict;

    fn threshold(expression: &str, value: f64, limit: f64) -> Threshold {
        Threshold {
            expression: expression.into(),
            value: Some(value),
            ok: value < limit,
            limit: Some(limit),
            unit: Unit::Us,
            by: (value >= limit).then(|| value / limit - 1.0),
            first_failed_s: (value >= limit).then_some(3),
            ..Threshold::default()
        }
    }

    #[test]
    fn a_run_with_a_threshold_that_was_missed() {
        let mut summary = sample::summary();
        summary.thresholds =
            vec![threshold("p99<20ms", 15_500.0, 20_000.0), threshold("order:max<10ms", 15_800.0, 10_000.0)];
        insta::assert_snapshot!(markdown(&summary), @r"
        ## Load test `demo`: 1 of 2 thresholds missed

        `boom` run `20261122-015220-4f2a`, started `2026-11-22T01:52:20.000Z`, 15.0 s of load, at most 200 users, pummel `0.1.0`

        **VALID: the load generator did not distort the figures**; limited by the server, or the way to it

        - no core of the client was above 62.0 %: the users waited for answers

        ### Thresholds

        | Result | Threshold | Figure |
        | --- | --- | --- |
        | **MISSED** | `order:max<10ms` | was 15.8 ms, 58.0% over, first seen in second 3 |
        | held | `p99<20ms` | was 15.5 ms |

        ### Requests

        Closed model: service time of the requests that succeeded.

        | Step | Requests | Failed | RPS | p50 | p95 | p99 | max |
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
        | `GET hello` | 15000 | 0 | 1000.0 | 7.90 ms | 14.7 ms | 15.3 ms | 15.4 ms |
        | `POST order` | 15000 | 4 | 1000.0 | 8.30 ms | 15.0 ms | 15.6 ms | 15.8 ms |
        | **Total** | 30000 | 4 | 2000.0 | 8.10 ms | 14.9 ms | 15.5 ms | 15.8 ms |

        ### Errors

        | Count | Kind | Step | Message |
        | --- | --- | --- | --- |
        | 3 | `assertion` | `order` | `status_code: expected 200, got 500` |
        | 1 | `connect_refused` | `order` | `127.0.0.1:8080 refused the connection` |
        ");
    }

    #[test]
    fn a_run_without_thresholds_and_one_that_was_cut_off() {
        let mut summary = sample::summary();
        assert!(markdown(&summary).starts_with("## Load test `demo`: done\n"));
        summary.client.verdict = Verdict::Invalid;
        assert!(markdown(&summary).starts_with("## Load test `demo`: invalid\n"));
        (summary.conservation, summary.client) = Default::default();
        let text = markdown(&summary);
        assert!(text.starts_with("## Load test `demo`: cut off\n"), "{text}");
        assert!(text.contains("\nNo verdict: the run was cut off") && !text.contains("VALID"), "{text}");
        let nothing = markdown(&Summary::default());
        assert!(nothing.contains("\nNo request finished.\n"), "{nothing}");
    }

    #[test]
    fn code_spans_hold_anything() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code(" "), "-");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a\n<b>"), "`a <b>`");
        assert_eq!(cell("a|b\\|c"), "`a\\|b\\\\|c`");
    }

    #[test]
    fn sentences_are_no_markup() {
        assert_eq!(prose("a_b <i> @team #1 [x](y) ~"), "a\\_b \\<i\\> @<!-- -->team #<!-- -->1 \\[x\\](y) \\~");
        assert_eq!(prose("http://a www.b"), "http:<!-- -->//a www<!-- -->.b");
    }

    /// Strokes that end a cell: those no backslash stands before.
    fn cells(row: &str) -> usize {
        row.replace("\\|", "").matches('|').count() - 1
    }

    #[test]
    fn whatever_a_name_holds_the_tables_keep_their_shape() {
        for name in HOSTILE {
            let mut summary = sample::summary();
            let lines = markdown(&summary).lines().count();
            summary.run.name = name.into();
            summary.errors[0].message = name.into();
            for step in &mut summary.steps {
                step.name = name.into();
            }
            let text = markdown(&summary);
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
            let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).map(cells).collect();
            assert_eq!(rows, [8, 8, 8, 8, 8, 4, 4, 4, 4], "{text}");
        }
    }

    #[test]
    fn the_longest_there_is_fits_a_comment() {
        let mut summary = sample::summary();
        let long = "|`@".repeat(4_000);
        summary.run.name.clone_from(&long);
        summary.client.reasons = vec![long.clone(); 100];
        let mut step = summary.steps[0].clone();
        (step.case, step.name) = (long.clone(), long.clone());
        summary.steps = vec![step; 1_000];
        summary.steps[0].case = "other".into();
        summary.thresholds = vec![Threshold { reason: Some(long.clone()), ..threshold(&long, 2.0, 1.0) }; 1_000];
        summary.errors =
            vec![ErrorCount { kind: long.clone(), step: long.clone(), message: long, count: u64::MAX }; 1_000];
        let text = markdown(&summary);
        assert!(text.chars().count() < 65_536, "{}", text.chars().count());
        assert!(text.contains("\nand 960 more\n") && text.contains("\nand 990 more\n"));
    }
}
