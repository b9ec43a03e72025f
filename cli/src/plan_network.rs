//! The network of a plan: what the flags that speak of it mean.

use pummel_engine::{Connections, Http2, Network, RetryStale, Tls};

use crate::{
    failure::Failure,
    flags::{ConnectionSharing, ReachFlags, StaleRetry, TransportFlags},
    plan::USER_AGENT,
};

/// What a command does with certificates where no flag and no case says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificates {
    /// They are verified, as curl does.
    Verified,
    /// Any is accepted, as hrp does (hrp spec 11.12).
    Accepted,
}

/// The network of a command that makes load. Redirects are answers and cookies are not kept, unless the caller says otherwise.
///
/// # Errors
/// Wrong usage, files that cannot be read included.
pub(crate) fn network(flags: &TransportFlags, certificates: Certificates) -> Result<Network, Failure> {
    Ok(Network {
        keepalive: !flags.disable_keepalive,
        connect_timeout: flags.connect_timeout,
        retry_stale: match flags.retry_stale {
            StaleRetry::Idempotent => RetryStale::Idempotent,
            StaleRetry::All => RetryStale::All,
        },
        ..reach(&flags.reach, certificates)?
    })
}

/// How hosts are reached and spoken to.
///
/// # Errors
/// As [`network`].
pub(crate) fn reach(flags: &ReachFlags, certificates: Certificates) -> Result<Network, Failure> {
    Ok(Network {
        user_agent: USER_AGENT.to_owned(),
        http2: Http2 { all: flags.http2.http2, streams: flags.http2.streams },
        tls: Tls { verify: certificates == Certificates::Verified, ..Tls::default() },
        ..Network::default()
    })
}

/// Whose connections are whose.
pub(crate) fn connections(sharing: ConnectionSharing) -> Connections {
    match sharing {
        ConnectionSharing::PerUser => Connections::PerUser,
        ConnectionSharing::Shared => Connections::Shared { most: None },
    }
}
