//! hrp's interval table (hrp spec 15.1): what finished in the last three seconds, under two header lines of totals.
//!
//! Differences from hrp, each because its figure was wrong: the minimum is the true one, latencies are exact to the
//! microsecond, sizes are bytes read from the socket, and rates divide by the seconds the table covers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use comfy_table::{presets, Table};

use super::text::{one_line, LEFT, NAME_CHARS_MAX, RIGHT};
use super::units::{bytes, latency_or_dash, per_second, percent, whole_us};
use crate::clock::rfc3339_utc;
use crate::row::{RowKey, RowKind};
use crate::snapshot::{RowSecond, Snapshot};

/// Seconds between two tables, hrp's (spec 15.1).
pub const TABLE_EVERY_S: u64 = 3;

/// hrp's columns, in its order.
const HEADER: [&str; 11] = [
    "TYPE",
    "NAME",
    "# REQUESTS",
    "# FAILS",
    "MEDIAN",
    "AVERAGE",
    "MIN",
    "MAX",
    "CONTENT SIZE",
    "# REQS/SEC",
    "# FAILS/SEC",
];

/// Type of the row that adds up the others.
const TOTAL: &str = "Total";

/// Whether load is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Stopped,
}

/// What has finished since the last table.
#[derive(Debug, Default)]
pub(super) struct Interval {
    /// By type and name, which is the order of the table. Rows of the same type and name in several cases are one row, as
    /// in hrp; the report tells them apart.
    rows: BTreeMap<(Arc<str>, Arc<str>), IntervalRow>,
    /// Seconds of load in it. A display that lagged has skipped some; those are not counted, so rates stay true.
    seconds: u64,
}

/// One row since the last table.
#[derive(Debug)]
struct IntervalRow {
    all: RowSecond,
    /// Finished while load was made; what the drain brings is no part of a rate.
    requests_in_load: u64,
    fails_in_load: u64,
}

impl IntervalRow {
    fn new(key: Arc<RowKey>) -> Self {
        Self { all: RowSecond::new(key), requests_in_load: 0, fails_in_load: 0 }
    }

    fn add(&mut self, part: &RowSecond, drain: bool) {
        self.all.merge(part);
        if !drain {
            self.requests_in_load += part.succeeded + part.failed;
            self.fails_in_load += part.failed;
        }
    }

    fn merge(&mut self, other: &IntervalRow) {
        self.all.merge(&other.all);
        self.requests_in_load += other.requests_in_load;
        self.fails_in_load += other.fails_in_load;
    }

    fn cells(&self, seconds: u64) -> Vec<String> {
        let row = &self.all;
        let requests = row.succeeded + row.failed;
        let moments = row.latency.moments();
        let size = match row.key.kind {
            RowKind::Request => row.bytes_received.checked_div(requests).map_or_else(|| "-".to_owned(), bytes),
            RowKind::Transaction => "-".to_owned(),
        };
        let rate = |count| match seconds {
            0 => "-".to_owned(),
            _ => format!("{:.2}", per_second(count, seconds as f64)),
        };
        vec![
            one_line(&row.key.label, NAME_CHARS_MAX),
            one_line(&row.key.name, NAME_CHARS_MAX),
            requests.to_string(),
            row.failed.to_string(),
            whole_us(row.latency.value_at(0.5)),
            latency_or_dash(moments.mean()),
            whole_us(moments.min()),
            whole_us(moments.max()),
            size,
            rate(self.requests_in_load),
            rate(self.fails_in_load),
        ]
    }
}

impl Interval {
    /// Adds a published second, or the drain, and what came late for earlier ones.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        let drain = snapshot.point.drain;
        self.seconds += u64::from(!drain);
        for row in &snapshot.rows {
            self.row(&row.key).add(row, drain);
        }
        for correction in &snapshot.corrections {
            for row in &correction.rows {
                self.row(&row.key).add(row, correction.point.drain);
            }
        }
    }

    /// Nothing has been added since the last table.
    pub(super) fn is_empty(&self) -> bool {
        self.seconds == 0 && self.rows.is_empty()
    }

    fn row(&mut self, key: &Arc<RowKey>) -> &mut IntervalRow {
        self.rows
            .entry((Arc::clone(&key.label), Arc::clone(&key.name)))
            .or_insert_with(|| IntervalRow::new(Arc::clone(key)))
    }

    /// The table with its header lines, totals as of `latest`.
    pub(super) fn render(&self, latest: &Snapshot, state: State, now: SystemTime) -> String {
        let mut text = header_lines(latest, state, now);
        let mut table = Table::new();
        let mut style = presets::ASCII_FULL_CONDENSED;
        style.header_separator = style.top_border;
        table.load_style(style).set_header(HEADER.to_vec());
        for row in self.rows.values().chain(self.total().as_ref()) {
            table.add_row(row.cells(self.seconds));
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_cell_alignment(if at < 2 { LEFT } else { RIGHT });
        }
        for line in table.lines() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// All requests together, transactions left out (hrp spec 15.3); only where there is more than one row to add up.
    fn total(&self) -> Option<IntervalRow> {
        let requests = || self.rows.values().filter(|row| row.all.key.kind == RowKind::Request);
        if requests().count() < 2 {
            return None;
        }
        let key = RowKey { case: "".into(), kind: RowKind::Request, label: TOTAL.into(), name: "".into() };
        let mut total = IntervalRow::new(Arc::new(key));
        requests().for_each(|row| total.merge(row));
        Some(total)
    }
}

/// hrp's two lines. The average is over requests that succeeded: failures are in the ratio, and their times stand apart.
fn header_lines(latest: &Snapshot, state: State, now: SystemTime) -> String {
    let overall = &latest.overall;
    let (state, users) = match state {
        State::Running => ("running", latest.point.users),
        State::Stopped => ("stopped", 0),
    };
    let rps = per_second(overall.requests, overall.load_s);
    format!(
        "Current time: {}, Users: {users}, State: {state}, Total RPS: {:.1}, Total Average Response Time: {}, \
         Total Fail Ratio: {}\nAccumulated Transactions: {} Passed, {} Failed\n",
        date_and_time(now),
        if rps.is_finite() { rps } else { 0.0 },
        latency_or_dash(overall.latency.mean),
        percent(overall.failures, overall.requests),
        overall.transactions_passed,
        overall.transactions_failed,
    )
}

/// hrp's form of a time, in UTC and saying so.
fn date_and_time(now: SystemTime) -> String {
    let (date, time) = (rfc3339_utc(now).replace('-', "/"), '.');
    let second = date.split(time).next().unwrap_or_default().replace('T', " ");
    format!("{second} UTC")
}
