//! A tunnel through a proxy (RFC 9110 section 9.3.6).

use std::borrow::Cow;

use pummel_ring::{Event, Payload};

use super::Route;
use crate::{
    error::Kind,
    network::{connection::Connection, exchange::Unanswered, http1::Reading, origins::OriginId},
    shard::Shard,
};

impl Shard {
    /// Makes of a connection to a proxy one to the origin, where that takes a tunnel; gives it back as it is where not. The
    /// connection's deadline holds. A timeout is a [`Kind::ConnectTimeout`], everything else the proxy does wrong a [`Kind::Proxy`].
    pub(in crate::network) async fn tunnel(
        &self,
        connection: Connection,
        origin: OriginId,
    ) -> Result<Connection, Unanswered> {
        let Route::Tunnelled { request } = self.origins.borrow().route(origin).clone() else { return Ok(connection) };
        connection.with(|wire| wire.http().begin_connect());
        connection.send(Payload::Owned(request));
        let failed = loop {
            match self.event(&connection).await {
                Some(Event::Connected) => {}
                Some(Event::Data { .. }) => match connection.with(|wire| wire.http().reading()) {
                    Reading::Unfinished => {}
                    Reading::Complete => break None,
                    Reading::Failed(error) => {
                        break Some((Kind::Proxy, Cow::Owned(format!("the proxy's answer to CONNECT: {error}"))))
                    }
                },
                Some(Event::End(_)) => {
                    let message = "the proxy closed the connection before it opened a tunnel";
                    break Some((Kind::Proxy, Cow::Borrowed(message)));
                }
                Some(Event::Timeout) => {
                    let message = "the proxy did not open a tunnel within --connect-timeout";
                    break Some((Kind::ConnectTimeout, Cow::Borrowed(message)));
                }
                None => return Err(Unanswered::Abandoned),
            }
        };
        // What the proxy says is known from the head of its answer on, however that ends.
        let (status, quiet) = connection.with(|wire| (wire.http().response.status, wire.http().quiet()));
        match (status, failed) {
            (0 | 200..300, Some((kind, message))) => Err(Unanswered::Failed(kind, message)),
            (200..300, None) if quiet => {
                connection.flushed().await;
                Ok(connection)
            }
            (200..300, None) => {
                let message = "the proxy sent bytes through the tunnel that nobody asked for";
                Err(Unanswered::Failed(Kind::Proxy, Cow::Borrowed(message)))
            }
            (status, _) => Err(refused(status)),
        }
    }
}

/// A proxy that does not do what it is asked.
pub(crate) fn refused(status: u16) -> Unanswered {
    let message = match status {
        407 => {
            Cow::Borrowed("the proxy asks for credentials (407): give them as --proxy http://USER:PASSWORD@HOST:PORT")
        }
        status => Cow::Owned(format!("the proxy refused to open a tunnel with status {status}")),
    };
    Unanswered::Failed(Kind::Proxy, message)
}
