//! The head of an answer, and the framing of its body, as bytes.

/// What an answer says about the connection's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays; HTTP/1.1 takes that for granted.
    Stays,
    /// It stays, and an HTTP/1.0 client must be told so.
    StaysSaid,
    /// It closes after this answer, and the answer says so.
    ClosesSaid,
    /// It closes after this answer without a word, as a server does whose idle time is up.
    Closes,
}

impl Persistence {
    pub(crate) fn closes(self) -> bool {
        matches!(self, Self::ClosesSaid | Self::Closes)
    }
}

/// Where the body ends (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none: 204 and 304.
    NoBody,
    Length(u64),
    Chunked,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: &'a [u8],
    pub(crate) persistence: Persistence,
    pub(crate) framing: Framing,
}

impl Head<'_> {
    /// Appends the head; `extra` appends whole header lines of its own.
    pub(crate) fn write(&self, out: &mut Vec<u8>, extra: impl FnOnce(&mut Vec<u8>)) {
        if self.status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\nServer: pummel\r\n");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            write_decimal(out, u64::from(self.status));
            out.push(b' ');
            out.extend_from_slice(reason(self.status).as_bytes());
            out.extend_from_slice(b"\r\nServer: pummel\r\n");
        }
        if self.framing != Framing::NoBody {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(self.content_type);
            out.extend_from_slice(b"\r\n");
        }
        match self.framing {
            Framing::NoBody => {}
            Framing::Length(bytes) => {
                out.extend_from_slice(b"Content-Length: ");
                write_decimal(out, bytes);
                out.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        match self.persistence {
            Persistence::Stays | Persistence::Closes => {}
            Persistence::StaysSaid => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            Persistence::ClosesSaid => out.extend_from_slice(b"Connection: close\r\n"),
        }
        extra(out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the line before a chunk.
pub(crate) fn write_chunk_size(out: &mut Vec<u8>, bytes: usize) {
    let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[bytes >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What ends a chunked body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends a number in decimal without going through the formatter, which would cost more than the rest of the head.
pub(crate) fn write_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// The phrases of RFC 9110 section 15 for the statuses that tests ask for; a reader must not rely on any.
fn reason(status: u16) -> &'static str {
    match status {
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::{write_chunk_size, write_decimal, Framing, Head, Persistence};

    #[test]
    fn heads_byte_for_byte() {
        let mut out = Vec::new();
        let head = Head {
            status: 200,
            content_type: b"text/plain",
            persistence: Persistence::Stays,
            framing: Framing::Length(5),
        };
        head.write(&mut out, |_| {});
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
        out.clear();
        let head = Head { status: 204, persistence: Persistence::ClosesSaid, framing: Framing::NoBody, ..head };
        head.write(&mut out, |out| out.extend_from_slice(b"X: y\r\n"));
        assert_eq!(out, b"HTTP/1.1 204 No Content\r\nServer: pummel\r\nConnection: close\r\nX: y\r\n\r\n");
    }

    #[test]
    fn numbers_at_their_edges() {
        for (number, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = Vec::new();
            write_decimal(&mut out, number);
            assert_eq!(out, text.as_bytes());
        }
        for (bytes, text) in [(0, "0\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0x12_3abc, "123abc\r\n")] {
            let mut out = Vec::new();
            write_chunk_size(&mut out, bytes);
            assert_eq!(out, text.as_bytes());
        }
    }
}
