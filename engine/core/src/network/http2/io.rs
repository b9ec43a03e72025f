//! A link's stream as h2 reads and writes it.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{ready, Context, Poll},
};

use pummel_ring::{now_ns, End};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::Link;

/// The bytes of a link. Its stream stays with the link, which has to do with deadlines and the end.
pub(super) struct Io {
    pub(super) link: Rc<Link>,
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = &self.link;
        loop {
            let mut stream = link.stream.borrow_mut();
            let Some(stream) = stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            let read = ready!(stream.poll_read(cx, out.initialize_unfilled()));
            match read {
                Ok(count) => {
                    if count == 0 {
                        link.ended_by(End::Eof);
                    }
                    let from = out.filled().len();
                    out.advance(count);
                    link.received.borrow_mut().pass(&out.filled()[from..]);
                    return Poll::Ready(Ok(()));
                }
                // The ring's own timer, which is no error of the system: the time of some request is up, not the connection's.
                Err(error) if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() => {
                    link.fire(&stream.connection, now_ns());
                }
                Err(error) => {
                    link.broken_by(&error);
                    link.ended_by(End::Error(error.raw_os_error().unwrap_or_default()));
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.link.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let count = ready!(stream.poll_write(cx, bytes)).inspect_err(|error| self.link.broken_by(error))?;
        self.link.sent.borrow_mut().pass(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.link.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let flushed = ready!(stream.poll_flush(cx));
        Poll::Ready(flushed.inspect_err(|error| self.link.broken_by(error)))
    }

    /// The socket is closed when the link ends; until then only what was written goes out.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
