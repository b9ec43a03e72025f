//! The files a run is handed on in: to a spreadsheet, to the tools of HdrHistogram, to a pull request, to a build server.
//!
//! [`csv()`] and [`hdr_log()`] are made of the kept seconds, one after the other and never all at once; [`markdown()`] and [`junit()`] of
//! the summary alone.
//!
//! Guarantees:
//! - every figure is one of the run's own: counts are exact, percentiles those of the samples within the histogram's 0.1 %;
//! - a name or a message from outside is cut after [`NAME_CHARS_MAX`] characters, stands on one line, and is text in each format,
//!   whatever it holds: no formula of a spreadsheet, no markup, no further column or record.
//!
//! Reading order: `names`, then a file for each format.

mod csv;
mod hdr_log;
mod junit;
mod markdown;
mod names;

pub use self::csv::csv;
pub use hdr_log::hdr_log;
pub use junit::junit;
pub use markdown::markdown;
pub use names::NAME_CHARS_MAX;

#[cfg(test)]
mod sample;
