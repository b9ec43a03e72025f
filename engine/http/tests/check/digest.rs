//! What holds of every challenge that is read.

use pummel_http::{DigestChallenge, DigestUse};

/// Any bytes as `WWW-Authenticate` fields, one a line.
pub(crate) fn digest(data: &[u8]) {
    let Some(challenge) = DigestChallenge::strongest(data.split(|byte| *byte == b'\n')) else { return };
    let one = DigestUse { user: "u\"\\", password: "p", method: "GET", target: "/a?b", cnonce: "c", count: 7 };
    let answer = challenge.answer(&one);
    assert!(answer.starts_with("Digest username=\""));
    assert_eq!(challenge.answer(&one), answer, "the same use is the same answer");
    // What is sent is read as a challenge reads its own: nothing in the server's words ends its value.
    let again = DigestChallenge::strongest(std::iter::once(answer.as_bytes()));
    if let Some(again) = again {
        assert_eq!((again.realm, again.nonce, again.opaque), (challenge.realm, challenge.nonce, challenge.opaque));
    }
}
