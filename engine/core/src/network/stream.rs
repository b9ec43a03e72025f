//! A connection as a stream of bytes, for protocols whose own code reads and writes: HTTP/2 and WebSocket.

use std::{
    io, mem,
    task::{ready, Context, Poll},
};

use pummel_http::Limits;
use pummel_ring::{End, Event, Flow, Payload};

use super::{
    connection::{Connection, Protocol, TlsEnd},
    http1::Http1,
};

/// Bytes kept for a reader that lags before receiving stops (design section 2, inbound limit).
const INBOX_BYTES_MAX: usize = 256 * 1024;

/// So few bytes left, receiving starts again.
const INBOX_BYTES_LOW: usize = 64 * 1024;

/// Capacity an empty inbox or outbox keeps.
const RETAINED_BYTES: usize = 16 * 1024;

/// Bytes written before the writer has to wait until the kernel has taken some.
const OUTBOX_BYTES_MAX: usize = 64 * 1024;

/// What has arrived and was not read.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// How much of `bytes` is read.
    read: usize,
    /// Receiving was stopped, for the reader to start again.
    paused: bool,
}

impl Inbox {
    pub(crate) fn on_data(&mut self, bytes: &[u8]) -> Flow {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() - self.read > INBOX_BYTES_MAX {
            self.paused = true;
            return Flow::Pause;
        }
        Flow::Wake
    }

    /// Moves everything out, behind what `out` holds; true when receiving is to start again.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> bool {
        if out.is_empty() && self.read == 0 {
            mem::swap(out, &mut self.bytes);
        } else {
            out.extend_from_slice(&self.bytes[self.read..]);
        }
        self.bytes.clear();
        self.bytes.shrink_to(RETAINED_BYTES);
        self.read = 0;
        mem::take(&mut self.paused)
    }

    /// Moves bytes out, and how many; true when receiving is to start again.
    fn read(&mut self, out: &mut [u8]) -> (usize, bool) {
        let unread = &self.bytes[self.read..];
        let count = unread.len().min(out.len());
        out[..count].copy_from_slice(&unread[..count]);
        self.read += count;
        if self.read == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(RETAINED_BYTES);
            self.read = 0;
        } else if self.read > INBOX_BYTES_LOW {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        let resume = self.paused && self.bytes.len() - self.read <= INBOX_BYTES_LOW;
        self.paused &= !resume;
        (count, resume)
    }
}

/// A connection that is read and written as a stream. Must be used from one task at a time.
pub(crate) struct RingStream {
    pub(crate) connection: Connection,
    outbox: Vec<u8>,
}

impl RingStream {
    /// Makes a stream of an open connection, from now on; of one that was opened as a stream, from its first byte.
    pub(crate) fn new(connection: Connection) -> Self {
        connection.with(|wire| {
            // With TLS and HTTP/2 it is one already, and may hold what the server said first.
            if !matches!(wire.protocol, Protocol::Stream(_)) {
                wire.protocol = Protocol::Stream(Inbox::default());
            }
        });
        Self { connection, outbox: Vec::new() }
    }

    /// Gives the stream up: what still arrives is thrown away, so that nothing holds back the end of the connection.
    pub(crate) fn give_up(self) -> Connection {
        // Between responses HTTP/1.1 keeps nothing of what arrives.
        let nothing = Protocol::Http1(Http1::new(Limits::default()));
        let before = self.connection.with(|wire| mem::replace(&mut wire.protocol, nothing));
        if matches!(before, Protocol::Stream(Inbox { paused: true, .. })) {
            self.connection.resume();
        }
        self.connection
    }

    /// Reads what has arrived, 0 bytes at the peer's end of the stream.
    ///
    /// # Errors
    /// The connection broke, or its deadline passed (`TimedOut`).
    pub(crate) fn poll_read(&mut self, cx: &Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let (count, resume) = self.connection.with(|wire| match &mut wire.protocol {
                Protocol::Stream(inbox) => inbox.read(out),
                Protocol::Http1(_) => unreachable!("a stream stays one"),
            });
            if resume {
                self.connection.resume();
            }
            if count > 0 || out.is_empty() {
                return Poll::Ready(Ok(count));
            }
            match self.connection.with(|wire| wire.tls_end()) {
                None => {}
                Some(TlsEnd::Closed) => return Poll::Ready(Ok(0)),
                Some(TlsEnd::Broken(failure)) => return Poll::Ready(Err(failure.into())),
            }
            match ready!(self.connection.poll_event(cx)) {
                Event::Connected | Event::Data { .. } => {}
                Event::End(End::Eof) => return Poll::Ready(Ok(0)),
                Event::End(end) => return Poll::Ready(Err(end.to_io())),
                Event::Timeout => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            }
        }
    }

    /// The end of the connection as an error: what broke its TLS where something did, for all else follows from that.
    pub(crate) fn error_of(&self, end: End) -> io::Error {
        match self.connection.with(|wire| wire.tls_end()) {
            Some(TlsEnd::Broken(failure)) => failure.into(),
            Some(TlsEnd::Closed) | None => end.to_io(),
        }
    }

    /// Takes bytes to be sent with the next [`poll_flush`](Self::poll_flush).
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.outbox.len() >= OUTBOX_BYTES_MAX {
            ready!(self.poll_flush(cx))?;
        }
        self.outbox.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Hands what was written to the ring; ready when it has all of it, though the kernel may still read the last part.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.connection.poll_flushed(cx));
        if let Some(end @ End::Error(_)) = self.connection.ended() {
            return Poll::Ready(Err(self.error_of(end)));
        }
        // The buffer of the send before becomes the next outbox, or takes what TLS makes of this one.
        let mut out = self.connection.take_buffer();
        out.shrink_to(RETAINED_BYTES);
        let sealed = self.connection.with(|wire| {
            wire.seal(&self.outbox, &mut out).map_err(|failure| match wire.tls_end() {
                // A close in order is the end of the stream, and no failure of TLS.
                Some(TlsEnd::Closed) => End::Eof.to_io(),
                _ => failure.into(),
            })
        })?;
        if sealed {
            self.outbox.clear();
            self.outbox.shrink_to(RETAINED_BYTES);
        } else {
            mem::swap(&mut out, &mut self.outbox);
        }
        self.connection.send(Payload::Owned(out));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_lags_stops_the_receiving_and_starts_it_again() {
        let mut inbox = Inbox::default();
        let piece = vec![7u8; 64 * 1024];
        let flows: Vec<Flow> = (0..5).map(|_| inbox.on_data(&piece)).collect();
        assert_eq!(flows, [Flow::Wake, Flow::Wake, Flow::Wake, Flow::Wake, Flow::Pause]);
        let mut out = vec![0; 64 * 1024];
        let read: Vec<(usize, bool)> = (0..6).map(|_| inbox.read(&mut out)).collect();
        let whole = out.len();
        assert_eq!(read, [(whole, false), (whole, false), (whole, false), (whole, true), (whole, false), (0, false)]);
        assert_eq!(inbox.bytes.len(), 0);
    }
}
