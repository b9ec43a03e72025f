//! The slow way: what a connection's task does for a request that cannot be answered at once.

use std::{
    future::{poll_fn, Future},
    pin::pin,
    task::Poll,
};

use pummel_ring::{now_ns, End, Event, Payload, Ring, Socket};

use crate::{
    conversation::Conversation,
    filler::fill,
    head::{write_chunk_size, LAST_CHUNK},
};

/// A made body goes out in pieces of about this size: large enough to fill a socket's buffer, small enough for many.
const PIECE_BYTES: usize = 64 * 1024;

/// How long a refused connection is read on, so that closing it with bytes unread does not reset it before the client has
/// the answer (RFC 9112 section 9.6).
const LINGER_NS: u64 = 1_000_000_000;

/// What is left to do for a request. The answers to the requests before it are sent first.
#[derive(Debug)]
pub(crate) struct Work {
    /// Nothing is sent before this time of [`now_ns`], if it is not past.
    pub(crate) due_ns: u64,
    /// From then on, or from when the answers before it were sent, if that is later.
    pub(crate) delay_ms: u64,
    /// What to send after the delay.
    pub(crate) later: Vec<u8>,
    /// What to send after that.
    pub(crate) body: Option<MadeBody>,
    pub(crate) then: Then,
}

impl Work {
    /// None but to send the answers before it.
    pub(crate) const NONE: Self = Self { due_ns: 0, delay_ms: 0, later: Vec::new(), body: None, then: Then::Stay };
}

/// What becomes of the connection in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    Close,
    /// Reads on for a while, and closes.
    Linger,
    Reset,
    /// Never answers; waits until the client gives up.
    Hang,
}

/// A body of a given length, made piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MadeBody {
    offset: u64,
    left: u64,
    /// Bytes of each chunk, if it is chunked.
    chunk: Option<u64>,
    /// The last chunk is still to come, or some bytes.
    unfinished: bool,
}

impl MadeBody {
    pub(crate) fn new(bytes: u64, chunk: Option<u64>) -> Self {
        Self { offset: 0, left: bytes, chunk, unfinished: bytes > 0 || chunk.is_some() }
    }

    /// Bytes of payload still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Appends the next piece, if there is one: some [`PIECE_BYTES`] of payload, and at least one chunk.
    pub(crate) fn append_piece(&mut self, out: &mut Vec<u8>) {
        let Some(size) = self.chunk else {
            self.append_bytes(out, PIECE_BYTES as u64);
            self.unfinished = self.left > 0;
            return;
        };
        let piece_end = self.offset + PIECE_BYTES as u64;
        while self.left > 0 && self.offset < piece_end {
            write_chunk_size(out, self.left.min(size) as usize);
            self.append_bytes(out, size);
            out.extend_from_slice(b"\r\n");
        }
        if self.left == 0 && self.unfinished {
            out.extend_from_slice(LAST_CHUNK);
            self.unfinished = false;
        }
    }

    fn append_bytes(&mut self, out: &mut Vec<u8>, at_most: u64) {
        let bytes = self.left.min(at_most);
        fill(out, self.offset, bytes as usize);
        self.offset += bytes;
        self.left -= bytes;
    }
}

/// Serves one connection until it ends. Most requests never come here: their connection's task sleeps through them.
pub(crate) async fn attend(ring: &Ring<Conversation>, socket: Socket<Conversation>) {
    loop {
        match socket.event().await {
            Event::Data { .. } => {}
            Event::Connected | Event::Timeout => continue,
            Event::End(End::Eof) => {
                // The last answers may still be on their way.
                socket.flushed().await;
                return;
            }
            Event::End(End::Error(_)) => return,
        }
        while let Some(work) = socket.with(Conversation::begin_work) {
            match perform(ring, &socket, work).await {
                Then::Stay => {}
                Then::Reset => return socket.reset(),
                Then::Close | Then::Linger | Then::Hang => return,
            }
            if socket.with(Conversation::go_on).resume {
                socket.resume();
            }
            send_answers(&socket).await;
        }
    }
}

/// Does a piece of work; what is returned is for the caller to do.
async fn perform(ring: &Ring<Conversation>, socket: &Socket<Conversation>, mut work: Work) -> Then {
    send_answers(socket).await;
    if work.due_ns > 0 || work.delay_ms > 0 {
        let until_ns = work.due_ns.max(now_ns()) + work.delay_ms * 1_000_000;
        if !wait(ring, socket, until_ns).await {
            return Then::Close;
        }
    }
    send(socket, work.later).await;
    while let Some(body) = work.body.as_mut().filter(|body| body.unfinished) {
        let mut piece = socket.take_buffer();
        body.append_piece(&mut piece);
        send(socket, piece).await;
        if matches!(socket.ended(), Some(End::Error(_))) {
            return Then::Close;
        }
    }
    socket.flushed().await;
    match work.then {
        Then::Linger => {
            socket.with(Conversation::end);
            socket.set_deadline(now_ns() + LINGER_NS);
            while !matches!(socket.event().await, Event::End(_) | Event::Timeout) {}
        }
        Then::Hang => {
            socket.with(Conversation::end);
            while !matches!(socket.event().await, Event::End(_)) {}
        }
        Then::Stay | Then::Close | Then::Reset => {}
    }
    work.then
}

/// Queues the answers that the ring has not fetched. They are taken only when nothing is being sent: from then on the ring
/// would fetch later ones first.
async fn send_answers(socket: &Socket<Conversation>) {
    socket.flushed().await;
    let answers = socket.with(Conversation::take_answers);
    if !answers.is_empty() {
        socket.send(Payload::Owned(answers));
    }
}

/// Queues bytes behind those that are being sent.
async fn send(socket: &Socket<Conversation>, bytes: Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    socket.flushed().await;
    socket.send(Payload::Owned(bytes));
}

/// Waits for a time of [`now_ns`]; false if the connection ended before.
async fn wait(ring: &Ring<Conversation>, socket: &Socket<Conversation>, until_ns: u64) -> bool {
    let mut sleep = pin!(ring.sleep_until(until_ns));
    poll_fn(|cx| {
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        loop {
            match socket.poll_event(cx) {
                Poll::Ready(Event::End(_)) => return Poll::Ready(false),
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::MadeBody;

    fn whole(mut body: MadeBody) -> Vec<u8> {
        let mut out = Vec::new();
        while body.unfinished {
            body.append_piece(&mut out);
        }
        out
    }

    #[test]
    fn plain_bodies_have_their_length() {
        assert_eq!(whole(MadeBody::new(0, None)), b"");
        assert_eq!(whole(MadeBody::new(3, None)), b"abc");
        assert_eq!(whole(MadeBody::new(200_000, None)).len(), 200_000);
    }

    #[test]
    fn chunked_bodies_byte_for_byte() {
        assert_eq!(whole(MadeBody::new(0, Some(4))), b"0\r\n\r\n");
        assert_eq!(whole(MadeBody::new(6, Some(4))), b"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n");
        assert_eq!(whole(MadeBody::new(4, Some(4))), b"4\r\nabcd\r\n0\r\n\r\n");
        // 100,000 bytes in chunks of 30,000: 3 whole ones and one of 10,000, each with 4 digits and two line ends.
        assert_eq!(whole(MadeBody::new(100_000, Some(30_000))).len(), 100_000 + 4 * 8 + 5);
    }
}
