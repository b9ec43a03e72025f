//! One test for each way a request can be framed, or can try to be framed.

use pummel_http::ProtocolError as E;
use pummel_http::{Limits, ProtocolError, Request, RequestParser, RequestProgress};

fn parser() -> RequestParser {
    RequestParser::new(Limits::default(), true)
}

/// Hands the one request that must be complete within the slice to `look`, and returns the surplus.
fn complete(bytes: &[u8], look: impl FnOnce(&Request<'_>)) -> &[u8] {
    match parser().feed(bytes) {
        Ok(RequestProgress::Complete { request, consumed }) => {
            look(&request);
            &bytes[consumed..]
        }
        other => panic!("{other:?} for {}", bytes.escape_ascii()),
    }
}

fn error(bytes: &str) -> ProtocolError {
    parser().feed(bytes.as_bytes()).unwrap_err()
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n")
}

fn needs_more(parser: &mut RequestParser, bytes: &[u8]) -> bool {
    match parser.feed(bytes) {
        Ok(RequestProgress::NeedMore { send_continue }) => send_continue,
        other => panic!("{other:?} for {}", bytes.escape_ascii()),
    }
}

#[test]
fn a_get_in_place() {
    let bytes = b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Y: z\r\n\r\n";
    let surplus = complete(bytes, |request| {
        assert_eq!((request.method, request.target, request.version_minor), ("GET", "/a?b=c", 1));
        assert!(request.keep_alive && !request.expect_continue);
        assert_eq!(request.header("x-y"), Some(&b"z"[..]));
        assert_eq!(request.headers().count(), 2);
        assert_eq!((request.body, request.body_bytes), (&b""[..], 0));
        assert!(bytes.as_ptr_range().contains(&request.method.as_ptr()), "nothing is copied");
    });
    assert_eq!(surplus, b"");
}

#[test]
fn a_body_in_place() {
    let bytes = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET";
    let surplus = complete(bytes, |request| {
        assert_eq!((request.body, request.body_bytes), (&b"abc"[..], 3));
        assert!(bytes.as_ptr_range().contains(&request.body.as_ptr()), "nothing is copied");
    });
    assert_eq!(surplus, b"GET");
}

#[test]
fn a_chunked_body() {
    let bytes = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\nX";
    let surplus = complete(bytes, |request| assert_eq!((request.body, request.body_bytes), (&b"abc"[..], 3)));
    assert_eq!(surplus, b"X");
}

#[test]
fn a_request_in_pieces() {
    let mut parser = parser();
    for piece in ["PO", "ST /x HT", "TP/1.1\r\nHost: h\r\nContent-Length: 4\r", "\n\r", "\nab"] {
        assert!(!needs_more(&mut parser, piece.as_bytes()));
    }
    match parser.feed(b"cdGET").unwrap() {
        RequestProgress::Complete { request, consumed } => {
            assert_eq!((request.method, request.target, request.body, consumed), ("POST", "/x", &b"abcd"[..], 2));
            assert_eq!(request.header("HOST"), Some(&b"h"[..]));
        }
        RequestProgress::NeedMore { .. } => panic!("complete"),
    }
}

#[test]
fn pipelined_requests_come_one_by_one() {
    let bytes = b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\naGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3";
    let mut parser = parser();
    let mut targets = Vec::new();
    let mut rest = &bytes[..];
    while let RequestProgress::Complete { request, consumed } = parser.feed(rest).unwrap() {
        targets.push((request.target.to_owned(), request.body_bytes));
        rest = &rest[consumed..];
    }
    assert_eq!(targets, [("/1".to_owned(), 1), ("/2".to_owned(), 0)]);
    assert_eq!(rest, b"GET /3");
}

#[test]
fn bodies_that_are_not_kept_are_counted() {
    let mut parser = RequestParser::new(Limits { kept_body_bytes: 0, ..Limits::default() }, false);
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
    assert!(!needs_more(&mut parser, &[&head[..], b"a"].concat()));
    match parser.feed(b"bc").unwrap() {
        RequestProgress::Complete { request, .. } => assert_eq!((request.body, request.body_bytes), (&b""[..], 3)),
        RequestProgress::NeedMore { .. } => panic!("complete"),
    }
}

#[test]
fn kept_bodies_are_bounded() {
    let limits = Limits { kept_body_bytes: 4, ..Limits::default() };
    let head = "POST / HTTP/1.1\r\nHost: h\r\n";
    let bodies = ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"];
    for body in bodies {
        let bytes = format!("{head}{body}");
        assert_eq!(RequestParser::new(limits, true).feed(bytes.as_bytes()).err(), Some(E::BodyTooLarge));
        assert!(RequestParser::new(limits, false).feed(bytes.as_bytes()).is_ok());
    }
}

#[test]
fn expect_continue_is_said_once_and_only_before_the_body() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    let mut waiting = parser();
    assert!(needs_more(&mut waiting, head));
    assert!(!needs_more(&mut waiting, b""));
    assert!(!needs_more(&mut waiting, b"a"));
    assert!(!needs_more(&mut parser(), &[&head[..], b"a"].concat()));
    complete(&[&head[..], b"ab"].concat(), |request| assert!(request.expect_continue));
    // HTTP/1.0 has no interim responses.
    let old = b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    assert!(!needs_more(&mut parser(), old));
}

#[test]
fn length_and_chunked_together_are_an_error() {
    assert_eq!(error(&get("Content-Length: 4\r\nTransfer-Encoding: chunked")), E::LengthAndTransferEncoding);
}

#[test]
fn codings_other_than_chunked_alone_cannot_be_read() {
    for coding in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity"] {
        assert_eq!(error(&get(&format!("Transfer-Encoding: {coding}"))), E::BadTransferEncoding, "{coding}");
    }
    assert_eq!(error("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), E::TransferEncodingInHttp10);
}

#[test]
fn lengths_that_lie() {
    assert_eq!(error(&get("Content-Length: x")), E::BadContentLength);
    assert_eq!(error(&get("Content-Length: 1\r\nContent-Length: 2")), E::ConflictingContentLength);
}

#[test]
fn one_host_in_http11() {
    assert_eq!(error("GET / HTTP/1.1\r\n\r\n"), E::BadHost);
    assert_eq!(error(&get("host: b")), E::BadHost);
    complete(b"GET / HTTP/1.0\r\n\r\n", |request| assert!(!request.keep_alive));
}

#[test]
fn keep_alive_follows_version_and_connection() {
    let keep_alive = |bytes: &str| {
        let mut answer = false;
        complete(bytes.as_bytes(), |request| answer = request.keep_alive);
        answer
    };
    assert!(keep_alive(&get("A: b")));
    assert!(!keep_alive(&get("Connection: close")));
    assert!(keep_alive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

#[test]
fn request_lines_that_are_none() {
    for bytes in [
        " GET / HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "\x16\x03\x01",
        "\n",
        "GET /a\tb HTTP/1.1\r\n",
    ] {
        assert_eq!(error(bytes), E::BadRequestLine, "{bytes:?}");
    }
    assert_eq!(error("GET / HTTP/2.0\r\n"), E::UnsupportedVersion);
    assert_eq!(error("GET / HTTP/1.1 \r\n"), E::BadLineEnd);
}

#[test]
fn one_empty_line_before_a_request_is_forgiven() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(complete(bytes, |request| assert_eq!(request.method, "GET")), b"");
    assert_eq!(error("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), E::BadRequestLine);
    assert_eq!(error("\rGET"), E::BadRequestLine);
}

#[test]
fn line_ends_and_white_space_tricks() {
    assert_eq!(error("GET / HTTP/1.1\nHost: a\r\n\r\n"), E::BadLineEnd);
    assert_eq!(error("GET / HTTP/1.1\r\nHost: a\r\n\n"), E::BadLineEnd);
    assert_eq!(error(&get("Content-Length : 1")), E::BadHeader);
    assert_eq!(error(&get("A: b\r\n folded")), E::BadHeader);
}

#[test]
fn heads_are_bounded() {
    let long = get(&format!("X: {}", "y".repeat(1024 * 1024)));
    assert_eq!(error(&long), E::HeadTooLarge);
    let mut parser = parser();
    assert_eq!(long.as_bytes().chunks(1000).find_map(|piece| parser.feed(piece).err()), Some(E::HeadTooLarge));
    assert_eq!(error(&get(&"a: b\r\n".repeat(300))), E::TooManyHeaders);
}

#[test]
fn a_close_is_in_order_between_requests_only() {
    let closed = |bytes: &str| {
        let mut parser = parser();
        let _ = parser.feed(bytes.as_bytes());
        parser.end_of_stream()
    };
    let cut_off = Err(E::ClosedEarly { got_any: true });
    assert_eq!(closed(""), Ok(()));
    assert_eq!(closed(&get("A: b")), Ok(()));
    assert_eq!(closed("\r"), cut_off);
    assert_eq!(closed("GE"), cut_off);
    assert_eq!(closed(&get("Content-Length: 1")), cut_off);
    assert_eq!(closed("(\r\n"), Err(E::BadRequestLine));
}

#[test]
fn an_error_stays() {
    let mut parser = parser();
    assert_eq!(parser.feed(b"(").err(), Some(E::BadRequestLine));
    assert_eq!(parser.feed(get("A: b").as_bytes()).err(), Some(E::BadRequestLine));
    assert_eq!(parser.feed(b"").err(), Some(E::BadRequestLine));
}
