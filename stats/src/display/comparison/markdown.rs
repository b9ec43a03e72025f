//! A comparison as Markdown (GitHub's, with tables), for a pull request.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::cells::{difference, facts, interval, letter, name, step, value, NAMES_MAX, NEEDS};
use crate::compare::{Change, Comparison, Pair, RowJudgement, RowName, Standing};
use crate::display::text::one_line;

/// Longest name shown, characters.
const CHARS_MAX: usize = 256;

/// The document, with a line break at its end. Nothing in a name is taken for markup.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut page = String::from("## Comparison\n\n| | Contender | |\n|---|---|---|\n");
    for (place, contender) in comparison.contenders.iter().enumerate() {
        let _ = writeln!(page, "| {} | {} | {} |", letter(place), plain(&contender.name), plain(&facts(contender)));
    }
    page.push_str("\nA is the baseline; a difference is the other's against it.\n");
    for (place, contender) in comparison.contenders.iter().enumerate() {
        for note in &contender.notes {
            let _ = writeln!(page, "\n> Note on {}: {}", letter(place), plain(note));
        }
    }
    limits(&mut page, comparison);
    let mut unknown = false;
    for pair in &comparison.comparisons {
        unknown |= the_pair(&mut page, pair);
    }
    if unknown {
        let _ = writeln!(page, "\nNot enough data: {NEEDS}.");
    }
    page
}

/// One contender against the baseline; gives whether something could not be judged.
fn the_pair(page: &mut String, pair: &Pair) -> bool {
    let other = letter(pair.contender);
    let _ = writeln!(page, "\n### A and {other}\n");
    for note in &pair.notes {
        let _ = writeln!(page, "> Note: {}\n", plain(note));
    }
    let _ = writeln!(page, "| Step | Figure | A | {other} | Difference | 95% interval | Verdict |");
    page.push_str("|---|---|--:|--:|--:|--:|---|\n");
    let cases: BTreeSet<_> = pair.steps.iter().filter_map(|row| row.name.case.as_deref()).collect();
    let mut unknown = rows(page, "**All requests**", &pair.all_requests);
    for row in &pair.steps {
        unknown |= rows(page, &plain(&step(&row.name, cases.len() > 1)), row);
    }
    only_in(page, "A", &pair.only_in_baseline);
    only_in(page, &other, &pair.only_in_contender);
    if pair.nothing_in_common {
        let _ = writeln!(page, "\n**A and {other} have no step in common.**");
    }
    unknown
}

/// The step's name stands in its first row only.
fn rows(page: &mut String, step: &str, row: &RowJudgement) -> bool {
    for (at, judgement) in row.figures.iter().enumerate() {
        let verdict = match judgement.verdict {
            Change::Worse => "**worse**",
            Change::Better => "**better**",
            other => other.name(),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {verdict} |",
            if at == 0 { step } else { "" },
            name(judgement.figure),
            value(judgement.figure, judgement.baseline),
            value(judgement.figure, judgement.contender),
            difference(judgement),
            interval(judgement),
        );
    }
    row.figures.iter().any(|judgement| judgement.verdict == Change::Unknown)
}

fn only_in(page: &mut String, side: &str, names: &[RowName]) {
    if names.is_empty() {
        return;
    }
    let _ = writeln!(page, "\nOnly in {side}:\n");
    for name in names.iter().take(NAMES_MAX) {
        let _ = writeln!(page, "- {}", plain(&step(name, true)));
    }
    if let Some(more) = names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        let _ = writeln!(page, "- and {more} more");
    }
}

fn limits(page: &mut String, comparison: &Comparison) {
    if comparison.limits.is_empty() {
        return;
    }
    page.push_str("\n| Limit | Contender | Outcome | |\n|---|---|---|---|\n");
    for outcome in &comparison.limits {
        let standing = match outcome.outcome {
            Standing::Holds => "holds",
            Standing::Broken => "**broken**",
            Standing::NotJudged => "not judged",
        };
        let (limit, other) = (plain(&outcome.limit), letter(outcome.contender));
        let _ = writeln!(page, "| {limit} | {other} | {standing} | {} |", plain(&outcome.reason));
    }
}

/// A text from outside that is shown as it is: on one line, bounded, with each character Markdown or HTML would act on disarmed
/// (CommonMark 0.31, section 2.4).
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in one_line(text, CHARS_MAX).chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // GitHub would call the person, or link the issue.
            '@' => plain.push_str("&#64;"),
            '#' => plain.push_str("&#35;"),
            '\\' | '|' | '`' | '*' | '_' | '~' | '[' | ']' | '!' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(plain("a|b <script> & `c`\n@x"), "a\\|b &lt;script&gt; &amp; \\`c\\` &#64;x");
        assert_eq!(plain("![x](y) *z* #1"), "\\!\\[x\\](y) \\*z\\* &#35;1");
        assert_eq!(plain(&"x".repeat(10_000)).chars().count(), CHARS_MAX);
    }
}
