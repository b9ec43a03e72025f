//! Reading requests off a connection: the server's side.

use std::ops::Range;

use httparse::{Header, ParserConfig, Status};

use crate::body::BodyReader;
use crate::chunked::ChunkedBody;
use crate::error::ProtocolError;
use crate::fields::{FramingFields, TransferCodings};
use crate::head::{check_line_ends, header_table, parse_error, Gathered, HeadBuffer, HeaderLines};
use crate::limits::{Limits, RETAINED_BUFFER_BYTES};

/// How far a request is.
#[derive(Debug)]
pub enum RequestProgress<'a> {
    /// All bytes were taken and the request goes on.
    NeedMore {
        /// The client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1). Said once a request,
        /// and only while no byte of the body has arrived.
        send_continue: bool,
    },
    /// The request is complete.
    Complete {
        /// The request, valid until the next call.
        request: Request<'a>,
        /// So many bytes of the slice just fed belonged to it. A pipelined request begins after them.
        consumed: usize,
    },
}

/// A complete request, in place: it lies in the bytes just fed, or, where it came in pieces, in the parser.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method as sent; methods are case-sensitive.
    pub method: &'a str,
    /// The request target as sent, usually a path with a query.
    pub target: &'a str,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub version_minor: u8,
    /// The client lets the connection live on (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The request had `Expect: 100-continue`.
    pub expect_continue: bool,
    /// The payload, if the parser keeps bodies.
    pub body: &'a [u8],
    /// Bytes of payload, kept or not, the chunked coding taken off.
    pub body_bytes: u64,
    head: &'a [u8],
}

impl<'a> Request<'a> {
    /// The headers in the order received, values without surrounding white space.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        HeaderLines::new(self.head)
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        HeaderLines::new(self.head).first(name)
    }
}

/// Reads requests off one connection, one after the other.
///
/// Call [`feed`](Self::feed) with what arrived; after `Complete`, answer and feed the rest of the slice. Empty lines
/// before a request are not accepted but for one (RFC 9112 section 2.2).
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    keep_body: bool,
    phase: Phase,
    line: RequestLine,
    body_bytes: u64,
    /// A head that did not come in one piece, or whose body did not come with it; unused otherwise.
    head: HeadBuffer,
    /// Payload that does not lie in one piece of the bytes fed; unused otherwise.
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Before a request; what is kept of the one before may go.
    Between,
    /// After the carriage return of an empty line.
    EmptyLine,
    Head,
    Body(BodyReader),
    Failed(ProtocolError),
}

/// The facts of a request's head, free of its bytes.
#[derive(Clone, Copy, Debug, Default)]
struct RequestLine {
    method_length: usize,
    target_length: usize,
    version_minor: u8,
    keep_alive: bool,
    expect_continue: bool,
}

/// Where a part of a request lies.
enum Place {
    Fed(Range<usize>),
    Kept,
}

enum Step {
    NeedMore { send_continue: bool },
    Complete { consumed: usize, head: Place, body: Place },
}

impl RequestParser {
    /// A parser for one connection. `keep_body`: hand out the payload, up to the limit; without, it is checked, counted
    /// and dropped.
    pub fn new(limits: Limits, keep_body: bool) -> Self {
        Self {
            limits,
            keep_body,
            phase: Phase::Between,
            line: RequestLine::default(),
            body_bytes: 0,
            head: HeadBuffer::default(),
            body: Vec::new(),
        }
    }

    /// Takes the bytes just received.
    ///
    /// # Errors
    /// A [`ProtocolError`] that says how the bytes break the protocol; answer 400 or nothing, and close. The same error
    /// comes again on every further call.
    pub fn feed<'a>(&'a mut self, bytes: &'a [u8]) -> Result<RequestProgress<'a>, ProtocolError> {
        let step = self.advance(bytes).inspect_err(|error| self.phase = Phase::Failed(*error))?;
        let (consumed, head, body) = match step {
            Step::NeedMore { send_continue } => return Ok(RequestProgress::NeedMore { send_continue }),
            Step::Complete { consumed, head, body } => (consumed, head, body),
        };
        self.phase = Phase::Between;
        let head = match head {
            Place::Fed(range) => &bytes[range],
            Place::Kept => self.head.bytes(),
        };
        let body = match body {
            Place::Fed(range) => &bytes[range],
            Place::Kept => &self.body,
        };
        let (method, rest) = head.split_at(self.line.method_length);
        // One space stands between method and target, and the parser found both to be UTF-8.
        let target = &rest[1..=self.line.target_length];
        let request = Request {
            method: std::str::from_utf8(method).unwrap_or_default(),
            target: std::str::from_utf8(target).unwrap_or_default(),
            version_minor: self.line.version_minor,
            keep_alive: self.line.keep_alive,
            expect_continue: self.line.expect_continue,
            body,
            body_bytes: self.body_bytes,
            head,
        };
        Ok(RequestProgress::Complete { request, consumed })
    }

    /// The client closed its side.
    ///
    /// # Errors
    /// `ClosedEarly` if a request had begun and was not complete, or what is wrong with the part of its head that had
    /// arrived. Between two requests a close is in order.
    pub fn end_of_stream(&mut self) -> Result<(), ProtocolError> {
        let error = match self.phase {
            Phase::Between => return Ok(()),
            Phase::Failed(error) => error,
            // A head that was wrong already is told as such, as it would have been had it come in one piece.
            Phase::Head => parse_head(self.head.bytes(), &self.limits)
                .err()
                .unwrap_or(ProtocolError::ClosedEarly { got_any: true }),
            Phase::EmptyLine | Phase::Body(_) => ProtocolError::ClosedEarly { got_any: true },
        };
        self.phase = Phase::Failed(error);
        Err(error)
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Step, ProtocolError> {
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        let mut at = 0;
        while at < bytes.len() {
            match self.phase {
                Phase::Failed(error) => return Err(error),
                Phase::Between => {
                    self.forget();
                    if bytes[at] == b'\r' {
                        at += 1;
                        self.phase = Phase::EmptyLine;
                    } else {
                        self.phase = Phase::Head;
                    }
                }
                Phase::EmptyLine => {
                    if bytes[at] != b'\n' {
                        return Err(ProtocolError::BadRequestLine);
                    }
                    at += 1;
                    self.phase = Phase::Head;
                }
                Phase::Head => match self.read_head(bytes, at)? {
                    Some((head, body, after)) => return self.begin_body(bytes, head, body, after),
                    None => break,
                },
                Phase::Body(mut body) => {
                    let (taken, done) = self.read_body(&mut body, &bytes[at..])?;
                    at += taken;
                    self.phase = Phase::Body(body);
                    if done {
                        return Ok(Step::Complete { consumed: at, head: Place::Kept, body: Place::Kept });
                    }
                }
            }
        }
        Ok(Step::NeedMore { send_continue: false })
    }

    /// Takes bytes of the head from `at` on. Once it is complete: where it lies, how the body is delimited, and where in
    /// the bytes that begins.
    fn read_head(&mut self, bytes: &[u8], at: usize) -> Result<Option<(Place, BodyReader, usize)>, ProtocolError> {
        let rest = &bytes[at..];
        // The common case: the head begins and ends within these bytes and is parsed where it lies.
        if self.head.is_empty() {
            let window = &rest[..rest.len().min(self.limits.head_bytes)];
            if let Some((head_bytes, line, body)) = parse_head(window, &self.limits)? {
                self.line = line;
                let end = at + head_bytes;
                return Ok(Some((Place::Fed(at..end), body, end)));
            }
        }
        match self.head.push(rest, self.limits.head_bytes) {
            Gathered::More => Ok(None),
            Gathered::Full => {
                parse_head(self.head.bytes(), &self.limits)?;
                Err(ProtocolError::HeadTooLarge)
            }
            Gathered::Whole(taken) => {
                let (_, line, body) = parse_head(self.head.bytes(), &self.limits)?.ok_or(ProtocolError::BadHeader)?;
                self.line = line;
                Ok(Some((Place::Kept, body, at + taken)))
            }
        }
    }

    /// The head is complete; if the body is among the bytes too, so is the request.
    fn begin_body(
        &mut self,
        bytes: &[u8],
        head: Place,
        mut body: BodyReader,
        at: usize,
    ) -> Result<Step, ProtocolError> {
        let rest = &bytes[at..];
        if let BodyReader::Length(length) = body {
            let length_bytes = usize::try_from(length).unwrap_or(usize::MAX);
            if self.keep_body && length_bytes > self.limits.kept_body_bytes {
                return Err(ProtocolError::BodyTooLarge);
            }
            if length_bytes <= rest.len() {
                self.body_bytes = length;
                let end = at + length_bytes;
                let body = if self.keep_body { Place::Fed(at..end) } else { Place::Kept };
                return Ok(Step::Complete { consumed: end, head, body });
            }
        }
        let (taken, done) = self.read_body(&mut body, rest)?;
        if done {
            return Ok(Step::Complete { consumed: at + taken, head, body: Place::Kept });
        }
        if let Place::Fed(range) = head {
            self.head.set(&bytes[range]);
        }
        self.phase = Phase::Body(body);
        Ok(Step::NeedMore { send_continue: self.line.expect_continue && rest.is_empty() })
    }

    fn read_body(&mut self, body: &mut BodyReader, bytes: &[u8]) -> Result<(usize, bool), ProtocolError> {
        let Self { body: kept, body_bytes, keep_body, limits, .. } = self;
        body.read(bytes, |piece| {
            *body_bytes += piece.len() as u64;
            if *keep_body {
                if piece.len() > limits.kept_body_bytes - kept.len() {
                    return Err(ProtocolError::BodyTooLarge);
                }
                kept.extend_from_slice(piece);
            }
            Ok(())
        })
    }

    /// Drops what was kept of the request before.
    fn forget(&mut self) {
        self.head.clear();
        self.body_bytes = 0;
        if self.body.capacity() > RETAINED_BUFFER_BYTES {
            self.body = Vec::new();
        } else {
            self.body.clear();
        }
    }
}

/// Parses a head; None if its end is not among the bytes.
fn parse_head(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, RequestLine, BodyReader)>, ProtocolError> {
    // httparse skips any number of empty lines; the one that is allowed was taken before.
    if matches!(bytes, [b'\r' | b'\n', ..]) {
        return Err(ProtocolError::BadRequestLine);
    }
    let mut table = header_table();
    let room = limits.headers.min(table.len());
    let mut parsed = httparse::Request::new(&mut []);
    let head_bytes =
        match ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, bytes, &mut table[..room]) {
            Ok(Status::Complete(head_bytes)) => head_bytes,
            Ok(Status::Partial) if bytes.len() >= limits.head_bytes => return Err(ProtocolError::HeadTooLarge),
            Ok(Status::Partial) => return Ok(None),
            Err(error) => return Err(parse_error(error, ProtocolError::BadRequestLine)),
        };
    check_line_ends(&bytes[..head_bytes], parsed.headers.len())?;
    let version_minor = parsed.version.unwrap_or_default();
    let fields = FramingFields::read(parsed.headers)?;
    let expect_continue = read_request_fields(parsed.headers, version_minor)?;
    let line = RequestLine {
        method_length: parsed.method.map_or(0, str::len),
        target_length: parsed.path.map_or(0, str::len),
        version_minor,
        keep_alive: fields.persistent(version_minor),
        expect_continue,
    };
    Ok(Some((head_bytes, line, delimit_body(&fields, version_minor)?)))
}

/// Checks `Host` (exactly one in HTTP/1.1) and tells whether `Expect: 100-continue` is there, which HTTP/1.0 lacks.
fn read_request_fields(headers: &[Header<'_>], version_minor: u8) -> Result<bool, ProtocolError> {
    let mut hosts = 0;
    let mut expect_continue = false;
    for header in headers {
        match header.name.len() {
            4 if header.name.eq_ignore_ascii_case("host") => hosts += 1,
            6 if header.name.eq_ignore_ascii_case("expect") => {
                expect_continue |= header.value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
    }
    if hosts > 1 || (hosts == 0 && version_minor >= 1) {
        return Err(ProtocolError::BadHost);
    }
    Ok(expect_continue && version_minor >= 1)
}

/// RFC 9112 section 6.3 for requests: only `chunked` alone can be read, and without a length there is no body.
fn delimit_body(fields: &FramingFields, version_minor: u8) -> Result<BodyReader, ProtocolError> {
    fields.check_transfer(version_minor)?;
    match fields.transfer {
        TransferCodings::Absent => Ok(fields.content_length.map_or(BodyReader::EMPTY, BodyReader::Length)),
        TransferCodings::Chunked => Ok(BodyReader::Chunked(ChunkedBody::new())),
        TransferCodings::ChunkedLast | TransferCodings::Other { .. } => Err(ProtocolError::BadTransferEncoding),
    }
}
