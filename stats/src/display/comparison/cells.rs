//! The figures of a comparison as text.

use crate::compare::{ContenderFacts, Figure, Judgement, RowName};
use crate::display::units::{latency_or_dash, percent, rate};
use crate::row::TRANSACTION;

/// Steps named in one list, at most; the JSON document has all.
pub(super) const NAMES_MAX: usize = 50;

/// What a verdict rests on.
pub(super) const NEEDS: &str = "a verdict needs, on both sides, three runs or one of at least 20 intervals: seconds of a stored run, for \
                                rates and failures those of a JSON summary or the tables of hrp; and ten requests beyond a percentile; a \
                                maximum needs three runs";

/// The letter of a contender in tables.
pub(super) fn letter(place: usize) -> String {
    let letters = b'A'..=b'Z';
    letters.clone().nth(place).map_or_else(|| format!("#{}", place + 1), |letter| char::from(letter).to_string())
}

/// `pummel summary, 3 runs, 90000 requests, 0.1% failed`.
pub(super) fn facts(facts: &ContenderFacts) -> String {
    let runs = if facts.runs == 1 { "run" } else { "runs" };
    format!(
        "{}, {} {runs}, {} requests, {} failed",
        facts.source.name(),
        facts.runs,
        facts.requests,
        percent(facts.failures, facts.requests)
    )
}

/// What a figure is called in a table.
pub(super) fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::Rps => "RPS",
        Figure::Failures => "failed",
        other => other.name(),
    }
}

/// A step as in the report: the type without what every request's begins with, the case where it is wanted.
pub(super) fn step(name: &RowName, with_case: bool) -> String {
    let label = name.label.as_deref().unwrap_or_default();
    let label = label.strip_prefix("request-").unwrap_or(label);
    let mut text = match label {
        "" | TRANSACTION => name.name.clone(),
        label if name.name.starts_with(label) => name.name.clone(),
        label => format!("{label} {}", name.name),
    };
    if let Some(case) = name.case.as_deref().filter(|_| with_case) {
        text = format!("{case}: {text}");
    }
    text
}

/// A figure in its unit.
pub(super) fn value(figure: Figure, value: Option<f64>) -> String {
    match (figure, value) {
        (_, None) => "-".to_owned(),
        (Figure::Rps, Some(rps)) => rate(rps),
        // In millionths, which is finer than what is shown.
        (Figure::Failures, Some(share)) => percent((share * 1e6).ceil() as u64, 1_000_000),
        (_, us) => latency_or_dash(us),
    }
}

/// `+10.2%`, of failures `+0.10 points`.
pub(super) fn difference(judgement: &Judgement) -> String {
    judgement.difference_percent.map_or_else(|| "-".to_owned(), |percent| signed(judgement.figure, percent, true))
}

/// `+8.1 to +12.4%`.
pub(super) fn interval(judgement: &Judgement) -> String {
    let Some([low, high]) = judgement.interval_percent else { return "-".to_owned() };
    format!("{} to {}", signed(judgement.figure, low, false), signed(judgement.figure, high, true))
}

fn signed(figure: Figure, percent: f64, unit: bool) -> String {
    let (number, of) = match figure {
        Figure::Failures => (format!("{percent:+.2}"), " points"),
        _ => (format!("{percent:+.1}"), "%"),
    };
    // Nothing has no sign.
    let bare = number.trim_start_matches(['+', '-']);
    let number = if bare.bytes().all(|b| matches!(b, b'0' | b'.')) { bare.to_owned() } else { number };
    format!("{number}{}", if unit { of } else { "" })
}
