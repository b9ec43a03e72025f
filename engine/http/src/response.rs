//! One response, as far as it is wanted.

use crate::directives::Directives;
use crate::head::HeaderLines;
use crate::limits::RETAINED_BUFFER_BYTES;

/// Which parts of a response to keep. What is not kept is checked and counted, never copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The head, for [`Response::headers`].
    pub head: bool,
    /// The payload of the body.
    pub body: bool,
    /// The head of a response that has [`Directives`], even where others' heads are not kept.
    pub directives: bool,
}

impl Keep {
    /// Status and sizes only.
    pub const NOTHING: Self = Self { head: false, body: false, directives: false };
    /// Head and body.
    pub const ALL: Self = Self { head: true, body: true, directives: true };
}

/// One response. Its buffers are used again for the next one.
///
/// A [`ResponseParser`](crate::ResponseParser) clears it when the first bytes of a response arrive and fills it as they
/// do; after an error it holds what had arrived until then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code of the final response, 101 or 200 to 999; 0 until its head is complete.
    pub status: u16,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub version_minor: u8,
    /// The connection may carry another request: the server did not say otherwise, and the body ended before the
    /// connection did (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// What the final head calls for; nothing until it is complete.
    pub directives: Directives,
    /// Bytes of all heads, interim responses included.
    pub head_bytes: u64,
    /// Bytes of payload, the chunked coding taken off. Content codings (gzip) are still on.
    pub body_bytes: u64,
    /// Bytes of everything: heads, payload, chunk lines, trailers.
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
