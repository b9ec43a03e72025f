//! The network of a plan: what the flags that speak of it mean.

use pummel_engine::{ClientCertificate, Http2, Network, RetryStale, Tls, TlsVersion};

use crate::{
    failure::Failure,
    flags::{LeastTls, ReachFlags, StaleRetry, Switch, TlsFlags, TransportFlags},
    plan::USER_AGENT,
    plan_addresses,
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
        tls: tls(&flags.tls, certificates),
        http2: Http2 { all: flags.http2.http2, streams: flags.http2.streams },
        addresses: plan_addresses::addresses(&flags.addresses)?,
        tcp: plan_addresses::tcp(&flags.addresses),
        proxies: proxies(&flags.proxy)?,
        ..Network::default()
    })
}

/// How servers are made sure of, and what they are shown. The engine reads the files.
fn tls(flags: &TlsFlags, certificates: Certificates) -> Tls {
    // Who names an authority wants it to be asked.
    let verify = flags.verify || !flags.cacert.is_empty() || certificates == Certificates::Verified;
    Tls {
        verify: verify && !flags.insecure,
        ca_files: flags.cacert.clone(),
        client: flags.cert.clone().map(|certificate| ClientCertificate {
            key: flags.key.clone().unwrap_or_else(|| certificate.clone()),
            certificate,
        }),
        server_name: flags.tls_server_name.clone(),
        least: match flags.tls_min {
            LeastTls::V1_2 => TlsVersion::V1_2,
            LeastTls::V1_3 => TlsVersion::V1_3,
        },
        resumption: flags.tls_resumption == Switch::On,
    }
}
