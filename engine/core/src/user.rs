//! A virtual user: iterations of test cases, one after the other, until the run or its loops end.

use std::borrow::Cow;

use pummel_case::{Headers, Progress, RenderedRequest, RequestStep, ResponseView, Session, Step, TransactionEdge};
use pummel_http::Response;
use pummel_ring::now_ns;
use pummel_stats::{RowId, Sample};

use crate::{
    client::Client,
    exchange::{too_many_hosts, Outgoing, Tally, Unanswered},
    plan::{nanos, PacingUnit},
    program::{Compiled, Exchange, Program},
    shard::Shard,
};

/// An iteration in which nothing went over the wire and no think time came near this (transactions only, a step that cannot
/// be rendered, a refused connection) ends with this sleep, so that its user does not keep the core from everything else.
const IDLE_ITERATION_NS: u64 = 1_000_000;

/// The name of a plan whose user 3 panics: what a test needs to see a core break down.
#[cfg(test)]
pub(crate) const PANICS_AT_USER_3: &str = "panics at user 3";

struct User<'a> {
    shard: &'a Shard,
    random: fastrand::Rng,
    session: Session,
    /// The request being built, for steps that are not constant.
    rendered: RenderedRequest,
    client: Client,
    /// Where the user stands in time: the end of what it did last. The next request was due then, so whatever passes until
    /// it is handed to the kernel is the engine's lateness, not the server's.
    now_ns: u64,
    /// Transactions of this iteration, by their index in the case.
    transactions: Vec<Transaction>,
    /// This iteration took its time: it leaves room for other users.
    waited: bool,
}

#[derive(Clone, Copy, Default)]
struct Transaction {
    open: bool,
    failed: bool,
    start_ns: u64,
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    /// The run ended before the step did, or before it began.
    Cut,
}

/// Runs one user to its end. `position` is its number in the run.
pub(crate) async fn run(shard: &Shard, position: u64) {
    #[cfg(test)]
    assert!(shard.plan.name != PANICS_AT_USER_3 || position != 3, "what the test asked for");
    let begin_ns = now_ns();
    shard.recorder.borrow_mut().user_started(shard.clock_ns());
    let mut user = User {
        shard,
        random: fastrand::Rng::with_seed(fastrand::u64(..) ^ position),
        session: Session::new(),
        rendered: RenderedRequest::default(),
        client: Client::new(shard.shared_idle.clone(), shard.plan.network.cookies),
        now_ns: begin_ns,
        transactions: Vec::new(),
        waited: false,
    };
    let mut loops_left = shard.plan.load.loops_per_user.unwrap_or(u64::MAX);
    while loops_left > 0 && !shard.stopping() {
        loops_left -= 1;
        if shard.paces(PacingUnit::Iteration) {
            let Some(slot_ns) = shard.pace(user.now_ns).await else { break };
            user.now_ns = slot_ns;
        }
        if user.iterate().await == Ended::Cut {
            break;
        }
    }
    let mut recorder = shard.recorder.borrow_mut();
    if shard.shared_idle.is_none() {
        user.client.idle.borrow_mut().close(|| recorder.connection_closed());
    }
    recorder.user_finished(shard.clock_ns());
}

impl User<'_> {
    /// One iteration of a case: steps in order until one fails (hrp spec 14.7).
    async fn iterate(&mut self) -> Ended {
        let shard = self.shard;
        let program = &shard.programs[shard.choice.pick(&mut self.random)];
        let case = &shard.plan.cases[program.case];
        self.session.begin(case);
        self.client.begin_iteration();
        self.transactions.clear();
        self.transactions.resize(program.transaction_rows.len(), Transaction::default());
        self.waited = false;
        let start_ns = self.now_ns;

        let mut ended = Ended::Passed;
        for (step, compiled) in case.steps.iter().zip(&program.steps) {
            ended = match (step, compiled) {
                (Step::Request(step), Compiled::Request(exchange)) => self.request(step, exchange).await,
                (Step::Transaction(transaction), _) => {
                    self.transaction(program, transaction.index, transaction.edge, start_ns);
                    Ended::Passed
                }
                (Step::ThinkTime(think_time), _) => {
                    let pause_ns = nanos(think_time.time.pick(&mut self.random));
                    self.now_ns = self.now_ns.saturating_add(pause_ns);
                    // A shorter one may lie in the past already, and then nothing yields.
                    self.waited |= pause_ns >= IDLE_ITERATION_NS;
                    shard.sleep_until(self.now_ns).await;
                    if shard.stopping() {
                        Ended::Cut
                    } else {
                        Ended::Passed
                    }
                }
                (Step::Request(_), Compiled::Other) => unreachable!("requests are compiled"),
                _ => Ended::Passed,
            };
            match ended {
                Ended::Passed => {}
                Ended::Failed => {
                    self.transactions.iter_mut().for_each(|transaction| transaction.failed |= transaction.open);
                    break;
                }
                Ended::Cut => return Ended::Cut,
            }
        }
        self.close(program, start_ns, ended == Ended::Passed);
        if !self.waited {
            self.now_ns = now_ns() + IDLE_ITERATION_NS;
            shard.sleep_until(self.now_ns).await;
        }
        ended
    }

    /// Starts or ends a transaction. An end without a start counts from the iteration's (hrp spec 12.4).
    fn transaction(&mut self, program: &Program, index: usize, edge: TransactionEdge, iteration_ns: u64) {
        let transaction = &mut self.transactions[index];
        match edge {
            TransactionEdge::Start => *transaction = Transaction { open: true, failed: false, start_ns: self.now_ns },
            TransactionEdge::End => {
                let start_ns = if transaction.open { transaction.start_ns } else { iteration_ns };
                let passed = !transaction.failed;
                *transaction = Transaction::default();
                self.record(program.transaction_rows[index], passed, start_ns);
            }
        }
    }

    /// Records what an iteration leaves open, and the iteration itself as `Action` (hrp spec 14.8).
    fn close(&mut self, program: &Program, start_ns: u64, passed: bool) {
        for (transaction, row) in self.transactions.iter().zip(&program.transaction_rows) {
            if transaction.open {
                self.record(*row, !transaction.failed, transaction.start_ns);
            }
        }
        if let Some(row) = program.action_row {
            self.record(row, passed, start_ns);
        }
        self.shard.recorder.borrow_mut().iteration((self.now_ns - start_ns) / 1000);
    }

    fn record(&self, row: RowId, passed: bool, start_ns: u64) {
        self.shard.recorder.borrow_mut().transaction(row, passed, self.now_ns.saturating_sub(start_ns) / 1000);
    }

    /// One network step, from its slot in the schedule to its record.
    async fn request(&mut self, step: &RequestStep, exchange: &Exchange) -> Ended {
        let shard = self.shard;
        // The bound first: who has no request left to send must not wait for a slot that may be far away.
        if shard.stopping() || !shard.take_request() {
            return Ended::Cut;
        }
        if shard.paces(PacingUnit::Request) {
            let Some(slot_ns) = shard.pace(self.now_ns).await else { return Ended::Cut };
            self.now_ns = slot_ns;
        }
        let due_ns = self.now_ns;
        shard.recorder.borrow_mut().started();
        let mut tally = Tally::default();
        let answered = match outgoing(shard, &mut self.session, &mut self.rendered, step, exchange) {
            Ok(outgoing) => shard.exchange(&mut self.client, &outgoing, due_ns, &mut tally, None).await,
            Err(unanswered) => {
                tally.never_sent();
                Err(unanswered)
            }
        };
        self.waited |= tally.exchanges.unsent == 0;
        self.now_ns = tally.done_ns.max(due_ns);
        let failure = match answered {
            Ok(answered) => {
                let failure = if exchange.checks {
                    answered.connection.with(|http| check(step, &mut self.session, &mut http.response)).err()
                } else {
                    None
                };
                shard.release(&self.client.idle, answered);
                failure
            }
            Err(unanswered) => Some(unanswered),
        };
        self.account(exchange, due_ns, &tally, failure)
    }

    /// Enters a finished request: exactly one of succeeded, failed and abandoned for each started.
    fn account(&self, exchange: &Exchange, due_ns: u64, tally: &Tally, failure: Option<Unanswered>) -> Ended {
        let mut recorder = self.shard.recorder.borrow_mut();
        recorder.exchanges(exchange.row, tally.exchanges);
        if tally.sent_ns != 0 {
            recorder.lateness(tally.lateness_ns(due_ns) / 1000);
        }
        let begun_ns = if tally.sent_ns == 0 { due_ns } else { tally.sent_ns };
        let service_us = tally.done_ns.saturating_sub(begun_ns) / 1000;
        match failure {
            None => {
                let response_us = tally.done_ns.saturating_sub(due_ns) / 1000;
                let (bytes_received, bytes_sent) = (tally.bytes_received, tally.bytes_sent);
                recorder.succeeded(exchange.row, Sample { service_us, response_us, bytes_received, bytes_sent });
                Ended::Passed
            }
            Some(Unanswered::Failed(kind, message)) => {
                let (received, sent) = (tally.bytes_received, tally.bytes_sent);
                recorder.failed(exchange.row, service_us, received, sent, kind.label(), &message);
                Ended::Failed
            }
            Some(Unanswered::Abandoned) => {
                recorder.abandoned(exchange.row);
                Ended::Cut
            }
        }
    }
}

/// Renders what is to be sent, unless it is a constant.
fn outgoing<'a>(
    shard: &Shard,
    session: &mut Session,
    rendered: &'a mut RenderedRequest,
    step: &'a RequestStep,
    exchange: &'a Exchange,
) -> Result<Outgoing<'a>, Unanswered> {
    if let (Some((encoded, origin)), Some(request)) = (exchange.constant, step.constant()) {
        return Ok(Outgoing { exchange, step, origin, request, encoded: Some(encoded) });
    }
    step.render(session, rendered, &mut Progress::default())
        .map(drop)
        .map_err(|error| Unanswered::Failed(error.kind.into(), Cow::Owned(error.message.to_string())))?;
    let origin = shard.origins.borrow_mut().intern(rendered.origin()).ok_or_else(too_many_hosts)?;
    Ok(Outgoing { exchange, step, origin, request: rendered, encoded: None })
}

/// Extracts and validates.
fn check(step: &RequestStep, session: &mut Session, response: &mut Response) -> Result<(), Unanswered> {
    let mut body = std::mem::take(&mut response.body);
    let version = if response.version_minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" };
    let view = &mut ResponseView { status: response.status, version, headers: &Head(response), body: &mut body };
    let checked = step.check(session, view, &mut Progress::default(), None).map(drop);
    response.body = body;
    checked.map_err(|error| Unanswered::Failed(error.kind.into(), Cow::Owned(error.message.to_string())))
}

/// A response's headers as extraction and validation see them.
struct Head<'a>(&'a Response);

impl Headers for Head<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.header(name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        self.0.headers().for_each(|(name, value)| f(name, value));
    }
}
