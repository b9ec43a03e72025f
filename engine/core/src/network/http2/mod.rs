//! HTTP/2 (RFC 9113) over the ring, with the h2 crate's frames, header compression and flow control.
//!
//! A *link* is a connection that users share, each with a *seat*: the right to one stream at a time. A seat belongs with a
//! user's idle connections, so whatever is said of those (whose they are, how long they stay) holds for seats.
//!
//! What this module guarantees: a request ends when its response, its connection or its time does, whatever the server sends or
//! withholds; a link ends with its last seat, or when it is broken; nothing of it waits for the server then.
//!
//! Reading order: `exchange` (one request), `link` (a connection and who sits on it), `drive` (its task), `pool` (the links of a
//! core), `prepared` (the request as h2 takes it), `fault` (what h2's errors mean), `upload` (files), `io` and
//! `meter` (the bytes).

mod drive;
mod exchange;
mod fault;
mod io;
mod link;
mod meter;
mod pool;
mod prepared;
mod upload;

pub(super) use exchange::release_seat;
pub(crate) use link::Seat;
pub(crate) use pool::Links;
pub(crate) use prepared::Prepared;
