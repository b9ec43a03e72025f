//! What holds of every body that is decoded.

use pummel_http::{Codings, Decoder};

/// The longest that may come out.
const LIMIT: usize = 64 * 1024;

/// The first bytes choose the codings, the rest is the body.
pub(crate) fn decode(data: &[u8]) {
    let Some((&[choice, more], body)) = data.split_first_chunk() else { return };
    let mut codings = Codings::default();
    let name = |choice: u8| ["gzip", "deflate", "br", "zstd", "identity", "other"][usize::from(choice) % 6];
    codings.add_field(name(choice).as_bytes());
    for _ in 0..more % 4 {
        codings.add_field(name(more / 4).as_bytes());
    }
    let mut decoder = Decoder::default();
    let mut run = || {
        let mut decoded = body.to_vec();
        let ended = decoder.decode(codings, &mut decoded, LIMIT);
        (ended, decoded)
    };
    let (ended, decoded) = run();
    assert!(decoded.len() <= LIMIT.max(body.len()), "no more comes out than may");
    assert_eq!(run(), (ended, decoded.clone()), "a decoder that was used before decodes the same");
    if !codings.any() {
        assert_eq!((ended, &*decoded), (Ok(()), body), "nothing is taken off what is not coded");
    }
}
