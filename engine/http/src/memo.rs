//! The head of the response before, so that the same head is not parsed again.

/// Heads up to this length are remembered: what APIs send. One is kept for each connection, so 10,000 take 10 MiB at most.
const MEMO_BYTES_MAX: usize = 1024;

/// A head with what it says. Servers send the same head over and over, but for the second in `Date`; comparing some 200
/// bytes costs a tenth of parsing them. A head says the same whenever it is the same bytes, so nothing else need be compared.
#[derive(Debug)]
pub(crate) struct HeadMemo<F> {
    head: Vec<u8>,
    facts: Option<F>,
}

impl<F> Default for HeadMemo<F> {
    fn default() -> Self {
        Self { head: Vec::new(), facts: None }
    }
}

impl<F: Copy> HeadMemo<F> {
    /// What the head says, if `bytes` begin with the head remembered.
    #[inline]
    pub(crate) fn recall(&self, bytes: &[u8]) -> Option<F> {
        let facts = self.facts?;
        bytes.starts_with(&self.head).then_some(facts)
    }

    /// Remembers a whole head, its empty line included: without that another head could begin with it.
    pub(crate) fn note(&mut self, head: &[u8], facts: F) {
        if head.len() > MEMO_BYTES_MAX {
            self.facts = None;
            return;
        }
        self.head.clear();
        self.head.extend_from_slice(head);
        self.facts = Some(facts);
    }
}

#[cfg(test)]
mod tests {
    use super::{HeadMemo, MEMO_BYTES_MAX};

    #[test]
    fn only_the_same_bytes_are_recalled() {
        let mut memo = HeadMemo::default();
        assert_eq!(memo.recall(b"a: b\r\n\r\n"), None);
        memo.note(b"a: b\r\n\r\n", 1);
        assert_eq!(memo.recall(b"a: b\r\n\r\nbody"), Some(1));
        assert_eq!(memo.recall(b"a: c\r\n\r\nbody"), None);
        assert_eq!(memo.recall(b"a: b\r\n"), None, "part of a head is no head");
    }

    #[test]
    fn a_long_head_is_not_kept_and_forgets_the_one_before() {
        let mut memo = HeadMemo::default();
        memo.note(b"x\r\n\r\n", 1);
        memo.note(&[b'x'; MEMO_BYTES_MAX + 1], 2);
        assert_eq!(memo.recall(&[b'x'; MEMO_BYTES_MAX + 1]), None);
        assert_eq!(memo.recall(b"x\r\n\r\n"), None);
    }
}
