//! The recorder: where a core puts what happened, on the request path.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::client::{AwakeClock, CpuTime};
use crate::clock::{last_second_of_load, NS_PER_S};
use crate::endpoint::{EndpointCounts, EndpointId, EndpointKey, EndpointKind, MAX_ENDPOINTS, OTHER_ENDPOINTS};
use crate::errors::Errors;
use crate::failure::{FailureSample, FirstOfEachSort, Take};
use crate::interval::{CoreCounts, Interval, RowCells, SecondTally};
use crate::phases::{Opening, RequestPhases};
use crate::row::{Exchanges, RowId, RowKey, Sample};

/// Most seconds one hand-over spells out one by one. A core that was stopped for longer (a suspended machine) skips the
/// seconds before; the stats thread publishes those as empty.
const MAX_SECONDS_AT_ONCE: u64 = 600;

/// Sets of cells a core uses: one being written and one travelling.
pub(crate) const SETS_PER_CORE: usize = 2;

/// Intervals of a core that can be under way at once: its sets, and one more each for the warm-up's end, the stop and the end,
/// which do not wait for a spare. The channels have this capacity, so a hand-over finds room always.
pub(crate) const TRAVELLING_PER_CORE: usize = SETS_PER_CORE + 3;

/// One core's recorder. It lives on the core's thread, shares nothing with other cores, takes no lock, and allocates only
/// on a row's first use.
///
/// All `_ns` are nanoseconds on the run clock, which starts at 0 with [`CollectorSpec::start`](crate::CollectorSpec).
pub struct Recorder {
    current: Box<Interval>,
    /// Empty sets the stats thread gave back.
    spares: Receiver<Box<Interval>>,
    collector: Sender<Box<Interval>>,
    rows: HashMap<Arc<RowKey>, RowId>,
    errors: Errors,
    endpoints: HashMap<EndpointKey, EndpointId>,
    samples: FirstOfEachSort,
    awake: AwakeClock,
    /// Everything handed over so far.
    sent: CoreCounts,
    /// How much of `current.counts` already stands in a second's tally.
    marked: CoreCounts,
    covered_until_s: u64,
    active_users: u64,
    /// Active users that do their once-per-user steps: their time is none of iterations.
    preparing_users: u64,
    active_since_ns: u64,
    any_user: bool,
    /// When the warm-up ends, until this core has parted it from the rest; `None` from then on, and where there is none.
    warmup_until_ns: Option<u64>,
    stopped_ns: Option<u64>,
    finished: bool,
}

/// What became of a core's arrivals in a part of an open run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArrivalsPart {
    /// Those the schedule had.
    pub intended: u64,
    /// Those a user began.
    pub made: u64,
    /// Those that never will be.
    pub missed: u64,
    /// Of those made, the ones that were late as every user was busy and there could be no further one.
    pub waited: u64,
    /// Most users that were busy at once.
    pub busy_max: u64,
    /// An arrival waited for a user: all of the core were busy, or its own was not done with its once-per-user steps.
    pub waited_for_users: bool,
}

/// On whose behalf a function of a plugin was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PluginCaller {
    /// The step with this row.
    Row(RowId),
    /// An iteration, outside its requests.
    #[default]
    Iteration,
    /// What a user does once, before its iterations, outside its requests.
    Setup,
}

impl Recorder {
    /// The recorder of a core; `warmup_ns` is where the warm-up ends on the run clock, if there is one.
    pub(crate) fn new(
        core: usize,
        warmup_ns: Option<u64>,
        samples_per_sort: u32,
        spares: Receiver<Box<Interval>>,
        collector: Sender<Box<Interval>>,
    ) -> Self {
        Self {
            current: Box::new(Interval { core, ..Interval::default() }),
            spares,
            collector,
            rows: HashMap::new(),
            errors: Errors::default(),
            endpoints: HashMap::new(),
            samples: FirstOfEachSort::new(samples_per_sort),
            awake: AwakeClock::default(),
            sent: CoreCounts::default(),
            marked: CoreCounts::default(),
            covered_until_s: 0,
            active_users: 0,
            preparing_users: 0,
            active_since_ns: 0,
            any_user: false,
            warmup_until_ns: warmup_ns,
            stopped_ns: None,
            finished: false,
        }
    }

    /// Messages of errors are recorded as `mask` makes them of a kind and a message: once for each that is new.
    pub fn mask_errors_with(&mut self, mask: fn(&str, &str) -> String) {
        self.errors.mask_with(mask);
    }

    /// The row of a key, made on first use. Call it when a user starts rather than for each request.
    pub fn row(&mut self, key: RowKey) -> RowId {
        if let Some(&id) = self.rows.get(&key) {
            return id;
        }
        let key = Arc::new(key);
        let id = RowId(self.rows.len() as u32);
        self.rows.insert(Arc::clone(&key), id);
        self.current.new_rows.push(key);
        self.current.rows.push(RowCells::default());
        id
    }

    /// A request began. Each ends in exactly one of [`succeeded`](Self::succeeded), [`failed`](Self::failed) and
    /// [`abandoned`](Self::abandoned).
    #[inline]
    pub fn started(&mut self) {
        self.current.counts.started += 1;
    }

    /// A request succeeded.
    #[inline]
    pub fn succeeded(&mut self, row: RowId, sample: Sample) {
        self.current.counts.succeeded += 1;
        self.current.counts.bytes_received += sample.bytes_received;
        let Some(cells) = self.current.rows.get_mut(row.0 as usize) else { return };
        cells.add(sample);
    }

    /// A request failed after `failed_us`. The kind is one of a bounded set; of messages, a core keeps
    /// [`MAX_ERRORS`] apart, cut at [`MAX_MESSAGE_BYTES`].
    pub fn failed(
        &mut self,
        row: RowId,
        failed_us: u64,
        bytes_received: u64,
        bytes_sent: u64,
        kind: &'static str,
        message: &str,
    ) {
        self.current.counts.failed += 1;
        self.current.counts.bytes_received += bytes_received;
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.add_failure(failed_us, bytes_received, bytes_sent);
        }
        self.count_error(row, kind, message);
    }

    /// A request was given up at the stop.
    pub fn abandoned(&mut self, row: RowId) {
        self.current.counts.abandoned += 1;
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.abandoned += 1;
        }
    }

    /// Counts every request that began and did not end as abandoned. For the place that catches a core's panic, where
    /// nobody is left to say what became of them; what they did on the wire stays unknown.
    pub fn abandon_unfinished(&mut self) {
        let lost = self.in_flight();
        self.current.counts.abandoned += lost;
        self.current.counts.lost += lost;
        let mut all = self.sent;
        all.merge(&self.current.counts);
        // Nobody is left to make the arrivals that were due.
        self.current.counts.arrivals_missed += all.arrivals_waiting();
    }

    /// Requests begun and not ended.
    pub fn in_flight(&self) -> u64 {
        let mut all = self.sent;
        all.merge(&self.current.counts);
        all.in_flight()
    }

    /// What one request did on the wire; once for each request, the abandoned ones too.
    #[inline]
    pub fn exchanges(&mut self, row: RowId, exchanges: Exchanges) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.exchanges.add(exchanges);
        }
    }

    /// Where the time of a request went that succeeded; at most once for each, the once-per-user ones too. Allocates on a
    /// row's first.
    pub fn request_phases(&mut self, row: RowId, phases: RequestPhases) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.phases.get_or_insert_default().record(phases);
        }
    }

    /// A response's body was decoded and became so long; once for each such response, before the request's end is recorded.
    pub fn decoded(&mut self, row: RowId, bytes: u64) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.bytes_decoded += bytes;
        }
    }

    /// A once-per-user request succeeded. It belongs to a row of [`RowKind::Setup`](crate::RowKind) and is no part of the load:
    /// nothing was [`started`](Self::started) for it.
    pub fn setup_succeeded(&mut self, row: RowId, sample: Sample) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.add(sample);
        }
    }

    /// As [`setup_succeeded`](Self::setup_succeeded), for one that failed. Its error stands among those of the run.
    pub fn setup_failed(
        &mut self,
        row: RowId,
        failed_us: u64,
        bytes_received: u64,
        bytes_sent: u64,
        kind: &'static str,
        message: &str,
    ) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.add_failure(failed_us, bytes_received, bytes_sent);
        }
        self.count_error(row, kind, message);
    }

    /// As [`setup_succeeded`](Self::setup_succeeded), for one given up at the stop.
    pub fn setup_abandoned(&mut self, row: RowId) {
        if let Some(cells) = self.current.rows.get_mut(row.0 as usize) {
            cells.abandoned += 1;
        }
    }

    /// A call of a plugin's function ended after `call_us`, microseconds; it `failed` where it gave no value, whether by the
    /// function's fault or the plugin's. Once for each call; allocates on a caller's first. What a failed call does to its request
    /// is told of apart.
    pub fn plugin_call(&mut self, caller: PluginCaller, call_us: u64, failed: bool) {
        let counts = &mut self.current.counts;
        counts.plugin_calls += 1;
        counts.plugin_errors += u64::from(failed);
        counts.plugin_us += call_us;
        let current = &mut *self.current;
        let calls = match caller {
            PluginCaller::Row(row) => match current.rows.get_mut(row.0 as usize) {
                Some(cells) => &mut cells.plugin,
                None => &mut current.plugin_elsewhere,
            },
            PluginCaller::Iteration => &mut current.plugin_elsewhere,
            PluginCaller::Setup => &mut current.plugin_in_setup,
        };
        calls.get_or_insert_default().record(call_us);
    }

    /// So many calls of plugin functions are under way on this core now. Call it whenever their number has risen.
    #[inline]
    pub fn plugin_in_flight(&mut self, in_flight: u64) {
        let max = &mut self.current.plugin_in_flight_max;
        *max = (*max).max(in_flight);
    }

    /// What all calls of plugin functions on this core took so far, microseconds.
    pub fn plugin_time_us(&self) -> u64 {
        self.sent.plugin_us + self.current.counts.plugin_us
    }

    /// Counts an error of something that is no request, such as a referenced case that could not begin.
    pub fn count_error(&mut self, row: RowId, kind: &'static str, message: &str) {
        let (error, new) = self.errors.id(row, kind, message);
        if let Some(key) = new {
            self.current.new_errors.push(key);
            self.current.errors.push(0);
        }
        self.current.errors[error as usize] += 1;
    }

    /// Whether a failure of this row and kind is to be kept: there are fewer than the run asks for, and they have not used up the
    /// bounds of all.
    pub fn wants_sample(&self, row: RowId, kind: &'static str) -> bool {
        self.samples.wants(row, kind)
    }

    /// Keeps a failure, after the ones before it, if it is [wanted](Self::wants_sample). Its case, its step and whether that is a
    /// once-per-user step are the row's, whatever it says.
    pub fn sample(&mut self, row: RowId, kind: &'static str, sample: Box<FailureSample>) {
        match self.samples.take(row, kind, &sample) {
            Take::Kept => self.current.samples.push((row, sample)),
            Take::LeftOut => self.current.samples_left_out += 1,
            Take::Enough => {}
        }
    }

    /// A failure was not written down. It counts as left out if that was for the bounds of all.
    pub fn leave_out_sample(&mut self, row: RowId, kind: &'static str) {
        self.current.samples_left_out += u64::from(self.samples.leaves_out(row, kind));
    }

    /// A transaction ended after `duration_us`.
    #[inline]
    pub fn transaction(&mut self, row: RowId, passed: bool, duration_us: u64) {
        let Some(cells) = self.current.rows.get_mut(row.0 as usize) else { return };
        cells.succeeded += u64::from(passed);
        cells.failed += u64::from(!passed);
        cells.duration.record(duration_us);
    }

    /// An iteration ran to its end. For Little's law: those cut off by the stop do not count, nor those that end after
    /// it.
    #[inline]
    pub fn iteration(&mut self, duration_us: u64) {
        if self.stopped_ns.is_none() {
            self.current.user_time.iterations.record(duration_us);
        }
    }

    /// How long a request waited in the engine: in a closed run from ready to handed to the kernel, in an open run from
    /// its intended time on.
    #[inline]
    pub fn lateness(&mut self, us: u64) {
        self.current.lateness.record(us);
    }

    /// A user began.
    pub fn user_started(&mut self, at_ns: u64) {
        self.close_user_time(at_ns);
        if !self.any_user {
            self.any_user = true;
            self.current.first_user_ns = Some(at_ns);
        }
        self.active_users += 1;
        self.current.user_time.users += 1;
    }

    /// A user ended.
    pub fn user_finished(&mut self, at_ns: u64) {
        self.close_user_time(at_ns);
        self.active_users = self.active_users.saturating_sub(1);
        self.current.last_user_ns = self.current.last_user_ns.max(at_ns);
    }

    /// An active user begins its once-per-user steps: until they end its time is none that iterations fill, so Little's law
    /// leaves it out.
    pub fn setup_began(&mut self, at_ns: u64) {
        self.close_user_time(at_ns);
        self.preparing_users += 1;
    }

    /// The once-per-user steps of a user ended, by whatever way.
    pub fn setup_ended(&mut self, at_ns: u64) {
        self.close_user_time(at_ns);
        self.preparing_users = self.preparing_users.saturating_sub(1);
    }

    /// An active user had nothing to do between two iterations, as it waited for its turn or the end of a pause: from the end of the
    /// one before to the time the next was due. That is no time iterations fill, so Little's law leaves it out; how late the next
    /// one then began is part of it.
    #[inline]
    pub fn rested(&mut self, from_ns: u64, until_ns: u64) {
        let until_ns = until_ns.min(self.stopped_ns.unwrap_or(u64::MAX));
        self.current.user_time.rested_ns += u128::from(until_ns.saturating_sub(from_ns));
    }

    /// What became of the arrivals of an open run since the last call. Call it before each hand-over.
    pub fn arrivals(&mut self, part: ArrivalsPart) {
        let counts = &mut self.current.counts;
        counts.arrivals_intended += part.intended;
        counts.arrivals_made += part.made;
        counts.arrivals_missed += part.missed;
        counts.arrivals_waited += part.waited;
        let max = &mut self.current.users_busy_max;
        *max = (*max).max(part.busy_max);
        self.current.waited_for_users |= part.waited_for_users;
    }

    /// For so long this core kept awake with nothing to do, for an arrival that is soon due.
    #[inline]
    pub fn kept_awake(&mut self, ns: u64) {
        self.awake.add(ns);
    }

    pub(crate) fn awake(&self) -> AwakeClock {
        self.awake.clone()
    }

    /// The entry of an address, made on first use. Beyond [`MAX_ENDPOINTS`] of a kind all share one,
    /// [`OTHER_ENDPOINTS`]. Call it when a connection is opened rather than for each request.
    pub fn endpoint(&mut self, kind: EndpointKind, name: &str) -> EndpointId {
        let key = EndpointKey { kind, name: name.into() };
        if let Some(&id) = self.endpoints.get(&key) {
            return id;
        }
        let of_kind = self.endpoints.keys().filter(|key| key.kind == kind).count();
        if of_kind >= MAX_ENDPOINTS && name != OTHER_ENDPOINTS {
            return self.endpoint(kind, OTHER_ENDPOINTS);
        }
        let id = EndpointId(self.endpoints.len() as u32);
        self.endpoints.insert(key.clone(), id);
        self.current.new_endpoints.push(key);
        self.current.endpoints.push(EndpointCounts::default());
        id
    }

    /// A connection to or from an address was established.
    pub fn endpoint_connected(&mut self, id: EndpointId) {
        if let Some(counts) = self.current.endpoints.get_mut(id.0 as usize) {
            counts.connections += 1;
        }
    }

    /// An attempt to connect to or from an address failed.
    pub fn endpoint_refused(&mut self, id: EndpointId) {
        if let Some(counts) = self.current.endpoints.get_mut(id.0 as usize) {
            counts.connect_errors += 1;
        }
    }

    /// A request went out on a connection to or from an address, and no complete response came if it `failed`.
    #[inline]
    pub fn endpoint_request(&mut self, id: EndpointId, failed: bool) {
        if let Some(counts) = self.current.endpoints.get_mut(id.0 as usize) {
            counts.requests += 1;
            counts.failures += u64::from(failed);
        }
    }

    /// A connection was established.
    pub fn opened(&mut self, opening: Opening) {
        self.current.counts.connections_opened += 1;
        let opened = self.sent.connections_opened + self.current.counts.connections_opened;
        let closed = self.sent.connections_closed + self.current.counts.connections_closed;
        let most = &mut self.current.connections_open_max;
        *most = (*most).max(opened.saturating_sub(closed));
        let connections = &mut self.current.connections;
        if let Some(dns_us) = opening.dns_us {
            connections.dns.record(dns_us);
        }
        connections.connect.record(opening.connect_us);
    }

    /// A TLS handshake was completed after `tls_us`; `resumed` where it took up an earlier session.
    pub fn handshake(&mut self, tls_us: u64, resumed: bool) {
        self.current.counts.handshakes += 1;
        self.current.counts.handshakes_resumed += u64::from(resumed);
        self.current.connections.tls.record(tls_us);
    }

    /// A connection was closed, by either side.
    pub fn connection_closed(&mut self) {
        self.current.counts.connections_closed += 1;
    }

    /// A request goes out on a connection that has carried one before.
    #[inline]
    pub fn connection_reused(&mut self) {
        self.current.counts.connections_reused += 1;
    }

    /// An idle connection turned out to be dead on reuse.
    pub fn connection_stale(&mut self) {
        self.current.counts.connections_stale += 1;
    }

    /// An attempt to connect failed.
    pub fn connection_error(&mut self) {
        self.current.counts.connection_errors += 1;
    }

    /// Hands over what was recorded, if the stats thread has given a set back; otherwise the core goes on recording into
    /// the same one, which travels at a later call. Never blocks, and loses nothing either way.
    ///
    /// Call it about once a second of the run clock. Every second before `covered_until_s` is covered from now on: 1
    /// covers the first second. What was recorded since the last call counts to the last second covered. Where the warm-up ended
    /// within these seconds and nobody has said so yet, this does what [`warmup_ended`](Self::warmup_ended) does.
    pub fn hand_over(&mut self, covered_until_s: u64) {
        if self.finished {
            return;
        }
        if self.stopped_ns.is_none() {
            if covered_until_s <= self.covered_until_s {
                return;
            }
            self.cover(covered_until_s);
            if self.warmup_is_over(covered_until_s.saturating_mul(NS_PER_S)) {
                return self.part_warmup();
            }
        } else {
            self.tally(0, true);
        }
        if let Ok(spare) = self.spares.try_recv() {
            self.travel(spare);
        }
    }

    /// The warm-up is over: what has ended before this call belongs to it, what ends from here on is measured. Hands over in any
    /// case, so that no interval lies on both sides. Call it once the run clock has reached the end of the warm-up the collector
    /// was [told of](crate::CollectorSpec::warmup); a core that is late parts the two when it gets here. Nothing happens in a run
    /// without a warm-up, nor after the stop.
    pub fn warmup_ended(&mut self, at_ns: u64) {
        if self.finished || self.stopped_ns.is_some() || self.warmup_until_ns.is_none() {
            return;
        }
        let second = at_ns / NS_PER_S;
        if second > self.covered_until_s {
            self.cover(second);
        } else {
            // The second goes on: its users are counted at its end.
            self.push_tally(second, 0, false);
        }
        self.close_user_time(at_ns);
        self.part_warmup();
    }

    fn warmup_is_over(&self, at_ns: u64) -> bool {
        self.warmup_until_ns.is_some_and(|end_ns| end_ns <= at_ns)
    }

    /// Hands over the last of the warm-up.
    fn part_warmup(&mut self) {
        let spare = self.spares.try_recv().unwrap_or_default();
        self.travel(spare);
        self.warmup_until_ns = None;
        // Those that are measured are not only those that begin from here on.
        self.current.user_time.users = self.active_users;
    }

    /// The load stops now. What ends from here on belongs to the drain, and does not count towards rates. Hands over in
    /// any case, so that no interval lies on both sides. A stop within the warm-up makes all of the run, the drain included, a
    /// part of it.
    pub fn load_stopped(&mut self, at_ns: u64) {
        if self.finished || self.stopped_ns.is_some() {
            return;
        }
        self.close_user_time(at_ns);
        self.stopped_ns = Some(at_ns);
        self.current.stopped_ns = Some(at_ns);
        self.current.cpu_at_stop = CpuTime::own(&self.awake);
        self.tally(last_second_of_load(at_ns), false);
        let spare = self.spares.try_recv().unwrap_or_default();
        self.travel(spare);
        if self.warmup_is_over(at_ns) {
            self.warmup_until_ns = None;
        }
    }

    /// The core's work is over: hands over the rest, marked as the last. Nothing is recorded after it.
    pub fn finish(&mut self, at_ns: u64) {
        if self.finished {
            return;
        }
        self.close_user_time(at_ns);
        if self.stopped_ns.is_some() {
            self.tally(0, true);
        } else {
            self.tally(last_second_of_load(at_ns), false);
        }
        self.current.finished_ns = Some(at_ns);
        self.travel(Box::default());
        self.finished = true;
    }

    /// Adds up the time of the active users until now; the stop ends it.
    fn close_user_time(&mut self, at_ns: u64) {
        if self.stopped_ns.is_some() {
            return;
        }
        let elapsed_ns = at_ns.saturating_sub(self.active_since_ns);
        let users = self.active_users.saturating_sub(self.preparing_users);
        self.current.user_time.active_ns += u128::from(elapsed_ns) * u128::from(users);
        self.active_since_ns = self.active_since_ns.max(at_ns);
    }

    /// Writes the tally of each second up to `until_s`; the last takes what was counted since the tally before.
    fn cover(&mut self, until_s: u64) {
        self.close_user_time(until_s.saturating_mul(NS_PER_S));
        let first = self.covered_until_s.max(until_s.saturating_sub(MAX_SECONDS_AT_ONCE));
        for second in first..until_s - 1 {
            self.current.seconds.push(SecondTally { second, users: self.active_users, ..SecondTally::default() });
        }
        self.tally(until_s - 1, false);
        self.covered_until_s = until_s;
        self.current.covered_until_s = until_s;
    }

    /// Writes what was counted since the last tally. In a second already covered only the counts are added.
    fn tally(&mut self, second: u64, drain: bool) {
        let users = if drain || second < self.covered_until_s { 0 } else { self.active_users };
        self.push_tally(second, users, drain);
    }

    fn push_tally(&mut self, second: u64, users: u64, drain: bool) {
        let (now, before) = (&self.current.counts, &self.marked);
        let tally = SecondTally {
            second,
            users,
            requests: now.succeeded + now.failed - before.succeeded - before.failed,
            failures: now.failed - before.failed,
            bytes_received: now.bytes_received - before.bytes_received,
            handshakes: now.handshakes - before.handshakes,
            plugin_calls: now.plugin_calls - before.plugin_calls,
            arrivals: now.arrivals_made - before.arrivals_made,
            arrivals_missed: now.arrivals_missed - before.arrivals_missed,
            drain,
        };
        self.marked = *now;
        self.current.seconds.push(tally);
    }

    /// Sends the current interval and goes on with `spare`.
    fn travel(&mut self, mut spare: Box<Interval>) {
        spare.core = self.current.core;
        self.current.warmup = self.warmup_until_ns.is_some();
        spare.covered_until_s = self.covered_until_s;
        spare.stopped_ns = self.stopped_ns;
        spare.rows.resize_with(self.rows.len(), RowCells::default);
        spare.errors.resize(self.errors.known(), 0);
        spare.endpoints.resize(self.endpoints.len(), EndpointCounts::default());
        let full = std::mem::replace(&mut self.current, spare);
        let counts = full.counts;
        match self.collector.try_send(full) {
            // Without a stats thread the run is being torn down and nobody asks any more.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.sent.merge(&counts);
                self.marked = CoreCounts::default();
            }
            // The channel has room for every set there is; were it full, the interval would travel next time.
            Err(TrySendError::Full(full)) => self.current = full,
        }
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
