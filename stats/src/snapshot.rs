//! What an output sees of a run while it goes on.

use std::sync::Arc;

use crate::collector::Model;
use crate::latency::{Distribution, Latency};
use crate::row::RowKey;
use crate::summary::{ErrorCount, SeriesPoint};

/// One published second, and everything up to it. Immutable and shared by all outputs.
///
/// The last snapshot of a run may be the drain (`point.drain`), which covers what finished after the stop. While the run is in its
/// warm-up (`point.warmup`), everything so far is the warm-up's; from then on it is what is measured, beginning anew.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The second this publishes; totals and percentiles over all requests.
    pub point: SeriesPoint,
    /// The same second row by row: only rows with activity, in the order of [`Self::totals`].
    pub rows: Vec<Arc<RowSecond>>,
    /// Everything so far, every row of the load, in the order first seen. Once-per-user steps stand in the summary alone.
    pub totals: Arc<[Arc<RowTotal>]>,
    /// All requests so far together (transactions are not in it).
    pub overall: Overall,
    /// Errors so far, the most frequent first.
    pub errors: Arc<[ErrorCount]>,
    /// What arrived late for seconds published before this one.
    pub corrections: Vec<Arc<Correction>>,
    /// Which latency the percentiles mean.
    pub model: Model,
    /// How the load generator is doing.
    pub client: ClientState,
}

/// All requests so far together.
#[derive(Clone, Debug, Default)]
pub struct Overall {
    /// Requests finished.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// Requests begun and not finished yet, as of the last interval of each core.
    pub in_flight: u64,
    /// Seconds of load these cover: first user's start, or the end of the warm-up, to the end of this second (or the stop).
    pub load_s: f64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes handed to sockets.
    pub bytes_sent: u64,
    /// The model's latency of those that succeeded.
    pub latency: Latency,
    /// Time the failed ones took.
    pub failed_us: Latency,
    /// Transactions passed; referenced cases are none.
    pub transactions_passed: u64,
    /// Transactions failed.
    pub transactions_failed: u64,
    /// Arrivals of an open run that a user began.
    pub arrivals_made: u64,
    /// Arrivals of an open run that were given up.
    pub arrivals_missed: u64,
    /// Arrivals of an open run that were due and still wait for a user.
    pub arrivals_waiting: u64,
}

/// One row in one second.
#[derive(Clone, Debug)]
pub struct RowSecond {
    /// Which row.
    pub key: Arc<RowKey>,
    /// Requests that succeeded, or transactions that passed.
    pub succeeded: u64,
    /// Requests or transactions that failed.
    pub failed: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes handed to sockets.
    pub bytes_sent: u64,
    /// The model's latency of the requests that succeeded; of transactions, the durations of all.
    pub latency: Distribution,
    /// Service time of the requests that succeeded, in an open run; empty in a closed one, where it is `latency`, and for transactions.
    pub service_us: Distribution,
    /// Time the failed requests took; empty for transactions.
    pub failed_us: Distribution,
}

impl RowSecond {
    /// A row in which nothing has happened.
    pub fn new(key: Arc<RowKey>) -> Self {
        Self {
            key,
            succeeded: 0,
            failed: 0,
            bytes_received: 0,
            bytes_sent: 0,
            latency: Distribution::default(),
            service_us: Distribution::default(),
            failed_us: Distribution::default(),
        }
    }

    /// Adds another part or another second of the same row. The result is exact, so a display that shows three seconds
    /// merges three of these and reads the percentiles of the result.
    pub fn merge(&mut self, part: &RowSecond) {
        self.succeeded += part.succeeded;
        self.failed += part.failed;
        self.bytes_received += part.bytes_received;
        self.bytes_sent += part.bytes_sent;
        self.latency.merge(&part.latency);
        self.service_us.merge(&part.service_us);
        self.failed_us.merge(&part.failed_us);
    }
}

/// One row so far.
#[derive(Clone, Debug)]
pub struct RowTotal {
    /// Which row.
    pub key: Arc<RowKey>,
    /// Requests that succeeded, or transactions that passed.
    pub succeeded: u64,
    /// Requests or transactions that failed.
    pub failed: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes handed to sockets.
    pub bytes_sent: u64,
    /// The model's latency of the requests that succeeded; of transactions, the durations of all.
    pub latency: Latency,
    /// Time the failed requests took; empty for transactions.
    pub failed_us: Latency,
}

/// A part that came after its second was published. A store applies each number once.
#[derive(Clone, Debug)]
pub struct Correction {
    /// Counts up from 1 over the run.
    pub number: u64,
    /// The second as it stands now; replaces what was published.
    pub point: SeriesPoint,
    /// Row by row, what came late; adds to what was published.
    pub rows: Vec<Arc<RowSecond>>,
}

/// How the load generator is doing, as of the last sampling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// CPU share of the busiest core of the load in the last second, 0 to 1; `None` when it cannot be read.
    pub cpu_share_max: Option<f64>,
    /// Connections open.
    pub connections_open: u64,
    /// Connections opened so far.
    pub connections_opened: u64,
    /// Sockets of the machine in TIME_WAIT; `None` when it cannot be read.
    pub time_wait: Option<u64>,
    /// Lateness so far.
    pub lateness_us: Latency,
}
