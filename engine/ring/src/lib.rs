//! The private io_uring of a core: sockets, buffers, timers, files and the mailbox.
//!
//! One [`Ring`] belongs to one glommio executor and is driven by one task of it, [`Ring::drive`]. Sockets receive through
//! a multishot receive into buffers the kernel picks; a completed buffer is handed to the socket's [`Sink`] and given
//! back in the same pass, so no buffer is held across a yield. Nothing here knows HTTP.
//!
//! Guarantees:
//! - A buffer given to [`Socket::send`] is neither freed nor reused before the kernel is done with it.
//! - A buffer and a file given to [`Ring::read_at`] stay until the kernel is done with them, even if nobody waits any more.
//! - A slot is reused only after every operation on it has completed; later completions are told apart by a generation.
//! - The driver sleeps only after a yield in which no task made by [`Ring::spawn`] was polled or ended.
//! - After [`Ring::shutdown`] the kernel holds no memory of ours.
//!
//! Reading order: `ring` (what users call), `connect`, `socket`, `driver` (one pass), `slot`, `buffers`, `timers`, `sleep`,
//! `file_read`, `accept`,
//! `mailbox`, `probe`.
//!
//! This is the only crate of the workspace with `unsafe`; each use says which invariant makes it sound.

#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod accept;
mod buffers;
mod clock;
mod connect;
mod driver;
mod file_read;
mod mailbox;
mod probe;
mod ring;
mod sleep;
mod slot;
mod socket;
mod timers;

pub use accept::Acceptor;
pub use clock::now_ns;
pub use connect::{Address, ConnectOptions};
pub use file_read::FileRead;
pub use mailbox::{Mailbox, MailboxClosed, MailboxSender};
pub use probe::{memlock_needed_bytes, probe, Capabilities, Unavailable};
pub use ring::{Config, Ring};
pub use sleep::Sleep;
pub use slot::{End, Event, Flow, Payload, RunBytes, Sink};
pub use socket::Socket;
pub use timers::Timers;
