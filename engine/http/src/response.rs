//! One response, as far as it is wanted.

use crate::directives::Directives;
use crate::error::ProtocolError;
use crate::head::HeaderLines;
use crate::limits::{BODY_START_BYTES, RETAINED_BUFFER_BYTES};

/// The protocol a response came by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// RFC 1945.
    Http10,
    /// RFC 9112.
    #[default]
    Http11,
    /// RFC 9113.
    Http2,
}

impl Version {
    /// As a status line has it, `HTTP/1.1`; `HTTP/2.0` as Go writes it, though HTTP/2 has no status line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// Which parts of a response to keep. What is not kept is checked and counted, never copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The head, for [`Response::headers`].
    pub head: bool,
    /// The payload of the body.
    pub body: bool,
    /// Of a body that is not kept, the first [`BODY_START_BYTES`].
    pub body_start: bool,
    /// The head of a response that has [`Directives`], even where others' heads are not kept.
    pub directives: bool,
}

impl Keep {
    /// Status and sizes only.
    pub const NOTHING: Self = Self { head: false, body: false, body_start: false, directives: false };
    /// Head and body.
    pub const ALL: Self = Self { head: true, body: true, body_start: false, directives: true };
}

/// One response. Its buffers are used again for the next one.
///
/// A [`ResponseParser`](crate::ResponseParser) clears it when the first bytes of a response arrive and fills it as they
/// do; after an error it holds what had arrived until then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code of the final response, 101 or 200 to 999; 0 until its head is complete.
    pub status: u16,
    /// The protocol it came by.
    pub version: Version,
    /// The connection may carry another request: the server did not say otherwise, and the body ended before the
    /// connection did (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// What the final head calls for; nothing until it is complete.
    pub directives: Directives,
    /// Bytes of all heads, interim responses included. Of HTTP/2: of the names and values of its fields, decompressed.
    pub head_bytes: u64,
    /// Bytes of payload, the chunked coding taken off. Content codings (gzip) are still on.
    pub body_bytes: u64,
    /// Bytes of everything: heads, payload, chunk lines, trailers. Who reads HTTP/2 sets it: only the connection knows how long
    /// a compressed head was.
    pub wire_bytes: u64,
    /// Interim (1xx) responses that came before the final one.
    pub interim_responses: u32,
    /// The payload, if it was to be kept.
    pub body: Vec<u8>,
    /// The body was to be kept and went beyond the limit; `body` holds what fitted.
    pub body_truncated: bool,
    /// The body was decoded as if it had never been coded: `Content-Encoding` and `Content-Length`, which speak of another
    /// body, are not among the headers any more. `raw_head` still has them.
    pub coding_hidden: bool,
    /// The raw final head, if it was to be kept.
    pub(crate) head: Vec<u8>,
}

impl Response {
    /// The headers in the order received, values without surrounding white space. None if the head was not kept.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        HeaderLines::new(&self.head).filter(|(name, _)| !self.hides(name))
    }

    /// The first value of a header, whatever the case of its name (RFC 9110 section 5.1).
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        if self.hides(name) {
            return None;
        }
        HeaderLines::new(&self.head).first(name)
    }

    fn hides(&self, name: &str) -> bool {
        self.coding_hidden
            && (name.eq_ignore_ascii_case("content-encoding") || name.eq_ignore_ascii_case("content-length"))
    }

    /// The status line and headers as received, with their line ends; empty if the head was not kept.
    pub fn raw_head(&self) -> &[u8] {
        &self.head
    }

    /// Enters the head of a response that came by HTTP/2, in place of all that was here. A head that is kept reads as one of
    /// HTTP/1.1 would, with the names in lower case as they came. `fields` is asked once or twice.
    ///
    /// The caller vouches that no name or value holds a line end: an HTTP/2 reader refuses those (RFC 9113 section 8.2.1).
    pub fn begin_http2<'a, I: Iterator<Item = (&'a str, &'a [u8])>>(
        &mut self,
        status: u16,
        fields: impl Fn() -> I,
        keep: Keep,
    ) {
        self.reset();
        self.status = status;
        self.version = Version::Http2;
        self.keep_alive = true;
        for (name, value) in fields() {
            self.head_bytes += (name.len() + value.len()) as u64;
            self.directives.note(name, value);
        }
        self.directives.settle(status);
        if keep.head || (keep.directives && self.directives.any()) {
            let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
            self.head.extend_from_slice(b"HTTP/2.0 ");
            self.head.extend_from_slice(&digits);
            self.head.extend_from_slice(b"\r\n");
            for (name, value) in fields() {
                for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                    self.head.extend_from_slice(part);
                }
            }
            self.head.extend_from_slice(b"\r\n");
        }
    }

    /// Counts a piece of payload and keeps it if asked to, up to the limit.
    ///
    /// # Errors
    /// `BodyTooLarge` where it goes beyond; what fitted is kept.
    pub fn push_body(&mut self, piece: &[u8], keep: Keep, limit: usize) -> Result<(), ProtocolError> {
        self.body_bytes += piece.len() as u64;
        if !keep.body {
            if keep.body_start {
                let room = BODY_START_BYTES.saturating_sub(self.body.len());
                self.body.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            return Ok(());
        }
        let room = limit - self.body.len();
        if piece.len() > room {
            self.body.extend_from_slice(&piece[..room]);
            self.body_truncated = true;
            return Err(ProtocolError::BodyTooLarge);
        }
        self.body.extend_from_slice(piece);
        Ok(())
    }

    /// As new, the buffers kept.
    pub fn reset(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        let mut head = std::mem::take(&mut self.head);
        body.clear();
        head.clear();
        *self = Self { body, head, ..Self::default() };
    }

    /// Gives back the buffers above [`RETAINED_BUFFER_BYTES`], with what is in them. For when the response was used and
    /// the memory of one large body must not stay with a user for the rest of the run.
    pub fn trim(&mut self) {
        for buffer in [&mut self.body, &mut self.head] {
            if buffer.capacity() > RETAINED_BUFFER_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_keeps_the_buffers_only() {
        let mut response = Response {
            status: 200,
            keep_alive: true,
            body: b"abc".to_vec(),
            body_truncated: true,
            head: b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n".to_vec(),
            ..Response::default()
        };
        assert_eq!(response.header("a"), Some(&b"b"[..]));
        let capacity = response.body.capacity();
        response.reset();
        assert_eq!(response, Response::default());
        assert_eq!(response.body.capacity(), capacity);
        assert_eq!(response.headers().count(), 0);
    }

    #[test]
    fn a_head_of_http2_is_kept_as_far_as_it_is_wanted() {
        let fields = [("content-type", &b"text/plain"[..]), ("set-cookie", b"a=1"), ("location", b"/x")];
        let begun = |status, keep| {
            let mut response = Response { body: b"old".to_vec(), ..Response::default() };
            response.begin_http2(status, || fields.iter().copied(), keep);
            response
        };
        let all = begun(302, Keep::ALL);
        assert_eq!((all.status, all.version.as_str(), all.body.len()), (302, "HTTP/2.0", 0));
        assert_eq!(all.directives, Directives { cookies: true, redirect: true, ..Directives::default() });
        assert_eq!(
            all.raw_head(),
            b"HTTP/2.0 302\r\ncontent-type: text/plain\r\nset-cookie: a=1\r\nlocation: /x\r\n\r\n"
        );
        assert_eq!(all.headers().collect::<Vec<_>>(), fields);
        assert_eq!(all.head_bytes, 12 + 10 + 10 + 3 + 8 + 2);
        let nothing = begun(200, Keep::NOTHING);
        assert_eq!(
            (nothing.raw_head().len(), nothing.directives.cookies, nothing.directives.redirect),
            (0, true, false)
        );
        assert_eq!(begun(200, Keep { directives: true, ..Keep::NOTHING }).header("Set-Cookie"), Some(&b"a=1"[..]));
    }

    #[test]
    fn a_body_is_kept_up_to_the_limit_and_counted_beyond() {
        let mut response = Response::default();
        assert_eq!(response.push_body(b"abc", Keep::ALL, 4), Ok(()));
        assert_eq!(response.push_body(b"def", Keep::ALL, 4), Err(ProtocolError::BodyTooLarge));
        assert_eq!((&response.body[..], response.body_bytes, response.body_truncated), (&b"abcd"[..], 6, true));
        assert_eq!(response.push_body(b"gh", Keep::NOTHING, 4), Ok(()));
        assert_eq!((response.body.len(), response.body_bytes), (4, 8));
    }

    #[test]
    fn the_start_of_a_body_has_no_limit_to_go_beyond() {
        let start = Keep { body_start: true, ..Keep::NOTHING };
        let mut response = Response::default();
        for _ in 0..3 {
            assert_eq!(response.push_body(&[b'a'; BODY_START_BYTES / 2 + 1], start, 4), Ok(()));
        }
        assert_eq!(response.body.len(), BODY_START_BYTES);
        assert_eq!((response.body_bytes, response.body_truncated), (3 * (BODY_START_BYTES as u64 / 2 + 1), false));
    }

    #[test]
    fn a_hidden_coding_is_not_among_the_headers() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\ncontent-length: 9\r\nA: b\r\n\r\n".to_vec();
        let mut response = Response { head, ..Response::default() };
        assert_eq!((response.headers().count(), response.header("Content-Length")), (3, Some(&b"9"[..])));
        response.coding_hidden = true;
        assert_eq!(response.headers().map(|(name, _)| name).collect::<Vec<_>>(), ["A"]);
        assert_eq!((response.header("content-encoding"), response.header("a")), (None, Some(&b"b"[..])));
    }

    #[test]
    fn trim_gives_back_large_buffers_only() {
        let mut response =
            Response { body: vec![0; RETAINED_BUFFER_BYTES + 1], head: b"HTTP".to_vec(), ..Response::default() };
        response.trim();
        assert_eq!(response.body.capacity(), 0);
        assert_eq!(response.raw_head(), b"HTTP");
    }
}
