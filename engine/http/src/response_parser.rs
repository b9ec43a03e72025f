//! Reading responses off a connection, one at a time: the client's side.

use httparse::{ParserConfig, Status};

use crate::body::BodyReader;
use crate::chunked::ChunkedBody;
use crate::directives::Directives;
use crate::error::ProtocolError;
use crate::fields::{FramingFields, TransferCodings};
use crate::head::{check_line_ends, header_table, parse_error, Gathered, HeadBuffer};
use crate::limits::{Limits, BODY_RESERVE_BYTES_MAX, INTERIM_RESPONSES_MAX};
use crate::memo::HeadMemo;
use crate::response::{Keep, Response, Version};

/// How far a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were taken and the response goes on.
    NeedMore,
    /// The response is complete.
    Complete {
        /// So many bytes of the slice just fed belonged to it. The rest is a surplus nobody asked for.
        consumed: usize,
    },
}

/// Reads one response at a time off a connection.
///
/// Call [`begin`](Self::begin) for each request, then [`feed`](Self::feed) with whatever arrives until it says
/// `Complete` or fails, and [`end_of_stream`](Self::end_of_stream) if the peer closes its side.
#[derive(Debug)]
pub struct ResponseParser {
    limits: Limits,
    keep: Keep,
    head_request: bool,
    connect_request: bool,
    phase: Phase,
    /// A head that did not come in one piece; empty otherwise.
    head: HeadBuffer,
    memo: HeadMemo<HeadFacts>,
}

#[derive(Debug)]
enum Phase {
    /// No response is due: nothing was begun, or it is complete.
    Idle,
    /// Begun; the response passed in still holds the one before.
    Begun,
    /// In the head of an interim or the final response.
    Head,
    Body(BodyReader),
    Failed(ProtocolError),
}

/// The facts of a head, free of its bytes.
#[derive(Clone, Copy, Debug)]
struct HeadFacts {
    head_bytes: usize,
    status: u16,
    version_minor: u8,
    fields: FramingFields,
    directives: Directives,
}

impl Default for ResponseParser {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl ResponseParser {
    /// A parser for one connection, which waits for [`begin`](Self::begin).
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            keep: Keep::NOTHING,
            head_request: false,
            connect_request: false,
            phase: Phase::Idle,
            head: HeadBuffer::default(),
            memo: HeadMemo::default(),
        }
    }

    /// Prepares for the response to a request. `head_request`: its method was HEAD, so that the response has no body
    /// whatever its headers say (RFC 9112 section 6.3, rule 1).
    pub fn begin(&mut self, head_request: bool, keep: Keep) {
        self.head.clear();
        self.keep = keep;
        self.head_request = head_request;
        self.connect_request = false;
        self.phase = Phase::Begun;
    }

    /// Prepares for the response to a CONNECT: one of class 2xx ends with its head, whatever its headers say, and what follows
    /// belongs to the tunnel (RFC 9112 section 6.3, rule 2).
    pub fn begin_connect(&mut self) {
        self.begin(false, Keep::NOTHING);
        self.connect_request = true;
    }

    /// Takes the bytes just received. The first ones after [`begin`](Self::begin) clear `response`.
    ///
    /// # Errors
    /// A [`ProtocolError`] that says how the bytes break the protocol. The same error comes again on every call until the
    /// next `begin`; bytes after a complete response are `UnexpectedBytes`.
    pub fn feed(&mut self, bytes: &[u8], response: &mut Response) -> Result<Progress, ProtocolError> {
        self.advance(bytes, response).inspect_err(|error| self.phase = Phase::Failed(*error))
    }

    /// The peer closed its side: completes a body that is delimited by that (RFC 9112 section 6.3, rule 8).
    ///
    /// # Errors
    /// `ClosedEarly` if the response was not complete, or what is wrong with the part of its head that had arrived.
    pub fn end_of_stream(&mut self, response: &mut Response) -> Result<Progress, ProtocolError> {
        let error = match self.phase {
            Phase::Body(BodyReader::UntilClose) => {
                self.phase = Phase::Idle;
                return Ok(Progress::Complete { consumed: 0 });
            }
            Phase::Failed(error) => return Err(error),
            Phase::Idle => ProtocolError::ClosedEarly { got_any: false },
            Phase::Begun => {
                response.reset();
                ProtocolError::ClosedEarly { got_any: false }
            }
            // A head that was wrong already is told as such, as it would have been had it come in one piece.
            Phase::Head => parse_head(self.head.bytes(), &self.limits)
                .err()
                .unwrap_or(ProtocolError::ClosedEarly { got_any: response.wire_bytes > 0 }),
            Phase::Body(_) => ProtocolError::ClosedEarly { got_any: true },
        };
        self.phase = Phase::Failed(error);
        Err(error)
    }

    fn advance(&mut self, bytes: &[u8], response: &mut Response) -> Result<Progress, ProtocolError> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match &mut self.phase {
                Phase::Failed(error) => return Err(*error),
                Phase::Idle if rest.is_empty() => return Ok(Progress::NeedMore),
                Phase::Idle => return Err(ProtocolError::UnexpectedBytes),
                Phase::Begun => {
                    response.reset();
                    self.phase = Phase::Head;
                }
                Phase::Head => {
                    if rest.is_empty() {
                        return Ok(Progress::NeedMore);
                    }
                    let (taken, body) = self.read_head(rest, response)?;
                    at += taken;
                    response.wire_bytes += taken as u64;
                    if let Some(body) = body {
                        if body.is_empty() {
                            self.phase = Phase::Idle;
                            return Ok(Progress::Complete { consumed: at });
                        }
                        self.phase = Phase::Body(body);
                    }
                }
                Phase::Body(body) => {
                    let (keep, limit) = (self.keep, self.limits.kept_body_bytes);
                    let (taken, done) = body.read(rest, |piece| response.push_body(piece, keep, limit))?;
                    response.wire_bytes += taken as u64;
                    at += taken;
                    if done {
                        self.phase = Phase::Idle;
                        return Ok(Progress::Complete { consumed: at });
                    }
                    return Ok(Progress::NeedMore);
                }
            }
        }
    }

    /// Takes bytes of a head. Returns how many, and how the body is delimited once the final head is complete.
    fn read_head(
        &mut self,
        bytes: &[u8],
        response: &mut Response,
    ) -> Result<(usize, Option<BodyReader>), ProtocolError> {
        // The common case: the head begins and ends within these bytes and is parsed where it lies.
        if self.head.is_empty() {
            let window = &bytes[..bytes.len().min(self.limits.head_bytes)];
            let known = self.memo.recall(window);
            if let Some(facts) = if known.is_some() { known } else { parse_head(window, &self.limits)? } {
                let head = &window[..facts.head_bytes];
                if known.is_none() {
                    self.memo.note(head, facts);
                }
                let body = self.accept_head(head.len(), &facts, response)?;
                if body.is_some() && self.keeps_head(&facts) {
                    response.head.extend_from_slice(head);
                }
                return Ok((head.len(), body));
            }
        }
        let gathered = self.head.push(bytes, self.limits.head_bytes);
        check_prefix(self.head.bytes())?;
        match gathered {
            Gathered::More => Ok((bytes.len(), None)),
            Gathered::Full => {
                parse_head(self.head.bytes(), &self.limits)?;
                Err(ProtocolError::HeadTooLarge)
            }
            Gathered::Whole(taken) => {
                // The end that was found is the end the parser finds, or the head is wrong before it.
                let facts = parse_head(self.head.bytes(), &self.limits)?.ok_or(ProtocolError::BadHeader)?;
                let body = self.accept_head(facts.head_bytes, &facts, response)?;
                if body.is_some() && self.keeps_head(&facts) {
                    response.head.extend_from_slice(self.head.bytes());
                }
                self.head.clear();
                Ok((taken, body))
            }
        }
    }

    #[inline]
    fn keeps_head(&self, facts: &HeadFacts) -> bool {
        self.keep.head || (self.keep.directives && facts.directives.any())
    }

    /// Notes a complete head and decides what follows it; None if that is another head.
    fn accept_head(
        &self,
        head_bytes: usize,
        facts: &HeadFacts,
        response: &mut Response,
    ) -> Result<Option<BodyReader>, ProtocolError> {
        response.head_bytes += head_bytes as u64;
        // Interim responses say nothing about the final one (RFC 9110 section 15.2), but 101 is final for HTTP.
        if facts.status < 200 && facts.status != 101 {
            response.interim_responses += 1;
            if response.interim_responses > INTERIM_RESPONSES_MAX {
                return Err(ProtocolError::TooManyInterimResponses);
            }
            return Ok(None);
        }
        response.status = facts.status;
        response.version = if facts.version_minor == 0 { Version::Http10 } else { Version::Http11 };
        response.directives = facts.directives;
        let body = self.delimit_body(facts)?;
        response.keep_alive = facts.status != 101
            && !matches!(body, BodyReader::UntilClose)
            && facts.fields.persistent(facts.version_minor);
        if let (true, BodyReader::Length(length)) = (self.keep.body, &body) {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            if length > self.limits.kept_body_bytes {
                response.body_truncated = true;
                return Err(ProtocolError::BodyTooLarge);
            }
            response.body.reserve(length.min(BODY_RESERVE_BYTES_MAX));
        }
        Ok(Some(body))
    }

    /// RFC 9112 section 6.3, in the order of its rules.
    fn delimit_body(&self, facts: &HeadFacts) -> Result<BodyReader, ProtocolError> {
        // Rule 1: these end with their head, whatever their headers say.
        if self.head_request || matches!(facts.status, 101 | 204 | 304) {
            return Ok(BodyReader::EMPTY);
        }
        // Rule 2.
        if self.connect_request && (200..300).contains(&facts.status) {
            return Ok(BodyReader::EMPTY);
        }
        // Rule 3 leaves a client the choice with both headers: an error, since one of them is a lie.
        facts.fields.check_transfer(facts.version_minor)?;
        Ok(match (facts.fields.transfer, facts.fields.content_length) {
            (TransferCodings::Chunked | TransferCodings::ChunkedLast, _) => BodyReader::Chunked(ChunkedBody::new()),
            (TransferCodings::Absent, Some(length)) => BodyReader::Length(length),
            // Rules 4 and 8: with another coding last, or with nothing, the close of the connection is the end.
            (TransferCodings::Other { .. }, _) | (TransferCodings::Absent, None) => BodyReader::UntilClose,
        })
    }
}

/// Parses a head; None if its end is not among the bytes.
fn parse_head(bytes: &[u8], limits: &Limits) -> Result<Option<HeadFacts>, ProtocolError> {
    check_prefix(bytes)?;
    let mut table = header_table();
    let room = limits.headers.min(table.len());
    let mut parsed = httparse::Response::new(&mut []);
    let head_bytes =
        match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut table[..room]) {
            Ok(Status::Complete(head_bytes)) => head_bytes,
            Ok(Status::Partial) if bytes.len() >= limits.head_bytes => return Err(ProtocolError::HeadTooLarge),
            Ok(Status::Partial) => return Ok(None),
            Err(error) => return Err(parse_error(error, ProtocolError::BadStatusLine)),
        };
    check_line_ends(&bytes[..head_bytes], parsed.headers.len())?;
    let status = parsed.code.unwrap_or_default();
    // Codes above 599 are treated as server errors (RFC 9110 section 15); below 100 there is no class at all.
    if status < 100 {
        return Err(ProtocolError::BadStatusLine);
    }
    let fields = FramingFields::read(parsed.headers)?;
    let directives = Directives::read(status, parsed.headers);
    let version_minor = parsed.version.unwrap_or_default();
    Ok(Some(HeadFacts { head_bytes, status, version_minor, fields, directives }))
}

/// Tells a peer that does not speak HTTP/1 by its first bytes, be it one only, instead of waiting for the end of a head
/// that will never come.
fn check_prefix(bytes: &[u8]) -> Result<(), ProtocolError> {
    const PREFIX: &[u8] = b"HTTP/1.";
    const PROTOCOL_BYTES: usize = 5;
    if bytes.starts_with(PREFIX) {
        return match bytes.get(PREFIX.len()) {
            None | Some(b'0' | b'1') => Ok(()),
            Some(_) => Err(ProtocolError::UnsupportedVersion),
        };
    }
    let length = bytes.len().min(PREFIX.len());
    if bytes[..length] == PREFIX[..length] {
        Ok(())
    } else if length > PROTOCOL_BYTES && bytes.starts_with(&PREFIX[..PROTOCOL_BYTES]) {
        Err(ProtocolError::UnsupportedVersion)
    } else {
        Err(ProtocolError::NotHttp)
    }
}
