//! What is known of a run, whatever it was read from.

use serde::Serialize;

use super::figure::Figures;
use crate::collector::Model;
use crate::latency::Distribution;

/// The most spans a row holds. A longer run's are merged, neighbours with each other, to this many: resampling more of them makes
/// intervals no better and costs time and memory.
pub const SPANS_MAX: usize = 100;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What people call it.
    pub name: String,
    /// What its runs were read from.
    pub source: Source,
    /// The same thing measured once or several times.
    pub runs: Vec<Measured>,
}

/// What a run was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A run of the store.
    Kept,
    /// pummel's JSON summary.
    Summary,
    /// The console log of `hrp boom`.
    Hrp,
    /// What wrk prints.
    Wrk,
    /// oha's JSON.
    Oha,
    /// The summary k6 exports.
    K6,
    /// Locust's `_stats.csv`.
    Locust,
}

impl Source {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "stored run",
            Self::Summary => "pummel summary",
            Self::Hrp => "hrp boom",
            Self::Wrk => "wrk",
            Self::Oha => "oha",
            Self::K6 => "k6",
            Self::Locust => "Locust",
        }
    }
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// How load was made, and so what its latencies mean; `None` of another tool's run.
    pub model: Option<Model>,
    /// What its reader should know of it, in sentences.
    pub notes: Vec<String>,
    /// All requests together. Its name is empty.
    pub all: MeasuredRow,
    /// Its steps and transactions, in the order first seen; none where the tool tells no steps apart.
    pub rows: Vec<MeasuredRow>,
}

/// What a row is called. Tools that do not say a case or a type leave them open, and they match any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RowName {
    /// Name of the test case.
    pub case: Option<String>,
    /// The type, such as `request-GET` or `transaction`.
    #[serde(rename = "type")]
    pub label: Option<String>,
    /// Name of the step or transaction.
    pub name: String,
}

impl RowName {
    /// Whether both may be the same step: what both say agrees.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        self.name == other.name && agree(&self.label, &other.label) && agree(&self.case, &other.case)
    }
}

/// One step, or all requests.
#[derive(Clone, Debug, Default)]
pub struct MeasuredRow {
    /// What it is called.
    pub name: RowName,
    /// Requests, or transactions, finished.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Latencies its percentiles rest on.
    pub samples: u64,
    /// Its figures.
    pub figures: Figures,
    /// What happened when, as far as that is known; at most [`SPANS_MAX`], one after the other.
    pub spans: Vec<Span>,
}

/// What happened in a stretch of measured time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// How long it lasted, seconds.
    pub length_s: f64,
    /// Requests finished.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// The latencies; `None` where only counts are known.
    pub latency: Option<Distribution>,
}

impl Span {
    /// Adds a neighbour.
    fn merge(&mut self, next: Span) {
        self.length_s += next.length_s;
        self.requests = self.requests.saturating_add(next.requests);
        self.failures = self.failures.saturating_add(next.failures);
        match (&mut self.latency, next.latency) {
            (Some(own), Some(other)) => own.merge(&other),
            (own, _) => *own = None,
        }
    }
}

/// Which span an interval goes to, of so many.
pub(super) fn span_of(interval: usize, intervals: usize) -> usize {
    if intervals <= SPANS_MAX {
        interval
    } else {
        interval * SPANS_MAX / intervals
    }
}

/// Spans made of intervals: each of about as many as its neighbours, [`SPANS_MAX`] at most.
#[derive(Clone, Debug)]
pub(super) struct SpansMaker {
    intervals: usize,
    added: usize,
    spans: Vec<Span>,
}

impl SpansMaker {
    /// For this many intervals.
    pub(super) fn new(intervals: usize) -> Self {
        Self { intervals, added: 0, spans: Vec::with_capacity(intervals.min(SPANS_MAX)) }
    }

    /// The next interval.
    pub(super) fn add(&mut self, interval: Span) {
        let place = span_of(self.added, self.intervals);
        self.added += 1;
        let filled = self.spans.len() == place + 1;
        match self.spans.last_mut() {
            Some(last) if filled => last.merge(interval),
            _ => self.spans.push(interval),
        }
    }

    pub(super) fn into_spans(self) -> Vec<Span> {
        self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(case: Option<&str>, label: Option<&str>, name: &str) -> RowName {
        RowName { case: case.map(str::to_owned), label: label.map(str::to_owned), name: name.into() }
    }

    #[test]
    fn what_a_tool_does_not_say_matches_any() {
        let ours = name(Some("shop"), Some("request-GET"), "login");
        assert!(ours.may_be(&name(None, Some("request-GET"), "login")));
        assert!(ours.may_be(&name(None, None, "login")));
        assert!(!ours.may_be(&name(None, Some("request-POST"), "login")));
        assert!(!ours.may_be(&name(Some("bank"), Some("request-GET"), "login")));
        assert!(!ours.may_be(&name(None, None, "logout")));
    }

    #[test]
    fn few_intervals_stay_and_many_are_merged_evenly() {
        let spans = |intervals: usize| {
            let mut maker = SpansMaker::new(intervals);
            (0..intervals).for_each(|_| maker.add(Span { length_s: 1.0, requests: 2, failures: 1, latency: None }));
            maker.into_spans()
        };
        assert_eq!(spans(100).len(), 100);
        let merged = spans(250);
        assert_eq!(merged.len(), 100);
        assert!(merged.iter().all(|span| span.requests == 4 || span.requests == 6));
        assert_eq!(merged.iter().map(|span| span.failures).sum::<u64>(), 250);
        assert!(spans(0).is_empty());
    }

    #[test]
    fn a_span_whose_latencies_are_not_all_known_knows_none() {
        let mut span = Span { latency: Some(Distribution::default()), ..Span::default() };
        span.merge(Span { latency: Some(Distribution::default()), ..Span::default() });
        assert!(span.latency.is_some());
        span.merge(Span::default());
        assert!(span.latency.is_none());
    }
}
