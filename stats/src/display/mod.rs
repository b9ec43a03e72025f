//! What a person reads of a run, and the JSON summary a script reads.
//!
//! [`Console`] is an [`Output`](crate::Output): while the load runs it prints hrp's interval table and keeps a progress
//! line, and at the end it prints the [`report`]. [`summary_json`] is the whole [`Summary`](crate::Summary), and [`WholeFile`] where it is written.
//!
//! Guarantees:
//! - every figure comes from a snapshot or the summary as it stands; nothing is estimated here, and a percentile that
//!   rests on too few samples is marked;
//! - a text from outside (a server's message, a step's name) is shown on one line and cannot steer the terminal;
//! - a reader that goes away ends the output and nothing else;
//! - a file is whole or is not there: a reader never sees half of one.
//!
//! Reading order: [`units`], [`text`], `table`, `progress`, `report`, `console`, `json`, `whole_file`.

mod console;
mod json;
mod progress;
mod report;
mod table;
pub mod text;
pub mod units;
mod whole_file;

pub use console::{Console, ConsoleOptions};
pub use json::summary_json;
pub use report::{report, ReportOptions};
pub use table::TABLE_EVERY_S;
pub use whole_file::{WholeFile, WholeFileError};
