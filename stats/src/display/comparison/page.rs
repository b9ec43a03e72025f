//! A comparison as text.

use std::collections::BTreeSet;

use super::cells::{difference, facts, interval, letter, name, step, value, NAMES_MAX, NEEDS};
use crate::compare::{Change, Comparison, Pair, RowJudgement, RowName, Standing};
use crate::display::report::{ReportOptions, Text};
use crate::display::text::{columns, one_line, LEFT, NAME_CHARS_MAX, RIGHT};

/// The report, each line with its line break: who is compared, then each contender against the first, step by step.
pub fn comparison_report(comparison: &Comparison, options: ReportOptions) -> String {
    let mut text = Text::new(options);
    contenders(&mut text, comparison);
    let mut unknown = false;
    for pair in &comparison.comparisons {
        unknown |= the_pair(&mut text, pair);
    }
    limits(&mut text, comparison);
    if unknown {
        text.line("");
        text.sentence("  not enough data: ", NEEDS);
    }
    text.into_lines()
}

fn contenders(text: &mut Text, comparison: &Comparison) {
    text.line("");
    text.title("Comparison (A is the baseline; a difference is the other's against it)");
    let rows: Vec<Vec<String>> = comparison
        .contenders
        .iter()
        .enumerate()
        .map(|(place, contender)| vec![letter(place), one_line(&contender.name, NAME_CHARS_MAX), facts(contender)])
        .collect();
    for line in columns(&["", "", ""], &[LEFT, LEFT, LEFT], &rows).iter().skip(1) {
        text.line(&format!("  {line}"));
    }
    for (place, contender) in comparison.contenders.iter().enumerate() {
        for note in &contender.notes {
            text.sentence(&format!("  note on {}: ", letter(place)), note);
        }
    }
}

/// One contender against the baseline; gives whether something could not be judged.
fn the_pair(text: &mut Text, pair: &Pair) -> bool {
    let other = letter(pair.contender);
    for note in &pair.notes {
        text.line("");
        text.sentence(&format!("  A and {other}: "), note);
    }
    let cases: BTreeSet<_> = pair.steps.iter().filter_map(|row| row.name.case.as_deref()).collect();
    let with_case = cases.len() > 1;
    text.heading(&format!("All requests, A and {other}"));
    let mut unknown = table(text, &pair.all_requests, &other);
    for row in &pair.steps {
        text.heading(&format!("{}, A and {other}", one_line(&step(&row.name, with_case), NAME_CHARS_MAX)));
        unknown |= table(text, row, &other);
    }
    only_in(text, "A", &pair.only_in_baseline);
    only_in(text, &other, &pair.only_in_contender);
    if pair.nothing_in_common {
        text.line("");
        let line = text.paint.yellow(&format!("  A and {other} have no step in common"));
        text.line(&line);
    }
    unknown
}

fn table(text: &mut Text, row: &RowJudgement, other: &str) -> bool {
    if row.figures.is_empty() {
        text.line("  neither says anything of them");
        return false;
    }
    let cells = row.figures.iter().map(|judgement| {
        vec![
            name(judgement.figure).to_owned(),
            value(judgement.figure, judgement.baseline),
            value(judgement.figure, judgement.contender),
            difference(judgement),
            interval(judgement),
            judgement.verdict.name().to_owned(),
        ]
    });
    let header = ["", "A", other, "DIFFERENCE", "95% INTERVAL", "VERDICT"];
    let lines = columns(&header, &[LEFT, RIGHT, RIGHT, RIGHT, RIGHT, LEFT], &cells.collect::<Vec<_>>());
    // The first line is the header's.
    let verdicts = [Change::Same].into_iter().chain(row.figures.iter().map(|judgement| judgement.verdict));
    for (line, verdict) in lines.iter().zip(verdicts) {
        let line = format!("  {line}");
        let line = match verdict {
            Change::Better => text.paint.green(&line),
            Change::Worse => text.paint.red(&line),
            Change::Same | Change::Unknown => line,
        };
        text.line(&line);
    }
    row.figures.iter().any(|judgement| judgement.verdict == Change::Unknown)
}

fn only_in(text: &mut Text, side: &str, names: &[RowName]) {
    if names.is_empty() {
        return;
    }
    text.heading(&format!("Only in {side}"));
    for name in names.iter().take(NAMES_MAX) {
        text.line(&format!("  {}", one_line(&step(name, true), NAME_CHARS_MAX)));
    }
    if let Some(more) = names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        text.line(&format!("  and {more} more"));
    }
}

fn limits(text: &mut Text, comparison: &Comparison) {
    if comparison.limits.is_empty() {
        return;
    }
    text.heading("Limits of difference");
    for outcome in &comparison.limits {
        let limit = one_line(&outcome.limit, 2 * NAME_CHARS_MAX);
        let other = letter(outcome.contender);
        let line = match outcome.outcome {
            Standing::Holds => format!("  holds       {limit}  {other}"),
            Standing::Broken => text.paint.red(&format!("  BROKEN      {limit}  {other}: {}", outcome.reason)),
            Standing::NotJudged => text.paint.yellow(&format!("  not judged  {limit}  {other}: {}", outcome.reason)),
        };
        text.line(&line);
    }
}
