//! Run control: starts the cores, waits for the end of the load, stops them and brings the results together.

use std::sync::{
    atomic::{AtomicU8, Ordering},
    Arc,
};

use pummel_stats::{OutputSpec, Summary};

use crate::Plan;

/// Asks a run to end; clones share one state. Set from a signal handler or another thread.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<AtomicU8>);

impl StopSignal {
    /// One step further: the first call stops the load and drains, every further one ends the run now. Both still report.
    pub fn raise(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_add(1)));
    }

    /// How often [`raise`](Self::raise) was called, at most 255.
    pub fn raised(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a run could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plan asks for what cannot be done here; the text says what and what next.
    #[error("{0}")]
    Plan(String),
}

/// Runs the plan to its end and gives the summary; outputs are fed while it runs.
///
/// # Errors
/// [`EngineError`] when the run could not start. A run that started always ends with a summary.
pub fn run(plan: Plan, stop: &StopSignal, outputs: Vec<OutputSpec>) -> Result<Summary, EngineError> {
    let _ = (plan, stop, outputs);
    Err(EngineError::Plan("the engine is not connected yet".into()))
}
