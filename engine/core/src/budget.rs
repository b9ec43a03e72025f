//! A bound of the whole run that its cores share: so many iterations, or so many requests.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::split::share;

/// What is left of it. Each core has a part to begin with and takes from that, which no other core looks at; one whose part is used up
/// takes from those of the others, one at a time. So all of it is used whatever the cores' users are able to do. A core holds nothing
/// back but the first one of each of its users that start at once: `hit -c 500 -n 500` asks for 500 at a time, whichever core is the
/// first to run. Those are lost with a core that breaks down, and handed out when users are told to end.
pub(crate) struct Budget {
    parts: Vec<Part>,
}

/// On cache lines of its own: the CPU fetches two at a time.
#[repr(align(128))]
struct Part {
    /// For the core itself.
    held: AtomicU64,
    /// For this core first, then for any.
    open: AtomicU64,
}

/// What became of the wish for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    One,
    /// It was the last of the run.
    Last,
    Nothing,
}

impl Budget {
    /// So many in all. `start_at_once` are the users of each core that begin with the run, and do so unless it ends.
    pub(crate) fn new(total: u64, start_at_once: &[u64]) -> Self {
        let (cores, wanted) = (start_at_once.len(), start_at_once.iter().sum::<u64>());
        let part = |(core, &users): (usize, &u64)| {
            let (held, open) = if wanted <= total {
                (users, share(total - wanted, core, cores))
            } else {
                // There is not one for each: equal parts, of which a core holds what it has users for.
                let part = share(total, core, cores);
                (part.min(users), part.saturating_sub(users))
            };
            Part { held: held.into(), open: open.into() }
        };
        Self { parts: start_at_once.iter().enumerate().map(part).collect() }
    }

    /// Takes one for a core.
    #[inline]
    pub(crate) fn take(&self, core: usize) -> Taken {
        let held = &self.parts[core].held;
        let open = self.from(core).map(|part| &part.open);
        for left in std::iter::once(held).chain(open) {
            // In one order for all cores, so that of those that take the last of a part each one sees the last of the run.
            if let Ok(left) = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
                return if left == 1 && self.used_up(core) { Taken::Last } else { Taken::One };
            }
        }
        Taken::Nothing
    }

    /// Leaves to all what the core holds: users of it may end without having taken theirs.
    pub(crate) fn release(&self, core: usize) {
        let part = &self.parts[core];
        part.open.fetch_add(part.held.swap(0, SeqCst), SeqCst);
    }

    /// Gives back one that was taken and not begun.
    pub(crate) fn give_back(&self, core: usize) {
        self.parts[core].open.fetch_add(1, SeqCst);
    }

    /// True when nothing is left. A core whose own part is not used up looks at no other.
    pub(crate) fn used_up(&self, core: usize) -> bool {
        self.from(core).all(|part| part.open.load(SeqCst) == 0 && part.held.load(SeqCst) == 0)
    }

    /// The parts, that of a core first.
    fn from(&self, core: usize) -> impl Iterator<Item = &Part> {
        let (before, rest) = self.parts.split_at(core);
        rest.iter().chain(before)
    }
}

#[cfg(test)]
mod tests {
    use std::{iter, thread};

    use super::*;

    /// How many a core can take.
    fn all_of(budget: &Budget, core: usize) -> usize {
        iter::repeat_with(|| budget.take(core)).take_while(|&taken| taken != Taken::Nothing).count()
    }

    #[test]
    fn what_a_core_leaves_another_takes() {
        let budget = Budget::new(10, &[0, 0]);
        // Core 1 has 5 and can do 4.
        assert_eq!([(); 4].map(|()| budget.take(1)), [Taken::One; 4]);
        assert_eq!([(); 5].map(|()| budget.take(0)), [Taken::One; 5]);
        assert!(!budget.used_up(0) && !budget.used_up(1));
        assert_eq!((budget.take(0), budget.take(0), budget.take(1)), (Taken::Last, Taken::Nothing, Taken::Nothing));
        assert!(budget.used_up(0) && budget.used_up(1));
        budget.give_back(0);
        assert!(!budget.used_up(1));
        assert_eq!((budget.take(1), budget.take(1)), (Taken::Last, Taken::Nothing));
    }

    #[test]
    fn fewer_than_there_are_cores_are_taken_by_whoever_comes() {
        let budget = Budget::new(2, &[0; 4]);
        assert_eq!((budget.take(3), budget.take(2), budget.take(0)), (Taken::One, Taken::Last, Taken::Nothing));
        assert_eq!(all_of(&Budget::new(0, &[3, 3]), 1), 0);
    }

    #[test]
    fn the_first_of_each_user_that_starts_at_once_is_left_to_its_core() {
        // 4 and 3 are held, and of the other 13 the cores have 7 and 6: core 0 may take all but what core 1 holds.
        let budget = Budget::new(20, &[4, 3]);
        assert_eq!(all_of(&budget, 0), 17);
        assert!(!budget.used_up(0) && !budget.used_up(1));
        assert_eq!([(); 4].map(|()| budget.take(1)), [Taken::One, Taken::One, Taken::Last, Taken::Nothing]);
        // Where cores have different numbers of users, as with HTTP/2, each has what its users need.
        let blocks = Budget::new(30, &[20, 10]);
        assert_eq!((all_of(&blocks, 1), all_of(&blocks, 0)), (10, 20));
        // No more than there is for the core: users beyond it have nothing to do.
        let few = Budget::new(3, &[5, 5]);
        assert_eq!((all_of(&few, 0), all_of(&few, 1)), (2, 1));
    }

    #[test]
    fn what_a_core_no_longer_holds_another_takes() {
        let budget = Budget::new(8, &[2, 2]);
        assert_eq!(all_of(&budget, 0), 6);
        budget.release(1);
        assert_eq!((budget.take(0), budget.take(0), budget.take(1)), (Taken::One, Taken::Last, Taken::Nothing));
    }

    #[test]
    fn cores_that_take_at_once_take_each_once_and_one_of_them_takes_the_last() {
        for total in [1, 7, 100_000] {
            let budget = Budget::new(total, &[0, 20, 5]);
            let takes = |core| iter::repeat_with(move || core).map(|core| budget.take(core));
            let (all, last) = thread::scope(|scope| {
                let cores = [0, 1, 2].map(|core| {
                    let taken = takes(core).take_while(|&taken| taken != Taken::Nothing);
                    scope.spawn(move || {
                        taken.fold((0, 0), |(all, last), taken| (all + 1, last + u64::from(taken == Taken::Last)))
                    })
                });
                let ended = cores.map(|core| core.join().unwrap());
                ended.into_iter().fold((0, 0), |(all, last), of_core| (all + of_core.0, last + of_core.1))
            });
            // Two that take their last at one moment may both see it.
            assert!(all == total && last >= 1, "{all} of {total}, {last} of them the last");
        }
    }
}
