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
use crate::snapshot::{Overall, RowSecond, Snapshot};

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
    WarmUp,
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
            RowKind::Request | RowKind::Setup => {
                row.bytes_received.checked_div(requests).map_or_else(|| "-".to_owned(), bytes)
            }
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
        State::WarmUp => ("warm-up", latest.point.users),
        State::Running => ("running", latest.point.users),
        State::Stopped => ("stopped", 0),
    };
    let rps = per_second(overall.requests, overall.load_s);
    let arrivals = match arrivals_behind(overall) {
        Some(behind) => format!("Arrivals: {} made, {behind}\n", overall.arrivals_made),
        None => String::new(),
    };
    format!(
        "Current time: {}, Users: {users}, State: {state}, Total RPS: {:.1}, Total Average Response Time: {}, \
         Total Fail Ratio: {}\nAccumulated Transactions: {} Passed, {} Failed\n{arrivals}",
        date_and_time(now),
        if rps.is_finite() { rps } else { 0.0 },
        latency_or_dash(overall.latency.mean),
        percent(overall.failures, overall.requests),
        overall.transactions_passed,
        overall.transactions_failed,
    )
}

/// What was not made of the arrivals of an open run that were due so far: `12 MISSED, 488 waiting for a user`. None where all were.
pub(super) fn arrivals_behind(overall: &Overall) -> Option<String> {
    let missed = (overall.arrivals_missed > 0).then(|| format!("{} MISSED", overall.arrivals_missed));
    let waiting = (overall.arrivals_waiting > 0).then(|| format!("{} waiting for a user", overall.arrivals_waiting));
    let behind: Vec<String> = missed.into_iter().chain(waiting).collect();
    (!behind.is_empty()).then(|| behind.join(", "))
}

/// hrp's form of a time, in UTC and saying so: `2026/11/22 01:52:20 UTC`.
fn date_and_time(now: SystemTime) -> String {
    let rfc3339 = rfc3339_utc(now).replace('-', "/").replace('T', " ");
    let (to_the_second, _millis) = rfc3339.split_once('.').unwrap_or((&rfc3339, ""));
    format!("{to_the_second} UTC")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::sample;
    use crate::snapshot::Correction;

    /// 2026-11-22 01:52:20 UTC.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_312_340)
    }

    fn lines(interval: &Interval, latest: &Snapshot, state: State) -> String {
        interval.render(latest, state, now())
    }

    #[test]
    fn three_seconds_and_the_next_three() {
        let mut interval = Interval::default();
        (0..3).for_each(|second| interval.add(&sample::snapshot(second)));
        insta::assert_snapshot!(lines(&interval, &sample::snapshot(2), State::Running), @r"
        Current time: 2026/11/22 01:52:20 UTC, Users: 150, State: running, Total RPS: 2000.0, Total Average Response Time: 1.60 ms, Total Fail Ratio: 0.2%
        Accumulated Transactions: 2988 Passed, 12 Failed
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        | TYPE         | NAME     | # REQUESTS | # FAILS |  MEDIAN | AVERAGE |     MIN |     MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        | request-GET  | hello    |       3000 |       0 | 1.40 ms | 1.40 ms |  400 us | 2.40 ms |        200 B |    1000.00 |        0.00 |
        | request-POST | order    |       3000 |      12 | 1.79 ms | 1.79 ms |  800 us | 2.79 ms |        200 B |    1000.00 |        4.00 |
        | transaction  | checkout |       3000 |      12 | 3.20 ms | 3.20 ms | 1.20 ms | 5.20 ms |            - |    1000.00 |        4.00 |
        | Total        |          |       6000 |      12 | 1.60 ms | 1.60 ms |  400 us | 2.79 ms |        200 B |    2000.00 |        4.00 |
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        ");

        // Counts begin anew, totals go on. A second in which only `order` had traffic leaves the others' counts.
        let mut interval = Interval::default();
        (3..5).for_each(|second| interval.add(&sample::snapshot(second)));
        let mut quiet = sample::snapshot(5);
        quiet.rows.retain(|row| &*row.key.name == "order");
        interval.add(&quiet);
        insta::assert_snapshot!(lines(&interval, &quiet, State::Running), @r"
        Current time: 2026/11/22 01:52:20 UTC, Users: 200, State: running, Total RPS: 2000.0, Total Average Response Time: 1.60 ms, Total Fail Ratio: 0.2%
        Accumulated Transactions: 5976 Passed, 24 Failed
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        | TYPE         | NAME     | # REQUESTS | # FAILS |  MEDIAN | AVERAGE |     MIN |     MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        | request-GET  | hello    |       2000 |       0 | 1.40 ms | 1.40 ms |  400 us | 2.40 ms |        200 B |     666.67 |        0.00 |
        | request-POST | order    |       3000 |      12 | 1.79 ms | 1.79 ms |  800 us | 2.79 ms |        200 B |    1000.00 |        4.00 |
        | transaction  | checkout |       2000 |       8 | 3.20 ms | 3.20 ms | 1.20 ms | 5.20 ms |            - |     666.67 |        2.67 |
        | Total        |          |       5000 |      12 | 1.64 ms | 1.64 ms |  400 us | 2.79 ms |        200 B |    1666.67 |        4.00 |
        +--------------+----------+------------+---------+---------+---------+---------+---------+--------------+------------+-------------+
        ");
    }

    #[test]
    fn nothing_happened() {
        let mut idle = sample::snapshot(0);
        idle.rows.clear();
        idle.overall = Overall { load_s: 1.0, ..Default::default() };
        let mut interval = Interval::default();
        interval.add(&idle);
        assert!(!interval.is_empty());
        insta::assert_snapshot!(lines(&interval, &idle, State::Running), @r"
        Current time: 2026/11/22 01:52:20 UTC, Users: 50, State: running, Total RPS: 0.0, Total Average Response Time: -, Total Fail Ratio: 0.0%
        Accumulated Transactions: 0 Passed, 0 Failed
        +------+------+------------+---------+--------+---------+-----+-----+--------------+------------+-------------+
        | TYPE | NAME | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN | MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
        +------+------+------------+---------+--------+---------+-----+-----+--------------+------------+-------------+
        +------+------+------------+---------+--------+---------+-----+-----+--------------+------------+-------------+
        ");
    }

    #[test]
    fn arrivals_that_were_not_made_have_a_line() {
        let mut behind = sample::snapshot(2);
        behind.rows.truncate(1);
        (behind.overall.arrivals_made, behind.overall.arrivals_missed) = (3_000, 12);
        behind.overall.arrivals_waiting = 488;
        let mut interval = Interval::default();
        interval.add(&behind);
        insta::assert_snapshot!(lines(&interval, &behind, State::Running), @r"
        Current time: 2026/11/22 01:52:20 UTC, Users: 150, State: running, Total RPS: 2000.0, Total Average Response Time: 1.60 ms, Total Fail Ratio: 0.2%
        Accumulated Transactions: 2988 Passed, 12 Failed
        Arrivals: 3000 made, 12 MISSED, 488 waiting for a user
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        | TYPE        | NAME  | # REQUESTS | # FAILS |  MEDIAN | AVERAGE |    MIN |     MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        | request-GET | hello |       1000 |       0 | 1.40 ms | 1.40 ms | 400 us | 2.40 ms |        200 B |    1000.00 |        0.00 |
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        ");
        behind.overall.arrivals_waiting = 0;
        assert!(lines(&interval, &behind, State::Running).contains("\nArrivals: 3000 made, 12 MISSED\n"));
        behind.overall.arrivals_missed = 0;
        assert!(!lines(&interval, &behind, State::Running).contains("Arrivals"), "it keeps up");
    }

    #[test]
    fn what_the_drain_brings_counts_but_is_no_rate() {
        let mut drain = sample::snapshot(6);
        drain.point.drain = true;
        drain.rows.truncate(1);
        let mut interval = Interval::default();
        assert!(interval.is_empty());
        interval.add(&drain);
        assert!(!interval.is_empty());
        insta::assert_snapshot!(lines(&interval, &drain, State::Stopped), @r"
        Current time: 2026/11/22 01:52:20 UTC, Users: 0, State: stopped, Total RPS: 2000.0, Total Average Response Time: 1.60 ms, Total Fail Ratio: 0.2%
        Accumulated Transactions: 6972 Passed, 28 Failed
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        | TYPE        | NAME  | # REQUESTS | # FAILS |  MEDIAN | AVERAGE |    MIN |     MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        | request-GET | hello |       1000 |       0 | 1.40 ms | 1.40 ms | 400 us | 2.40 ms |        200 B |          - |           - |
        +-------------+-------+------------+---------+---------+---------+--------+---------+--------------+------------+-------------+
        ");
        // Behind one second of load: 2,000 requests of `hello`, 1,000 of them in that second.
        let mut interval = Interval::default();
        interval.add(&sample::snapshot(5));
        interval.add(&drain);
        let hello = &interval.rows.values().next().unwrap().cells(interval.seconds);
        assert_eq!((hello[2].as_str(), hello[9].as_str()), ("2000", "1000.00"));
    }

    #[test]
    fn late_parts_are_added() {
        let (mut second, late) = (sample::snapshot(1), sample::snapshot(0));
        second.corrections =
            vec![Arc::new(Correction { number: 1, point: late.point.clone(), rows: vec![Arc::clone(&late.rows[0])] })];
        let mut interval = Interval::default();
        interval.add(&second);
        let hello = &interval.rows.values().next().unwrap().all;
        assert_eq!((hello.succeeded, hello.bytes_received), (2000, 400_000));
    }

    #[test]
    fn rows_of_the_same_name_in_two_cases_are_one() {
        let mut two = sample::snapshot(0);
        let mut other = RowSecond::clone(&two.rows[0]);
        other.key = Arc::new(RowKey { case: "other".into(), ..RowKey::clone(&other.key) });
        two.rows.push(Arc::new(other));
        let mut interval = Interval::default();
        interval.add(&two);
        let hello = &interval.rows.values().next().unwrap().all;
        assert_eq!((interval.rows.len(), hello.succeeded), (3, 2000));
    }
}
