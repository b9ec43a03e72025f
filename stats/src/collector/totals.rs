//! A part of the run added up: what is measured, or the warm-up.

use std::collections::HashMap;
use std::sync::Arc;

use crate::interval::{CoreCounts, Interval, RowCells, UserTime};
use crate::latency::{Distribution, Latency, Recorded};
use crate::phases::RequestCells;
use crate::row::{ExchangeCounts, RowKey, RowKind};
use crate::snapshot::{RowSecond, RowTotal};
use crate::summary::ErrorCount;

use super::plugins::PluginTotals;
use super::samples::Samples;
use super::Model;

/// One row over a part of the run.
pub(super) struct RowSum {
    pub(super) key: Arc<RowKey>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) abandoned: u64,
    /// Finished before the stop; rates divide this by the load window.
    pub(super) in_window: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_decoded: u64,
    pub(super) exchanges: ExchangeCounts,
    pub(super) service: Recorded<u64>,
    pub(super) response: Recorded<u64>,
    pub(super) failed_us: Recorded<u64>,
    pub(super) duration: Recorded<u64>,
    /// Only where they are recorded.
    pub(super) phases: Option<Box<RequestCells<u64>>>,
    /// Calls of plugin functions; only where there are any.
    pub(super) plugin: Option<Box<Recorded<u64>>>,
    /// What snapshots show of this row, kept until the row changes.
    view: Option<Arc<RowTotal>>,
}

impl RowSum {
    fn new(key: Arc<RowKey>) -> Self {
        Self {
            key,
            succeeded: 0,
            failed: 0,
            abandoned: 0,
            in_window: 0,
            bytes_received: 0,
            bytes_sent: 0,
            bytes_decoded: 0,
            exchanges: ExchangeCounts::default(),
            service: Recorded::default(),
            response: Recorded::default(),
            failed_us: Recorded::default(),
            duration: Recorded::default(),
            phases: None,
            plugin: None,
            view: None,
        }
    }

    fn view(&mut self, model: Model) -> Arc<RowTotal> {
        if let Some(view) = &self.view {
            return Arc::clone(view);
        }
        let latency = match (self.key.kind, model) {
            (RowKind::Transaction, _) => &self.duration,
            (RowKind::Request | RowKind::Setup, Model::Closed) => &self.service,
            (RowKind::Request | RowKind::Setup, Model::Open) => &self.response,
        };
        let view = Arc::new(RowTotal {
            key: Arc::clone(&self.key),
            succeeded: self.succeeded,
            failed: self.failed,
            bytes_received: self.bytes_received,
            bytes_sent: self.bytes_sent,
            latency: Latency::from(latency),
            failed_us: Latency::from(&self.failed_us),
        });
        self.view = Some(Arc::clone(&view));
        view
    }

    fn held_bytes(&self) -> u64 {
        let latencies = [&self.service, &self.response, &self.failed_us, &self.duration];
        latencies.into_iter().map(Recorded::held_bytes).sum::<u64>()
            + self.phases.as_ref().map_or(0, |phases| phases.held_bytes())
            + self.plugin.as_ref().map_or(0, |calls| calls.held_bytes())
    }
}

/// What the cores have handed over of one part of the run, added up.
///
/// A run with a warm-up has two of these. Both [learn](Self::learn) the names of every interval, in the same order, so that the
/// place of a row is the same in both.
pub(super) struct Totals {
    pub(super) model: Model,
    /// In the order first seen.
    pub(super) rows: Vec<RowSum>,
    by_key: HashMap<Arc<RowKey>, usize>,
    /// For each core, where its row ids stand in `rows`.
    core_rows: Vec<Vec<usize>>,
    pub(super) service: Recorded<u64>,
    pub(super) response: Recorded<u64>,
    pub(super) failed_us: Recorded<u64>,
    pub(super) lateness: Recorded<u64>,
    /// Those of the load's requests; only where they are recorded.
    pub(super) phases: Option<Box<RequestCells<u64>>>,
    pub(super) plugins: PluginTotals,
    pub(super) counts: CoreCounts,
    /// Handshakes before the stop; their rate divides this by the load window.
    pub(super) handshakes_in_window: u64,
    pub(super) user_time: UserTime,
    /// For each core the most users of an open run that were busy at once.
    users_busy_max: Vec<u64>,
    /// On some core an arrival waited for a user.
    pub(super) waited_for_users: bool,
    /// Of the whole run.
    pub(super) samples: Samples,
    errors: Vec<ErrorSum>,
    errors_by_key: HashMap<ErrorId, usize>,
    /// For each core, where its error ids stand in `errors`.
    core_errors: Vec<Vec<usize>>,
    /// The errors as snapshots show them, kept until one is counted.
    errors_view: Option<Arc<[ErrorCount]>>,
}

/// One error, and the row it belongs to; over the limit none is known.
struct ErrorSum {
    row: Option<usize>,
    count: ErrorCount,
}

/// Which rows of an interval are added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    /// All but once-per-user steps.
    Load,
    /// Once-per-user steps alone.
    Setup,
}

impl Rows {
    fn contain(self, kind: RowKind) -> bool {
        match self {
            Self::All => true,
            Self::Load => kind != RowKind::Setup,
            Self::Setup => kind == RowKind::Setup,
        }
    }
}

/// Row (`None` over the limit), kind, message.
type ErrorId = (Option<usize>, &'static str, Arc<str>);

impl Totals {
    pub(super) fn new(model: Model, cores: usize) -> Self {
        Self {
            model,
            rows: Vec::new(),
            by_key: HashMap::new(),
            core_rows: vec![Vec::new(); cores],
            service: Recorded::default(),
            response: Recorded::default(),
            failed_us: Recorded::default(),
            lateness: Recorded::default(),
            phases: None,
            plugins: PluginTotals::new(cores),
            counts: CoreCounts::default(),
            handshakes_in_window: 0,
            user_time: UserTime::default(),
            users_busy_max: vec![0; cores],
            waited_for_users: false,
            samples: Samples::default(),
            errors: Vec::new(),
            errors_by_key: HashMap::new(),
            core_errors: vec![Vec::new(); cores],
            errors_view: None,
        }
    }

    /// Adds an interval, and gives back what it brought for each row that saw activity, by place in `rows`.
    pub(super) fn merge(&mut self, interval: &Interval) -> Vec<(usize, RowSecond)> {
        self.learn(interval);
        self.merge_load(interval, Rows::All)
    }

    /// As [`merge`](Self::merge), for the warm-up's totals: once-per-user steps are left to
    /// [`merge_setup`](Self::merge_setup) of the others.
    pub(super) fn merge_without_setup(&mut self, interval: &Interval) -> Vec<(usize, RowSecond)> {
        self.learn(interval);
        self.merge_load(interval, Rows::Load)
    }

    /// Adds of an interval of the warm-up what belongs to the whole run: once-per-user steps and their errors.
    pub(super) fn merge_setup(&mut self, interval: &Interval) {
        self.learn(interval);
        self.count_errors(interval, Rows::Setup);
        self.merge_rows(interval, Rows::Setup);
    }

    /// Takes the samples of failures out of an interval whose rows are known.
    pub(super) fn take_samples(&mut self, interval: &mut Interval) {
        self.samples.take(interval, &self.rows, &self.core_rows[interval.core]);
    }

    /// Takes note of rows and errors that are new in an interval of the other part.
    pub(super) fn learn(&mut self, interval: &Interval) {
        self.learn_rows(interval);
        self.learn_errors(interval);
    }

    fn merge_load(&mut self, interval: &Interval, of: Rows) -> Vec<(usize, RowSecond)> {
        self.count_errors(interval, of);
        self.counts.merge(&interval.counts);
        self.user_time.merge(&interval.user_time);
        let busy_max = &mut self.users_busy_max[interval.core];
        *busy_max = (*busy_max).max(interval.users_busy_max);
        self.waited_for_users |= interval.waited_for_users;
        self.lateness.merge(&interval.lateness.to_distribution());
        let in_window = interval.in_window();
        self.plugins.merge(interval, in_window);
        self.handshakes_in_window += if in_window { interval.counts.handshakes } else { 0 };
        self.merge_rows(interval, of)
    }

    fn merge_rows(&mut self, interval: &Interval, of: Rows) -> Vec<(usize, RowSecond)> {
        let in_window = interval.in_window();
        let mut parts = Vec::new();
        for (id, cells) in interval.rows.iter().enumerate().filter(|(_, cells)| !cells.is_empty()) {
            let index = self.core_rows[interval.core][id];
            if !of.contain(self.rows[index].key.kind) {
                continue;
            }
            if let Some(part) = self.merge_row(index, cells, in_window) {
                parts.push((index, part));
            }
        }
        parts
    }

    /// Adds one row's cells; a second knows nothing of once-per-user steps. Each histogram is walked once: its sparse form then feeds
    /// the row, the overall total and the second.
    fn merge_row(&mut self, index: usize, cells: &RowCells, in_window: bool) -> Option<RowSecond> {
        let row = &mut self.rows[index];
        row.succeeded += cells.succeeded;
        row.failed += cells.failed;
        row.abandoned += cells.abandoned;
        row.in_window += if in_window { cells.succeeded + cells.failed } else { 0 };
        row.bytes_received += cells.bytes_received;
        row.bytes_sent += cells.bytes_sent;
        row.bytes_decoded += cells.bytes_decoded;
        row.exchanges.merge(&cells.exchanges);
        if let Some(calls) = &cells.plugin {
            let calls = calls.to_distribution();
            row.plugin.get_or_insert_default().merge(&calls);
            self.plugins.merge_row(row.key.kind, &calls, in_window);
        }
        if cells.succeeded + cells.failed == 0 {
            return None;
        }
        row.view = None;
        if let Some(phases) = &cells.phases {
            row.phases.get_or_insert_default().merge(phases);
            if row.key.kind == RowKind::Request {
                self.phases.get_or_insert_default().merge(phases);
            }
        }

        let failed_us = cells.failed_us.to_distribution();
        let (latency, service_us) = match row.key.kind {
            RowKind::Transaction => {
                let duration = cells.duration.to_distribution();
                row.duration.merge(&duration);
                (duration, Distribution::default())
            }
            RowKind::Setup => {
                row.service.merge(&cells.service.to_distribution());
                row.response.merge(&cells.response.to_distribution());
                row.failed_us.merge(&failed_us);
                return None;
            }
            RowKind::Request => {
                let (service, response) = (cells.service.to_distribution(), cells.response.to_distribution());
                row.service.merge(&service);
                row.response.merge(&response);
                row.failed_us.merge(&failed_us);
                self.service.merge(&service);
                self.response.merge(&response);
                self.failed_us.merge(&failed_us);
                match self.model {
                    Model::Closed => (service, Distribution::default()),
                    Model::Open => (response, service),
                }
            }
        };
        Some(RowSecond {
            key: Arc::clone(&row.key),
            succeeded: cells.succeeded,
            failed: cells.failed,
            bytes_received: cells.bytes_received,
            bytes_sent: cells.bytes_sent,
            latency,
            service_us,
            failed_us,
        })
    }

    fn learn_rows(&mut self, interval: &Interval) {
        for key in &interval.new_rows {
            let index = *self.by_key.entry(Arc::clone(key)).or_insert_with(|| {
                self.rows.push(RowSum::new(Arc::clone(key)));
                self.rows.len() - 1
            });
            self.core_rows[interval.core].push(index);
        }
    }

    fn learn_errors(&mut self, interval: &Interval) {
        for key in &interval.new_errors {
            let row = key.row.map(|id| self.core_rows[interval.core][id as usize]);
            let id = (row, key.kind, Arc::clone(&key.message));
            let index = *self.errors_by_key.entry(id).or_insert_with(|| {
                let count = ErrorCount {
                    kind: key.kind.to_owned(),
                    step: row.map(|row| self.rows[row].key.name.to_string()).unwrap_or_default(),
                    message: key.message.to_string(),
                    count: 0,
                };
                self.errors.push(ErrorSum { row, count });
                self.errors.len() - 1
            });
            self.core_errors[interval.core].push(index);
        }
    }

    fn count_errors(&mut self, interval: &Interval, of: Rows) {
        for (id, &count) in interval.errors.iter().enumerate().filter(|(_, count)| **count > 0) {
            let error = &mut self.errors[self.core_errors[interval.core][id]];
            if of.contain(error.row.map_or(RowKind::Request, |row| self.rows[row].key.kind)) {
                error.count.count += count;
                self.errors_view = None;
            }
        }
    }

    /// Errors so far, the most frequent first; among equals, the one seen first. Those of the other part alone are not among them.
    pub(super) fn errors(&mut self) -> Arc<[ErrorCount]> {
        if let Some(view) = &self.errors_view {
            return Arc::clone(view);
        }
        let counted = self.errors.iter().map(|error| &error.count).filter(|error| error.count > 0);
        let mut sorted: Vec<ErrorCount> = counted.cloned().collect();
        sorted.sort_by_key(|error| std::cmp::Reverse(error.count));
        let view: Arc<[ErrorCount]> = sorted.into();
        self.errors_view = Some(Arc::clone(&view));
        view
    }

    /// Every row of the load as snapshots show it.
    pub(super) fn views(&mut self) -> Arc<[Arc<RowTotal>]> {
        let model = self.model;
        self.rows.iter_mut().filter(|row| row.key.kind != RowKind::Setup).map(|row| row.view(model)).collect()
    }

    /// The latency the model's percentiles mean, over all requests that succeeded.
    pub(super) fn model_latency(&self) -> &Recorded<u64> {
        match self.model {
            Model::Closed => &self.service,
            Model::Open => &self.response,
        }
    }

    /// Most users of an open run busy at once on each core, added up.
    pub(super) fn users_peak(&self) -> u64 {
        self.users_busy_max.iter().sum()
    }

    /// Rows of one kind.
    pub(super) fn of_kind(&self, kind: RowKind) -> impl Iterator<Item = &RowSum> {
        self.rows.iter().filter(move |row| row.key.kind == kind)
    }

    /// Memory held by histograms, bytes.
    pub(super) fn held_bytes(&self) -> u64 {
        let overall = [&self.service, &self.response, &self.failed_us, &self.lateness];
        overall.into_iter().map(Recorded::held_bytes).sum::<u64>()
            + self.phases.as_ref().map_or(0, |phases| phases.held_bytes())
            + self.plugins.held_bytes()
            + self.rows.iter().map(RowSum::held_bytes).sum::<u64>()
    }
}

/// Adds up the requests' distributions of a second; transactions are not in it.
pub(super) fn overall<'a>(rows: impl Iterator<Item = &'a RowSecond>) -> Distribution {
    Distribution::merged(rows.filter(|row| row.key.kind == RowKind::Request).map(|row| &row.latency))
}
