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

use serde::{de::Error, Deserialize, Deserializer, Serialize};

/// The id of what the runner says first.
pub const HELLO: u32 = u32::MAX;

/// The largest payload of a reply. The runner answers with a failure instead of more.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the runner says first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Functions the plugin defines. The names of all functions are such as a case can write: identifiers in ASCII. Others are
    /// not read.
    #[serde(deserialize_with = "identifiers")]
    pub own: Vec<String>,
    /// Functions it imports.
    #[serde(deserialize_with = "identifiers")]
    pub imported: Vec<String>,
    /// The version of Python.
    pub python: String,
}

/// Reads names of functions, which [`Calls`] writes as they are.
fn identifiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    match names.iter().find(|name| !is_identifier(name)) {
        Some(name) => Err(D::Error::custom(format_args!("the function name {name:?} is no identifier"))),
        None => Ok(names),
    }
}

fn is_identifier(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_letter) && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
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
    /// Adds a call; `function` is a name of a [`Hello`], `arguments` a JSON array. A frame's length is a `u32`: who adds calls
    /// takes the frame long before.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(id: u32, status: u8, payload: &[u8]) -> Vec<u8> {
        [&(payload.len() as u32).to_le_bytes()[..], &id.to_le_bytes(), &[status], payload].concat()
    }

    #[test]
    fn calls_stand_in_one_array_behind_their_length() {
        let mut calls = Calls::default();
        assert!(calls.is_empty());
        calls.push(0, "sum_two", "[1,2]");
        calls.push(4_294_967_294, "now", "[]");
        assert!(!calls.is_empty());
        let frame = calls.take(Vec::new());
        assert_eq!(frame, b"\x2b\0\0\0[[0,\"sum_two\",[1,2]],[4294967294,\"now\",[]]]");
        assert!(calls.is_empty());
    }

    #[test]
    fn without_a_call_there_is_no_frame() {
        let mut calls = Calls::default();
        assert_eq!(calls.take(Vec::new()), b"");
    }

    #[test]
    fn the_next_frame_is_built_in_what_was_spared() {
        let mut calls = Calls::default();
        calls.push(1, "a", "[]");
        let spare = Vec::with_capacity(4096);
        let place = spare.as_ptr();
        let first = calls.take(spare);
        assert_eq!(first, b"\x0c\0\0\0[[1,\"a\",[]]]".as_slice());
        calls.push(2, "b", "[3]");
        let second = calls.take(Vec::new());
        assert_eq!(second, b"\x0d\0\0\0[[2,\"b\",[3]]]".as_slice());
        assert_eq!(second.as_ptr(), place);
    }

    #[test]
    fn a_reply_is_read_when_its_last_byte_is_there() {
        let bytes = bytes_of(7, 0, b"\"abc\"");
        for length in 0..bytes.len() {
            assert_eq!(reply(&bytes[..length]), Ok(None), "{length} bytes");
        }
        let expected = Reply { id: 7, returned: true, payload: b"\"abc\"" };
        assert_eq!(reply(&bytes), Ok(Some((expected, 14))));
    }

    #[test]
    fn what_follows_a_reply_stays_for_the_next() {
        let bytes = [bytes_of(1, 1, b"ValueError: no such user"), bytes_of(2, 0, b"")].concat();
        let (first, length) = reply(&bytes).unwrap().unwrap();
        assert_eq!((first.id, first.returned, first.payload, length), (1, false, &b"ValueError: no such user"[..], 33));
        let second = Reply { id: 2, returned: true, payload: b"" };
        assert_eq!(reply(&bytes[length..]), Ok(Some((second, 9))));
    }

    #[test]
    fn a_status_that_is_none_is_refused() {
        assert_eq!(reply(&bytes_of(1, 2, b"")), Err(NoReply));
        assert_eq!(reply(&bytes_of(1, 255, b"abc")), Err(NoReply));
    }

    #[test]
    fn a_payload_above_the_limit_is_refused_before_it_comes() {
        let head = |length: usize| [&(length as u32).to_le_bytes()[..], &[0; 5]].concat();
        assert_eq!(reply(&head(REPLY_BYTES_MAX)), Ok(None));
        assert_eq!(reply(&head(REPLY_BYTES_MAX + 1)), Err(NoReply));
        assert_eq!(reply(&head(u32::MAX as usize)), Err(NoReply));
    }

    #[test]
    fn only_names_that_a_case_can_write_are_read() {
        let hello = |name: &str| {
            let text = serde_json::json!({"own": [name], "imported": ["_b2"], "python": "3.11.2"});
            serde_json::from_value::<Hello>(text).map(|hello| hello.own)
        };
        for name in ["a", "_", "sum_two", "A1"] {
            assert_eq!(hello(name).unwrap(), [name]);
        }
        for name in ["", "1a", "a-b", "a b", "a\"", "a\\", "\n", "größe", "a.b"] {
            let error = hello(name).unwrap_err().to_string();
            assert_eq!(error, format!("the function name {name:?} is no identifier"));
        }
    }
}
