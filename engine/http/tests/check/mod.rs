//! What must hold for any bytes whatever, shared by the property tests, the corpus replay and the fuzz targets.

pub(crate) mod cookies;
pub(crate) mod decode;
pub(crate) mod digest;
pub(crate) mod mask;

use pummel_http::{
    Keep, Limits, ProtocolError, RequestParser, RequestProgress, Response, ResponseParser, BODY_START_BYTES,
};

/// How the parsers are set up for a run, taken from the first byte of an input. Digits are the first eight setups, so a
/// corpus file can be written by hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The request was HEAD.
    pub(crate) head_request: bool,
    /// What a response keeps; a request keeps its body by the same flag.
    pub(crate) keep: Keep,
    /// Default or tiny.
    pub(crate) limits: Limits,
}

impl Setup {
    /// Bit 0: HEAD, bit 1: keep the head, bit 2: keep the body, bit 3: tiny limits, bit 4: keep heads with directives,
    /// bit 5: keep the start of a body.
    pub(crate) fn from_byte(byte: u8) -> Self {
        let tiny = Limits { head_bytes: 96, kept_body_bytes: 16, headers: 4 };
        Self {
            head_request: byte & 1 != 0,
            keep: Keep {
                head: byte & 2 != 0,
                body: byte & 4 != 0,
                directives: byte & 16 != 0,
                body_start: byte & 32 != 0,
            },
            limits: if byte & 8 != 0 { tiny } else { Limits::default() },
        }
    }
}

/// A complete response and how many bytes it took.
pub(crate) type ResponseOutcome = Result<(Response, usize), ProtocolError>;

/// Reads one response from pieces that end with the close of the connection.
pub(crate) fn read_response<'a>(setup: Setup, pieces: impl Iterator<Item = &'a [u8]>) -> ResponseOutcome {
    read_response_on(&mut ResponseParser::new(setup.limits), setup, pieces)
}

/// The same on a parser that may have read others before.
pub(crate) fn read_response_on<'a>(
    parser: &mut ResponseParser,
    setup: Setup,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> ResponseOutcome {
    let mut response = Response::default();
    parser.begin(setup.head_request, setup.keep);
    let mut taken = 0;
    for piece in pieces {
        match parser.feed(piece, &mut response) {
            Ok(pummel_http::Progress::NeedMore) => taken += piece.len(),
            Ok(pummel_http::Progress::Complete { consumed }) => {
                assert!(consumed <= piece.len());
                taken += consumed;
                assert_eq!(parser.feed(b"x", &mut response), Err(ProtocolError::UnexpectedBytes));
                return Ok((response, taken));
            }
            Err(error) => {
                assert_eq!(parser.feed(b"HTTP/1.1 200 OK\r\n\r\n", &mut response), Err(error), "errors stay");
                assert_eq!(parser.end_of_stream(&mut response), Err(error), "errors stay");
                return Err(error);
            }
        }
    }
    parser.end_of_stream(&mut response).map(|progress| {
        assert_eq!(progress, pummel_http::Progress::Complete { consumed: 0 });
        assert!(!response.keep_alive, "a body that the close ends leaves no connection");
        (response, taken)
    })
}

/// One request, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) struct OwnedRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version_minor: u8,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_bytes: u64,
    /// Where in the stream it ended.
    pub(crate) end: usize,
}

/// The requests of a connection, and how it ended.
pub(crate) type RequestOutcome = (Vec<OwnedRequest>, Result<(), ProtocolError>);

/// Reads all requests from pieces that end with the close of the connection.
pub(crate) fn read_requests<'a>(setup: Setup, pieces: impl Iterator<Item = &'a [u8]>) -> RequestOutcome {
    let mut parser = RequestParser::new(setup.limits, setup.keep.body);
    let mut requests = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            match parser.feed(rest) {
                Ok(RequestProgress::NeedMore { .. }) => {
                    taken += rest.len();
                    break;
                }
                Ok(RequestProgress::Complete { request, consumed }) => {
                    assert!(0 < consumed && consumed <= rest.len());
                    taken += consumed;
                    requests.push(OwnedRequest {
                        method: request.method.to_owned(),
                        target: request.target.to_owned(),
                        version_minor: request.version_minor,
                        keep_alive: request.keep_alive,
                        expect_continue: request.expect_continue,
                        headers: request.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
                        body: request.body.to_vec(),
                        body_bytes: request.body_bytes,
                        end: taken,
                    });
                    rest = &rest[consumed..];
                }
                Err(error) => {
                    assert_eq!(parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").err(), Some(error), "errors stay");
                    assert_eq!(parser.end_of_stream(), Err(error), "errors stay");
                    return (requests, Err(error));
                }
            }
        }
    }
    let end = parser.end_of_stream();
    (requests, end)
}

/// Cuts bytes into pieces of the sizes given, over and over; a size of 0 counts as 1.
pub(crate) fn cut<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        rest = after;
        Some(piece)
    })
}

/// Piece sizes that differ from input to input, for inputs that bring none of their own.
fn sizes_of(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().rev().take(7).map(|byte| usize::from(byte % 23) + 1).collect()
}

/// Checks one input for the response parser: setup byte, then what the server sends until it closes.
///
/// # Panics
/// Where the parser breaks a promise.
pub(crate) fn response(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let setup = Setup::from_byte(first);
    let whole = read_response(setup, std::iter::once(bytes));
    assert_eq!(whole, read_response(setup, cut(bytes, &[1])), "byte by byte");
    assert_eq!(whole, read_response(setup, cut(bytes, &sizes_of(bytes))), "in pieces");
    let Ok((response, taken)) = whole else { return };

    assert!(taken <= bytes.len());
    assert_eq!(response.wire_bytes, taken as u64);
    assert!(response.wire_bytes >= response.head_bytes + response.body_bytes);
    assert!(response.status == 101 || response.status >= 200);
    assert!(response.head_bytes >= u64::from(response.interim_responses + 1) * 16, "the shortest head has 16 bytes");
    if setup.head_request || matches!(response.status, 101 | 204 | 304) {
        assert_eq!(response.wire_bytes, response.head_bytes);
    }
    let kept = match setup.keep {
        Keep { body: true, .. } => response.body_bytes,
        Keep { body_start: true, .. } => response.body_bytes.min(BODY_START_BYTES as u64),
        _ => 0,
    };
    assert_eq!(response.body.len() as u64, kept);
    assert!(!response.body_truncated);
    let keeps_head = setup.keep.head || (setup.keep.directives && response.directives.any());
    assert_eq!(response.raw_head().is_empty(), !keeps_head);
    if keeps_head {
        assert_eq!(response.directives.cookies, response.header("set-cookie").is_some());
        let redirects = (300..400).contains(&response.status) && response.header("location").is_some();
        assert_eq!(response.directives.redirect, redirects);
    }
    assert!(response.headers().count() <= setup.limits.headers);
    for (name, value) in response.headers() {
        assert!(!name.is_empty() && !value.contains(&b'\r') && !value.contains(&b'\n'));
        assert!(response.header(name).is_some());
    }
    // What was not kept was counted all the same.
    let counted = Setup { keep: Keep::NOTHING, ..setup };
    let (bare, bare_taken) = read_response(counted, std::iter::once(bytes)).expect("keeping less cannot fail");
    assert_eq!((bare.body_bytes, bare_taken), (response.body_bytes, taken));
    // What came after the response had no part in it.
    if response.keep_alive {
        assert_eq!(read_response(setup, std::iter::once(&bytes[..taken])), Ok((response, taken)));
    }
}

/// Checks one input for the request parser: setup byte, then what the client sends until it closes.
///
/// # Panics
/// Where the parser breaks a promise.
pub(crate) fn request(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let setup = Setup::from_byte(first);
    let whole = read_requests(setup, std::iter::once(bytes));
    assert_eq!(whole, read_requests(setup, cut(bytes, &[1])), "byte by byte");
    assert_eq!(whole, read_requests(setup, cut(bytes, &sizes_of(bytes))), "in pieces");

    let mut start = 0;
    for request in &whole.0 {
        assert!(!request.method.is_empty() && !request.target.is_empty());
        assert!(request.headers.len() <= setup.limits.headers);
        let kept = if setup.keep.body { request.body_bytes } else { 0 };
        assert_eq!(request.body.len() as u64, kept);
        // Each request is read the same when it comes alone.
        let (alone, end) = read_requests(setup, std::iter::once(&bytes[start..request.end]));
        assert_eq!(end, Ok(()));
        assert_eq!(alone, [OwnedRequest { end: request.end - start, ..request.clone() }]);
        start = request.end;
    }
}
