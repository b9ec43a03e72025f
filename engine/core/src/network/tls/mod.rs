//! TLS between a connection's bytes and its protocol, by rustls, which does no I/O of its own.
//!
//! Reading order: `layer` (records of one connection, taken off and put on), `handshake` (how a connection gets its layer),
//! `config` (roots, certificates and versions, read once a run), `verify` (which servers are accepted), `sessions` (what is
//! kept for resumption), `failure` (what a failure says).

mod config;
mod failure;
mod handshake;
mod layer;
mod sessions;
mod verify;

pub(crate) use config::{CoreTls, RunTls};
pub(crate) use failure::TlsFailure;
pub use failure::TlsFileError;
pub(super) use handshake::Unsecured;
pub(crate) use layer::{Layer, TlsLayer};
