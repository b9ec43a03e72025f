//! What must hold for any bytes whatever, shared by the property tests, the corpus replay and the fuzz target.

use pummel_plugin::frames::{self, BrokenPlugin, Hello, NoReply, HELLO, REPLY_BYTES_MAX};

/// A reply with a payload of its own.
pub(crate) type OwnedReply = (u32, bool, Vec<u8>);

/// What was read of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) replies: Vec<OwnedReply>,
    /// The begin of a reply that is not complete, or what came after the last is no reply.
    pub(crate) rest: Result<Vec<u8>, NoReply>,
}

/// Reads replies from pieces as they come, as a core does.
pub(crate) fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut replies = Vec::new();
    let mut received = Vec::new();
    for piece in pieces {
        received.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match frames::reply(&received[at..]) {
                Ok(Some((reply, bytes))) => {
                    assert_eq!(bytes, 9 + reply.payload.len());
                    assert!(reply.payload.len() <= REPLY_BYTES_MAX);
                    at += bytes;
                    replies.push((reply.id, reply.returned, reply.payload.to_vec()));
                }
                Ok(None) => break,
                Err(error) => return Outcome { replies, rest: Err(error) },
            }
        }
        received.drain(..at);
    }
    Outcome { replies, rest: Ok(received) }
}

/// The first byte is the length of the pieces, 0 for one piece; the rest is what a runner sends.
pub(crate) fn replies(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let whole = read([bytes].into_iter());
    if *piece > 0 {
        assert_eq!(read(bytes.chunks(usize::from(*piece))), whole);
    }
    let taken: usize = whole.replies.iter().map(|(_, _, payload)| 9 + payload.len()).sum();
    match &whole.rest {
        Ok(rest) => assert_eq!(taken + rest.len(), bytes.len()),
        Err(NoReply) => assert!(taken < bytes.len()),
    }
    for (_, returned, payload) in whole.replies.iter().filter(|(id, _, _)| *id == HELLO) {
        if *returned {
            first_words(payload);
        } else {
            let _ = serde_json::from_slice::<BrokenPlugin>(payload);
        }
    }
}

/// Names that are read can be written into a frame as they are.
fn first_words(payload: &[u8]) {
    let Ok(hello) = serde_json::from_slice::<Hello>(payload) else { return };
    for name in hello.own.iter().chain(&hello.imported) {
        let mut calls = frames::Calls::default();
        calls.push(1, name, "[]");
        let frame = calls.take(Vec::new());
        let read: Vec<(u32, String, Vec<u8>)> = serde_json::from_slice(&frame[4..]).unwrap();
        assert_eq!(read, [(1, name.clone(), Vec::new())]);
    }
}
