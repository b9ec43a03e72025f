//! Messages out and in on one connection.

use std::{
    borrow::Cow,
    collections::VecDeque,
    io,
    task::{ready, Context, Poll, Waker},
};

use pummel_ring::{now_ns, End, Event};
use tungstenite::{
    protocol::{frame::coding::CloseCode, CloseFrame, Role, WebSocketConfig},
    Bytes, Error, Message, Utf8Bytes, WebSocket,
};

use super::pipe::Pipe;
use crate::{
    error::Kind,
    network::{connection::Connection, exchange::Unanswered, stream::RingStream, tls::TlsFailure},
};

/// The largest message taken from a server, all its fragments together. A message is kept to be looked at, and a server must not
/// be able to fill the memory.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whole messages kept for a later step while this one writes: as much as is kept of their bytes (design section 2).
const UNREAD_BYTES_MAX: usize = 256 * 1024;

/// What is read at most while a message goes out. A server that waits for us to read before it reads itself goes on by that; one
/// that pings without end is not answered without end, and the message gets through.
const CATCH_UP_BYTES_MAX: u64 = 512 * 1024;

/// What is added to a message's bytes where they count, so that empty ones count, too.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// What is read at once. It is allocated for each connection; larger messages make it grow for as long as they last.
const READ_BYTES: usize = 4 * 1024;

/// Replies to pings that wait while the server reads nothing; behind them only the last is kept (RFC 6455 section 5.5.3 allows it).
const WAITING_PONGS_BYTES_MAX: usize = 16 * 1024;

/// What a frame takes beside its message: 14 bytes (RFC 6455 section 5.2).
const FRAME_BYTES_MAX: usize = 14;

/// What stands for the lack of a code in a close (RFC 6455 section 7.1.5).
const NO_CLOSE_CODE: u16 = 1005;

/// What a server says in a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) code: u16,
    pub(super) reason: Utf8Bytes,
}

/// What comes in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Message(Bytes),
    Closed(Closed),
}

/// An open WebSocket connection. No method may be called any more once one has failed, [`part`](Self::part) excepted.
pub(super) struct Conversation {
    socket: WebSocket<Pipe>,
    /// Messages that came while nobody asked for any.
    unread: VecDeque<Bytes>,
    unread_bytes: usize,
    /// How much may be read before the message that goes out is gone.
    catch_up_until: u64,
    /// The server's close, once it came. We have answered it then.
    closed: Option<Closed>,
}

impl Conversation {
    /// A connection whose handshake is over; `early` are bytes that came with its end.
    pub(super) fn new(stream: RingStream, early: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WAITING_PONGS_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let pipe = Pipe::new(stream, early.len() as u64);
        let socket = WebSocket::from_partially_read(pipe, early, Role::Client, Some(config));
        Self { socket, unread: VecDeque::new(), unread_bytes: 0, catch_up_until: 0, closed: None }
    }

    /// Sends a message; ready when the kernel has all of it. The message is taken at the first call. Meanwhile what comes is
    /// taken in, so that a server which waits for that goes on.
    pub(super) fn poll_send(
        &mut self,
        cx: &Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Unanswered>> {
        self.woken_by(cx.waker());
        if let Some(message) = message.take() {
            self.catch_up_until = self.socket.get_ref().read_bytes() + CATCH_UP_BYTES_MAX;
            if let Err(unanswered) = self.catch_up() {
                return Poll::Ready(Err(unanswered));
            }
            if self.closed.is_some() {
                return Poll::Ready(Err(self.closed_before("the message was sent")));
            }
            let room = message.len() + FRAME_BYTES_MAX + WAITING_PONGS_BYTES_MAX;
            self.socket.set_config(|config| config.max_write_buffer_size = room);
            if let Err(error) = waits(self.socket.write(message)) {
                return Poll::Ready(Err(broken(error)));
            }
        }
        if self.poll_flush(cx)?.is_ready() {
            self.socket.set_config(|config| config.max_write_buffer_size = WAITING_PONGS_BYTES_MAX);
            return Poll::Ready(Ok(()));
        }
        self.catch_up()?;
        Poll::Pending
    }

    /// Takes the next message, or the server's close.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Incoming, Unanswered>> {
        self.woken_by(cx.waker());
        if let Some(message) = self.unread.pop_front() {
            self.unread_bytes -= message.len() + MESSAGE_OVERHEAD_BYTES;
            return Poll::Ready(Ok(Incoming::Message(message)));
        }
        self.poll_frames(u64::MAX)
    }

    /// Sends a close, unless the server's came first, and waits for the server's; messages before it are thrown away.
    pub(super) fn poll_close(&mut self, cx: &Context<'_>, code: u16) -> Poll<Result<Closed, Unanswered>> {
        self.woken_by(cx.waker());
        self.unread.clear();
        self.unread_bytes = 0;
        let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::default() };
        if self.closed.is_none() {
            if let Err(error) = waits(self.socket.close(Some(frame))) {
                return Poll::Ready(Err(broken(error)));
            }
        }
        loop {
            let flushed = self.poll_flush(cx);
            if let Some(closed) = &self.closed {
                // Whether our part still reached a server that has said its own does not matter.
                return flushed.map(|_| Ok(closed.clone()));
            }
            let _ = flushed?;
            ready!(self.poll_frames(u64::MAX))?;
        }
    }

    /// When what the last call gave arrived.
    pub(super) fn arrived_ns(&self, cx: &Context<'_>) -> u64 {
        match self.connection().poll_event(cx) {
            Poll::Ready(Event::Data { at_ns }) => at_ns,
            _ => now_ns(),
        }
    }

    /// When the last send began, 0 where it has not.
    pub(super) fn sent_ns(&self) -> u64 {
        self.connection().sent_ns()
    }

    /// Bytes read and written since this was last asked.
    pub(super) fn take_counts(&mut self) -> (u64, u64) {
        self.socket.get_mut().take_counts()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.socket.get_ref().stream.connection
    }

    /// Gives the connection up. The server is told, with a code, as far as that can be done without waiting; what it still
    /// sends is thrown away.
    pub(super) fn part(mut self, code: CloseCode) -> Connection {
        self.woken_by(Waker::noop());
        // A server that is gone, or reads nothing, is told nothing.
        let _ = self.socket.close(Some(CloseFrame { code, reason: Utf8Bytes::default() }));
        self.socket.into_inner().stream.give_up()
    }

    /// What is said of a close that came in place of something else.
    pub(super) fn closed_before(&self, what: &str) -> Unanswered {
        let code = self.closed.as_ref().map_or(NO_CLOSE_CODE, |closed| closed.code);
        Unanswered::Failed(
            Kind::WebSocket,
            Cow::Owned(format!("the server closed the websocket ({code}) before {what}")),
        )
    }

    fn woken_by(&mut self, waker: &Waker) {
        self.socket.get_mut().waker.clone_from(waker);
    }

    /// Hands everything to the kernel.
    fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), Unanswered>> {
        match waits(self.socket.flush()) {
            Ok(Some(())) => {}
            Ok(None) => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(broken(error))),
        }
        ready!(self.connection().poll_flushed(cx));
        match self.connection().ended() {
            Some(end @ End::Error(_)) => Poll::Ready(Err(lost(&self.socket.get_ref().stream.error_of(end)))),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Takes in what has come, as far as there is room; nothing is read behind the server's close.
    fn catch_up(&mut self) -> Result<(), Unanswered> {
        while self.closed.is_none() && self.unread_bytes < UNREAD_BYTES_MAX {
            match self.poll_frames(self.catch_up_until) {
                Poll::Ready(Ok(Incoming::Message(message))) => {
                    self.unread_bytes += message.len() + MESSAGE_OVERHEAD_BYTES;
                    self.unread.push_back(message);
                }
                Poll::Ready(Ok(Incoming::Closed(_))) | Poll::Pending => break,
                Poll::Ready(Err(unanswered)) => return Err(unanswered),
            }
        }
        Ok(())
    }

    /// Reads frames up to the next message or close, or until so much is read. Pings are answered, pongs mean nothing.
    fn poll_frames(&mut self, until: u64) -> Poll<Result<Incoming, Unanswered>> {
        if let Some(closed) = &self.closed {
            return Poll::Ready(Ok(Incoming::Closed(closed.clone())));
        }
        loop {
            if self.socket.get_ref().read_bytes() >= until {
                return Poll::Pending;
            }
            match waits(self.socket.read()) {
                Ok(None) => return Poll::Pending,
                Ok(Some(Message::Text(text))) => return Poll::Ready(Ok(Incoming::Message(text.into()))),
                Ok(Some(Message::Binary(bytes))) => return Poll::Ready(Ok(Incoming::Message(bytes))),
                Ok(Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Ok(Some(Message::Close(frame))) => {
                    let none = || Closed { code: NO_CLOSE_CODE, reason: Utf8Bytes::default() };
                    let closed =
                        frame.map_or_else(none, |frame| Closed { code: frame.code.into(), reason: frame.reason });
                    self.closed = Some(closed.clone());
                    // Our answer to it goes out as far as that can be done without waiting.
                    let _ = self.socket.flush();
                    return Poll::Ready(Ok(Incoming::Closed(closed)));
                }
                Err(error) => return Poll::Ready(Err(broken(error))),
            }
        }
    }
}

/// None where the stream would have to wait.
fn waits<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a report says of a connection that broke.
pub(super) fn lost(error: &io::Error) -> Unanswered {
    if let Some(failure) = TlsFailure::behind(error) {
        return failure.clone().into();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Kind::ClosedEarly.into(),
        _ => Kind::Reset.into(),
    }
}

/// What a report says of an error, in words of bounded number.
fn broken(error: Error) -> Unanswered {
    use tungstenite::error::ProtocolError as Protocol;
    let reason = match error {
        Error::Io(error) => return lost(&error),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(Protocol::ResetWithoutClosingHandshake) => {
            let reason = "the server closed the connection without closing the websocket";
            return Unanswered::Failed(Kind::ClosedEarly, Cow::Borrowed(reason));
        }
        Error::Capacity(_) => Cow::Borrowed("the server sent a message of more than 16 MiB"),
        Error::Utf8(_) => Cow::Borrowed("the server sent a text that is not UTF-8"),
        Error::Protocol(Protocol::MaskedFrameFromServer) => Cow::Borrowed("the server masked a frame"),
        Error::Protocol(Protocol::NonZeroReservedBits) => {
            Cow::Borrowed("the server set reserved bits of a frame, though no extension is in use")
        }
        Error::Protocol(
            Protocol::InvalidOpcode(code)
            | Protocol::UnknownDataFrameType(code)
            | Protocol::UnknownControlFrameType(code),
        ) => Cow::Owned(format!("the server sent a frame of an unknown kind ({code})")),
        Error::Protocol(error) => Cow::Owned(format!("the server broke the websocket protocol: {error}")),
        _ => Cow::Borrowed(Kind::WebSocket.message()),
    };
    Unanswered::Failed(Kind::WebSocket, reason)
}
