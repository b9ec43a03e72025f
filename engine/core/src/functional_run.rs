//! A functional run: every case of the plan in order, each step looked at and told of (hrp spec 13.3 to 13.5).

use std::{rc::Rc, time::SystemTime};

use pummel_case::{Case, Journal, Prepared, Progress, Session, Step, StepError, TransactionEdge};
use pummel_ring::now_ns;

use crate::{
    error::Kind,
    iteration::{Ended, Part, Transaction},
    network::exchange::Unanswered,
    plan::nanos,
    program::{Compiled, Program},
    shard::Shard,
    user::User,
    ExchangeRecord, Functional, FunctionalEvent, StepFailure, StepRecord,
};

/// Exit codes of what is no step's failure (hrp spec 13.6).
const INTERRUPTED: u8 = 38;
const TIMED_OUT: u8 = 39;

/// What is written down of a request while it goes on.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) journal: Journal,
    /// What goes over the wire, once there is something to send.
    pub(crate) exchange: Option<Box<ExchangeRecord>>,
    failure: Option<StepFailure>,
}

impl Watch {
    /// The request is over; what failed ends the run with this exit code.
    pub(crate) fn ends(&mut self, failed: Option<&Unanswered>, exit_code: u8) {
        if let Some(Unanswered::Failed(kind, message)) = failed {
            self.failure = Some(StepFailure { kind: kind.label(), message: message.clone().into_owned(), exit_code });
        }
    }
}

impl From<&StepError> for StepFailure {
    fn from(error: &StepError) -> Self {
        let kind = Kind::from(error.kind).label();
        Self { kind, message: error.message.to_string(), exit_code: error.exit_code }
    }
}

/// Runs every case of the plan once for each row of its parameters.
pub(crate) async fn run(shard: &Rc<Shard>, functional: &Functional) {
    let mut user = User::new(shard, 0);
    for (program, case) in shard.programs.iter().zip(&shard.plan.cases) {
        let rows = case.parameters.as_ref().map_or(1, pummel_case::Parameters::runs);
        for position in 0..rows {
            if shard.stopped() {
                break;
            }
            let began_ns = now_ns();
            let mut run =
                CaseRun { user: &mut user, functional, case, program, exit_code: 0, began_ns, plugin_before_us: 0 };
            let passed = run.run(shard, position).await;
            if !passed && !functional.continue_on_failure {
                break;
            }
        }
    }
    user.finish();
}

/// One run of one case.
struct CaseRun<'r, 'a> {
    user: &'r mut User<'a>,
    functional: &'r Functional,
    case: &'a Case,
    program: &'a Program,
    /// That of the first failure.
    exit_code: u8,
    began_ns: u64,
    /// What all calls of plugin functions had taken when the present step began, microseconds.
    plugin_before_us: u64,
}

impl<'a> CaseRun<'_, 'a> {
    /// Runs the case within its time limit; true where it passed.
    async fn run(&mut self, shard: &Rc<Shard>, position: u64) -> bool {
        let case = self.program.case;
        self.tell(FunctionalEvent::CaseStarted { case, started_at: SystemTime::now() });
        shard.begin_case();
        let limit = self.case.case_timeout.unwrap_or(self.functional.case_timeout);
        let alarm = {
            let shard = Rc::clone(shard);
            let over_ns = self.began_ns.saturating_add(nanos(limit));
            shard.ring.clone().spawn(async move {
                shard.ring.sleep_until(over_ns).await;
                shard.end_case();
            })
        };
        let ended = self.walk_all(position).await;
        alarm.cancel().await;

        let error = match ended {
            Ended::Cut => {
                let (exit_code, error) = self.why_cut();
                self.exit_code = exit_code;
                Some(error)
            }
            Ended::Passed | Ended::Failed => None,
        };
        let passed = self.exit_code == 0;
        let exports = self.case.exported(self.user.session(case));
        self.tell(FunctionalEvent::CaseEnded {
            case,
            passed,
            error,
            exit_code: self.exit_code,
            elapsed_us: since_us(self.began_ns),
            exports,
        });
        passed
    }

    /// The once-per-user steps before the first row, then the case's own.
    async fn walk_all(&mut self, position: u64) -> Ended {
        let case = self.program.case;
        if position == 0 {
            self.user.client.begin_case();
        }
        if position == 0 && !self.case.setup.is_empty() {
            self.user.begin(case);
            let ended = self.walk(Part::Setup, &self.case.setup, &self.program.setup).await;
            self.user.shard.close_websockets(&mut self.user.client);
            if ended != Ended::Passed {
                return ended;
            }
            self.user.client.cookies.jar.keep();
        }
        self.user.take_row(case, position);
        self.user.begin(case);
        let ended = self.walk(Part::Load, &self.case.steps, &self.program.steps).await;
        self.user.shard.close_websockets(&mut self.user.client);
        ended
    }

    /// Goes through steps. Failed only where a failure ends the case; cut when its time was over or the run was stopped.
    async fn walk(&mut self, part: Part, steps: &'a [Step], compiled: &'a [Compiled]) -> Ended {
        let mut at = 0;
        while let (Some(step), Some(compiled)) = (steps.get(at), compiled.get(at)) {
            if self.user.shard.stopping() {
                return Ended::Cut;
            }
            self.plugin_before_us = self.user.shard.recorder.borrow().plugin_time_us();
            let round = self.round(steps, at);
            at += 1;
            let ended = match (step, compiled) {
                (Step::Request(step), Compiled::Request(exchange)) => {
                    let mut record = record(String::new(), step_type(&step.label));
                    record.name = self.user.step_name(self.program.case, step).to_owned() + &round;
                    let (began_ns, mut watch) = (now_ns(), Watch::default());
                    self.user.now_ns = began_ns;
                    let request = self.user.request(self.program.case, part, step, exchange, Some(&mut watch));
                    let ended = request.await;
                    self.request_over(record, watch, began_ns, ended)
                }
                (Step::WebSocket(step), Compiled::WebSocket(exchange)) => {
                    let mut record = record(String::new(), step_type(&step.request.label));
                    record.name = self.user.step_name(self.program.case, &step.request).to_owned() + &round;
                    let (began_ns, mut watch) = (now_ns(), Watch::default());
                    self.user.now_ns = began_ns;
                    let ended = self.user.websocket(self.program.case, part, step, exchange, Some(&mut watch));
                    let ended = Box::pin(ended).await;
                    self.request_over(record, watch, began_ns, ended)
                }
                (Step::Transaction(step), _) => {
                    let elapsed_us = self.transaction(step.index, step.edge);
                    let record = record(step.step_name.to_string() + &round, "transaction");
                    self.step_over(StepRecord { elapsed_us, ..record })
                }
                (Step::ThinkTime(step), _) => {
                    let record = record(step.name.to_string() + &round, "thinktime");
                    let (began_ns, pause) = (now_ns(), step.time.pick(&mut self.user.random));
                    let ended = self.user.pause_from(began_ns, pause).await;
                    let failure = (ended == Ended::Cut).then(|| self.cut_failure());
                    self.step_over(StepRecord { elapsed_us: since_us(began_ns), failure, ..record })
                }
                (Step::Rendezvous(step), _) => {
                    let record = record(step.step_name.to_string() + &round, "rendezvous");
                    self.step_over(record)
                }
                (Step::Enter(step), _) => {
                    let ended = self.prepare(&step.name, |session, progress| step.enter(session, progress)).await;
                    if ended == Ended::Failed {
                        at = behind_leave(steps, at);
                    }
                    ended
                }
                (Step::Evaluate(step), _) => {
                    self.prepare("config.variables", |session, progress| step.evaluate(session, progress)).await
                }
                (Step::Leave(step), _) => {
                    step.leave(self.user.session(self.program.case));
                    Ended::Passed
                }
                (Step::Repeat(repeat), _) => {
                    if self.user.goes_back(*repeat) {
                        at = repeat.first;
                        self.user.let_others_run().await;
                    }
                    Ended::Passed
                }
                (Step::Broken(step), _) => {
                    let record = record(step.name.to_string() + &round, step_type(&step.label));
                    self.step_over(StepRecord { failure: Some(StepFailure::from(&step.error)), ..record })
                }
                (Step::Request(_) | Step::WebSocket(_), _) => unreachable!("requests are compiled"),
            };
            match ended {
                Ended::Failed if !self.functional.continue_on_failure => return ended,
                Ended::Passed | Ended::Failed => {}
                Ended::Cut => return ended,
            }
        }
        Ended::Passed
    }

    /// What a step that has a loop of its own adds to its name (hrp spec 13.5).
    fn round(&self, steps: &[Step], at: usize) -> String {
        match steps.get(at + 1) {
            Some(Step::Repeat(repeat)) if repeat.first == at => {
                format!("_loop_{}", self.user.loops[repeat.index] + 1)
            }
            _ => String::new(),
        }
    }

    /// Starts or ends a transaction; gives what its record says it took (hrp spec 12.4).
    fn transaction(&mut self, index: usize, edge: TransactionEdge) -> u64 {
        let transaction = &mut self.user.transactions[index];
        match edge {
            TransactionEdge::Start => {
                (transaction.open, transaction.start_ns) = (true, now_ns());
                0
            }
            TransactionEdge::End => {
                let ended = std::mem::take(transaction);
                let Transaction { open, start_ns, .. } = ended;
                since_us(if open { start_ns } else { self.began_ns })
            }
        }
    }

    /// Does what has to be done before the next step. Only a failure to do so is told of: steps speak for themselves.
    async fn prepare(
        &mut self,
        name: &str,
        run: impl Fn(&mut Session, &mut Progress) -> Result<Prepared, StepError>,
    ) -> Ended {
        let record = record(name.to_owned(), "testcase");
        let began_ns = now_ns();
        let failure = match self.user.prepare(self.program.case, Part::Load, run).await {
            Ok(Ended::Cut) => self.cut_failure(),
            Ok(_) => return Ended::Passed,
            Err(error) => StepFailure::from(&error),
        };
        self.step_over(StepRecord { elapsed_us: since_us(began_ns), failure: Some(failure), ..record })
    }

    fn request_over(&mut self, record: StepRecord, watch: Watch, began_ns: u64, ended: Ended) -> Ended {
        let content = watch.exchange.as_ref().and_then(|exchange| exchange.response.as_ref());
        let record = StepRecord {
            elapsed_us: watch.exchange.as_ref().map_or_else(|| since_us(began_ns), |exchange| exchange.phases.total_us),
            content_bytes: content.map_or(0, |response| response.content_bytes),
            failure: if ended == Ended::Cut { Some(self.cut_failure()) } else { watch.failure },
            extracted: watch.journal.extracted,
            validators: watch.journal.validators,
            exchange: watch.exchange,
            ..record
        };
        self.step_over(record)
    }

    /// Tells of a step, and how it ended.
    fn step_over(&mut self, mut record: StepRecord) -> Ended {
        let plugin_us = self.user.shard.recorder.borrow().plugin_time_us();
        record.plugin_us = plugin_us.saturating_sub(self.plugin_before_us);
        let ended = match &record.failure {
            None => Ended::Passed,
            Some(_) if self.user.shard.stopping() => Ended::Cut,
            Some(failure) => {
                if self.exit_code == 0 {
                    self.exit_code = failure.exit_code.max(1);
                }
                Ended::Failed
            }
        };
        self.tell(FunctionalEvent::Step(Box::new(record)));
        ended
    }

    /// Why the case ended before its steps did: the exit code and a sentence.
    fn why_cut(&self) -> (u8, String) {
        if self.user.shard.stopped() {
            return (INTERRUPTED, "interrupted".to_owned());
        }
        let (limit, place) = match self.case.case_timeout {
            Some(limit) => (limit, "config.case_timeout"),
            None => (self.functional.case_timeout, "--case-timeout"),
        };
        (TIMED_OUT, format!("the case took longer than {} s ({place})", limit.as_secs_f64()))
    }

    fn cut_failure(&self) -> StepFailure {
        let (exit_code, message) = self.why_cut();
        let kind = if exit_code == INTERRUPTED { "interrupted" } else { "case_timeout" };
        StepFailure { kind, message, exit_code }
    }

    fn tell(&self, event: FunctionalEvent) {
        // Whoever no longer listens does not want to know.
        let _ = self.functional.events.send(event);
    }
}

/// A record of a step that begins now.
fn record(name: String, step_type: &'static str) -> StepRecord {
    StepRecord {
        name,
        step_type,
        started_at: SystemTime::now(),
        elapsed_us: 0,
        plugin_us: 0,
        content_bytes: 0,
        failure: None,
        extracted: Vec::new(),
        validators: Vec::new(),
        exchange: None,
    }
}

/// The short type of a request's label (hrp spec 13.8).
fn step_type(label: &str) -> &'static str {
    match label {
        "api" => "api",
        "testcase" => "testcase",
        "transaction" => "transaction",
        "rendezvous" => "rendezvous",
        "thinktime" => "thinktime",
        label if label.starts_with("websocket") => "websocket",
        _ => "request",
    }
}

/// The index behind the end of the referenced case whose first step stands at `at`.
fn behind_leave(steps: &[Step], at: usize) -> usize {
    let mut depth = 1;
    let leave = steps[at..].iter().position(|step| {
        match step {
            Step::Enter(_) => depth += 1,
            Step::Leave(_) => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    leave.map_or(steps.len(), |leave| at + leave + 1)
}

fn since_us(began_ns: u64) -> u64 {
    now_ns().saturating_sub(began_ns) / 1000
}
