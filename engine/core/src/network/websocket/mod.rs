//! WebSocket connections of a user (RFC 6455, hrp spec 12.6).
//!
//! The frames are tungstenite's, which does no I/O of its own; the bytes are the ring's. Reading order: `handshake` (the request
//! that asks for a connection, and what its answer must be), `pipe` (a ring's stream as what tungstenite reads and writes),
//! `conversation` (messages out and in), `open_websockets` (which of them a user has), `calls` (what a step does with them, and
//! within which time).
//!
//! What it guarantees:
//!
//! - What a server sends and nobody reads is bounded: 256 KiB of bytes, 256 KiB of whole messages beside the one being read, and a
//!   message has at most 16 MiB.
//! - A connection on which anything went wrong is never used again.
//! - A user reads only while it is in a step. Pings are answered then, those that come during a think time with the next step.

mod calls;
mod conversation;
mod handshake;
mod open_websockets;
mod pipe;

pub(crate) use calls::Call;
pub(crate) use open_websockets::OpenWebSockets;
