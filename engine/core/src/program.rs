//! A test case made ready for one core: rows interned, constant requests encoded once.

use std::{sync::Arc, time::Duration};

use pummel_case::{Case, RenderedRequest, RequestStep, Step};
use pummel_http::{encode_request, EncodeError, EncodeOptions, Keep};
use pummel_ring::RunBytes;
use pummel_stats::{Recorder, RowId, RowKey, RowKind, TRANSACTION};

use crate::{
    cursor::Cursor,
    network::connection::Wire,
    network::http2::Prepared,
    network::origins::{Manner, OriginId, Origins},
    network::proxy::Forward,
    plan::{nanos, Cookies, Network, RetryStale},
    row_names::RowNames,
    shared::Shared,
    Plan,
};

/// What one core needs to run a case. Steps stand at the same index as in the case.
pub(crate) struct Program {
    /// The case's index in the plan.
    pub(crate) case: usize,
    pub(crate) steps: Vec<Compiled>,
    /// The same for the steps each user does once.
    pub(crate) setup: Vec<Compiled>,
    /// Rows of the case's transactions, by their index.
    pub(crate) transaction_rows: Vec<RowId>,
    /// Rows of the cases it refers to, by their index.
    pub(crate) reference_rows: Vec<RowId>,
    /// How many loops it has.
    pub(crate) loops: usize,
    /// Which row of the parameters comes next, where it has any.
    pub(crate) cursor: Option<Cursor>,
    /// The row of `Action`, where iterations are recorded.
    pub(crate) action_row: Option<RowId>,
}

/// A step as far as the engine compiles it; the others are read from the case.
pub(crate) enum Compiled {
    Request(Exchange),
    WebSocket(WebSocketExchange),
    /// A step that can only fail, and its row.
    Broken(RowId),
    Other,
}

/// Where a step is recorded.
pub(crate) enum Row {
    Fixed(RowId),
    /// By the name it has each time.
    Named(RowNames),
}

/// A request that is always the same, in the words of its protocol.
pub(crate) enum Encoded {
    /// As they go out.
    Plain(RunBytes),
    /// As TLS takes them: the bytes that go out are others each time.
    ToSeal(Box<[u8]>),
    /// As h2 takes it.
    Http2(Box<Prepared>),
}

/// Everything about a request that does not change from one execution to the next.
pub(crate) struct Exchange {
    pub(crate) row: Row,
    /// The request and where it goes, if it is always the same.
    pub(crate) constant: Option<(Encoded, OriginId)>,
    pub(crate) head_request: bool,
    pub(crate) keep: Keep,
    /// The step extracts or validates something.
    pub(crate) checks: bool,
    /// A dead idle connection may be replaced and the request sent again.
    pub(crate) retry_stale: bool,
    pub(crate) timeout_ns: u64,
    /// How many redirects are followed; 0 for none.
    pub(crate) redirects_max: u32,
    /// How the hosts it goes to are spoken to.
    pub(crate) manner: Manner,
}

/// The same of a websocket step.
pub(crate) struct WebSocketExchange {
    pub(crate) row: Row,
    /// The step extracts or validates something.
    pub(crate) checks: bool,
    /// From its begin to its end.
    pub(crate) timeout_ns: u64,
    /// How the hosts it goes to are spoken to.
    pub(crate) manner: Manner,
}

impl Row {
    /// That of a step with this key.
    fn of(step: &RequestStep, key: RowKey, recorder: &mut Recorder) -> Self {
        if step.has_rendered_name() {
            Self::Named(RowNames::new(key))
        } else {
            Self::Fixed(recorder.row(key))
        }
    }
}

impl Program {
    pub(crate) fn compile(
        plan: &Plan,
        case_index: usize,
        ring: &pummel_ring::Ring<Wire>,
        recorder: &mut Recorder,
        origins: &mut Origins,
        shared: &Shared,
    ) -> Self {
        let case = &plan.cases[case_index];
        let key = |kind, label: &str, name: &str| RowKey {
            case: case.name.clone(),
            kind,
            label: label.into(),
            name: name.into(),
        };
        let mut compile = |kind, recorder: &mut Recorder, step: &Step| match step {
            Step::Request(step) => {
                let manner = manner(step, &plan.network);
                let constant =
                    step.constant().filter(|_| !step.has_setup() && !step.may_digest()).and_then(|rendered| {
                        // What cannot be encoded is left to the request path, which reports it as a failed request.
                        let authority = rendered.origin().authority();
                        let origin = origins.intern(rendered.origin(), manner)?;
                        let encoded = if manner.http2 {
                            let prepared =
                                Prepared::new(&step.method, rendered, rendered.origin(), &authority, &plan.network)
                                    .ok()?;
                            Encoded::Http2(Box::new(prepared))
                        } else {
                            let mut bytes = Vec::new();
                            let besides = Besides { forward: origins.forward(origin), ..Besides::default() };
                            encode(&mut bytes, &step.method, rendered, &authority, besides, &plan.network).ok()?;
                            bytes.shrink_to_fit();
                            if rendered.origin().https {
                                Encoded::ToSeal(bytes.into_boxed_slice())
                            } else {
                                Encoded::Plain(ring.keep(bytes))
                            }
                        };
                        Some((encoded, origin))
                    });
                Compiled::Request(Exchange {
                    row: Row::of(step, key(kind, &step.label, &step.name), recorder),
                    constant,
                    head_request: &*step.method == "HEAD",
                    keep: Keep {
                        head: step.needs.head || plan.functional.is_some() || plan.failure_samples.per_kind > 0,
                        body: step.needs.body || plan.functional.is_some(),
                        body_start: plan.failure_samples.per_kind > 0,
                        directives: redirects_max(step, &plan.network) > 0
                            || plan.network.cookies != Cookies::Off
                            || step.may_digest(),
                    },
                    checks: !step.checks_nothing(),
                    retry_stale: may_retry(&step.method, plan.network.retry_stale),
                    timeout_ns: nanos(timeout(step, case, &plan.network)),
                    redirects_max: redirects_max(step, &plan.network),
                    manner,
                })
            }
            Step::WebSocket(step) => {
                let step = &step.request;
                Compiled::WebSocket(WebSocketExchange {
                    row: Row::of(step, key(kind, &step.label, &step.name), recorder),
                    checks: !step.checks_nothing(),
                    timeout_ns: nanos(timeout(step, case, &plan.network)),
                    manner: websocket_manner(step, &plan.network),
                })
            }
            Step::Broken(step) => Compiled::Broken(recorder.row(key(kind, &step.label, &step.name))),
            _ => Compiled::Other,
        };
        let setup = case.setup.iter().map(|step| compile(RowKind::Setup, recorder, step)).collect();
        let steps = case.steps.iter().map(|step| compile(RowKind::Request, recorder, step)).collect();
        let mut timed = |label: &str, name: &str| recorder.row(key(RowKind::Transaction, label, name));
        let transaction_rows = case.transaction_names().iter().map(|name| timed(TRANSACTION, name)).collect();
        let reference_rows = case.reference_names().iter().map(|name| timed(TESTCASE, name)).collect();
        let action_row = plan.record_action.then(|| timed(TRANSACTION, ACTION));
        let cursor = case
            .parameters
            .as_ref()
            .map(|parameters| Cursor::new(parameters, plan.cpus.len(), Arc::clone(&shared.cursors[case_index])));
        let loops = loops(&case.steps).max(loops(&case.setup));
        Self { case: case_index, steps, setup, transaction_rows, reference_rows, loops, cursor, action_row }
    }
}

/// How many loops these steps hold.
fn loops(steps: &[Step]) -> usize {
    let indexes = steps.iter().map(|step| if let Step::Repeat(repeat) = step { repeat.index + 1 } else { 0 });
    indexes.max().unwrap_or(0).min(steps.len())
}

/// The type of rows of referenced cases, and the name of an iteration's row (hrp spec 14.8).
const TESTCASE: &str = "testcase";
pub(crate) const ACTION: &str = "Action";

/// What a user adds to a request that was rendered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extra<'a> {
    /// Stands behind the request's own cookies.
    pub(crate) cookies: &'a [u8],
    /// The value of `Authorization`, where the request has none.
    pub(crate) authorization: Option<&'a String>,
}

/// What a request has on the wire besides what its step says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Besides<'a> {
    /// What its user adds.
    pub(crate) extra: Extra<'a>,
    /// The proxy it is given to.
    pub(crate) forward: Option<&'a Forward>,
    /// No other request follows on its connection.
    pub(crate) last: bool,
}

/// Appends a rendered request as HTTP/1.1, of a body in pieces only the first.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    method: &str,
    rendered: &RenderedRequest,
    authority: &str,
    besides: Besides<'_>,
    network: &Network,
) -> Result<(), EncodeError> {
    let options = EncodeOptions {
        close: !network.keepalive || besides.last,
        user_agent: &network.user_agent,
        cookies: besides.extra.cookies,
        authorization: besides.extra.authorization.map_or("", String::as_str),
        accept_gzip: network.ask_for_gzip,
        body_bytes: rendered.body_bytes(),
        proxy: besides.forward.map(Forward::words),
    };
    encode_request(out, method, rendered.target(), authority, rendered.headers(), rendered.first_piece(), options)
}

/// Whether `Accept-Encoding: gzip` was added to a request, so that the user need not know of a gzip body (hrp spec 11.8). As
/// [`encode_request`] decides it.
pub(crate) fn asked_for_gzip(method: &str, rendered: &RenderedRequest, network: &Network) -> bool {
    let says_itself = |name: &str| name.eq_ignore_ascii_case("accept-encoding") || name.eq_ignore_ascii_case("range");
    network.ask_for_gzip && method != "HEAD" && !rendered.headers().any(|(name, _)| says_itself(name))
}

/// Whether a request may be sent again when its connection was dead.
pub(crate) fn may_retry(method: &str, policy: RetryStale) -> bool {
    policy == RetryStale::All || matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS")
}

/// How many redirects of a step's request are followed (hrp spec 11.1 and 22.0).
fn redirects_max(step: &RequestStep, network: &Network) -> u32 {
    if step.allow_redirects == Some(false) {
        0
    } else {
        network.max_redirects
    }
}

/// How a step speaks to its host: as it says, else as the run says.
pub(crate) fn manner(step: &RequestStep, network: &Network) -> Manner {
    Manner {
        verify: step.verify.unwrap_or(network.tls.verify),
        http2: step.http2.unwrap_or(network.http2.all),
        tunnel: false,
    }
}

/// The same of a websocket step, by what it asks for its connection with.
pub(crate) fn websocket_manner(step: &RequestStep, network: &Network) -> Manner {
    Manner { http2: false, tunnel: true, ..manner(step, network) }
}

/// The step's own limit, else the case's, else the run's.
fn timeout(step: &RequestStep, case: &Case, network: &Network) -> Duration {
    step.timeout.or(case.request_timeout).unwrap_or(network.request_timeout)
}

#[cfg(test)]
mod tests {
    use super::{may_retry, RetryStale};

    #[test]
    fn only_idempotent_methods_are_sent_again_unless_all_are() {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            assert!(may_retry(method, RetryStale::Idempotent), "{method}");
        }
        for method in ["POST", "PATCH"] {
            assert!(!may_retry(method, RetryStale::Idempotent), "{method}");
            assert!(may_retry(method, RetryStale::All), "{method}");
        }
    }
}
