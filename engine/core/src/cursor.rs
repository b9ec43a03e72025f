//! Which row of the parameters comes next (hrp spec 7.7): one sequence per case and run, shared by all users of all cores.

use std::{
    cell::Cell,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
};

use pummel_case::Parameters;

/// The most positions a core takes at once. Taking them costs one access to memory that cores share; 64 iterations make that
/// nothing, and what a core still holds when the run ends is little.
const MAX_BLOCK: u64 = 64;

/// A table gives each core so many blocks at least, so that the rows of a small one are used evenly.
const BLOCKS_PER_CORE: u64 = 16;

/// One core's hold on a case's sequence of positions: 0, 1, 2 and so on, each given out once in the whole run.
pub(crate) struct Cursor {
    /// The first position no core has taken.
    shared: Arc<AtomicU64>,
    block: u64,
    /// Positions there are; none where they begin again.
    bound: Option<u64>,
    /// What is left of this core's block.
    next: Cell<u64>,
    end: Cell<u64>,
}

impl Cursor {
    pub(crate) fn new(parameters: &Parameters, cores: usize, shared: Arc<AtomicU64>) -> Self {
        let rows = parameters.product();
        Self::over(rows, parameters.unique().then_some(rows), cores, shared)
    }

    fn over(rows: u64, bound: Option<u64>, cores: usize, shared: Arc<AtomicU64>) -> Self {
        let block = (rows / (cores as u64 * BLOCKS_PER_CORE)).clamp(1, MAX_BLOCK);
        Self { shared, block, bound, next: Cell::new(0), end: Cell::new(0) }
    }

    /// The next position; none once each was used.
    pub(crate) fn take(&self) -> Option<u64> {
        if self.next.get() == self.end.get() && !self.exhausted() {
            let first = self.shared.fetch_add(self.block, Ordering::Relaxed);
            self.next.set(first);
            self.end.set(first.saturating_add(self.block));
        }
        if self.exhausted() {
            return None;
        }
        let position = self.next.get();
        self.next.set(position + 1);
        Some(position)
    }

    /// True once this core found that no position is left.
    pub(crate) fn exhausted(&self) -> bool {
        self.bound.is_some_and(|bound| self.next.get() >= bound)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn taken(cursor: &Cursor, count: usize) -> Vec<u64> {
        std::iter::from_fn(|| cursor.take()).take(count).collect()
    }

    #[test]
    fn one_core_takes_every_position_in_order() {
        for rows in [1, 3, 100, 1_000_000] {
            let cursor = Cursor::over(rows, None, 1, Arc::default());
            assert_eq!(taken(&cursor, 200), (0..200).collect::<Vec<_>>(), "{rows} rows");
        }
    }

    #[test]
    fn the_block_grows_with_the_table() {
        let block = |rows, cores| Cursor::over(rows, None, cores, Arc::default()).block;
        assert_eq!((block(3, 2), block(64, 2), block(320, 2), block(100_000, 2)), (1, 2, 10, 64));
    }

    #[test]
    fn two_cores_use_each_position_of_a_unique_table_once() {
        for rows in [1, 5, 33, 1_000] {
            let shared = Arc::default();
            let cores = [0, 1].map(|_| Cursor::over(rows, Some(rows), 2, Arc::clone(&shared)));
            let mut seen = BTreeSet::new();
            let mut twice = 0;
            while cores.iter().any(|core| !core.exhausted()) {
                for position in cores.iter().filter_map(Cursor::take) {
                    twice += u64::from(!seen.insert(position));
                }
            }
            assert_eq!((seen, twice), ((0..rows).collect(), 0), "{rows} rows");
            assert_eq!(cores[0].take(), None);
        }
    }
}
