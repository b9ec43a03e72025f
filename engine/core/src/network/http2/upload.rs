//! A body with files in it over HTTP/2: piece by piece, as the server opens its windows.

use std::{
    future::{poll_fn, Future},
    pin::pin,
    task::{ready, Poll},
};

use bytes::Bytes;
use h2::SendStream;

use super::{
    exchange::{Incoming, Read},
    link::Link,
};
use crate::{
    network::{exchange::Hop, upload::Position},
    shard::Shard,
};

/// What became of a body behind its first piece.
#[derive(Default)]
pub(super) struct Uploaded {
    /// What was sent of it.
    pub(super) bytes: u64,
    /// What ended it before all was sent, where that is known.
    pub(super) read: Option<Read>,
}

impl Shard {
    /// Sends what stands behind the first piece of a body. A server that has answered before it has all of it, or ends the stream,
    /// is not sent the rest, though it may have windows that are closed for ever (RFC 9113 section 8.1). Nor is it after the time
    /// limit or a stop, which are seen where the response is awaited. A file that cannot be read, or has changed, ends the request;
    /// its stream is reset by dropping it.
    pub(super) async fn send_files(
        &self,
        body: &mut SendStream<Bytes>,
        incoming: &mut Incoming<'_>,
        hop: &Hop<'_>,
        link: &Link,
        place: usize,
    ) -> Uploaded {
        let mut position = Position::BEHIND_FIRST;
        let mut sent = Uploaded::default();
        loop {
            let next = self.next_piece(hop.request, &mut position, Vec::new());
            let mut piece = match unless_answered(incoming, next).await {
                Ok(Ok(Some(piece))) => Bytes::from(piece),
                Ok(Ok(None)) => break,
                Ok(Err(failed)) => return Uploaded { read: Some(Read::Unreadable(failed)), ..sent },
                Err(read) => return Uploaded { read: Some(read), ..sent },
            };
            while !piece.is_empty() {
                let room = match unless_answered(incoming, self.window(body, piece.len(), link, place)).await {
                    Ok(Some(room)) => room,
                    Ok(None) => return sent,
                    Err(read) => return Uploaded { read: Some(read), ..sent },
                };
                let part = piece.split_to(room.min(piece.len()));
                let bytes = part.len() as u64;
                if body.send_data(part, false).is_err() {
                    return sent;
                }
                sent.bytes += bytes;
            }
        }
        // An empty frame with the end of the stream: nothing tells before whether a piece is the last.
        let _ = body.send_data(Bytes::new(), true);
        sent
    }

    /// Waits until so many bytes, or fewer, may be sent; none when nothing more is to be sent.
    async fn window(&self, body: &mut SendStream<Bytes>, wanted: usize, link: &Link, place: usize) -> Option<usize> {
        body.reserve_capacity(wanted);
        poll_fn(|cx| {
            link.note_waker(place, cx);
            if link.late(place) || self.aborted() {
                return Poll::Ready(None);
            }
            loop {
                match ready!(body.poll_capacity(cx)) {
                    // Windows may close again before the task has seen them open.
                    Some(Ok(0)) => {}
                    Some(Ok(room)) => return Poll::Ready(Some(room)),
                    Some(Err(_)) | None => return Poll::Ready(None),
                }
            }
        })
        .await
    }
}

/// Waits for some work, unless the response is over before.
async fn unless_answered<T>(incoming: &mut Incoming<'_>, work: impl Future<Output = T>) -> Result<T, Read> {
    let mut work = pin!(work);
    poll_fn(|cx| match incoming.poll(cx) {
        Poll::Ready(read) => Poll::Ready(Err(read)),
        Poll::Pending => work.as_mut().poll(cx).map(Ok),
    })
    .await
}
