//! Two runs or more, side by side: what differs, and whether the difference is more than chance.
//!
//! A [`Contender`] is one side, a run or several repeated ones. It comes from a kept run ([`from_kept`]), a JSON summary
//! ([`from_summary`]) or what another tool wrote ([`baseline::read`]). [`compare`] holds each against the first, step by step and
//! figure by figure, and a [`ChangeLimit`] says what difference is too much.
//!
//! Guarantees:
//! - a percentile is taken from merged histograms, never averaged within a run;
//! - the confidence interval of a difference is a bootstrap: over the measured intervals of a run, in blocks, so that what lasts
//!   longer than an interval is not taken for many independent observations; over runs where there are three or more. It is widened
//!   for the small number of blocks or runs (Hesterberg, "What Teachers Should Know about the Bootstrap", 2015), and is the same
//!   each time;
//! - what the data cannot decide is called [`Change::Unknown`]: percentiles without histograms, too few intervals, too few
//!   requests beyond a percentile, and the maximum of a single run, which is one request;
//! - warm-up and drain are left out where the source tells them apart; once-per-user steps are no part of a comparison;
//! - a step that only one side has is named, not dropped.
//!
//! Reading order: `figure`, `measured`, `kept`, `summary`, [`baseline`], `estimate`, `judge`, `limit`.

pub mod baseline;
mod estimate;
mod figure;
mod judge;
mod kept;
mod limit;
mod measured;
mod summary;
#[cfg(test)]
pub(crate) mod testing;

pub use figure::{Figure, Figures};
pub use judge::{compare, Change, Comparison, ContenderFacts, Judgement, Pair, RowJudgement, SCHEMA};
pub use kept::from_kept;
pub use limit::{ChangeLimit, ChangeLimitError, LimitOutcome, Standing};
pub use measured::{Contender, Measured, MeasuredRow, RowName, Source, Span, SPANS_MAX};
pub use summary::from_summary;
