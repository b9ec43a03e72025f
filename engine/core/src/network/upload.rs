//! A body with files in it, sent piece by piece: nobody holds a large file in memory.

use std::{
    borrow::Cow,
    future::{poll_fn, Future},
    io,
    pin::pin,
    task::Poll,
};

use pummel_case::{BodyPiece, RenderedRequest};
use pummel_ring::{Event, Payload};

use super::{
    connection::Connection,
    exchange::{Hop, Unanswered},
    http1::Reading,
};
use crate::{error::Kind, shard::Shard};

/// How much of a file is read and sent at a time, and so what an upload under way takes of memory. Half of it costs a tenth more
/// system calls' time a byte; twice as much gains nothing.
const PIECE_BYTES: usize = 256 * 1024;

/// How far a body has been sent.
pub(crate) struct Position {
    /// The piece that is next, as [`RenderedRequest::piece`] counts.
    piece: usize,
    /// What of it is done, in bytes.
    offset: u64,
}

impl Position {
    /// Behind the first piece, which goes out with the head.
    pub(crate) const BEHIND_FIRST: Self = Self { piece: 1, offset: 0 };

    /// Steps over what is done; false at the end of the body.
    fn settle(&mut self, request: &RenderedRequest) -> bool {
        while let Some(piece) = request.piece(self.piece) {
            let bytes = match piece {
                BodyPiece::Bytes(bytes) => bytes.len() as u64,
                BodyPiece::File(file) => file.bytes(),
            };
            if self.offset < bytes {
                return true;
            }
            (self.piece, self.offset) = (self.piece + 1, 0);
        }
        false
    }
}

/// What was sent of a request besides its first payload.
#[derive(Default)]
pub(super) struct Sent {
    /// When the first payload was handed to the kernel; 0 where that is still the last one, or was not.
    pub(super) first_ns: u64,
    pub(super) bytes: u64,
    /// Why the rest of the body was not sent, where it was not: what its connection told meanwhile, and none where the run was cut
    /// off or the sending `failed` by itself.
    #[allow(clippy::option_option)] // The inner one is what waiting for an event gives.
    pub(super) told: Option<Option<Event>>,
    pub(super) failed: Option<Unanswered>,
}

impl Shard {
    /// The next part of a body, at most [`PIECE_BYTES`] of it, in `buffer`; none at the end.
    ///
    /// # Errors
    /// A file cannot be read, or is shorter than it was when its length was announced.
    pub(crate) async fn next_piece(
        &self,
        request: &RenderedRequest,
        position: &mut Position,
        mut buffer: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Unanswered> {
        if !position.settle(request) {
            return Ok(None);
        }
        let room = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        match request.piece(position.piece) {
            None => return Ok(None),
            Some(BodyPiece::Bytes(bytes)) => {
                let rest = &bytes[position.offset as usize..];
                buffer.clear();
                buffer.extend_from_slice(&rest[..room(rest.len() as u64)]);
            }
            Some(BodyPiece::File(file)) => {
                buffer.resize(room(file.bytes() - position.offset), 0);
                let (filled, read) = self
                    .ring
                    .read_at(file.file(), position.offset, buffer)
                    .await
                    .map_err(|error| unreadable(&error))?;
                if read == 0 {
                    return Err(Unanswered::Failed(Kind::Request, "the file changed while it was sent".into()));
                }
                buffer = filled;
                buffer.truncate(read);
            }
        }
        position.offset += buffer.len() as u64;
        Ok(Some(buffer))
    }

    /// Sends what stands behind the first piece of a body. An answer that is complete before ends it, and then the connection
    /// carries no other request. Where it is `timed`, the connection tells when the kernel had taken the last piece.
    pub(super) async fn send_rest(&self, connection: &Connection, hop: &Hop<'_>, timed: bool) -> Box<Sent> {
        let mut sent = Box::<Sent>::default();
        let mut position = Position::BEHIND_FIRST;
        let told = loop {
            if !position.settle(hop.request) {
                return sent;
            }
            // One send at a time, and its buffer is the next one's.
            let flushed = poll_fn(|cx| connection.poll_flushed(cx));
            if let Err(event) = self.unless_told(connection, hop, &sent, flushed).await {
                break event;
            }
            if sent.first_ns == 0 {
                sent.first_ns = connection.sent_ns();
            }
            let next = self.next_piece(hop.request, &mut position, connection.take_buffer());
            match self.unless_told(connection, hop, &sent, next).await {
                Err(event) => break event,
                Ok(Err(failed)) => {
                    sent.failed = Some(failed);
                    break None;
                }
                Ok(Ok(None)) => return sent,
                Ok(Ok(Some(piece))) => {
                    let bytes = piece.len() as u64;
                    if let Err(failed) = hand_over(connection, piece, timed) {
                        sent.failed = Some(failed);
                        break None;
                    }
                    sent.bytes += bytes;
                }
            }
        };
        connection.with(|wire| wire.http().spoil());
        sent.told = Some(told);
        sent
    }

    /// Waits for some work, unless the connection has something to say before that ends the request.
    async fn unless_told<T>(
        &self,
        connection: &Connection,
        hop: &Hop<'_>,
        sent: &Sent,
        work: impl Future<Output = T>,
    ) -> Result<T, Option<Event>> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            while let Poll::Ready(event) = connection.poll_event(cx) {
                match event {
                    Event::Connected => continue,
                    Event::Data { .. } if more_may_come(connection) => continue,
                    Event::Timeout if !hop.is_late(connection, Some(sent)) => continue,
                    Event::Data { .. } | Event::End(_) | Event::Timeout => {}
                }
                return Poll::Ready(Err(Some(event)));
            }
            if self.aborted() {
                return Poll::Ready(Err(None));
            }
            work.as_mut().poll(cx).map(Ok)
        })
        .await
    }
}

/// True while the answer is not over, and its connection's TLS has not ended it.
fn more_may_come(connection: &Connection) -> bool {
    connection.with(|wire| wire.tls_end().is_none() && wire.http().reading() == Reading::Unfinished)
}

/// Gives a further piece of a request to its connection, through its TLS where it has it.
fn hand_over(connection: &Connection, piece: Vec<u8>, timed: bool) -> Result<(), Unanswered> {
    let mut sealed = Vec::new();
    let secured = connection.with(|wire| wire.seal(&piece, &mut sealed));
    match secured {
        Ok(secured) => {
            if timed {
                connection.time_next_send();
            }
            connection.send(Payload::Owned(if secured { sealed } else { piece }));
            Ok(())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// When the first byte of a request was handed to the kernel, of which the rest may have followed in sends of their own.
pub(super) fn first_sent(connection: &Connection, sent: Option<&Sent>) -> u64 {
    sent.map(|sent| sent.first_ns).filter(|first_ns| *first_ns != 0).unwrap_or_else(|| connection.sent_ns())
}

fn unreadable(error: &io::Error) -> Unanswered {
    Unanswered::Failed(Kind::Request, Cow::Owned(format!("a file of the upload cannot be read: {}", error.kind())))
}
