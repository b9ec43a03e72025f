//! Where a request goes: scheme, host and port.

use std::{fmt, net::Ipv6Addr, sync::Arc};

/// Scheme, host and port of a request: requests of one origin may share connections (RFC 6454 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// True for `https`.
    pub https: bool,
    /// A name or address in lower case, an IPv6 address without its brackets.
    pub host: Arc<str>,
    /// 1 to 65,535; 80 for `http` and 443 for `https` where the URL names none.
    pub port: u16,
}

impl Origin {
    /// The value of the `Host` header: the port only where it is not the scheme's own, an IPv6 address in brackets
    /// (RFC 9110 section 7.2).
    pub fn authority(&self) -> String {
        let (open, close) = self.brackets();
        if self.port == default_port(self.https) {
            format!("{open}{}{close}", self.host)
        } else {
            format!("{open}{}{close}:{}", self.host, self.port)
        }
    }

    /// Whether this is the origin of those parts, so that a rendered request keeps the one it has.
    pub(crate) fn matches(&self, parts: &OriginParts<'_>) -> bool {
        self.https == parts.https && self.port == parts.port && self.host.eq_ignore_ascii_case(parts.host)
    }

    fn brackets(&self) -> (&'static str, &'static str) {
        if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        }
    }
}

impl Default for Origin {
    /// No origin: an empty host, which no request can have.
    fn default() -> Self {
        Origin { https: false, host: Arc::from(""), port: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = self.brackets();
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Which schemes a URL may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Schemes {
    /// `http` and `https`.
    #[default]
    Http,
    /// `ws` and `wss` (RFC 6455 section 3). `http` and `https` mean the same, so that a case with one `base_url` may have steps
    /// of both kinds.
    WebSocket,
}

impl Schemes {
    /// Whether a scheme means TLS; none where it is not among these.
    fn https(self, scheme: &str) -> Option<bool> {
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        match self {
            _ if is("http") => Some(false),
            _ if is("https") => Some(true),
            Schemes::WebSocket if is("ws") => Some(false),
            Schemes::WebSocket if is("wss") => Some(true),
            Schemes::Http | Schemes::WebSocket => None,
        }
    }
}

/// An origin still borrowed from the text of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OriginParts<'a> {
    pub(crate) https: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// `user:password` before an `@`, percent-encoded: no part of the origin.
    pub(crate) userinfo: Option<&'a str>,
}

impl<'a> OriginParts<'a> {
    /// Reads scheme and authority of a URL (RFC 3986 section 3.2).
    pub(crate) fn parse(scheme: &str, authority: &'a str, schemes: Schemes) -> Result<Self, &'static str> {
        let Some(https) = schemes.https(scheme) else {
            return Err(match schemes {
                Schemes::Http => "the scheme must be http or https",
                Schemes::WebSocket => "the scheme must be ws, wss, http or https",
            });
        };
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or("the IPv6 address has no closing ]")?;
            host.parse::<Ipv6Addr>().map_err(|_| "the host in brackets is not an IPv6 address")?;
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => (host, ""),
                None => return Err("after ] only a port may follow"),
            }
        } else {
            authority.split_once(':').unwrap_or((authority, ""))
        };
        if host.is_empty() {
            return Err("the URL has no host");
        }
        if !host.contains(':') && !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b) || b >= 0x80) {
            return Err("the host holds a character that no host name has");
        }
        let port = if port.is_empty() {
            default_port(https)
        } else {
            match port.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err("the port must be a number from 1 to 65535"),
            }
        };
        Ok(OriginParts { https, host, port, userinfo })
    }

    /// An origin of its own: the host in lower case, an international name in its ASCII form (RFC 5891).
    pub(crate) fn to_origin(self) -> Result<Origin, &'static str> {
        let host = if self.host.is_ascii() {
            self.host.to_ascii_lowercase()
        } else {
            match url::Host::parse(self.host) {
                Ok(host) => host.to_string(),
                Err(_) => return Err("the host is not a valid international name"),
            }
        };
        Ok(Origin { https: self.https, host: Arc::from(host), port: self.port })
    }
}

const fn default_port(https: bool) -> u16 {
    if https {
        443
    } else {
        80
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(scheme: &str, authority: &str) -> Result<Origin, &'static str> {
        OriginParts::parse(scheme, authority, Schemes::Http)?.to_origin()
    }

    #[test]
    fn default_ports_are_left_out_of_the_host_header() {
        assert_eq!(origin("http", "A.example").unwrap().authority(), "a.example");
        assert_eq!(origin("http", "a.example:80").unwrap().authority(), "a.example");
        assert_eq!(origin("https", "a.example:443").unwrap().authority(), "a.example");
        assert_eq!(origin("http", "a.example:443").unwrap().authority(), "a.example:443");
    }

    #[test]
    fn ipv6_addresses_are_bracketed_where_they_are_shown() {
        let v6 = origin("http", "[::1]:8080").unwrap();
        assert_eq!(&*v6.host, "::1");
        assert_eq!(v6.authority(), "[::1]:8080");
        assert_eq!(v6.to_string(), "http://[::1]:8080");
    }

    #[test]
    fn international_names_become_ascii() {
        assert_eq!(&*origin("http", "bücher.example").unwrap().host, "xn--bcher-kva.example");
    }

    #[test]
    fn a_user_is_no_part_of_the_origin() {
        for (authority, userinfo) in [("u@h:81", "u"), ("u:p@h:81", "u:p"), ("u:a@b@h:81", "u:a@b"), ("@h:81", "")] {
            let parts = OriginParts::parse("http", authority, Schemes::Http).unwrap();
            assert_eq!((parts.userinfo, parts.host, parts.port), (Some(userinfo), "h", 81));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (scheme, authority) in [
            ("ftp", "a"),
            ("http", ""),
            ("http", "a:0"),
            ("http", "a:x"),
            ("http", "[::1"),
            ("http", "u@"),
            ("http", "a b"),
        ] {
            assert!(origin(scheme, authority).is_err(), "{scheme}://{authority}");
        }
    }
}
