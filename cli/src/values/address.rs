//! Addresses as people write them: overrides in curl's syntax, lists and ranges of source addresses, Unix sockets.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use pummel_engine::{Override, Via};

use super::parse_duration;

/// The most source addresses of one run. Each has a port range of its own, so this is some 28 million connections; a network
/// with more is a typing error.
pub(crate) const SOURCES_MAX: usize = 1024;

/// The longest path of a Unix socket, bytes: `sun_path` of unix(7) has 108, the last of them zero.
const UNIX_PATH_MAX: usize = 107;

/// The least time between two lookups of a name, and between two keep-alive probes.
const SECOND: Duration = Duration::from_secs(1);

const RESOLVE_FORM: &str = "write HOST:PORT:ADDRESS[,ADDRESS...], with * for any host and IPv6 addresses in brackets";
const CONNECT_FORM: &str = "write HOST:PORT:HOST2:PORT2, each part of which may be empty, or HOST:PORT:unix:/PATH";

/// Parses `HOST:PORT:ADDR[,ADDR...]` of `--resolve`, as curl has it; an address may be `unix:/path` instead. curl's `+` before
/// the host, which lets its entry grow old, changes nothing here.
///
/// # Errors
/// A sentence that shows the form.
pub(crate) fn parse_resolve(text: &str) -> Result<Override, String> {
    let (host, rest) = host_of(text.strip_prefix('+').unwrap_or(text), RESOLVE_FORM)?;
    let (port, addresses) = rest.split_once(':').ok_or_else(|| format!("has no address; {RESOLVE_FORM}"))?;
    let host = match host {
        "" => return Err(format!("has no host; {RESOLVE_FORM}")),
        "*" => None,
        host => Some(host.to_ascii_lowercase()),
    };
    let port = Some(parse_port(port, RESOLVE_FORM)?);
    if addresses.starts_with("unix:") {
        return Ok(Override { host, port, via: Via::Unix(unix_path(addresses)?) });
    }
    let addresses = addresses.split(',').map(|address| {
        let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        bare.trim().parse().map_err(|_| format!("\"{address}\" is not an IP address; {RESOLVE_FORM}"))
    });
    Ok(Override { host, port, via: Via::Addresses(addresses.collect::<Result<_, _>>()?) })
}

/// Parses `HOST1:PORT1:HOST2:PORT2` of `--connect-to`, as curl has it: an empty first half fits any, an empty second one
/// changes nothing. The second half may be `unix:/path`.
///
/// # Errors
/// A sentence that shows the form.
pub(crate) fn parse_connect_to(text: &str) -> Result<Override, String> {
    let (host, rest) = host_of(text, CONNECT_FORM)?;
    let host = (!host.is_empty()).then(|| host.to_ascii_lowercase());
    let (port, to) = rest.split_once(':').ok_or_else(|| format!("has no second host; {CONNECT_FORM}"))?;
    let port = optional_port(port)?;
    if to.starts_with("unix:") {
        return Ok(Override { host, port, via: Via::Unix(unix_path(to)?) });
    }
    let (to_host, to_port) = host_of(to, CONNECT_FORM)?;
    let to_host = (!to_host.is_empty()).then(|| to_host.to_ascii_lowercase());
    Ok(Override { host, port, via: Via::Host { host: to_host, port: optional_port(to_port)? } })
}

/// Splits `HOST:` off, brackets taken off an IPv6 address.
fn host_of<'t>(text: &'t str, form: &str) -> Result<(&'t str, &'t str), String> {
    let split = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:"),
        None => text.split_once(':'),
    };
    split.ok_or_else(|| format!("has no port; {form}"))
}

fn optional_port(text: &str) -> Result<Option<u16>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_port(text, CONNECT_FORM).map(Some)
}

fn parse_port(text: &str, form: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(format!("\"{text}\" is not a port from 1 to 65535; {form}")),
    }
}

/// The path in `unix:/path`.
fn unix_path(text: &str) -> Result<Arc<Path>, String> {
    parse_unix_path(text.strip_prefix("unix:").unwrap_or(text))
}

/// Parses the path of a Unix socket. Whether it exists shows with the first connection: servers make theirs when they start.
///
/// # Errors
/// A sentence for a path that no socket can have.
pub(crate) fn parse_unix_path(text: &str) -> Result<Arc<Path>, String> {
    if text.is_empty() {
        return Err("has no path; write it as /run/app.sock".into());
    }
    if text.len() > UNIX_PATH_MAX {
        return Err(format!("is longer than {UNIX_PATH_MAX} bytes, the most the path of a Unix socket may have"));
    }
    Ok(Path::new(text).into())
}

/// Source addresses of one item of a list. An alias, so that clap does not read the `Vec` as "flag may be repeated".
pub(crate) type Sources = Vec<IpAddr>;

/// Parses one item of `--source-ip`: an address, a range `FIRST-LAST`, or a network `ADDRESS/BITS`, of which the network's own
/// address and its broadcast address are no host's.
///
/// # Errors
/// A sentence for text in another form, and for more addresses than [`SOURCES_MAX`].
pub(crate) fn parse_sources(text: &str) -> Result<Sources, String> {
    let text = text.trim();
    if let Some((address, bits)) = text.split_once('/') {
        return network(parse_ip(address)?, bits);
    }
    match text.split_once('-') {
        Some((first, last)) => range(parse_ip(first)?, parse_ip(last)?),
        None => Ok(vec![parse_ip(text)?]),
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    let form = "write an IP address, FIRST-LAST or ADDRESS/BITS, several with commas";
    text.trim().parse().map_err(|_| format!("\"{text}\" is not an IP address; {form}"))
}

fn network(address: IpAddr, bits: &str) -> Result<Sources, String> {
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    let bits: u32 = match bits.trim().parse() {
        Ok(bits) if bits <= width => bits,
        _ => return Err(format!("\"{bits}\" is not a number of bits from 0 to {width}")),
    };
    let free = width - bits;
    let mask = u128::MAX.checked_shl(free).unwrap_or(0);
    let first = number(address) & mask;
    let last = first | (!mask & (u128::MAX >> (128 - width)));
    // A pair has neither (RFC 3021), and IPv6 knows no broadcast.
    let (first, last) = if address.is_ipv4() && free >= 2 { (first + 1, last - 1) } else { (first, last) };
    between(first, last, address)
}

fn range(first: IpAddr, last: IpAddr) -> Result<Sources, String> {
    if first.is_ipv4() != last.is_ipv4() {
        return Err(format!("{first} and {last} are not of one kind"));
    }
    if number(first) > number(last) {
        return Err(format!("{first} comes after {last}"));
    }
    between(number(first), number(last), first)
}

fn between(first: u128, last: u128, like: IpAddr) -> Result<Sources, String> {
    if last - first >= SOURCES_MAX as u128 {
        return Err(format!("has more than {SOURCES_MAX} addresses, the most of one run"));
    }
    let address = |number: u128| match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    };
    Ok((first..=last).map(address).collect())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// How long something stands, or for ever. An alias, so that clap does not read the `Option` as "flag may be absent".
pub(crate) type TimeOrOff = Option<Duration>;

/// Parses a time of at least a second, or `off`.
///
/// # Errors
/// A sentence for anything else.
pub(crate) fn parse_seconds_or_off(text: &str) -> Result<TimeOrOff, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    match parse_duration(text) {
        Ok(time) if time >= SECOND => Ok(Some(time)),
        Ok(_) => Err("is less than a second; write a longer time, or off".into()),
        Err(why) => Err(format!("{why}, or off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Via {
        Via::Addresses(all.iter().map(|ip| ip.parse().unwrap()).collect())
    }

    fn other(host: Option<&str>, port: Option<u16>, via: Via) -> Override {
        Override { host: host.map(str::to_owned), port, via }
    }

    fn host(host: Option<&str>, port: Option<u16>) -> Via {
        Via::Host { host: host.map(str::to_owned), port }
    }

    #[test]
    fn resolve_is_curls() {
        let good = [
            ("a.example:80:127.0.0.1", other(Some("a.example"), Some(80), addresses(&["127.0.0.1"]))),
            ("+A:443:1.1.1.1,[::1],::2", other(Some("a"), Some(443), addresses(&["1.1.1.1", "::1", "::2"]))),
            ("*:80:[::1]", other(None, Some(80), addresses(&["::1"]))),
            ("[::1]:80:127.0.0.1", other(Some("::1"), Some(80), addresses(&["127.0.0.1"]))),
            ("a:80:unix:/run/a.sock", other(Some("a"), Some(80), Via::Unix(Path::new("/run/a.sock").into()))),
        ];
        for (text, expected) in good {
            assert_eq!(parse_resolve(text), Ok(expected), "{text}");
        }
        for text in ["", "a", "a:80", "a:80:", ":80:1.1.1.1", "a:0:1.1.1.1", "a:x:1.1.1.1", "a:80:b", "[::1:80:1.1.1.1"]
        {
            assert!(parse_resolve(text).unwrap_err().contains("HOST:PORT"), "{text}");
        }
        assert!(parse_resolve("a:80:unix:").unwrap_err().contains("no path"));
    }

    #[test]
    fn connect_to_is_curls() {
        let good = [
            ("a:80:b:81", other(Some("a"), Some(80), host(Some("b"), Some(81)))),
            ("::b:", other(None, None, host(Some("b"), None))),
            (":80::81", other(None, Some(80), host(None, Some(81)))),
            ("A::[::1]:81", other(Some("a"), None, host(Some("::1"), Some(81)))),
            ("[::1]:80:b:", other(Some("::1"), Some(80), host(Some("b"), None))),
            ("a::unix:/s", other(Some("a"), None, Via::Unix(Path::new("/s").into()))),
        ];
        for (text, expected) in good {
            assert_eq!(parse_connect_to(text), Ok(expected), "{text}");
        }
        for text in ["", "a", "a:80", "a:80:b", "a:80:b:x", "a:99999:b:1"] {
            assert!(parse_connect_to(text).unwrap_err().contains("HOST:PORT"), "{text}");
        }
    }

    #[test]
    fn sources_are_addresses_ranges_and_networks() {
        let shown = |text| parse_sources(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(shown("127.0.0.2").unwrap(), ["127.0.0.2"]);
        assert_eq!(shown("127.0.0.254-127.0.1.1").unwrap(), ["127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1"]);
        assert_eq!(shown("10.0.0.6/30").unwrap(), ["10.0.0.5", "10.0.0.6"]);
        assert_eq!(shown("10.0.0.6/31").unwrap(), ["10.0.0.6", "10.0.0.7"]);
        assert_eq!(shown("10.0.0.6/32").unwrap(), ["10.0.0.6"]);
        assert_eq!(shown("fd00::3/127").unwrap(), ["fd00::2", "fd00::3"]);
        assert_eq!(shown("fd00::1-fd00::2").unwrap(), ["fd00::1", "fd00::2"]);
        assert_eq!(shown("10.0.0.0/22").unwrap().len(), 1022);
        for (text, why) in [
            ("", "not an IP address"),
            ("localhost", "not an IP address"),
            ("1.1.1.2-1.1.1.1", "comes after"),
            ("1.1.1.1-::1", "not of one kind"),
            ("1.1.1.1/33", "from 0 to 32"),
            ("10.0.0.0/8", "more than 1024"),
            ("0.0.0.0/0", "more than 1024"),
            ("::/0", "more than 1024"),
            ("10.0.0.0-10.0.4.0", "more than 1024"),
        ] {
            assert!(shown(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn unix_paths_have_a_greatest_length() {
        assert!(parse_unix_path(&"x".repeat(107)).is_ok());
        assert!(parse_unix_path(&"x".repeat(108)).unwrap_err().contains("107 bytes"));
        assert!(parse_unix_path("").is_err());
    }

    #[test]
    fn times_may_be_off_and_are_seconds_at_least() {
        assert_eq!(parse_seconds_or_off("off"), Ok(None));
        assert_eq!(parse_seconds_or_off("90"), Ok(Some(Duration::from_secs(90))));
        assert!(parse_seconds_or_off("0").unwrap_err().contains("less than a second"));
        assert!(parse_seconds_or_off("x").is_err());
    }
}
