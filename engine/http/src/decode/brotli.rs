//! Brotli (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{
    decoder::Fault,
    output::{fill, Step},
};

/// The decoder has no state that could be used again: its window is as large as each stream says, 16 MiB at most.
pub(super) struct Brotli;

impl Brotli {
    pub(super) fn decode(input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
        // Strict: without the large windows that are no part of the RFC.
        let mut state =
            BrotliState::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
        let (mut left, mut at, mut total) = (input.len(), 0, 0);
        fill(out, limit, |room| {
            let (mut free, mut written) = (room.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                input,
                &mut free,
                &mut written,
                room,
                &mut total,
                &mut state,
            );
            match result {
                BrotliResult::ResultSuccess => Ok(Step { written, done: true }),
                BrotliResult::NeedsMoreOutput => Ok(Step { written, done: false }),
                // All the input was there from the start.
                BrotliResult::NeedsMoreInput => Err(Fault::Truncated),
                BrotliResult::ResultFailure => Err(Fault::Corrupt),
            }
        })?;
        if left > 0 {
            return Err(Fault::Corrupt);
        }
        Ok(())
    }
}
