//! Zstandard (RFC 8878).

use std::io;

use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::{
    decoder::Fault,
    output::{fill, Step},
};

/// The largest window of the content coding: 8 MiB (RFC 9659 section 3).
const WINDOW_LOG_MAX: u32 = 23;

/// The state of the decoder.
pub(super) struct Zstandard(Decoder<'static>);

impl Zstandard {
    pub(super) fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self(decoder))
    }

    /// All frames, one behind the other.
    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
        self.0.reinit().map_err(|_| Fault::Corrupt)?;
        let mut at = 0;
        fill(out, limit, |room| {
            // A skippable frame, or the end of one, writes nothing: go on until there is something.
            loop {
                let status = self.0.run_on_buffers(&input[at..], room).map_err(|_| Fault::Corrupt)?;
                at += status.bytes_read;
                let done = status.remaining == 0 && at == input.len();
                if done || status.bytes_written > 0 || status.bytes_read == 0 {
                    return Ok(Step { written: status.bytes_written, done });
                }
            }
        })
    }
}
