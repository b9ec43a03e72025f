//! A tunnel through a proxy (RFC 9110 section 9.3.6).

use std::borrow::Cow;

use pummel_http::ProtocolError;
use pummel_ring::{Event, Payload};

use crate::{
    error::Kind,
    network::{connection::Connection, exchange::Unanswered, http1::Reading},
    shard::Shard,
};

/// Why there is no tunnel.
pub(crate) enum Untunnelled {
    /// The proxy answered, but not with a tunnel.
    Refused {
        status: u16,
    },
    /// Its answer is no HTTP.
    Garbled(ProtocolError),
    /// It said more than it was asked: behind its answer there is nothing yet that could speak.
    Surplus,
    Closed,
    Timeout,
    /// The run was cut off.
    Abandoned,
}

impl From<Untunnelled> for Unanswered {
    fn from(untunnelled: Untunnelled) -> Self {
        let message = match untunnelled {
            Untunnelled::Abandoned => return Self::Abandoned,
            Untunnelled::Refused { status } => return refused(status),
            Untunnelled::Garbled(error) => Cow::Owned(format!("the proxy's answer to CONNECT: {error}")),
            Untunnelled::Surplus => Cow::Borrowed("the proxy sent bytes through the tunnel that nobody asked for"),
            Untunnelled::Closed => Cow::Borrowed("the proxy closed the connection before it opened a tunnel"),
            Untunnelled::Timeout => Cow::Borrowed("the proxy did not open a tunnel within --connect-timeout"),
        };
        Self::Failed(Kind::Proxy, message)
    }
}

/// The failure of a request that a proxy does not pass on.
pub(crate) fn refused(status: u16) -> Unanswered {
    let message = match status {
        407 => {
            Cow::Borrowed("the proxy asks for credentials (407): give them as --proxy http://USER:PASSWORD@HOST:PORT")
        }
        status => Cow::Owned(format!("the proxy refused to open a tunnel with status {status}")),
    };
    Unanswered::Failed(Kind::Proxy, message)
}

impl Shard {
    /// Makes of a connection to a proxy one to a server: sends the CONNECT and waits for its answer, as long as the connection's
    /// deadline allows. What is sent next goes to the server.
    pub(in crate::network) async fn tunnel(
        &self,
        connection: &Connection,
        request: Vec<u8>,
    ) -> Result<(), Untunnelled> {
        connection.with(|wire| wire.http().begin_connect());
        connection.send(Payload::Owned(request));
        let cut = loop {
            match self.event(connection).await {
                Some(Event::Connected) => {}
                Some(Event::Data { .. }) => match connection.with(|wire| wire.http().reading()) {
                    Reading::Unfinished => {}
                    Reading::Complete => break None,
                    Reading::Failed(error) => break Some(Untunnelled::Garbled(error)),
                },
                Some(Event::End(_)) => break Some(Untunnelled::Closed),
                Some(Event::Timeout) => break Some(Untunnelled::Timeout),
                None => return Err(Untunnelled::Abandoned),
            }
        };
        // A refusal is known from its head on, however its body ends.
        let (status, quiet) = connection.with(|wire| (wire.http().response.status, wire.http().quiet()));
        match (status, cut) {
            (0 | 200..300, Some(cut)) => Err(cut),
            // The kernel has the CONNECT as a rule long before the answer.
            (200..300, None) if quiet => self.flushed(connection).await.map_err(|before| match before {
                None => Untunnelled::Abandoned,
                Some(Event::Timeout) => Untunnelled::Timeout,
                Some(_) => Untunnelled::Closed,
            }),
            (200..300, None) => Err(Untunnelled::Surplus),
            (status, _) => Err(Untunnelled::Refused { status }),
        }
    }
}
