//! What is known of a run from its JSON summary: no histograms, but how many requests ended in each second.

use super::figure::{Figure, Figures};
use super::measured::{Measured, MeasuredRow, RowName, Span, SpansMaker};
use crate::collector::Model;
use crate::latency::Latency;
use crate::summary::Summary;
use crate::verdict::Verdict;

/// A run from its summary. Its rates and failures can be judged over its seconds, its latencies over several runs only.
pub fn from_summary(summary: &Summary) -> Measured {
    let model = summary.run.model;
    let of_model = |service: &Latency, response: &Latency| match model {
        Model::Closed => service.clone(),
        Model::Open => response.clone(),
    };
    let spans = spans(summary);
    let totals = &summary.totals;
    let mut all = row(
        RowName::default(),
        (totals.requests, totals.failures),
        totals.rps,
        &of_model(&totals.service_us, &totals.response_us),
    );
    let mut rows = Vec::with_capacity(summary.steps.len() + summary.transactions.len());
    for step in &summary.steps {
        let name = name(&step.case, &step.label, &step.name);
        let latency = of_model(&step.service_us, &step.response_us);
        rows.push(row(name, (step.requests, step.failures), step.rps, &latency));
    }
    // Where there is one step, the seconds are its own.
    if let [only] = &mut rows[..] {
        only.spans.clone_from(&spans);
    }
    all.spans = spans;
    for transaction in &summary.transactions {
        let name = name(&transaction.case, &transaction.label, &transaction.name);
        let counts = (transaction.passed.saturating_add(transaction.failed), transaction.failed);
        rows.push(row(name, counts, transaction.rps, &transaction.duration_us));
    }
    rows.retain(|row| row.requests > 0);
    Measured { model: Some(model), notes: notes(summary), all, rows }
}

/// What a reader of a comparison should know of a run.
pub(super) fn notes(summary: &Summary) -> Vec<String> {
    let client = &summary.client;
    let because = client.reasons.first().map_or_else(String::new, |reason| format!(": {reason}"));
    match client.verdict {
        Verdict::Valid => Vec::new(),
        Verdict::Degraded => vec![format!("its latencies are distorted by the load generator{because}")],
        Verdict::Invalid => vec![format!("its client verdict is invalid{because}")],
    }
}

fn name(case: &str, label: &str, name: &str) -> RowName {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    RowName { case: known(case), label: known(label), name: name.to_owned() }
}

fn row(name: RowName, (requests, failures): (u64, u64), rps: f64, latency: &Latency) -> MeasuredRow {
    let mut figures = Figures::default();
    figures.set(Figure::Rps, rps);
    figures.set_failures(failures, requests);
    figures.set(Figure::Mean, latency.mean);
    for (figure, us) in [
        (Figure::P50, latency.p50),
        (Figure::P90, latency.p90),
        (Figure::P95, latency.p95),
        (Figure::P99, latency.p99),
        (Figure::Max, latency.max),
    ] {
        figures.set(figure, us.map(|us| us as f64));
    }
    MeasuredRow { name, requests, failures, samples: latency.count, figures, spans: Vec::new() }
}

/// The measured seconds of all requests.
fn spans(summary: &Summary) -> Vec<Span> {
    let measured = || summary.series.iter().filter(|point| !point.warmup && !point.drain);
    let end_s = summary.run.warmup_s + summary.run.load_s;
    let mut spans = SpansMaker::new(measured().count());
    for point in measured() {
        spans.add(Span {
            length_s: (end_s - point.t_s as f64).clamp(0.0, point.span_s.max(1) as f64),
            requests: point.requests,
            failures: point.failures.min(point.requests),
            latency: None,
        });
    }
    spans.into_spans()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn steps_and_transactions_are_rows() {
        let measured = from_summary(&sample::summary());
        let names: Vec<_> = measured.rows.iter().map(|row| (row.name.name.as_str(), row.requests)).collect();
        assert_eq!(names, [("hello", 15_000), ("order", 15_000), ("checkout", 15_000)]);
        let order = &measured.rows[1];
        assert_eq!((order.failures, order.samples, order.figures.get(Figure::Rps)), (4, 14_996, Some(1000.0)));
        assert_eq!(order.figures.get(Figure::Max), Some(15_795.0), "800 and 14,995 more");
        assert_eq!(order.name.label.as_deref(), Some("request-POST"));
        assert!(order.spans.is_empty());
        assert_eq!((measured.all.spans.len(), measured.all.spans[7].failures), (15, 4));
        assert!(measured.notes.is_empty());
    }

    #[test]
    fn an_open_run_means_response_time() {
        let mut summary = sample::summary();
        summary.run.model = Model::Open;
        summary.steps[0].response_us.p99 = Some(77_000);
        summary.transactions.clear();
        summary.steps.truncate(1);
        let measured = from_summary(&summary);
        assert_eq!(measured.rows[0].figures.get(Figure::P99), Some(77_000.0));
        assert_eq!(measured.rows[0].spans.len(), 15, "the seconds of the only step");
    }

    #[test]
    fn the_warmup_and_the_drain_are_no_measured_seconds() {
        let mut summary = sample::summary();
        summary.series[0].warmup = true;
        summary.series[14].drain = true;
        (summary.run.warmup_s, summary.run.load_s) = (1.0, 12.5);
        let spans = from_summary(&summary).all.spans;
        assert_eq!((spans.len(), spans[11].length_s, spans[12].length_s), (13, 1.0, 0.5));
    }

    #[test]
    fn a_minute_of_a_kept_run_is_a_minute() {
        let mut summary = sample::summary();
        // Two minutes of 600 requests each, of which the last was cut at 110 s, and seconds for whatever says nothing of it.
        let text = r#"[{"t_s": 0, "span_s": 60, "requests": 600}, {"t_s": 60, "span_s": 60, "requests": 500}]"#;
        summary.series = serde_json::from_str(text).unwrap();
        (summary.run.warmup_s, summary.run.load_s) = (0.0, 110.0);
        let lengths = |summary: &Summary| {
            from_summary(summary).all.spans.iter().map(|span| (span.length_s, span.requests)).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&summary), [(60.0, 600), (50.0, 500)]);
        summary.series = serde_json::from_str(r#"[{"t_s": 3, "requests": 7}]"#).unwrap();
        assert_eq!(lengths(&summary), [(1.0, 7)]);
    }

    #[test]
    fn a_client_that_was_the_limit_is_noted() {
        let mut summary = sample::summary();
        summary.client.verdict = Verdict::Invalid;
        summary.client.reasons = vec!["ports ran out".into()];
        assert_eq!(from_summary(&summary).notes, ["its client verdict is invalid: ports ran out"]);
    }
}
