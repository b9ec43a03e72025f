//! Plugins of projects (hrp spec section 19): `debugtalk.py` and `debugtalk.bin`, one process for each project, however many cases,
//! users and runs of this program call its functions.
//!
//! [`PluginHost`] is the way in: the loader opens plugins through it, the engine finds them there by their number. A plugin has
//! one or more workers, processes that are alike. Each has a thread of its own, which starts it, restarts it and ends it
//! (`supervisor`, with `start` for how a process comes to take calls, `process` and `output` for what every process has, `restarts` for
//! how often). That thread lives as long as the process does, because the kernel is asked to kill the process with it (`launch`).
//!
//! Two protocols are spoken. `debugtalk.py` runs in our own runner (`runner/pummel_runner.py`), which speaks `frames` over a Unix
//! socket: the engine connects to it from each core's ring. `debugtalk.bin`, and Python where stock funppy is asked for, speak gRPC
//! (`grpc`), with tokio on one thread; they say where they listen by a line on standard output (`handshake`).
#![forbid(unsafe_code)]

mod control;
pub mod frames;
mod grpc;
pub mod handshake;
mod host;
mod launch;
mod line;
mod locking;
mod log;
mod options;
mod output;
mod plugin;
mod process;
mod python;
mod restarts;
mod start;
mod supervisor;
mod wake;
mod worker;

pub use grpc::GrpcClient;
pub use host::PluginHost;
pub use launch::{launch, LAUNCH_COMMAND};
pub use options::{PluginOptions, Runner};
pub use plugin::{PluginReport, RunningPlugin};
pub use worker::{Reach, WorkerState};
