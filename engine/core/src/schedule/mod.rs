//! When load is made: how many users there are, and when iterations or requests are due.
//!
//! Everything here is arithmetic on the run clock. A time comes from the schedule, never from when a sleep ended, so lateness does
//! not add up, and a core that was held up knows what it owes.
//!
//! Reading order: `course` (a figure over time), `levels` (users that start and end), `arrivals` (iterations of an open run),
//! `pacer` (the ceiling on the rate of a closed run).

mod arrivals;
mod course;
mod levels;
mod pacer;

pub use arrivals::walk_arrivals;
pub(crate) use arrivals::{Arrivals, Turn};
pub(crate) use course::Course;
pub(crate) use levels::{Change, Levels};
pub(crate) use pacer::Pacer;
