//! One test for each way a response can be framed, or can try to be framed.

use pummel_http::ProtocolError as E;
use pummel_http::{
    Keep, Limits, Progress, ProtocolError, Response, ResponseParser, HEADERS_MAX, HEAD_BYTES_DEFAULT,
    INTERIM_RESPONSES_MAX,
};

/// Feeds one slice to a fresh parser that keeps everything.
fn feed(bytes: impl AsRef<[u8]>) -> (Result<Progress, ProtocolError>, Response) {
    feed_with(false, Limits::default(), bytes.as_ref())
}

fn feed_with(head_request: bool, limits: Limits, bytes: &[u8]) -> (Result<Progress, ProtocolError>, Response) {
    let mut parser = ResponseParser::new(limits);
    let mut response = Response::default();
    parser.begin(head_request, Keep::ALL);
    (parser.feed(bytes, &mut response), response)
}

/// A response that must be complete within the slice, and the surplus after it.
fn complete(bytes: &[u8]) -> (Response, &[u8]) {
    match feed(bytes) {
        (Ok(Progress::Complete { consumed }), response) => (response, &bytes[consumed..]),
        (other, _) => panic!("{other:?} for {}", bytes.escape_ascii()),
    }
}

fn error(bytes: impl AsRef<[u8]>) -> ProtocolError {
    feed(bytes).0.unwrap_err()
}

/// A response whose body the close of the connection ends.
fn until_close(bytes: &[u8]) -> Response {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(bytes, &mut response), Ok(Progress::NeedMore));
    assert_eq!(parser.end_of_stream(&mut response), Ok(Progress::Complete { consumed: 0 }));
    response
}

fn with_headers(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n")
}

#[test]
fn content_length_in_one_piece() {
    let (response, surplus) = complete(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello");
    assert_eq!(surplus, b"");
    assert_eq!((response.status, response.version.as_str(), response.keep_alive), (200, "HTTP/1.1", true));
    assert_eq!((response.head_bytes, response.body_bytes, response.wire_bytes), (44, 5, 49));
    assert_eq!(response.body, b"hello");
    assert_eq!(response.header("x"), Some(&b"y"[..]));
}

#[test]
fn content_length_zero() {
    let (response, surplus) = complete(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((response.body_bytes, response.keep_alive, surplus), (0, true, &b""[..]));
}

#[test]
fn surplus_is_left_and_refused() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n";
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(bytes, &mut response), Ok(Progress::Complete { consumed: 39 }));
    assert_eq!((response.status, response.wire_bytes), (200, 39));
    assert_eq!(parser.feed(&bytes[39..], &mut response), Err(E::UnexpectedBytes));
    assert_eq!(response.status, 200);
}

#[test]
fn bytes_before_begin_are_refused() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    assert_eq!(parser.feed(b"", &mut response), Ok(Progress::NeedMore));
    assert_eq!(parser.feed(b"HTTP/1.1 200 OK\r\n\r\n", &mut response), Err(E::UnexpectedBytes));
}

#[test]
fn an_error_stays_until_begin() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"SSH-2.0-x\r\n", &mut response), Err(E::NotHttp));
    assert_eq!(parser.feed(b"HTTP/1.1 204 No\r\n\r\n", &mut response), Err(E::NotHttp));
    assert_eq!(parser.end_of_stream(&mut response), Err(E::NotHttp));
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"HTTP/1.1 204 No\r\n\r\n", &mut response), Ok(Progress::Complete { consumed: 19 }));
}

#[test]
fn begin_drops_a_half_read_response() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"HTTP/1.1 500 Oops\r\nX: y", &mut response), Ok(Progress::NeedMore));
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"HTTP/1.1 204 No\r\n\r\n", &mut response), Ok(Progress::Complete { consumed: 19 }));
    assert_eq!((response.status, response.wire_bytes, response.headers().count()), (204, 19, 0));
}

#[test]
fn equal_content_lengths_are_one() {
    for headers in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2, 2"] {
        let bytes = with_headers(headers) + "ab";
        assert_eq!(complete(bytes.as_bytes()).0.body, b"ab");
    }
}

#[test]
fn different_content_lengths_are_an_error() {
    assert_eq!(error(with_headers("Content-Length: 2\r\nContent-Length: 3")), E::ConflictingContentLength);
    assert_eq!(error(with_headers("Content-Length: 2, 3")), E::ConflictingContentLength);
}

#[test]
fn content_length_that_is_no_number() {
    for value in ["", "-1", "+1", "1a", "0x1", "1 1", "1;", "18446744073709551616", "two"] {
        assert_eq!(error(with_headers(&format!("Content-Length: {value}"))), E::BadContentLength, "{value}");
    }
}

#[test]
fn length_and_chunked_together_are_an_error() {
    let smuggled = with_headers("Content-Length: 4\r\nTransfer-Encoding: chunked") + "0\r\n\r\n";
    assert_eq!(error(smuggled), E::LengthAndTransferEncoding);
    assert_eq!(error(with_headers("Transfer-Encoding: gzip\r\nContent-Length: 4")), E::LengthAndTransferEncoding);
}

#[test]
fn chunked() {
    let bytes = with_headers("Transfer-Encoding: chunked") + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\nZ";
    let (response, surplus) = complete(bytes.as_bytes());
    assert_eq!(response.body, b"abcde");
    assert_eq!(surplus, b"Z");
    // Head 47; chunks 8 and 11, the last with its trailer 11.
    assert_eq!((response.head_bytes, response.body_bytes, response.wire_bytes), (47, 5, 77));
    assert!(response.keep_alive);
    assert_eq!(response.header("T"), None);
}

#[test]
fn chunked_after_another_coding_is_delimited_by_its_chunks() {
    let bytes = with_headers("Transfer-Encoding: gzip, chunked") + "1\r\na\r\n0\r\n\r\n";
    assert_eq!(complete(bytes.as_bytes()).0.body, b"a");
}

#[test]
fn another_coding_last_is_delimited_by_close() {
    for coding in ["gzip", "identity", "chunked, gzip", "xchunked"] {
        let bytes = with_headers(&format!("Transfer-Encoding: {coding}")) + "1\r\na\r\n0\r\n\r\n";
        let response = until_close(bytes.as_bytes());
        assert_eq!((response.body_bytes, response.keep_alive), (11, false), "{coding}");
    }
}

#[test]
fn transfer_encoding_that_cannot_be_trusted() {
    for coding in ["chunked, chunked", "chunked;a", "", "chunked,", "\tchunked x"] {
        assert_eq!(error(with_headers(&format!("Transfer-Encoding: {coding}"))), E::BadTransferEncoding, "{coding}");
    }
}

#[test]
fn transfer_encoding_in_http10_is_an_error() {
    assert_eq!(error("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), E::TransferEncodingInHttp10);
}

#[test]
fn chunk_errors_are_told_apart() {
    let chunked = |body: &str| error(with_headers("Transfer-Encoding: chunked") + body);
    assert_eq!(chunked("x\r\n"), E::BadChunkSize);
    assert_eq!(chunked("1\na"), E::BadChunkSize);
    assert_eq!(chunked("11111111111111111\r\n"), E::ChunkSizeOverflow);
    assert_eq!(chunked(&("1;".to_owned() + &"x".repeat(5000))), E::ChunkLineTooLong);
    assert_eq!(chunked("1\r\nab\r\n"), E::BadChunkEnd);
    assert_eq!(chunked("0\r\n x: y\r\n"), E::BadTrailer);
    assert_eq!(chunked(&("0\r\n".to_owned() + &"a: b\r\n".repeat(10_000))), E::TrailersTooLarge);
}

#[test]
fn close_delimited() {
    let response = until_close(b"HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_eq!(response.body, b"all of it");
    assert!(!response.keep_alive);
    assert_eq!(until_close(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").body_bytes, 0);
}

#[test]
fn closed_early_says_whether_anything_had_come() {
    let closed = |bytes: &[u8]| {
        let mut parser = ResponseParser::default();
        let mut response = Response::default();
        parser.begin(false, Keep::ALL);
        assert_eq!(parser.feed(bytes, &mut response), Ok(Progress::NeedMore));
        parser.end_of_stream(&mut response)
    };
    assert_eq!(closed(b""), Err(E::ClosedEarly { got_any: false }));
    assert_eq!(closed(b"H"), Err(E::ClosedEarly { got_any: true }));
    assert_eq!(closed(b"HTTP/1.1 100 Continue\r\n\r\n"), Err(E::ClosedEarly { got_any: true }));
    assert_eq!(closed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), Err(E::ClosedEarly { got_any: true }));
    let chunked = with_headers("Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n";
    assert_eq!(closed(chunked.as_bytes()), Err(E::ClosedEarly { got_any: true }));
}

#[test]
fn a_close_before_any_byte_clears_the_response() {
    let (_, mut response) = feed("HTTP/1.1 204 None\r\n\r\n");
    assert_eq!(response.status, 204);
    let mut parser = ResponseParser::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.end_of_stream(&mut response), Err(E::ClosedEarly { got_any: false }));
    assert_eq!(response.status, 0);
}

#[test]
fn a_close_while_idle_is_told_as_such() {
    let mut parser = ResponseParser::default();
    assert_eq!(parser.end_of_stream(&mut Response::default()), Err(E::ClosedEarly { got_any: false }));
}

#[test]
fn interim_responses_are_skipped_and_counted() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let (response, _) = complete(bytes);
    assert_eq!((response.status, response.interim_responses), (200, 2));
    assert_eq!((response.head_bytes, response.body_bytes), (25 + 37 + 38, 1));
    // Only the final head is kept.
    assert_eq!(response.header("Link"), None);
}

#[test]
fn interim_responses_have_no_body_whatever_they_say() {
    let bytes = b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 None\r\n\r\n";
    assert_eq!(complete(bytes).0.status, 204);
}

#[test]
fn interim_responses_are_bounded() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let last = "HTTP/1.1 204 None\r\n\r\n";
    let most = interim.repeat(INTERIM_RESPONSES_MAX as usize) + last;
    assert_eq!(complete(most.as_bytes()).0.status, 204);
    assert_eq!(error(interim.repeat(INTERIM_RESPONSES_MAX as usize + 1)), E::TooManyInterimResponses);
}

#[test]
fn switching_protocols_completes() {
    let (response, surplus) = complete(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x00");
    assert_eq!((response.status, response.keep_alive), (101, false));
    assert_eq!(surplus, b"\x81\x00");
}

#[test]
fn head_requests_get_no_body() {
    for headers in ["Content-Length: 9", "Transfer-Encoding: chunked", "X: y"] {
        let bytes = with_headers(headers);
        let (progress, response) = feed_with(true, Limits::default(), bytes.as_bytes());
        assert_eq!(progress, Ok(Progress::Complete { consumed: bytes.len() }));
        assert_eq!((response.body_bytes, response.keep_alive), (0, true));
    }
}

#[test]
fn statuses_without_a_body() {
    for status in [204, 304] {
        let bytes = format!("HTTP/1.1 {status} x\r\nContent-Length: 9\r\n\r\n");
        let (response, _) = complete(bytes.as_bytes());
        assert_eq!((response.status, response.wire_bytes, response.keep_alive), (status, bytes.len() as u64, true));
    }
}

#[test]
fn connection_close_and_keep_alive() {
    let keep_alive = |head: &str| complete(format!("{head}\r\nContent-Length: 0\r\n\r\n").as_bytes()).0.keep_alive;
    assert!(keep_alive("HTTP/1.1 200 OK"));
    assert!(keep_alive("HTTP/1.1 200 OK\r\nConnection: x, keep-alive"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\nconnection: Close"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\nConnection: a,\tclose , b"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close"));
    assert!(!keep_alive("HTTP/1.0 200 OK"));
    assert!(keep_alive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive"));
    assert!(keep_alive("HTTP/1.1 200 OK\r\nConnection: closed"));
}

#[test]
fn what_is_not_http_is_told_at_the_first_byte() {
    assert_eq!(error("\x15\x03\x01"), E::NotHttp);
    assert_eq!(error("<html>"), E::NotHttp);
    assert_eq!(error("\r\nHTTP/1.1 200 OK\r\n\r\n"), E::NotHttp);
    assert_eq!(error("ICY 200 OK\r\n\r\n"), E::NotHttp);
    assert_eq!(error("h"), E::NotHttp);
    assert_eq!(error("HTTQ"), E::NotHttp);
}

#[test]
fn versions_other_than_1_0_and_1_1() {
    for bytes in ["HTTP/2", "HTTP/1x", "HTTP/1.2", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.\r", "HTTP/0.9 200 OK\r\n\r\n"] {
        assert_eq!(error(bytes), E::UnsupportedVersion, "{bytes}");
    }
}

#[test]
fn a_wrong_prefix_is_told_across_pieces() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"HT", &mut response), Ok(Progress::NeedMore));
    assert_eq!(parser.feed(b"ML", &mut response), Err(E::NotHttp));
}

#[test]
fn status_lines_that_are_none() {
    for line in [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 099 Low",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 200 O\0K",
    ] {
        assert_eq!(error(format!("{line}\r\n\r\n")), E::BadStatusLine, "{line}");
    }
    assert_eq!(error("HTTP/1.1\t200 OK\r\n\r\n"), E::UnsupportedVersion);
}

#[test]
fn reason_phrases_may_be_anything_or_missing() {
    for line in ["HTTP/1.1 204", "HTTP/1.1 204 ", "HTTP/1.1 204 N\u{f6} \t thing"] {
        assert_eq!(complete(format!("{line}\r\n\r\n").as_bytes()).0.status, 204, "{line}");
    }
}

#[test]
fn bare_line_feeds_are_an_error() {
    for bytes in [
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
        "HTTP/1.1 200 OK\n\n",
    ] {
        assert_eq!(error(bytes), E::BadLineEnd, "{bytes:?}");
    }
}

#[test]
fn bare_carriage_returns_are_an_error() {
    assert_eq!(error("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n"), E::BadHeader);
    assert_eq!(error("HTTP/1.1 200 OK\r\n\rX"), E::BadLineEnd);
    assert_eq!(error("HTTP/1.1 200 OK\rX"), E::BadStatusLine);
}

#[test]
fn white_space_tricks_in_headers() {
    assert_eq!(error(with_headers("Content-Length : 0")), E::BadHeader);
    assert_eq!(error(with_headers(" Content-Length: 0")), E::BadHeader);
    assert_eq!(error(with_headers("Content Length: 0")), E::BadHeader);
    assert_eq!(error(with_headers("Content-Length\t: 0")), E::BadHeader);
    assert_eq!(error(with_headers(": 0")), E::BadHeader);
    assert_eq!(error(with_headers("no colon")), E::BadHeader);
    assert_eq!(error(with_headers("X: a\0b")), E::BadHeader);
    let padded = with_headers("Content-Length: \t 1 \t") + "a";
    assert_eq!(complete(padded.as_bytes()).0.body, b"a");
}

#[test]
fn folded_headers_are_an_error() {
    assert_eq!(error(with_headers("X: a\r\n b")), E::BadHeader);
    assert_eq!(error(with_headers("X:\r\n\tb")), E::BadHeader);
}

#[test]
fn headers_are_bounded_in_number() {
    let head = |count| format!("HTTP/1.1 204 None\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert_eq!(complete(head(HEADERS_MAX).as_bytes()).0.headers().count(), HEADERS_MAX);
    assert_eq!(error(head(HEADERS_MAX + 1)), E::TooManyHeaders);
    let four = Limits { headers: 4, ..Limits::default() };
    assert!(feed_with(false, four, head(4).as_bytes()).0.is_ok());
    assert_eq!(feed_with(false, four, head(5).as_bytes()).0, Err(E::TooManyHeaders));
}

#[test]
fn heads_are_bounded_in_size() {
    let prefix = "HTTP/1.1 204 None\r\nX: ";
    let fits = |limit: usize| format!("{prefix}{}\r\n\r\n", "y".repeat(limit - prefix.len() - 4));
    assert_eq!(complete(fits(HEAD_BYTES_DEFAULT).as_bytes()).0.head_bytes, HEAD_BYTES_DEFAULT as u64);
    assert_eq!(error(fits(HEAD_BYTES_DEFAULT + 1)), E::HeadTooLarge);
}

#[test]
fn a_head_of_one_mebibyte_in_small_pieces_is_too_large() {
    let head = with_headers(&format!("X: {}", "y".repeat(1024 * 1024)));
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    let failed = head.as_bytes().chunks(100).find_map(|piece| parser.feed(piece, &mut response).err());
    assert_eq!(failed, Some(E::HeadTooLarge));
}

#[test]
fn an_endless_row_of_short_lines_is_too_large() {
    let mut parser = ResponseParser::new(Limits { head_bytes: 1000, ..Limits::default() });
    let mut response = Response::default();
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(b"HTTP/1.1 200 OK\r\n", &mut response), Ok(Progress::NeedMore));
    let failed = (0..1000).find_map(|_| parser.feed(b"a: b\r\n", &mut response).err());
    assert_eq!(failed, Some(E::HeadTooLarge));
}

#[test]
fn kept_bodies_are_bounded_and_counted_ones_are_not() {
    let limits = Limits { kept_body_bytes: 4, ..Limits::default() };
    let bodies = [
        with_headers("Content-Length: 5") + "abcde",
        with_headers("Transfer-Encoding: chunked") + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        with_headers("X: y") + "abcde",
    ];
    for bytes in &bodies {
        let (result, response) = feed_with(false, limits, bytes.as_bytes());
        assert_eq!(result, Err(E::BodyTooLarge));
        assert!(response.body_truncated && response.body.len() <= 4);

        let mut parser = ResponseParser::new(limits);
        let mut response = Response::default();
        parser.begin(false, Keep::NOTHING);
        parser.feed(bytes.as_bytes(), &mut response).unwrap();
        assert_eq!((response.body_bytes, response.body.len(), response.body_truncated), (5, 0, false));
    }
    let exact = with_headers("Content-Length: 4") + "abcd";
    assert!(feed_with(false, limits, exact.as_bytes()).0.is_ok());
}

#[test]
fn a_declared_length_is_not_allocated_on_trust() {
    let (progress, response) = feed(with_headers("Content-Length: 60000000"));
    assert_eq!(progress, Ok(Progress::NeedMore));
    assert!(response.body.capacity() < 1024 * 1024);
}

#[test]
fn nothing_is_kept_unless_asked() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin(false, Keep::NOTHING);
    let bytes = with_headers("Content-Length: 5") + "hello";
    parser.feed(bytes.as_bytes(), &mut response).unwrap();
    assert_eq!((response.body.capacity(), response.raw_head().len(), response.body_bytes), (0, 0, 5));
}

#[test]
fn one_response_object_serves_many_responses() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    for round in 0..3_u16 {
        parser.begin(false, Keep::ALL);
        let bytes = format!("HTTP/1.1 20{round} OK\r\nContent-Length: 1\r\nN: {round}\r\n\r\n{round}");
        assert_eq!(parser.feed(bytes.as_bytes(), &mut response), Ok(Progress::Complete { consumed: bytes.len() }));
        assert_eq!(response.status, 200 + round);
        assert_eq!(response.body, round.to_string().as_bytes());
        assert_eq!(response.header("n"), Some(round.to_string().as_bytes()));
    }
}

#[test]
fn labels_are_words_and_texts_are_sentences_of_one_line() {
    for error in [E::NotHttp, E::BadLineEnd, E::ClosedEarly { got_any: true }, E::ClosedEarly { got_any: false }] {
        assert!(error.label().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        assert!(!error.to_string().contains('\n'));
    }
    assert_eq!(E::ClosedEarly { got_any: true }.to_string(), "the connection was closed in the middle of a message");
    assert!(E::ClosedEarly { got_any: false }.is_close() && !E::NotHttp.is_close());
}

/// Feeds a fresh parser that waits for the answer to a CONNECT.
fn feed_connect(bytes: &[u8]) -> (Result<Progress, ProtocolError>, Response) {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin_connect();
    (parser.feed(bytes, &mut response), response)
}

#[test]
fn a_tunnel_begins_behind_the_head_whatever_it_says() {
    for headers in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n"] {
        let head = format!("HTTP/1.1 200 Connection established\r\n{headers}\r\n");
        let (progress, response) = feed_connect(format!("{head}tunnel").as_bytes());
        assert_eq!(progress, Ok(Progress::Complete { consumed: head.len() }), "{headers}");
        assert_eq!((response.status, response.body_bytes), (200, 0));
    }
}

#[test]
fn a_refused_tunnel_has_a_body_like_any_response() {
    let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?";
    let (progress, response) = feed_connect(refused);
    assert_eq!(progress, Ok(Progress::Complete { consumed: refused.len() }));
    assert_eq!((response.status, response.body_bytes), (407, 4));
}

#[test]
fn only_the_answer_to_a_connect_has_no_body() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    parser.begin_connect();
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(parser.feed(ok, &mut response), Ok(Progress::Complete { consumed: ok.len() }));
    // The same head again, which is remembered.
    parser.begin(false, Keep::ALL);
    assert_eq!(parser.feed(ok, &mut response), Ok(Progress::NeedMore));
}

#[test]
fn what_a_server_says_of_idle_connections_is_told_of_every_head() {
    let mut parser = ResponseParser::default();
    let mut response = Response::default();
    let told = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5, max=7\r\n\r\n";
    for _ in 0..2 {
        parser.begin(false, Keep::NOTHING);
        parser.feed(told, &mut response).unwrap();
        let keep_alive = response.directives.keep_alive;
        assert_eq!((keep_alive.timeout_s, keep_alive.max), (Some(5), Some(7)));
    }
    parser.begin(false, Keep::NOTHING);
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &mut response).unwrap();
    assert_eq!(response.directives.keep_alive.timeout_s, None);
}
