//! A body with all its codings.

use thiserror::Error;

use super::{brotli::Brotli, inflate::Inflate, zstandard::Zstandard, Coding, Codings, CODINGS_MAX};
use crate::limits::RETAINED_BUFFER_BYTES;

/// The longest body that may come out unless told otherwise: as long as one that was never coded may be
/// ([`KEPT_BODY_BYTES_DEFAULT`](crate::KEPT_BODY_BYTES_DEFAULT)). A thousandth of it on the wire is enough to make it.
pub const DECODED_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a body cannot be decoded. Of bounded variety: nothing of the body stands in it.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// The coded bytes end before what they say does.
    #[error("the {0} body ends before it is complete")]
    Truncated(Coding),
    /// The bytes are not of that coding, or a checksum does not hold.
    #[error("the {0} body is corrupt")]
    Corrupt(Coding),
    /// As [`Corrupt`](Self::Corrupt), of zstd, whose window is also bounded (RFC 9659).
    #[error("the zstd body is corrupt, or needs a window above 8 MiB")]
    CorruptOrWindow,
    /// More comes out than may.
    #[error("the decoded body is larger than {0} bytes")]
    TooLarge(usize),
    /// `Content-Encoding` names more than [`CODINGS_MAX`](super::CODINGS_MAX).
    #[error("the body has more than {CODINGS_MAX} content codings")]
    TooManyCodings,
}

/// What one coding meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Truncated,
    Corrupt,
    TooLarge,
}

/// Takes codings off bodies. Its state is made when it is first needed and used again: one serves all the connections of a
/// core.
#[derive(Default)]
pub struct Decoder {
    inflate: Option<Inflate>,
    zstandard: Option<Zstandard>,
    /// The other buffer: a body is decoded from one into the other.
    spare: Vec<u8>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Replaces `body` by what it is without its codings, at most `limit` bytes at any stage. An empty body stays empty: so it is
    /// where a response has none, whatever its head says.
    ///
    /// # Errors
    /// [`DecodeError`]; `body` then holds what it held, or what an outer coding left of it.
    pub fn decode(&mut self, codings: Codings, body: &mut Vec<u8>, limit: usize) -> Result<(), DecodeError> {
        if !codings.any() || body.is_empty() {
            return Ok(());
        }
        if codings.too_many() {
            return Err(DecodeError::TooManyCodings);
        }
        for coding in codings.outermost_first() {
            self.spare.clear();
            let decoded = self.take_off(coding, body, limit);
            let told = decoded.map_err(|fault| match fault {
                Fault::Truncated => DecodeError::Truncated(coding),
                Fault::Corrupt if coding == Coding::Zstd => DecodeError::CorruptOrWindow,
                Fault::Corrupt => DecodeError::Corrupt(coding),
                Fault::TooLarge => DecodeError::TooLarge(limit),
            });
            if told.is_ok() {
                std::mem::swap(body, &mut self.spare);
            }
            if self.spare.capacity() > RETAINED_BUFFER_BYTES {
                self.spare = Vec::new();
            }
            told?;
        }
        Ok(())
    }

    fn take_off(&mut self, coding: Coding, body: &[u8], limit: usize) -> Result<(), Fault> {
        let out = &mut self.spare;
        match coding {
            Coding::Gzip => self.inflate.get_or_insert_default().gzip(body, out, limit),
            Coding::Deflate => self.inflate.get_or_insert_default().deflate(body, out, limit),
            Coding::Brotli => Brotli::decode(body, out, limit),
            Coding::Zstd => {
                if self.zstandard.is_none() {
                    self.zstandard = Some(Zstandard::new().map_err(|_| Fault::Corrupt)?);
                }
                self.zstandard.as_mut().map_or(Err(Fault::Corrupt), |zstandard| zstandard.decode(body, out, limit))
            }
        }
    }
}
