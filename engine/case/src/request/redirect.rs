//! A request that a server has sent elsewhere (RFC 9110 section 15.4, with the rules of Go's client, which hrp uses).

use std::{borrow::Cow, sync::Arc};

use url::{Position, Url};

use super::{
    auth::{set_userinfo, AUTHORIZATION},
    Origin, RenderedRequest,
};
use crate::{value::Sink, StepError};

/// Header fields that say something of a body, and go when it goes (the fetch standard, "request-body-header name").
const BODY_HEADERS: [&str; 4] = ["Content-Encoding", "Content-Language", "Content-Location", "Content-Type"];

/// Header fields that hold secrets for one domain.
const SECRET_HEADERS: [&str; 4] = ["Authorization", "Cookie", "Cookie2", "Www-Authenticate"];

/// What later redirects have to know of the first request.
#[derive(Debug, Clone)]
pub(crate) struct Redirected {
    /// Where the first request went: its secrets go there and to what lies below.
    first_host: Arc<str>,
    /// The case itself gave a `Referer`, which then stays.
    has_own_referer: bool,
}

impl RenderedRequest {
    /// Turns the request into the one a redirect asks for, and gives its method; none where the answer is no redirect to
    /// follow: another status, or an empty `location`.
    ///
    /// `location` is the field's value, resolved against the present URL (RFC 3986 section 5.2). 301, 302 and 303 make any method
    /// but `HEAD` a `GET` and drop the body; 307 and 308 keep both. `Referer` is added as Go adds it; `Authorization`, `Cookie` and
    /// `Www-Authenticate` go to the first request's host and its sub-domains only. A `Host` of the case stays where the location
    /// has no host of its own. A user in the location is sent as Basic credentials where no others are left.
    ///
    /// # Errors
    /// The location is no URL that a request can go to. The request is then unchanged.
    pub fn redirect(&mut self, status: u16, location: &[u8], method: &str) -> Result<Option<Arc<str>>, StepError> {
        let keeps_body = match status {
            301..=303 => false,
            307 | 308 => true,
            _ => return Ok(None),
        };
        if location.is_empty() {
            return Ok(None);
        }
        let error = |reason| StepError::request("redirect", reason);
        let location = as_text(location);
        let from = Url::parse(&format!("{}{}", self.origin, self.target))
            .map_err(|_| error("the present URL cannot be resolved against"))?;
        let to = from.join(&location).map_err(|_| error("the Location is not a valid URL"))?;
        let origin = self.redirect_origin(&to).map_err(error)?;

        let has_own_host =
            to.host_str() != from.host_str() || to.port_or_known_default() != from.port_or_known_default();
        let state = self.redirected.take().unwrap_or_else(|| Redirected {
            first_host: self.origin.host.clone(),
            has_own_referer: self.header("Referer").is_some(),
        });
        if !keeps_body {
            if self.has_body {
                self.remove_headers(&BODY_HEADERS);
            }
            self.body.clear();
            self.files.clear();
            self.has_body = false;
        }
        if has_own_host || Url::parse(&location).is_ok() {
            self.remove_headers(&["Host"]);
        }
        if !is_domain_or_below(&origin.host, &state.first_host) {
            self.remove_headers(&SECRET_HEADERS);
            self.digest = None;
        }
        if !state.has_own_referer {
            self.remove_headers(&["Referer"]);
            if !self.origin.https || origin.https {
                self.insert_header("Referer", &from[..Position::AfterQuery]);
            }
        }
        if let (Some(userinfo), None) = (userinfo(&to), self.header(AUTHORIZATION)) {
            set_userinfo(&userinfo, self);
            self.digest = None;
        }
        self.redirected = Some(state);
        self.origin = origin;
        self.target.clear();
        self.target.push_str(&to[Position::BeforePath..Position::AfterQuery]);
        Ok(Some(Arc::from(if keeps_body || method == "HEAD" { method } else { "GET" })))
    }

    /// The origin of a URL; the present one where they are the same.
    fn redirect_origin(&self, url: &Url) -> Result<Origin, &'static str> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err("the Location's scheme is not http or https"),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the Location has no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().filter(|port| *port > 0).ok_or("the Location has no valid port")?;
        if *self.origin.host == *host && self.origin.port == port && self.origin.https == https {
            return Ok(self.origin.clone());
        }
        Ok(Origin { https, host: Arc::from(host), port })
    }

    fn remove_headers(&mut self, names: &[&str]) {
        let head = &self.head;
        self.headers.retain(|span| !names.contains(&&head[span.name.start as usize..span.name.end as usize]));
    }
}

/// User and password of a URL, percent-encoded.
fn userinfo(url: &Url) -> Option<String> {
    let password = url.password();
    let has = !url.username().is_empty() || password.is_some();
    has.then(|| format!("{}:{}", url.username(), password.unwrap_or_default()))
}

/// The field as text: servers send UTF-8 in it, though they should not; any other byte is percent-encoded.
fn as_text(location: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(location) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(location.len() + 16);
    for &byte in location {
        if byte.is_ascii() {
            text.push(byte as char);
        } else {
            text.push_fmt(format_args!("%{byte:02X}"));
        }
    }
    Cow::Owned(text)
}

/// Go's rule for secrets: `foo.com` and `a.foo.com` belong to `foo.com`; addresses have nothing below them.
fn is_domain_or_below(host: &str, domain: &str) -> bool {
    host == domain
        || (!host.contains(':') && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, target: &str) -> RenderedRequest {
        let mut request = RenderedRequest {
            origin: Origin { https: false, host: host.into(), port: 80 },
            target: target.into(),
            body: b"b".to_vec(),
            has_body: true,
            ..RenderedRequest::default()
        };
        for (name, value) in
            [("Authorization", "s"), ("Content-Type", "t"), ("Cookie", "c"), ("Host", "h"), ("X-A", "x")]
        {
            request.push_header(name, value);
        }
        request
    }

    fn names(request: &RenderedRequest) -> Vec<&str> {
        request.headers().map(|(name, _)| name).collect()
    }

    #[test]
    fn statuses_decide_method_and_body() {
        for (status, method, want, body) in [
            (301, "POST", "GET", false),
            (302, "PUT", "GET", false),
            (303, "GET", "GET", false),
            (303, "HEAD", "HEAD", false),
            (307, "POST", "POST", true),
            (308, "DELETE", "DELETE", true),
        ] {
            let mut request = request("h", "/a");
            assert_eq!(request.redirect(status, b"/b", method).unwrap().as_deref(), Some(want), "{status} {method}");
            assert_eq!(request.body().is_some(), body, "{status} {method}");
            assert_eq!(request.header("Content-Type").is_some(), body, "{status} {method}");
        }
        for status in [200, 300, 304, 305, 306, 309, 400] {
            assert_eq!(request("h", "/a").redirect(status, b"/b", "GET").unwrap(), None, "{status}");
        }
        assert_eq!(request("h", "/a").redirect(302, b"", "GET").unwrap(), None);
    }

    #[test]
    fn locations_resolve_against_the_present_url() {
        for (location, want) in [
            ("/b?x=1#f", "http://h:80 /b?x=1"),
            ("c", "http://h:80 /a/c"),
            ("../c", "http://h:80 /c"),
            ("?y=2", "http://h:80 /a/b?y=2"),
            ("//other/p", "http://other:80 /p"),
            ("http://other:81", "http://other:81 /"),
            ("http://[::1]:81/x", "http://[::1]:81 /x"),
            ("https://h/s", "https://h:443 /s"),
            ("https://[::1]/s", "https://[::1]:443 /s"),
            ("/中 文", "http://h:80 /%E4%B8%AD%20%E6%96%87"),
        ] {
            let mut request = request("h", "/a/b?q=1");
            assert!(request.redirect(302, location.as_bytes(), "GET").unwrap().is_some());
            assert_eq!(format!("{} {}", request.origin(), request.target()), want, "{location}");
            assert_eq!(request.header("Referer"), Some("http://h/a/b?q=1"));
        }
        let mut request = request("h", "/a");
        request.redirect(302, b"/\xff", "GET").unwrap();
        assert_eq!(request.target(), "/%FF");
    }

    #[test]
    fn secrets_stay_in_their_domain() {
        let hop = |from: &str, to: &str| {
            let mut request = request(from, "/");
            request.redirect(307, to.as_bytes(), "GET").unwrap();
            request.header("Authorization").is_some() && request.header("Cookie").is_some()
        };
        assert!(hop("foo.com", "http://foo.com:81/"));
        assert!(hop("foo.com", "http://a.foo.com/"));
        assert!(!hop("a.foo.com", "http://foo.com/"));
        assert!(!hop("foo.com", "http://barfoo.com/"));
        assert!(!hop("127.0.0.1", "http://127.0.0.2/"));
        // Back to where they came from, through a sub-domain: still known.
        let mut request = request("foo.com", "/");
        request.redirect(307, b"http://a.foo.com/", "GET").unwrap();
        request.redirect(307, b"http://foo.com/", "GET").unwrap();
        assert_eq!(names(&request), ["Authorization", "Content-Type", "Cookie", "Referer", "X-A"]);
        assert_eq!(request.header("Referer"), Some("http://a.foo.com/"));
        // Once dropped they do not come back.
        request.redirect(307, b"http://bar.com/", "GET").unwrap();
        request.redirect(307, b"http://foo.com/", "GET").unwrap();
        assert_eq!(names(&request), ["Content-Type", "Referer", "X-A"]);
    }

    #[test]
    fn a_location_may_say_who_asks_where_nobody_else_does() {
        let authorization = |from: &str| {
            let mut request = request(from, "/");
            request.set_digest("u", "p");
            request.redirect(302, b"http://Aladdin:open%20sesame@h/", "GET").unwrap();
            (request.header("Authorization").map(str::to_owned), request.digest().is_some())
        };
        assert_eq!(authorization("h"), (Some("s".into()), true));
        assert_eq!(authorization("other"), (Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into()), false));
    }

    #[test]
    fn a_host_of_the_case_stays_for_relative_locations() {
        let mut relative = request("h", "/");
        relative.redirect(302, b"/b", "GET").unwrap();
        assert_eq!(relative.header("Host"), Some("h"));
        let mut absolute = request("h", "/");
        absolute.redirect(302, b"http://h/b", "GET").unwrap();
        assert_eq!(absolute.header("Host"), None);
    }

    #[test]
    fn a_referer_of_the_case_stays() {
        let mut request = request("h", "/");
        request.insert_header("Referer", "mine");
        request.redirect(302, b"/b", "GET").unwrap();
        request.redirect(302, b"/c", "GET").unwrap();
        assert_eq!(request.header("Referer"), Some("mine"));
    }

    #[test]
    fn places_no_request_can_go_to_are_errors() {
        for location in ["ftp://h/", "http://", "http://h:0/", "http://a b/", "mailto:x"] {
            let mut request = request("h", "/a");
            let error = request.redirect(302, location.as_bytes(), "GET").unwrap_err();
            assert!(error.message.starts_with("redirect: "), "{location}");
            assert_eq!((request.target(), request.body()), ("/a", Some(&b"b"[..])), "{location}");
        }
    }
}
