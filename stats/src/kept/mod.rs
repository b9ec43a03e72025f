//! A run as it is kept: what a store holds of it and what reports and comparisons are made from.
//!
//! [`KeptRun`] is what there is once; [`KeptSecond`] is what happened in one span of time, row by row, with whole distributions, so
//! that spans merge exactly: the percentiles of any window are those of its samples, within the histogram's 0.1 %.

mod span;

pub(crate) use span::PartSum;
pub use span::{merged_spans, KeptClient, KeptPart, KeptSecond};

use serde::Serialize;

use crate::row::RowKey;
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

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has ended, and its summary is the one it wrote.
    Ended,
    /// It was killed, or goes on: there is no summary of its own.
    CutOff,
}
