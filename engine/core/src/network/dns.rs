//! Names to addresses: what the plan says of them, then getaddrinfo on threads of its own, never on a core.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    thread,
};

use pummel_case::Origin;
use pummel_ring::Address;

use crate::{
    network::origins::Found,
    plan::{Addresses, IpFamily, Override, Via},
};

/// The addresses of an origin, each once, in the resolver's order.
pub(crate) fn resolve(origin: &Origin, plan: &Addresses) -> Found {
    if let Some(path) = &plan.unix_socket {
        return Ok(vec![Address::Unix(path.clone())]);
    }
    // An address may stand in brackets or not.
    let mut host = origin.host.trim_start_matches('[').trim_end_matches(']');
    let mut port = origin.port;
    let mut via = plan.overrides.iter().find(|one| fits(one, host, port)).map(|one| &one.via);
    if let Some(Via::Host { host: other_host, port: other_port }) = via {
        host = other_host.as_deref().unwrap_or(host);
        port = other_port.unwrap_or(port);
        // Once: two hosts that name each other lead nowhere.
        let places = plan.overrides.iter().filter(|one| !matches!(one.via, Via::Host { .. }));
        via = places.into_iter().find(|one| fits(one, host, port)).map(|one| &one.via);
    }
    let found = match via {
        Some(Via::Unix(path)) => return Ok(vec![Address::Unix(path.clone())]),
        Some(Via::Addresses(all)) => all.iter().map(|&ip| SocketAddr::new(ip, port)).collect(),
        Some(Via::Host { .. }) | None => look_up(host, port)?,
    };
    usable(found, plan)
}

fn fits(one: &Override, host: &str, port: u16) -> bool {
    one.host.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(host)) && one.port.is_none_or(|only| only == port)
}

fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(vec![SocketAddr::new(ip, port)]),
        Err(_) => Ok((host, port).to_socket_addrs()?.collect()),
    }
}

/// Those that the plan lets be used, each once.
fn usable(found: Vec<SocketAddr>, plan: &Addresses) -> Found {
    if found.is_empty() {
        return Err(not_found("the name has no address"));
    }
    let (mut usable, mut of_family) = (Vec::new(), false);
    for address in found {
        let wanted = match plan.family {
            IpFamily::Any => true,
            IpFamily::V4 => address.is_ipv4(),
            IpFamily::V6 => address.is_ipv6(),
        };
        of_family |= wanted;
        let sources = &plan.sources;
        let reachable = sources.is_empty() || sources.iter().any(|source| source.is_ipv4() == address.is_ipv4());
        let address = Address::Inet(address);
        if wanted && reachable && !usable.contains(&address) {
            usable.push(address);
        }
    }
    match (usable.is_empty(), of_family, plan.family) {
        (false, ..) => Ok(usable),
        (true, true, _) => Err(not_found("none of its addresses is of the kind of the source addresses (--source-ip)")),
        (true, false, IpFamily::V6) => Err(not_found("it has no IPv6 address (-6)")),
        (true, false, _) => Err(not_found("it has no IPv4 address (-4)")),
    }
}

fn not_found(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}

/// The address of an origin whose host is one, in brackets or not: it needs no resolver.
pub(crate) fn written_out(origin: &Origin) -> Option<SocketAddr> {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, origin.port))
}

/// Resolves all origins at the same time, one thread each.
pub(crate) fn resolve_all(origins: &[Origin], plan: &Addresses) -> Vec<Found> {
    thread::scope(|scope| {
        let lookups: Vec<_> = origins.iter().map(|origin| scope.spawn(|| resolve(origin, plan))).collect();
        lookups
            .into_iter()
            .map(|lookup| lookup.join().unwrap_or_else(|_| Err(io::Error::other("the resolver failed"))))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use pummel_case::Origin;

    use super::resolve;
    use crate::plan::{Addresses, IpFamily, Override, Via};

    fn origin(host: &str) -> Origin {
        Origin { https: false, host: host.into(), port: 81 }
    }

    /// The addresses as they are shown, or the error.
    fn found(host: &str, plan: &Addresses) -> Result<Vec<String>, String> {
        match resolve(&origin(host), plan) {
            Ok(all) => Ok(all.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn other(host: Option<&str>, port: Option<u16>, via: Via) -> Override {
        Override { host: host.map(str::to_owned), port, via }
    }

    fn addresses(all: &[&str]) -> Via {
        Via::Addresses(all.iter().map(|ip| ip.parse().unwrap()).collect())
    }

    fn host(host: Option<&str>, port: Option<u16>) -> Via {
        Via::Host { host: host.map(str::to_owned), port }
    }

    #[test]
    fn addresses_need_no_resolver() {
        let plan = Addresses::default();
        assert_eq!(found("127.0.0.9", &plan).unwrap(), ["127.0.0.9:81"]);
        assert_eq!(found("[::1]", &plan).unwrap(), ["[::1]:81"]);
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error() {
        assert!(found("no-such-host.invalid", &Addresses::default()).is_err());
    }

    #[test]
    fn the_first_override_that_fits_counts() {
        let overrides = vec![
            other(Some("a"), Some(80), addresses(&["1.1.1.1"])),
            other(Some("a"), Some(81), addresses(&["1.1.1.2", "::2", "1.1.1.2"])),
            other(None, Some(81), addresses(&["1.1.1.3"])),
        ];
        let plan = Addresses { overrides, ..Addresses::default() };
        assert_eq!(found("A", &plan).unwrap(), ["1.1.1.2:81", "[::2]:81"]);
        assert_eq!(found("b", &plan).unwrap(), ["1.1.1.3:81"]);
        assert_eq!(found("127.0.0.1", &plan).unwrap(), ["1.1.1.3:81"], "an address is a host like any other");
    }

    #[test]
    fn another_host_is_looked_up_among_the_overrides_once() {
        let overrides = vec![
            other(Some("a"), None, host(Some("b"), Some(82))),
            other(Some("b"), None, host(Some("a"), None)),
            other(Some("c"), None, host(None, Some(83))),
            other(Some("d"), None, host(Some("127.0.0.4"), None)),
            other(None, Some(82), addresses(&["1.1.1.1"])),
            other(None, Some(83), addresses(&["1.1.1.2"])),
        ];
        let plan = Addresses { overrides, ..Addresses::default() };
        assert_eq!(found("a", &plan).unwrap(), ["1.1.1.1:82"]);
        assert_eq!(found("c", &plan).unwrap(), ["1.1.1.2:83"]);
        assert_eq!(found("d", &plan).unwrap(), ["127.0.0.4:81"]);
    }

    #[test]
    fn unix_sockets_stand_for_one_host_or_for_all() {
        let path: Arc<Path> = Path::new("/run/app.sock").into();
        let overrides = vec![other(Some("a"), None, Via::Unix(path.clone()))];
        let one = Addresses { overrides, ..Addresses::default() };
        assert_eq!(found("a", &one).unwrap(), ["unix:/run/app.sock"]);
        assert_eq!(found("127.0.0.1", &one).unwrap(), ["127.0.0.1:81"]);
        let all = Addresses { unix_socket: Some(path), ..Addresses::default() };
        assert_eq!(found("127.0.0.1", &all).unwrap(), ["unix:/run/app.sock"]);
    }

    #[test]
    fn only_addresses_of_the_asked_kind_are_used() {
        let overrides = vec![other(Some("a"), None, addresses(&["1.1.1.1", "::1"]))];
        let family = |family| Addresses { family, overrides: overrides.clone(), ..Addresses::default() };
        assert_eq!(found("a", &family(IpFamily::V4)).unwrap(), ["1.1.1.1:81"]);
        assert_eq!(found("a", &family(IpFamily::V6)).unwrap(), ["[::1]:81"]);
        assert!(found("1.2.3.4", &family(IpFamily::V6)).unwrap_err().contains("no IPv6 address"));
        assert!(found("[::1]", &family(IpFamily::V4)).unwrap_err().contains("no IPv4 address"));
        let sources = Addresses { sources: vec!["::1".parse().unwrap()], overrides, ..Addresses::default() };
        assert_eq!(found("a", &sources).unwrap(), ["[::1]:81"]);
        assert!(found("1.2.3.4", &sources).unwrap_err().contains("--source-ip"));
    }
}
