//! The console log of `hrp boom` (hrp spec, section 15): a table for each three seconds, and at the end one row of totals. Times are in
//! milliseconds.
//!
//! - Totals come from the last block, `Statistics Summary`: counts, median, mean, maximum. There are no other percentiles.
//! - A step's counts, mean and maximum are those of its rows in all tables; its median cannot be told, as medians do not add up.
//! - Each table is an interval, so rates and failures can be judged. Only rows with traffic are in one.
//! - Lines may be those of stdout alone or of both streams, with a log in between. hrp's times above 100 ms are rounded to two digits.

use std::collections::BTreeMap;

use super::text::{bounded, count, duration_s, number};
use super::{BaselineError, ROWS_MAX};
use crate::compare::figure::{Figure, Figures};
use crate::compare::measured::{span_of, Measured, MeasuredRow, RowName, Span, SpansMaker};

/// Seconds each table covers.
const INTERVAL_S: f64 = 3.0;
/// Row types that time several requests as one, and are in no total.
const NO_REQUESTS: [&str; 2] = ["transaction", "testcase"];

/// Whether a text is such a log, or pummel's own, whose tables look like it.
pub(super) fn is_it(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("# REQUESTS") && line.contains("# FAILS") && line.trim_start().starts_with('|'))
}

/// Reads a log. Of several runs in one, the last counts.
pub(super) fn read(text: &str) -> Result<Measured, BaselineError> {
    let incomplete = |what: &str| BaselineError::Incomplete { tool: "the log of hrp boom", what: what.into() };
    let log = Log::of(text);
    if log.is_pummels {
        return Err(incomplete(
            "its times have units, as in pummel's own tables; compare pummel's JSON summary (--json)",
        ));
    }
    if log.rows.is_empty() && log.total.is_none() {
        return Err(incomplete("no table in it has a row; did a request finish?"));
    }
    // The last table covers what is left of the run.
    let length_s = log.length_s.or_else(|| log.total.as_ref().and_then(Total::length_s));
    let length_s = length_s.unwrap_or(log.tables as f64 * INTERVAL_S);
    let spans = log.empty_spans(length_s);
    let mut all = log.all().measured(log.tables, &spans, length_s);
    if let Some(total) = &log.total {
        total.put_over(&mut all);
    }
    let rows = log.rows.iter().map(|row| row.measured(log.tables, &spans, length_s)).collect();
    Ok(Measured { model: None, notes: Vec::new(), all, rows })
}

/// A log as far as it is read.
#[derive(Default)]
struct Log {
    /// Tables of the run.
    tables: usize,
    rows: Vec<Row>,
    places: BTreeMap<RowName, usize>,
    total: Option<Total>,
    /// What the last block says of the run's length, seconds.
    length_s: Option<f64>,
    is_pummels: bool,
}

/// A row over all tables.
struct Row {
    name: RowName,
    requests: u64,
    failures: u64,
    /// Sum of all times, milliseconds.
    sum_ms: f64,
    max_ms: Option<f64>,
    /// In each table it was in: which, requests, failures.
    intervals: Vec<(usize, u64, u64)>,
}

/// The row of the last block.
#[derive(Default)]
struct Total {
    requests: u64,
    failures: u64,
    median_ms: Option<f64>,
    mean_ms: Option<f64>,
    max_ms: Option<f64>,
    rps: Option<f64>,
}

/// Which table a line is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    None,
    Interval,
    Total,
}

impl Log {
    fn of(text: &str) -> Self {
        let mut log = Self::default();
        let mut now_in = In::None;
        // Between the last block and a next run's first table.
        let mut ended = false;
        for line in text.lines() {
            let line = line.trim();
            if line.contains("Statistics Summary") {
                ended = true;
                now_in = In::None;
            } else if line.starts_with("Current time:") {
                if let Some((_, rest)) = line.split_once("Duration: ") {
                    log.length_s = duration_s(rest.split(',').next().unwrap_or_default());
                }
                now_in = In::None;
            } else if line.starts_with('|') {
                // Not trimmed: what a name has around its bars is its own.
                let cells: Vec<&str> = line.trim_start_matches('|').trim_end_matches('|').split('|').collect();
                let is_header = cells.iter().any(|cell| cell.trim() == "# REQUESTS");
                match (is_header, cells.first().map(|cell| cell.trim())) {
                    (true, Some("TYPE")) => {
                        if ended || log.total.is_some() {
                            log = Self { is_pummels: log.is_pummels, ..Self::default() };
                            ended = false;
                        }
                        log.tables += 1;
                        now_in = In::Interval;
                    }
                    (true, _) => now_in = In::Total,
                    (false, _) if now_in == In::Interval => log.interval_row(&cells),
                    (false, _) if now_in == In::Total => log.total_row(&cells),
                    (false, _) => {}
                }
            } else if !line.starts_with('+') && !line.is_empty() {
                now_in = In::None;
            }
        }
        log
    }

    /// Type, name, requests, fails, median, average, min, max, and what is not needed. A name may hold bars.
    fn interval_row(&mut self, cells: &[&str]) {
        let Some(numbers_at) = cells.len().checked_sub(9).filter(|at| *at >= 2) else { return };
        let (named, numbers) = cells.split_at(numbers_at);
        self.is_pummels |= numbers[2].trim().ends_with('s');
        let (Some(requests), Some(failures)) = (count(numbers[0]), count(numbers[1])) else { return };
        let failures = failures.min(requests);
        let name = RowName { case: None, label: Some(bounded(named[0])), name: bounded(&named[1..].join("|")) };
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None if self.rows.len() >= ROWS_MAX => return,
            None => {
                self.places.insert(name.clone(), self.rows.len());
                self.rows.push(Row::new(name));
                self.rows.len() - 1
            }
        };
        let row = &mut self.rows[place];
        row.requests = row.requests.saturating_add(requests);
        row.failures = row.failures.saturating_add(failures).min(row.requests);
        row.sum_ms += number(numbers[3]).unwrap_or(0.0) * requests as f64;
        row.max_ms = row.max_ms.into_iter().chain(number(numbers[5])).reduce(f64::max);
        row.intervals.push((self.tables - 1, requests, failures));
    }

    /// Name, requests, fails, median, average, min, max, content size, requests and fails a second.
    fn total_row(&mut self, cells: &[&str]) {
        let [_, requests, failures, median, mean, _min, max, _size, rps, ..] = *cells else { return };
        self.is_pummels |= median.trim().ends_with('s');
        let Some(requests) = count(requests) else { return };
        self.total = Some(Total {
            requests,
            failures: count(failures).unwrap_or(0).min(requests),
            median_ms: number(median),
            mean_ms: number(mean),
            max_ms: number(max),
            rps: number(rps),
        });
    }

    /// All requests, as the tables have them.
    fn all(&self) -> Row {
        let mut all = Row::new(RowName::default());
        let mut intervals = vec![(0_u64, 0_u64); self.tables];
        for row in self.rows.iter().filter(|row| row.is_requests()) {
            all.requests = all.requests.saturating_add(row.requests);
            all.failures = all.failures.saturating_add(row.failures);
            all.sum_ms += row.sum_ms;
            all.max_ms = all.max_ms.into_iter().chain(row.max_ms).reduce(f64::max);
            for &(table, requests, failures) in &row.intervals {
                let sums = &mut intervals[table];
                *sums = (sums.0.saturating_add(requests), sums.1.saturating_add(failures));
            }
        }
        all.intervals = intervals.iter().enumerate().map(|(table, sums)| (table, sums.0, sums.1)).collect();
        all
    }

    /// Each table's time. The last covers less than the others, if the run's length says so.
    fn empty_spans(&self, length_s: f64) -> Vec<Span> {
        let mut spans = SpansMaker::new(self.tables);
        for table in 0..self.tables {
            let left_s = if table + 1 == self.tables { length_s - table as f64 * INTERVAL_S } else { INTERVAL_S };
            spans.add(Span { length_s: left_s.clamp(0.0, INTERVAL_S), ..Span::default() });
        }
        spans.into_spans()
    }
}

impl Row {
    fn new(name: RowName) -> Self {
        Self { name, requests: 0, failures: 0, sum_ms: 0.0, max_ms: None, intervals: Vec::new() }
    }

    fn is_requests(&self) -> bool {
        self.name.label.as_deref().is_none_or(|label| !NO_REQUESTS.contains(&label))
    }

    /// `empty_spans` are those of the log, which has so many tables.
    fn measured(&self, tables: usize, empty_spans: &[Span], length_s: f64) -> MeasuredRow {
        let mut figures = Figures::default();
        figures.set(Figure::Rps, self.requests as f64 / length_s);
        figures.set_failures(self.failures, self.requests);
        figures.set(Figure::Mean, (self.requests > 0).then(|| self.sum_ms / self.requests as f64 * 1e3));
        figures.set(Figure::Max, self.max_ms.map(|ms| ms * 1e3));
        let mut spans = empty_spans.to_vec();
        for &(table, requests, failures) in &self.intervals {
            if let Some(span) = spans.get_mut(span_of(table, tables)) {
                span.requests = span.requests.saturating_add(requests);
                span.failures = span.failures.saturating_add(failures);
            }
        }
        MeasuredRow {
            name: self.name.clone(),
            requests: self.requests,
            failures: self.failures,
            samples: self.requests,
            figures,
            spans,
        }
    }
}

impl Total {
    /// From the rate, where the line that says it is missing: it goes to another stream than the table.
    fn length_s(&self) -> Option<f64> {
        self.rps.filter(|rps| *rps > 0.0).map(|rps| self.requests as f64 / rps)
    }

    /// These figures are of the whole run, and exact.
    fn put_over(&self, all: &mut MeasuredRow) {
        (all.requests, all.failures, all.samples) = (self.requests, self.failures, self.requests);
        if let Some(rps) = self.rps {
            all.figures.set(Figure::Rps, rps);
        }
        all.figures.set_failures(self.failures, self.requests);
        for (figure, ms) in [(Figure::P50, self.median_ms), (Figure::Mean, self.mean_ms), (Figure::Max, self.max_ms)] {
            if let Some(ms) = ms {
                all.figures.set(figure, ms * 1e3);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::baseline::read as read_any;
    use crate::compare::baseline::tests::{figures, survives_damage};
    use crate::compare::measured::Source;

    /// Both streams of a run of 8 s, as on a terminal.
    const LOG: &str = "\
10:19PM INF Set log to color console other than JSON format.
10:19PM INF get current ulimit limit=1048575
Current time: 2022/04/24 22:19:40, Users: 29, State: spawning, Total RPS: 5.0, Total Average Response Time: 1868.9ms, Total Fail Ratio: 0.0%
Accumulated Transactions: 0 Passed, 0 Failed
+-------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
|    TYPE     |      NAME       | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN  | MAX  | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
+-------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
| request-GET | get with params |         15 |       0 |   1800 | 1868.00 | 1278 | 2778 |          334 |       5.00 |        0.00 |
+-------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+

Current time: 2022/04/24 22:19:43, Users: 59, State: running, Total RPS: 18.8, Total Average Response Time: 1068.4ms, Total Fail Ratio: 0.0%
Accumulated Transactions: 21 Passed, 0 Failed
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
|     TYPE     |      NAME       | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN  | MAX  | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
| request-GET  | get with params |         35 |       0 |    890 |  968.00 |  511 | 2283 |          334 |      11.67 |        0.00 |
| request-POST | post | raw text |         40 |       8 |    890 |  979.00 |  510 | 2225 |          440 |      13.33 |        2.67 |
| transaction  | Action          |         21 |       0 |   3500 | 3613.71 | 2346 | 5448 |            0 |       7.00 |        0.00 |
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+

Current time: 2022/04/24 22:19:45, Users: 59, State: quitting, Total RPS: 20.0, Total Average Response Time: 1000.0ms, Total Fail Ratio: 7.5%
Accumulated Transactions: 40 Passed, 4 Failed
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
|     TYPE     |      NAME       | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN  | MAX  | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+
| request-POST | post | raw text |         70 |       4 |    730 |  990.00 |  334 | 2454 |          440 |      23.33 |        1.33 |
+--------------+-----------------+------------+---------+--------+---------+------+------+--------------+------------+-------------+

=========================================== Statistics Summary ==========================================
Current time: 2022/04/24 22:19:45, Users: 59, Duration: 8s, Accumulated Transactions: 40 Passed, 4 Failed
+-------+------------+---------+--------+---------+-----+------+--------------+------------+-------------+
| NAME  | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN | MAX  | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |
+-------+------------+---------+--------+---------+-----+------+--------------+------------+-------------+
| Total |        160 |      12 |    890 | 1065.00 | 334 | 2778 |          407 |      20.00 |        1.50 |
+-------+------------+---------+--------+---------+-----+------+--------------+------------+-------------+
";

    survives_damage!(LOG);

    fn stdout_alone() -> String {
        LOG.lines().filter(|line| line.starts_with(['+', '|'])).collect::<Vec<_>>().join("\n")
    }

    fn check(measured: &Measured) {
        let names: Vec<_> = measured.rows.iter().map(|row| row.name.name.as_str()).collect();
        assert_eq!(names, ["get with params", "post | raw text", "Action"]);
        let get = &measured.rows[0];
        // (15 * 1868 + 35 * 968) / 50 = 1238 ms.
        let expected = [Some(6.25), Some(0.0), Some(1_238_000.0), None, None, None, None, Some(2_778_000.0)];
        assert_eq!((get.requests, figures(get)), (50, expected));
        assert_eq!(get.name.label.as_deref(), Some("request-GET"));
        let post = &measured.rows[1];
        assert_eq!((post.requests, post.failures), (110, 12));
        let spans: Vec<_> = post.spans.iter().map(|span| (span.length_s, span.requests, span.failures)).collect();
        assert_eq!(spans, [(3.0, 0, 0), (3.0, 40, 8), (2.0, 70, 4)]);
        let all = &measured.all;
        let expected =
            [Some(20.0), Some(0.075), Some(1_065_000.0), Some(890_000.0), None, None, None, Some(2_778_000.0)];
        assert_eq!((all.requests, all.failures, figures(all)), (160, 12, expected));
        assert_eq!(all.spans.iter().map(|span| span.requests).collect::<Vec<_>>(), [15, 75, 70]);
    }

    #[test]
    fn both_streams() {
        let (source, measured) = read_any(LOG.as_bytes()).unwrap();
        assert_eq!(source, Source::Hrp);
        check(&measured);
    }

    #[test]
    fn stdout_alone_says_the_length_by_its_rate() {
        check(&read_any(stdout_alone().as_bytes()).unwrap().1);
    }

    #[test]
    fn the_last_run_of_several_counts() {
        check(&read_any(format!("{LOG}{LOG}").as_bytes()).unwrap().1);
    }

    #[test]
    fn a_log_that_was_cut_off_has_what_its_tables_say() {
        let cut = LOG.split("====").next().unwrap();
        let all = read_any(cut.as_bytes()).unwrap().1.all;
        assert_eq!((all.requests, all.failures), (160, 12));
        assert_eq!((figures(&all)[0], figures(&all)[3]), (Some(17.777_778), None), "160 in 9 s");
    }

    #[test]
    fn tables_of_pummel_and_tables_of_nothing_say_so() {
        let error = |text: &str| read_any(text.as_bytes()).unwrap_err().to_string();
        let pummels = LOG.replace("   1800 ", "1.80 ms ");
        let text = "looks like the log of hrp boom, but its times have units, as in pummel's own tables; compare pummel's JSON \
                    summary (--json)";
        assert_eq!(error(&pummels), text);
    }
}
