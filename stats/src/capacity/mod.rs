//! The capacity search: how much load a service takes while its thresholds hold.
//!
//! [`Search`] is a state machine without clock, network or threads. It says what to do [next](Search::next), is told what came of
//! it, and at the end gives the [`CapacityResult`]. Whoever drives it runs the probes. Levels grow geometrically until one
//! fails, then the interval is bisected; the level found is confirmed by a longer probe a little below it.
//!
//! Guarantees:
//! - an answer rests on a probe at that very level in which every threshold held, the rate was achieved, and the client's
//!   verdict was valid; no level at or above one that failed is ever an answer;
//! - one bad probe is no failure: it is repeated, after the service had time to recover;
//! - a probe with too few samples is repeated for longer, and fails nothing: where longer does not help the search ends;
//! - a request that has no answer counts as one that failed;
//! - an answer that another probe contradicts is called unclear, and that probe is named;
//! - where the client was in the way the answer is "at least", with the reason;
//! - the search ends after [`SearchSpec::probes_max`] probes and [`COOL_DOWNS_MAX`] cool-downs after each, whatever comes of them;
//! - the law of scalability is not drawn beyond what was measured.
//!
//! Reading order: [`spec`], [`probe`], `unanswered`, [`sizing`], `cool_down`, [`search`], [`usl`], [`result`].

mod cool_down;
pub mod probe;
pub mod result;
pub mod search;
#[cfg(test)]
pub(crate) mod simulated;
pub mod sizing;
pub mod spec;
mod unanswered;
pub mod usl;

pub use cool_down::COOL_DOWNS_MAX;
pub use probe::{succeeded_per_s, ClientHints, ClientResource, Grade, Probe, ProbeOutcome, Purpose};
pub use result::{CapacityLimit, CapacityResult, Confirmed, CurvePoint, EndedBy, SearchRun};
pub use search::{Search, Step};
pub use sizing::Sizing;
pub use spec::{By, SearchSpec};
pub use usl::{Usl, UslFit};
