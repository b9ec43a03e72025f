//! The head of a message: the bytes up to and including the first empty line.

use std::mem::MaybeUninit;

use httparse::{Error, Header};
use memchr::{memchr, memchr_iter};

use crate::error::ProtocolError;
use crate::limits::{HEADERS_MAX, RETAINED_BUFFER_BYTES};
use crate::syntax::trim;

/// Room for the header lines of one head, on the stack and not initialised.
pub(crate) type HeaderTable<'a> = [MaybeUninit<Header<'a>>; HEADERS_MAX];

/// An empty table.
pub(crate) fn header_table<'a>() -> HeaderTable<'a> {
    [const { MaybeUninit::uninit() }; HEADERS_MAX]
}

/// A head that did not arrive in one piece, gathered.
///
/// The end is searched from where the last search stopped and the head is parsed once, when it is complete: a head sent
/// byte by byte costs its length, not the square of it.
#[derive(Debug, Default)]
pub(crate) struct HeadBuffer {
    bytes: Vec<u8>,
    /// No line feed before this place is followed by an empty line.
    searched: usize,
}

/// What became of the bytes given to [`HeadBuffer::push`].
pub(crate) enum Gathered {
    /// All were taken and the head goes on.
    More,
    /// The head is complete; so many of the bytes belonged to it.
    Whole(usize),
    /// The limit is reached and no end was found.
    Full,
}

impl HeadBuffer {
    /// The bytes gathered so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes bytes up to the end of the head, never holding more than `limit` of them.
    pub(crate) fn push(&mut self, bytes: &[u8], limit: usize) -> Gathered {
        let before = self.bytes.len();
        let room = limit.saturating_sub(before);
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(end) = self.find_end() {
            self.bytes.truncate(end);
            return Gathered::Whole(end - before);
        }
        if self.bytes.len() >= limit {
            Gathered::Full
        } else {
            Gathered::More
        }
    }

    /// Keeps a head that is complete.
    pub(crate) fn set(&mut self, head: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(head);
    }

    /// Ready for the next head; a large buffer is given back.
    pub(crate) fn clear(&mut self) {
        self.searched = 0;
        if self.bytes.capacity() > RETAINED_BUFFER_BYTES {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// The length of the head if its empty line is there. The line ends a parser would accept count, bare line feeds
    /// too: judging them is not this search's business.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(offset) = memchr(b'\n', &self.bytes[self.searched..]) {
            let line_feed = self.searched + offset;
            match self.bytes[line_feed + 1..] {
                [b'\n', ..] => return Some(line_feed + 2),
                [b'\r', b'\n', ..] => return Some(line_feed + 3),
                [] | [b'\r'] => {
                    self.searched = line_feed;
                    return None;
                }
                _ => self.searched = line_feed + 1,
            }
        }
        self.searched = self.bytes.len();
        None
    }
}

/// Whether every line of a parsed head ends in CRLF (RFC 9112 section 2.2 lets a recipient accept a bare line feed, and
/// two recipients that disagree on it are how requests are smuggled). httparse lets a carriage return stand before a line
/// feed only, so there are as many of them as lines if and only if no line lacks one.
pub(crate) fn check_line_ends(head: &[u8], headers: usize) -> Result<(), ProtocolError> {
    // The first line and the empty one stand beside the headers.
    if memchr_iter(b'\r', head).count() == headers + 2 {
        Ok(())
    } else {
        Err(ProtocolError::BadLineEnd)
    }
}

/// The kind of a parse error; `first_line` is what a bad token means in this kind of message.
pub(crate) fn parse_error(error: Error, first_line: ProtocolError) -> ProtocolError {
    match error {
        Error::HeaderName | Error::HeaderValue => ProtocolError::BadHeader,
        Error::NewLine => ProtocolError::BadLineEnd,
        Error::Status | Error::Token => first_line,
        Error::TooManyHeaders => ProtocolError::TooManyHeaders,
        Error::Version => ProtocolError::UnsupportedVersion,
    }
}

/// The headers of a head that was found valid, in the order received.
#[derive(Clone, Debug)]
pub(crate) struct HeaderLines<'a> {
    rest: &'a [u8],
}

impl<'a> HeaderLines<'a> {
    /// Over a whole head, its first line included; empty for no bytes.
    pub(crate) fn new(head: &'a [u8]) -> Self {
        let first = memchr(b'\n', head).map_or(head.len(), |at| at + 1);
        Self { rest: &head[first..] }
    }

    /// The first value of a header, whatever the case of its name.
    pub(crate) fn first(mut self, name: &str) -> Option<&'a [u8]> {
        self.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr(b':', line)?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, trim(&line[colon + 1..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=1\r\nset-cookie:b=2 \r\nEmpty:\r\n\r\n";

    #[test]
    fn header_lines_in_order_and_trimmed() {
        let all: Vec<_> = HeaderLines::new(HEAD).collect();
        assert_eq!(
            all,
            [("Server", &b"x"[..]), ("Set-Cookie", &b"a=1"[..]), ("set-cookie", &b"b=2"[..]), ("Empty", &b""[..]),]
        );
    }

    #[test]
    fn first_ignores_case_and_takes_the_first() {
        assert_eq!(HeaderLines::new(HEAD).first("SET-COOKIE"), Some(&b"a=1"[..]));
        assert_eq!(HeaderLines::new(HEAD).first("missing"), None);
        assert_eq!(HeaderLines::new(b"").first("missing"), None);
    }

    #[test]
    fn end_is_found_at_every_split() {
        for split in 0..=HEAD.len() {
            let mut buffer = HeadBuffer::default();
            let surplus = [HEAD, b"body"].concat();
            let first = buffer.push(&surplus[..split], 1000);
            if split == HEAD.len() {
                assert!(matches!(first, Gathered::Whole(taken) if taken == HEAD.len()));
            } else {
                assert!(matches!(first, Gathered::More));
                let rest = buffer.push(&surplus[split..], 1000);
                assert!(matches!(rest, Gathered::Whole(taken) if taken == HEAD.len() - split));
            }
            assert_eq!(buffer.bytes(), HEAD);
        }
    }

    #[test]
    fn full_at_the_limit_and_not_before() {
        let mut buffer = HeadBuffer::default();
        assert!(matches!(buffer.push(&HEAD[..10], 20), Gathered::More));
        assert!(matches!(buffer.push(&HEAD[10..], 20), Gathered::Full));
        assert_eq!(buffer.bytes().len(), 20);

        let mut exact = HeadBuffer::default();
        assert!(matches!(exact.push(HEAD, HEAD.len()), Gathered::Whole(_)));
    }

    #[test]
    fn large_buffers_are_given_back() {
        let mut buffer = HeadBuffer::default();
        buffer.push(&vec![b'a'; RETAINED_BUFFER_BYTES * 2], usize::MAX);
        buffer.clear();
        assert_eq!(buffer.bytes.capacity(), 0);
        buffer.push(b"HTTP/1.1", 100);
        buffer.clear();
        assert!(buffer.bytes.capacity() > 0);
    }
}
