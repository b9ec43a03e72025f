//! The network as a user meets it: from a request to an answer, or to the reason why there is none.
//!
//! Reading order: `exchange` (one request on the wire), `upload` (a body with files in it), `auth`
//! (an answer that asks who it is), `redirect` (where an answer sends it on to), `open` (a new
//! connection), `content` (its body without codings), `connection` (what a connection does with the bytes that arrive) with `http1` and `stream`, `client` (what stays with a user
//! between its requests), `pool`, `origins`, `dns`, `trace` (what a functional run is told).

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod connection;
mod content;
pub(crate) mod dns;
pub(crate) mod exchange;
mod http1;
mod open;
pub(crate) mod origins;
pub(crate) mod pool;
mod redirect;
mod stream;
mod trace;
mod upload;
