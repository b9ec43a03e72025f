//! A body with files in it over HTTP/2: piece by piece, as the server opens its windows.

use std::{
    future::poll_fn,
    task::{ready, Poll},
};

use bytes::Bytes;
use h2::SendStream;

use super::link::Link;
use crate::{
    network::{
        exchange::{Hop, Unanswered},
        upload::Position,
    },
    shard::Shard,
};

impl Shard {
    /// Sends what stands behind the first piece of a body, and how many bytes of it were sent. A server that answers before it has
    /// all of it, or ends the stream, is not sent the rest: what it says is read where the response is awaited. So are the time
    /// limit and the stop, which end this too.
    ///
    /// # Errors
    /// A file cannot be read, or has changed: the stream is reset by dropping it.
    pub(super) async fn send_files(
        &self,
        body: &mut SendStream<Bytes>,
        hop: &Hop<'_>,
        link: &Link,
        place: usize,
    ) -> Result<u64, Unanswered> {
        let mut position = Position::BEHIND_FIRST;
        let mut sent_bytes = 0;
        while let Some(piece) = self.next_piece(hop.request, &mut position, Vec::new()).await? {
            let mut piece = Bytes::from(piece);
            while !piece.is_empty() {
                let room = self.window(body, piece.len(), link, place).await;
                let Some(room) = room else { return Ok(sent_bytes) };
                let part = piece.split_to(room.min(piece.len()));
                sent_bytes += part.len() as u64;
                if body.send_data(part, false).is_err() {
                    return Ok(sent_bytes);
                }
            }
        }
        // An empty frame with the end of the stream: nothing tells before whether a piece is the last.
        let _ = body.send_data(Bytes::new(), true);
        Ok(sent_bytes)
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
