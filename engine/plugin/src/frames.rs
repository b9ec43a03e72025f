//! The protocol between a core and our own Python runner, over a Unix stream socket.
//!
//! All lengths and numbers are little-endian. The core sends *calls*: a `u32` of the bytes that follow, then a JSON array of calls, as many
//! as are waiting, each `[id, "function", [arguments]]`; an id is a number below [`HELLO`], unique among the calls under way on
//! the connection. The runner answers each call, in any order, with a *reply*: a `u32` of the payload's bytes, the call's id as a
//! `u32`, one byte of status (0 returned, 1 the function failed), then the payload: the result as JSON, or what is wrong, as text in
//! one line. As many replies as are ready go out in one write.
//!
//! When a connection opens, the runner first sends one reply with the id [`HELLO`]: its payload is a [`Hello`] as JSON, or, with
//! status 1, the [`BrokenPlugin`] that keeps it from running; then it ends.

use serde::{Deserialize, Serialize};

/// The id of what the runner says first.
pub const HELLO: u32 = u32::MAX;

/// The largest payload of a reply. The runner answers with a failure instead of more.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the runner says first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Functions the plugin defines.
    pub own: Vec<String>,
    /// Functions it imports.
    pub imported: Vec<String>,
    /// The version of Python.
    pub python: String,
}

/// Why a plugin cannot run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenPlugin {
    /// True where the file is no Python (hrp's exit code 18), false where it raised while it was imported (31).
    pub syntax: bool,
    /// The last line of the exception, such as `SyntaxError: invalid syntax`.
    pub error: String,
    /// The file and line it points to, `debugtalk.py:3`; empty where it points to none.
    pub place: String,
}

/// Calls that are to be sent, in one frame.
#[derive(Debug, Default)]
pub struct Calls {
    bytes: Vec<u8>,
}

impl Calls {
    /// Adds a call; `arguments` is a JSON array.
    pub fn push(&mut self, id: u32, function: &str, arguments: &str) {
        let (opening, length) = if self.bytes.is_empty() { ("[", 4) } else { (",", 0) };
        self.bytes.resize(self.bytes.len() + length, 0);
        self.bytes.extend_from_slice(opening.as_bytes());
        // Writing to a Vec cannot fail; names of functions need no escapes.
        let _ = std::io::Write::write_fmt(&mut self.bytes, format_args!("[{id},\"{function}\",{arguments}]"));
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished frame, in place of which `spare`, empty, takes the next calls.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let mut frame = std::mem::replace(&mut self.bytes, spare);
        if !frame.is_empty() {
            frame.push(b']');
            let length = (frame.len() - 4) as u32;
            frame[..4].copy_from_slice(&length.to_le_bytes());
        }
        frame
    }
}

/// One reply, as it stands in the bytes received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Of which call; [`HELLO`] for the first.
    pub id: u32,
    /// True where the function returned.
    pub returned: bool,
    /// See the module.
    pub payload: &'a [u8],
}

/// The reply at the begin of `bytes`, and how many bytes it takes; none where more bytes are needed.
///
/// # Errors
/// What stands there is no reply.
pub fn reply(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, NoReply> {
    const HEAD_BYTES: usize = 9;
    let Some(([l0, l1, l2, l3, i0, i1, i2, i3, status], rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
    if length > REPLY_BYTES_MAX || *status > 1 {
        return Err(NoReply);
    }
    let id = u32::from_le_bytes([*i0, *i1, *i2, *i3]);
    let reply = |payload| (Reply { id, returned: *status == 0, payload }, HEAD_BYTES + length);
    Ok(rest.get(..length).map(reply))
}

/// What came is no reply of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's runner sent bytes that are no reply")]
pub struct NoReply;
