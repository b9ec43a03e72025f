//! What is counted over the whole run, its warm-up too: a connection opened in the warm-up is a connection of the run.

use crate::interval::{CoreCounts, Interval};
use crate::phases::ConnectionCells;

use super::endpoints::EndpointTotals;

/// Every interval, whichever part of the run it belongs to.
pub(super) struct WholeRun {
    pub(super) counts: CoreCounts,
    pub(super) connections: ConnectionCells<u64>,
    pub(super) endpoints: EndpointTotals,
    /// Most connections open at once, of each core.
    connections_most: Vec<u64>,
}

impl WholeRun {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            counts: CoreCounts::default(),
            connections: ConnectionCells::default(),
            endpoints: EndpointTotals::new(cores),
            connections_most: vec![0; cores],
        }
    }

    pub(super) fn merge(&mut self, interval: &Interval) {
        self.counts.merge(&interval.counts);
        self.connections.merge(&interval.connections);
        self.endpoints.merge(interval);
        let most = &mut self.connections_most[interval.core];
        *most = (*most).max(interval.connections_open_max);
    }

    /// Most connections open at once: the sum of each core's most.
    pub(super) fn connections_peak(&self) -> u64 {
        self.connections_most.iter().sum()
    }

    pub(super) fn connections_open(&self) -> u64 {
        self.counts.connections_opened.saturating_sub(self.counts.connections_closed)
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.connections.held_bytes()
    }
}
