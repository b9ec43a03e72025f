//! What a person reads of a run, and the JSON summary a script reads.
//!
//! [`Console`] is an [`Output`](crate::Output): while the load runs it prints hrp's interval table and keeps a progress
//! line, and at the end it prints the [`report`]. [`summary_json`] is the whole [`Summary`](crate::Summary), and [`WholeFile`] where it is written.
//! [`charts`] are the same seconds and latencies drawn.
//! [`capacity_report`] and [`capacity_json`] are the same of a capacity search, [`probe_line`] a probe while it goes on;
//! [`comparison_report`], [`comparison_markdown`] and [`comparison_json`] of a comparison.
//!
//! Guarantees:
//! - every figure comes from a snapshot or the summary as it stands; nothing is estimated here, and a percentile that
//!   rests on too few samples is marked;
//! - a text from outside (a server's message, a step's name) is shown on one line and cannot steer the terminal;
//! - a reader that goes away ends the output and nothing else;
//! - a file is whole or is not there: a reader never sees half of one.
//!
//! Reading order: [`units`], [`text`], `table`, `progress`, `report`, `console`, `chart`, `capacity`, `comparison`, `runs`, `json`, `whole_file`.

mod capacity;
mod chart;
mod comparison;
mod console;
mod json;
mod progress;
pub(crate) mod report;
mod runs;
mod table;
pub mod text;
pub mod units;
mod whole_file;

pub use capacity::{capacity_headline, capacity_report, probe_line};
pub use chart::charts;
pub use comparison::{comparison_markdown, comparison_report};
pub use console::{Console, ConsoleOptions};
pub use json::{capacity_json, comparison_json, summary_json};
pub use report::{report, ReportOptions};
pub use runs::{kept_report, prune_text, runs_json, runs_table};
pub use table::TABLE_EVERY_S;
pub use whole_file::{WholeFile, WholeFileError};
