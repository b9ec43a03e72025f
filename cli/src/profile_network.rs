//! The keys of a profile that are flags of the network: each is read as the flag itself is, and takes its place.

use std::error::Error;

use clap::FromArgMatches;

use crate::flags::{command, BoomFlags, Cli, Command, NetworkFlags};

/// Puts what a flag holds into its place.
type Copy = fn(&mut NetworkFlags, NetworkFlags);

/// Flags with a value.
const VALUES: &[(&str, Copy)] = &[
    ("request-timeout", |to, from| to.request_timeout = from.request_timeout),
    ("connections", |to, from| to.connections = from.connections),
    ("max-redirects", |to, from| to.max_redirects = from.max_redirects),
    ("cookies", |to, from| to.cookies = from.cookies),
    ("connect-timeout", |to, from| to.transport.connect_timeout = from.transport.connect_timeout),
    ("stop-timeout", |to, from| to.transport.stop_timeout = from.transport.stop_timeout),
    ("retry-stale", |to, from| to.transport.retry_stale = from.transport.retry_stale),
    ("max-requests-per-connection", |to, from| {
        to.transport.max_requests_per_connection = from.transport.max_requests_per_connection;
    }),
    ("max-connection-age", |to, from| to.transport.max_connection_age = from.transport.max_connection_age),
    ("streams", |to, from| to.transport.reach.http2.streams = from.transport.reach.http2.streams),
    ("proxy", |to, from| to.transport.reach.proxy.proxy = from.transport.reach.proxy.proxy),
    ("no-proxy", |to, from| to.transport.reach.proxy.no_proxy = from.transport.reach.proxy.no_proxy),
    ("auth", |to, from| to.transport.reach.auth = from.transport.reach.auth),
    ("cacert", |to, from| to.transport.reach.tls.cacert = from.transport.reach.tls.cacert),
    ("cert", |to, from| to.transport.reach.tls.cert = from.transport.reach.tls.cert),
    ("key", |to, from| to.transport.reach.tls.key = from.transport.reach.tls.key),
    ("tls-server-name", |to, from| to.transport.reach.tls.tls_server_name = from.transport.reach.tls.tls_server_name),
    ("tls-min", |to, from| to.transport.reach.tls.tls_min = from.transport.reach.tls.tls_min),
    ("tls-resumption", |to, from| to.transport.reach.tls.tls_resumption = from.transport.reach.tls.tls_resumption),
    ("resolve", |to, from| to.transport.reach.addresses.resolve = from.transport.reach.addresses.resolve),
    ("connect-to", |to, from| to.transport.reach.addresses.connect_to = from.transport.reach.addresses.connect_to),
    ("unix-socket", |to, from| to.transport.reach.addresses.unix_socket = from.transport.reach.addresses.unix_socket),
    ("dns-ttl", |to, from| to.transport.reach.addresses.dns_ttl = from.transport.reach.addresses.dns_ttl),
    ("source-ip", |to, from| to.transport.reach.addresses.source_ip = from.transport.reach.addresses.source_ip),
    ("tcp-nodelay", |to, from| to.transport.reach.addresses.tcp_nodelay = from.transport.reach.addresses.tcp_nodelay),
    ("tcp-keepalive", |to, from| {
        to.transport.reach.addresses.tcp_keepalive = from.transport.reach.addresses.tcp_keepalive;
    }),
    ("close", |to, from| to.transport.reach.addresses.close = from.transport.reach.addresses.close),
];

/// The switch of this name; on the command line it stands without a value.
pub(crate) fn switch<'a>(flags: &'a mut NetworkFlags, key: &str) -> Option<&'a mut bool> {
    let reach = &mut flags.transport.reach;
    Some(match key {
        "disable-keepalive" => &mut flags.transport.disable_keepalive,
        "disable-compression" => &mut flags.transport.disable_compression,
        "http2" => &mut reach.http2.http2,
        "proxy-from-env" => &mut reach.proxy.proxy_from_env,
        "verify" => &mut reach.tls.verify,
        "insecure" => &mut reach.tls.insecure,
        "ipv4" => &mut reach.addresses.ipv4,
        "ipv6" => &mut reach.addresses.ipv6,
        _ => return None,
    })
}

/// Of two switches that exclude each other, the one a switch overrides.
pub(crate) fn opposite(key: &str) -> Option<&'static str> {
    Some(match key {
        "verify" => "insecure",
        "insecure" => "verify",
        "ipv4" => "ipv6",
        "ipv6" => "ipv4",
        _ => return None,
    })
}

/// Reads the value of a flag and puts it over what the flag has; none where no flag of the network takes a value by this name.
///
/// # Errors
/// What is wrong with the value, as the end of a sentence that has named it.
pub(crate) fn set_value(flags: &mut NetworkFlags, key: &str, value: &str) -> Option<Result<(), String>> {
    let (_, copy) = VALUES.iter().find(|(name, _)| *name == key)?;
    Some(parsed(key, value).map(|parsed| copy(flags, parsed.run.network)))
}

/// The flags of a command line that holds this one.
///
/// # Errors
/// What is wrong with the value, as the end of a sentence that has named it.
pub(crate) fn parsed(key: &str, value: &str) -> Result<BoomFlags, String> {
    let given = format!("--{key}={value}");
    // The key of a certificate is not taken without it, which may stand in another line.
    let with = if key == "key" { "--cert=-" } else { "--log-level=warn" };
    let parsed = command()
        .try_get_matches_from(["pummel", "boom", "-", with, &given])
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed.map(|cli| cli.command) {
        Ok(Command::Boom(flags)) => Ok(*flags),
        Ok(_) => Err("is no flag of boom".into()),
        Err(error) => {
            let reason = error.source().map_or_else(|| "is not a value it takes".into(), ToString::to_string);
            Err(reason.strip_prefix(value).map_or_else(|| reason.clone(), |rest| rest.trim_start().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_network_is_a_key() {
        let command = command();
        let boom = command.find_subcommand("boom").unwrap();
        let headings = ["Network", "TLS", "Addresses"];
        let mut flags = parsed("streams", "1").unwrap().run.network;
        let mut count = 0;
        for flag in boom.get_arguments().filter(|flag| headings.contains(&flag.get_help_heading().unwrap_or_default()))
        {
            let name = flag.get_long().unwrap();
            let known = VALUES.iter().any(|(value, _)| *value == name) || switch(&mut flags, name).is_some();
            assert!(known, "--{name} is no key of a profile");
            count += 1;
        }
        assert_eq!(count, VALUES.len() + 8);
    }
}
