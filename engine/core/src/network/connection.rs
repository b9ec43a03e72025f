//! What a connection does with the bytes that arrive: they are given to the protocol it speaks.

use pummel_http::Limits;
use pummel_ring::{Address, Flow, Sink, Socket};
use pummel_stats::EndpointId;

use super::{
    http1::Http1,
    limit::Permit,
    stream::Inbox,
    tls::{Layer, TlsFailure, TlsLayer},
    usage::Usage,
};

/// An open connection, or one that is being opened.
pub(crate) type Connection = Socket<Wire>;

/// The state of one connection; the driver feeds it.
pub(crate) struct Wire {
    /// The server's address.
    pub(crate) peer: Address,
    /// Where requests on it count by address, and by source address where there are any.
    pub(crate) counted: Counted,
    pub(crate) protocol: Protocol,
    /// What stands between the bytes and the protocol, where the connection has it.
    tls: Option<Box<TlsLayer>>,
    /// What it has carried and may still carry.
    pub(crate) usage: Usage,
    /// Its user's right to use it, where connections are bounded in number.
    pub(crate) permit: Option<Permit>,
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
#[allow(clippy::large_enum_variant)] // HTTP/1.1 is the common one, and its path must not have one pointer more to follow.
pub(crate) enum Protocol {
    /// Responses are read where the bytes arrive.
    Http1(Http1),
    /// Bytes are kept for a task that reads them: HTTP/2 and WebSocket.
    Stream(Inbox),
}

impl Wire {
    /// A connection that speaks HTTP/1.1 until it is told otherwise.
    pub(crate) fn new(peer: Address, counted: Counted) -> Self {
        let protocol = Protocol::Http1(Http1::new(Limits::default()));
        Self { peer, counted, protocol, tls: None, usage: Usage::default(), permit: None }
    }

    /// Puts TLS on the connection. What the server of HTTP/2 says first comes with the handshake, so the stream is there before.
    pub(crate) fn secure(&mut self, layer: TlsLayer, http2: bool) {
        self.tls = Some(Box::new(layer));
        if http2 {
            self.protocol = Protocol::Stream(Inbox::default());
        }
    }

    /// The connection's TLS, where it has it.
    pub(crate) fn tls(&self) -> Option<&TlsLayer> {
        self.tls.as_deref()
    }

    /// Appends to `out` what has to be sent for the peer to read `plain`, and gives true; false on a connection without TLS, which
    /// sends `plain` itself.
    ///
    /// # Errors
    /// TLS has failed or was closed.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<bool, TlsFailure> {
        match &mut self.tls {
            Some(tls) => tls.seal(plain, out).map(|()| true),
            None => Ok(false),
        }
    }

    /// No request follows. Appends to `out` what closes our side in order, which without TLS is nothing; also nothing where the
    /// server is about to close first, and then it is answered.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        let Some(tls) = &mut self.tls else { return };
        let server_closes = matches!(&self.protocol, Protocol::Http1(http) if !http.response.keep_alive);
        if server_closes && *tls.state() == Layer::Open {
            tls.answer_close();
        } else {
            tls.close(out);
        }
    }

    /// True while nothing has come that says the connection must not be used again.
    #[inline]
    pub(crate) fn quiet(&mut self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.usable()) && self.http().quiet()
    }

    /// True when the next request may go out, the present response being complete.
    #[inline]
    pub(crate) fn reusable(&mut self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.usable()) && self.http().reusable()
    }

    /// How TLS has ended the stream, if it has, whatever the connection under it does.
    #[inline]
    pub(crate) fn tls_end(&self) -> Option<TlsEnd> {
        match self.tls.as_ref()?.state() {
            Layer::Handshaking | Layer::Open => None,
            Layer::Closed => Some(TlsEnd::Closed),
            Layer::Broken(failure) => Some(TlsEnd::Broken(failure.clone())),
        }
    }

    /// A connection whose bytes are kept from the first on: an HTTP/2 server may speak before its client (RFC 9113 section 3.4).
    pub(crate) fn stream(peer: Address, counted: Counted) -> Self {
        Self { protocol: Protocol::Stream(Inbox::default()), ..Self::new(peer, counted) }
    }

    /// Appends what has arrived on a stream without TLS to `out`; true when receiving is to start again.
    pub(crate) fn take_arrived(&mut self, out: &mut Vec<u8>) -> bool {
        match &mut self.protocol {
            Protocol::Stream(inbox) => inbox.take(out),
            Protocol::Http1(_) => false,
        }
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

/// How TLS ends a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsEnd {
    /// In order.
    Closed,
    /// It failed.
    Broken(TlsFailure),
}

impl Protocol {
    /// Takes bytes that arrived, TLS taken off.
    #[inline]
    fn on_data(&mut self, bytes: &[u8]) -> Flow {
        match self {
            Self::Http1(http) => http.on_data(bytes),
            Self::Stream(inbox) => inbox.on_data(bytes),
        }
    }
}

impl Sink for Wire {
    #[inline]
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        match &mut self.tls {
            None => self.protocol.on_data(bytes),
            Some(tls) => tls.on_data(bytes, |plain| self.protocol.on_data(plain)),
        }
    }

    fn reply(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        if let Some(tls) = &mut self.tls {
            tls.take_outgoing(&mut spare);
        }
        spare
    }
}
