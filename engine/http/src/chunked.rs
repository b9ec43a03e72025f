//! The chunked transfer coding (RFC 9112 section 7.1), taken off.

use crate::error::ProtocolError;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::syntax::{is_field, is_token};

/// Where a chunked body stands. Feeding it byte by byte or all at once comes to the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkedBody {
    place: Place,
    /// Bytes of the size line, or of the trailer section, seen so far.
    line_bytes: usize,
}

/// What the next byte is part of. The states that hold a number hold the size of the chunk, or what is left of it.
#[derive(Clone, Copy, Debug)]
enum Place {
    FirstDigit,
    Digits(u64),
    /// White space after the size, which only extensions may follow.
    SizeSpace(u64),
    Extension(u64),
    SizeLineFeed(u64),
    Data(u64),
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

impl ChunkedBody {
    /// Before the first chunk.
    pub(crate) const fn new() -> Self {
        Self { place: Place::FirstDigit, line_bytes: 0 }
    }

    /// Takes bytes up to the end of the body and hands the data in them to `sink`, piece by piece. Returns how many were
    /// taken and whether the body is complete; if it is not, all of them were.
    ///
    /// Extensions and trailers are checked, bounded and dropped.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(usize, bool), ProtocolError> {
        let mut at = 0;
        while at < bytes.len() {
            if let Place::Data(left) = self.place {
                let rest = &bytes[at..];
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                sink(&rest[..taken])?;
                at += taken;
                let left = left - taken as u64;
                self.place = if left == 0 { Place::DataReturn } else { Place::Data(left) };
                continue;
            }
            self.place = self.step(bytes[at])?;
            at += 1;
            if matches!(self.place, Place::Done) {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// What follows one byte that is not data.
    fn step(&mut self, byte: u8) -> Result<Place, ProtocolError> {
        self.line_bytes += 1;
        let place = match (self.place, byte) {
            (Place::FirstDigit, _) => {
                self.line_bytes = 1;
                Place::Digits(hex(byte).ok_or(ProtocolError::BadChunkSize)?)
            }
            (Place::Digits(size) | Place::SizeSpace(size) | Place::Extension(size), b';') => Place::Extension(size),
            (Place::Digits(size) | Place::Extension(size), b'\r') => Place::SizeLineFeed(size),
            (Place::Digits(size) | Place::SizeSpace(size), b' ' | b'\t') => Place::SizeSpace(size),
            (Place::Digits(size), _) => {
                let digit = hex(byte).ok_or(ProtocolError::BadChunkSize)?;
                if size >> 60 != 0 {
                    return Err(ProtocolError::ChunkSizeOverflow);
                }
                Place::Digits(size << 4 | digit)
            }
            (Place::Extension(size), _) if is_field(byte) => Place::Extension(size),
            (Place::SizeLineFeed(0), b'\n') => {
                self.line_bytes = 0;
                Place::TrailerStart
            }
            (Place::SizeLineFeed(size), b'\n') => Place::Data(size),
            (Place::SizeSpace(_) | Place::Extension(_) | Place::SizeLineFeed(_), _) => {
                return Err(ProtocolError::BadChunkSize)
            }
            (Place::DataReturn, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => Place::FirstDigit,
            (Place::DataReturn | Place::DataLineFeed, _) => return Err(ProtocolError::BadChunkEnd),
            (Place::TrailerStart, b'\r') => Place::LastLineFeed,
            (Place::TrailerStart | Place::TrailerName, _) if is_token(byte) => Place::TrailerName,
            (Place::TrailerName, b':') => Place::TrailerValue,
            (Place::TrailerValue, b'\r') => Place::TrailerLineFeed,
            (Place::TrailerValue, _) if is_field(byte) => Place::TrailerValue,
            (Place::TrailerLineFeed, b'\n') => Place::TrailerStart,
            (Place::LastLineFeed, b'\n') => Place::Done,
            (
                Place::TrailerStart
                | Place::TrailerName
                | Place::TrailerValue
                | Place::TrailerLineFeed
                | Place::LastLineFeed,
                _,
            ) => return Err(ProtocolError::BadTrailer),
            // Data is read in pieces by `read`, which stops when the body is done.
            (Place::Data(_) | Place::Done, _) => return Err(ProtocolError::UnexpectedBytes),
        };
        match place {
            Place::Digits(_) | Place::SizeSpace(_) | Place::Extension(_) if self.line_bytes > CHUNK_LINE_BYTES_MAX => {
                Err(ProtocolError::ChunkLineTooLong)
            }
            Place::TrailerName | Place::TrailerValue if self.line_bytes > TRAILER_BYTES_MAX => {
                Err(ProtocolError::TrailersTooLarge)
            }
            _ => Ok(place),
        }
    }
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, the bytes taken, and whether the body is complete.
    fn read(bytes: &[u8]) -> Result<(Vec<u8>, usize, bool), ProtocolError> {
        let mut data = Vec::new();
        let (taken, done) = ChunkedBody::new().read(bytes, |piece| {
            data.extend_from_slice(piece);
            Ok(())
        })?;
        Ok((data, taken, done))
    }

    fn error(bytes: &[u8]) -> ProtocolError {
        read(bytes).unwrap_err()
    }

    #[test]
    fn chunks_are_joined_and_the_surplus_left() {
        assert_eq!(read(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nHTTP"), Ok((b"abc0123456789".to_vec(), 28, true)));
    }

    #[test]
    fn an_empty_body_and_leading_zeros() {
        assert_eq!(read(b"0\r\n\r\n"), Ok((Vec::new(), 5, true)));
        assert_eq!(read(b"000\r\n\r\n"), Ok((Vec::new(), 7, true)));
        assert_eq!(read(b"00000000000000000002\r\nab\r\n0\r\n\r\n"), Ok((b"ab".to_vec(), 31, true)));
    }

    #[test]
    fn a_body_cut_off_anywhere_is_not_complete() {
        let whole = b"3;a=\"b\"\r\nabc\r\n0\r\nA: b\r\n\r\n";
        for cut in 0..whole.len() {
            let (_, taken, done) = read(&whole[..cut]).unwrap();
            assert_eq!((taken, done), (cut, false));
        }
        assert_eq!(read(whole), Ok((b"abc".to_vec(), whole.len(), true)));
    }

    #[test]
    fn extensions_are_skipped_with_the_space_the_grammar_allows() {
        assert_eq!(read(b"1 ; name = \"v;al\"\r\na\r\n0;x\r\n\r\n").unwrap().0, b"a");
    }

    #[test]
    fn size_lines_that_are_none() {
        for bad in [
            &b"\r\n"[..],
            b" 1\r\n",
            b"+1\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b"g\r\n",
            b"1 \r\n",
            b"1 2\r\n",
            b"1\n",
            b"1\rX",
            b"1;a\nb",
            b"1;a\0",
            b"1;a\rb",
            b";a\r\n",
            b"\n1\r\n",
        ] {
            assert_eq!(error(bad), ProtocolError::BadChunkSize, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn sizes_fit_64_bits() {
        assert_eq!(read(b"ffffffffffffffff\r\nab"), Ok((b"ab".to_vec(), 20, false)));
        assert_eq!(error(b"10000000000000000\r\n"), ProtocolError::ChunkSizeOverflow);
        assert_eq!(error(b"fffffffffffffffff\r\n"), ProtocolError::ChunkSizeOverflow);
    }

    #[test]
    fn data_ends_where_its_size_says() {
        for bad in [&b"3\r\nabcd\r\n"[..], b"3\r\nabc\n", b"3\r\nabc\rX", b"3\r\nabc0\r\n"] {
            assert_eq!(error(bad), ProtocolError::BadChunkEnd, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn trailers_are_header_lines() {
        assert_eq!(read(b"0\r\nA: b\r\nContent-Length: 9\r\n\r\nxyz"), Ok((Vec::new(), 30, true)));
        for bad in [
            &b"0\r\n: b\r\n"[..],
            b"0\r\nA b\r\n",
            b"0\r\nA : b\r\n",
            b"0\r\n folded\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\n",
            b"0\r\nA\r\n",
            b"0\r\n\rX",
            b"0\r\nA: \0\r\n",
        ] {
            assert_eq!(error(bad), ProtocolError::BadTrailer, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn size_lines_are_bounded() {
        let line = |length: usize| [b"1;", vec![b'a'; length - 2].as_slice(), b"\r\n"].concat();
        assert!(read(&line(CHUNK_LINE_BYTES_MAX)).is_ok());
        assert_eq!(error(&line(CHUNK_LINE_BYTES_MAX + 1)), ProtocolError::ChunkLineTooLong);
        assert_eq!(error(&vec![b'0'; CHUNK_LINE_BYTES_MAX + 1]), ProtocolError::ChunkLineTooLong);
        // The bound is for each line, not for their sum.
        let many = [b"1;aaaaaaaaaaaaa\r\nx\r\n".repeat(1000).as_slice(), b"0\r\n\r\n"].concat();
        assert_eq!(read(&many).unwrap().0.len(), 1000);
    }

    #[test]
    fn the_trailer_section_is_bounded() {
        let endless = [b"0\r\n".as_slice(), &b"A: b\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1)].concat();
        assert_eq!(error(&endless), ProtocolError::TrailersTooLarge);
        let long = [b"0\r\n".as_slice(), &b"A: b\r\n".repeat(TRAILER_BYTES_MAX / 6 - 1), b"\r\n"].concat();
        assert!(read(&long).unwrap().2);
    }
}
