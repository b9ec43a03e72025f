//! The network of a plan: what the flags that speak of it mean.

use pummel_case::Credentials;
use pummel_engine::{ClientCertificate, Http2, Network, Proxies, RetryStale, Tls, TlsVersion};

use crate::{
    failure::{warn, Failure},
    flags::{AuthFlags, LeastTls, ReachFlags, StaleRetry, Switch, TlsFlags, TransportFlags},
    plan::USER_AGENT,
    plan_addresses,
    plan_proxies::proxies,
    values::parse_credentials,
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
    let proxies = proxies(&flags.proxy)?;
    check_unix_socket(flags, &proxies)?;
    if flags.tls.key.is_some() && flags.tls.cert.is_none() {
        return Err(Failure::usage("--key without --cert: a key proves a certificate", "add --cert FILE"));
    }
    if flags.tls.insecure && !flags.tls.cacert.is_empty() {
        warn("--cacert has no effect with --insecure, which accepts any certificate", None);
    }
    Ok(Network {
        user_agent: USER_AGENT.to_owned(),
        tls: tls(&flags.tls, certificates),
        http2: Http2 { all: flags.http2.http2, streams: flags.http2.streams },
        addresses: plan_addresses::addresses(&flags.addresses)?,
        tcp: plan_addresses::tcp(&flags.addresses),
        proxies,
        ..Network::default()
    })
}

/// The credentials of requests that have none of their own.
///
/// # Errors
/// Wrong usage, without repeating what may be a secret.
pub(crate) fn credentials(flags: &AuthFlags) -> Result<Option<Credentials>, Failure> {
    let Some(text) = &flags.auth else { return Ok(None) };
    let example = "write basic:USER:PASSWORD, digest:USER:PASSWORD or bearer:TOKEN";
    parse_credentials(text).map(Some).map_err(|what| Failure::usage(format!("--auth {what}"), example))
}

/// A Unix socket stands in place of every address, so flags that ask for others contradict it.
fn check_unix_socket(flags: &ReachFlags, proxies: &Proxies) -> Result<(), Failure> {
    if flags.addresses.unix_socket.is_none() {
        return Ok(());
    }
    if proxies.http.is_some() || proxies.https.is_some() {
        return Err(Failure::usage(
            "--unix-socket with a proxy: every connection goes to the socket, and none to the proxy",
            "leave one of them out; a proxy that listens on a Unix socket is --resolve HOST:PORT:unix:/PATH",
        ));
    }
    if !flags.addresses.source_ip.is_empty() {
        return Err(Failure::usage(
            "--source-ip with --unix-socket: connections to a Unix socket have no addresses",
            "leave one of them out",
        ));
    }
    Ok(())
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
