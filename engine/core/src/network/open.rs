//! Opening a connection: an address, a socket, and what has to be agreed before the first request.

use std::{
    borrow::Cow,
    future::{poll_fn, Future},
    io,
    pin::pin,
    task::Poll,
};

use pummel_ring::{now_ns, Address, ConnectOptions, End, Event};
use pummel_stats::{endpoint::MAX_ENDPOINTS, EndpointId, EndpointKind};

use super::{
    connection::{Connection, Counted, Wire},
    exchange::{Hop, Tally, Unanswered},
    origins::{Chosen, OriginId},
    sources::ChosenSource,
};
use crate::{
    error::Kind,
    plan::{nanos, Close},
    shard::Shard,
};

/// The least of the time limit that one of several addresses gets, unless less is left: a second covers one lost SYN, which
/// the kernel sends again after that time (RFC 6298 section 2).
const SHARE_MIN_NS: u64 = 1_200_000_000;

impl Shard {
    /// Opens a connection to one of the origin's addresses; where one takes none, to the next. The time limit is one for all:
    /// an address that does not answer gets its share, and leaves the rest to those after it.
    pub(super) async fn open(&self, hop: &Hop<'_>, tally: &mut Tally) -> Result<Connection, Unanswered> {
        let mut deadline_ns = None;
        loop {
            let begin_ns = now_ns();
            let found = self.address_until(hop.origin, hop.until_ns).await;
            let found_ns = now_ns();
            if let Some(record) = &mut tally.record {
                record.opened(found_ns - begin_ns, 0);
            }
            let Chosen { address, choices, .. } = found?;
            // From when there is an address.
            let limit_ns = nanos(self.plan.network.connect_timeout);
            let own_ns = *deadline_ns.get_or_insert_with(|| found_ns.max(hop.begin_ns).saturating_add(limit_ns));
            let until_ns = own_ns.min(hop.until_ns);
            let connected = self.connect(&address, share_of(found_ns, until_ns, choices)).await;
            if let Some(record) = &mut tally.record {
                record.opened(0, now_ns() - found_ns);
            }
            let (kind, message) = match connected {
                Ok(connection) => return Ok(connection),
                Err(Unanswered::Abandoned) => return Err(Unanswered::Abandoned),
                Err(Unanswered::Failed(kind, message)) => (kind, message),
            };
            self.recorder.borrow_mut().connection_error();
            let now = now_ns();
            let timed_out = kind == Kind::ConnectTimeout;
            if timed_out && now >= hop.until_ns && hop.until_ns < own_ns {
                return Err(Kind::RequestTimeout.into());
            }
            let another = kind != Kind::Descriptors && self.origins.borrow_mut().unreachable(hop.origin, &address, now);
            if !another || (timed_out && now >= own_ns) {
                self.ran_short(kind);
                return Err(Unanswered::Failed(kind, message));
            }
        }
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
    async fn connect(&self, address: &Address, deadline_ns: u64) -> Result<Connection, Unanswered> {
        loop {
            let source = self.sources.borrow_mut().choose(address, now_ns());
            let counted = Counted { address: self.endpoint(address), source: source.map(|source| source.counted) };
            let connected = self.connect_from(source, address, counted, deadline_ns).await;
            let mut recorder = self.recorder.borrow_mut();
            let kind = match connected {
                Ok(connection) => {
                    recorder.connection_opened();
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

    async fn connect_from(
        &self,
        source: Option<ChosenSource>,
        address: &Address,
        counted: Counted,
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
        let connection = self
            .ring
            .connect_with(address, &options, Wire::new(address.clone(), counted))
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
