//! The report at the end of a run: everything a person needs of the summary, as text.
//!
//! `page` puts the sections in order, `load` says what made the load, `figures` writes the tables of latencies, `sections` everything
//! around them.

mod figures;
mod load;
mod page;
mod sections;

pub(super) use page::Text;
pub use page::{report, ReportOptions};

#[cfg(test)]
mod tests;
