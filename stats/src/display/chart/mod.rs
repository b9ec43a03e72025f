//! Charts of text, for a terminal of 80 columns: bars, and columns over time.
//!
//! `bars` draws values side by side (the curve of a capacity search, a histogram), `over_time` a figure second by second, `histogram`
//! the latencies, and `page` puts the charts of a run together.

pub(super) mod bars;
mod histogram;
mod over_time;
mod page;

pub use page::charts;
pub(super) use page::{write, CHART_COLUMNS};
