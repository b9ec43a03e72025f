//! What the ring promises, on real sockets of the loopback interface.
//!
//! Every test runs on an executor and a ring of its own, ends with nothing under way on it, and is stopped by a watchdog
//! if it hangs. No test depends on how fast anything is: peers wait for what they need, and times are only ever lower bounds.

mod accept;
mod cancel;
mod connect;
mod core;
mod early_answer;
mod fallbacks;
mod file;
mod mailbox;
mod peer;
mod pressure;
mod reuse;
mod send;
mod tasks;
mod time;
