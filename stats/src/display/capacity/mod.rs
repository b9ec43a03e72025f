//! A capacity search as a person sees it: a line for each probe, and the report of its result, which begins with the answer.
//!
//! `headline` is the answer in a sentence, `page` the report, `line` a probe while the search goes on.

mod headline;
mod line;
mod page;

pub use headline::capacity_headline;
pub use line::probe_line;
pub use page::capacity_report;

#[cfg(test)]
mod tests;
