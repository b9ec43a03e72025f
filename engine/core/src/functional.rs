//! What a functional run (`pummel run`) asks for and what it is told: every case, every step, everything looked at.
//!
//! A load run has none of it: nothing here is made on the request path of `boom` or `hit`.

use std::time::{Duration, SystemTime};

use crossbeam_channel::Sender;
use pummel_case::ValidatorRecord;
use pummel_ring::Address;
use serde_json::{Map, Value};

/// How a functional run is done: one user, every case of the plan in order, each once for each row of its parameters (hrp spec
/// 13.3 to 13.5).
#[derive(Debug, Clone)]
pub struct Functional {
    /// A failing step does not end its case. Otherwise it does, and the next case begins.
    pub continue_on_failure: bool,
    /// How long one case may take unless its own `case_timeout` says otherwise.
    pub case_timeout: Duration,
    /// Who is told, in order. Unbounded: one user makes few events.
    pub events: Sender<FunctionalEvent>,
}

/// What happens in a functional run.
#[derive(Debug, Clone)]
pub enum FunctionalEvent {
    /// A run of a case begins.
    CaseStarted {
        /// Its index in the plan.
        case: usize,
        /// When.
        started_at: SystemTime,
    },
    /// A step is over.
    Step(Box<StepRecord>),
    /// A run of a case is over.
    CaseEnded {
        /// Its index in the plan.
        case: usize,
        /// No step failed and it was not cut off.
        passed: bool,
        /// Why not, in a sentence, for what is not a step's failure: the case's time limit, an interruption.
        error: Option<String>,
        /// The exit code of its first failure (hrp spec 13.6); 0 where it passed.
        exit_code: u8,
        /// From its start, microseconds.
        elapsed_us: u64,
        /// What it exports.
        exports: Map<String, Value>,
    },
}

/// A step that was executed.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Its name, rendered; `<name>_loop_<n>` in a loop, `<reference> - <name>` in a referenced case (hrp spec 12.2, 13.5).
    pub name: String,
    /// `request`, `api`, `websocket`, `transaction`, `rendezvous` or `thinktime` (hrp spec 13.8).
    pub step_type: &'static str,
    /// When it began.
    pub started_at: SystemTime,
    /// How long it took, microseconds.
    pub elapsed_us: u64,
    /// What its calls of plugin functions took, microseconds; 0 where it made none. No part of an exchange's phases.
    pub plugin_us: u64,
    /// Bytes of the response's body as it came, content codings still on (hrp spec 11.9).
    pub content_bytes: u64,
    /// Why it failed; none where it passed.
    pub failure: Option<StepFailure>,
    /// Names and values it extracted.
    pub extracted: Vec<(Box<str>, Value)>,
    /// Its validators, as far as they were looked at.
    pub validators: Vec<ValidatorRecord>,
    /// What went over the wire; none for steps that send nothing, and for requests that could not be built.
    pub exchange: Option<Box<ExchangeRecord>>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// Its kind, one of a bounded set, such as `assertion` or `connect_refused`.
    pub kind: &'static str,
    /// The sentence a person reads.
    pub message: String,
    /// The exit code (hrp spec 13.6).
    pub exit_code: u8,
}

/// A request and its response. After redirects: the last of each.
#[derive(Debug, Clone, Default)]
pub struct ExchangeRecord {
    /// The method as sent.
    pub method: String,
    /// The URL, absolute.
    pub url: String,
    /// Header fields as sent by the case, cookies of the jar included.
    pub request_headers: Vec<(String, String)>,
    /// The body as sent; empty where there is none.
    pub request_body: Vec<u8>,
    /// The server's address; none where no connection was made.
    pub address: Option<Address>,
    /// The response; none where none came.
    pub response: Option<ResponseRecord>,
    /// How many redirects were followed.
    pub redirects: u32,
    /// How long each phase took.
    pub phases: Phases,
}

/// A response.
#[derive(Debug, Clone, Default)]
pub struct ResponseRecord {
    /// `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// Header fields in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, content codings taken off.
    pub body: Vec<u8>,
    /// Bytes of the body as it came, content codings still on.
    pub content_bytes: u64,
}

/// The phases of an exchange, microseconds; 0 for those that did not take place (a reused connection opens nothing).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Looking up the name.
    pub dns_us: u64,
    /// Opening the connection.
    pub connect_us: u64,
    /// The TLS handshake.
    pub tls_us: u64,
    /// From the first byte handed to the kernel until it had taken the last.
    pub send_us: u64,
    /// From then to the first byte received.
    pub wait_us: u64,
    /// From the first byte received to the last.
    pub receive_us: u64,
    /// From the begin of the exchange to its end.
    pub total_us: u64,
}
