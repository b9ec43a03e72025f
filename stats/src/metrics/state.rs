//! What there is to say of a run so far: every published second added up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::collector::Model;
use crate::latency::Latency;
use crate::row::{RowKey, RowKind};
use crate::snapshot::{ClientState, Overall, RowSecond, Snapshot};
use crate::summary::Summary;

use super::buckets::Buckets;
use super::errors::ErrorSums;
use super::family::{bounded, Family, Kind, Labels, Series, Value};
use super::hrp::HrpState;

/// Rows that are told apart, of requests and of transactions each. Each is some 45 series of a histogram; what is beyond is
/// added up in a row of its own, as a monitoring system has to hold them all.
pub const ROWS_MAX: usize = 500;

/// The name of the row that has what is beyond [`ROWS_MAX`].
const OTHER_ROWS: &str = "other rows";

/// Distinct (kind, step) of errors.
const ERRORS_MAX: usize = 500;

/// What a run is called in its metrics.
#[derive(Clone, Debug, Default)]
pub struct MetricsFacts {
    /// The command, such as `boom`.
    pub command: String,
    /// A name for people.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Closed or open.
    pub model: Model,
    /// Users there are to be in the end, where that is known: until then hrp's `state` is "spawning".
    pub users: Option<u64>,
}

/// The run so far.
#[derive(Debug)]
pub(super) struct State {
    pub(super) facts: MetricsFacts,
    /// Tells this run from others: a UUID.
    pub(super) instance: String,
    /// Its id in a store, once it has begun.
    pub(super) run_id: String,
    pub(super) started_at: SystemTime,
    /// When the last second was added; no two are the same.
    pub(super) updated_at: SystemTime,
    pub(super) running: bool,
    pub(super) warmup: bool,
    pub(super) users: u64,
    /// Since the warm-up's end, where there was one.
    pub(super) overall: Overall,
    pub(super) client: ClientState,
    /// Arrivals of the warm-up, made and missed.
    warmup_arrivals: (u64, u64),
    rows: Rows,
    errors: ErrorSums<(Arc<str>, Arc<str>)>,
    /// What hrp would have said.
    pub(super) hrp: HrpState,
}

/// One row since the start, its warm-up too.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: RowKind,
    pub(super) case: Arc<str>,
    pub(super) label: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    latency: Buckets,
    failed_us: Buckets,
    /// The last second, if it was active in it.
    pub(super) second: Option<Arc<RowSecond>>,
}

impl Row {
    fn labels(&self) -> Labels {
        vec![("case", Arc::clone(&self.case)), ("type", Arc::clone(&self.label)), ("name", Arc::clone(&self.name))]
    }

    fn labels_and_result(&self, result: &'static str) -> Labels {
        let mut labels = self.labels();
        labels.push(("result", result.into()));
        labels
    }

    fn add(&mut self, part: &RowSecond) {
        self.succeeded += part.succeeded;
        self.failed += part.failed;
        self.bytes_received += part.bytes_received;
        self.bytes_sent += part.bytes_sent;
        self.latency.add(&part.latency);
        self.failed_us.add(&part.failed_us);
    }
}

/// Kind, case, type and name.
type RowLabels = (RowKind, Arc<str>, Arc<str>, Arc<str>);

/// Rows by their labels: names that are the same once they are cut are one row, as no two series may have the same labels.
#[derive(Debug, Default)]
struct Rows {
    all: Vec<Row>,
    by_key: HashMap<Arc<RowKey>, usize>,
    by_labels: HashMap<RowLabels, usize>,
    /// How many there are of requests, and of transactions.
    counts: (usize, usize),
}

impl Rows {
    fn of(&mut self, key: &Arc<RowKey>) -> &mut Row {
        let known = self.by_key.get(key).copied();
        let place = known.unwrap_or_else(|| {
            let place = self.place(key);
            self.by_key.insert(Arc::clone(key), place);
            place
        });
        &mut self.all[place]
    }

    fn place(&mut self, key: &RowKey) -> usize {
        let (case, label, name) = (bounded(&key.case), bounded(&key.label), bounded(&key.name));
        let labels = (key.kind, case, label, name);
        if let Some(place) = self.by_labels.get(&labels) {
            return *place;
        }
        let count = match key.kind {
            RowKind::Transaction => &mut self.counts.1,
            RowKind::Request | RowKind::Setup => &mut self.counts.0,
        };
        let labels = if *count < ROWS_MAX {
            *count += 1;
            labels
        } else {
            let others = (key.kind, Arc::default(), Arc::default(), OTHER_ROWS.into());
            if let Some(place) = self.by_labels.get(&others) {
                return *place;
            }
            others
        };
        let place = self.all.len();
        let (kind, case, label, name) = labels.clone();
        self.by_labels.insert(labels, place);
        self.all.push(Row {
            kind,
            case,
            label,
            name,
            succeeded: 0,
            failed: 0,
            bytes_received: 0,
            bytes_sent: 0,
            latency: Buckets::default(),
            failed_us: Buckets::default(),
            second: None,
        });
        place
    }
}

impl State {
    pub(super) fn new(facts: MetricsFacts) -> Self {
        let now = SystemTime::now();
        let hrp = HrpState::new(facts.users);
        Self {
            run_id: String::new(),
            facts,
            instance: random_uuid(),
            started_at: now,
            updated_at: now,
            running: true,
            warmup: false,
            users: 0,
            overall: Overall::default(),
            client: ClientState::default(),
            warmup_arrivals: (0, 0),
            rows: Rows::default(),
            errors: ErrorSums::new(ERRORS_MAX),
            hrp,
        }
    }

    /// Adds what a snapshot brings.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        if self.warmup && !snapshot.point.warmup {
            // What a snapshot has of "so far" begins anew.
            self.warmup_arrivals = (self.overall.arrivals_made, self.overall.arrivals_missed);
            self.errors.begin_anew();
            self.hrp.begin_anew();
        }
        self.warmup = snapshot.point.warmup;
        self.users = snapshot.point.users;
        self.overall.clone_from(&snapshot.overall);
        self.client.clone_from(&snapshot.client);
        // What the drain brings goes with the last second.
        if !snapshot.point.drain {
            self.rows.all.iter_mut().for_each(|row| row.second = None);
        }
        for second in load_rows(&snapshot.rows) {
            let row = self.rows.of(&second.key);
            row.add(second);
            row.second = Some(match row.second.take() {
                None => Arc::clone(second),
                Some(other) => {
                    let mut both = (*other).clone();
                    both.merge(second);
                    Arc::new(both)
                }
            });
        }
        for late in snapshot.corrections.iter().flat_map(|correction| load_rows(&correction.rows)) {
            self.rows.of(&late.key).add(late);
        }
        let errors = snapshot.errors.iter();
        self.errors.set(errors.map(|error| ((bounded(&error.kind), bounded(&error.step)), error.count)));
        self.hrp.add(snapshot);
        self.tick();
    }

    /// The run is over.
    pub(super) fn finish(&mut self, summary: &Summary) {
        self.running = false;
        self.users = 0;
        self.overall.in_flight = 0;
        self.client.connections_open = 0;
        self.client.cpu_share_max = self.client.cpu_share_max.map(|_| 0.0);
        self.hrp.finish(summary);
        self.tick();
    }

    /// Receivers refuse two values of one series at one time, and an older one after a newer: what they get never goes back, whatever
    /// the system's clock does.
    fn tick(&mut self) {
        self.updated_at = SystemTime::now().max(self.updated_at + Duration::from_millis(1));
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows.all
    }

    /// Milliseconds since 1970 of the last second that was added.
    pub(super) fn updated_ms(&self) -> i64 {
        self.updated_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
    }

    /// Errors by kind and step, and those beyond the bound.
    pub(super) fn errors(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>, u64)> + '_ {
        let others = self.errors.others().map(|count| ("".into(), OTHER_ROWS.into(), count));
        self.errors.each().map(|((kind, step), count)| (Arc::clone(kind), Arc::clone(step), count)).chain(others)
    }

    /// Arrivals since the start, made and missed.
    pub(super) fn arrivals(&self) -> (u64, u64) {
        (self.warmup_arrivals.0 + self.overall.arrivals_made, self.warmup_arrivals.1 + self.overall.arrivals_missed)
    }

    /// All metrics, of their own names.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families = vec![self.info()];
        families.extend(self.gauges());
        families.extend(self.of_requests());
        families.extend(self.of_transactions());
        families.push(self.of_errors());
        families
    }

    fn info(&self) -> Family {
        let MetricsFacts { command, name, version, model, users: _ } = &self.facts;
        let model = match model {
            Model::Closed => "closed",
            Model::Open => "open",
        };
        let labels = [("command", command.as_str()), ("run", name), ("version", version), ("model", model)];
        let id = Some(("id", self.run_id.as_str())).filter(|(_, id)| !id.is_empty());
        let labels = labels.into_iter().chain(id).map(|(label, value)| (label, bounded(value)));
        let mut info = Family::new("pummel_run_info", "The run whose metrics these are; always 1", Kind::Gauge);
        info.number(labels.collect(), 1.0);
        info
    }

    fn gauges(&self) -> Vec<Family> {
        let gauge = |name, help, value| Family::single(name, help, Kind::Gauge, value);
        let counter = |name, help, value: u64| Family::single(name, help, Kind::Counter, value as f64);
        let Overall { in_flight, load_s, arrivals_waiting, .. } = self.overall;
        let client = &self.client;
        let mut families = vec![
            gauge("pummel_running", "Whether load is being made", f64::from(u8::from(self.running))),
            gauge("pummel_warmup", "Whether the run is in its warm-up", f64::from(u8::from(self.warmup))),
            gauge("pummel_load_seconds", "Seconds of load so far, without the warm-up", load_s),
            gauge("pummel_users", "Users active", self.users as f64),
            gauge("pummel_requests_in_flight", "Requests begun and not finished", in_flight as f64),
            gauge("pummel_connections_open", "Connections open", client.connections_open as f64),
            counter("pummel_connections_opened_total", "Connections opened", client.connections_opened),
        ];
        if let Some(share) = client.cpu_share_max {
            let help = "CPU share of the busiest core of the load in the last second, 0 to 1";
            families.push(gauge("pummel_client_cpu_ratio", help, share));
        }
        if let Some(sockets) = client.time_wait {
            let help = "Sockets of the load generator's machine in TIME_WAIT";
            families.push(gauge("pummel_client_time_wait_sockets", help, sockets as f64));
        }
        let help = "How late requests reached the kernel, since the warm-up";
        let mut lateness = Family::new("pummel_client_lateness_seconds", help, Kind::Summary);
        lateness.series.push(Series { labels: Vec::new(), value: summary_s(&client.lateness_us) });
        families.push(lateness);
        if self.facts.model == Model::Open {
            let (made, missed) = self.arrivals();
            families.extend([
                counter("pummel_arrivals_total", "Arrivals that a user began", made),
                counter("pummel_arrivals_missed_total", "Arrivals that were given up", missed),
                gauge("pummel_arrivals_waiting", "Arrivals that are due and wait for a user", arrivals_waiting as f64),
            ]);
        }
        families
    }

    fn of_requests(&self) -> [Family; 5] {
        let counter = |name, help| Family::new(name, help, Kind::Counter);
        let mut requests = counter("pummel_requests_total", "Requests finished, those that failed too");
        let mut failures = counter("pummel_failures_total", "Requests that failed");
        let mut received = counter("pummel_received_bytes_total", "Bytes read from sockets");
        let mut sent = counter("pummel_sent_bytes_total", "Bytes handed to sockets");
        let help = "Time requests took: response time in an open run, service time in a closed one";
        let mut durations = Family::new("pummel_request_duration_seconds", help, Kind::Histogram);
        for row in self.rows().iter().filter(|row| row.kind != RowKind::Transaction) {
            requests.number(row.labels(), (row.succeeded + row.failed) as f64);
            failures.number(row.labels(), row.failed as f64);
            received.number(row.labels(), row.bytes_received as f64);
            sent.number(row.labels(), row.bytes_sent as f64);
            durations.histogram(row.labels_and_result("success"), &row.latency);
            if row.failed_us.count() > 0 {
                durations.histogram(row.labels_and_result("failure"), &row.failed_us);
            }
        }
        [requests, failures, received, sent, durations]
    }

    fn of_transactions(&self) -> [Family; 2] {
        let mut ended = Family::new("pummel_transactions_total", "Transactions that ended", Kind::Counter);
        let help = "Time transactions took, those that failed too";
        let mut durations = Family::new("pummel_transaction_duration_seconds", help, Kind::Histogram);
        for row in self.rows().iter().filter(|row| row.kind == RowKind::Transaction) {
            ended.number(row.labels_and_result("success"), row.succeeded as f64);
            ended.number(row.labels_and_result("failure"), row.failed as f64);
            durations.histogram(row.labels(), &row.latency);
        }
        [ended, durations]
    }

    fn of_errors(&self) -> Family {
        let help = "Errors by kind and the step they came in";
        let mut errors = Family::new("pummel_errors_total", help, Kind::Counter);
        for (kind, step, count) in self.errors() {
            errors.number(vec![("kind", kind), ("name", step)], count as f64);
        }
        errors
    }
}

/// Once-per-user steps are no load, and in no second.
fn load_rows(rows: &[Arc<RowSecond>]) -> impl Iterator<Item = &Arc<RowSecond>> {
    rows.iter().filter(|row| row.key.kind != RowKind::Setup)
}

fn summary_s(latency: &Latency) -> Value {
    let quantiles = [(0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)];
    Value::Summary {
        count: latency.count,
        sum: latency.mean.unwrap_or(0.0) * latency.count as f64 / 1e6,
        quantiles: quantiles.into_iter().filter_map(|(share, us)| Some((share, us? as f64 / 1e6))).collect(),
    }
}

/// A random UUID (RFC 9562, version 4).
fn random_uuid() -> String {
    let random = fastrand::u128(..);
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::snapshot::Correction;
    use crate::summary::ErrorCount;

    fn state_after(seconds: u64) -> State {
        let mut state = State::new(MetricsFacts { model: Model::Closed, ..MetricsFacts::default() });
        (0..seconds).for_each(|second| state.add(&sample::snapshot(second)));
        state
    }

    fn value(state: &State, family: &str, label: &str) -> f64 {
        let families = state.families();
        let family = families.iter().find(|one| one.name == family).unwrap();
        let series = family.series.iter().find(|series| series.labels.iter().any(|(_, value)| &**value == label));
        match series.unwrap_or_else(|| panic!("no {label}")).value {
            Value::Number(number) => number,
            Value::Histogram(ref buckets) => buckets.count() as f64,
            Value::Summary { count, .. } => count as f64,
        }
    }

    #[test]
    fn seconds_add_up() {
        let state = state_after(3);
        for (family, label, expected) in [
            ("pummel_requests_total", "order", 3000.0),
            ("pummel_failures_total", "order", 12.0),
            ("pummel_failures_total", "hello", 0.0),
            ("pummel_received_bytes_total", "hello", 600_000.0),
            ("pummel_request_duration_seconds", "order", 2988.0),
            ("pummel_request_duration_seconds", "failure", 12.0),
            ("pummel_transactions_total", "failure", 12.0),
            ("pummel_transaction_duration_seconds", "checkout", 3000.0),
            ("pummel_errors_total", "assertion", 3.0),
        ] {
            assert!((value(&state, family, label) - expected).abs() < f64::EPSILON, "{family} {label}");
        }
        assert_eq!((state.users, state.rows().len()), (150, 3));
    }

    #[test]
    fn what_comes_late_is_added_and_a_warm_up_is_not_taken_back() {
        let mut state = State::new(MetricsFacts::default());
        let mut first = sample::snapshot(0);
        first.point.warmup = true;
        first.overall.arrivals_made = 7;
        state.add(&first);
        let mut second = sample::snapshot(1);
        second.overall.arrivals_made = 2;
        let late = Correction { number: 1, point: first.point.clone(), rows: vec![Arc::clone(&first.rows[0])] };
        second.corrections.push(Arc::new(late));
        state.add(&second);
        assert!((value(&state, "pummel_requests_total", "hello") - 3000.0).abs() < f64::EPSILON);
        assert!((value(&state, "pummel_errors_total", "assertion") - 6.0).abs() < f64::EPSILON);
        assert_eq!(state.arrivals(), (9, 0));
    }

    #[test]
    fn rows_and_errors_are_bounded_and_nothing_is_lost() {
        let mut state = State::new(MetricsFacts::default());
        let mut snapshot = sample::snapshot(0);
        let row = |name: String| {
            let key = RowKey { name: name.into(), ..(*snapshot.rows[0].key).clone() };
            Arc::new(RowSecond { key: Arc::new(key), ..(*snapshot.rows[0]).clone() })
        };
        // The last two are the same once they are cut.
        let mut rows: Vec<_> = (0..ROWS_MAX + 5).map(|n| row(format!("step {n}"))).collect();
        rows[3] = row("x".repeat(300));
        rows[4] = row(format!("{}y", "x".repeat(299)));
        snapshot.rows = rows;
        let error = |n: usize| ErrorCount { kind: "k".into(), step: n.to_string(), count: 1, ..ErrorCount::default() };
        snapshot.errors = (0..ERRORS_MAX + 3).map(error).collect();
        state.add(&snapshot);
        assert_eq!(state.rows().len(), ROWS_MAX + 1);
        assert!((value(&state, "pummel_requests_total", OTHER_ROWS) - 4000.0).abs() < f64::EPSILON);
        let cut = format!("{}…", "x".repeat(255));
        assert!((value(&state, "pummel_requests_total", &cut) - 2000.0).abs() < f64::EPSILON);
        assert!((value(&state, "pummel_errors_total", OTHER_ROWS) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn no_two_seconds_have_the_same_time() {
        let mut state = State::new(MetricsFacts::default());
        let (mut before, snapshot) = (state.updated_ms(), sample::snapshot(0));
        for _ in 0..5 {
            state.add(&snapshot);
            assert!(state.updated_ms() > before);
            before = state.updated_ms();
        }
        assert!(state.running);
        state.finish(&sample::summary());
        assert_eq!((state.users, state.running), (0, false));
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = random_uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert_ne!(uuid, random_uuid());
    }
}
