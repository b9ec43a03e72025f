//! The task of a link: it moves frames between the ring and the streams.

use std::{
    future::{poll_fn, Future},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

use bytes::Bytes;
use h2::client::{Builder, Connection};

use super::{fault::fault, io::Io, link::Link, link::STREAMS_AT_FIRST, pool::Links};

/// What a server may send on one stream before it must wait for us: a body of any usual size without a pause.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// The same for all streams of a link together. Bodies are taken off as they come, so this is room, not memory held.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// The longest header list of a response, as long as a head of HTTP/1.1 may be.
const HEADER_LIST_BYTES_MAX: u32 = pummel_http::HEAD_BYTES_DEFAULT as u32;

/// How a link begins.
pub(super) fn settings() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_max_send_streams(STREAMS_AT_FIRST);
    builder
}

/// Runs a link to its end: the server's, an error, or the last seat given up.
pub(super) async fn drive(links: Rc<Links>, link: Rc<Link>, mut connection: Connection<Io, Bytes>) {
    let broken = poll_fn(|cx| {
        if link.closing() {
            return Poll::Ready(None);
        }
        link.driven_by(cx);
        match Pin::new(&mut connection).poll(cx) {
            // The streams are told by h2, each what concerns it.
            Poll::Ready(ended) => Poll::Ready(ended.err()),
            Poll::Pending => {
                link.takes(connection.max_concurrent_send_streams());
                Poll::Pending
            }
        }
    })
    .await;
    drop(connection);
    // Who waits for a link that never answered anything would only break the next one, too.
    let why = broken.filter(|_| !link.answered.get()).map(|error| fault(&error, &link).unanswered());
    links.ended(&link, why);
}
