//! What hrp pushes to a Prometheus Pushgateway (hrp spec 16): its names, its labels, its units, so that a dashboard made for it goes on
//! showing what it shows.
//!
//! Its figures of an interval are those of its table (15.1): what finished in the last 3 s. Differences, each because its figure was
//! wrong or cost too much: minima are true ones, times are exact to the microsecond and those of requests that succeeded, sizes are
//! bytes read from the socket, rates divide by the seconds there were, `response_time` comes from histograms, and its errors are
//! bounded in number and length.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::latency::Distribution;
use crate::row::{RowKey, RowKind};
use crate::snapshot::{Overall, RowSecond, Snapshot};
use crate::summary::{ErrorCount, Summary};

use super::errors::ErrorSums;
use super::family::{bounded, Family, Kind, Labels, Series, Value};

/// Seconds between two pushes, hrp's (spec 15.1).
pub(super) const INTERVAL_S: u64 = 3;

/// Distinct errors that are told apart. Their texts hold what a server sent, so their number is the server's to choose.
const ERRORS_MAX: usize = 100;

/// Rows that are told apart.
const ENTRIES_MAX: usize = super::state::ROWS_MAX;

/// The name of what is beyond a bound.
const OTHERS: &str = "others";

/// hrp's states of a runner (14.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunnerState {
    Spawning = 2,
    Running = 3,
    Stopping = 4,
    Stopped = 5,
}

/// Type and name, which is all that tells entries apart in hrp: steps of the same type and name in several cases are one.
type EntryKey = (Arc<str>, Arc<str>);
type ErrorKey = (Arc<str>, Arc<str>, Arc<str>);

/// The state of hrp's metrics.
#[derive(Debug)]
pub(super) struct HrpState {
    state: RunnerState,
    /// Users at which spawning is done; `None` once it is.
    spawning_until: Option<u64>,
    users: u64,
    overall: Overall,
    total_rps: f64,
    total_fail_per_s: f64,
    duration_s: f64,
    entries: BTreeMap<EntryKey, Entry>,
    /// The key of each row, so that its name is cut once.
    keys: HashMap<Arc<RowKey>, EntryKey>,
    /// The type of steps that failed, by name: an error knows its step's name alone.
    types: HashMap<Arc<str>, Arc<str>>,
    /// Seconds of the interval under way.
    seconds: u64,
    errors: ErrorSums<ErrorKey>,
}

/// One type and name.
#[derive(Debug, Default)]
struct Entry {
    /// Of the interval under way.
    open: Option<Interval>,
    /// As of the last interval in which it was active.
    last: Option<LastInterval>,
    requests: u64,
    failures: u64,
    latency: Distribution,
}

#[derive(Debug)]
struct Interval {
    all: RowSecond,
    /// Finished while load was made; what the drain brings is no part of a rate.
    requests_in_load: u64,
    failures_in_load: u64,
}

/// Figures of an interval, times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
struct LastInterval {
    requests: u64,
    failures: u64,
    median_ms: f64,
    average_ms: f64,
    min_ms: f64,
    max_ms: f64,
    average_bytes: u64,
    requests_per_s: f64,
    failures_per_s: f64,
}

impl Interval {
    fn figures(&self, seconds: u64) -> LastInterval {
        let row = &self.all;
        let requests = row.succeeded + row.failed;
        let moments = row.latency.moments();
        let rate = |count: u64| if seconds == 0 { 0.0 } else { count as f64 / seconds as f64 };
        LastInterval {
            requests,
            failures: row.failed,
            median_ms: ms(row.latency.value_at(0.5)),
            average_ms: moments.mean().unwrap_or(0.0) / 1e3,
            min_ms: ms(moments.min()),
            max_ms: ms(moments.max()),
            average_bytes: row.bytes_received.checked_div(requests).unwrap_or(0),
            requests_per_s: rate(self.requests_in_load),
            failures_per_s: rate(self.failures_in_load),
        }
    }
}

impl HrpState {
    /// Spawning is over when there are so many users.
    pub(super) fn new(users: Option<u64>) -> Self {
        Self {
            state: if users.is_some() { RunnerState::Spawning } else { RunnerState::Running },
            spawning_until: users,
            users: 0,
            overall: Overall::default(),
            total_rps: 0.0,
            total_fail_per_s: 0.0,
            duration_s: 0.0,
            entries: BTreeMap::new(),
            keys: HashMap::new(),
            types: HashMap::new(),
            seconds: 0,
            errors: ErrorSums::new(ERRORS_MAX),
        }
    }

    /// The warm-up is over: hrp knows none, so what is pushed begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.entries.clear();
        self.keys.clear();
        self.seconds = 0;
        self.errors = ErrorSums::new(ERRORS_MAX);
    }

    /// Adds a published second; every third ends an interval.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        let (point, overall) = (&snapshot.point, &snapshot.overall);
        self.users = point.users;
        self.spawning_until.take_if(|users| point.users >= *users);
        self.state = match self.spawning_until {
            _ if point.drain => RunnerState::Stopping,
            Some(_) => RunnerState::Spawning,
            None => RunnerState::Running,
        };
        self.overall.clone_from(overall);
        self.duration_s = overall.load_s;
        self.total_rps = rate(overall.requests, overall.load_s);
        self.total_fail_per_s = rate(overall.failures, overall.load_s);
        self.seconds += u64::from(!point.drain);
        self.add_rows(&snapshot.rows, point.drain);
        for correction in &snapshot.corrections {
            self.add_rows(&correction.rows, correction.point.drain);
        }
        self.set_errors(&snapshot.errors);
        if !point.drain && (point.t_s + 1).is_multiple_of(INTERVAL_S) {
            self.end_interval();
        }
    }

    /// The run is over.
    pub(super) fn finish(&mut self, summary: &Summary) {
        self.end_interval();
        self.state = RunnerState::Stopped;
        self.users = 0;
        self.duration_s = summary.run.load_s;
        self.total_rps = summary.totals.rps;
        self.total_fail_per_s = rate(summary.totals.failures, summary.run.load_s);
    }

    fn add_rows(&mut self, rows: &[Arc<RowSecond>], drain: bool) {
        for row in rows.iter().filter(|row| row.key.kind != RowKind::Setup) {
            let key = self.key_of(&row.key);
            if row.failed > 0 {
                self.types.entry(Arc::clone(&key.1)).or_insert_with(|| Arc::clone(&key.0));
            }
            let entry = self.entries.entry(key).or_default();
            let requests = row.succeeded + row.failed;
            entry.requests += requests;
            entry.failures += row.failed;
            let open = entry.open.get_or_insert_with(|| Interval {
                all: RowSecond::new(Arc::clone(&row.key)),
                requests_in_load: 0,
                failures_in_load: 0,
            });
            open.all.merge(row);
            if !drain {
                open.requests_in_load += requests;
                open.failures_in_load += row.failed;
            }
        }
    }

    fn key_of(&mut self, row: &Arc<RowKey>) -> EntryKey {
        if let Some(key) = self.keys.get(row) {
            return key.clone();
        }
        let mut key = (bounded(&row.label), bounded(&row.name));
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
            key = (key.0, OTHERS.into());
        }
        self.keys.insert(Arc::clone(row), key.clone());
        key
    }

    /// Entries that saw nothing keep the figures they had, as in hrp.
    fn end_interval(&mut self) {
        for entry in self.entries.values_mut() {
            if let Some(open) = entry.open.take() {
                entry.last = Some(open.figures(self.seconds));
                entry.latency.merge(&open.all.latency);
            }
        }
        self.seconds = 0;
    }

    fn set_errors(&mut self, errors: &[ErrorCount]) {
        let types = &self.types;
        let keyed = errors.iter().map(|error| {
            let step = bounded(&error.step);
            let label = types.get(&step).cloned().unwrap_or_default();
            let text = if error.message.is_empty() { &error.kind } else { &error.message };
            ((label, step, bounded(text)), error.count)
        });
        self.errors.set(keyed);
    }

    /// hrp's metrics, in the order of its specification.
    pub(super) fn families(&self) -> Vec<Family> {
        let last = |name, help, figure: fn(&LastInterval) -> f64| {
            let active =
                self.entries.iter().filter_map(|(key, entry)| Some((labels(key), figure(entry.last.as_ref()?))));
            of_entries(name, help, active)
        };
        let total = |name, help, figure: fn(&Entry) -> f64| {
            of_entries(name, help, self.entries.iter().map(|(key, entry)| (labels(key), figure(entry))))
        };
        let extreme = |name, help, figure: fn(&Entry) -> f64, of_all: Option<u64>| {
            let timed = self.entries.iter().filter(|(_, entry)| entry.latency.count() > 0);
            let all = (labels(&(Arc::default(), "Total".into())), ms(of_all));
            of_entries(name, help, timed.map(|(key, entry)| (labels(key), figure(entry))).chain([all]))
        };
        let gauge = |name, help, value: f64| Family::single(name, help, Kind::Gauge, value);
        let Overall { requests, failures, transactions_passed, transactions_failed, ref latency, .. } = self.overall;
        vec![
            last("num_requests", "Requests in the last interval", |last| last.requests as f64),
            last("num_failures", "Failures in the last interval", |last| last.failures as f64),
            last("median_response_time", "Median response time in the last interval, ms", |last| last.median_ms),
            last("average_response_time", "Average response time in the last interval, ms", |last| last.average_ms),
            last("min_response_time", "Least response time in the last interval, ms", |last| last.min_ms),
            last("max_response_time", "Longest response time in the last interval, ms", |last| last.max_ms),
            last("average_content_length", "Bytes a response had in the last interval", |last| {
                last.average_bytes as f64
            }),
            last("current_rps", "Requests per second in the last interval", |last| last.requests_per_s),
            last("current_fail_per_sec", "Failures per second in the last interval", |last| last.failures_per_s),
            self.error_counters(),
            total("total_num_requests", "Requests in total", |entry| entry.requests as f64),
            total("total_num_failures", "Failures in total", |entry| entry.failures as f64),
            self.response_time(),
            extreme(
                "total_min_response_time",
                "Least response time in total, ms",
                |entry| ms(entry.latency.moments().min()),
                latency.min,
            ),
            extreme(
                "total_max_response_time",
                "Longest response time in total, ms",
                |entry| ms(entry.latency.moments().max()),
                latency.max,
            ),
            gauge("users", "Users active", self.users as f64),
            gauge("state", "1=initializing, 2=spawning, 3=running, 4=quitting, 5=stopped", f64::from(self.state as u8)),
            gauge("duration", "Seconds of load", self.duration_s),
            gauge(
                "total_average_response_time",
                "Average response time in total, ms",
                latency.mean.unwrap_or(0.0) / 1e3,
            ),
            gauge("total_rps", "Requests per second in total", self.total_rps),
            gauge("fail_ratio", "Share of requests that failed, 0 to 1", rate(failures, requests as f64)),
            gauge("total_fail_per_sec", "Failures per second in total", self.total_fail_per_s),
            gauge("transactions_passed", "Transactions passed in total", transactions_passed as f64),
            gauge("transactions_failed", "Transactions failed in total", transactions_failed as f64),
        ]
    }

    fn error_counters(&self) -> Family {
        let mut errors = Family::new("errors", "Errors in total", Kind::Counter);
        let others = self.errors.others().map(|count| ((Arc::default(), Arc::default(), "other errors".into()), count));
        for ((label, name, text), count) in self.errors.each().map(|(key, count)| (key.clone(), count)).chain(others) {
            errors.number(vec![("method", label), ("name", name), ("error", text)], count as f64);
        }
        errors
    }

    fn response_time(&self) -> Family {
        let mut times = Family::new("response_time", "Response times in total, ms", Kind::Summary);
        for (key, entry) in self.entries.iter().filter(|(_, entry)| entry.latency.count() > 0) {
            let quantiles = [0.5, 0.9, 0.95].map(|share| (share, ms(entry.latency.value_at(share))));
            let moments = entry.latency.moments();
            let value = Value::Summary {
                count: moments.count(),
                sum: moments.sum() as f64 / 1e3,
                quantiles: quantiles.to_vec(),
            };
            times.series.push(Series { labels: labels(key), value });
        }
        times
    }
}

fn of_entries(name: &'static str, help: &'static str, values: impl Iterator<Item = (Labels, f64)>) -> Family {
    let mut family = Family::new(name, help, Kind::Gauge);
    values.for_each(|(labels, value)| family.number(labels, value));
    family
}

fn labels((label, name): &EntryKey) -> Labels {
    vec![("method", Arc::clone(label)), ("name", Arc::clone(name))]
}

/// Milliseconds; 0 where there is none, as in hrp.
fn ms(us: Option<u64>) -> f64 {
    us.unwrap_or(0) as f64 / 1e3
}

fn rate(count: u64, of: f64) -> f64 {
    if of > 0.0 {
        count as f64 / of
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text;
    use crate::sample;

    fn after(seconds: u64, users: Option<u64>) -> HrpState {
        let mut state = HrpState::new(users);
        (0..seconds).for_each(|second| state.add(&sample::snapshot(second)));
        state
    }

    fn lines(state: &HrpState) -> String {
        String::from_utf8(text::encode(&state.families())).unwrap()
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }

    #[test]
    fn names_and_labels_are_hrps() {
        let names: Vec<_> = after(3, None).families().iter().map(|family| family.name).collect();
        assert_eq!(
            names,
            [
                "num_requests",
                "num_failures",
                "median_response_time",
                "average_response_time",
                "min_response_time",
                "max_response_time",
                "average_content_length",
                "current_rps",
                "current_fail_per_sec",
                "errors",
                "total_num_requests",
                "total_num_failures",
                "response_time",
                "total_min_response_time",
                "total_max_response_time",
                "users",
                "state",
                "duration",
                "total_average_response_time",
                "total_rps",
                "fail_ratio",
                "total_fail_per_sec",
                "transactions_passed",
                "transactions_failed",
            ]
        );
    }

    #[test]
    fn an_interval_has_three_seconds_and_the_rest_is_in_total() {
        let text = lines(&after(5, Some(200)));
        for line in [
            // Latencies of `hello` are 400, 402 .. 2398 us; the median of 3 times these is 1398, in a bucket of its own.
            "num_requests{method=\"request-GET\",name=\"hello\"} 3000",
            "num_failures{method=\"request-POST\",name=\"order\"} 12",
            "median_response_time{method=\"request-GET\",name=\"hello\"} 1.398",
            "average_response_time{method=\"request-GET\",name=\"hello\"} 1.399",
            "min_response_time{method=\"request-GET\",name=\"hello\"} 0.4",
            "max_response_time{method=\"request-GET\",name=\"hello\"} 2.398",
            "average_content_length{method=\"request-GET\",name=\"hello\"} 200",
            "current_rps{method=\"request-POST\",name=\"order\"} 1000",
            "current_fail_per_sec{method=\"request-POST\",name=\"order\"} 4",
            "current_rps{method=\"transaction\",name=\"checkout\"} 1000",
            "total_num_requests{method=\"request-GET\",name=\"hello\"} 5000",
            "total_num_failures{method=\"request-POST\",name=\"order\"} 20",
            "total_min_response_time{method=\"request-GET\",name=\"hello\"} 0.4",
            "total_min_response_time{method=\"\",name=\"Total\"} 0.4",
            "errors{method=\"request-POST\",name=\"order\",error=\"status_code: expected 200, got 500\"} 3",
            "response_time{method=\"request-GET\",name=\"hello\",quantile=\"0.5\"} 1.398",
            "response_time_count{method=\"request-GET\",name=\"hello\"} 3000",
            "users 200",
            "state 3",
            "duration 5",
            "total_rps 2000",
            "fail_ratio 0.002",
            "total_fail_per_sec 4",
            "transactions_passed 4980",
            "transactions_failed 20",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn states_go_from_spawning_to_stopped_and_stale_entries_stay() {
        let mut state = after(3, Some(200));
        has(&lines(&state), "state 2");
        let mut quiet = sample::snapshot(5);
        quiet.rows.remove(0);
        state.add(&quiet);
        let text = lines(&state);
        has(&text, "state 3");
        has(&text, "num_requests{method=\"request-GET\",name=\"hello\"} 3000");
        has(&text, "num_requests{method=\"request-POST\",name=\"order\"} 1000");
        let mut drain = sample::snapshot(6);
        drain.point.drain = true;
        state.add(&drain);
        has(&lines(&state), "state 4");
        state.finish(&sample::summary());
        let text = lines(&state);
        has(&text, "state 5");
        has(&text, "users 0");
        has(&text, "num_requests{method=\"request-GET\",name=\"hello\"} 1000");
        // What the drain brought is no part of a rate.
        has(&text, "current_rps{method=\"request-GET\",name=\"hello\"} 0");
        has(&text, "total_rps 2000");
    }

    #[test]
    fn errors_are_bounded_in_number_and_length() {
        let mut snapshot = sample::snapshot(0);
        let error = |n: usize| ErrorCount {
            kind: "assertion".into(),
            step: "order".into(),
            message: format!("{n} {}", "x".repeat(10_000)),
            count: 2,
        };
        snapshot.errors = (0..ERRORS_MAX + 10).map(error).collect();
        let mut state = HrpState::new(None);
        state.add(&snapshot);
        let families = state.families();
        let errors = families.iter().find(|family| family.name == "errors").unwrap();
        assert_eq!(errors.series.len(), ERRORS_MAX + 1);
        assert!(errors.series.iter().all(|series| series.labels.iter().all(|(_, text)| text.chars().count() <= 256)));
        has(&lines(&state), "errors{method=\"\",name=\"\",error=\"other errors\"} 20");
    }

    #[test]
    fn the_warm_ups_end_begins_anew() {
        let mut state = after(3, None);
        state.begin_anew();
        state.add(&sample::snapshot(3));
        has(&lines(&state), "total_num_requests{method=\"request-GET\",name=\"hello\"} 1000");
    }
}
