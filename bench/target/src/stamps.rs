//! `/stamp`: when requests arrived, to be compared with when they should have.

use std::sync::{
    atomic::{AtomicU64, Ordering::Relaxed},
    Mutex, MutexGuard, PoisonError,
};

use crate::head::write_decimal;

/// Stamps a target keeps, all cores together: 16 MB of memory, some 30 MB as JSON.
pub(crate) const STAMPS_MAX: u64 = 2_000_000;

/// When the requests for `/stamp/...` arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Nanoseconds of `CLOCK_MONOTONIC`, ascending, of all cores.
    pub stamps_ns: Vec<u64>,
    /// How many more there were than the 2,000,000 that are kept.
    pub dropped: u64,
}

impl Stamps {
    /// The body of `/__stamps`.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Up to 16 digits and a comma each, for the first hundred days of a machine.
        let mut out = Vec::with_capacity(self.stamps_ns.len() * 17 + 64);
        out.extend_from_slice(br#"{"stamps_ns":["#);
        for (index, stamp) in self.stamps_ns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_decimal(&mut out, *stamp);
        }
        out.extend_from_slice(br#"],"dropped":"#);
        write_decimal(&mut out, self.dropped);
        out.push(b'}');
        out
    }
}

/// The logs of all cores. A core's lock is its own but for the moment in which all are emptied.
#[derive(Debug)]
pub(crate) struct StampLogs {
    cores: Box<[Log]>,
    /// Requests to stamp since the logs were emptied. Raised with a log's lock held, so never while they are emptied.
    seen: AtomicU64,
    max: u64,
}

/// One core's log, two cache lines wide as its counters are.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Log(Mutex<Vec<u64>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        // A log is whole between any two steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StampLogs {
    pub(crate) fn new(cores: usize) -> Self {
        Self::with_max(cores, STAMPS_MAX)
    }

    fn with_max(cores: usize, max: u64) -> Self {
        Self { cores: (0..cores).map(|_| Log::default()).collect(), seen: AtomicU64::new(0), max }
    }

    /// Notes an arrival on a core.
    #[inline]
    pub(crate) fn note(&self, core: usize, now_ns: u64) {
        let mut log = self.cores[core].lock();
        if self.seen.fetch_add(1, Relaxed) < self.max {
            log.push(now_ns);
        }
    }

    /// Empties the logs.
    pub(crate) fn take(&self) -> Stamps {
        // All are held at once, always in the same order: what is noted meanwhile is in the next.
        let mut logs: Vec<_> = self.cores.iter().map(Log::lock).collect();
        let seen = self.seen.swap(0, Relaxed);
        let taken: Vec<Vec<u64>> = logs.iter_mut().map(|log| std::mem::take(&mut **log)).collect();
        drop(logs);
        let mut stamps_ns = taken.concat();
        stamps_ns.sort_unstable();
        Stamps { stamps_ns, dropped: seen.saturating_sub(self.max) }
    }
}

#[cfg(test)]
mod tests {
    use super::{StampLogs, Stamps};

    #[test]
    fn logs_of_cores_become_one_in_order_and_begin_anew() {
        let logs = StampLogs::new(2);
        for (core, at_ns) in [(0, 10), (1, 5), (1, 20), (0, 15)] {
            logs.note(core, at_ns);
        }
        assert_eq!(logs.take(), Stamps { stamps_ns: vec![5, 10, 15, 20], dropped: 0 });
        assert_eq!(logs.take(), Stamps::default());
    }

    #[test]
    fn beyond_its_bound_stamps_are_counted() {
        let logs = StampLogs::with_max(2, 3);
        for at_ns in 0..5 {
            logs.note(at_ns as usize % 2, at_ns);
        }
        assert_eq!(logs.take(), Stamps { stamps_ns: vec![0, 1, 2], dropped: 2 });
        logs.note(1, 9);
        assert_eq!(logs.take(), Stamps { stamps_ns: vec![9], dropped: 0 });
    }

    #[test]
    fn as_json() {
        assert_eq!(Stamps::default().to_json(), br#"{"stamps_ns":[],"dropped":0}"#);
        let stamps = Stamps { stamps_ns: vec![1, 20], dropped: 3 };
        assert_eq!(stamps.to_json(), br#"{"stamps_ns":[1,20],"dropped":3}"#);
    }
}
