//! The load engine: cores, virtual users, pools, pacing and run control.
//!
//! [`run`] takes a [`Plan`], starts one thread per CPU and gives what they found. A virtual user is a task of its core; what
//! users of one core share is the shard, and nothing is shared between cores while load is made.
//!
//! Guarantees:
//! - every request started is recorded exactly once, as succeeded, failed or abandoned;
//! - the request path takes no lock, logs nothing, and allocates nothing once buffers have grown;
//! - the time a request was due comes from the schedule, so what the engine adds shows as lateness;
//! - a panic on one core ends that core alone.
//!
//! Reading order: `plan`, `run` (control thread), `core_thread`, `shard` (what a core's users share), `user` (its life),
//! `iteration` (the walk over a case), `request_step`, `redirect` (where an answer sends it on to), `exchange` (one request
//! on the wire), `connection` (bytes in), `client` (what of the network stays with a user), `functional_run` (the same steps,
//! looked at) with `trace`, then `rendezvous`, `cursor`, `program`, `pool`, `origins`, `pacer`, `dns`, `limits`.
#![forbid(unsafe_code)]

mod choice;
mod client;
mod connection;
mod core_thread;
mod cursor;
mod dns;
mod error;
mod exchange;
mod functional;
mod functional_run;
mod iteration;
mod limits;
mod origins;
mod pacer;
mod plan;
mod pool;
mod program;
mod redirect;
mod rendezvous;
mod request_step;
mod row_names;
mod run;
mod shard;
mod shared;
mod trace;
mod user;

pub use error::EngineError;
pub use functional::{ExchangeRecord, Functional, FunctionalEvent, Phases, ResponseRecord, StepFailure, StepRecord};
pub use limits::PortBudget;
pub use plan::{Connections, Cookies, Load, Network, Pacing, PacingUnit, Plan, RetryStale, MAX_USERS};
pub use run::{run, StopSignal};
