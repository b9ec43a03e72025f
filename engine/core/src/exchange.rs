//! One request on the wire: a connection, the bytes out, the response in, and once more if the connection was dead.

use std::{borrow::Cow, cell::RefCell, future::poll_fn, io, net::SocketAddr, task::Poll};

use pummel_case::{RenderedRequest, RequestStep};
use pummel_http::{Limits, ProtocolError};
use pummel_ring::{now_ns, End, Event, Payload};
use pummel_stats::Exchanges;

use crate::{
    connection::{Http1, Reading},
    error::Kind,
    origins::OriginId,
    plan::nanos,
    pool::{Connection, IdleConnections},
    program::{encode, Exchange},
    shard::Shard,
};

/// What went over the wire for one request, filled as it happens so that it is right however the request ends.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) exchanges: Exchanges,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// When the first byte was handed to the kernel; 0 if none was.
    pub(crate) sent_ns: u64,
    /// When the last body byte arrived, or the failure was seen.
    pub(crate) done_ns: u64,
    /// What passed between due and sent without being the engine's: on a dead connection, and opening a new one.
    pub(crate) network_ns: u64,
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

    /// Enters what the connection did for this request.
    #[inline]
    fn settle(&mut self, connection: &Connection, done_ns: u64) {
        self.sent_ns = connection.sent_ns();
        self.done_ns = done_ns;
        self.bytes_received = connection.with(|http| http.response.wire_bytes);
        if self.sent_ns == 0 {
            self.exchanges.unsent += 1;
            self.bytes_sent = 0;
        } else {
            self.exchanges.sent += 1;
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

/// What to send.
pub(crate) struct Outgoing<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) step: &'a RequestStep,
    pub(crate) origin: OriginId,
    /// The request, where it is not a constant of the program.
    pub(crate) rendered: Option<&'a RenderedRequest>,
}

impl Shard {
    /// Sends a request and receives its response, which then stands in the connection's sink.
    pub(crate) async fn exchange(
        &self,
        idle: &RefCell<IdleConnections>,
        outgoing: &Outgoing<'_>,
        from_ns: u64,
        tally: &mut Tally,
    ) -> Result<Connection, Unanswered> {
        let mut lost_from_ns = u64::MAX;
        let reused = idle.borrow_mut().take(outgoing.origin, || self.recorder.borrow_mut().connection_closed());
        if let Some(connection) = reused {
            self.recorder.borrow_mut().connection_reused();
            match self.attempt(&connection, outgoing, from_ns, true, tally).await {
                Ok(()) => return Ok(connection),
                Err(Attempt::Ended(unanswered)) => {
                    self.recorder.borrow_mut().connection_closed();
                    return Err(unanswered);
                }
                Err(Attempt::Unwritable(unanswered)) => {
                    idle.borrow_mut().put(outgoing.origin, connection);
                    return Err(unanswered);
                }
                Err(Attempt::Stale) => {}
            }
            let mut recorder = self.recorder.borrow_mut();
            recorder.connection_closed();
            recorder.connection_stale();
            drop(recorder);
            lost_from_ns = from_ns;
            tally.exchanges.stale_retries += 1;
            tally.sent_ns = 0;
            tally.bytes_sent = 0;
            if self.aborted() {
                tally.never_sent();
                return Err(Unanswered::Abandoned);
            }
        }
        lost_from_ns = lost_from_ns.min(now_ns());
        let connection = match self.open(outgoing.origin, from_ns).await {
            Ok(connection) => connection,
            Err(unanswered) => {
                tally.never_sent();
                return Err(unanswered);
            }
        };
        let opened_ns = now_ns().max(from_ns);
        tally.network_ns = opened_ns.saturating_sub(lost_from_ns);
        match self.attempt(&connection, outgoing, opened_ns, false, tally).await {
            Ok(()) => Ok(connection),
            Err(Attempt::Ended(unanswered)) => {
                self.recorder.borrow_mut().connection_closed();
                Err(unanswered)
            }
            Err(Attempt::Unwritable(unanswered)) => {
                connection.set_deadline(0);
                idle.borrow_mut().put(outgoing.origin, connection);
                Err(unanswered)
            }
            Err(Attempt::Stale) => unreachable!("only a reused connection is stale"),
        }
    }

    /// Opens a connection to one of the origin's addresses; where one takes none, to the next.
    async fn open(&self, origin: OriginId, from_ns: u64) -> Result<Connection, Unanswered> {
        let mut deadline_ns = None;
        loop {
            let Some(address) = self.address(origin).await else {
                return Err(if self.aborted() { Unanswered::Abandoned } else { Kind::Dns.into() });
            };
            // One limit for all addresses, from when there is one.
            let limit_ns = nanos(self.plan.network.connect_timeout);
            let until_ns = *deadline_ns.get_or_insert_with(|| now_ns().max(from_ns).saturating_add(limit_ns));
            let (kind, message) = match self.connect(address, until_ns).await {
                Ok(connection) => {
                    self.recorder.borrow_mut().connection_opened();
                    return Ok(connection);
                }
                Err(Unanswered::Abandoned) => return Err(Unanswered::Abandoned),
                Err(Unanswered::Failed(kind, message)) => (kind, message),
            };
            self.recorder.borrow_mut().connection_error();
            let another = kind != Kind::Descriptors && self.origins.borrow_mut().unreachable(origin, address, now_ns());
            if !another || kind == Kind::ConnectTimeout {
                self.ran_short(kind);
                return Err(Unanswered::Failed(kind, message));
            }
        }
    }

    /// Opens a connection to an address.
    async fn connect(&self, address: SocketAddr, deadline_ns: u64) -> Result<Connection, Unanswered> {
        let failed = |errno: i32| match Kind::of_connect(errno) {
            kind @ Kind::ConnectFailed => {
                let error = io::Error::from_raw_os_error(errno);
                Unanswered::Failed(kind, Cow::Owned(format!("{}: {error}", kind.message())))
            }
            kind => kind.into(),
        };
        let connection = self
            .ring
            .connect(address, Http1::new(Limits::default()))
            .map_err(|error| failed(error.raw_os_error().unwrap_or_default()))?;
        connection.set_deadline(deadline_ns);
        match self.event(&connection).await {
            Some(Event::Connected | Event::Data { .. }) => Ok(connection),
            Some(Event::Timeout) => Err(Kind::ConnectTimeout.into()),
            Some(Event::End(End::Error(errno))) => Err(failed(errno)),
            Some(Event::End(End::Eof)) => Err(failed(0)),
            None => Err(Unanswered::Abandoned),
        }
    }

    /// Waits for a connection's next event; none when the run is cut off.
    async fn event(&self, connection: &Connection) -> Option<Event> {
        poll_fn(|cx| match connection.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(Some(event)),
            Poll::Pending if self.aborted() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Sends the request on a connection and waits for the whole response.
    async fn attempt(
        &self,
        connection: &Connection,
        outgoing: &Outgoing<'_>,
        from_ns: u64,
        reused: bool,
        tally: &mut Tally,
    ) -> Result<(), Attempt> {
        let exchange = outgoing.exchange;
        let payload = match (exchange.constant, outgoing.rendered) {
            (Some((bytes, _)), _) => {
                tally.bytes_sent = bytes.len() as u64;
                Payload::Run(bytes)
            }
            (None, Some(rendered)) => {
                let mut buffer = connection.take_buffer();
                let origins = self.origins.borrow();
                let authority = origins.authority(outgoing.origin);
                if let Err(error) = encode(&mut buffer, outgoing.step, rendered, authority, &self.plan.network) {
                    connection.return_buffer(buffer);
                    tally.never_sent();
                    let failed = Unanswered::Failed(Kind::Request, Cow::Owned(error.to_string()));
                    return Err(Attempt::Unwritable(failed));
                }
                tally.bytes_sent = buffer.len() as u64;
                Payload::Owned(buffer)
            }
            (None, None) => unreachable!("a request is constant or rendered"),
        };
        connection.with(|http| http.begin(exchange.head_request, exchange.keep));
        connection.set_deadline(from_ns.saturating_add(exchange.timeout_ns));
        connection.send(payload);

        let ended = loop {
            let event = self.event(connection).await;
            match event {
                Some(Event::Connected) => {}
                Some(Event::Data { at_ns }) => match connection.with(|http| http.reading()) {
                    Reading::Unfinished => {}
                    Reading::Complete => {
                        tally.settle(connection, at_ns);
                        tally.exchanges.answered += 1;
                        return Ok(());
                    }
                    Reading::Failed(error) => break broken(error),
                },
                Some(Event::End(end)) => match connection.with(|http| at_end(http, end)) {
                    Reading::Complete => {
                        tally.settle(connection, now_ns());
                        tally.exchanges.answered += 1;
                        return Ok(());
                    }
                    _ if reused && !connection.with(|http| http.answered) => {
                        if exchange.retry_stale {
                            return Err(Attempt::Stale);
                        }
                        break Kind::Reset.into();
                    }
                    Reading::Failed(error) if end == End::Eof => break broken(error),
                    _ if end == End::Eof => break Kind::ClosedEarly.into(),
                    _ => break Kind::Reset.into(),
                },
                Some(Event::Timeout) => {
                    let now = now_ns();
                    let deadline_ns = deadline_of(connection.sent_ns(), now, exchange.timeout_ns);
                    if deadline_ns <= now {
                        break Kind::RequestTimeout.into();
                    }
                    connection.set_deadline(deadline_ns);
                }
                None => break Unanswered::Abandoned,
            }
        };
        tally.settle(connection, now_ns());
        Err(Attempt::Ended(ended))
    }

    /// Puts a connection back after its response was used, or closes it where that is due.
    #[inline]
    pub(crate) fn release(&self, idle: &RefCell<IdleConnections>, origin: OriginId, connection: Connection) {
        let again = connection.with(|http| {
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
    use pummel_ring::{End, Sink};

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
            http.begin(false, Keep::default());
            http.on_data(b"HTTP/1.1 200 OK\r\n\r\nsome");
            at_end(&mut http, end)
        };
        assert_eq!(answered(End::Eof), Reading::Complete);
        assert_eq!(answered(End::Error(104)), Reading::Unfinished);
    }
}
