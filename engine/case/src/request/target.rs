//! From `base_url` and a step's `url` to origin and request target (hrp spec 11.3).

use super::{
    escape::{push_url, UrlPart},
    hrp_path::push_hrp_path,
    origin::{OriginParts, Schemes},
};
use crate::UrlStyle;

/// How a target is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TargetStyle {
    pub(crate) style: UrlStyle,
    /// Parameters are added to the query afterwards, so that it is not empty.
    pub(crate) has_params: bool,
    pub(crate) schemes: Schemes,
}

/// A URL cut at its own punctuation (RFC 3986 appendix B); the fragment is left out, it is never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UrlParts<'a> {
    pub(crate) scheme: Option<&'a str>,
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    pub(crate) fn split(url: &'a str) -> Self {
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (url, query) = match url.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (url, None),
        };
        let (scheme, rest) = match url.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, url),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        UrlParts { scheme, authority, path, query }
    }
}

/// Joins `base` and `url`, writes the request target (path and the URL's own query) and gives the origin.
///
/// A URL with a host stands alone; otherwise scheme and host are the base's and the paths are joined and cleaned, the base's
/// query is dropped, and the author's trailing slash, or its absence, is kept; in hrp's style one is forced where there is no
/// query.
///
/// # Errors
/// In one sentence, without the URL: the text also serves as an error label and must not hold data.
pub(crate) fn build_target<'a>(
    base: &'a str,
    url: &'a str,
    style: TargetStyle,
    target: &mut String,
) -> Result<OriginParts<'a>, &'static str> {
    target.clear();
    let own = UrlParts::split(url);
    let hrp = style.style == UrlStyle::Hrp436;
    let has_query = style.has_params || own.query.is_some_and(|query| !query.is_empty());
    let origin = match (own.scheme, own.authority) {
        (Some(scheme), Some(authority)) => {
            if hrp {
                push_hrp_path(None, own.path, has_query, target)?;
            } else {
                push_url(own.path, UrlPart::Path, target)?;
            }
            OriginParts::parse(scheme, authority, style.schemes)?
        }
        (None, Some(_)) => return Err("the URL begins with // and has no scheme; write http:// before the host"),
        (Some(_), None) => {
            return Err("the URL has no // after its scheme; write http:// before a host, or / before a path")
        }
        (None, None) => {
            let base = UrlParts::split(base);
            let (Some(scheme), Some(authority)) = (base.scheme, base.authority) else {
                return Err(if base.path.is_empty() && base.scheme.is_none() && base.authority.is_none() {
                    "the URL has no host and there is no base_url"
                } else {
                    "base_url must begin with http:// and a host"
                });
            };
            if hrp {
                push_hrp_path(Some(base.path), own.path, has_query, target)?;
            } else {
                push_joined(base.path, own.path, target)?;
            }
            OriginParts::parse(scheme, authority, style.schemes)?
        }
    };
    if target.is_empty() {
        target.push('/');
    }
    if let Some(query) = own.query {
        target.push('?');
        push_url(query, UrlPart::Query, target)?;
    }
    Ok(origin)
}

/// Begins a further pair of the query: `?` or `&` as the target needs it.
pub(crate) fn push_query_separator(target: &mut String) {
    if !target.contains('?') {
        target.push('?');
    } else if !target.ends_with('?') {
        target.push('&');
    }
}

/// Both paths as one: empty, `.` and `..` segments are resolved, as Go's `path.Join` does, never above the root.
fn push_joined(base: &str, own: &str, target: &mut String) -> Result<(), &'static str> {
    for segment in base.split('/').chain(own.split('/')) {
        match segment {
            "" | "." => {}
            ".." => target.truncate(target.rfind('/').unwrap_or(0)),
            _ => {
                target.push('/');
                push_url(segment, UrlPart::Path, target)?;
            }
        }
    }
    let author = if own.is_empty() { base } else { own };
    if author.ends_with('/') || target.is_empty() {
        target.push('/');
    }
    Ok(())
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(base: &str, url: &str) -> Result<String, &'static str> {
        let mut out = String::new();
        let origin = build_target(base, url, TargetStyle::default(), &mut out)?;
        Ok(format!("{}:{} {out}", origin.host, origin.port))
    }

    #[test]
    fn every_row_of_the_table() {
        for (base, url, want) in [
            ("http://h", "/get", "/get"),
            ("http://h/x", "a/b", "/x/a/b"),
            ("http://h/x/", "/a/", "/x/a/"),
            ("http://h/abc?x=6", "/get?a=1", "/abc/get?a=1"),
            ("", "http://h/a?", "/a?"),
            ("http://h", "/a/../b", "/b"),
            ("http://h/x", "../b", "/b"),
            ("http://h", "/中 文", "/%E4%B8%AD%20%E6%96%87"),
        ] {
            assert_eq!(target(base, url), Ok(format!("h:80 {want}")), "{base} + {url}");
        }
    }

    #[test]
    fn every_row_of_the_table_as_hrp_sends_it() {
        for (base, url, has_params, want) in [
            ("http://h", "/get", false, "/get/"),
            ("http://h/x", "a/b", false, "/x/a/b/"),
            ("http://h/x/", "/a/", false, "/x/a/"),
            ("http://h/abc?x=6", "/get?a=1", false, "/abc/get?a=1"),
            ("", "http://h/a?", false, "/a/?"),
            ("http://h", "/a/../b", false, "/b/"),
            ("http://h/x", "../b", false, "/b/"),
            ("http://h", "/中 文", false, "/%E4%B8%AD%20%E6%96%87/"),
            // What the rules above the table say.
            ("http://h", "/a.json", false, "/a.json/"),
            ("http://h", "/a#f", false, "/a/"),
            ("", "http://h/a//", false, "/a/"),
            ("http://h", "/get/", true, "/get"),
            ("", "http://h/get/", true, "/get/"),
            ("http://h", "/get/?a=1", false, "/get?a=1"),
            ("http://h", "/a%2Fb", false, "/a/b/"),
            ("http://h", "/a%2Fb?x=1", false, "/a%2Fb?x=1"),
            ("http://h", "post/", false, "/post/"),
            ("http://h", "", false, "/"),
            ("", "http://h", true, "/"),
            ("http://h", "/a!b", false, "/a%21b/"),
            ("http://h", "/a!b?x=1", false, "/a!b?x=1"),
        ] {
            let mut out = String::new();
            let style = TargetStyle { style: UrlStyle::Hrp436, has_params, schemes: Schemes::Http };
            build_target(base, url, style, &mut out).unwrap();
            assert_eq!(out, want, "{base} + {url}");
        }
        let style = TargetStyle { style: UrlStyle::Hrp436, ..TargetStyle::default() };
        for url in ["/%zz", "/a\rb", "/%", "/%ff"] {
            assert!(build_target("http://h", url, style, &mut String::new()).is_err(), "{url}");
        }
    }

    #[test]
    fn relative_urls_always_get_their_slash() {
        assert_eq!(target("http://h", "post/"), Ok("h:80 /post/".into()));
        assert_eq!(target("http://h", ""), Ok("h:80 /".into()));
        assert_eq!(target("http://h/x/", "?a=1"), Ok("h:80 /x/?a=1".into()));
        assert_eq!(target("http://h/x", "../../.."), Ok("h:80 /".into()));
    }

    #[test]
    fn a_url_with_a_host_stands_alone_and_uncleaned() {
        assert_eq!(target("http://base/x", "http://h:8080/a//b/../c?x=1#f"), Ok("h:8080 /a//b/../c?x=1".into()));
        assert_eq!(target("", "http://h"), Ok("h:80 /".into()));
        assert_eq!(target("", "http://h?x=1"), Ok("h:80 /?x=1".into()));
        assert_eq!(target("http://h", "/go?to=http://other/"), Ok("h:80 /go?to=http://other/".into()));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (base, url) in [
            ("", "/get"),
            ("", "//h/a"),
            ("h:80", "/a"),
            ("nohost", "/a"),
            ("http://h", "/%zz"),
            ("http://h", "localhost:80/x"),
            ("", "ftp://h/"),
        ] {
            assert!(target(base, url).is_err(), "{base} + {url}");
        }
    }

    #[test]
    fn websocket_urls_have_schemes_of_their_own() {
        let origin = |base: &str, url: &str, schemes| {
            let style = TargetStyle { schemes, ..TargetStyle::default() };
            let mut out = String::new();
            let origin = build_target(base, url, style, &mut out).map(|origin| (origin.https, origin.port));
            origin.map(|(https, port)| format!("{https} {port} {out}"))
        };
        for (base, url, want) in [
            ("", "ws://h/a", "false 80 /a"),
            ("", "WSS://h/a?b=1", "true 443 /a?b=1"),
            ("ws://h:81/x", "a", "false 81 /x/a"),
            ("http://h", "/", "false 80 /"),
            ("https://h", "", "true 443 /"),
        ] {
            assert_eq!(origin(base, url, Schemes::WebSocket), Ok(want.into()), "{base} + {url}");
        }
        assert!(origin("", "ftp://h", Schemes::WebSocket).is_err());
        assert!(origin("ws://h", "/a", Schemes::Http).is_err());
    }

    #[test]
    fn separators_of_the_query() {
        for (before, after) in [("/a", "/a?"), ("/a?", "/a?"), ("/a?x=1", "/a?x=1&")] {
            let mut target = before.to_string();
            push_query_separator(&mut target);
            assert_eq!(target, after);
        }
    }
}
