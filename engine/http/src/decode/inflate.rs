//! gzip (RFC 1952) and deflate (RFC 1950, 1951).

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{
    decoder::Fault,
    output::{fill, Step},
};

/// The part of a gzip header that is always there.
const HEADER_BYTES: usize = 10;

/// Checksum and length behind each member.
const TRAILER_BYTES: usize = 8;

/// Flags of a gzip header (RFC 1952 section 2.3.1).
const HAS_HEADER_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// The state of the deflate decoder, some 40 KiB.
pub(super) struct Inflate(Decompress);

impl Default for Inflate {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Inflate {
    /// All members, one behind the other; anything else behind a member is an error, as in Go.
    pub(super) fn gzip(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
        let mut rest = input;
        while !rest.is_empty() {
            rest = &rest[header_len(rest)?..];
            let start = out.len();
            let taken = self.stream(false, rest, out, limit)?;
            let Some((trailer, behind)) = rest[taken..].split_at_checked(TRAILER_BYTES) else {
                return Err(Fault::Truncated);
            };
            let mut checksum = Crc::new();
            checksum.update(&out[start..]);
            let (sum, len) = trailer.split_at(4);
            if sum != checksum.sum().to_le_bytes() || len != ((out.len() - start) as u32).to_le_bytes() {
                return Err(Fault::Corrupt);
            }
            rest = behind;
        }
        Ok(())
    }

    /// With its wrapper, or else without it: browsers take both, so servers send both. What stands behind the end is not looked
    /// at.
    pub(super) fn deflate(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
        if has_zlib_header(input) {
            match self.stream(true, input, out, limit) {
                Err(Fault::Corrupt) => out.clear(),
                decoded => return decoded.map(|_| ()),
            }
        }
        self.stream(false, input, out, limit).map(|_| ())
    }

    /// Decodes one stream; gives how much of the input it is.
    fn stream(&mut self, wrapped: bool, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<usize, Fault> {
        let state = &mut self.0;
        state.reset(wrapped);
        fill(out, limit, |room| {
            let before = state.total_out();
            let taken = state.total_in() as usize;
            let status = state.decompress(&input[taken..], room, FlushDecompress::None).map_err(|_| Fault::Corrupt)?;
            let written = (state.total_out() - before) as usize;
            Ok(Step { written, done: status == Status::StreamEnd })
        })?;
        Ok(state.total_in() as usize)
    }
}

/// How long a member's header is.
fn header_len(bytes: &[u8]) -> Result<usize, Fault> {
    let fixed =
        bytes.get(..HEADER_BYTES).ok_or(if bytes.starts_with(&[0x1f]) { Fault::Truncated } else { Fault::Corrupt })?;
    let flags = fixed[3];
    // The magic number, and method 8, which is deflate.
    if fixed[..3] != [0x1f, 0x8b, 8] || flags & RESERVED != 0 {
        return Err(Fault::Corrupt);
    }
    let mut at = HEADER_BYTES;
    if flags & HAS_EXTRA != 0 {
        let len = bytes.get(at..at + 2).ok_or(Fault::Truncated)?;
        at += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
    }
    for text in [HAS_NAME, HAS_COMMENT] {
        if flags & text != 0 {
            let rest = bytes.get(at..).ok_or(Fault::Truncated)?;
            at += memchr::memchr(0, rest).ok_or(Fault::Truncated)? + 1;
        }
    }
    if flags & HAS_HEADER_CHECKSUM != 0 {
        at += 2;
    }
    if at > bytes.len() {
        return Err(Fault::Truncated);
    }
    Ok(at)
}

/// RFC 1950 section 2.2: method 8, and a multiple of 31.
fn has_zlib_header(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}
