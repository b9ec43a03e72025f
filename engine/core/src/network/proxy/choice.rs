//! Which proxy an origin is reached through, if any.

use std::net::IpAddr;

use pummel_case::Origin;

use crate::plan::{Proxies, Proxy};

impl Proxies {
    /// The proxy for an origin; none where it is reached directly.
    pub(crate) fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.https { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.none_for.iter().any(|entry| fits(entry, &origin.host, origin.port)))
    }

    /// True where this is the place of a proxy rather than of a server.
    pub(crate) fn has(&self, place: &Origin) -> bool {
        let is = |proxy: &Proxy| *proxy.host == *place.host && proxy.port == place.port;
        [&self.http, &self.https].into_iter().flatten().any(is)
    }

    /// The place connections to an origin go to.
    pub(crate) fn reached(&self, origin: &Origin) -> Origin {
        self.of(origin).map_or_else(|| origin.clone(), Proxy::place)
    }
}

impl Proxy {
    /// Where it is, as the origins' addresses are kept.
    pub(crate) fn place(&self) -> Origin {
        Origin { https: self.https, host: self.host.as_str().into(), port: self.port }
    }
}

/// Whether an entry of `NO_PROXY` names this host (in lower case, an IPv6 address without brackets) and port.
///
/// `name` is the host and every host below it, `.name` and `*.name` only those below, `*` all; an address is itself, `address/bits`
/// a network; each but `*` and a network may end in `:port`. As in Go's net/http, which hrp stands on.
fn fits(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    let host = host.trim_end_matches('.');
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        return matches!((network.parse(), bits.parse()), (Ok(network), Ok(bits)) if is_in(address, network, bits));
    }
    let (name, at) = split_port(&entry);
    if at.is_some_and(|at| at != port) {
        return false;
    }
    let name = name.trim_end_matches('.');
    // What looks like the end of an address is no name above it.
    let (address, named) = (host.parse::<IpAddr>().ok(), name.parse::<IpAddr>().ok());
    if address.is_some() || named.is_some() {
        return address == named;
    }
    let below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        _ if name.is_empty() => false,
        Some(parent) => !parent.is_empty() && below(parent),
        None => host == name || below(name),
    }
}

/// A host, without the brackets of an IPv6 address, and the port behind it.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|entry| entry.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        // A second colon makes it an IPv6 address.
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Whether an address has the first `bits` of a network's.
fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (address, network, all) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    // A shift by all bits there are is none for `>>`.
    let differ: u128 = address ^ network;
    bits <= all && differ.checked_shr(all - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::{fits, Origin, Proxies, Proxy};

    #[test]
    fn names_fit_themselves_and_what_is_below() {
        for host in ["example.com", "www.example.com", "a.b.example.com", "example.com."] {
            assert!(fits("example.com", host, 80), "{host}");
        }
        for host in ["example.org", "badexample.com", "com", "example.com.org", ""] {
            assert!(!fits("example.com", host, 80), "{host}");
        }
        for entry in [".example.com", "*.example.com", " .EXAMPLE.com. "] {
            assert!(fits(entry, "www.example.com", 80), "{entry}");
            assert!(!fits(entry, "example.com", 80) && !fits(entry, "badexample.com", 80), "{entry}");
        }
        assert!(fits("localhost", "localhost", 80));
    }

    #[test]
    fn a_star_fits_all_and_nothing_fits_none() {
        assert!(fits("*", "h", 80) && fits(" * ", "10.0.0.1", 1));
        for entry in ["", " ", ".", "*.", ":80"] {
            assert!(!fits(entry, "h", 80), "{entry:?}");
        }
    }

    #[test]
    fn ports_narrow_an_entry() {
        assert!(fits("h:8080", "h", 8080) && fits("h:8080", "a.h", 8080));
        assert!(!fits("h:8080", "h", 80));
        assert!(fits("10.0.0.1:81", "10.0.0.1", 81) && !fits("10.0.0.1:81", "10.0.0.1", 80));
        assert!(fits("[::1]:81", "::1", 81) && !fits("[::1]:81", "::1", 80));
        assert!(!fits("h:99999", "h", 80));
    }

    #[test]
    fn addresses_and_networks() {
        assert!(fits("10.0.0.1", "10.0.0.1", 80) && !fits("10.0.0.1", "10.0.0.10", 80));
        assert!(!fits("0.0.1", "10.0.0.1", 80));
        for (entry, host, inside) in [
            ("10.0.0.0/8", "10.255.3.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.168.1.128/25", "192.168.1.127", false),
            ("192.168.1.128/25", "192.168.1.128", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.0", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "::1", true),
            ("::/0", "127.0.0.1", false),
            ("10.0.0.0/8", "ten.example", false),
            ("10.0.0.0/x", "10.0.0.1", false),
        ] {
            assert_eq!(fits(entry, host, 80), inside, "{entry} {host}");
        }
        assert!(fits("::1", "::1", 80) && fits("0:0:0:0:0:0:0:1", "::1", 80));
    }

    #[test]
    fn the_scheme_decides_which_proxy() {
        let proxy = |host: &str| Some(Proxy { https: false, host: host.into(), port: 3128, credentials: None });
        let proxies = Proxies { http: proxy("a"), https: proxy("b"), none_for: vec!["direct".into()] };
        let reached =
            |https, host: &str| proxies.reached(&Origin { https, host: host.into(), port: 443 }).host.to_string();
        assert_eq!([reached(false, "h"), reached(true, "h"), reached(true, "direct")], ["a", "b", "direct"]);
        assert!(proxies.has(&Origin { https: false, host: "b".into(), port: 3128 }));
        assert!(!proxies.has(&Origin { https: false, host: "b".into(), port: 80 }));
    }
}
