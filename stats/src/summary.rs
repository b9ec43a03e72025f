//! The summary of a run, as `--json` writes it: schema `pummel.summary/1`.
//!
//! The schema only ever gains fields: a reader ignores what it does not know and finds a default where an older writer
//! left something out. Microseconds are integers, means and deviations floats, and a figure that cannot be known is
//! `null`.

use serde::{Deserialize, Serialize};

use crate::capacity::ClientResource;
use crate::collector::Model;
use crate::endpoint::Endpoint;
use crate::failure::FailureSample;
use crate::latency::{Distribution, Latency};
use crate::row::ExchangeCounts;
use crate::threshold::Unit;
use crate::verdict::{Limit, Verdict};

/// The schema's name and version, the value of [`Summary::schema`].
pub const SCHEMA: &str = "pummel.summary/1";

/// Everything a finished run has to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// What ran, when and where.
    pub run: Run,
    /// The plan as resolved; its shape belongs to whoever made the plan.
    pub plan: serde_json::Value,
    /// All requests together. In a run with a warm-up these, and all figures that do not say they are of the whole run, are of
    /// what ended after it.
    pub totals: Totals,
    /// All iterations together.
    pub iterations: Iterations,
    /// The arrivals of an open run; `null` in a closed one.
    pub arrivals: Option<Arrivals>,
    /// The model's latency of all requests that succeeded, whole: what [`Totals::service_us`] or [`Totals::response_us`] sum up. Not in
    /// the document, and so empty in a summary that was read.
    #[serde(skip)]
    pub latency_distribution: Distribution,
    /// One entry for each (case, type, name) of a request, in the order first seen.
    pub steps: Vec<Step>,
    /// The same of the steps each user does once, before its load. They are part of no total, second or rate, and not of the
    /// conservation check; their rate counts those that finished before the stop.
    pub setup: Vec<Step>,
    /// One entry for each transaction and each referenced case, in the order first seen.
    pub transactions: Vec<Transaction>,
    /// Failures by kind, step and message, the most frequent first; those of once-per-user steps and of referenced cases that
    /// could not begin are among them, and are no failed requests.
    pub errors: Vec<ErrorCount>,
    /// What ended in the warm-up, which is in none of the figures above but the once-per-user steps'; `null` where there was none.
    pub warmup: Option<Warmup>,
    /// The first failures of each step and kind, in the order they failed; empty where none were asked for (`--sample-failures`).
    pub failure_samples: Vec<FailureSample>,
    /// Failures that would be among them, had the bounds of a run's samples not been reached.
    pub failure_samples_left_out: u64,
    /// One entry for each server address a connection was tried to, in the order first seen.
    pub addresses: Vec<Endpoint>,
    /// One entry for each address of this machine that connections were told to come from (`--source-ip`).
    pub sources: Vec<Endpoint>,
    /// One entry for each second, those of the warm-up too, and one for the drain if anything finished after the stop.
    pub series: Vec<SeriesPoint>,
    /// What the load generator says of itself.
    pub client: Client,
    /// Where the time of connections and of requests went.
    pub phases: Phases,
    /// TLS; `null` where there was no handshake.
    pub tls: Option<Tls>,
    /// Calls of plugin functions; `null` where no plugin was started.
    pub plugin: Option<Plugin>,
    /// The check that nothing was lost or invented.
    pub conservation: Conservation,
    /// Thresholds and whether they held; empty when none was given.
    pub thresholds: Vec<Threshold>,
}

impl Summary {
    /// Whether the summary is that of a run which came to its end: it was checked whether its counts add up, and the client was judged.
    pub fn was_judged(&self) -> bool {
        self.conservation.ok || !self.conservation.broken.is_empty()
    }
}

/// What ran, when and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Identity of the run, unique among the runs a store keeps.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The command that started it, such as `boom`.
    pub command: String,
    /// How load was made, and so which latency the series' percentiles mean.
    pub model: Model,
    /// Start of the run clock, RFC 3339 in UTC.
    pub started_at: String,
    /// From the first user's start to the end of the last core's work, drain included, seconds.
    pub duration_s: f64,
    /// The load window: first user's start, or the end of the warm-up, to the stop, seconds. Rates divide by this.
    pub load_s: f64,
    /// How much of the load came before that window, as its warm-up, seconds; 0 where there was none.
    pub warmup_s: f64,
    /// Version of the program.
    pub version: String,
    /// The run was ended before its plan was fulfilled.
    pub aborted: bool,
    /// The threshold that stopped it (`--abort-on-threshold`); `null` where none did.
    pub stopped_for: Option<String>,
    /// What somebody changed while it went on, by time.
    pub changes: Vec<LiveChange>,
    /// The machine.
    pub host: Host,
}

/// A change of a run under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveChange {
    /// When it took hold, seconds on the run clock.
    pub t_s: f64,
    /// What was asked for, such as `users 20` or `pause`.
    pub change: String,
}

/// The machine a run's load came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Kernel release.
    pub kernel: String,
    /// CPUs online.
    pub cpus: u64,
    /// Cores the load ran on.
    pub cores_used: u64,
    /// Model name of the first CPU.
    pub cpu_model: Option<String>,
    /// Frequency governor of the first CPU; `powersave` makes latencies drift.
    pub cpu_governor: Option<String>,
}

/// All requests together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Requests finished: succeeded and failed.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// `failures / requests`; 0 when there were none.
    pub failure_ratio: f64,
    /// Requests finished within the load window, per second of it.
    pub rps: f64,
    /// Bytes read from sockets, TLS taken off.
    pub bytes_received: u64,
    /// Bytes handed to sockets, before TLS.
    pub bytes_sent: u64,
    /// Bytes of response bodies once their content codings were taken off, of those that were: coded ones that something looked at.
    #[serde(default)]
    pub bytes_decoded: u64,
    /// What went over the wire.
    pub exchanges: ExchangeCounts,
    /// Service time of the requests that succeeded.
    pub service_us: Latency,
    /// Response time of the requests that succeeded.
    pub response_us: Latency,
    /// Time the failed requests took.
    pub failed_us: Latency,
}

/// Iterations that ended by themselves before the stop, failed ones included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Iterations {
    /// How many.
    pub count: u64,
    /// The same per second of the load window.
    pub per_s: f64,
    /// What one took on average, from its beginning (in an open run from its intended time) to its end, microseconds; `null` where
    /// there was none.
    pub mean_us: Option<f64>,
}

/// The arrivals of an open run within the load window: `intended + carried = made + missed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrivals {
    /// Those the schedule had.
    pub intended: u64,
    /// Those the schedule had in the warm-up that were still to be made at its end. They are the first to be made in the window.
    pub carried: u64,
    /// Those a user began.
    pub made: u64,
    /// Those given up, and those that still waited for a user at the stop.
    pub missed: u64,
    /// Those made, per second of the load window.
    pub per_s: f64,
    /// Most users busy at once on each core, added up: never less than there were in the whole run at once.
    pub users_peak: u64,
    /// Users there may be.
    pub users_max: u64,
    /// An arrival waited for a user: all of its core were busy, or its own was not done with its once-per-user steps.
    pub waited_for_users: bool,
    /// Those made late for want of a user: none was free, and there could be no further one.
    pub waited: u64,
}

impl Arrivals {
    /// Of those the schedule had within the load window, those a user began.
    pub fn made_of_intended(&self) -> u64 {
        self.made.saturating_sub(self.carried)
    }
}

/// One network step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Name of the case.
    pub case: String,
    /// Type, such as `request-GET`.
    #[serde(rename = "type")]
    pub label: String,
    /// Name of the step.
    pub name: String,
    /// Requests finished: succeeded and failed.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// Requests given up at the stop.
    pub abandoned: u64,
    /// Requests finished within the load window, per second of it.
    pub rps: f64,
    /// Bytes read from sockets, TLS taken off.
    pub bytes_received: u64,
    /// Bytes handed to sockets, before TLS.
    pub bytes_sent: u64,
    /// Bytes of response bodies once their content codings were taken off, of those that were: coded ones that something looked at.
    #[serde(default)]
    pub bytes_decoded: u64,
    /// What went over the wire.
    pub exchanges: ExchangeCounts,
    /// Service time of the requests that succeeded.
    pub service_us: Latency,
    /// Response time of the requests that succeeded.
    pub response_us: Latency,
    /// Time the failed requests took.
    pub failed_us: Latency,
    /// Where the time of the requests that succeeded went; `null` where it was not asked for (`--http-stat`).
    pub phases: Option<StepPhases>,
    /// What its calls of plugin functions took, each by itself; `null` where it made none. No part of the times above.
    pub plugin_us: Option<Latency>,
}

/// One transaction, or one referenced case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transaction {
    /// Name of the case.
    pub case: String,
    /// `transaction`, or `testcase` for a referenced case (hrp spec 14.8).
    #[serde(rename = "type")]
    pub label: String,
    /// Name of the transaction, or of the step that refers to the case.
    pub name: String,
    /// Transactions whose every step passed.
    pub passed: u64,
    /// Transactions with a step that failed.
    pub failed: u64,
    /// Transactions finished within the load window, passed and failed, per second of it.
    pub rps: f64,
    /// Durations of all of them, passed and failed.
    pub duration_us: Latency,
}

/// What ended in the warm-up (`--warmup`), kept apart.
///
/// A request that began in it and ended later is measured. Connections, handshakes, addresses and once-per-user steps are not told
/// apart: the summary has those of the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Warmup {
    /// How long it was to last, from the start of the run clock, seconds.
    pub planned_s: f64,
    /// How long it lasted: from the first user's start to its end or to that of the load, seconds.
    pub duration_s: f64,
    /// Requests finished: succeeded and failed.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// Requests per second of `duration_s`.
    pub rps: f64,
    /// Bytes read from sockets, TLS taken off.
    pub bytes_received: u64,
    /// What went over the wire.
    pub exchanges: ExchangeCounts,
    /// Service time of the requests that succeeded.
    pub service_us: Latency,
    /// Response time of the requests that succeeded.
    pub response_us: Latency,
    /// Time the failed requests took.
    pub failed_us: Latency,
    /// Those that were run, as [`Summary::steps`].
    pub steps: Vec<Step>,
    /// Those that ended, as [`Summary::transactions`].
    pub transactions: Vec<Transaction>,
    /// As [`Summary::errors`], without those of once-per-user steps.
    pub errors: Vec<ErrorCount>,
}

/// How often one error came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorCount {
    /// Kind, one of a bounded set.
    pub kind: String,
    /// Name of the step; empty for the entry that gathers what went over the limit of distinct errors.
    pub step: String,
    /// What was wrong.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// One second of the run, or the drain; of a kept run what is older than its last hour is a minute each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesPoint {
    /// Start of the second on the run clock. The drain stands one past the last second.
    pub t_s: u64,
    /// How many seconds it covers, which its counts are sums over: 1, more of a kept run's minutes, and 1 of the drain.
    pub span_s: u64,
    /// Users active at the end of the second.
    pub users: u64,
    /// Requests finished.
    pub requests: u64,
    /// Requests failed.
    pub failures: u64,
    /// Median of the model's latency: response in an open run, service in a closed one.
    pub p50_us: Option<u64>,
    /// 95th percentile of the same.
    pub p95_us: Option<u64>,
    /// 99th percentile of the same.
    pub p99_us: Option<u64>,
    /// Bytes read from sockets, TLS taken off.
    pub bytes_received: u64,
    /// TLS handshakes completed.
    pub handshakes: u64,
    /// Calls of plugin functions that ended.
    pub plugin_calls: u64,
    /// Arrivals of an open run that a user began.
    pub arrivals: u64,
    /// Arrivals of an open run that were given up, and at the stop those for which no user had been free.
    pub arrivals_missed: u64,
    /// The second begins within the warm-up; of the drain, all of the load was within it.
    pub warmup: bool,
    /// This is what finished after the stop, however long that took; not a second.
    pub drain: bool,
}

impl Default for SeriesPoint {
    /// A second in which nothing happened.
    fn default() -> Self {
        Self {
            t_s: 0,
            span_s: 1,
            users: 0,
            requests: 0,
            failures: 0,
            p50_us: None,
            p95_us: None,
            p99_us: None,
            bytes_received: 0,
            handshakes: 0,
            plugin_calls: 0,
            arrivals: 0,
            arrivals_missed: 0,
            warmup: false,
            drain: false,
        }
    }
}

/// What the load generator says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    /// Whether the figures can be trusted.
    pub verdict: Verdict,
    /// What limited the throughput.
    pub limit: Limit,
    /// Why, in sentences with figures.
    pub reasons: Vec<String>,
    /// What could not be read or judged, in sentences.
    pub notes: Vec<String>,
    /// What ran out, which makes a run invalid: `ports`, `descriptors`, `memory`.
    pub exhausted: Vec<ClientResource>,
    /// One entry for each core of the load.
    pub cpu_cores: Vec<CpuCore>,
    /// Sockets.
    pub connections: Connections,
    /// How late requests reached the kernel. In a closed run: from ready to handed over; in an open one: from the
    /// intended time to handed over.
    pub lateness_us: Latency,
    /// Little's law over the load window; `null` when it was not judged.
    pub little: Option<Little>,
    /// The machine's own counters over the run.
    pub system: System,
    /// Memory.
    pub memory: Memory,
}

/// How busy one core of the load was over the load window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuCore {
    /// Number of the CPU the core's thread is pinned to; `null` when it is not.
    pub cpu: Option<u64>,
    /// Mean CPU share of the thread, 0 to 1, without `awake_share`; `null` when it could not be read.
    pub share_mean: Option<f64>,
    /// The share that a quarter of the seconds reached or passed.
    pub share_busy: Option<f64>,
    /// The busiest second's share.
    pub share_max: Option<f64>,
    /// Share of the time the thread was ready to run but waited for the CPU.
    pub run_queue_share: Option<f64>,
    /// The share of running and waiting together that a quarter of the seconds reached or passed; the verdict's bounds are held
    /// against this one.
    pub share_occupied: Option<f64>,
    /// Share of the time the thread kept awake with nothing to do, for an arrival of an open run that was soon due.
    pub awake_share: Option<f64>,
}

/// Sockets of the whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connections {
    /// Connections established.
    pub opened: u64,
    /// Connections closed, by either side.
    pub closed: u64,
    /// Most connections open at once: the sum of each core's most, so with several cores an upper bound.
    pub peak: u64,
    /// Requests sent on a connection that had carried one before.
    pub reused: u64,
    /// Idle connections found dead on reuse.
    pub stale: u64,
    /// Attempts to connect that failed.
    pub errors: u64,
}

/// Little's law: users = iterations/s x mean iteration time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Little {
    /// Mean number of active users over the load window.
    pub users: f64,
    /// Iterations finished, per second of the load window.
    pub iterations_per_s: f64,
    /// Mean time of an iteration, microseconds.
    pub iteration_mean_us: f64,
    /// The right side divided by the left; 1 when the law holds.
    pub ratio: f64,
}

/// The machine's counters over the run, steal and throttling without the warm-up; each is `null` where it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// Most sockets in TIME_WAIT at once.
    pub time_wait_max: Option<u64>,
    /// Most descriptors this process had open at once.
    pub descriptors_max: Option<u64>,
    /// How many it may have open.
    pub descriptors_limit: Option<u64>,
    /// Ephemeral ports for each pair of source and destination.
    pub ports: Option<u64>,
    /// TCP segments sent again, whole machine.
    pub tcp_retransmits: Option<u64>,
    /// Connections dropped from listen queues, whole machine.
    pub listen_drops: Option<u64>,
    /// Times a listen queue overflowed, whole machine.
    pub listen_overflows: Option<u64>,
    /// Share of CPU time the hypervisor took, 0 to 1.
    pub steal_share: Option<f64>,
    /// Time the cgroup's quota held this process back, microseconds.
    pub throttled_us: Option<u64>,
}

/// Memory of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Held by histograms, cores and totals together, bytes.
    pub histograms_bytes: u64,
    /// Resident at the end, bytes.
    pub resident_bytes: Option<u64>,
    /// Most ever resident, bytes.
    pub resident_peak_bytes: Option<u64>,
}

/// Where the time of connections and of requests went.
///
/// Connections: every one that was opened, the drain's too. Requests: those that succeeded, with their redirects and without the
/// opening of connections; `null` where it was not asked for (`--http-stat`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// What connections waited for the lookup of a name. Names that were looked up before the load are not in it.
    pub dns_us: Latency,
    /// From the call to the open connection.
    pub connect_us: Latency,
    /// TLS handshakes, from the first byte to the end of the handshake.
    pub tls_us: Latency,
    /// From a request's first byte handed to the kernel until it had taken the last.
    pub send_us: Option<Latency>,
    /// From then to the first byte of the response.
    pub wait_us: Option<Latency>,
    /// From then to the last byte of the response.
    pub receive_us: Option<Latency>,
}

/// Where the time of a step's requests went; see [`Phases`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepPhases {
    /// See [`Phases::send_us`].
    pub send_us: Latency,
    /// See [`Phases::wait_us`].
    pub wait_us: Latency,
    /// See [`Phases::receive_us`].
    pub receive_us: Latency,
}

/// TLS over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Handshakes completed.
    pub handshakes: u64,
    /// Of these, how many resumed a session.
    pub resumed: u64,
    /// Handshakes completed within the load window, per second of it.
    pub handshakes_per_s: f64,
    /// A server was spoken to whose certificate nobody had verified.
    pub unverified: bool,
}

/// Calls of plugin functions (`debugtalk`) over the whole run, those of once-per-user steps and the warm-up too. Calls made while the cases were
/// loaded are not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugin {
    /// Calls that ended, by whatever way.
    pub calls: u64,
    /// Calls that gave no value: the function failed, or its process broke down or did not answer in time.
    pub errors: u64,
    /// Most calls under way at once on each core, added up: never less than there were in the whole run at once, and more where
    /// the cores had their most at different times.
    pub in_flight_max: u64,
    /// What calls took, those that failed too: from the engine's asking to its having the answer.
    pub call_us: Latency,
    /// Share of the iterations' time that went by in calls, 0 to 1, until the stop and without once-per-user steps; `null` where
    /// there was no iteration.
    pub share_of_iterations: Option<f64>,
    /// The processes, one entry for each plugin.
    pub processes: Vec<PluginProcesses>,
}

impl Plugin {
    /// How many processes there were at once.
    pub fn workers(&self) -> u64 {
        self.processes.iter().map(|plugin| plugin.workers).sum()
    }

    /// How often a process was started anew.
    pub fn restarts(&self) -> u64 {
        self.processes.iter().map(|plugin| plugin.restarts).sum()
    }
}

/// The processes of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginProcesses {
    /// The plugin's file.
    pub path: String,
    /// What runs it: `own`, `funppy` or `bin`.
    pub runner: String,
    /// Processes side by side.
    pub workers: u64,
    /// How often one was started anew.
    pub restarts: u64,
}

/// The check that nothing was lost or invented, over the whole run: its warm-up and what was measured together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conservation {
    /// Requests begun.
    pub started: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests given up at the stop, or lost with a core that broke down.
    pub abandoned: u64,
    /// Whether the exchanges add up: started + redirects + auth_rounds = sent + unsent, and answered <= sent.
    pub exchanges: bool,
    /// Whether everything adds up: started = succeeded + failed + abandoned, the rows and the seconds each add up to
    /// the total, the histograms hold as many samples as were counted, and the exchanges add up.
    pub ok: bool,
    /// What does not add up, in sentences with both figures.
    pub broken: Vec<String>,
}

/// One threshold and whether it held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Threshold {
    /// In its shortest form, such as `login:p99<250ms`.
    pub expression: String,
    /// The figure of all that was measured it was held against, in its `unit`; `null` when there was none to speak of, see `reason`.
    pub value: Option<f64>,
    /// Whether it held. One without a figure did not.
    pub ok: bool,
    /// What the figure had to compare with, in the same unit.
    pub limit: Option<f64>,
    /// What `value` and `limit` are counted in.
    pub unit: Unit,
    /// How far the figure was beyond the limit, as a share of the limit: 0.5 is 50 %. `null` where it held, and where the limit
    /// is 0.
    pub by: Option<f64>,
    /// The first second of the run clock at whose end it did not hold for everything up to then, also where it held again later.
    /// `null` where there was none; a number that only grows and has to reach something (`requests>100`) has none.
    pub first_failed_s: Option<u64>,
    /// Why there is no figure, in a sentence.
    pub reason: Option<String>,
    /// How many samples more its percentile needs; `null` where it is not they that are missing.
    pub samples_missing: Option<u64>,
}
