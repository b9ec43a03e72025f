//! What a connection does with the bytes that arrive: they are given to the protocol it speaks.

use pummel_http::Limits;
use pummel_ring::{Address, Flow, Sink, Socket};
use pummel_stats::EndpointId;

use super::{http1::Http1, stream::Inbox};

/// An open connection, or one that is being opened.
pub(crate) type Connection = Socket<Wire>;

/// The state of one connection; the driver feeds it.
pub(crate) struct Wire {
    /// The server's address.
    pub(crate) peer: Address,
    /// Where requests on it count by address, and by source address where there are any.
    pub(crate) counted: Counted,
    pub(crate) protocol: Protocol,
}

/// The entries of the statistics that a connection's ends have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) address: EndpointId,
    pub(crate) source: Option<EndpointId>,
}

impl Counted {
    /// Runs `f` for each.
    #[inline]
    pub(crate) fn each(self, mut f: impl FnMut(EndpointId)) {
        f(self.address);
        if let Some(source) = self.source {
            f(source);
        }
    }
}

/// What is spoken on a connection.
pub(crate) enum Protocol {
    /// Responses are read where the bytes arrive.
    Http1(Http1),
    /// Bytes are kept for a task that reads them: HTTP/2 and WebSocket.
    Stream(Inbox),
}

impl Wire {
    /// A connection that speaks HTTP/1.1 until it is told otherwise.
    pub(crate) fn new(peer: Address, counted: Counted) -> Self {
        Self { peer, counted, protocol: Protocol::Http1(Http1::new(Limits::default())) }
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
