//! What the load generator does to its machine, sampled once a second by the stats thread.
//!
//! Everything is read from `/proc` and `/sys` without privileges. What cannot be read, for a container hides it or the
//! kernel was built without it, is `null` in the summary with a note, and never an error. `sampler` holds the run's
//! readings, `kernel_text` reads the files' formats, [`host`] describes the machine.

mod awake;
pub mod host;
mod kernel_text;
mod sampler;

pub(crate) use awake::AwakeClock;
pub(crate) use sampler::{CpuTime, Sampler, SHORTEST_SPAN};
