//! The contents of bodies whose length alone is asked for.

/// 64 letters and digits. Byte number `i` of a filled body is `ALPHABET[i % 64]`, so a reader can check order and place.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// Appends the bytes from `offset` on, `len` of them.
pub(crate) fn fill(out: &mut Vec<u8>, offset: u64, len: usize) {
    out.reserve(len);
    let start = (offset % ALPHABET.len() as u64) as usize;
    let head = len.min(ALPHABET.len() - start);
    out.extend_from_slice(&ALPHABET[start..start + head]);
    let mut left = len - head;
    while left > 0 {
        let piece = left.min(ALPHABET.len());
        out.extend_from_slice(&ALPHABET[..piece]);
        left -= piece;
    }
}

#[cfg(test)]
mod tests {
    use super::{fill, ALPHABET};

    #[test]
    fn every_byte_depends_on_its_place_alone() {
        let mut whole = Vec::new();
        fill(&mut whole, 0, 300);
        for (i, byte) in whole.iter().enumerate() {
            assert_eq!(*byte, ALPHABET[i % 64]);
        }
        for split in [0, 1, 63, 64, 65, 299, 300] {
            let mut parts = Vec::new();
            fill(&mut parts, 0, split);
            fill(&mut parts, split as u64, 300 - split);
            assert_eq!(parts, whole, "split at {split}");
        }
    }
}
