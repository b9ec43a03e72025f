//! The proxies of a plan: from the flags, or from the environment where that was asked for.

use std::{env, net::IpAddr};

use pummel_engine::{Proxies, Proxy};
use url::Url;

use crate::{
    failure::{warn, Failure},
    flags::ProxyFlags,
};

/// What a proxy's URL looks like, for those who wrote another.
const EXAMPLE: &str = "write it as http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT";

/// The proxies of a run.
///
/// # Errors
/// Wrong usage: a URL that names no proxy. No message repeats it, as it may hold a password.
pub(crate) fn proxies(flags: &ProxyFlags) -> Result<Proxies, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let proxies = chosen(flags, variable)?;
    if let Some(sentence) = unused(flags, &proxies) {
        warn(sentence, None);
    }
    Ok(proxies)
}

/// Why what was asked for makes no difference, where it makes none.
fn unused(flags: &ProxyFlags, proxies: &Proxies) -> Option<&'static str> {
    if proxies.http.is_some() || proxies.https.is_some() {
        return None;
    }
    if flags.proxy_from_env {
        return Some("--proxy-from-env: none of HTTP_PROXY, HTTPS_PROXY and ALL_PROXY is set, so no proxy is used");
    }
    let named = !flags.no_proxy.is_empty();
    named.then_some("--no-proxy has no effect without --proxy or --proxy-from-env: no proxy is used")
}

fn chosen(flags: &ProxyFlags, variable: impl Fn(&str) -> Option<String>) -> Result<Proxies, Failure> {
    let mut proxies = if flags.proxy_from_env { from_environment(variable)? } else { Proxies::default() };
    // hrp's default of its flag is an empty text.
    if let Some(url) = flags.proxy.as_deref().filter(|url| !url.is_empty()) {
        let proxy = Some(parse_proxy("--proxy", url)?);
        (proxies.http, proxies.https) = (proxy.clone(), proxy);
    }
    if !flags.no_proxy.is_empty() {
        proxies.none_for = hosts(&flags.no_proxy.join(","));
        if let Some(entry) = proxies.none_for.iter().find(|entry| !is_host_or_network(entry)) {
            return Err(Failure::usage(
                format!("--no-proxy: \"{entry}\" is not a network"),
                "write networks as ADDRESS/BITS, such as 10.0.0.0/8, and hosts without a scheme or path",
            ));
        }
    }
    Ok(proxies)
}

/// The proxies the environment names, as curl and Go read it: lower case stands above upper case, and `HTTP_PROXY` counts not in a
/// CGI program, where a client could set it with a `Proxy:` header.
fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Proxies, Failure> {
    let cgi = variable("REQUEST_METHOD").is_some();
    let first = |names: [&'static str; 2]| {
        let allowed = names.into_iter().filter(|name| !(cgi && *name == "HTTP_PROXY"));
        allowed.filter_map(|name| Some((name, variable(name)?))).find(|(_, value)| !value.is_empty())
    };
    let proxy = |names| first(names).map(|(name, url)| parse_proxy(name, &url)).transpose();
    let all = proxy(["all_proxy", "ALL_PROXY"])?;
    Ok(Proxies {
        http: proxy(["http_proxy", "HTTP_PROXY"])?.or_else(|| all.clone()),
        https: proxy(["https_proxy", "HTTPS_PROXY"])?.or(all),
        none_for: first(["no_proxy", "NO_PROXY"]).map(|(_, list)| hosts(&list)).unwrap_or_default(),
    })
}

/// The entries of a list of hosts, which commas or blanks separate.
fn hosts(list: &str) -> Vec<String> {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace());
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// An entry with a slash must be an address with as many bits as it has at most; all else is a name that may fit.
fn is_host_or_network(entry: &str) -> bool {
    let Some((address, bits)) = entry.split_once('/') else { return true };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    bits.parse::<u8>().is_ok_and(|bits| bits <= if address.is_ipv4() { 32 } else { 128 })
}

/// Reads the URL of a proxy; `place` is the flag or the variable it stands in. One without a scheme is an `http://` one.
fn parse_proxy(place: &str, text: &str) -> Result<Proxy, Failure> {
    let wrong = |what: &str| Failure::usage(format!("{place}: {what}"), EXAMPLE);
    let text = text.trim();
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    let https = match url.scheme() {
        "http" => false,
        "https" => {
            let what = "TLS to the proxy itself is not spoken; give an http:// proxy, which opens tunnels for https:// hosts too";
            return Err(wrong(what));
        }
        scheme if scheme.starts_with("socks") => {
            return Err(wrong("SOCKS proxies are not spoken to; use an HTTP proxy"))
        }
        _ => return Err(wrong("a proxy has the scheme http://")),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a proxy has no path"));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| wrong("has no port"))?;
    let decoded = |text: &str| percent_decoded(text).ok_or_else(|| wrong("the user or password is not UTF-8 text"));
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    // RFC 7617 section 2: the first colon ends the name, and neither part holds a control character.
    if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
        return Err(wrong("the user has a colon, or user or password a control character"));
    }
    let given = !user.is_empty() || url.password().is_some();
    Ok(Proxy {
        https,
        host: host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase(),
        port,
        credentials: given.then(|| format!("{user}:{password}")),
    })
}

/// Takes percent-encoding off (RFC 3986 section 2.1); none where the bytes are no UTF-8. A percent sign that encodes nothing stays.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let digits = others.get(..2).filter(|digits| first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(proxy: Option<&str>, proxy_from_env: bool, no_proxy: &[&str]) -> ProxyFlags {
        ProxyFlags {
            proxy: proxy.map(str::to_owned),
            proxy_from_env,
            no_proxy: no_proxy.iter().map(|&host| host.to_owned()).collect(),
        }
    }

    /// The proxies of flags in an environment.
    fn chosen_in(flags: &ProxyFlags, environment: &[(&str, &str)]) -> Proxies {
        chosen(flags, |name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
            .unwrap()
    }

    fn hosts_of(proxies: &Proxies) -> [Option<&str>; 2] {
        [&proxies.http, &proxies.https].map(|proxy| proxy.as_ref().map(|proxy| &*proxy.host))
    }

    #[test]
    fn a_proxy_is_a_url() {
        let proxy = |text| parse_proxy("--proxy", text).unwrap();
        let plain = Proxy { https: false, host: "proxy".into(), port: 3128, credentials: None };
        for text in ["http://proxy:3128", "http://PROXY:3128/", "proxy:3128", " http://proxy:3128 "] {
            assert_eq!(proxy(text), plain, "{text}");
        }
        assert_eq!(proxy("http://h").port, 80);
        assert_eq!(proxy("http://[::1]:8080").host, "::1");
        assert_eq!(proxy("http://user:p%40ss%3aw@h").credentials.as_deref(), Some("user:p@ss:w"));
        assert_eq!(proxy("http://user@h").credentials.as_deref(), Some("user:"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_it() {
        for (text, what) in [
            ("socks5://u:secret@h:1080", "SOCKS"),
            ("https://u:secret@h", "TLS"),
            ("ftp://u:secret@h", "scheme"),
            ("http://u:secret@h/path", "path"),
            ("http://u:secret@h:0", "port"),
            ("http://u:secret@", "URL"),
            ("http://u:secret@h:99999", "URL"),
            ("http://a%3ab:secret@h", "colon"),
            ("http://a:secret%0a@h", "control"),
            ("http://a:secret%ff@h", "UTF-8"),
        ] {
            let failure = parse_proxy("--proxy", text).unwrap_err();
            assert!(failure.message().starts_with("--proxy: ") && failure.message().contains(what), "{text}");
            assert!(!failure.message().contains("secret"), "{text}");
        }
    }

    #[test]
    fn the_environment_counts_only_where_it_was_asked_for() {
        let environment = [
            ("http_proxy", "http://a:1"),
            ("HTTPS_PROXY", "http://b:2"),
            ("NO_PROXY", "x, .y z"),
            ("HTTP_PROXY", "http://c"),
        ];
        assert_eq!(chosen_in(&flags(None, false, &[]), &environment), Proxies::default());
        let proxies = chosen_in(&flags(None, true, &[]), &environment);
        assert_eq!(hosts_of(&proxies), [Some("a"), Some("b")]);
        assert_eq!(proxies.none_for, ["x", ".y", "z"]);
        let proxies = chosen_in(&flags(Some("http://p:3"), true, &["q"]), &environment);
        assert_eq!((hosts_of(&proxies), &*proxies.none_for[0]), ([Some("p"), Some("p")], "q"));
        assert_eq!(hosts_of(&chosen_in(&flags(Some(""), false, &[]), &environment)), [None, None]);
    }

    #[test]
    fn what_makes_no_difference_is_said() {
        let said = |flags: &ProxyFlags, environment| unused(flags, &chosen_in(flags, environment));
        assert!(said(&flags(None, true, &[]), &[]).unwrap().contains("HTTP_PROXY"));
        assert!(said(&flags(None, false, &["h"]), &[]).unwrap().starts_with("--no-proxy has no effect"));
        assert_eq!(said(&flags(None, true, &["h"]), &[("HTTP_PROXY", "http://a")]), None);
        assert_eq!(said(&flags(Some("http://p"), false, &["h"]), &[]), None);
        assert_eq!(said(&flags(None, false, &[]), &[]), None);
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        for entry in ["10.0.0.0/33", "::/129", "10.0.0.0/x", "http://h/", "h/8"] {
            let failure = chosen(&flags(Some("http://p"), false, &[entry]), |_| None).unwrap_err();
            assert!(failure.message().contains(&format!("\"{entry}\" is not a network")), "{entry}");
        }
        assert!(chosen(&flags(Some("http://p"), false, &["10.0.0.0/8", "::/128", "h:80", "*"]), |_| None).is_ok());
    }

    #[test]
    fn one_variable_serves_for_all_and_an_empty_one_for_none() {
        let all = [("ALL_PROXY", "http://a"), ("https_proxy", ""), ("HTTPS_PROXY", "http://b")];
        assert_eq!(hosts_of(&chosen_in(&flags(None, true, &[]), &all)), [Some("a"), Some("b")]);
        let upper = [("HTTP_PROXY", "http://a")];
        assert_eq!(hosts_of(&chosen_in(&flags(None, true, &[]), &upper)), [Some("a"), None]);
        let cgi = [("HTTP_PROXY", "http://a"), ("REQUEST_METHOD", "GET")];
        assert_eq!(hosts_of(&chosen_in(&flags(None, true, &[]), &cgi)), [None, None]);
        let wrong = chosen(&flags(None, true, &[]), |name| (name == "http_proxy").then(|| "socks5://h".into()));
        assert!(wrong.unwrap_err().message().starts_with("http_proxy: SOCKS"));
    }
}
