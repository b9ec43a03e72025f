//! The time a core's thread was awake with nothing to do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// How long a core has kept awake for something that was soon due, nanoseconds: for the kernel it ran, yet it could have done other
/// work, so it is no part of the share that says how busy the core was.
///
/// One core adds to it and the stats thread reads it, so that no more is needed than that the figure is never torn.
#[derive(Debug, Clone, Default)]
pub(crate) struct AwakeClock(Arc<AtomicU64>);

impl AwakeClock {
    /// Adds; only the thread of the core may.
    #[inline]
    pub(crate) fn add(&self, ns: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + ns, Ordering::Relaxed);
    }

    pub(crate) fn ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
