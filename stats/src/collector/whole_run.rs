//! What is counted over the whole run, its warm-up too: a connection opened in the warm-up is a connection of the run.

use crate::interval::{CoreCounts, Interval};
use crate::phases::ConnectionCells;

use super::endpoints::EndpointTotals;

/// Every interval, whichever part of the run it belongs to.
pub(super) struct WholeRun {
    pub(super) counts: CoreCounts,
    pub(super) connections: ConnectionCells<u64>,
    pub(super) endpoints: EndpointTotals,
    /// Most connections open at once, as far as hand-overs showed.
    pub(super) connections_peak: u64,
}

impl WholeRun {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            counts: CoreCounts::default(),
            connections: ConnectionCells::default(),
            endpoints: EndpointTotals::new(cores),
            connections_peak: 0,
        }
    }

    pub(super) fn merge(&mut self, interval: &Interval) {
        self.counts.merge(&interval.counts);
        self.connections.merge(&interval.connections);
        self.endpoints.merge(interval);
        self.connections_peak = self.connections_peak.max(self.connections_open());
    }

    pub(super) fn connections_open(&self) -> u64 {
        self.counts.connections_opened.saturating_sub(self.counts.connections_closed)
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.connections.held_bytes()
    }
}
