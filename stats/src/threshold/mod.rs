//! Thresholds: what a run must hold to pass, written as `[STEP:]METRIC OP VALUE[UNIT]`, such as `p99<250ms`,
//! `errors<0.1%`, `rps>2000` or `login:p95<=100ms`.
//!
//! Guarantees:
//! - a threshold that cannot be judged, for want of requests or of samples, does not pass; it says why instead;
//! - what is judged is the whole run, drain included, from merged histograms; rates divide by the load window;
//! - conditions no run can meet, and such as every run meets, are refused when they are read.
//!
//! Reading order: `condition` (what can be asked), `parse` (how it is written), `judge` (whether a figure holds), `watch` (the
//! run while it goes on).

mod condition;
mod judge;
mod parse;
mod watch;

use std::time::Duration;

pub use condition::{Bound, Condition, Metric, Operator, Part, Statistic, Unit};
pub(crate) use judge::{with_separators, Figure, Standing, Unknown};
pub use parse::ConditionError;
pub use watch::{Abort, Watch};

/// The thresholds of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// The run is stopped when one of them is broken this long after the start of the load, or later; `None` lets it go on.
    pub abort_after: Option<Duration>,
}
