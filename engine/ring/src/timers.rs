//! Deadlines in nanoseconds: a binary heap, with entries that are cancelled by being outdated.

use std::{cmp::Reverse, collections::BinaryHeap};

/// What a deadline belongs to: a key the caller knows it by, with a generation that outdates older entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    key: u32,
    generation: u32,
}

/// A queue of deadlines, earliest first. An entry is never searched for: who no longer wants it raises the generation of
/// its key and ignores it when it comes up.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(u64, Key)>>,
}

impl Timers {
    /// Adds a deadline, in nanoseconds of [`now_ns`](crate::now_ns).
    pub fn add(&mut self, deadline_ns: u64, key: u32, generation: u32) {
        self.heap.push(Reverse((deadline_ns, Key { key, generation })));
    }

    /// The earliest deadline, outdated entries included.
    pub fn next_ns(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one entry whose deadline is not after `now_ns`: its key and generation.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u32, u32)> {
        let Reverse((at, key)) = *self.heap.peek()?;
        if at > now_ns {
            return None;
        }
        self.heap.pop();
        Some((key.key, key.generation))
    }

    /// Entries waiting, outdated ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True when no entry waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;

    #[test]
    fn comes_out_in_order_of_deadline_and_never_early() {
        let mut timers = Timers::default();
        timers.add(30, 3, 0);
        timers.add(10, 1, 0);
        timers.add(20, 2, 7);
        assert_eq!(timers.next_ns(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(20), Some((1, 0)));
        assert_eq!(timers.pop_due(20), Some((2, 7)));
        assert_eq!(timers.pop_due(29), None);
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.pop_due(u64::MAX), Some((3, 0)));
        assert!(timers.is_empty());
    }
}
