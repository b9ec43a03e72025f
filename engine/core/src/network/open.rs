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

use super::{
    connection::{Connection, Wire},
    exchange::{Hop, Tally, Unanswered},
    origins::OriginId,
    proxy::{Route, Untunnelled},
};
use crate::{error::Kind, plan::nanos, shard::Shard};

impl Shard {
    /// Opens a connection to one of the origin's addresses; where one takes none, to the next.
    pub(super) async fn open(&self, hop: &Hop<'_>, tally: &mut Tally) -> Result<Connection, Unanswered> {
        let mut deadline_ns = None;
        loop {
            let begin_ns = now_ns();
            let found = self.address_until(hop.origin, hop.until_ns).await;
            let found_ns = now_ns();
            if let Some(record) = &mut tally.record {
                record.opened(found_ns - begin_ns, 0);
            }
            let address = match found {
                Err(Unanswered::Failed(kind, message)) => return Err(self.seen_from_here(hop.origin, kind, message)),
                found => found?,
            };
            // One limit for all addresses, from when there is one.
            let limit_ns = nanos(self.plan.network.connect_timeout);
            let own_ns = *deadline_ns.get_or_insert_with(|| found_ns.max(hop.begin_ns).saturating_add(limit_ns));
            let connected = self.connect(address, own_ns.min(hop.until_ns)).await;
            if let Some(record) = &mut tally.record {
                record.opened(0, now_ns() - found_ns);
            }
            let (kind, message) = match connected {
                Ok(connection) => {
                    self.recorder.borrow_mut().connection_opened();
                    return self.open_tunnel(connection, hop, own_ns, tally).await;
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
                return Err(self.seen_from_here(hop.origin, kind, message));
            }
        }
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
        // Few connections come here, and the future of each would be larger for it.
        let begin_ns = now_ns();
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
