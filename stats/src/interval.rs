//! What one core recorded between two hand-overs.

use std::sync::Arc;

use crate::client::CpuTime;
use crate::endpoint::{EndpointCounts, EndpointKey};
use crate::failure::FailureSample;
use crate::latency::{Moments, Recorded};
use crate::phases::{ConnectionCells, RequestCells};
use crate::row::{ExchangeCounts, RowId, RowKey, Sample};

/// One row's cells in an interval.
#[derive(Debug, Default)]
pub(crate) struct RowCells {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) abandoned: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_decoded: u64,
    pub(crate) exchanges: ExchangeCounts,
    pub(crate) service: Recorded<u32>,
    pub(crate) response: Recorded<u32>,
    /// Failed requests; empty for transactions.
    pub(crate) failed_us: Recorded<u32>,
    /// Transactions, passed and failed; empty for requests.
    pub(crate) duration: Recorded<u32>,
    /// Made with the row's first request whose phases are recorded, which most runs never have.
    pub(crate) phases: Option<Box<RequestCells<u32>>>,
    /// Calls of plugin functions; made with the row's first, which most rows never have.
    pub(crate) plugin: Option<Box<Recorded<u32>>>,
}

impl RowCells {
    /// Adds a request that succeeded.
    #[inline]
    pub(crate) fn add(&mut self, sample: Sample) {
        self.succeeded += 1;
        self.bytes_received += sample.bytes_received;
        self.bytes_sent += sample.bytes_sent;
        self.service.record(sample.service_us);
        self.response.record(sample.response_us);
    }

    /// Adds a request that failed.
    pub(crate) fn add_failure(&mut self, failed_us: u64, bytes_received: u64, bytes_sent: u64) {
        self.failed += 1;
        self.bytes_received += bytes_received;
        self.bytes_sent += bytes_sent;
        self.failed_us.record(failed_us);
    }

    pub(crate) fn is_empty(&self) -> bool {
        // A call of a plugin may end in the interval before the one in which its request does.
        self.succeeded == 0
            && self.failed == 0
            && self.abandoned == 0
            && self.exchanges == ExchangeCounts::default()
            && self.plugin.as_ref().is_none_or(|calls| calls.moments().count() == 0)
    }

    fn clear(&mut self) {
        self.service.clear();
        self.response.clear();
        self.failed_us.clear();
        self.duration.clear();
        if let Some(phases) = &mut self.phases {
            phases.clear();
        }
        if let Some(calls) = &mut self.plugin {
            calls.clear();
        }
        self.succeeded = 0;
        self.failed = 0;
        self.abandoned = 0;
        self.bytes_received = 0;
        self.bytes_sent = 0;
        self.bytes_decoded = 0;
        self.exchanges = ExchangeCounts::default();
    }

    fn held_bytes(&self) -> u64 {
        self.service.held_bytes()
            + self.response.held_bytes()
            + self.failed_us.held_bytes()
            + self.duration.held_bytes()
            + self.phases.as_ref().map_or(0, |phases| phases.held_bytes())
            + self.plugin.as_ref().map_or(0, |calls| calls.held_bytes())
            + size_of::<Self>() as u64
    }
}

/// Counters of a whole core, kept apart from the rows so that the two can be held against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoreCounts {
    pub(crate) started: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) abandoned: u64,
    /// Part of `abandoned`: requests of a core that broke down, of which nobody knows what went over the wire.
    pub(crate) lost: u64,
    pub(crate) bytes_received: u64,
    pub(crate) connections_opened: u64,
    pub(crate) connections_closed: u64,
    pub(crate) connections_reused: u64,
    pub(crate) connections_stale: u64,
    pub(crate) connection_errors: u64,
    pub(crate) handshakes: u64,
    /// Part of `handshakes`: those that resumed a session.
    pub(crate) handshakes_resumed: u64,
    /// Calls of plugin functions that ended, by whatever way.
    pub(crate) plugin_calls: u64,
    /// Part of `plugin_calls`: those that failed.
    pub(crate) plugin_errors: u64,
    /// What these calls took, microseconds.
    pub(crate) plugin_us: u64,
    /// Arrivals of an open run that the schedule had.
    pub(crate) arrivals_intended: u64,
    /// Of these, those a user began.
    pub(crate) arrivals_made: u64,
    /// And those that never will be.
    pub(crate) arrivals_missed: u64,
    /// Part of `arrivals_made`: those that were late as every user was busy and there could be no further one.
    pub(crate) arrivals_waited: u64,
}

impl CoreCounts {
    /// Arrivals that were due and are neither made nor missed.
    pub(crate) fn arrivals_waiting(&self) -> u64 {
        self.arrivals_intended.saturating_sub(self.arrivals_made + self.arrivals_missed)
    }

    pub(crate) fn merge(&mut self, part: &CoreCounts) {
        self.started += part.started;
        self.succeeded += part.succeeded;
        self.failed += part.failed;
        self.abandoned += part.abandoned;
        self.lost += part.lost;
        self.bytes_received += part.bytes_received;
        self.connections_opened += part.connections_opened;
        self.connections_closed += part.connections_closed;
        self.connections_reused += part.connections_reused;
        self.connections_stale += part.connections_stale;
        self.connection_errors += part.connection_errors;
        self.handshakes += part.handshakes;
        self.handshakes_resumed += part.handshakes_resumed;
        self.plugin_calls += part.plugin_calls;
        self.plugin_errors += part.plugin_errors;
        self.plugin_us += part.plugin_us;
        self.arrivals_intended += part.arrivals_intended;
        self.arrivals_made += part.arrivals_made;
        self.arrivals_missed += part.arrivals_missed;
        self.arrivals_waited += part.arrivals_waited;
    }

    /// Requests begun and not finished.
    pub(crate) fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.succeeded + self.failed + self.abandoned)
    }
}

/// What Little's law needs, up to the stop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UserTime {
    /// Integral of the number of active users over time, nanoseconds; without the time of their once-per-user steps.
    pub(crate) active_ns: u128,
    /// What of it users rested between two iterations.
    pub(crate) rested_ns: u128,
    /// Iterations that ended by themselves, with their durations in microseconds.
    pub(crate) iterations: Moments,
    /// Users that began.
    pub(crate) users: u64,
}

impl UserTime {
    /// The time iterations were to fill, nanoseconds.
    pub(crate) fn at_work_ns(&self) -> u128 {
        self.active_ns.saturating_sub(self.rested_ns)
    }

    pub(crate) fn merge(&mut self, part: &UserTime) {
        self.active_ns += part.active_ns;
        self.rested_ns += part.rested_ns;
        self.iterations.merge(&part.iterations);
        self.users += part.users;
    }
}

/// What a core counted in one second. An interval that travels late brings several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecondTally {
    pub(crate) second: u64,
    /// Users active at its end.
    pub(crate) users: u64,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) bytes_received: u64,
    pub(crate) handshakes: u64,
    pub(crate) plugin_calls: u64,
    pub(crate) arrivals: u64,
    pub(crate) arrivals_missed: u64,
    /// Finished after the stop; `second` means nothing then.
    pub(crate) drain: bool,
}

/// A distinct error of a core.
#[derive(Clone, Debug)]
pub(crate) struct ErrorKey {
    pub(crate) kind: &'static str,
    /// `None` gathers what went over the limit.
    pub(crate) row: Option<u32>,
    pub(crate) message: Arc<str>,
}

/// Everything a core hands over at once. Two of these go back and forth between a core and the stats thread.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    pub(crate) core: usize,
    /// What it holds ended in the warm-up.
    pub(crate) warmup: bool,
    /// The core covers every second before this one.
    pub(crate) covered_until_s: u64,
    /// By second, rising; the rows' cells belong to the last of them.
    pub(crate) seconds: Vec<SecondTally>,
    pub(crate) rows: Vec<RowCells>,
    /// Rows interned since the last hand-over; their ids go on where the ones before ended.
    pub(crate) new_rows: Vec<Arc<RowKey>>,
    /// Counts by error id.
    pub(crate) errors: Vec<u64>,
    pub(crate) new_errors: Vec<ErrorKey>,
    /// Samples of failures by their rows, in the order they failed; few intervals have any.
    pub(crate) samples: Vec<(RowId, Box<FailureSample>)>,
    /// Failures that were to be kept and did not fit.
    pub(crate) samples_left_out: u64,
    /// Counts by endpoint id.
    pub(crate) endpoints: Vec<EndpointCounts>,
    pub(crate) new_endpoints: Vec<EndpointKey>,
    pub(crate) counts: CoreCounts,
    pub(crate) user_time: UserTime,
    pub(crate) lateness: Recorded<u32>,
    pub(crate) connections: ConnectionCells<u32>,
    /// Calls of plugin functions in iterations that belong to no row; made with the first.
    pub(crate) plugin_elsewhere: Option<Box<Recorded<u32>>>,
    /// The same of what users do once, before their iterations.
    pub(crate) plugin_in_setup: Option<Box<Recorded<u32>>>,
    /// Most calls of plugin functions under way at once.
    pub(crate) plugin_in_flight_max: u64,
    /// Most connections open at once, as seen when one was opened.
    pub(crate) connections_open_max: u64,
    /// Most users of an open run that were busy at once.
    pub(crate) users_busy_max: u64,
    /// An arrival waited for a user.
    pub(crate) waited_for_users: bool,
    /// When the core's first user began, nanoseconds on the run clock.
    pub(crate) first_user_ns: Option<u64>,
    /// When the core's last user ended so far.
    pub(crate) last_user_ns: u64,
    /// When the core stopped its load; set from then on.
    pub(crate) stopped_ns: Option<u64>,
    /// What the core's thread had had of its CPU when its load stopped, in the interval that ends there.
    pub(crate) cpu_at_stop: Option<CpuTime>,
    /// When the core's work ended: this is its last interval.
    pub(crate) finished_ns: Option<u64>,
}

impl Interval {
    /// Empties it for reuse; what is allocated stays.
    pub(crate) fn clear(&mut self) {
        self.warmup = false;
        self.seconds.clear();
        for row in &mut self.rows {
            if !row.is_empty() {
                row.clear();
            }
        }
        self.new_rows.clear();
        self.errors.fill(0);
        self.new_errors.clear();
        self.samples = Vec::new();
        self.samples_left_out = 0;
        self.endpoints.fill(EndpointCounts::default());
        self.new_endpoints.clear();
        self.counts = CoreCounts::default();
        self.user_time = UserTime::default();
        self.lateness.clear();
        self.connections.clear();
        for calls in [&mut self.plugin_elsewhere, &mut self.plugin_in_setup].into_iter().flatten() {
            calls.clear();
        }
        self.plugin_in_flight_max = 0;
        self.connections_open_max = 0;
        self.users_busy_max = 0;
        self.waited_for_users = false;
        self.first_user_ns = None;
        self.last_user_ns = 0;
        self.stopped_ns = None;
        self.cpu_at_stop = None;
        self.finished_ns = None;
    }

    /// Everything in it happened before the stop.
    pub(crate) fn in_window(&self) -> bool {
        self.seconds.last().is_none_or(|tally| !tally.drain)
    }

    /// Memory held, bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.rows.iter().map(RowCells::held_bytes).sum::<u64>()
            + self.lateness.held_bytes()
            + self.connections.held_bytes()
            + [&self.plugin_elsewhere, &self.plugin_in_setup]
                .into_iter()
                .flatten()
                .map(|calls| calls.held_bytes())
                .sum::<u64>()
    }
}
