//! Opening a connection: an address, a socket, and what has to be agreed before the first request.

use std::{
    borrow::Cow,
    future::{poll_fn, Future},
    io,
    pin::pin,
    task::{ready, Poll},
};

use pummel_ring::{now_ns, Address, ConnectOptions, End, Event};
use pummel_stats::{endpoint::MAX_ENDPOINTS, EndpointId, EndpointKind, Opening};

use super::{
    connection::{Connection, Counted, Wire},
    exchange::{Hop, Unanswered},
    origins::{Chosen, OriginId},
    proxy::{Route, Untunnelled},
    sources::ChosenSource,
    tally::Tally,
    tls::Unsecured,
};
use crate::{
    error::Kind,
    plan::{nanos, Close},
    shard::Shard,
};

/// The least of the time limit that one of several addresses gets, unless less is left: a second covers one lost SYN, which
/// the kernel sends again after that time (RFC 6298 section 2).
const SHARE_MIN_NS: u64 = 1_200_000_000;

/// Does what `future` does, and notes whether it had to wait: an address that is known takes no time.
async fn noting_a_wait<F: Future>(future: F, waited: &mut bool) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        *waited |= polled.is_pending();
        polled
    })
    .await
}

impl Shard {
    /// Opens a connection to one of the origin's addresses; where one takes none, to the next. The time limit is one for all:
    /// an address that does not answer gets its share, and leaves the rest to those after it.
    pub(super) async fn open(&self, hop: &Hop<'_>, tally: &mut Tally) -> Result<Connection, Unanswered> {
        let mut deadline_ns = None;
        let (mut waited, mut dns_ns) = (false, 0);
        loop {
            let begin_ns = now_ns();
            let found = noting_a_wait(self.address_until(hop.origin, hop.until_ns), &mut waited).await;
            let found_ns = now_ns();
            dns_ns += found_ns - begin_ns;
            if let Some(record) = &mut tally.record {
                record.opened(found_ns - begin_ns, 0);
            }
            let Chosen { address, choices, .. } = match found {
                Err(Unanswered::Failed(kind, message)) => return Err(self.seen_from_here(hop.origin, kind, message)),
                found => found?,
            };
            // From when there is an address.
            let limit_ns = nanos(self.plan.network.connect_timeout);
            let own_ns = *deadline_ns.get_or_insert_with(|| found_ns.max(hop.begin_ns).saturating_add(limit_ns));
            let until_ns = own_ns.min(hop.until_ns);
            let connected = self.connect(&address, hop, share_of(found_ns, until_ns, choices)).await;
            if let Some(record) = &mut tally.record {
                record.opened(0, now_ns() - found_ns);
            }
            let (kind, message) = match connected {
                Ok(connection) => {
                    let dns_us = waited.then_some(dns_ns / 1000);
                    let connect_us = (now_ns() - found_ns) / 1000;
                    self.recorder.borrow_mut().opened(Opening { dns_us, connect_us });
                    connection.set_deadline(until_ns);
                    let connection = self.open_tunnel(connection, hop, own_ns, tally).await?;
                    if self.origins.borrow().origin(hop.origin).https {
                        // Many connections are opened at once, and those without TLS need none of this.
                        return Box::pin(self.open_tls(connection, hop, own_ns, tally)).await;
                    }
                    return Ok(connection);
                }
                Err(Unanswered::Abandoned) => return Err(Unanswered::Abandoned),
                Err(Unanswered::Failed(kind, message)) => (kind, message),
            };
            self.recorder.borrow_mut().connection_error();
            let now = now_ns();
            let timed_out = kind == Kind::ConnectTimeout;
            if timed_out && now >= hop.until_ns && hop.until_ns < own_ns {
                return Err(Kind::RequestTimeout.into());
            }
            let another = !matches!(kind, Kind::Descriptors | Kind::Memory)
                && self.origins.borrow_mut().unreachable(hop.origin, &address, now);
            if !another || (timed_out && now >= own_ns) {
                self.ran_short(kind);
                return Err(self.seen_from_here(hop.origin, kind, message));
            }
        }
    }

    /// Puts TLS on a connection that has just opened. One whose handshake failed is given the time to tell the server why.
    async fn open_tls(
        &self,
        connection: Connection,
        hop: &Hop<'_>,
        own_ns: u64,
        tally: &mut Tally,
    ) -> Result<Connection, Unanswered> {
        let begin_ns = now_ns();
        let secured = self.secure(&connection, hop.origin, own_ns.min(hop.until_ns)).await;
        if let Some(record) = &mut tally.record {
            record.secured(now_ns() - begin_ns);
        }
        let Err(unsecured) = secured else { return Ok(connection) };
        let mut recorder = self.recorder.borrow_mut();
        recorder.connection_error();
        recorder.connection_closed();
        match unsecured {
            Unsecured::Failed(_) => self.lingering.borrow_mut().add(connection),
            Unsecured::Timeout if hop.until_ns < own_ns => return Err(Kind::RequestTimeout.into()),
            Unsecured::Timeout | Unsecured::Abandoned => {}
        }
        Err(unsecured.into())
    }

    /// Has the proxy open a tunnel on a connection that has just opened, where the origin takes one.
    async fn open_tunnel(
        &self,
        connection: Connection,
        hop: &Hop<'_>,
        own_ns: u64,
        tally: &mut Tally,
    ) -> Result<Connection, Unanswered> {
        let Some(request) = self.origins.borrow().tunnel_request(hop.origin) else { return Ok(connection) };
        let begin_ns = now_ns();
        // Few connections come here, and the future of each would be larger for it.
        let tunnelled = Box::pin(self.tunnel(&connection, request)).await;
        if let Some(record) = &mut tally.record {
            record.opened(0, now_ns() - begin_ns);
        }
        let Err(untunnelled) = tunnelled else { return Ok(connection) };
        drop(connection);
        let mut recorder = self.recorder.borrow_mut();
        recorder.connection_error();
        recorder.connection_closed();
        match untunnelled {
            Untunnelled::Timeout if hop.until_ns < own_ns => Err(Kind::RequestTimeout.into()),
            untunnelled => Err(untunnelled.into()),
        }
    }

    /// Waits until the kernel has taken what was sent: one send at a time. Otherwise gives what came before, the connection's end or
    /// its timeout, and nothing where the run was cut off. What the peer says meanwhile waits where it was read.
    pub(super) async fn flushed(&self, connection: &Connection) -> Result<(), Option<Event>> {
        poll_fn(|cx| {
            if connection.poll_flushed(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if self.aborted() {
                return Poll::Ready(Err(None));
            }
            loop {
                match ready!(connection.poll_event(cx)) {
                    Event::Connected | Event::Data { .. } => {}
                    event @ (Event::End(_) | Event::Timeout) => return Poll::Ready(Err(Some(event))),
                }
            }
        })
        .await
    }

    /// A failure to open a connection, which is the proxy's where there is one; what this machine has run out of is its own.
    fn seen_from_here(&self, origin: OriginId, kind: Kind, message: Cow<'static, str>) -> Unanswered {
        if *self.origins.borrow().route(origin) == Route::Direct {
            return Unanswered::Failed(kind, message);
        }
        let message = match kind {
            Kind::Dns => Cow::Borrowed("the proxy's host name does not resolve"),
            Kind::ConnectRefused => Cow::Borrowed("the proxy refused the connection: is it running on that port?"),
            Kind::ConnectTimeout => Cow::Borrowed("the connection to the proxy did not open within --connect-timeout"),
            Kind::ConnectFailed => Cow::Owned(format!("the proxy could not be reached: {message}")),
            _ => return Unanswered::Failed(kind, message),
        };
        Unanswered::Failed(Kind::Proxy, message)
    }

    /// The address for a new connection, unless the time is up first.
    async fn address_until(&self, origin: OriginId, until_ns: u64) -> Result<Chosen, Unanswered> {
        let mut lookup = pin!(self.address(origin));
        let mut limit = pin!(self.ring.sleep_until(until_ns));
        poll_fn(|cx| match lookup.as_mut().poll(cx) {
            Poll::Ready(Some(chosen)) => Poll::Ready(Ok(chosen)),
            Poll::Ready(None) if self.aborted() => Poll::Ready(Err(Unanswered::Abandoned)),
            Poll::Ready(None) => Poll::Ready(Err(Kind::Dns.into())),
            Poll::Pending if until_ns == u64::MAX => Poll::Pending,
            Poll::Pending => limit.as_mut().poll(cx).map(|()| Err(Kind::RequestTimeout.into())),
        })
        .await
    }

    /// Opens a connection to an address, from one source after the other while they have no free port.
    async fn connect(&self, address: &Address, hop: &Hop<'_>, deadline_ns: u64) -> Result<Connection, Unanswered> {
        loop {
            let source = self.sources.borrow_mut().choose(address, now_ns());
            let counted = Counted { address: self.endpoint(address), source: source.map(|source| source.counted) };
            let speaks_first = self.server_may_speak_first(hop);
            let connected = self.connect_from(source, address, counted, speaks_first, deadline_ns).await;
            let mut recorder = self.recorder.borrow_mut();
            let kind = match connected {
                Ok(connection) => {
                    counted.each(|id| recorder.endpoint_connected(id));
                    return Ok(connection);
                }
                Err(Unanswered::Failed(kind, _)) => kind,
                Err(Unanswered::Abandoned) => return connected,
            };
            let exhausted = source.filter(|_| kind == Kind::AddressExhausted);
            if let Some(source) = exhausted.filter(|&one| self.sources.borrow_mut().exhausted(one, now_ns())) {
                recorder.endpoint_refused(source.counted);
                continue;
            }
            counted.each(|id| recorder.endpoint_refused(id));
            return connected;
        }
    }

    /// True for HTTP/2 (RFC 9113 section 3.4) without TLS or a proxy, which would come between.
    fn server_may_speak_first(&self, hop: &Hop<'_>) -> bool {
        let origins = self.origins.borrow();
        hop.http2 && !origins.origin(hop.origin).https && *origins.route(hop.origin) == Route::Direct
    }

    async fn connect_from(
        &self,
        source: Option<ChosenSource>,
        address: &Address,
        counted: Counted,
        speaks_first: bool,
        deadline_ns: u64,
    ) -> Result<Connection, Unanswered> {
        let failed = |errno: i32| match Kind::of_connect(errno) {
            kind @ Kind::ConnectFailed => {
                let error = io::Error::from_raw_os_error(errno);
                Unanswered::Failed(kind, Cow::Owned(format!("{}: {error}", kind.message())))
            }
            kind => kind.into(),
        };
        let tcp = self.plan.network.tcp;
        let options = ConnectOptions {
            nodelay: tcp.nodelay,
            keepalive: tcp.keepalive,
            source: source.map(|source| source.at),
            reset_at_close: tcp.close == Close::Rst,
        };
        let wire = if speaks_first { Wire::stream } else { Wire::new };
        let connection = self
            .ring
            .connect_with(address, &options, wire(address.clone(), counted))
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

    /// The entry of an address in the statistics.
    fn endpoint(&self, address: &Address) -> EndpointId {
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(&id) = endpoints.get(address) {
            return id;
        }
        let id = self.recorder.borrow_mut().endpoint(EndpointKind::Address, &address.to_string());
        // What is not told apart is not remembered either.
        if endpoints.len() < MAX_ENDPOINTS {
            endpoints.insert(address.clone(), id);
        }
        id
    }
}

/// Until when one of so many addresses may take to answer.
fn share_of(now_ns: u64, until_ns: u64, choices: u32) -> u64 {
    let left_ns = until_ns.saturating_sub(now_ns);
    let share_ns = (left_ns / u64::from(choices.max(1))).max(SHARE_MIN_NS);
    now_ns.saturating_add(share_ns).min(until_ns)
}

#[cfg(test)]
mod tests {
    use super::share_of;

    const S: u64 = 1_000_000_000;

    #[test]
    fn addresses_share_the_time_limit() {
        assert_eq!(share_of(5 * S, 15 * S, 1), 15 * S);
        assert_eq!(share_of(5 * S, 15 * S, 2), 10 * S);
        assert_eq!(share_of(5 * S, 15 * S, 5), 7 * S);
        assert_eq!(share_of(5 * S, 15 * S, 100), 6 * S + S / 5, "time for a second SYN");
        assert_eq!(share_of(5 * S, 6 * S, 100), 6 * S);
        assert_eq!(share_of(5 * S, u64::MAX, 1), u64::MAX);
    }
}
