//! The load engine: cores, virtual users, pools, pacing and run control.

mod plan;
mod run;

pub use plan::{Connections, Load, Network, Pacing, PacingUnit, Plan, RetryStale, MAX_USERS};
pub use run::{run, EngineError, StopSignal};
