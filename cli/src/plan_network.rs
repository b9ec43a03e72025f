//! The network of a plan: what the flags that speak of it mean.

use pummel_engine::{Network, RetryStale, Tls};

use crate::{
    failure::Failure,
    flags::{ReachFlags, StaleRetry, TransportFlags},
    plan::USER_AGENT,
    plan_proxies::proxies,
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
        max_requests_per_connection: flags.max_requests_per_connection,
        max_connection_age: flags.max_connection_age,
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
        proxies: proxies(&flags.proxy)?,
        tls: Tls { verify: certificates == Certificates::Verified, ..Tls::default() },
        ..Network::default()
    })
}
