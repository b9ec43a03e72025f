//! The report at the end of a run: everything a person needs of the summary, as text.
//!
//! `page` puts the sections in order, `load` says what made the load, `figures` writes the tables of latencies, `sections` everything
//! around them, `samples` the failures that were kept.

mod figures;
mod load;
mod page;
mod samples;
mod sections;

pub(crate) use figures::{has_several_cases, shown, step_name, Percentile, PERCENTILES};
pub(super) use page::Text;
pub use page::{report, ReportOptions};
pub(crate) use sections::{how_it_was, limit_sentence, nothing_measured, verdict_sentence};

#[cfg(test)]
mod tests;
