//! What a connection does with the bytes that arrive: they are given to the protocol it speaks.

use std::net::SocketAddr;

use pummel_http::Limits;
use pummel_ring::{Flow, Sink, Socket};

use super::{http1::Http1, stream::Inbox};

/// An open connection, or one that is being opened.
pub(crate) type Connection = Socket<Wire>;

/// The state of one connection; the driver feeds it.
pub(crate) struct Wire {
    /// The server's address.
    pub(crate) peer: SocketAddr,
    pub(crate) protocol: Protocol,
}

/// What is spoken on a connection.
// The large one is the one nearly every connection has, and a box would be a step more for each response.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Protocol {
    /// Responses are read where the bytes arrive.
    Http1(Http1),
    /// Bytes are kept for a task that reads them: HTTP/2 and WebSocket.
    Stream(Inbox),
}

impl Wire {
    /// A connection that speaks HTTP/1.1 until it is told otherwise.
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self { peer, protocol: Protocol::Http1(Http1::new(Limits::default())) }
    }

    /// HTTP/1.1, on a connection that speaks it.
    #[inline]
    pub(crate) fn http(&mut self) -> &mut Http1 {
        match &mut self.protocol {
            Protocol::Http1(http) => http,
            Protocol::Stream(_) => unreachable!("a stream is never among the connections for HTTP/1.1"),
        }
    }
}

impl Sink for Wire {
    #[inline]
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        match &mut self.protocol {
            Protocol::Http1(http) => http.on_data(bytes),
            Protocol::Stream(inbox) => inbox.on_data(bytes),
        }
    }
}
