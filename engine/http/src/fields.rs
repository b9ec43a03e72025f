//! The headers that decide where a message ends and whether the connection lives on.

use httparse::Header;

use crate::error::ProtocolError;
use crate::syntax::{is_token, trim};

/// What the framing headers of one head say, before status, method and version are considered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FramingFields {
    /// `Content-Length`, all its values agreeing.
    pub(crate) content_length: Option<u64>,
    /// `Transfer-Encoding`, all its lines taken as one list.
    pub(crate) transfer: TransferCodings,
    /// `Connection` names `close`.
    pub(crate) close: bool,
    /// `Connection` names `keep-alive`.
    pub(crate) keep_alive: bool,
}

/// The list of transfer codings, in the order applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TransferCodings {
    /// No such header.
    #[default]
    Absent,
    /// `chunked` and nothing else.
    Chunked,
    /// Others, then `chunked`: the framing is known, the payload is still coded.
    ChunkedLast,
    /// The last coding is not `chunked`: the body cannot be delimited by itself.
    Other {
        /// `chunked` was applied before the last coding, so it may not come again.
        chunked: bool,
    },
}

impl FramingFields {
    /// Reads them off a parsed head.
    ///
    /// # Errors
    /// `BadContentLength`, `ConflictingContentLength` and `BadTransferEncoding`, whatever else the message says: a peer
    /// that writes such a header cannot be trusted with framing at all.
    pub(crate) fn read(headers: &[Header<'_>]) -> Result<Self, ProtocolError> {
        let mut fields = Self::default();
        for header in headers {
            // The length of a name tells most headers apart without reading them.
            match header.name.len() {
                10 if header.name.eq_ignore_ascii_case("connection") => fields.connection(header.value),
                14 if header.name.eq_ignore_ascii_case("content-length") => fields.length(header.value)?,
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => fields.transfer(header.value)?,
                _ => {}
            }
        }
        Ok(fields)
    }

    /// Whether the sender lets the connection live on (RFC 9112 section 9.3).
    pub(crate) fn persistent(&self, version_minor: u8) -> bool {
        !self.close && (version_minor >= 1 || self.keep_alive)
    }

    /// The message breaks the rules on `Transfer-Encoding` beside other things (RFC 9112 sections 6.1 and 6.3).
    pub(crate) fn check_transfer(&self, version_minor: u8) -> Result<(), ProtocolError> {
        if self.transfer == TransferCodings::Absent {
            Ok(())
        } else if version_minor == 0 {
            Err(ProtocolError::TransferEncodingInHttp10)
        } else if self.content_length.is_some() {
            Err(ProtocolError::LengthAndTransferEncoding)
        } else {
            Ok(())
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(trim) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// A list of equal values is one value (RFC 9112 section 6.3, rule 5).
    fn length(&mut self, value: &[u8]) -> Result<(), ProtocolError> {
        for member in value.split(|byte| *byte == b',').map(trim) {
            let length = decimal(member).ok_or(ProtocolError::BadContentLength)?;
            match self.content_length {
                Some(earlier) if earlier != length => return Err(ProtocolError::ConflictingContentLength),
                _ => self.content_length = Some(length),
            }
        }
        Ok(())
    }

    fn transfer(&mut self, value: &[u8]) -> Result<(), ProtocolError> {
        for member in value.split(|byte| *byte == b',').map(trim) {
            let name_length = member.iter().position(|byte| !is_token(*byte)).unwrap_or(member.len());
            let (name, parameters) = member.split_at(name_length);
            if name.is_empty() || !matches!(trim(parameters), [] | [b';', ..]) {
                return Err(ProtocolError::BadTransferEncoding);
            }
            let chunked = name.eq_ignore_ascii_case(b"chunked");
            // `chunked` has no parameters (RFC 9112 section 7.1) and comes once (section 6.1).
            if chunked && !parameters.is_empty() {
                return Err(ProtocolError::BadTransferEncoding);
            }
            self.transfer = match (self.transfer, chunked) {
                (TransferCodings::Absent, true) => TransferCodings::Chunked,
                (TransferCodings::Other { chunked: false }, true) => TransferCodings::ChunkedLast,
                (_, true) => return Err(ProtocolError::BadTransferEncoding),
                (TransferCodings::Absent | TransferCodings::Other { chunked: false }, false) => {
                    TransferCodings::Other { chunked: false }
                }
                (_, false) => TransferCodings::Other { chunked: true },
            };
        }
        Ok(())
    }
}

/// Digits only, at least one, within 64 bits: no sign, no space, no separator.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&'static str, &'static str)]) -> Result<FramingFields, ProtocolError> {
        let headers: Vec<_> = lines.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        FramingFields::read(&headers)
    }

    fn length(value: &'static str) -> Result<Option<u64>, ProtocolError> {
        read(&[("Content-Length", value)]).map(|fields| fields.content_length)
    }

    fn transfer(value: &'static str) -> Result<TransferCodings, ProtocolError> {
        read(&[("Transfer-Encoding", value)]).map(|fields| fields.transfer)
    }

    #[test]
    fn lengths_are_plain_digits() {
        assert_eq!(length("0"), Ok(Some(0)));
        assert_eq!(length("00042"), Ok(Some(42)));
        assert_eq!(length("18446744073709551615"), Ok(Some(u64::MAX)));
        for bad in
            ["", "+1", "-1", "1 2", "0x10", "1.0", "1_0", "18446744073709551616", "99999999999999999999", "1,", ","]
        {
            assert_eq!(length(bad), Err(ProtocolError::BadContentLength), "{bad:?}");
        }
    }

    #[test]
    fn equal_lengths_are_one_and_different_ones_an_error() {
        assert_eq!(length("42, 42"), Ok(Some(42)));
        assert_eq!(read(&[("content-length", "7"), ("CONTENT-LENGTH", "7")]).unwrap().content_length, Some(7));
        assert_eq!(length("42, 43"), Err(ProtocolError::ConflictingContentLength));
        assert_eq!(
            read(&[("Content-Length", "7"), ("Content-Length", "8")]),
            Err(ProtocolError::ConflictingContentLength)
        );
    }

    #[test]
    fn transfer_codings_are_one_list() {
        assert_eq!(transfer("chunked"), Ok(TransferCodings::Chunked));
        assert_eq!(transfer("Chunked"), Ok(TransferCodings::Chunked));
        assert_eq!(transfer("gzip, chunked"), Ok(TransferCodings::ChunkedLast));
        assert_eq!(transfer("gzip;q=1 , chunked"), Ok(TransferCodings::ChunkedLast));
        assert_eq!(transfer("gzip"), Ok(TransferCodings::Other { chunked: false }));
        assert_eq!(transfer("chunked, gzip"), Ok(TransferCodings::Other { chunked: true }));
        let lines = [("Transfer-Encoding", "gzip"), ("transfer-encoding", "chunked")];
        assert_eq!(read(&lines).unwrap().transfer, TransferCodings::ChunkedLast);
    }

    #[test]
    fn chunked_comes_once_and_without_parameters() {
        for bad in [
            "chunked, chunked",
            "chunked, gzip, chunked",
            "chunked;a=b",
            "",
            ",",
            "chunked,",
            "chun ked",
            "\"chunked\"",
        ] {
            assert_eq!(transfer(bad), Err(ProtocolError::BadTransferEncoding), "{bad:?}");
        }
        let lines = [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")];
        assert_eq!(read(&lines), Err(ProtocolError::BadTransferEncoding));
    }

    #[test]
    fn connection_options_come_in_lists_and_in_any_case() {
        let fields = read(&[("Connection", "Upgrade, CLOSE")]).unwrap();
        assert!(fields.close && !fields.keep_alive);
        assert!(!fields.persistent(1));
        let fields = read(&[("connection", "foo"), ("Connection", "Keep-Alive ,bar")]).unwrap();
        assert!(fields.keep_alive && !fields.close);
        assert!(fields.persistent(0) && fields.persistent(1));
        assert!(!FramingFields::default().persistent(0));
        assert!(FramingFields::default().persistent(1));
        assert!(!read(&[("Connection", "keep-alive, close")]).unwrap().persistent(0));
    }
}
