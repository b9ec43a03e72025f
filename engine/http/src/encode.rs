//! Writing requests.

use thiserror::Error;

use crate::syntax::{is_field, is_target, is_token};

/// What [`encode_request`] adds by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncodeOptions<'a> {
    /// Adds `Connection: close` and drops the caller's `Connection`.
    pub close: bool,
    /// `User-Agent`, used unless the headers have one; none is sent if this is empty.
    pub user_agent: &'a str,
    /// Cookies as they stand in a `Cookie` field, `a=1; b=2`, sent behind those of the headers; none if this is empty.
    pub cookies: &'a [u8],
    /// The value of `Authorization`, used unless the headers have one; none is sent if this is empty.
    pub authorization: &'a str,
    /// `Accept-Encoding: gzip` as the last field, unless the headers have one or a `Range`, or the method is HEAD.
    pub accept_gzip: bool,
    /// How long the whole body is, where the one that is given is only its beginning and the caller sends the rest.
    pub body_bytes: Option<u64>,
    /// The request goes to a proxy, which forwards it.
    pub proxy: Option<ThroughProxy<'a>>,
}

/// What a request to a proxy has besides (RFC 9112 section 3.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThroughProxy<'a> {
    /// Scheme and authority of the server, `http://host:port`, which stand before the target.
    pub origin: &'a str,
    /// `Proxy-Authorization`, used unless the headers have one; none is sent if this is empty.
    pub authorization: &'a str,
}

/// Why a request cannot be written. Nothing was appended.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// Not a token (RFC 9110 section 9.1).
    #[error("the method is empty or has a character that methods cannot have; use letters")]
    BadMethod,
    /// Empty, or with a space, a control or a character outside ASCII (RFC 9112 section 3.2).
    #[error("the request target is empty or has a space, a control or a non-ASCII character; percent-encode it")]
    BadTarget,
    /// Empty, or with a space, a control or a character outside ASCII.
    #[error("the host is empty or has a space, a control or a non-ASCII character")]
    BadHost,
    /// [`EncodeOptions::user_agent`] has a line end or another control character.
    #[error("the user agent has a line end or another control character; remove it")]
    BadUserAgent,
    /// [`EncodeOptions::cookies`] has a line end or another control character.
    #[error("a cookie has a line end or another control character; remove or encode it")]
    BadCookies,
    /// [`EncodeOptions::authorization`] has a line end or another control character.
    #[error("the credentials have a line end or another control character; remove it")]
    BadAuthorization,
    /// [`ThroughProxy`] has a part with a space, a line end or another character it cannot have.
    #[error("what is said to the proxy has a character that it cannot have; check the proxy's URL")]
    BadProxy,
    /// Not a token (RFC 9110 section 5.1).
    #[error("header {index} has a name that is empty or has a character that header names cannot have")]
    BadHeaderName {
        /// Which of the caller's headers, counted from 0.
        index: usize,
    },
    /// With a line end or another control character (RFC 9110 section 5.5).
    #[error("header {index} has a line end or another control character in its value; remove or encode it")]
    BadHeaderValue {
        /// Which of the caller's headers, counted from 0.
        index: usize,
    },
}

/// Appends an HTTP/1.1 request to `out`, which is left as it was on an error.
///
/// Order on the wire: request line, `Host`, `User-Agent`, `Proxy-Authorization`, `Content-Length`, `Connection: close` if asked for, then the
/// headers in the order given (hrp spec 11.4; the caller sorts). Their `Host` and `User-Agent` take the place of `host`
/// and of the option, the first of each counting. The option's authorization stands before the first header whose name sorts
/// behind it, and `Accept-Encoding: gzip`, where it is asked for, behind all of them. The option's cookies stand in the caller's `Cookie`, behind what it holds, or
/// else in one of their own before the first header whose name sorts behind it. `Content-Length`, `Transfer-Encoding` and `Trailer` among them are
/// dropped: the length is always computed. It is sent with every body, and as 0 where POST, PUT or PATCH has none
/// (RFC 9110 section 8.6).
///
/// `headers` is walked twice, so it must be cheap to clone; an iterator over a slice is. Nothing is allocated while `out`
/// has room.
///
/// # Errors
/// [`EncodeError`] for any part that could end its line or break the request line, or that no recipient would accept.
pub fn encode_request<'a>(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    host: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    body: Option<&[u8]>,
    options: EncodeOptions<'_>,
) -> Result<(), EncodeError> {
    validate_method(method)?;
    validate_target(target)?;
    let mut host_header = None;
    let mut user_agent = None;
    let (mut authorization, mut accept_gzip) = (options.authorization, options.accept_gzip && method != "HEAD");
    let mut proxy = options.proxy.unwrap_or_default();
    for (index, (name, value)) in headers.clone().enumerate() {
        check_header(name, value, index)?;
        match own_header(name) {
            Some(OwnHeader::Host) => {
                validate_host(value)?;
                host_header = host_header.or(Some(value));
            }
            Some(OwnHeader::UserAgent) => user_agent = user_agent.or(Some(value)),
            Some(OwnHeader::Authorization) => authorization = "",
            Some(OwnHeader::Encoding) => accept_gzip = false,
            None if name.eq_ignore_ascii_case(PROXY_AUTHORIZATION) => proxy.authorization = "",
            _ => {}
        }
    }
    let host = match host_header {
        Some(host) => host,
        None => validate_host(host).map(|()| host)?,
    };
    let user_agent = match user_agent {
        Some(user_agent) => user_agent,
        None if options.user_agent.bytes().all(is_field) => options.user_agent,
        None => return Err(EncodeError::BadUserAgent),
    };

    if !options.cookies.iter().copied().all(is_field) {
        return Err(EncodeError::BadCookies);
    }
    if !authorization.bytes().all(is_field) {
        return Err(EncodeError::BadAuthorization);
    }
    if !proxy.origin.bytes().all(is_target) || !proxy.authorization.bytes().all(is_field) {
        return Err(EncodeError::BadProxy);
    }

    // From here on nothing fails.
    for part in [method, " ", proxy.origin, target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_header(out, "Host", host);
    if !user_agent.is_empty() {
        write_header(out, "User-Agent", user_agent);
    }
    if !proxy.authorization.is_empty() {
        write_header(out, PROXY_AUTHORIZATION, proxy.authorization);
    }
    match body {
        Some(body) => write_content_length(out, options.body_bytes.unwrap_or(body.len() as u64)),
        None if matches!(method, "POST" | "PUT" | "PATCH") => write_content_length(out, 0),
        None => {}
    }
    if options.close {
        write_header(out, "Connection", "close");
    }
    let mut cookies = options.cookies;
    let joins = !cookies.is_empty() && headers.clone().any(|(name, _)| is_cookie(name));
    for (name, value) in headers {
        if !authorization.is_empty() && name > AUTHORIZATION && passes_on(name) {
            write_header(out, AUTHORIZATION, std::mem::take(&mut authorization));
        }
        if !cookies.is_empty() {
            if joins && is_cookie(name) {
                write_cookies(out, value, std::mem::take(&mut cookies));
                continue;
            }
            if !joins && name > COOKIE && passes_on(name) {
                write_cookies(out, "", std::mem::take(&mut cookies));
            }
        }
        match own_header(name) {
            None | Some(OwnHeader::Authorization | OwnHeader::Encoding) => write_header(out, name, value),
            Some(OwnHeader::Connection) if !options.close => write_header(out, name, value),
            Some(_) => {}
        }
    }
    if !authorization.is_empty() {
        write_header(out, AUTHORIZATION, authorization);
    }
    if !cookies.is_empty() {
        write_cookies(out, "", cookies);
    }
    if accept_gzip {
        write_header(out, "Accept-Encoding", "gzip");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.unwrap_or_default());
    Ok(())
}

/// Whether this can be a method: a token, of any case.
///
/// # Errors
/// [`EncodeError::BadMethod`].
pub fn validate_method(method: &str) -> Result<(), EncodeError> {
    if !method.is_empty() && method.bytes().all(is_token) {
        Ok(())
    } else {
        Err(EncodeError::BadMethod)
    }
}

/// Whether this can stand in the request line as the target. What it names is not looked at.
///
/// # Errors
/// [`EncodeError::BadTarget`].
pub fn validate_target(target: &str) -> Result<(), EncodeError> {
    if !target.is_empty() && target.bytes().all(is_target) {
        Ok(())
    } else {
        Err(EncodeError::BadTarget)
    }
}

/// Whether this can be the value of `Host`: visible ASCII.
///
/// # Errors
/// [`EncodeError::BadHost`].
pub fn validate_host(host: &str) -> Result<(), EncodeError> {
    if !host.is_empty() && host.bytes().all(is_target) {
        Ok(())
    } else {
        Err(EncodeError::BadHost)
    }
}

/// Whether this can be a header. The index in the error is 0.
///
/// # Errors
/// [`EncodeError::BadHeaderName`] and [`EncodeError::BadHeaderValue`].
pub fn validate_header(name: &str, value: &str) -> Result<(), EncodeError> {
    check_header(name, value, 0)
}

fn check_header(name: &str, value: &str, index: usize) -> Result<(), EncodeError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        Err(EncodeError::BadHeaderName { index })
    } else if !value.bytes().all(is_field) {
        Err(EncodeError::BadHeaderValue { index })
    } else {
        Ok(())
    }
}

const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

const COOKIE: &str = "Cookie";
const AUTHORIZATION: &str = "Authorization";

fn is_cookie(name: &str) -> bool {
    name.len() == COOKIE.len() && name.eq_ignore_ascii_case(COOKIE)
}

/// A `Cookie` field: the request's own, then others (RFC 6265 section 5.4: one field for all).
fn write_cookies(out: &mut Vec<u8>, own: &str, others: &[u8]) {
    let own = own.trim_matches([' ', '\t', ';']);
    let between = if own.is_empty() { "" } else { "; " };
    for part in [COOKIE.as_bytes(), b": ", own.as_bytes(), between.as_bytes(), others, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Headers that are not passed on as they come.
enum OwnHeader {
    Host,
    UserAgent,
    Connection,
    /// In the place of the option's.
    Authorization,
    /// The caller says itself which bytes it wants, and how.
    Encoding,
    /// What delimits the body is ours to say.
    Framing,
}

fn own_header(name: &str) -> Option<OwnHeader> {
    match name.len() {
        4 if name.eq_ignore_ascii_case("host") => Some(OwnHeader::Host),
        5 if name.eq_ignore_ascii_case("range") => Some(OwnHeader::Encoding),
        13 if name.eq_ignore_ascii_case("authorization") => Some(OwnHeader::Authorization),
        15 if name.eq_ignore_ascii_case("accept-encoding") => Some(OwnHeader::Encoding),
        7 if name.eq_ignore_ascii_case("trailer") => Some(OwnHeader::Framing),
        10 if name.eq_ignore_ascii_case("user-agent") => Some(OwnHeader::UserAgent),
        10 if name.eq_ignore_ascii_case("connection") => Some(OwnHeader::Connection),
        14 if name.eq_ignore_ascii_case("content-length") => Some(OwnHeader::Framing),
        17 if name.eq_ignore_ascii_case("transfer-encoding") => Some(OwnHeader::Framing),
        _ => None,
    }
}

/// Whether a header is written where it stands.
fn passes_on(name: &str) -> bool {
    matches!(own_header(name), None | Some(OwnHeader::Authorization | OwnHeader::Encoding))
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Digits by hand: the formatting machinery costs more than the rest of a request line.
fn write_content_length(out: &mut Vec<u8>, length: u64) {
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut left = length;
    loop {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(&digits[first..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: EncodeOptions<'_> = EncodeOptions {
        close: false,
        user_agent: "pummel/1",
        cookies: b"",
        authorization: "",
        accept_gzip: false,
        body_bytes: None,
        proxy: None,
    };

    fn encode(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
        options: EncodeOptions<'_>,
    ) -> Result<String, EncodeError> {
        let mut out = b"before|".to_vec();
        let result =
            encode_request(&mut out, method, target, "example.com:8080", headers.iter().copied(), body, options);
        let text = String::from_utf8(out).unwrap();
        let text = text.strip_prefix("before|").unwrap().to_owned();
        match result {
            Ok(()) => Ok(text),
            Err(error) => {
                assert_eq!(text, "", "an error leaves nothing behind");
                Err(error)
            }
        }
    }

    #[test]
    fn get_has_no_length() {
        assert_eq!(
            encode("GET", "/a?b=c", &[("Accept", "*/*")], None, OPTIONS).unwrap(),
            "GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: pummel/1\r\nAccept: */*\r\n\r\n"
        );
    }

    #[test]
    fn wire_order_with_everything() {
        let headers = [("X-B", "2"), ("X-A", "1"), ("user-agent", "mine"), ("HOST", "other")];
        assert_eq!(
            encode("POST", "/", &headers, Some(b"{}"), EncodeOptions { close: true, ..OPTIONS }).unwrap(),
            "POST / HTTP/1.1\r\nHost: other\r\nUser-Agent: mine\r\nContent-Length: 2\r\nConnection: close\r\n\
             X-B: 2\r\nX-A: 1\r\n\r\n{}"
        );
    }

    #[test]
    fn cookies_join_the_requests_own_or_stand_at_their_sorted_place() {
        let jar = EncodeOptions { cookies: b"a=1; b=2", ..EncodeOptions::default() };
        let with = |headers: &[(&str, &str)]| {
            let text = encode("GET", "/", headers, None, jar).unwrap();
            text.strip_prefix("GET / HTTP/1.1\r\nHost: example.com:8080\r\n").unwrap().to_owned()
        };
        assert_eq!(with(&[]), "Cookie: a=1; b=2\r\n\r\n");
        assert_eq!(with(&[("Accept", "x")]), "Accept: x\r\nCookie: a=1; b=2\r\n\r\n");
        assert_eq!(
            with(&[("Accept", "x"), ("Date", "y"), ("X-A", "z")]),
            "Accept: x\r\nCookie: a=1; b=2\r\nDate: y\r\nX-A: z\r\n\r\n"
        );
        assert_eq!(
            with(&[("Accept", "x"), ("cookie", "own=0"), ("X-A", "z")]),
            "Accept: x\r\nCookie: own=0; a=1; b=2\r\nX-A: z\r\n\r\n"
        );
        assert_eq!(with(&[("X-A", "z"), ("Cookie", "own=0; ")]), "X-A: z\r\nCookie: own=0; a=1; b=2\r\n\r\n");
        assert_eq!(with(&[("Cookie", "")]), "Cookie: a=1; b=2\r\n\r\n");
    }

    #[test]
    fn gzip_is_asked_for_last_unless_the_caller_says_how_it_wants_the_body() {
        let asking = EncodeOptions { accept_gzip: true, cookies: b"a=1", ..EncodeOptions::default() };
        let with = |method: &str, headers: &[(&str, &str)]| encode(method, "/", headers, None, asking).unwrap();
        assert!(with("GET", &[("X-A", "z")]).ends_with("\r\nX-A: z\r\nAccept-Encoding: gzip\r\n\r\n"));
        assert!(with("GET", &[]).ends_with("\r\nCookie: a=1\r\nAccept-Encoding: gzip\r\n\r\n"));
        assert!(!with("HEAD", &[]).contains("gzip"));
        assert!(with("GET", &[("Accept-Encoding", "br")]).ends_with("\r\nAccept-Encoding: br\r\nCookie: a=1\r\n\r\n"));
        let ranged = with("GET", &[("Range", "bytes=0-1")]);
        assert!(ranged.contains("\r\nRange: bytes=0-1\r\n") && !ranged.contains("gzip"));
    }

    #[test]
    fn an_authorization_stands_at_its_sorted_place_unless_there_is_one() {
        let options = EncodeOptions { authorization: "Bearer t", ..EncodeOptions::default() };
        let with = |headers: &[(&str, &str)]| {
            let text = encode("GET", "/", headers, None, options).unwrap();
            text.strip_prefix("GET / HTTP/1.1\r\nHost: example.com:8080\r\n").unwrap().to_owned()
        };
        assert_eq!(with(&[]), "Authorization: Bearer t\r\n\r\n");
        assert_eq!(with(&[("A", "1"), ("X", "2")]), "A: 1\r\nAuthorization: Bearer t\r\nX: 2\r\n\r\n");
        assert_eq!(with(&[("authorization", "own")]), "authorization: own\r\n\r\n");
        let bad = EncodeOptions { authorization: "a\r\nB: c", ..EncodeOptions::default() };
        assert_eq!(encode("GET", "/", &[], None, bad), Err(EncodeError::BadAuthorization));
    }

    #[test]
    fn a_body_may_be_only_the_beginning() {
        let options = EncodeOptions { body_bytes: Some(5_000_000_000), ..EncodeOptions::default() };
        let text = encode("POST", "/", &[], Some(b"--x"), options).unwrap();
        assert!(text.ends_with("\r\nContent-Length: 5000000000\r\n\r\n--x"), "{text}");
    }

    #[test]
    fn methods_that_carry_a_body_say_zero() {
        for method in ["POST", "PUT", "PATCH"] {
            assert!(encode(method, "/", &[], None, OPTIONS).unwrap().contains("\r\nContent-Length: 0\r\n"));
        }
        for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
            assert!(!encode(method, "/", &[], None, OPTIONS).unwrap().contains("Content-Length"));
        }
        assert!(encode("GET", "/", &[], Some(b""), OPTIONS).unwrap().contains("\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn framing_headers_of_the_caller_are_dropped() {
        let headers = [("content-length", "99"), ("Transfer-Encoding", "chunked"), ("Trailer", "X"), ("X", "y")];
        assert_eq!(
            encode("POST", "/", &headers, Some(b"abc"), EncodeOptions::default()).unwrap(),
            "POST / HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length: 3\r\nX: y\r\n\r\nabc"
        );
    }

    #[test]
    fn only_one_host_user_agent_and_connection() {
        let headers =
            [("Host", "a"), ("host", "b"), ("User-Agent", "c"), ("user-agent", "d"), ("Connection", "keep-alive")];
        let kept = encode("GET", "/", &headers, None, OPTIONS).unwrap();
        assert_eq!(kept, "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: c\r\nConnection: keep-alive\r\n\r\n");
        let closed = encode("GET", "/", &headers, None, EncodeOptions { close: true, ..OPTIONS }).unwrap();
        assert_eq!(closed, "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: c\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn nothing_can_end_its_line() {
        for bad in ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x7fb", "\r\n"] {
            assert_eq!(encode(bad, "/", &[], None, OPTIONS), Err(EncodeError::BadMethod));
            assert_eq!(encode("GET", bad, &[], None, OPTIONS), Err(EncodeError::BadTarget));
            let name = [("ok", "ok"), (bad, "v")];
            assert_eq!(encode("GET", "/", &name, None, OPTIONS), Err(EncodeError::BadHeaderName { index: 1 }));
            let value = [("n", bad)];
            assert_eq!(encode("GET", "/", &value, None, OPTIONS), Err(EncodeError::BadHeaderValue { index: 0 }));
            let agent = EncodeOptions { user_agent: bad, ..OPTIONS };
            assert_eq!(encode("GET", "/", &[], None, agent), Err(EncodeError::BadUserAgent));
            let cookies = EncodeOptions { cookies: bad.as_bytes(), ..OPTIONS };
            assert_eq!(encode("GET", "/", &[], None, cookies), Err(EncodeError::BadCookies));
            let mut out = Vec::new();
            let none = std::iter::empty();
            assert_eq!(encode_request(&mut out, "GET", "/", bad, none, None, OPTIONS), Err(EncodeError::BadHost));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn dropped_headers_are_checked_too() {
        let headers = [("Content-Length", "1\r\nX: y")];
        assert_eq!(encode("GET", "/", &headers, None, OPTIONS), Err(EncodeError::BadHeaderValue { index: 0 }));
    }

    #[test]
    fn a_proxy_is_told_the_whole_url_and_who_asks() {
        let proxy = ThroughProxy { origin: "http://h:81", authorization: "Basic YTpi" };
        let options = EncodeOptions { proxy: Some(proxy), ..OPTIONS };
        assert_eq!(
            encode("GET", "/a", &[("A", "b")], None, options).unwrap(),
            "GET http://h:81/a HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: pummel/1\r\n\
             Proxy-Authorization: Basic YTpi\r\nA: b\r\n\r\n"
        );
        let own = encode("GET", "/a", &[("proxy-authorization", "own")], None, options).unwrap();
        assert!(own.contains("proxy-authorization: own\r\n") && !own.contains("YTpi"), "{own}");
        for proxy in [
            ThroughProxy { origin: "http://h ", authorization: "" },
            ThroughProxy { origin: "", authorization: "a\r\nb" },
        ] {
            let options = EncodeOptions { proxy: Some(proxy), ..OPTIONS };
            assert_eq!(encode("GET", "/", &[], None, options), Err(EncodeError::BadProxy));
        }
    }

    #[test]
    fn parts_that_break_the_request_line() {
        assert_eq!(validate_method("GE T"), Err(EncodeError::BadMethod));
        assert_eq!(validate_method(""), Err(EncodeError::BadMethod));
        assert_eq!(validate_method("PURGE"), Ok(()));
        assert_eq!(validate_target("/a b"), Err(EncodeError::BadTarget));
        assert_eq!(validate_target(""), Err(EncodeError::BadTarget));
        assert_eq!(validate_target("/\u{e4}"), Err(EncodeError::BadTarget));
        assert_eq!(validate_host("a b"), Err(EncodeError::BadHost));
        assert_eq!(validate_host("[::1]:80"), Ok(()));
        assert_eq!(validate_header("X Y", ""), Err(EncodeError::BadHeaderName { index: 0 }));
        assert_eq!(validate_header("X-Y", "\u{e4}\t "), Ok(()));
    }

    #[test]
    fn lengths_are_written_in_full() {
        for length in [0, 9, 10, 12345, u64::MAX] {
            let mut out = Vec::new();
            write_content_length(&mut out, length);
            assert_eq!(String::from_utf8(out).unwrap(), format!("Content-Length: {length}\r\n"));
        }
    }

    #[test]
    fn room_in_the_buffer_is_used() {
        let mut out = Vec::with_capacity(1024);
        let start = out.as_ptr();
        encode_request(&mut out, "GET", "/", "h", [("A", "b")].into_iter(), None, OPTIONS).unwrap();
        assert_eq!(out.as_ptr(), start);
    }
}
