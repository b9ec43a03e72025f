//! Properties: the result never depends on how the bytes were split, and valid messages are read as they were written.

#[allow(dead_code)]
mod check;

use check::{cut, read_requests, read_response, read_response_on, Setup};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, Index};
use pummel_http::{encode_request, EncodeOptions};

/// How a generated response is framed.
#[derive(Clone, Debug)]
enum Framing {
    Length,
    /// Sizes of the chunks, used over and over; extension; trailers.
    Chunked(Vec<usize>, &'static str, &'static str),
    Close,
}

/// A response with all that can be told of it beforehand.
#[derive(Clone, Debug)]
struct Made {
    bytes: Vec<u8>,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    keep_alive: bool,
    interim: u32,
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    // All names begin with X-Z, so none that means something to the framing can come up.
    vec(("X-Z[A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..6)
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        Just(Framing::Length),
        (
            vec(1_usize..40, 1..5),
            select(vec!["", ";a", ";a=b", " ; a=\"b;c\""]),
            select(vec!["", "T: v\r\n", "Content-Length: 7\r\nX:\r\n"])
        )
            .prop_map(|(sizes, extension, trailers)| Framing::Chunked(sizes, extension, trailers)),
        Just(Framing::Close),
    ]
}

prop_compose! {
    fn made()(
        status in select(vec![200_u16, 201, 404, 500, 599]),
        reason in "[ -~]{0,12}",
        headers in headers(),
        framing in framing(),
        body in vec(any::<u8>(), 0..300),
        connection in select(vec!["", "keep-alive", "close", "x, Close"]),
        interim in 0_u32..3,
    ) -> Made {
        let mut bytes = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n".repeat(interim as usize);
        bytes.extend(format!("HTTP/1.1 {status} {reason}\r\n").bytes());
        let mut lines = headers;
        match &framing {
            Framing::Length => lines.push(("content-length".into(), body.len().to_string())),
            Framing::Chunked(..) => lines.push(("Transfer-Encoding".into(), "chunked".into())),
            Framing::Close => {}
        }
        if !connection.is_empty() {
            lines.push(("Connection".into(), connection.into()));
        }
        for (name, value) in &lines {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        match &framing {
            Framing::Length | Framing::Close => bytes.extend(&body),
            Framing::Chunked(sizes, extension, trailers) => {
                for chunk in cut(&body, sizes) {
                    bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(format!("0{extension}\r\n{trailers}\r\n").bytes());
            }
        }
        let closing = connection.to_ascii_lowercase().contains("close") || matches!(framing, Framing::Close);
        Made { bytes, status, headers: lines, body, keep_alive: !closing, interim }
    }
}

/// A small change to bytes.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

fn change() -> impl Strategy<Value = Change> {
    // Bytes that mean something to a parser are drawn as often as all others together.
    let byte = || prop_oneof![any::<u8>(), select(b"\r\n\0 \t:;,0123af".to_vec())];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Truncate),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Replace(at, byte) => *at.get_mut(bytes) = *byte,
        Change::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Change::Remove(at) => {
            bytes.remove(at.index(bytes.len()));
        }
        Change::Truncate(at) => bytes.truncate(at.index(bytes.len())),
    }
}

/// What [`encode_request`] makes of the parts.
fn encoded(target: &str, headers: &[(String, String)], body: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    encode_request(&mut out, "POST", target, "h:1", headers, body, EncodeOptions::default()).unwrap();
    out
}

proptest! {
    #[test]
    fn valid_responses_are_read_as_they_were_written(made in made(), sizes in vec(1_usize..60, 1..8)) {
        let (response, taken) = read_response(Setup::from_byte(b'6'), cut(&made.bytes, &sizes)).unwrap();
        prop_assert_eq!(taken, made.bytes.len());
        prop_assert_eq!(response.status, made.status);
        prop_assert_eq!(response.keep_alive, made.keep_alive);
        prop_assert_eq!(response.interim_responses, made.interim);
        prop_assert_eq!(response.body_bytes, made.body.len() as u64);
        let headers: Vec<_> = response
            .headers()
            .map(|(name, value)| (name.to_owned(), String::from_utf8(value.to_vec()).unwrap()))
            .collect();
        prop_assert_eq!(headers, made.headers);
        prop_assert_eq!(response.body, made.body);
    }

    #[test]
    fn a_surplus_never_counts(made in made(), sizes in vec(1_usize..60, 1..8)) {
        prop_assume!(made.keep_alive);
        let setup = Setup::from_byte(b'6');
        let twice = [made.bytes.as_slice(), &made.bytes].concat();
        prop_assert_eq!(
            read_response(setup, cut(&twice, &sizes)),
            read_response(setup, std::iter::once(made.bytes.as_slice()))
        );
    }

    #[test]
    fn changed_responses_end_the_same_however_split(
        made in made(),
        changes in vec(change(), 1..4),
        setup in b'0'..b'@',
        sizes in vec(1_usize..60, 1..8),
    ) {
        let mut bytes = made.bytes;
        for change in &changes {
            apply(&mut bytes, change);
        }
        let setup_bits = Setup::from_byte(setup);
        prop_assert_eq!(
            read_response(setup_bits, std::iter::once(bytes.as_slice())),
            read_response(setup_bits, cut(&bytes, &sizes))
        );
        bytes.insert(0, setup);
        check::response(&bytes);
    }

    #[test]
    fn what_a_parser_read_before_changes_nothing(
        made in made(),
        changes in vec(change(), 0..3),
        setup in b'0'..b'@',
        sizes in vec(1_usize..400, 1..4),
    ) {
        let setup = Setup::from_byte(setup);
        let mut changed = made.bytes.clone();
        for change in &changes {
            apply(&mut changed, change);
        }
        let mut parser = pummel_http::ResponseParser::new(setup.limits);
        let _ = read_response_on(&mut parser, setup, std::iter::once(made.bytes.as_slice()));
        for _ in 0..2 {
            prop_assert_eq!(
                read_response_on(&mut parser, setup, cut(&changed, &sizes)),
                read_response(setup, cut(&changed, &sizes))
            );
        }
    }

    #[test]
    fn requests_are_read_as_they_were_encoded(
        target in "/[!-~]{0,30}",
        headers in headers(),
        body in proptest::option::of(vec(any::<u8>(), 0..200)),
        sizes in vec(1_usize..60, 1..8),
    ) {
        let one = encoded(&target, &headers, body.as_deref());
        let twice = one.repeat(2);
        let (requests, end) = read_requests(Setup::from_byte(b'4'), cut(&twice, &sizes));
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(requests.len(), 2);
        for request in requests {
            prop_assert_eq!(request.method, "POST");
            prop_assert_eq!(&request.target, &target);
            prop_assert_eq!(request.body, body.clone().unwrap_or_default());
            prop_assert_eq!(&request.headers[0], &("Host".to_owned(), b"h:1".to_vec()));
            // Host and Content-Length stand before the headers given.
            let rest: Vec<_> = request.headers[2..]
                .iter()
                .map(|(name, value)| (name.clone(), String::from_utf8(value.clone()).unwrap()))
                .collect();
            prop_assert_eq!(&rest, &headers);
        }
    }

    #[test]
    fn whatever_is_encoded_is_one_request(
        method in "[A-Z \r\n\0]{0,6}",
        target in "[/a \r\n\0\u{e4}]{0,6}",
        host in "[a.: \r\n\0]{0,6}",
        name in "[A-Za-z: \r\n\0]{0,6}",
        value in "[a: \r\n\0\t\u{e4}]{0,8}",
        user_agent in "[a \r\n]{0,4}",
        body in proptest::option::of("[a \r\n]{0,8}"),
        close in any::<bool>(),
    ) {
        let mut out = Vec::new();
        let body = body.as_deref().map(str::as_bytes);
        let headers = [(name.as_str(), value.as_str())];
        let options = EncodeOptions { close, user_agent: &user_agent, ..EncodeOptions::default() };
        if encode_request(&mut out, &method, &target, &host, headers.into_iter(), body, options).is_err() {
            prop_assert!(out.is_empty());
        } else {
            let (requests, end) = read_requests(Setup::from_byte(b'4'), std::iter::once(out.as_slice()));
            prop_assert_eq!(end, Ok(()));
            prop_assert_eq!(requests.len(), 1);
            prop_assert_eq!(&requests[0].method, &method);
            prop_assert_eq!(&requests[0].target, &target);
            prop_assert_eq!(&requests[0].body, body.unwrap_or_default());
            if close {
                prop_assert!(!requests[0].keep_alive);
            }
        }
    }

    #[test]
    fn changed_requests_end_the_same_however_split(
        headers in headers(),
        body in proptest::option::of(vec(any::<u8>(), 0..60)),
        changes in vec(change(), 1..4),
        setup in b'0'..b'@',
        sizes in vec(1_usize..60, 1..8),
    ) {
        let mut bytes = encoded("/x", &headers, body.as_deref()).repeat(2);
        for change in &changes {
            apply(&mut bytes, change);
        }
        let setup_bits = Setup::from_byte(setup);
        prop_assert_eq!(
            read_requests(setup_bits, std::iter::once(bytes.as_slice())),
            read_requests(setup_bits, cut(&bytes, &sizes))
        );
        bytes.insert(0, setup);
        check::request(&bytes);
    }

    #[test]
    fn arbitrary_bytes_break_nothing(
        setup in any::<u8>(),
        prefix in select(vec![&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let data = [&[setup], prefix, &bytes].concat();
        check::response(&data);
        check::request(&data);
    }
}
