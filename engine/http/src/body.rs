//! Where the body of a message ends (RFC 9112 section 6), for both sides.

use crate::chunked::ChunkedBody;
use crate::error::ProtocolError;

/// A body being read. What delimits it was decided by its head.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyReader {
    /// So many bytes are still to come; none for a message without a body.
    Length(u64),
    /// Chunks, up to the last one and its trailers.
    Chunked(ChunkedBody),
    /// Everything until the peer closes; responses only.
    UntilClose,
}

impl BodyReader {
    /// Nothing follows the head.
    pub(crate) const EMPTY: Self = Self::Length(0);

    /// The body is complete without another byte.
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// Takes bytes up to the end of the body and hands the payload in them to `sink`. Returns how many were taken and
    /// whether the body is complete; if it is not, all of them were.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(usize, bool), ProtocolError> {
        match self {
            Self::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                if taken > 0 {
                    sink(&bytes[..taken])?;
                }
                *left -= taken as u64;
                Ok((taken, *left == 0))
            }
            Self::Chunked(chunked) => chunked.read(bytes, sink),
            Self::UntilClose => {
                sink(bytes)?;
                Ok((bytes.len(), false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &mut BodyReader, bytes: &[u8]) -> (Vec<u8>, usize, bool) {
        let mut data = Vec::new();
        let (taken, done) = reader
            .read(bytes, |piece| {
                data.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
        (data, taken, done)
    }

    #[test]
    fn a_length_takes_its_bytes_and_no_more() {
        let mut reader = BodyReader::Length(5);
        assert_eq!(read(&mut reader, b"abc"), (b"abc".to_vec(), 3, false));
        assert_eq!(read(&mut reader, b"defg"), (b"de".to_vec(), 2, true));
        assert!(reader.is_empty());
    }

    #[test]
    fn until_close_never_completes_by_itself() {
        let mut reader = BodyReader::UntilClose;
        assert_eq!(read(&mut reader, b"abc"), (b"abc".to_vec(), 3, false));
        assert!(!reader.is_empty());
    }

    #[test]
    fn an_error_of_the_sink_is_passed_on() {
        let refuse = |_: &[u8]| Err(ProtocolError::BodyTooLarge);
        assert_eq!(BodyReader::Length(1).read(b"a", refuse), Err(ProtocolError::BodyTooLarge));
        assert_eq!(BodyReader::UntilClose.read(b"a", refuse), Err(ProtocolError::BodyTooLarge));
        let mut chunked = BodyReader::Chunked(ChunkedBody::new());
        assert_eq!(chunked.read(b"1\r\na", refuse), Err(ProtocolError::BodyTooLarge));
    }
}
