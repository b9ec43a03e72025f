//! Errors by label, no more than a bound of them.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each of a bounded number of errors came. Those that came first keep a place of their own.
#[derive(Debug)]
pub(super) struct ErrorSums<K> {
    most: usize,
    /// In the order first seen.
    keys: Vec<K>,
    places: HashMap<K, usize>,
    /// By place; the last is that of all others.
    sums: Vec<Sum>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// Of the warm-up, once that is over.
    before: u64,
    now: u64,
}

impl<K: Clone + Eq + Hash> ErrorSums<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, keys: Vec::new(), places: HashMap::new(), sums: vec![Sum::default()] }
    }

    /// Takes the errors as they stand; what was set before is replaced.
    pub(super) fn set(&mut self, errors: impl Iterator<Item = (K, u64)>) {
        self.sums.iter_mut().for_each(|sum| sum.now = 0);
        for (key, count) in errors {
            let place = self.place(key);
            self.sums[place].now += count;
        }
    }

    /// What comes from now on adds to what there is.
    pub(super) fn begin_anew(&mut self) {
        for sum in &mut self.sums {
            sum.before += sum.now;
            sum.now = 0;
        }
    }

    /// Those with a place of their own.
    pub(super) fn each(&self) -> impl Iterator<Item = (&K, u64)> {
        self.keys.iter().zip(&self.sums).map(|(key, sum)| (key, sum.before + sum.now))
    }

    /// All others together; `None` where there are none.
    pub(super) fn others(&self) -> Option<u64> {
        self.sums.last().map(|sum| sum.before + sum.now).filter(|count| *count > 0)
    }

    fn place(&mut self, key: K) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.keys.len();
        if place < self.most {
            self.keys.push(key.clone());
            self.places.insert(key, place);
            // That of all others moves to the end.
            self.sums.insert(place, Sum::default());
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keep_their_place_and_the_rest_is_one() {
        let mut sums = ErrorSums::new(2);
        sums.set([("a", 5), ("b", 2)].into_iter());
        sums.set([("c", 9), ("a", 6), ("b", 3), ("d", 1)].into_iter());
        assert_eq!(sums.each().collect::<Vec<_>>(), [(&"a", 6), (&"b", 3)]);
        assert_eq!(sums.others(), Some(10));
        sums.begin_anew();
        sums.set([("a", 1)].into_iter());
        assert_eq!(sums.each().collect::<Vec<_>>(), [(&"a", 7), (&"b", 3)]);
        assert_eq!(sums.others(), Some(10));
    }
}
