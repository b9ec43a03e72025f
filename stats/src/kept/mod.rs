//! A run as it is kept: what a store holds of it and what reports and comparisons are made from.
//!
//! [`KeptRun`] is what there is once; [`KeptSecond`] is what happened in one span of time, row by row, with whole distributions, so
//! that spans merge exactly: the percentiles of any window are those of its samples, within the histogram's 0.1 %.

mod span;

pub(crate) use span::PartSum;
pub use span::{merged_spans, KeptClient, KeptPart, KeptSecond};

use serde::Serialize;

use crate::row::{RowKey, RowKind};
use crate::summary::Summary;

/// A run that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRun {
    /// What a user called it afterwards (`pummel runs label`), if anything.
    pub label: Option<String>,
    /// How far it came.
    pub state: RunState,
    /// What it had to say at its end. Of a run that was cut off it is what can be said of the seconds that were written: counts,
    /// rates, latencies, errors; no verdict, no conservation check.
    pub summary: Summary,
    /// Its rows, in the order first seen: [`KeptPart::row`] is a place in them.
    pub rows: Vec<RowKey>,
}

impl KeptRun {
    /// Whether a row holds requests. One that is not known does not: a run that goes on may have got another since its rows were read, and
    /// a damaged store may lack one.
    pub fn is_request(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|key| key.kind == RowKind::Request)
    }
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has ended, and its summary is the one it wrote.
    Ended,
    /// It was killed, or goes on: there is no summary of its own.
    CutOff,
}
