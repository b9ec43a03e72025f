//! Where a decoder writes to: a buffer that grows with what comes out, up to a limit.

use super::decoder::Fault;

/// What a decoder is given room for at a time, at first and at most. Small bodies cost little, and what is reserved in advance
/// of a large one stays small beside it.
const PIECE_BYTES_MIN: usize = 4 * 1024;
const PIECE_BYTES_MAX: usize = 256 * 1024;

/// How far a decoder came in one step.
pub(super) struct Step {
    /// Bytes it wrote.
    pub(super) written: usize,
    /// Nothing more will come.
    pub(super) done: bool,
}

/// Gives a decoder room behind what stands in `out`, again and again until it is done.
///
/// Each step has all the input there is, so one that writes nothing and is not done waits for input that does not exist.
pub(super) fn fill(
    out: &mut Vec<u8>,
    limit: usize,
    mut step: impl FnMut(&mut [u8]) -> Result<Step, Fault>,
) -> Result<(), Fault> {
    loop {
        let at = out.len();
        // One byte more than may be: only a body that fills it is too large.
        let room = at.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX).min(limit.saturating_add(1).saturating_sub(at)).max(1);
        out.resize(at + room, 0);
        let stepped = step(&mut out[at..]);
        out.truncate(at + stepped.as_ref().map_or(0, |step| step.written.min(room)));
        let Step { written, done } = stepped?;
        if out.len() > limit {
            return Err(Fault::TooLarge);
        }
        if done {
            return Ok(());
        }
        if written == 0 {
            return Err(Fault::Truncated);
        }
    }
}
