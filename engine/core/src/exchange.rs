//! One request on the wire: a connection, the bytes out, the response in, and once more if the connection was dead.

use std::{borrow::Cow, future::poll_fn, task::Poll};

use pummel_case::{RenderedRequest, RequestStep};
use pummel_http::{Limits, ProtocolError};
use pummel_ring::{now_ns, End, Event, Payload};
use pummel_stats::Exchanges;

use crate::{
    connection::{Http1, Reading},
    error::Kind,
    origins::OriginId,
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
        idle: &std::cell::RefCell<IdleConnections>,
        outgoing: &Outgoing<'_>,
        from_ns: u64,
        tally: &mut Tally,
    ) -> Result<Connection, Unanswered> {
        let reused = idle.borrow_mut().take(outgoing.origin, || self.recorder.borrow_mut().connection_closed());
        if let Some(connection) = reused {
            self.recorder.borrow_mut().connection_reused();
            match self.attempt(&connection, outgoing, from_ns, true, tally).await {
                Ok(()) => return Ok(connection),
                Err(attempt) => {
                    self.recorder.borrow_mut().connection_closed();
                    if let Attempt::Ended(unanswered) = attempt {
                        return Err(unanswered);
                    }
                }
            }
            self.recorder.borrow_mut().connection_stale();
            tally.exchanges.stale_retries += 1;
            tally.sent_ns = 0;
            tally.bytes_sent = 0;
            if self.aborted() {
                return Err(self.never_sent(Unanswered::Abandoned, tally));
            }
        }
        let connection = match self.open(outgoing.origin, from_ns).await {
            Ok(connection) => connection,
            Err(unanswered) => return Err(self.never_sent(unanswered, tally)),
        };
        match self.attempt(&connection, outgoing, now_ns().max(from_ns), false, tally).await {
            Ok(()) => Ok(connection),
            Err(Attempt::Ended(unanswered)) => {
                self.recorder.borrow_mut().connection_closed();
                Err(unanswered)
            }
            Err(Attempt::Stale) => unreachable!("only a reused connection is stale"),
        }
    }

    fn never_sent(&self, unanswered: Unanswered, tally: &mut Tally) -> Unanswered {
        tally.exchanges.unsent += 1;
        tally.done_ns = now_ns();
        unanswered
    }

    /// Opens a connection to one of the origin's addresses.
    async fn open(&self, origin: OriginId, from_ns: u64) -> Result<Connection, Unanswered> {
        let Some(address) = self.address(origin).await else {
            return Err(if self.aborted() { Unanswered::Abandoned } else { Kind::Dns.into() });
        };
        let failed = |errno: i32| {
            self.recorder.borrow_mut().connection_error();
            let kind = Kind::of_connect(errno);
            self.ran_short(kind);
            match kind {
                Kind::ConnectFailed => {
                    let error = std::io::Error::from_raw_os_error(errno);
                    Unanswered::Failed(kind, Cow::Owned(format!("{}: {error}", kind.message())))
                }
                kind => kind.into(),
            }
        };
        let connection = self
            .ring
            .connect(address, Http1::new(Limits::default()))
            .map_err(|error| failed(error.raw_os_error().unwrap_or_default()))?;
        let limit_ns = self.plan.network.connect_timeout.as_nanos() as u64;
        connection.set_deadline(now_ns().max(from_ns).saturating_add(limit_ns));
        match self.event(&connection).await {
            Some(Event::Connected | Event::Data { .. }) => {
                self.recorder.borrow_mut().connection_opened();
                Ok(connection)
            }
            Some(Event::Timeout) => {
                self.recorder.borrow_mut().connection_error();
                Err(Kind::ConnectTimeout.into())
            }
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
                    tally.exchanges.unsent += 1;
                    tally.done_ns = now_ns();
                    return Err(Attempt::Ended(Unanswered::Failed(Kind::Request, Cow::Owned(error.to_string()))));
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
                        self.settle(connection, tally, at_ns);
                        tally.exchanges.answered += 1;
                        return Ok(());
                    }
                    Reading::Failed(error) => break broken(error),
                },
                Some(Event::End(end)) => match connection.with(Http1::end_of_stream) {
                    Reading::Complete => {
                        self.settle(connection, tally, now_ns());
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
                Some(Event::Timeout) => break Kind::RequestTimeout.into(),
                None => break Unanswered::Abandoned,
            }
        };
        self.settle(connection, tally, now_ns());
        Err(Attempt::Ended(ended))
    }

    /// Enters what the connection did for this request.
    #[inline]
    fn settle(&self, connection: &Connection, tally: &mut Tally, done_ns: u64) {
        tally.sent_ns = connection.sent_ns();
        tally.done_ns = done_ns;
        tally.bytes_received = connection.with(|http| http.response.wire_bytes);
        if tally.sent_ns == 0 {
            tally.exchanges.unsent += 1;
            tally.bytes_sent = 0;
        } else {
            tally.exchanges.sent += 1;
        }
    }

    /// Puts a connection back after its response was used, or closes it where that is due.
    #[inline]
    pub(crate) fn release(&self, idle: &std::cell::RefCell<IdleConnections>, origin: OriginId, connection: Connection) {
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

fn broken(error: ProtocolError) -> Unanswered {
    match error {
        ProtocolError::ClosedEarly { .. } => Kind::ClosedEarly.into(),
        error => Unanswered::Failed(Kind::Protocol, Cow::Owned(error.to_string())),
    }
}
