//! One request on the wire: a connection, the bytes out, the response in, and once more if the connection was dead.

use std::{
    borrow::Cow,
    cell::RefCell,
    future::{poll_fn, Future},
    task::Poll,
};

use pummel_case::{RenderedRequest, StepError};
use pummel_http::{Keep, ProtocolError, Response};
use pummel_ring::{now_ns, End, Event, Payload};
use pummel_stats::Exchanges;

use crate::{
    error::Kind,
    network::connection::Connection,
    network::http1::{Http1, Reading},
    network::http2::{release_seat, Seat},
    network::origins::OriginId,
    network::pool::IdleConnections,
    program::{encode, Encoded},
    shard::Shard,
    ExchangeRecord,
};

/// What went over the wire for one request, filled as it happens so that it is right however the request ends.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) exchanges: Exchanges,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// When the first byte was handed to the kernel, of the first request where redirects were followed; 0 if none was.
    pub(crate) sent_ns: u64,
    /// When the last body byte arrived, or the failure was seen.
    pub(crate) done_ns: u64,
    /// What passed between due and the first byte sent without being the engine's: on a dead connection, and opening a new one.
    pub(crate) network_ns: u64,
    /// What a functional run wants to know besides; a load run has none.
    pub(crate) record: Option<Box<ExchangeRecord>>,
}

impl Tally {
    /// How long a request that was sent had waited in the engine.
    pub(crate) fn lateness_ns(&self, due_ns: u64) -> u64 {
        self.sent_ns.saturating_sub(due_ns).saturating_sub(self.network_ns)
    }

    /// Enters a request that ended before there was a connection to send it on, or words to send.
    pub(crate) fn never_sent(&mut self) {
        self.exchanges.unsent += 1;
        self.done_ns = now_ns();
    }

    /// What a functional run is told, once all is over.
    pub(crate) fn take_record(&mut self, due_ns: u64) -> Option<Box<ExchangeRecord>> {
        let mut record = self.record.take()?;
        record.redirects = self.exchanges.redirects;
        record.phases.total_us = self.done_ns.saturating_sub(due_ns) / 1000;
        Some(record)
    }

    /// Enters what a connection did for this request.
    #[inline]
    fn settle(&mut self, connection: &Connection, sent_bytes: u64, done_ns: u64) {
        let sent_ns = connection.sent_ns();
        self.done_ns = done_ns;
        self.bytes_received += connection.with(|wire| wire.http().response.wire_bytes);
        if sent_ns == 0 {
            self.exchanges.unsent += 1;
            return;
        }
        self.exchanges.sent += 1;
        self.bytes_sent += sent_bytes;
        if self.sent_ns == 0 {
            self.sent_ns = sent_ns;
        }
    }
}

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

/// A response, and what it came on.
pub(crate) struct Answered {
    pub(crate) by: Answer,
    pub(crate) origin: OriginId,
}

/// What a response came on, which holds it.
pub(crate) enum Answer {
    /// It stands in the connection's sink.
    Http1(Connection),
    /// It stands in the seat.
    Http2(Box<Seat>),
}

impl Answered {
    /// Runs `f` on the response.
    #[inline]
    pub(crate) fn with<T>(&mut self, f: impl FnOnce(&mut Response) -> T) -> T {
        match &mut self.by {
            Answer::Http1(connection) => connection.with(|wire| f(&mut wire.http().response)),
            Answer::Http2(seat) => f(&mut seat.response),
        }
    }

    /// The time limit of the response no longer counts: it is here.
    pub(crate) fn unlimit(&self) {
        match &self.by {
            Answer::Http1(connection) => connection.set_deadline(0),
            Answer::Http2(seat) => seat.unlimit(),
        }
    }
}

/// One request on its way to one origin.
pub(crate) struct Hop<'a> {
    pub(crate) request: &'a RenderedRequest,
    pub(crate) method: &'a str,
    pub(crate) origin: OriginId,
    /// Over HTTP/2.
    pub(crate) http2: bool,
    /// The same in the words of the protocol, where it is always the same; for HTTP/1.1 it is sent where there are no cookies.
    pub(crate) encoded: Option<&'a Encoded>,
    /// Cookies of the jar, for its `Cookie` field.
    pub(crate) cookies: &'a [u8],
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
            record.asks(hop.method, self.origins.borrow().origin(hop.origin), hop.request, hop.cookies);
        }
        if hop.http2 {
            // A box keeps the future of a user that speaks HTTP/1.1 small.
            let seat = Box::pin(self.hop_http2(idle, hop, tally)).await?;
            return Ok(Answered { by: Answer::Http2(seat), origin: hop.origin });
        }
        let mut idle_one = idle.borrow_mut().take(hop.origin, || self.recorder.borrow_mut().connection_closed());
        let (mut stale, mut from_ns) = (false, hop.begin_ns);
        loop {
            let reused = idle_one.is_some();
            let connection = if let Some(connection) = idle_one.take() {
                self.recorder.borrow_mut().connection_reused();
                connection
            } else {
                // Most requests never come here: a box keeps the user's future small.
                let (connection, opened_ns) = Box::pin(self.fresh(hop, stale, tally)).await?;
                from_ns = opened_ns;
                connection
            };
            connection.set_deadline(from_ns.saturating_add(hop.timeout_ns).min(hop.until_ns));
            match self.attempt(&connection, hop, reused, tally).await {
                Ok(()) => return Ok(Answered { by: Answer::Http1(connection), origin: hop.origin }),
                Err(Attempt::Ended(unanswered)) => {
                    self.recorder.borrow_mut().connection_closed();
                    return Err(unanswered);
                }
                Err(Attempt::Unwritable(unanswered)) => {
                    connection.set_deadline(0);
                    idle.borrow_mut().put(hop.origin, connection);
                    return Err(unanswered);
                }
                Err(Attempt::Stale) => {
                    self.lost(tally)?;
                    stale = true;
                }
            }
        }
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
    async fn fresh(&self, hop: &Hop<'_>, stale: bool, tally: &mut Tally) -> Result<(Connection, u64), Unanswered> {
        let lost_from_ns = if stale { hop.begin_ns.min(now_ns()) } else { now_ns() };
        let connection = match self.open(hop, tally).await {
            Ok(connection) => connection,
            Err(unanswered) => {
                tally.never_sent();
                return Err(unanswered);
            }
        };
        let opened_ns = now_ns().max(hop.begin_ns);
        if tally.sent_ns == 0 {
            tally.network_ns = opened_ns.saturating_sub(lost_from_ns);
        }
        Ok((connection, opened_ns))
    }

    /// Waits for a connection's next event; none when the run is cut off.
    pub(super) fn event<'s>(&'s self, connection: &'s Connection) -> impl Future<Output = Option<Event>> + 's {
        poll_fn(|cx| match connection.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(Some(event)),
            Poll::Pending if self.aborted() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
    }

    /// Sends the request on a connection and waits for the whole response.
    async fn attempt(
        &self,
        connection: &Connection,
        hop: &Hop<'_>,
        reused: bool,
        tally: &mut Tally,
    ) -> Result<(), Attempt> {
        let payload = match hop.encoded {
            Some(Encoded::Plain(bytes)) if hop.cookies.is_empty() => Payload::Run(*bytes),
            _ => {
                let mut buffer = connection.take_buffer();
                let origins = self.origins.borrow();
                let authority = origins.authority(hop.origin);
                let network = &self.plan.network;
                if let Err(error) = encode(&mut buffer, hop.method, hop.request, authority, hop.cookies, network) {
                    connection.return_buffer(buffer);
                    tally.never_sent();
                    let failed = Unanswered::Failed(Kind::Request, Cow::Owned(error.to_string()));
                    return Err(Attempt::Unwritable(failed));
                }
                Payload::Owned(buffer)
            }
        };
        let sent_bytes = match &payload {
            Payload::Run(bytes) => bytes.len() as u64,
            Payload::Owned(bytes) => bytes.len() as u64,
        };
        connection.with(|wire| wire.http().begin(hop.head_request, hop.keep, tally.record.is_some()));
        connection.send(payload);

        let (done_ns, ended) = loop {
            let event = self.event(connection).await;
            let failed = match event {
                Some(Event::Connected) => continue,
                Some(Event::Data { at_ns }) => match connection.with(|wire| wire.http().reading()) {
                    Reading::Unfinished => continue,
                    Reading::Complete => break (at_ns, Ok(())),
                    Reading::Failed(error) => broken(error),
                },
                Some(Event::End(end)) => match connection.with(|wire| at_end(wire.http(), end)) {
                    Reading::Complete => break (now_ns(), Ok(())),
                    _ if reused && !connection.with(|wire| wire.http().answered) => {
                        if hop.retry_stale {
                            return Err(Attempt::Stale);
                        }
                        Kind::Reset.into()
                    }
                    Reading::Failed(error) if end == End::Eof => broken(error),
                    _ if end == End::Eof => Kind::ClosedEarly.into(),
                    _ => Kind::Reset.into(),
                },
                Some(Event::Timeout) => {
                    let now = now_ns();
                    let deadline_ns = deadline_of(connection.sent_ns(), now, hop.timeout_ns).min(hop.until_ns);
                    if deadline_ns > now {
                        connection.set_deadline(deadline_ns);
                        continue;
                    }
                    Kind::RequestTimeout.into()
                }
                None => Unanswered::Abandoned,
            };
            break (now_ns(), Err(Attempt::Ended(failed)));
        };
        tally.settle(connection, sent_bytes, done_ns);
        tally.exchanges.answered += u32::from(ended.is_ok());
        if let Some(record) = &mut tally.record {
            let sent_ns = connection.sent_ns();
            connection.with(|wire| {
                let peer = wire.peer;
                let http = wire.http();
                record.attempted(peer, sent_ns, http.first_byte_ns, done_ns);
                if ended.is_ok() {
                    record.answered(&http.response);
                }
            });
        }
        ended
    }

    /// Puts a connection back after its response was used, or closes it where that is due.
    #[inline]
    pub(crate) fn release(&self, idle: &RefCell<IdleConnections>, answered: Answered) {
        let Answered { by, origin } = answered;
        let connection = match by {
            Answer::Http1(connection) => connection,
            Answer::Http2(seat) => return release_seat(idle, seat),
        };
        let again = connection.with(|wire| {
            let http = wire.http();
            http.response.trim();
            http.reusable()
        });
        if again && self.plan.network.keepalive && connection.ended().is_none() && !connection.sending() {
            connection.set_deadline(0);
            idle.borrow_mut().put(origin, connection);
            return;
        }
        self.recorder.borrow_mut().connection_closed();
        if connection.ended().is_none() && !connection.sending() {
            self.lingering.borrow_mut().add(connection);
        }
    }
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

fn broken(error: ProtocolError) -> Unanswered {
    match error {
        ProtocolError::ClosedEarly { .. } => Kind::ClosedEarly.into(),
        error => Unanswered::Failed(Kind::Protocol, Cow::Owned(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use pummel_http::{Keep, Limits};
    use pummel_ring::End;

    use super::{at_end, deadline_of, Http1, Reading, Tally};

    #[test]
    fn opening_a_connection_is_not_the_engines_lateness() {
        let tally = Tally { sent_ns: 5_000, network_ns: 3_000, ..Tally::default() };
        assert_eq!(tally.lateness_ns(1_000), 1_000);
        assert_eq!(tally.lateness_ns(4_000), 0, "a stamp taken before the send is never negative");
    }

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
