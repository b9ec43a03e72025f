//! The network as a user meets it: from a request to an answer, or to the reason why there is none.
//!
//! Reading order: `exchange` (one request on the wire), `tally` (what it did there), `upload` (a body with files in it), `auth`
//! (an answer that asks who it is), `redirect` (where an answer sends it on to), `content` (its body without codings), `open`
//! (a new connection), `connection` (what a connection does with the bytes that arrive) with `http1`, `stream` and `http2`,
//! `websocket` (messages on a stream), `tls` (what may stand between bytes and protocol), `client` (what stays with a user
//! between its requests), `pool`, `usage` and `limit` (how long and by how many connections are used), `origins`, `proxy`,
//! `dns`, `sources`, `phases` (where the time went), `trace` (what a functional run is told), `sampled` (what a report
//! shows of failures).

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod connection;
mod content;
pub(crate) mod dns;
pub(crate) mod exchange;
mod http1;
pub(crate) mod http2;
pub(crate) mod limit;
mod open;
pub(crate) mod origins;
pub(crate) mod phases;
pub(crate) mod pool;
pub(crate) mod proxy;
mod redirect;
pub(crate) mod sampled;
pub(crate) mod sources;
mod stream;
pub(crate) mod tally;
pub(crate) mod tls;
mod trace;
mod upload;
mod usage;
pub(crate) mod websocket;
