//! The handshake of a connection that has just opened, or of the tunnel that was made through it.

use pummel_ring::{now_ns, End, Event, Payload};

#[cfg(doc)]
use super::CoreTls;
use super::{failure::TlsFailure, layer::Layer, TlsLayer};
use crate::{
    error::Kind,
    network::{
        connection::Connection,
        exchange::Unanswered,
        origins::{Manner, OriginId},
    },
    shard::Shard,
};

/// How a handshake ended that did not succeed.
pub(in crate::network) enum Unsecured {
    Failed(TlsFailure),
    /// Its time was up.
    Timeout,
    Abandoned,
}

impl From<TlsFailure> for Unsecured {
    fn from(failure: TlsFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<TlsFailure> for Unanswered {
    fn from(failure: TlsFailure) -> Self {
        Self::Failed(Kind::Tls, failure.0)
    }
}

impl From<Unsecured> for Unanswered {
    fn from(unsecured: Unsecured) -> Self {
        match unsecured {
            Unsecured::Failed(failure) => failure.into(),
            Unsecured::Timeout => TlsFailure::TIMEOUT.into(),
            Unsecured::Abandoned => Self::Abandoned,
        }
    }
}

impl Shard {
    /// Puts TLS on an open connection to an origin of `https` and counts the handshake.
    ///
    /// The connection's last flight goes out with the first request: that saves a send, and the server has no use for it before.
    pub(in crate::network) async fn secure(
        &self,
        connection: &Connection,
        origin: OriginId,
        deadline_ns: u64,
    ) -> Result<(), Unsecured> {
        let manner = self.origins.borrow().manner(origin);
        let name = self.tls.server_name(&self.origins.borrow().origin(origin).host)?;
        self.secure_as(connection, name, manner, deadline_ns).await
    }

    /// As [`secure`](Self::secure), for a peer that is no origin, such as a proxy, which [`CoreTls::name_of`] names.
    pub(in crate::network) async fn secure_as(
        &self,
        connection: &Connection,
        name: rustls::pki_types::ServerName<'static>,
        manner: Manner,
        deadline_ns: u64,
    ) -> Result<(), Unsecured> {
        let begin_ns = now_ns();
        let mut layer = TlsLayer::new(self.tls.config(manner)?, name)?;
        let mut hello = connection.take_buffer();
        layer.take_outgoing(&mut hello);
        connection.with(|wire| wire.secure(layer, manner.http2));
        connection.set_deadline(deadline_ns);
        connection.send(Payload::Owned(hello));
        let resumed = loop {
            let event = self.event(connection).await;
            let state = connection.with(|wire| wire.tls().map(|tls| (tls.state().clone(), tls.resumed())));
            match (event, state) {
                (None, _) => return Err(Unsecured::Abandoned),
                (_, Some((Layer::Broken(failure), _))) => return Err(failure.into()),
                (Some(Event::End(End::Eof)), _) | (_, Some((Layer::Closed, _))) => {
                    return Err(TlsFailure::CUT_OFF.into())
                }
                (Some(Event::End(End::Error(_))), _) => return Err(TlsFailure::RESET.into()),
                (_, Some((Layer::Open, resumed))) => break resumed,
                (Some(Event::Timeout), _) => return Err(Unsecured::Timeout),
                (Some(Event::Connected | Event::Data { .. }), _) => {}
            }
        };
        self.flushed(connection).await.map_err(|before| match before {
            None => Unsecured::Abandoned,
            Some(Event::Timeout) => Unsecured::Timeout,
            Some(_) => TlsFailure::RESET.into(),
        })?;
        let tls_us = (now_ns() - begin_ns) / 1000;
        self.recorder.borrow_mut().handshake(tls_us, resumed);
        self.unverified.set(self.unverified.get() || !manner.verify);
        Ok(())
    }
}
