//! Names to addresses: getaddrinfo on threads of its own, never on a core.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    thread,
};

use pummel_case::Origin;

use crate::network::origins::Found;

/// The addresses of an origin, each once, in the resolver's order.
pub(crate) fn resolve(origin: &Origin) -> Found {
    if let Some(address) = written_out(origin) {
        return Ok(vec![address]);
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (&*origin.host, origin.port).to_socket_addrs()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

/// The address of an origin whose host is one, in brackets or not: it needs no resolver.
pub(crate) fn written_out(origin: &Origin) -> Option<SocketAddr> {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, origin.port))
}

/// Resolves all origins at the same time, one thread each.
pub(crate) fn resolve_all(origins: &[Origin]) -> Vec<Found> {
    thread::scope(|scope| {
        let lookups: Vec<_> = origins.iter().map(|origin| scope.spawn(|| resolve(origin))).collect();
        lookups
            .into_iter()
            .map(|lookup| lookup.join().unwrap_or_else(|_| Err(io::Error::other("the resolver failed"))))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use pummel_case::Origin;

    use super::resolve;

    fn origin(host: &str) -> Origin {
        Origin { https: false, host: host.into(), port: 81 }
    }

    #[test]
    fn addresses_need_no_resolver() {
        assert_eq!(resolve(&origin("127.0.0.9")).unwrap(), ["127.0.0.9:81".parse().unwrap()]);
        assert_eq!(resolve(&origin("[::1]")).unwrap(), ["[::1]:81".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error() {
        assert!(resolve(&origin("no-such-host.invalid")).is_err());
    }
}
