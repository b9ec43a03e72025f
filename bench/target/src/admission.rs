//! What a core knows beyond the request itself, and whether and when a request is answered by it.

use std::sync::Arc;

use pummel_ring::now_ns;

use crate::{
    bucket::Buckets,
    counts::{AllCounts, OwnCounts},
    queue::Queues,
    route::{BadNumber, Order},
    stamps::{StampLogs, Stamps},
};

/// Why a request is not given what its path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    BadNumber(#[from] BadNumber),
    /// The path is well, and one more of its kind than are kept.
    #[error("this target already keeps {max} different {what}; use one of those, or start another target")]
    TooMany { what: &'static str, max: usize },
    #[error("over the limit")]
    OverLimit,
    #[error("the queue is more than ten minutes behind")]
    Behind,
}

impl Refusal {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadNumber(_) | Self::TooMany { .. } => 400,
            Self::OverLimit => 429,
            Self::Behind => 503,
        }
    }
}

/// What the cores of a target share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counts: AllCounts,
    pub(crate) stamps: StampLogs,
    buckets: Buckets,
    queues: Queues,
}

impl Shared {
    pub(crate) fn new(cores: usize) -> Arc<Self> {
        Arc::new(Self {
            counts: AllCounts::new(cores),
            stamps: StampLogs::new(cores),
            buckets: Buckets::new(),
            queues: Queues::default(),
        })
    }
}

/// A core's view of it. Never shared between threads.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) counts: OwnCounts,
    shared: Arc<Shared>,
    core: usize,
}

impl Own {
    /// The view of core number `core`.
    pub(crate) fn new(shared: &Arc<Shared>, core: usize) -> Self {
        Self { counts: shared.counts.of_core(core), shared: Arc::clone(shared), core }
    }

    /// Lets the prefixes of a path that concern its arrival act: stamps it, asks the limit, then the queue. Returns when its
    /// answer may leave, of [`now_ns`]; 0 where nothing keeps it.
    ///
    /// # Errors
    /// What is answered instead.
    #[inline]
    pub(crate) fn admit(&self, order: &Order<'_>) -> Result<u64, Refusal> {
        if !order.stamp && order.limit.is_none() && order.queue_us.is_none() {
            return Ok(0);
        }
        let arrived_ns = now_ns();
        if order.stamp {
            self.shared.stamps.note(self.core, arrived_ns);
        }
        if let Some(rate) = order.limit {
            self.shared.buckets.take(rate, arrived_ns)?;
        }
        order.queue_us.map_or(Ok(0), |mean_us| self.shared.queues.arrive(mean_us, arrived_ns))
    }

    /// Empties the logs of all cores.
    pub(crate) fn take_stamps(&self) -> Stamps {
        self.shared.stamps.take()
    }
}
