//! What thresholds are held against, taken from what was added up.

use std::borrow::Cow;

use crate::latency::Recorded;
use crate::row::RowKind;
use crate::threshold::{Condition, Figure, Metric, Part, Standing, Statistic, Unit, Unknown};

use super::report::per_second;
use super::totals::{RowSum, Totals};
use super::Model;

/// How a condition stands with everything added up so far, over `load_s` seconds of load.
pub(super) fn standing(totals: &Totals, condition: &Condition, load_s: f64) -> Standing {
    let figure = match &condition.step {
        None => figure(condition, &All(totals), load_s),
        Some(name) => {
            let rows = Rows::named(name, totals);
            if rows.rows.is_empty() {
                return Standing::Unknown(Unknown::NoSuchStep);
            }
            figure(condition, &rows, load_s)
        }
    };
    Standing::of(condition, figure)
}

/// What a condition is about: all requests, or those of one name.
trait Subject {
    fn failed(&self) -> u64;
    fn finished(&self) -> u64;
    /// Finished before the stop.
    fn in_window(&self) -> u64;
    fn latency(&self, part: Option<Part>) -> Cow<'_, Recorded<u64>>;
}

fn figure(condition: &Condition, of: &impl Subject, load_s: f64) -> Figure {
    let finished = of.finished();
    let (samples, value) = match condition.metric {
        Metric::Latency(part, statistic) => {
            let latency = of.latency(part);
            (latency.moments().count(), value_of(&latency, statistic))
        }
        Metric::Errors if condition.unit() == Unit::Ratio => (finished, Some(of.failed() as f64 / finished as f64)),
        Metric::Errors => (finished, Some(of.failed() as f64)),
        Metric::Rps => (finished, Some(per_second(of.in_window(), load_s))),
        Metric::Requests => (finished, Some(finished as f64)),
    };
    Figure { finished, samples, value }
}

fn value_of(latency: &Recorded<u64>, statistic: Statistic) -> Option<f64> {
    let moments = latency.moments();
    match statistic {
        Statistic::Min => moments.min().map(|us| us as f64),
        Statistic::Mean => moments.mean(),
        Statistic::Max => moments.max().map(|us| us as f64),
        Statistic::Percentile(_) if moments.count() == 0 => None,
        Statistic::Percentile(millionths) => {
            let [us] = latency.values_at([f64::from(millionths) / 1e6]);
            Some(us as f64)
        }
    }
}

fn part_or_models(part: Option<Part>, model: Model) -> Part {
    part.unwrap_or(match model {
        Model::Closed => Part::Service,
        Model::Open => Part::Response,
    })
}

struct All<'a>(&'a Totals);

impl Subject for All<'_> {
    fn failed(&self) -> u64 {
        self.0.counts.failed
    }

    fn finished(&self) -> u64 {
        self.0.counts.succeeded + self.0.counts.failed
    }

    fn in_window(&self) -> u64 {
        self.0.of_kind(RowKind::Request).map(|row| row.in_window).sum()
    }

    fn latency(&self, part: Option<Part>) -> Cow<'_, Recorded<u64>> {
        Cow::Borrowed(match part_or_models(part, self.0.model) {
            Part::Service => &self.0.service,
            Part::Response => &self.0.response,
        })
    }
}

/// The rows of one name, of all cases together.
struct Rows<'a> {
    rows: Vec<&'a RowSum>,
    model: Model,
}

impl<'a> Rows<'a> {
    /// Those of the load's steps; where no step has the name, of once-per-user steps; then of transactions and referenced cases.
    fn named(name: &str, totals: &'a Totals) -> Self {
        let of_kind = |kind| totals.of_kind(kind).filter(|row| &*row.key.name == name).collect::<Vec<_>>();
        let kinds = [RowKind::Request, RowKind::Setup, RowKind::Transaction];
        let rows = kinds.into_iter().map(of_kind).find(|rows| !rows.is_empty()).unwrap_or_default();
        Self { rows, model: totals.model }
    }
}

impl<'a> Subject for Rows<'a> {
    fn failed(&self) -> u64 {
        self.rows.iter().map(|row| row.failed).sum()
    }

    fn finished(&self) -> u64 {
        self.rows.iter().map(|row| row.succeeded + row.failed).sum()
    }

    fn in_window(&self) -> u64 {
        self.rows.iter().map(|row| row.in_window).sum()
    }

    fn latency(&self, part: Option<Part>) -> Cow<'_, Recorded<u64>> {
        let part = part_or_models(part, self.model);
        let latency = |row: &'a RowSum| match (row.key.kind, part) {
            (RowKind::Transaction, _) => &row.duration,
            (RowKind::Request | RowKind::Setup, Part::Service) => &row.service,
            (RowKind::Request | RowKind::Setup, Part::Response) => &row.response,
        };
        match self.rows.as_slice() {
            [only] => Cow::Borrowed(latency(only)),
            several => {
                let mut merged = Recorded::default();
                for row in several {
                    merged.merge(&latency(row).to_distribution());
                }
                Cow::Owned(merged)
            }
        }
    }
}
