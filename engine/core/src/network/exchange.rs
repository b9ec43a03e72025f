//! One request on the wire: a connection, the bytes out, the response in, and once more if the connection was dead.

use std::{
    borrow::Cow,
    cell::RefCell,
    future::{poll_fn, Future},
    sync::Arc,
    task::{Context, Poll},
};

use pummel_case::{RenderedRequest, StepError};
use pummel_http::{Keep, ProtocolError, Response};
use pummel_ring::{now_ns, End, Event, Payload};

use crate::{
    error::Kind,
    network::connection::{Connection, TlsEnd},
    network::http1::{Http1, Reading},
    network::http2::Seat,
    network::limit::Permit,
    network::origins::OriginId,
    network::phases::Stamps,
    network::pool::{keep, IdleConnections},
    network::proxy::refused,
    network::tally::Tally,
    network::upload::{first_sent, Sent},
    network::usage::Usage,
    program::{encode, Besides, Encoded, Extra},
    shard::Shard,
};

/// Capacity the buffer of requests on their way into TLS keeps: most requests are smaller, and a large upload must not stay.
const PLAINTEXT_RETAINED_BYTES: usize = 64 * 1024;

/// Why there is no response.
pub(crate) enum Unanswered {
    Failed(Kind, Cow<'static, str>),
    /// The run was cut off.
    Abandoned,
}

impl From<Kind> for Unanswered {
    fn from(kind: Kind) -> Self {
        Self::Failed(kind, Cow::Borrowed(kind.message()))
    }
}

impl From<StepError> for Unanswered {
    fn from(error: StepError) -> Self {
        Self::Failed(error.kind.into(), Cow::Owned(error.message.to_string()))
    }
}

/// How one attempt ended without a response.
enum Attempt {
    Ended(Unanswered),
    /// A reused connection turned out to be dead before a byte of the response.
    Stale,
    /// The request cannot be written down, so the connection was not touched.
    Unwritable(Unanswered),
}

impl From<Kind> for Attempt {
    fn from(kind: Kind) -> Self {
        Self::Ended(kind.into())
    }
}

/// A response, by what holds it.
pub(crate) enum Answered {
    /// It stands in the connection's sink.
    Http1 { connection: Connection, origin: OriginId },
    /// It stands in the seat.
    Http2(Box<Seat>),
}

impl Answered {
    /// Runs `f` on the response.
    #[inline]
    pub(crate) fn with<T>(&mut self, f: impl FnOnce(&mut Response) -> T) -> T {
        match self {
            Self::Http1 { connection, .. } => connection.with(|wire| f(&mut wire.http().response)),
            Self::Http2(seat) => f(&mut seat.response),
        }
    }

    /// The time limit of the response no longer counts: it is here.
    pub(crate) fn unlimit(&self) {
        match self {
            Self::Http1 { connection, .. } => connection.set_deadline(0),
            Self::Http2(seat) => seat.unlimit(),
        }
    }

    /// When its first byte arrived, where that was asked for; 0 where it was not.
    pub(crate) fn first_byte_ns(&self) -> u64 {
        match self {
            Self::Http1 { connection, .. } => connection.with(|wire| wire.http().first_byte_ns),
            Self::Http2(seat) => seat.first_byte_ns,
        }
    }

    /// Where it came from.
    pub(crate) fn origin(&self) -> OriginId {
        match self {
            Self::Http1 { origin, .. } => *origin,
            Self::Http2(seat) => seat.origin(),
        }
    }
}

/// RFC 9110 section 15.5.8.
const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// One request on its way to one origin.
#[derive(Clone, Copy)]
pub(crate) struct Hop<'a> {
    pub(crate) request: &'a RenderedRequest,
    pub(crate) method: &'a Arc<str>,
    pub(crate) origin: OriginId,
    /// Over HTTP/2.
    pub(crate) http2: bool,
    /// The same in the words of the protocol, where it is always the same; for HTTP/1.1 it is sent where there are no cookies.
    pub(crate) encoded: Option<&'a Encoded>,
    /// What the user adds: cookies of its jar, an answer to a challenge.
    pub(crate) extra: Extra<'a>,
    pub(crate) head_request: bool,
    pub(crate) keep: Keep,
    /// It may be sent again on a fresh connection where an idle one was dead.
    pub(crate) retry_stale: bool,
    /// From its first byte to the end of the response.
    pub(crate) timeout_ns: u64,
    /// When it was due.
    pub(crate) begin_ns: u64,
    /// Until when it must be over, though it has more time by its own limit: that of the request it is part of.
    pub(crate) until_ns: u64,
}

impl Hop<'_> {
    /// Sets until when an answer may come on a connection that was there since `from_ns`.
    #[inline]
    fn limit(&self, connection: &Connection, from_ns: u64) {
        connection.set_deadline(from_ns.saturating_add(self.timeout_ns).min(self.until_ns));
    }

    /// The connection's deadline has passed: true where the request has no more time. Otherwise it has a new deadline.
    pub(super) fn is_late(&self, connection: &Connection, sent: Option<&Sent>) -> bool {
        let now = now_ns();
        let deadline_ns = deadline_of(first_sent(connection, sent), now, self.timeout_ns).min(self.until_ns);
        if deadline_ns > now {
            connection.set_deadline(deadline_ns);
        }
        deadline_ns <= now
    }
}

/// The failure of a request to one host more than a core keeps track of.
pub(crate) fn too_many_hosts() -> Unanswered {
    Unanswered::Failed(Kind::Request, Cow::Borrowed("too many different hosts in one run"))
}

impl Shard {
    /// Sends a request and receives its response.
    pub(crate) async fn hop(
        &self,
        idle: &RefCell<IdleConnections>,
        hop: &Hop<'_>,
        tally: &mut Tally,
    ) -> Result<Answered, Unanswered> {
        if let Some(record) = &mut tally.record {
            record.asks(hop.method, self.origins.borrow().origin(hop.origin), hop.request, hop.extra);
        }
        if hop.http2 {
            // A box keeps the future of a user that speaks HTTP/1.1 small.
            let seat = Box::pin(self.hop_http2(idle, hop, tally)).await?;
            return Ok(Answered::Http2(seat));
        }
        // What is not done for most requests is boxed: that keeps the user's future small.
        let (permit, from_ns) = match &self.connection_limit {
            None => (None, hop.begin_ns),
            Some(limit) => match limit.try_take(hop.origin) {
                None => Box::pin(self.wait_for_connection(limit, hop, tally)).await?,
                free => (free, hop.begin_ns),
            },
        };
        let (mut connection, mut reused) = match self.idle_one(idle, hop.origin, from_ns, permit) {
            Ok(connection) => {
                hop.limit(&connection, from_ns);
                (connection, true)
            }
            Err(permit) => {
                let (connection, opened_ns) = Box::pin(self.fresh(hop, permit, false, tally)).await?;
                hop.limit(&connection, opened_ns);
                (connection, false)
            }
        };
        loop {
            match self.attempt(&connection, hop, reused, tally).await {
                Ok(()) if self.refused_by_proxy(&connection, hop.origin) => {
                    let failed = refused(PROXY_AUTHENTICATION_REQUIRED);
                    if self.samples_failures() {
                        connection
                            .with(|wire| self.sample_broken(wire.http().response.clone(), wire.http().first_byte_ns));
                    }
                    self.release(idle, Answered::Http1 { connection, origin: hop.origin });
                    return Err(failed);
                }
                Ok(()) => return Ok(Answered::Http1 { connection, origin: hop.origin }),
                Err(Attempt::Ended(unanswered)) => {
                    self.recorder.borrow_mut().connection_closed();
                    return Err(unanswered);
                }
                Err(Attempt::Unwritable(unanswered)) => {
                    connection.set_deadline(0);
                    let permit = connection.with(|wire| wire.permit.take());
                    keep(idle, hop.origin, connection, permit);
                    return Err(unanswered);
                }
                Err(Attempt::Stale) => {
                    let permit = connection.with(|wire| wire.permit.take());
                    drop(connection);
                    self.lost(tally)?;
                    let (fresh, opened_ns) = Box::pin(self.fresh(hop, permit, true, tally)).await?;
                    hop.limit(&fresh, opened_ns);
                    (connection, reused) = (fresh, false);
                }
            }
        }
    }

    /// An idle connection for the holder of a permit, which goes with it; the permit again where there is none.
    #[inline]
    fn idle_one(
        &self,
        idle: &RefCell<IdleConnections>,
        origin: OriginId,
        now_ns: u64,
        permit: Option<Permit>,
    ) -> Result<Connection, Option<Permit>> {
        let mut recorder = self.recorder.borrow_mut();
        let Some(connection) = idle.borrow_mut().take(origin, now_ns, || recorder.connection_closed()) else {
            return Err(permit);
        };
        recorder.connection_reused();
        if permit.is_some() {
            connection.with(|wire| wire.permit = permit);
        }
        Ok(connection)
    }

    /// True where the answer is that of a proxy which has passed nothing on, for want of credentials (RFC 9110 section 15.5.8).
    #[inline]
    fn refused_by_proxy(&self, connection: &Connection, origin: OriginId) -> bool {
        self.plan.network.proxies.http.is_some()
            && connection.with(|wire| wire.http().response.status) == PROXY_AUTHENTICATION_REQUIRED
            && self.origins.borrow().forward(origin).is_some()
    }

    /// Accounts for a connection that was dead. Nothing is sent again once the run is cut off.
    fn lost(&self, tally: &mut Tally) -> Result<(), Unanswered> {
        let mut recorder = self.recorder.borrow_mut();
        recorder.connection_closed();
        recorder.connection_stale();
        tally.exchanges.stale_retries += 1;
        if self.aborted() {
            tally.never_sent();
            return Err(Unanswered::Abandoned);
        }
        Ok(())
    }

    /// Opens a connection for a request, in the place of a `stale` one or because there was none; gives since when there is
    /// one, too.
    pub(super) async fn fresh(
        &self,
        hop: &Hop<'_>,
        permit: Option<Permit>,
        stale: bool,
        tally: &mut Tally,
    ) -> Result<(Connection, u64), Unanswered> {
        let begin_ns = now_ns();
        // What was lost on a dead connection began when the wait for it was over.
        let used_ns = hop.begin_ns.saturating_add(tally.network_ns);
        let lost_from_ns = if stale { used_ns.min(begin_ns) } else { begin_ns };
        let connection = match self.open(hop, tally).await {
            Ok(connection) => connection,
            Err(unanswered) => {
                tally.never_sent();
                return Err(unanswered);
            }
        };
        let opened_ns = now_ns().max(hop.begin_ns);
        connection.with(|wire| {
            wire.usage = Usage::new(opened_ns, &self.plan.network);
            wire.permit = permit;
        });
        if tally.sent_ns == 0 {
            tally.network_ns += opened_ns.saturating_sub(lost_from_ns);
        }
        Ok((connection, opened_ns))
    }

    /// Waits for a connection's next event; none when the run is cut off.
    pub(super) fn event<'s>(&'s self, connection: &'s Connection) -> impl Future<Output = Option<Event>> + 's {
        poll_fn(|cx| self.poll_event(connection, &mut None, cx))
    }

    /// What [`event`](Self::event) waits for; first what ended the sending of a body early.
    fn poll_event(
        &self,
        connection: &Connection,
        rest: &mut Option<Box<Sent>>,
        cx: &Context<'_>,
    ) -> Poll<Option<Event>> {
        if let Some(told) = rest.as_mut().and_then(|rest| rest.told.take()) {
            return Poll::Ready(told);
        }
        match connection.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(Some(event)),
            Poll::Pending if self.aborted() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Sends the request on a connection and waits for the whole response.
    // A block and not an `async fn`, which would hold each of its arguments twice, in every user.
    #[allow(clippy::manual_async_fn)]
    fn attempt<'a>(
        &'a self,
        connection: &'a Connection,
        hop: &'a Hop<'a>,
        reused: bool,
        tally: &'a mut Tally,
    ) -> impl Future<Output = Result<(), Attempt>> + 'a {
        async move {
            let (last, secured) = connection.with(|wire| (wire.usage.next_is_last(), wire.tls().is_some()));
            let (payload, sent_bytes) = match self.payload(connection, hop, last, secured) {
                Ok(payload) => payload,
                Err(attempt) => {
                    tally.never_sent();
                    return Err(attempt);
                }
            };
            let timed = tally.phases.is_some();
            let first_byte_counts = timed || self.samples_failures();
            if timed {
                connection.time_next_send();
            }
            connection.with(|wire| {
                wire.usage.carry();
                wire.http().begin(hop.head_request, hop.keep, first_byte_counts);
            });
            connection.send(payload);
            // Few requests have files, so what they need is boxed: a user's future is as large as its largest state.
            let mut rest = None;
            if hop.request.has_files() {
                rest = Some(Box::pin(self.send_rest(connection, hop, timed)).await);
            }

            let (done_ns, ended) = loop {
                let event = poll_fn(|cx| self.poll_event(connection, &mut rest, cx)).await;
                let failed = match event {
                    Some(Event::Connected) => continue,
                    Some(Event::Data { at_ns }) => match connection.with(|wire| wire.http().reading()) {
                        Reading::Unfinished => match connection.with(|wire| wire.tls_end()) {
                            None => continue,
                            // The answer to a request on a connection that is to be closed ends with it, as without TLS.
                            Some(TlsEnd::Closed) => match ended_by(connection, End::Eof, reused, hop.retry_stale) {
                                Ok(None) => break (at_ns, Ok(())),
                                Ok(Some(failed)) => failed,
                                Err(stale) => return Err(stale),
                            },
                            Some(TlsEnd::Broken(failure)) => failure.into(),
                        },
                        Reading::Complete => break (at_ns, Ok(())),
                        Reading::Failed(error) => broken(error),
                    },
                    Some(Event::End(end)) => match ended_by(connection, end, reused, hop.retry_stale) {
                        Ok(None) => break (now_ns(), Ok(())),
                        Ok(Some(failed)) => failed,
                        Err(stale) => return Err(stale),
                    },
                    Some(Event::Timeout) if !hop.is_late(connection, rest.as_deref()) => continue,
                    Some(Event::Timeout) => Kind::RequestTimeout.into(),
                    None => rest.as_mut().and_then(|rest| rest.failed.take()).unwrap_or(Unanswered::Abandoned),
                };
                break (now_ns(), Err(Attempt::Ended(failed)));
            };
            let sent_ns = first_sent(connection, rest.as_deref());
            let sent_bytes = sent_bytes + rest.map_or(0, |rest| rest.bytes);
            if let Some(counted) = tally.settle(connection, sent_ns, sent_bytes, done_ns) {
                let failed = matches!(ended, Err(Attempt::Ended(Unanswered::Failed(..))));
                let mut recorder = self.recorder.borrow_mut();
                counted.each(|id| recorder.endpoint_request(id, failed));
            }
            tally.exchanges.answered += u32::from(ended.is_ok());
            if timed {
                let taken_ns = connection.taken_ns();
                let first_byte_ns = connection.with(|wire| wire.http().first_byte_ns);
                tally.attempted(Stamps { sent_ns, taken_ns, first_byte_ns, done_ns });
            }
            if self.samples_failures() && matches!(ended, Err(Attempt::Ended(Unanswered::Failed(..)))) {
                // The connection goes with the request.
                connection.with(|wire| {
                    let first_byte_ns = wire.http().first_byte_ns;
                    self.sample_broken(std::mem::take(&mut wire.http().response), first_byte_ns);
                });
            }
            if let Some(record) = &mut tally.record {
                connection.with(|wire| {
                    record.address = Some(wire.peer.clone());
                    if ended.is_ok() {
                        record.answered(&wire.http().response);
                    }
                });
            }
            ended
        }
    }

    /// The bytes of a request as its connection takes them, and how many they are before TLS.
    #[inline]
    fn payload(
        &self,
        connection: &Connection,
        hop: &Hop<'_>,
        last: bool,
        secured: bool,
    ) -> Result<(Payload, u64), Attempt> {
        let plain = match hop.encoded.filter(|_| hop.extra.cookies.is_empty() && !last) {
            Some(Encoded::Plain(bytes)) if !secured => return Ok((Payload::Run(*bytes), bytes.len() as u64)),
            Some(Encoded::ToSeal(plain)) if secured => Some(&**plain),
            _ => None,
        };
        let mut buffer = connection.take_buffer();
        if let Some(plain) = plain {
            return sealed(connection, plain, buffer);
        }
        let origins = self.origins.borrow();
        let scratch = &mut *self.plaintext.borrow_mut();
        let out = if secured { &mut *scratch } else { &mut buffer };
        let authority = origins.authority(hop.origin);
        let besides = Besides { extra: hop.extra, forward: origins.forward(hop.origin), last };
        if let Err(error) = encode(out, hop.method, hop.request, authority, besides, &self.plan.network) {
            scratch.clear();
            connection.return_buffer(buffer);
            return Err(Attempt::Unwritable(Unanswered::Failed(Kind::Request, Cow::Owned(error.to_string()))));
        }
        if !secured {
            let bytes = buffer.len() as u64;
            return Ok((Payload::Owned(buffer), bytes));
        }
        let sealed = sealed(connection, scratch, buffer);
        scratch.clear();
        scratch.shrink_to(PLAINTEXT_RETAINED_BYTES);
        sealed
    }
}

/// Puts TLS on a request; gives its length without, too.
fn sealed(connection: &Connection, plain: &[u8], mut out: Vec<u8>) -> Result<(Payload, u64), Attempt> {
    match connection.with(|wire| wire.seal(plain, &mut out)) {
        Ok(_) => Ok((Payload::Owned(out), plain.len() as u64)),
        Err(failure) => Err(Attempt::Ended(failure.into())),
    }
}

/// What the end of the stream is to the request under way: nothing where it completes the response, a failure, or the sign of
/// a connection that was dead before.
fn ended_by(connection: &Connection, end: End, reused: bool, retry_stale: bool) -> Result<Option<Unanswered>, Attempt> {
    let (tls_end, secured) = connection.with(|wire| (wire.tls_end(), wire.tls().is_some()));
    if let Some(TlsEnd::Broken(failure)) = tls_end {
        return Ok(Some(failure.into()));
    }
    // Without a close_notify anybody may have cut the body short (RFC 8446 section 6.1).
    let cut = secured && tls_end.is_none();
    let (reading, answered) = connection.with(|wire| {
        let http = wire.http();
        (if cut { http.reading() } else { at_end(http, end) }, http.answered)
    });
    Ok(Some(match reading {
        Reading::Complete => return Ok(None),
        _ if reused && !answered => {
            if retry_stale {
                return Err(Attempt::Stale);
            }
            Kind::Reset.into()
        }
        Reading::Failed(error) if end == End::Eof => broken(error),
        _ if end == End::Eof => Kind::ClosedEarly.into(),
        _ => Kind::Reset.into(),
    }))
}

/// Until when a response may come. The limit counts from the first byte sent, which a busy core hands over later than the
/// request was due; one that is still queued has all of it before it.
fn deadline_of(sent_ns: u64, now_ns: u64, timeout_ns: u64) -> u64 {
    let from_ns = if sent_ns == 0 { now_ns } else { sent_ns };
    from_ns.saturating_add(timeout_ns)
}

/// How far the response is once the stream has ended. Only an orderly close ends a body that has no other end: after a
/// reset it is incomplete (RFC 9112 section 8).
fn at_end(http: &mut Http1, end: End) -> Reading {
    match end {
        End::Eof => http.end_of_stream(),
        End::Error(_) => http.reading(),
    }
}

/// What is said of a response that breaks the protocol.
pub(super) fn broken(error: ProtocolError) -> Unanswered {
    match error {
        ProtocolError::ClosedEarly { .. } => Kind::ClosedEarly.into(),
        error => Unanswered::Failed(Kind::Protocol, Cow::Owned(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use pummel_http::{Keep, Limits};
    use pummel_ring::End;

    use super::{at_end, deadline_of, Http1, Reading};

    #[test]
    fn the_time_a_request_waits_in_the_engine_is_not_taken_from_its_limit() {
        assert_eq!(deadline_of(700, 1_000, 300), 1_000, "sent 300 ago: over");
        assert_eq!(deadline_of(900, 1_000, 300), 1_200);
        assert_eq!(deadline_of(0, 1_000, 300), 1_300, "not sent yet");
        assert_eq!(deadline_of(1, 1_000, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_reset_does_not_complete_what_a_close_would() {
        let answered = |end| {
            let mut http = Http1::new(Limits::default());
            http.begin(false, Keep::default(), false);
            http.on_data(b"HTTP/1.1 200 OK\r\n\r\nsome");
            at_end(&mut http, end)
        };
        assert_eq!(answered(End::Eof), Reading::Complete);
        assert_eq!(answered(End::Error(104)), Reading::Unfinished);
    }
}
