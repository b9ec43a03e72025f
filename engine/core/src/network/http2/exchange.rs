//! One request over HTTP/2: a seat, a stream on its link, the response, and once more if the link was dead.

use std::{
    borrow::Cow,
    cell::RefCell,
    future::{poll_fn, Future},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use h2::{client::ResponseFuture, RecvStream};
use pummel_http::{Response, KEPT_BODY_BYTES_DEFAULT};
use pummel_ring::now_ns;

use super::{
    drive::{drive, settings},
    fault::{fault, Fault},
    io::Io,
    link::{Access, Entered, Link, Seat},
    prepared::Prepared,
};
use crate::{
    error::Kind,
    network::{
        exchange::{Hop, Unanswered},
        phases::Stamps,
        pool::IdleConnections,
        stream::RingStream,
        tally::Tally,
        tls::TlsLayer,
    },
    plan::nanos,
    program::Encoded,
    shard::Shard,
};

/// Links tried for one request before it fails: one that ends while a request gets ready is no fault of the request, but a
/// server that ends each at once would be asked for ever.
const LINKS_MAX: u32 = 3;

/// How one attempt ended without a response.
enum Attempt {
    /// Over; the link may be as well as before.
    Ended(Unanswered),
    /// The request is to be sent once more, on another link.
    Again,
    /// The link takes no new streams: nothing was sent.
    Gone,
    /// The same, for its age or its requests: that says nothing of the server.
    Spent,
}

/// How far a response is.
enum Reading {
    Head(ResponseFuture),
    Body(RecvStream),
}

/// How reading ended.
pub(super) enum Read {
    Whole,
    Broken(h2::Error),
    /// Longer than what is kept.
    TooLong(pummel_http::ProtocolError),
    Late,
    CutOff,
    /// Part of the request's own body could not be read.
    Unreadable(Unanswered),
}

/// A response under way, with what reading it takes.
pub(super) struct Incoming<'a> {
    reading: Reading,
    response: &'a mut Response,
    link: &'a Link,
    hop: &'a Hop<'a>,
    first_byte_ns: u64,
}

impl Incoming<'_> {
    /// Reads as much as has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        poll_response(&mut self.reading, self.response, self.link, self.hop, &mut self.first_byte_ns, cx)
    }
}

/// Puts a seat back for the user's next request, or gives it up where its connection is not to be used again.
pub(in crate::network) fn release_seat(idle: &RefCell<IdleConnections>, mut seat: Box<Seat>) {
    seat.response.trim();
    if seat.usable(seat.link.arrived_ns()) {
        seat.unlimit();
        let origin = seat.link.origin;
        idle.borrow_mut().put_seat(origin, seat);
    }
}

/// The failure of a link whose server speaks something else: the client has asked for nothing but HTTP/2 (hrp spec 11.1).
fn not_chosen() -> Unanswered {
    Unanswered::Failed(Kind::Protocol, Cow::Borrowed("the server did not choose HTTP/2 (ALPN)"))
}

impl Shard {
    /// Sends a request over HTTP/2 and receives its response, which then stands in the seat.
    ///
    /// Service time begins when the request is handed to h2 and ends when the last bytes of its body arrived; the wait for an
    /// address, for the link, and for a stream where the server takes fewer than ask is before it.
    pub(in crate::network) async fn hop_http2(
        &self,
        idle: &RefCell<IdleConnections>,
        hop: &Hop<'_>,
        tally: &mut Tally,
    ) -> Result<Box<Seat>, Unanswered> {
        let rendered;
        let prepared = if let Some(Encoded::Http2(prepared)) = hop.encoded {
            &**prepared
        } else {
            let origins = self.origins.borrow();
            let (origin, authority) = (origins.origin(hop.origin), origins.authority(hop.origin));
            rendered = Prepared::new(hop.method, hop.request, origin, authority, &self.plan.network)
                .map_err(|reason| unsendable(reason, tally))?;
            &rendered
        };
        let mut own = idle.borrow_mut().take_seat(hop.origin, hop.begin_ns);
        let mut retried = false;
        let mut links = 0;
        while links < LINKS_MAX {
            links += 1;
            let mut seat = own.take().unwrap_or_else(|| Box::new(self.links.seat(hop.origin, now_ns())));
            let attempt = match self.access(&seat, hop, retried, tally).await {
                Ok(Access::Ready) => self.attempt_http2(&mut seat, prepared, hop, retried, tally).await,
                Ok(Access::Spent) => Err(Attempt::Spent),
                Ok(_) => Err(Attempt::Gone),
                Err(unanswered) => {
                    tally.never_sent();
                    return Err(unanswered);
                }
            };
            match attempt {
                Ok(()) => return Ok(seat),
                Err(Attempt::Ended(unanswered)) => {
                    release_seat(idle, seat);
                    return Err(unanswered);
                }
                Err(Attempt::Gone | Attempt::Spent) if self.aborted() => break,
                Err(Attempt::Gone) => {}
                // Somebody else's request was the last of that link: each round of this, one request at least goes out.
                Err(Attempt::Spent) => links -= 1,
                Err(Attempt::Again) => {
                    retried = true;
                    tally.exchanges.stale_retries += 1;
                    self.recorder.borrow_mut().connection_stale();
                    if self.aborted() {
                        break;
                    }
                }
            }
        }
        tally.never_sent();
        if self.aborted() {
            return Err(Unanswered::Abandoned);
        }
        Err(Kind::GoAway.into())
    }

    /// Opens the seat's link where that is to be done, or waits for who does.
    async fn access(&self, seat: &Seat, hop: &Hop<'_>, again: bool, tally: &mut Tally) -> Result<Access, Unanswered> {
        let begin_ns = now_ns();
        let mut waited = false;
        let access = poll_fn(|cx| match seat.link.poll_access(seat.place, cx) {
            Poll::Pending if self.aborted() => Poll::Ready(Err(Unanswered::Abandoned)),
            Poll::Pending => {
                waited = true;
                Poll::Pending
            }
            Poll::Ready(Access::Failed(kind, message)) => Poll::Ready(Err(Unanswered::Failed(kind, message))),
            Poll::Ready(access) => Poll::Ready(Ok(access)),
        })
        .await?;
        let access = match access {
            Access::Open => {
                waited = true;
                // A link is opened once for many requests: a box keeps their futures small.
                Box::pin(self.open_link(&seat.link, hop, tally)).await?;
                Access::Ready
            }
            Access::Ready => {
                self.recorder.borrow_mut().connection_reused();
                Access::Ready
            }
            access => access,
        };
        if waited && tally.sent_ns == 0 {
            let from_ns = if again { hop.begin_ns.min(begin_ns) } else { begin_ns };
            tally.network_ns = now_ns().max(hop.begin_ns).saturating_sub(from_ns);
        }
        Ok(access)
    }

    /// Opens a link: the connection, then HTTP/2 on it, which waits for nothing from the server.
    async fn open_link(&self, link: &Rc<Link>, hop: &Hop<'_>, tally: &mut Tally) -> Result<(), Unanswered> {
        let connection = match self.open(hop, tally).await {
            Ok(connection) => connection,
            Err(unanswered) => {
                link.not_opened(match &unanswered {
                    // The time of this request is not that of others.
                    Unanswered::Failed(Kind::RequestTimeout, _) | Unanswered::Abandoned => None,
                    Unanswered::Failed(kind, message) => Some(Unanswered::Failed(*kind, message.clone())),
                });
                return Err(unanswered);
            }
        };
        connection.set_deadline(0);
        let https = self.origins.borrow().origin(link.origin).https;
        if https && connection.with(|wire| wire.tls().and_then(TlsLayer::alpn) != Some(b"h2")) {
            link.not_opened(Some(not_chosen()));
            self.recorder.borrow_mut().connection_closed();
            return Err(not_chosen());
        }
        *link.peer.borrow_mut() = Some(connection.with(|wire| (wire.peer.clone(), wire.counted)));
        *link.stream.borrow_mut() = Some(RingStream::new(connection));
        let Ok((send, connection)) = settings().handshake(Io { link: Rc::clone(link) }).await else {
            link.not_opened(Some(Kind::Reset.into()));
            *link.stream.borrow_mut() = None;
            self.recorder.borrow_mut().connection_closed();
            return Err(Kind::Reset.into());
        };
        let age = self.plan.network.max_connection_age;
        link.opened(send, age.map_or(u64::MAX, |age| now_ns().saturating_add(nanos(age))));
        self.links.began();
        self.ring.spawn(drive(Rc::clone(&self.links), Rc::clone(link), connection)).detach();
        Ok(())
    }

    /// Sends the request on a stream of the seat's link and waits for the whole response.
    async fn attempt_http2(
        &self,
        seat: &mut Seat,
        prepared: &Prepared,
        hop: &Hop<'_>,
        retried: bool,
        tally: &mut Tally,
    ) -> Result<(), Attempt> {
        let request = prepared.request(hop.extra).map_err(|reason| Attempt::Ended(unsendable(reason, tally)))?;
        let link = Rc::clone(&seat.link);
        let place = seat.place;
        match link.enter(place, self.plan.network.requests_per_connection_max()) {
            Entered::Granted => {}
            Entered::Waits => self.stream_granted(&link, place, hop, tally).await?,
            Entered::Spent => return Err(Attempt::Spent),
        }
        // From here on there is a stream to give back.
        let sent_ns = now_ns();
        let has_files = hop.request.has_files();
        let end_of_stream = !has_files && prepared.body.as_ref().is_none_or(bytes::Bytes::is_empty);
        let begun = link.sender().and_then(|mut send| send.send_request(request, end_of_stream).ok());
        let Some((response, mut body)) = begun else {
            link.retire();
            link.exit();
            return Err(gone(&link, tally));
        };
        let reused = link.answered.get();
        link.set_deadline(place, sent_ns.saturating_add(hop.timeout_ns).min(hop.until_ns));
        let mut body_bytes = 0;
        if !end_of_stream {
            let bytes = prepared.body.clone().unwrap_or_default();
            body_bytes = bytes.len() as u64;
            // h2 keeps the bytes, which are shared, and sends them as the server opens its windows. A stream that is over
            // already says so where the response is awaited.
            let _ = body.send_data(bytes, !has_files);
        }
        seat.response.reset();
        let reading = Reading::Head(response);
        let mut incoming = Incoming { reading, response: &mut seat.response, link: &link, hop, first_byte_ns: 0 };
        let mut before_all_was_sent = None;
        if has_files {
            let sent = Box::pin(self.send_files(&mut body, &mut incoming, hop, &link, place)).await;
            body_bytes += sent.bytes;
            before_all_was_sent = sent.read;
        }
        let read = poll_fn(|cx| {
            if let Some(read) = before_all_was_sent.take() {
                return Poll::Ready(read);
            }
            link.note_waker(place, cx);
            match incoming.poll(cx) {
                Poll::Pending if link.late(place) => Poll::Ready(Read::Late),
                Poll::Pending if self.aborted() => Poll::Ready(Read::CutOff),
                read => read,
            }
        })
        .await;
        let Incoming { reading, first_byte_ns, .. } = incoming;
        let whole = matches!(read, Read::Whole);
        let done_ns = if whole { link.arrived_ns().max(sent_ns) } else { now_ns() };
        // What is not over is reset here (CANCEL), by dropping it.
        drop((reading, body));
        link.exit();

        let answered = seat.response.status != 0;
        let failed = match read {
            Read::Whole => None,
            Read::Broken(error) => match fault(&error, &link) {
                Fault::Unprocessed(_) if !retried && !answered => return Err(Attempt::Again),
                Fault::Refused(_) if !retried && !answered && hop.retry_stale => return Err(Attempt::Again),
                Fault::Lost(_) if reused && !retried && !answered && hop.retry_stale => return Err(Attempt::Again),
                fault => Some(fault.unanswered()),
            },
            Read::TooLong(error) => Some(Unanswered::Failed(Kind::Protocol, Cow::Owned(error.to_string()))),
            Read::Late => Some(Kind::RequestTimeout.into()),
            Read::CutOff => Some(Unanswered::Abandoned),
            Read::Unreadable(failed) => Some(failed),
        };
        let received = link.received.borrow_mut().take() + seat.response.body_bytes;
        seat.response.wire_bytes = received;
        tally.done_ns = done_ns;
        tally.bytes_received += received;
        tally.bytes_sent += link.sent.borrow_mut().take() + body_bytes;
        tally.exchanges.sent += 1;
        tally.exchanges.answered += u32::from(whole);
        if tally.sent_ns == 0 {
            tally.sent_ns = sent_ns;
        }
        // What h2 is given goes out with others' frames, and no stamp is this request's own.
        tally.attempted(Stamps { sent_ns, taken_ns: sent_ns, first_byte_ns, done_ns });
        seat.first_byte_ns = first_byte_ns;
        if self.samples_failures() && matches!(failed, Some(Unanswered::Failed(..))) {
            self.sample_broken(seat.response.clone(), first_byte_ns);
        }
        if let Some((_, counted)) = &*link.peer.borrow() {
            let unanswered = matches!(failed, Some(Unanswered::Failed(..)));
            let mut recorder = self.recorder.borrow_mut();
            counted.each(|id| recorder.endpoint_request(id, unanswered));
        }
        if let (Some(record), Some((peer, _))) = (&mut tally.record, &*link.peer.borrow()) {
            record.address = Some(peer.clone());
            if whole {
                record.answered(&seat.response);
            }
        }
        match failed {
            None => {
                link.answered.set(true);
                Ok(())
            }
            Some(unanswered) => Err(Attempt::Ended(unanswered)),
        }
    }

    /// Waits for a stream where the server takes fewer than ask for one, within the time of the request.
    async fn stream_granted(&self, link: &Link, place: usize, hop: &Hop<'_>, tally: &mut Tally) -> Result<(), Attempt> {
        let begin_ns = now_ns();
        link.set_deadline(place, begin_ns.max(hop.begin_ns).saturating_add(hop.timeout_ns).min(hop.until_ns));
        let granted = poll_fn(|cx| {
            link.note_waker(place, cx);
            if link.granted(place) {
                return Poll::Ready(Ok(()));
            }
            if self.aborted() {
                return Poll::Ready(Err(Attempt::Ended(Unanswered::Abandoned)));
            }
            if link.is_over() {
                return Poll::Ready(Err(Attempt::Gone));
            }
            if link.late(place) {
                return Poll::Ready(Err(Attempt::Ended(Kind::RequestTimeout.into())));
            }
            Poll::Pending
        })
        .await;
        if let Err(failed) = granted {
            link.leave_queue(place);
            return Err(match failed {
                Attempt::Gone => gone(link, tally),
                failed => {
                    tally.never_sent();
                    failed
                }
            });
        }
        if tally.sent_ns == 0 {
            tally.network_ns += now_ns().saturating_sub(begin_ns.max(hop.begin_ns));
        }
        Ok(())
    }
}

/// Reads as much of a response as has come.
fn poll_response(
    reading: &mut Reading,
    response: &mut Response,
    link: &Link,
    hop: &Hop<'_>,
    first_byte_ns: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<Read> {
    loop {
        let read = match reading {
            Reading::Head(head) => match Pin::new(head).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(answer)) => {
                    *first_byte_ns = link.arrived_ns();
                    let (head, body) = answer.into_parts();
                    let fields = || head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
                    response.begin_http2(head.status.as_u16(), fields, hop.keep);
                    if body.is_end_stream() {
                        return Poll::Ready(Read::Whole);
                    }
                    *reading = Reading::Body(body);
                    continue;
                }
                Poll::Ready(Err(error)) => Read::Broken(error),
            },
            Reading::Body(body) => match body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(piece))) => {
                    // The window is for pace, not for judgement: what does not fit is seen below.
                    let _ = body.flow_control().release_capacity(piece.len());
                    match response.push_body(&piece, hop.keep, KEPT_BODY_BYTES_DEFAULT) {
                        Ok(()) => continue,
                        Err(error) => Read::TooLong(error),
                    }
                }
                Poll::Ready(Some(Err(error))) => Read::Broken(error),
                Poll::Ready(None) => Read::Whole,
            },
        };
        return Poll::Ready(read);
    }
}

/// A link that ended before the request was on it: what was wrong with it, or nothing, and then another may do.
fn gone(link: &Link, tally: &mut Tally) -> Attempt {
    match link.failure() {
        Some(why) => {
            tally.never_sent();
            Attempt::Ended(why)
        }
        None => Attempt::Gone,
    }
}

/// A request that never gets to the wire.
fn unsendable(reason: String, tally: &mut Tally) -> Unanswered {
    tally.never_sent();
    Unanswered::Failed(Kind::Request, Cow::Owned(reason))
}
