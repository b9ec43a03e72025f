//! Opening a connection: an address, a socket, and what has to be agreed before the first request.

use std::{
    borrow::Cow,
    future::{poll_fn, Future},
    io,
    net::SocketAddr,
    pin::pin,
    task::Poll,
};

use pummel_ring::{now_ns, End, Event};
use pummel_stats::Opening;

use super::{
    connection::{Connection, Wire},
    exchange::{Hop, Tally, Unanswered},
    origins::OriginId,
};
use crate::{error::Kind, plan::nanos, shard::Shard};

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
    /// Opens a connection to one of the origin's addresses; where one takes none, to the next.
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
            let address = found?;
            // One limit for all addresses, from when there is one.
            let limit_ns = nanos(self.plan.network.connect_timeout);
            let own_ns = *deadline_ns.get_or_insert_with(|| found_ns.max(hop.begin_ns).saturating_add(limit_ns));
            let connected = self.connect(address, own_ns.min(hop.until_ns)).await;
            if let Some(record) = &mut tally.record {
                record.opened(0, now_ns() - found_ns);
            }
            let (kind, message) = match connected {
                Ok(connection) => {
                    let dns_us = waited.then_some(dns_ns / 1000);
                    let connect_us = (now_ns() - found_ns) / 1000;
                    self.recorder.borrow_mut().opened(Opening { dns_us, connect_us });
                    return Ok(connection);
                }
                Err(Unanswered::Abandoned) => return Err(Unanswered::Abandoned),
                Err(Unanswered::Failed(kind, message)) => (kind, message),
            };
            self.recorder.borrow_mut().connection_error();
            if kind == Kind::ConnectTimeout && hop.until_ns < own_ns {
                return Err(Kind::RequestTimeout.into());
            }
            let origins = &self.origins;
            let another = kind != Kind::Descriptors && origins.borrow_mut().unreachable(hop.origin, address, now_ns());
            if !another || kind == Kind::ConnectTimeout {
                self.ran_short(kind);
                return Err(Unanswered::Failed(kind, message));
            }
        }
    }

    /// The address for a new connection, unless the time is up first.
    async fn address_until(&self, origin: OriginId, until_ns: u64) -> Result<SocketAddr, Unanswered> {
        let mut lookup = pin!(self.address(origin));
        let mut limit = pin!(self.ring.sleep_until(until_ns));
        poll_fn(|cx| match lookup.as_mut().poll(cx) {
            Poll::Ready(Some(address)) => Poll::Ready(Ok(address)),
            Poll::Ready(None) if self.aborted() => Poll::Ready(Err(Unanswered::Abandoned)),
            Poll::Ready(None) => Poll::Ready(Err(Kind::Dns.into())),
            Poll::Pending if until_ns == u64::MAX => Poll::Pending,
            Poll::Pending => limit.as_mut().poll(cx).map(|()| Err(Kind::RequestTimeout.into())),
        })
        .await
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
            .connect(address, Wire::new(address))
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
}
