//! What differs, and whether it is more than chance.

use std::collections::BTreeMap;

use serde::Serialize;

use super::estimate::{estimates, Estimate};
use super::figure::Figure;
use super::limit::LimitOutcome;
use super::measured::{Contender, MeasuredRow, RowName, Source};
use crate::collector::Model;

/// The schema's name and version, the value of [`Comparison::schema`].
pub const SCHEMA: &str = "pummel.comparison/1";

/// The share of resampled differences outside an interval, at each end.
const TAIL: f64 = 0.025;

/// Contenders held against the first of them.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// All of them; the first is the baseline.
    pub contenders: Vec<ContenderFacts>,
    /// Each of the others against the baseline.
    pub comparisons: Vec<Pair>,
    /// Differences that were said to be too much, and whether they are; empty where none were.
    pub limits: Vec<LimitOutcome>,
}

/// What a contender is.
#[derive(Clone, Debug, Serialize)]
pub struct ContenderFacts {
    /// What people call it.
    pub name: String,
    /// What its runs were read from.
    pub source: Source,
    /// How many there are.
    pub runs: usize,
    /// Requests measured, in all of them.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// What to know of it, in sentences.
    pub notes: Vec<String>,
}

/// One contender against the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The contender's place in [`Comparison::contenders`].
    pub contender: usize,
    /// All requests together.
    pub all_requests: RowJudgement,
    /// The steps and transactions both have, in the baseline's order.
    pub steps: Vec<RowJudgement>,
    /// Those only the baseline has.
    pub only_in_baseline: Vec<RowName>,
    /// Those only the contender has.
    pub only_in_contender: Vec<RowName>,
    /// Both tell steps apart, and have none in common.
    pub nothing_in_common: bool,
    /// What to know of the comparison, in sentences.
    pub notes: Vec<String>,
}

/// One step of both.
#[derive(Clone, Debug, Serialize)]
pub struct RowJudgement {
    /// What it is called; empty for all requests.
    #[serde(flatten)]
    pub name: RowName,
    /// Its figures, those that neither side knows left out.
    pub figures: Vec<Judgement>,
}

/// One figure of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Which.
    pub figure: Figure,
    /// The baseline's; the mean over its runs. In the figure's unit.
    pub baseline: Option<f64>,
    /// The contender's.
    pub contender: Option<f64>,
    /// How far the contender is from the baseline: percent of the baseline, or percentage points for the share of failures.
    pub difference_percent: Option<f64>,
    /// The 95 % confidence interval of that difference, in the same unit.
    pub interval_percent: Option<[f64; 2]>,
    /// What that means.
    pub verdict: Change,
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// The contender is better.
    #[serde(rename = "better")]
    Better,
    /// The contender is worse.
    #[serde(rename = "worse")]
    Worse,
    /// Zero is within the interval, or all of the interval is within the noise floor: 1 %, or 0.01 points for failures.
    #[serde(rename = "no_change")]
    Same,
    /// There is not enough data to say.
    #[serde(rename = "not_enough_data")]
    Unknown,
}

impl Change {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "no change",
            Self::Unknown => "not enough data",
        }
    }
}

/// Holds each contender against the first. The result is the same each time.
pub fn compare(contenders: &[Contender]) -> Comparison {
    let facts = contenders.iter().map(facts).collect();
    let comparisons = match contenders {
        [] => Vec::new(),
        [baseline, others @ ..] => {
            let baseline = Side::of(baseline, 0);
            let others = others.iter().enumerate().map(|(at, other)| (at + 1, other));
            others.map(|(at, other)| pair(&baseline, &Side::of(other, at))).collect()
        }
    };
    Comparison { schema: SCHEMA, contenders: facts, comparisons, limits: Vec::new() }
}

fn facts(contender: &Contender) -> ContenderFacts {
    let runs = &contender.runs;
    let mut notes: Vec<String> = Vec::new();
    for note in runs.iter().flat_map(|run| &run.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    ContenderFacts {
        name: contender.name.clone(),
        source: contender.source,
        runs: runs.len(),
        requests: runs.iter().fold(0, |sum, run| sum.saturating_add(run.all.requests)),
        failures: runs.iter().fold(0, |sum, run| sum.saturating_add(run.all.failures)),
        notes,
    }
}

/// A contender's rows, each with the runs that have it.
struct Side<'a> {
    /// Its place among the contenders.
    at: usize,
    contender: &'a Contender,
    /// In the order first seen.
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    name: &'a RowName,
    runs: Vec<&'a MeasuredRow>,
}

impl<'a> Side<'a> {
    fn of(contender: &'a Contender, at: usize) -> Self {
        let mut places: BTreeMap<&RowName, usize> = BTreeMap::new();
        let mut rows: Vec<Row<'a>> = Vec::new();
        for row in contender.runs.iter().flat_map(|run| &run.rows) {
            let place = *places.entry(&row.name).or_insert(rows.len());
            match rows.get_mut(place) {
                Some(known) => known.runs.push(row),
                None => rows.push(Row { name: &row.name, runs: vec![row] }),
            }
        }
        Self { at, contender, rows }
    }

    fn all(&self) -> Vec<&'a MeasuredRow> {
        self.contender.runs.iter().map(|run| &run.all).collect()
    }

    fn model(&self) -> Option<Model> {
        self.contender.runs.iter().find_map(|run| run.model)
    }

    /// Differs between sides, so that two readings of the same run are not resampled alike.
    fn seed(&self) -> u64 {
        0x70_75_6d_6d_65_6c ^ ((self.at as u64 + 1) << 48)
    }
}

fn pair(baseline: &Side<'_>, other: &Side<'_>) -> Pair {
    let matches = matches(&baseline.rows, &other.rows);
    let mut steps = Vec::new();
    let mut only_in_baseline = Vec::new();
    for (row, found) in baseline.rows.iter().zip(&matches) {
        match found {
            Some(place) => {
                let judged = judge_row(&row.runs, baseline, &other.rows[*place].runs, other);
                steps.push(RowJudgement { name: row.name.clone(), figures: judged });
            }
            None => only_in_baseline.push(row.name.clone()),
        }
    }
    let unmatched = other.rows.iter().enumerate().filter(|(place, _)| !matches.contains(&Some(*place)));
    Pair {
        contender: other.at,
        all_requests: RowJudgement {
            name: RowName::default(),
            figures: judge_row(&baseline.all(), baseline, &other.all(), other),
        },
        nothing_in_common: steps.is_empty() && !baseline.rows.is_empty() && !other.rows.is_empty(),
        steps,
        only_in_baseline,
        only_in_contender: unmatched.map(|(_, row)| row.name.clone()).collect(),
        notes: notes(baseline, other),
    }
}

/// For each row of `a` its counterpart in `b`: one of the same name, else the only one left that may be the same, where the row is
/// the only one left that may be it.
fn matches(a: &[Row<'_>], b: &[Row<'_>]) -> Vec<Option<usize>> {
    let exact: BTreeMap<&RowName, usize> = b.iter().enumerate().map(|(place, row)| (row.name, place)).collect();
    let mut found: Vec<Option<usize>> = a.iter().map(|row| exact.get(row.name).copied()).collect();
    let mut taken = vec![false; b.len()];
    found.iter().flatten().for_each(|&place| taken[place] = true);
    // By name, so that the work does not grow with the product of the two.
    let mut left: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, row) in a.iter().enumerate().filter(|(at, _)| found[*at].is_none()) {
        left.entry(&row.name.name).or_default().0.push(at);
    }
    for (place, row) in b.iter().enumerate().filter(|(place, _)| !taken[*place]) {
        left.entry(&row.name.name).or_default().1.push(place);
    }
    for (from, to) in left.into_values() {
        // More of one name than this are no test case's; they are named as unmatched.
        if from.len().max(to.len()) > 100 {
            continue;
        }
        for &at in &from {
            let may_be = |at: usize, place: usize| a[at].name.may_be(b[place].name);
            let mut candidates = to.iter().filter(|place| may_be(at, **place));
            if let (Some(&place), None) = (candidates.next(), candidates.next()) {
                if from.iter().filter(|at| may_be(**at, place)).count() == 1 {
                    found[at] = Some(place);
                }
            }
        }
    }
    found
}

fn notes(baseline: &Side<'_>, other: &Side<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let meaning = |model| match model {
        Model::Closed => "service time (a closed run)",
        Model::Open => "response time from when a request was due (an open run)",
    };
    if let (Some(a), Some(b)) = (baseline.model(), other.model()) {
        if a != b {
            notes.push(format!(
                "the latencies do not mean the same: the baseline's are {}, the other's {}",
                meaning(a),
                meaning(b)
            ));
        }
    }
    notes
}

fn judge_row(a: &[&MeasuredRow], a_side: &Side<'_>, b: &[&MeasuredRow], b_side: &Side<'_>) -> Vec<Judgement> {
    let (a, b) = (estimates(a, a_side.seed()), estimates(b, b_side.seed()));
    let pairs = Figure::ALL.into_iter().zip(a.iter().zip(&b));
    let known = pairs.filter(|(_, (a, b))| a.point.is_some() || b.point.is_some());
    known.map(|(figure, (a, b))| judge(figure, a, b)).collect()
}

fn judge(figure: Figure, a: &Estimate, b: &Estimate) -> Judgement {
    let difference = a.point.zip(b.point).and_then(|(a, b)| figure.difference(a, b));
    let interval = difference.and_then(|_| interval(figure, a.resampled.as_deref()?, b.resampled.as_deref()?));
    let verdict = interval.map_or(Change::Unknown, |[low, high]| {
        let noise = figure.noise();
        if (low <= 0.0 && high >= 0.0) || (low >= -noise && high <= noise) {
            Change::Same
        } else if (low > 0.0) == figure.more_is_better() {
            Change::Better
        } else {
            Change::Worse
        }
    });
    Judgement {
        figure,
        baseline: a.point.map(to_the_millionth),
        contender: b.point.map(to_the_millionth),
        difference_percent: difference.map(percent),
        interval_percent: interval.map(|ends| ends.map(percent)),
        verdict,
    }
}

/// Where the middle 95 % of the resampled differences lie.
fn interval(figure: Figure, a: &[f64], b: &[f64]) -> Option<[f64; 2]> {
    let count = a.len().min(b.len());
    let mut differences: Vec<f64> = a.iter().zip(b).filter_map(|(&a, &b)| figure.difference(a, b)).collect();
    // Where some resamples of the baseline are zero, the ratio has no upper end.
    if count == 0 || differences.len() < count {
        return None;
    }
    differences.sort_unstable_by(f64::total_cmp);
    let last = (count - 1) as f64;
    let (low, high) = ((TAIL * last).floor() as usize, ((1.0 - TAIL) * last).ceil() as usize);
    Some([differences[low], differences[high]])
}

/// Percent, to the thousandth: what is beyond is noise, and short numbers are the same in every JSON reader.
fn percent(ratio: f64) -> f64 {
    let rounded = (ratio * 100_000.0).round() / 1_000.0;
    // No "-0".
    rounded + 0.0
}

fn to_the_millionth(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figure::Figures;
    use crate::compare::kept::from_kept;
    use crate::compare::measured::{Measured, Span};
    use crate::compare::testing::{kept_run, kept_second};
    use crate::kept::KeptSecond;

    /// 30 seconds of 100 requests a second of each step; latencies 100 to 10,000 us, by a factor, seconds a little apart.
    fn run(steps: &[&str], factor: u64, seconds: u64) -> Measured {
        let run = kept_run(steps);
        let second = |t_s: u64| -> KeptSecond {
            let values: Vec<u64> = (1..=100).map(|n| (n * 100 + t_s % 3) * factor).collect();
            kept_second(t_s, &vec![&values[..]; steps.len()])
        };
        from_kept(&run, &(0..seconds).map(second).collect::<Vec<_>>())
    }

    fn contender(name: &str, runs: Vec<Measured>) -> Contender {
        Contender { name: name.into(), source: Source::Kept, runs }
    }

    fn judged(row: &RowJudgement, figure: Figure) -> &Judgement {
        row.figures.iter().find(|judgement| judgement.figure == figure).unwrap()
    }

    fn verdicts(row: &RowJudgement) -> Vec<Change> {
        row.figures.iter().map(|judgement| judgement.verdict).collect()
    }

    /// Runs of one step of which these are the figures.
    fn runs_of(figure: Figure, values: &[f64]) -> Vec<Measured> {
        let run = |value: &f64| {
            let mut figures = Figures::default();
            figures.set(figure, *value);
            let all = MeasuredRow { requests: 5_000, samples: 5_000, figures, ..MeasuredRow::default() };
            let step = MeasuredRow { name: RowName { name: "s".into(), ..RowName::default() }, ..all.clone() };
            Measured { all, rows: vec![step], ..Measured::default() }
        };
        values.iter().map(run).collect()
    }

    #[test]
    fn the_same_twice_is_no_change() {
        let comparison = compare(&[contender("a", vec![run(&["s"], 1, 30)]), contender("b", vec![run(&["s"], 1, 30)])]);
        let [pair] = &comparison.comparisons[..] else { panic!() };
        for row in pair.steps.iter().chain([&pair.all_requests]) {
            let mut expected = [Change::Same; 8];
            expected[7] = Change::Unknown; // The maximum of one run.
            assert_eq!(verdicts(row), expected);
            assert!(row.figures.iter().all(|judgement| judgement.difference_percent == Some(0.0)));
        }
        assert_eq!((comparison.contenders[0].requests, comparison.contenders[0].runs), (3_000, 1));
    }

    #[test]
    fn twice_the_latency_is_worse_by_a_hundred_percent() {
        let comparison = compare(&[contender("a", vec![run(&["s"], 1, 30)]), contender("b", vec![run(&["s"], 2, 30)])]);
        let step = &comparison.comparisons[0].steps[0];
        let p99 = judged(step, Figure::P99);
        // Histograms round up by 0.1 % at most.
        assert!((p99.difference_percent.unwrap() - 100.0).abs() < 0.3, "{p99:?}");
        let [low, high] = p99.interval_percent.unwrap();
        assert!(low > 99.0 && high < 101.0, "{p99:?}");
        use Change::{Same, Unknown, Worse};
        assert_eq!(verdicts(step), [Same, Same, Worse, Worse, Worse, Worse, Worse, Unknown]);
        // The other way round it is better, by half.
        let back = compare(&[contender("a", vec![run(&["s"], 2, 30)]), contender("b", vec![run(&["s"], 1, 30)])]);
        let p99 = judged(&back.comparisons[0].steps[0], Figure::P99);
        assert_eq!(p99.verdict, Change::Better);
        assert!((p99.difference_percent.unwrap() + 50.0).abs() < 0.1);
    }

    #[test]
    fn short_runs_are_not_judged_and_small_differences_are_none() {
        let short = compare(&[contender("a", vec![run(&["s"], 1, 19)]), contender("b", vec![run(&["s"], 2, 19)])]);
        assert!(verdicts(&short.comparisons[0].steps[0]).iter().all(|verdict| *verdict == Change::Unknown));

        let small =
            [contender("a", runs_of(Figure::P50, &[1000.0; 3])), contender("b", runs_of(Figure::P50, &[1009.0; 3]))];
        let judgement = &compare(&small).comparisons[0].steps[0].figures[0];
        assert_eq!((judgement.difference_percent, judgement.interval_percent), (Some(0.9), Some([0.9, 0.9])));
        assert_eq!(judgement.verdict, Change::Same, "within 1 %");
    }

    #[test]
    fn repeated_runs_are_judged_by_their_spread() {
        let verdict = |a: &[f64], b: &[f64]| {
            let both = [contender("a", runs_of(Figure::Rps, a)), contender("b", runs_of(Figure::Rps, b))];
            compare(&both).comparisons[0].all_requests.figures[0].clone()
        };
        let better = verdict(&[100.0, 101.0, 99.0], &[150.0, 151.0, 149.0]);
        assert_eq!((better.difference_percent, better.verdict), (Some(50.0), Change::Better));
        assert_eq!(verdict(&[150.0, 151.0, 149.0], &[100.0, 101.0, 99.0]).verdict, Change::Worse);
        assert_eq!(verdict(&[100.0, 140.0, 60.0], &[110.0, 150.0, 70.0]).verdict, Change::Same);
        assert_eq!(verdict(&[100.0, 100.0], &[200.0, 200.0]).verdict, Change::Unknown, "two runs without intervals");
        let maximum =
            [contender("a", runs_of(Figure::Max, &[10.0; 3])), contender("b", runs_of(Figure::Max, &[90.0; 3]))];
        assert_eq!(compare(&maximum).comparisons[0].all_requests.figures[0].verdict, Change::Worse);
    }

    /// How many of 200 comparisons of a service with itself find a difference. 5 % of them are 10; seconds that resemble each other
    /// make it somewhat more.
    fn found_where_there_is_none(mut measure: impl FnMut() -> Vec<Measured>) -> usize {
        let found = |_: &i32| {
            let both = [contender("a", measure()), contender("b", measure())];
            compare(&both).comparisons[0].all_requests.figures[0].verdict != Change::Same
        };
        (0..200).filter(found).count()
    }

    #[test]
    fn chance_is_seldom_taken_for_a_difference() {
        let mut rng = fastrand::Rng::with_seed(11);
        let mut noise = move || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        // One run: seconds of which each is a little like the one before.
        let seconds = |noise: &mut dyn FnMut() -> f64| {
            let mut last = 0.0;
            let spans = (0..60).map(|_| {
                last = 0.4 * last + noise();
                Span { length_s: 1.0, requests: (1_000.0 + 50.0 * last) as u64, ..Span::default() }
            });
            let spans: Vec<Span> = spans.collect();
            let mut figures = Figures::default();
            figures.set(Figure::Rps, spans.iter().map(|span| span.requests).sum::<u64>() as f64 / 60.0);
            vec![Measured { all: MeasuredRow { figures, spans, ..MeasuredRow::default() }, ..Measured::default() }]
        };
        let found = found_where_there_is_none(|| seconds(&mut noise));
        assert!(found <= 24, "{found} of 200");
        let found = found_where_there_is_none(|| runs_of(Figure::Rps, &[0, 1, 2].map(|_| 1_000.0 + 50.0 * noise())));
        assert!(found <= 14, "{found} of 200");
    }

    #[test]
    fn steps_of_one_side_are_named() {
        let comparison = compare(&[
            contender("a", vec![run(&["login", "old"], 1, 3)]),
            contender("b", vec![run(&["new", "login"], 1, 3)]),
            contender("c", vec![run(&["other"], 1, 3)]),
        ]);
        let [b, c] = &comparison.comparisons[..] else { panic!() };
        let names = |rows: &[RowName]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!((b.contender, b.steps.len(), b.steps[0].name.name.as_str()), (1, 1, "login"));
        assert_eq!((names(&b.only_in_baseline), names(&b.only_in_contender)), (vec!["old".into()], vec!["new".into()]));
        assert!(!b.nothing_in_common);
        assert!(c.nothing_in_common && c.steps.is_empty() && c.contender == 2);
    }

    #[test]
    fn a_tool_without_cases_and_types_is_matched_by_what_it_says() {
        let step = |case: Option<&str>, label: Option<&str>, name: &str| MeasuredRow {
            name: RowName { case: case.map(Into::into), label: label.map(Into::into), name: name.into() },
            requests: 1,
            ..MeasuredRow::default()
        };
        let ours = Measured {
            rows: vec![
                step(Some("shop"), Some("request-GET"), "login"),
                step(Some("shop"), Some("request-POST"), "login"),
                step(Some("shop"), Some("request-GET"), "twice"),
                step(Some("bank"), Some("request-GET"), "twice"),
            ],
            ..Measured::default()
        };
        let theirs = Measured {
            rows: vec![step(None, Some("request-GET"), "login"), step(None, Some("request-GET"), "twice")],
            ..Measured::default()
        };
        let pair = &compare(&[contender("a", vec![ours]), contender("b", vec![theirs])]).comparisons[0];
        assert_eq!(pair.steps.len(), 1);
        assert_eq!(pair.steps[0].name.label.as_deref(), Some("request-GET"));
        assert_eq!((pair.only_in_baseline.len(), pair.only_in_contender.len()), (3, 1), "which \"twice\" is not known");
    }

    #[test]
    fn a_closed_and_an_open_run_are_told_apart() {
        let (closed, mut open) = (run(&["s"], 1, 3), run(&["s"], 1, 3));
        open.model = Some(Model::Open);
        let pair = &compare(&[contender("a", vec![closed]), contender("b", vec![open])]).comparisons[0];
        assert!(pair.notes[0].starts_with("the latencies do not mean the same"), "{:?}", pair.notes);
    }

    #[test]
    fn the_document_has_its_schema_and_units() {
        let small =
            [contender("a", runs_of(Figure::P50, &[1000.0; 3])), contender("b", runs_of(Figure::P50, &[2000.0; 3]))];
        let json = serde_json::to_value(compare(&small)).unwrap();
        assert_eq!(json["schema"], "pummel.comparison/1");
        let expected = serde_json::json!({
            "figure": "p50_us", "baseline": 1000.0, "contender": 2000.0,
            "difference_percent": 100.0, "interval_percent": [100.0, 100.0], "verdict": "worse",
        });
        assert_eq!(json["comparisons"][0]["steps"][0]["figures"][0], expected);
        assert_eq!(json["comparisons"][0]["steps"][0]["name"], "s");
        assert_eq!(json["contenders"][1]["source"], "kept");
        assert_eq!(json, serde_json::to_value(compare(&small)).unwrap(), "the same each time");
    }
}
