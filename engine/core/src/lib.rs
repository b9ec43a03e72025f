//! The load engine: cores, virtual users, pools, pacing and run control.
//!
//! [`run`] takes a [`Plan`], starts one thread per CPU and gives what they found. A virtual user is a task of its core; what
//! users of one core share is the shard, and while load is made cores share nothing but what is seldom looked at (`shared`).
//!
//! Guarantees:
//! - every request started is recorded exactly once, as succeeded, failed or abandoned;
//! - the request path takes no lock, logs nothing, and allocates nothing once buffers have grown;
//! - the time a request was due comes from the schedule, so what the engine adds shows as lateness;
//! - a panic on one core ends that core alone.
//!
//! Reading order: `plan`, `run` (control thread), `control` (how a run is steered), `core_thread`, `core_life`, `shard` (what a
//! core's users share), `split` (what of a plan is a core's), `schedule` (when load is made), `closed_load` and `open_load` (who
//! makes it then), `starts` (when one more user may), `user` (its life), `iteration` (the walk over a case), `request_step`, `network`
//! (from a request to an answer), `functional_run` (the same steps, looked at), `plugin` (calls of a plugin's functions), then
//! `rendezvous`, `budget`, `cursor`, `program`, `warmup`, `ways`, `limits`, `ports`.
#![forbid(unsafe_code)]

mod budget;
mod choice;
mod closed_load;
mod control;
mod core_life;
mod core_thread;
mod cursor;
mod error;
mod functional;
mod functional_run;
mod iteration;
mod limits;
mod network;
mod open_load;
mod plan;
mod plugin;
mod ports;
mod program;
mod rendezvous;
mod request_step;
mod row_names;
mod run;
mod schedule;
mod shard;
mod shared;
mod split;
mod starts;
mod user;
mod warmup;
mod ways;
mod websocket_step;

pub use control::{Command, Control, ControlError};
pub use error::EngineError;
pub use functional::{ExchangeRecord, Functional, FunctionalEvent, Phases, ResponseRecord, StepFailure, StepRecord};
pub use limits::fit_users;
pub use network::{sampled::mask_sample, tls::TlsFileError};
pub use plan::{
    Addresses, CatchUp, ClientCertificate, Close, ClosedLoad, Connections, Cookies, FailureSampling, Http2, IpFamily,
    Load, LoadModel, Network, OpenLoad, Override, Pacing, PacingUnit, Plan, Proxies, Proxy, RetryStale, Spacing, Stage,
    Tcp, Tls, TlsVersion, Via, MAX_ARRIVAL_RATE, MAX_RATE, MAX_USERS,
};
pub use ports::PortBudget;
pub use pummel_ring::Address;
pub use run::{resolve, run, Resolved};
#[doc(hidden)]
pub use schedule::walk_arrivals;
