//! The loop of the stats thread.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{never, select, Receiver, Sender};

use crate::background::step_back;
use crate::client::Sampler;
use crate::clock::{last_second_of_load, rfc3339_utc, NS_PER_S};
use crate::interval::Interval;
use crate::latency::Latency;
use crate::output::{Begun, OutputThread};
use crate::row::{RowKind, TRANSACTION};
use crate::snapshot::{ClientState, Overall, RowSecond, Snapshot};
use crate::summary::{SeriesPoint, Summary};
use crate::threshold::Watch;

use super::thresholds;
use super::timeline::Timeline;
use super::totals::Totals;
use super::whole_run::WholeRun;
use super::window::Window;
use super::{report, FinalFacts, Model, RunFacts};

/// A second is published this long after its end even if a core has not covered it yet.
const PUBLISH_AFTER: Duration = Duration::from_secs(2);

/// How long the end of a run waits for the cores' last intervals. They are on their way when the end is asked for; a core
/// that sends none has broken down without saying so, and the conservation check will show it.
const LAST_INTERVALS: Duration = Duration::from_secs(5);

/// How often the machine and the cores' threads are sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// What the collector's handle asks for.
pub(super) enum Control {
    CoreReady { core: usize, cpu: Option<usize>, tid: u32 },
    LoadStopped { at_ns: u64 },
    Finish(FinalFacts),
}

/// What the stats thread knows of a core.
#[derive(Clone, Copy, Default)]
struct CoreProgress {
    covered_until_s: u64,
    stopped_ns: Option<u64>,
    finished_ns: Option<u64>,
    /// Memory of its set that travelled last, bytes.
    held_bytes: u64,
}

impl CoreProgress {
    fn covers(&self, second: u64) -> bool {
        self.is_over() || self.covered_until_s > second
    }

    fn is_over(&self) -> bool {
        self.stopped_ns.is_some() || self.finished_ns.is_some()
    }
}

/// Everything the stats thread owns.
pub(super) struct StatsThread {
    pub(super) model: Model,
    start: Instant,
    pub(super) started_at: SystemTime,
    pub(super) run: RunFacts,
    pub(super) thresholds: Watch,
    intervals: Receiver<Box<Interval>>,
    orders: Receiver<Control>,
    spares: Vec<Sender<Box<Interval>>>,
    outputs: Vec<OutputThread>,
    /// What is measured: all of the run, or what ended after the warm-up.
    pub(super) totals: Totals,
    /// What ended before; only where there is a warm-up.
    pub(super) warmup: Option<Box<Totals>>,
    pub(super) whole: WholeRun,
    pub(super) timeline: Timeline,
    pub(super) sampler: Sampler,
    pub(super) window: Window,
    cores: Vec<CoreProgress>,
    next_sample: Instant,
    /// When the sampler is told that the warm-up is over, until it is.
    warmup_ends: Option<Instant>,
    /// Every recorder was dropped: no interval will come any more.
    recorders_gone: bool,
}

impl StatsThread {
    pub(super) fn new(
        model: Model,
        (start, warmup_ns): (Instant, Option<u64>),
        run: RunFacts,
        thresholds: Watch,
        (intervals, orders): (Receiver<Box<Interval>>, Receiver<Control>),
        spares: Vec<Sender<Box<Interval>>>,
        outputs: Vec<OutputThread>,
    ) -> Self {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let started_at = wall + start.saturating_duration_since(now) - now.saturating_duration_since(start);
        let cores = spares.len();
        Self {
            model,
            start,
            started_at,
            run,
            thresholds,
            intervals,
            orders,
            spares,
            outputs,
            totals: Totals::new(model, cores),
            warmup: warmup_ns.map(|_| Box::new(Totals::new(model, cores))),
            whole: WholeRun::new(cores),
            timeline: Timeline::new(warmup_ns),
            sampler: Sampler::new(cores),
            // Arrivals are due from the start of the run clock on, whenever the first of them comes.
            window: Window { first_user_ns: (model == Model::Open).then_some(0), warmup_ns, ..Window::default() },
            cores: vec![CoreProgress::default(); cores],
            next_sample: start.max(now) + SAMPLE_EVERY,
            warmup_ends: warmup_ns.and_then(|warmup_ns| start.checked_add(Duration::from_nanos(warmup_ns))),
            recorders_gone: false,
        }
    }

    /// Works until the end is asked for. `None` when the handle was dropped instead.
    pub(super) fn run(mut self) -> Option<(Arc<Summary>, Vec<OutputThread>)> {
        step_back();
        let begun = Begun { facts: self.run.clone(), model: self.model, started_at: rfc3339_utc(self.started_at) };
        let begun = Arc::new(begun);
        self.outputs.iter().for_each(|output| output.begin(&begun));
        let facts = loop {
            let intervals = self.intervals.clone();
            select! {
                recv(intervals) -> interval => if let Ok(interval) = interval {
                    self.take(interval);
                } else {
                    // Every recorder is gone; only the end is left to wait for.
                    self.recorders_gone = true;
                    self.intervals = never();
                },
                recv(self.orders) -> order => match order {
                    Ok(Control::Finish(facts)) => break facts,
                    Ok(order) => self.obey(&order),
                    Err(_) => return None,
                },
                recv(crossbeam_channel::at(self.next_deadline())) -> _ => {}
            }
            // Everything that has arrived goes in before the clock is looked at: after a pause of this thread, what waits
            // in the channel is on time.
            while let Ok(interval) = self.intervals.try_recv() {
                self.take(interval);
            }
            self.sample();
            self.publish_ready();
        };
        Some(self.finish(&facts))
    }

    fn obey(&mut self, order: &Control) {
        match *order {
            Control::CoreReady { core, cpu, tid } => self.sampler.watch(core, cpu, tid),
            Control::LoadStopped { at_ns } => {
                self.sampler.load_stopped(self.whole.connections_open());
                self.window.stopped_ns = Some(at_ns);
            }
            Control::Finish(_) => {}
        }
    }

    /// Adds an interval and gives its set back, empty.
    fn take(&mut self, mut interval: Box<Interval>) {
        let core = &mut self.cores[interval.core];
        core.covered_until_s = interval.covered_until_s;
        core.stopped_ns = interval.stopped_ns;
        core.finished_ns = interval.finished_ns;
        core.held_bytes = interval.held_bytes();

        if let (Some(read), Some(at_ns)) = (interval.cpu_at_stop, interval.stopped_ns) {
            self.sampler.core_stopped(interval.core, self.start + Duration::from_nanos(at_ns), read);
        }
        let window = &mut self.window;
        window.first_user_ns = window.first_user_ns.into_iter().chain(interval.first_user_ns).min();
        window.last_user_ns = window.last_user_ns.max(interval.last_user_ns);
        window.finished_ns = window.finished_ns.max(interval.finished_ns.unwrap_or(0));

        self.whole.merge(&interval);
        let rows = match &mut self.warmup {
            None => self.totals.merge(&interval),
            Some(warmup) if interval.warmup => {
                self.totals.merge_setup(&interval);
                warmup.merge_without_setup(&interval)
            }
            Some(warmup) => {
                warmup.learn(&interval);
                self.totals.merge(&interval)
            }
        };
        self.totals.take_samples(&mut interval);
        self.timeline.add(&interval.seconds, rows);

        if self.cores.iter().all(CoreProgress::is_over) {
            self.sampler.load_stopped(self.whole.connections_open());
        }

        interval.clear();
        let core = interval.core;
        // The core may be gone, or have more sets than it needs after its stop.
        let _ = self.spares[core].try_send(interval);
    }

    /// When there is something to do even if nothing arrives.
    fn next_deadline(&self) -> Instant {
        let sample = self.warmup_ends.map_or(self.next_sample, |end| end.min(self.next_sample));
        match self.seconds_known() {
            Some(end) if self.timeline.next() >= end => sample,
            _ => sample.min(self.overdue_at()),
        }
    }

    /// When the next second is published even if a core has not covered it.
    fn overdue_at(&self) -> Instant {
        self.start + Duration::from_secs(self.timeline.next() + 1) + PUBLISH_AFTER
    }

    fn sample(&mut self) {
        let now = Instant::now();
        if self.warmup_ends.take_if(|end| *end <= now).is_some() {
            self.sampler.warmup_ended();
        }
        if now < self.next_sample {
            return;
        }
        self.sampler.sample(self.whole.connections_open());
        // A pause of this thread skips samples rather than crowding them.
        while self.next_sample <= now {
            self.next_sample += SAMPLE_EVERY;
        }
    }

    /// One past the last second of the load, once it is known.
    fn seconds_known(&self) -> Option<u64> {
        if self.cores.iter().all(CoreProgress::is_over) {
            return Some(self.timeline.end());
        }
        self.window.stopped_ns.map(|at_ns| self.timeline.end().max(last_second_of_load(at_ns) + 1))
    }

    fn publish_ready(&mut self) {
        let end = self.seconds_known();
        loop {
            let second = self.timeline.next();
            if end.is_some_and(|end| second >= end) {
                return;
            }
            let covered = self.cores.iter().all(|core| core.covers(second));
            if !covered && Instant::now() < self.overdue_at() {
                return;
            }
            self.publish_next();
        }
    }

    fn publish_next(&mut self) {
        let (point, rows) = self.timeline.publish();
        self.watch_thresholds(point.t_s);
        self.tell_outputs(point, rows);
    }

    /// Holds the thresholds against everything measured so far. The last second is not held against them by itself: it may be a short
    /// one, and the end of the run judges it with the rest.
    fn watch_thresholds(&mut self, second: u64) {
        if self.seconds_known().is_some() || self.timeline.in_warmup(second) {
            return;
        }
        let end_ns = (second + 1).saturating_mul(NS_PER_S);
        let (since_start_s, load_s) = (self.window.whole_load_until_s(end_ns), self.window.load_until_s(end_ns));
        let totals = &self.totals;
        self.thresholds.second(second, since_start_s, |condition| thresholds::standing(totals, condition, load_s));
    }

    fn tell_outputs(&mut self, point: SeriesPoint, rows: Vec<Arc<RowSecond>>) {
        let corrections = self.timeline.take_corrections();
        if self.outputs.is_empty() {
            return;
        }
        let overall = self.overall(&point);
        let totals = match &mut self.warmup {
            Some(warmup) if point.warmup => warmup,
            _ => &mut self.totals,
        };
        let snapshot = Arc::new(Snapshot {
            overall,
            point,
            rows,
            totals: totals.views(),
            errors: totals.errors(),
            corrections,
            model: self.model,
            client: ClientState {
                cpu_share_max: self.sampler.cpu_share_max(),
                connections_open: self.whole.connections_open(),
                connections_opened: self.whole.counts.connections_opened,
                time_wait: self.sampler.time_wait(),
                lateness_us: Latency::from(&totals.lateness),
            },
        });
        for output in &self.outputs {
            output.snapshot(&snapshot);
        }
    }

    fn overall(&self, point: &SeriesPoint) -> Overall {
        let end_ns = (point.t_s + 1).saturating_mul(NS_PER_S);
        let (totals, load_s) = match &self.warmup {
            Some(warmup) if point.warmup => (&**warmup, self.window.warmup_until_s(end_ns)),
            _ => (&self.totals, self.window.load_until_s(end_ns)),
        };
        let counts = &totals.counts;
        let (passed, failed) = totals
            .of_kind(RowKind::Transaction)
            .filter(|row| &*row.key.label == TRANSACTION)
            .fold((0, 0), |(passed, failed), row| (passed + row.succeeded, failed + row.failed));
        Overall {
            requests: counts.succeeded + counts.failed,
            failures: counts.failed,
            in_flight: self.whole.counts.in_flight(),
            load_s,
            bytes_received: counts.bytes_received,
            bytes_sent: totals.of_kind(RowKind::Request).map(|row| row.bytes_sent).sum(),
            latency: Latency::from(totals.model_latency()),
            failed_us: Latency::from(&totals.failed_us),
            transactions_passed: passed,
            transactions_failed: failed,
            arrivals_made: counts.arrivals_made,
            arrivals_missed: counts.arrivals_missed,
            arrivals_waiting: self.whole.counts.arrivals_waiting(),
        }
    }

    /// Takes in the cores' last intervals, publishes what is left, and sums up.
    fn finish(mut self, facts: &FinalFacts) -> (Arc<Summary>, Vec<OutputThread>) {
        let deadline = Instant::now() + LAST_INTERVALS;
        while !self.recorders_gone && self.cores.iter().any(|core| core.finished_ns.is_none()) {
            match self.intervals.recv_deadline(deadline) {
                Ok(interval) => self.take(interval),
                Err(_) => break,
            }
            self.publish_ready();
        }
        while let Ok(interval) = self.intervals.try_recv() {
            self.take(interval);
        }
        while self.timeline.next() < self.timeline.end() {
            self.publish_next();
        }
        if self.window.stopped_ns.is_none() {
            self.window.stopped_ns = self.cores.iter().filter_map(|core| core.stopped_ns).max();
        }
        let warmup = self.window.ended_in_warmup();
        if warmup {
            // What was sampled is no part of what is measured.
            self.sampler.warmup_ended();
        }
        self.sampler.finish();
        if let Some((point, rows)) = self.timeline.publish_drain(warmup) {
            self.tell_outputs(point, rows);
        } else if self.timeline.has_corrections() {
            // Corrections travel with a snapshot; there being none left, an empty drain carries them.
            let point = SeriesPoint { t_s: self.timeline.next(), warmup, drain: true, ..SeriesPoint::default() };
            self.tell_outputs(point, Vec::new());
        }
        let summary = Arc::new(report::summary(&mut self, facts));
        for output in &self.outputs {
            output.finish(&summary);
        }
        (summary, self.outputs)
    }

    /// What is measured, and the warm-up where there is one.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Totals> {
        [&self.totals].into_iter().chain(self.warmup.as_deref())
    }

    /// Memory held by histograms, the cores' and the totals', bytes.
    pub(super) fn held_bytes(&self) -> u64 {
        let cores: u64 = self.cores.iter().map(|core| core.held_bytes).sum();
        self.parts().map(Totals::held_bytes).sum::<u64>()
            + self.whole.held_bytes()
            + cores * crate::recorder::SETS_PER_CORE as u64
    }
}
