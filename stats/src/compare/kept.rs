//! What is known of a run that was kept.

use super::figure::{Figure, Figures};
use super::measured::{Measured, MeasuredRow, RowName, Span, SpansMaker};
use super::summary::notes;
use crate::kept::{KeptPart, KeptRun, KeptSecond, RunState};
use crate::latency::Distribution;
use crate::row::RowKind;

/// A kept run with its seconds, or longer spans, in the order of time. Warm-up and drain are left out; every figure is of what is
/// left.
pub fn from_kept(run: &KeptRun, seconds: &[KeptSecond]) -> Measured {
    let measured: Vec<&KeptSecond> =
        seconds.iter().filter(|second| !second.point.warmup && !second.point.drain).collect();
    let mut all = Collected::new(RowName::default(), measured.len());
    let mut rows: Vec<Option<Collected>> = run
        .rows
        .iter()
        .map(|key| {
            let name = RowName {
                case: Some(key.case.to_string()),
                label: Some(key.label.to_string()),
                name: key.name.to_string(),
            };
            (key.kind != RowKind::Setup).then(|| Collected::new(name, measured.len()))
        })
        .collect();
    for second in measured {
        let length_s = load_length_s(run, second);
        let mut parts: Vec<Option<&KeptPart>> = vec![None; rows.len()];
        // A place that is no row's comes from a store that is not whole; its other rows are good.
        for part in second.parts.iter().filter(|part| part.row < run.rows.len()) {
            parts[part.row] = Some(part);
        }
        let mut whole = Span { length_s, latency: Some(second.latency(|row| run.is_request(row))), ..Span::default() };
        for ((row, key), part) in rows.iter_mut().zip(&run.rows).zip(&parts) {
            let Some(row) = row else { continue };
            let span = span_of(*part, length_s);
            if key.kind == RowKind::Request {
                whole.requests = whole.requests.saturating_add(span.requests);
                whole.failures = whole.failures.saturating_add(span.failures);
            }
            row.add(span);
        }
        all.add(whole);
    }
    let mut notes = notes(&run.summary);
    if run.state == RunState::CutOff {
        notes.push("it was cut off, or goes on: what was written of it is compared".into());
    }
    Measured {
        model: Some(run.summary.run.model),
        notes,
        all: all.into_row(),
        rows: rows.into_iter().flatten().map(Collected::into_row).filter(|row| row.requests > 0).collect(),
    }
}

fn span_of(part: Option<&KeptPart>, length_s: f64) -> Span {
    match part {
        Some(part) => Span {
            length_s,
            requests: part.succeeded.saturating_add(part.failed),
            failures: part.failed,
            latency: Some(part.latency().clone()),
        },
        None => Span { length_s, latency: Some(Distribution::default()), ..Span::default() },
    }
}

/// How much of a span load was made in: the last second of a run is seldom a whole one.
fn load_length_s(run: &KeptRun, second: &KeptSecond) -> f64 {
    let whole_s = second.point.span_s.max(1) as f64;
    let window = &run.summary.run;
    if window.load_s <= 0.0 {
        return whole_s;
    }
    (window.warmup_s + window.load_s - second.point.t_s as f64).clamp(0.0, whole_s)
}

/// A row as far as it is collected.
struct Collected {
    row: MeasuredRow,
    spans: SpansMaker,
    length_s: f64,
}

impl Collected {
    fn new(name: RowName, intervals: usize) -> Self {
        Self { row: MeasuredRow { name, ..MeasuredRow::default() }, spans: SpansMaker::new(intervals), length_s: 0.0 }
    }

    fn add(&mut self, span: Span) {
        self.row.requests = self.row.requests.saturating_add(span.requests);
        self.row.failures = self.row.failures.saturating_add(span.failures);
        self.length_s += span.length_s;
        self.spans.add(span);
    }

    fn into_row(mut self) -> MeasuredRow {
        let spans = self.spans.into_spans();
        let latency = Distribution::merged(spans.iter().filter_map(|span| span.latency.as_ref()));
        let mut figures = Figures::default();
        figures.set(Figure::Rps, self.row.requests as f64 / self.length_s);
        figures.set_failures(self.row.failures, self.row.requests);
        let moments = latency.moments();
        figures.set(Figure::Mean, moments.mean());
        figures.set(Figure::Max, moments.max().map(|us| us as f64));
        for figure in Figure::ALL {
            if let Some(share) = figure.share() {
                figures.set(figure, latency.value_at(share).map(|us| us as f64));
            }
        }
        self.row.samples = latency.count();
        self.row.figures = figures;
        self.row.spans = spans;
        self.row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{kept_run, kept_second};

    #[test]
    fn figures_are_of_what_was_measured() {
        let mut run = kept_run(&["a", "b"]);
        (run.summary.run.warmup_s, run.summary.run.load_s) = (1.0, 2.5);
        let mut seconds = vec![
            kept_second(0, &[&[9_000], &[9_000]]),
            kept_second(1, &[&[10, 20], &[30]]),
            kept_second(2, &[&[30, 40], &[]]),
            kept_second(3, &[&[50], &[70]]),
            kept_second(4, &[&[9_000], &[]]),
        ];
        seconds[0].point.warmup = true;
        seconds[4].point.drain = true;
        seconds[2].parts[0].failed = 1;
        let measured = from_kept(&run, &seconds);
        let [a, b] = &measured.rows[..] else { panic!("{:?}", measured.rows) };
        assert_eq!((a.requests, a.failures, a.samples), (6, 1, 5));
        assert_eq!(a.figures.get(Figure::Rps), Some(2.4), "6 in 2.5 s");
        assert_eq!(a.figures.get(Figure::Mean), Some(30.0));
        assert_eq!((a.figures.get(Figure::P50), a.figures.get(Figure::Max)), (Some(30.0), Some(50.0)));
        assert_eq!((b.requests, b.figures.get(Figure::Failures)), (2, Some(0.0)));
        let all = &measured.all;
        assert_eq!((all.requests, all.samples, all.figures.get(Figure::Max)), (8, 7, Some(70.0)));
        let lengths: Vec<_> = b.spans.iter().map(|span| (span.length_s, span.requests)).collect();
        assert_eq!(lengths, [(1.0, 1), (1.0, 0), (0.5, 1)]);
    }

    #[test]
    fn once_per_user_steps_and_rows_of_nothing_are_left_out() {
        let mut run = kept_run(&["login", "idle", "load"]);
        let mut setup = run.rows[0].clone();
        setup.kind = RowKind::Setup;
        run.rows[0] = setup;
        let mut seconds = vec![kept_second(0, &[&[10], &[], &[10]])];
        seconds[0].parts.push(KeptPart { row: 99, ..KeptPart::default() });
        let measured = from_kept(&run, &seconds);
        assert_eq!(measured.rows.len(), 1);
        assert_eq!((measured.rows[0].name.name.as_str(), measured.all.requests), ("load", 1));
    }

    #[test]
    fn a_run_of_nothing_has_no_figures() {
        let measured = from_kept(&kept_run(&["a"]), &[]);
        assert!(measured.rows.is_empty());
        assert_eq!(measured.all.figures, Figures::default());
    }
}
