//! The plan of a run: everything the engine needs to know, resolved once, read by all, changed by none.

mod load;
mod network;

use std::time::Duration;

use pummel_case::{Case, Step};
use pummel_plugin::PluginHost;
use pummel_stats::Thresholds;
use serde_json::{json, Value};

use crate::{network::origins::Manner, program::ACTION, split::users_of, Functional};

pub use load::{CatchUp, ClosedLoad, Load, LoadModel, OpenLoad, Spacing, Stage, MAX_ARRIVAL_RATE, MAX_RATE, MAX_USERS};
pub use network::{
    Addresses, ClientCertificate, Close, Connections, Cookies, Http2, IpFamily, Network, Override, Proxies, Proxy,
    RetryStale, Tcp, Tls, TlsVersion, Via,
};

/// A run, resolved: what to send, how much of it, from where, and with which limits.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The command that made the plan, such as `boom`.
    pub command: &'static str,
    /// A name for the run, shown in reports: the case's name, or the URL of `hit`.
    pub name: String,
    /// The cases users pick from at each iteration, by weight (hrp spec 14.5). At least one.
    pub cases: Vec<Case>,
    /// How many users do how much.
    pub load: Load,
    /// An upper bound on the rate, or none.
    pub pacing: Option<Pacing>,
    /// The CPUs to use, one executor pinned to each. At least one, no duplicates.
    pub cpus: Vec<usize>,
    /// Connections and time limits.
    pub network: Network,
    /// How long requests in flight may go on after the stop before they are cut off and counted as abandoned.
    pub stop_timeout: Duration,
    /// True for test cases: each iteration is recorded as the transaction `Action` (hrp spec 14.8). False for `hit`.
    pub record_action: bool,
    /// The plugins whose functions the cases call; none where there are none.
    pub plugins: Option<PluginHost>,
    /// What the run must hold, and whether a broken threshold ends it.
    pub thresholds: Thresholds,
    /// How much of the load, from the start of the run clock, is kept apart from what is measured, or nothing.
    pub warmup: Option<Duration>,
    /// Which failures the report shows whole.
    pub failure_samples: FailureSampling,
    /// A functional run instead of load: `pummel run`. It has one user on the first CPU, and of the load only the network's part
    /// counts.
    pub functional: Option<Functional>,
}

impl Plan {
    /// True when the plan itself holds the load back: a ceiling on the rate, pacing, think time, or users that wait for each other.
    pub fn paced(&self) -> bool {
        let waits =
            |case: &Case| case.steps.iter().any(|step| matches!(step, Step::ThinkTime(_) | Step::Rendezvous(_)));
        let paced = self.load.as_closed().is_some_and(|closed| closed.pacing.is_some());
        self.pacing.is_some() || paced || self.cases.iter().any(waits)
    }

    /// The names rows of a run can have: of steps, transactions and referenced cases. `None` where a step is named after values
    /// that its users have, as those names are known when they come up.
    pub fn row_names(&self) -> Option<Vec<&str>> {
        let mut names: Vec<&str> = Vec::new();
        for case in &self.cases {
            for step in case.setup.iter().chain(&case.steps) {
                let request = match step {
                    Step::Request(step) => step,
                    Step::WebSocket(step) => &step.request,
                    _ => continue,
                };
                if request.has_rendered_name() {
                    return None;
                }
                names.push(&request.name);
            }
            names.extend(case.transaction_names().iter().chain(case.reference_names()).map(|name| &**name));
        }
        names.extend(self.record_action.then_some(ACTION));
        Some(names)
    }

    /// How many of the CPUs are used: none without a user of its own, nor without a connection where those are bounded.
    pub fn cores_used(&self) -> usize {
        let blocks = self.load.users.div_ceil(self.network.http2.streams.max(1));
        self.cpus.len().min(self.bounded(blocks) as usize)
    }

    /// Connections the plan keeps open to one origin at most, where no step says how it is spoken to.
    pub fn connections_per_origin(&self) -> u32 {
        self.connections_in(Manner { http2: self.network.http2.all, ..Manner::default() })
    }

    /// Connections the plan keeps open at most to one origin that is spoken to in one manner.
    pub(crate) fn connections_in(&self, manner: Manner) -> u32 {
        if manner.http2 {
            let seats = self.network.users_per_http2_connection();
            return (0..self.cpus.len()).map(|core| users_of(self, core).div_ceil(seats)).sum();
        }
        if manner.tunnel {
            // A WebSocket is its user's own, whatever the others share.
            return self.load.users;
        }
        self.bounded(self.load.users)
    }

    fn bounded(&self, connections: u32) -> u32 {
        match self.network.connections {
            Connections::Shared { most: Some(most) } => connections.min(most),
            Connections::Shared { most: None } | Connections::PerUser | Connections::PerIteration => connections,
        }
    }

    /// The plan as it stands in a summary.
    pub fn describe(&self) -> Value {
        let seconds = |time: Duration| json!(time.as_secs_f64());
        let model = match &self.load.model {
            _ if self.functional.is_some() => "functional",
            LoadModel::Closed(_) => "closed",
            LoadModel::Open(_) => "open",
        };
        let mut described = json!({
            "model": model,
            "cases": self.cases.iter().map(|case| json!({
                "name": &*case.name,
                "path": case.path.as_deref().map(|path| path.display().to_string()),
                "weight": case.weight,
            })).collect::<Vec<_>>(),
            "max_rps": self.pacing.map(|pacing| pacing.per_second),
            "rate_unit": self.pacing.map(|pacing| match pacing.unit {
                PacingUnit::Request => "request",
                PacingUnit::Iteration => "iteration",
            }),
            "cpus": self.cpus,
            "connections": match self.network.connections {
                Connections::PerUser => "per-user",
                Connections::PerIteration => "per-iteration",
                Connections::Shared { .. } => "shared",
            },
            "connections_max": match self.network.connections {
                Connections::Shared { most } => most,
                Connections::PerUser | Connections::PerIteration => None,
            },
            "max_requests_per_connection": self.network.max_requests_per_connection,
            "max_connection_age_s": self.network.max_connection_age.map(seconds),
            "proxies": self.network.proxies.describe(),
            "keepalive": self.network.keepalive,
            "connect_timeout_s": seconds(self.network.connect_timeout),
            "request_timeout_s": seconds(self.network.request_timeout),
            "retry_stale": match self.network.retry_stale {
                RetryStale::Idempotent => "idempotent",
                RetryStale::All => "all",
            },
            "max_redirects": self.network.max_redirects,
            "ask_for_gzip": self.network.ask_for_gzip,
            "cookies": match self.network.cookies {
                Cookies::Off => "off",
                Cookies::PerIteration => "per-iteration",
                Cookies::PerUser => "per-user",
            },
            "request_phases": self.network.request_phases,
            "thresholds": self.thresholds.conditions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "abort_on_threshold_s": self.thresholds.abort_after.map(seconds),
            "warmup_s": self.warmup.map(seconds),
            "sample_failures": self.failure_samples.per_kind,
            "show_secrets": self.failure_samples.show_secrets,
            "stop_timeout_s": seconds(self.stop_timeout),
            "source_ips": self.network.addresses.sources,
            "dns_ttl_s": self.network.addresses.ttl.map(seconds),
            "close": match self.network.tcp.close {
                Close::Fin => "fin",
                Close::Rst => "rst",
            },
        });
        if let (Some(all), Value::Object(load)) = (described.as_object_mut(), self.load.describe()) {
            all.extend(load);
        }
        described
    }
}

/// Failed exchanges that are kept for the report, with request, response and timing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailureSampling {
    /// How many of each step and kind of error, at most [`SAMPLES_PER_SORT_MAX`](pummel_stats::SAMPLES_PER_SORT_MAX); 0 for none.
    /// With any, each connection keeps the head and the start of every response.
    pub per_kind: u32,
    /// What is secret by its name is shown, and not masked.
    pub show_secrets: bool,
}

/// A time limit in nanoseconds, as the ring counts; the longest there is stands for all beyond it.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A ceiling on the rate of a closed run (`--max-rps`), smooth: slot n of the run lies at start + n / rate.
#[derive(Debug, Clone, Copy)]
pub struct Pacing {
    /// Requests or iterations per second, over all cores. Above 0.
    pub per_second: f64,
    /// What takes a slot.
    pub unit: PacingUnit,
}

/// What one slot of [`Pacing`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacingUnit {
    /// Each request waits for a slot.
    Request,
    /// Each iteration waits for a slot, as hrp has it (hrp spec 14.6).
    Iteration,
}
