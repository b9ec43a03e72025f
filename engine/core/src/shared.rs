//! What the cores of a run share. None of it is looked at for a request.

use std::sync::{atomic::AtomicU64, Arc};

use crate::{rendezvous::Rendezvous, Plan};

/// Made before the cores start and handed to each.
pub(crate) struct Shared {
    /// The next row of the parameters, for each case.
    pub(crate) cursors: Vec<Arc<AtomicU64>>,
    pub(crate) rendezvous: Rendezvous,
}

impl Shared {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { cursors: plan.cases.iter().map(|_| Arc::default()).collect(), rendezvous: Rendezvous::new(plan) }
    }
}
