//! What the server counted, exact over its cores.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};

/// What a target has served so far, all cores together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Complete requests, whatever was answered; those for `/__stats` and `/__stamps` do not count.
    pub requests: u64,
    /// Requests that broke the protocol or the limit on bodies. They are not among `requests`.
    pub refused: u64,
    /// Connections accepted.
    pub connections_opened: u64,
    /// Connections accepted and not yet closed.
    pub connections_open: u64,
}

impl Counts {
    /// The body of `/__stats`.
    pub(crate) fn to_json(self) -> String {
        format!(
            r#"{{"requests":{},"refused":{},"connections_opened":{},"connections_open":{}}}"#,
            self.requests, self.refused, self.connections_opened, self.connections_open
        )
    }
}

/// One core's counters. Written by that core alone, so a store needs no locked instruction; two cache lines wide, so that
/// no core's writes disturb another (CPUs fetch lines in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct PerCore {
    requests: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
}

/// The counters of all cores.
#[derive(Debug, Clone)]
pub(crate) struct AllCounts {
    cores: Arc<[PerCore]>,
}

impl AllCounts {
    pub(crate) fn new(cores: usize) -> Self {
        Self { cores: (0..cores).map(|_| PerCore::default()).collect() }
    }

    /// The sum over cores. What a client has the answer to is in it.
    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        let mut closed = 0;
        for core in self.cores.iter() {
            // Closed before opened: a connection that comes and goes between the two reads is not closed twice.
            closed += core.closed.load(Ordering::Relaxed);
            total.connections_opened += core.opened.load(Ordering::Relaxed);
            total.requests += core.requests.load(Ordering::Relaxed);
            total.refused += core.refused.load(Ordering::Relaxed);
        }
        total.connections_open = total.connections_opened.saturating_sub(closed);
        total
    }

    /// The counters as core number `index` uses them.
    pub(crate) fn of_core(&self, index: usize) -> OwnCounts {
        assert!(index < self.cores.len(), "one set of counters per core");
        OwnCounts { all: self.clone(), index }
    }
}

/// A core's view: it raises its own counters and reads everyone's. Never shared between threads.
#[derive(Debug)]
pub(crate) struct OwnCounts {
    all: AllCounts,
    index: usize,
}

impl OwnCounts {
    pub(crate) fn total(&self) -> Counts {
        self.all.total()
    }

    #[inline]
    pub(crate) fn request(&self) {
        raise(&self.own().requests);
    }

    pub(crate) fn refused(&self) {
        raise(&self.own().refused);
    }

    pub(crate) fn opened(&self) {
        raise(&self.own().opened);
    }

    pub(crate) fn closed(&self) {
        raise(&self.own().closed);
    }

    fn own(&self) -> &PerCore {
        &self.all.cores[self.index]
    }
}

/// Adds one to a counter that only this thread writes.
#[inline]
fn raise(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{AllCounts, Counts};

    #[test]
    fn cores_add_up() {
        let all = AllCounts::new(2);
        let (first, second) = (all.of_core(0), all.of_core(1));
        first.opened();
        first.request();
        first.request();
        second.opened();
        second.request();
        second.refused();
        second.closed();
        let expected = Counts { requests: 3, refused: 1, connections_opened: 2, connections_open: 1 };
        assert_eq!(all.total(), expected);
        assert_eq!(expected.to_json(), r#"{"requests":3,"refused":1,"connections_opened":2,"connections_open":1}"#);
    }
}
