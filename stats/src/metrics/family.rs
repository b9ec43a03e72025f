//! What a metric is, whatever way it is written.

use std::sync::Arc;

use super::buckets::Buckets;

/// Longest value of a label, characters; a longer one is cut and ends with an ellipsis.
pub const LABEL_CHARS_MAX: usize = 256;

/// One metric with all its series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    /// A sentence for people.
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) series: Vec<Series>,
}

/// How the values of a family go over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// One set of labels and what it stands at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) value: Value,
}

/// Names and bounded values, in a fixed order.
pub(super) type Labels = Vec<(&'static str, Arc<str>)>;

/// What a series stands at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Histogram(Box<Buckets>),
    Summary {
        count: u64,
        sum: f64,
        /// (share from 0 to 1, value), rising.
        quantiles: Vec<(f64, f64)>,
    },
}

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self { name, help, kind, series: Vec::new() }
    }

    /// A family of one series without labels.
    pub(super) fn single(name: &'static str, help: &'static str, kind: Kind, value: f64) -> Self {
        let mut family = Self::new(name, help, kind);
        family.number(Vec::new(), value);
        family
    }

    pub(super) fn number(&mut self, labels: Labels, value: f64) {
        self.series.push(Series { labels, value: Value::Number(value) });
    }

    pub(super) fn histogram(&mut self, labels: Labels, buckets: &Buckets) {
        self.series.push(Series { labels, value: Value::Histogram(Box::new(buckets.clone())) });
    }
}

/// A text from outside as the value of a label: whole, or its first [`LABEL_CHARS_MAX`] characters.
pub(super) fn bounded(text: &str) -> Arc<str> {
    if text.chars().nth(LABEL_CHARS_MAX).is_none() {
        return text.into();
    }
    let cut: String = text.chars().take(LABEL_CHARS_MAX - 1).chain(['…']).collect();
    cut.into()
}

/// As Prometheus writes numbers.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(&*bounded("a\"b\n"), "a\"b\n");
        assert_eq!(&*bounded(&"€".repeat(256)), "€".repeat(256));
        assert_eq!(&*bounded(&"€".repeat(257)), format!("{}…", "€".repeat(255)));
        assert_eq!(bounded(&"x".repeat(10_000)).chars().count(), LABEL_CHARS_MAX);
    }

    #[test]
    fn numbers_are_written_without_an_exponent() {
        assert_eq!(number(0.000_25), "0.00025");
        assert_eq!(number(60.0), "60");
        assert_eq!(number(1e15), "1000000000000000");
        assert_eq!(number(f64::INFINITY), "+Inf");
        assert_eq!(number(f64::NEG_INFINITY), "-Inf");
        assert_eq!(number(f64::NAN), "NaN");
    }
}
