//! The steps of a case, as the engine runs them.

use std::{ops::Range, sync::Arc, time::Duration};

use crate::{
    check::Checks,
    expression::Expr,
    operation::{self, Operation, Surroundings},
    request::{Credentials, RequestProgram, TargetProgram},
    value::Value,
    Journal, Origin, Prepared, Progress, RenderedRequest, ResponseView, Session, StepError, ThinkTime,
};

/// One step of a case. A case is a flat list: what a referenced case or a loop holds stands between its marks.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends a request and checks its response.
    Request(Box<RequestStep>),
    /// Does something with a WebSocket connection.
    WebSocket(Box<WebSocketStep>),
    /// Begins or ends a measured transaction.
    Transaction(TransactionStep),
    /// Waits.
    ThinkTime(ThinkTimeStep),
    /// Waits for other users.
    Rendezvous(RendezvousStep),
    /// Evaluates variables of the config anew, for this iteration.
    Evaluate(Box<EvaluateStep>),
    /// A referenced case begins; what follows up to its [`Step::Leave`] is that case's.
    Enter(Box<EnterStep>),
    /// A referenced case ends.
    Leave(Box<LeaveStep>),
    /// Goes back until a step, or all of a referenced case, has run as often as its `loops` say.
    Repeat(Repeat),
    /// Could not be compiled. Only a functional run has such steps, and fails there.
    Broken(Box<BrokenStep>),
}

/// A pause (hrp spec 12.3).
#[derive(Debug, Clone)]
pub struct ThinkTimeStep {
    /// The step's name as written, for a functional run.
    pub name: Arc<str>,
    /// How long.
    pub time: ThinkTime,
}

/// A mark of a transaction (hrp spec 12.4, 14.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionStep {
    /// The transaction's name, under which it is recorded.
    pub name: Arc<str>,
    /// The step's own name, for a functional run.
    pub step_name: Arc<str>,
    /// Its position among the case's distinct transaction names, [`Case::transaction_names`](crate::Case::transaction_names).
    pub index: usize,
    /// Which end of it.
    pub edge: TransactionEdge,
}

/// A place where users wait for each other (hrp spec 12.5, 14.9).
#[derive(Debug, Clone, PartialEq)]
pub struct RendezvousStep {
    /// The step's name as written, for a functional run.
    pub step_name: Arc<str>,
    /// Its position among the case's rendezvous, in file order, from 0.
    pub index: usize,
    /// How many users it waits for, as written; 0 where it is not given.
    pub number: i64,
    /// Which share of the users it waits for, as written, in (0, 1]; 0 where it is not given.
    pub percent: f64,
    /// The longest gap between two arrivals; 5 s where none above 0 is given.
    pub timeout: Duration,
}

/// The begin of an iteration whose config asks for variables of its own (`variables_scope: iteration`, hrp spec 21 number 21).
#[derive(Debug, Clone)]
pub struct EvaluateStep {
    pub(crate) operations: Box<[Operation]>,
}

impl EvaluateStep {
    /// Evaluates them, up to the next wait.
    ///
    /// # Errors
    /// A function that failed.
    pub fn evaluate(&self, session: &mut Session, progress: &mut Progress) -> Result<Prepared, StepError> {
        operation::run(&self.operations, 0, session, progress)
    }
}

/// The begin of a referenced case (hrp spec 7.11, 12.2).
#[derive(Debug, Clone)]
pub struct EnterStep {
    /// The step's name, under which the whole case is recorded with the type `testcase`.
    pub name: Arc<str>,
    /// Its position among the case's references, [`Case::reference_names`](crate::Case::reference_names).
    pub index: usize,
    pub(crate) operations: Box<[Operation]>,
    /// The slots of what its steps extract, which it begins without.
    pub(crate) fresh: Range<usize>,
}

impl EnterStep {
    /// Evaluates the variables the calling step hands in, and forgets what an earlier execution extracted.
    ///
    /// # Errors
    /// A variable without a value, or a function that failed.
    pub fn enter(&self, session: &mut Session, progress: &mut Progress) -> Result<Prepared, StepError> {
        if progress.done == 0 {
            session.forget(self.fresh.clone());
        }
        operation::run(&self.operations, 0, session, progress)
    }
}

/// The end of a referenced case.
#[derive(Debug, Clone)]
pub struct LeaveStep {
    /// As [`EnterStep::index`].
    pub index: usize,
    /// What it exports: the caller's slot, and the value as the referenced case sees it; none is null (hrp spec 7.11).
    pub(crate) exports: Box<[(usize, Option<Expr>)]>,
}

impl LeaveStep {
    /// Hands what the referenced case exports to its caller; what it has not set becomes null.
    pub fn leave(&self, session: &mut Session) {
        for (slot, value) in &self.exports {
            let value = value.as_ref().and_then(|value| value.evaluate(session).ok());
            session.set_kept_value(*slot, value.unwrap_or(Value::Null));
        }
    }
}

/// The end of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The index of the step it goes back to.
    pub first: usize,
    /// How often the steps from there run in all. At least 2.
    pub times: u32,
    /// Its position among the case's loops, from 0.
    pub index: usize,
}

/// A step that could not be compiled.
#[derive(Debug, Clone)]
pub struct BrokenStep {
    /// The step's name as written.
    pub name: Arc<str>,
    /// The type it would be recorded under.
    pub label: Arc<str>,
    /// What is wrong with it.
    pub error: StepError,
}

/// The ends of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEdge {
    /// It begins; a second begin starts it over.
    Start,
    /// It ends; without a begin it lasted from the iteration's start.
    End,
}

/// Which parts of a response a step reads, so that the engine keeps no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Header fields.
    pub head: bool,
    /// The body.
    pub body: bool,
}

/// A step that sends a request.
#[derive(Debug, Clone)]
pub struct RequestStep {
    /// The step's name, under which it is recorded; `METHOD URL` as written where the case gives none (hrp spec section 3).
    pub name: Arc<str>,
    /// The type it is recorded under: `request-` and the method in the case's own spelling (hrp spec section 3).
    pub label: Arc<str>,
    /// The method as sent, in upper case.
    pub method: Arc<str>,
    /// The step's own time limit (hrp spec 11.1), above the case's.
    pub timeout: Option<Duration>,
    /// Whether redirects are followed, where the case says so (`allow_redirects`).
    pub allow_redirects: Option<bool>,
    /// Whether certificates are checked, where the case says so (`verify`).
    pub verify: Option<bool>,
    /// Over HTTP/2 only (true) or HTTP/1.1 only (false), hrp spec 11.1; none where the run decides.
    pub http2: Option<bool>,
    /// What [`check`](Self::check) reads.
    pub needs: Needs,
    /// The step's name where values of the session are part of it.
    pub(crate) name_template: Option<Expr>,
    pub(crate) request: Program,
    /// Setup hooks, run when the request is built (hrp spec 11.2).
    pub(crate) setup: Box<[Operation]>,
    pub(crate) checks: Checks,
}

/// A step on a WebSocket connection, which is found by the URL it was opened with (hrp spec 12.6).
#[derive(Debug, Clone)]
pub struct WebSocketStep {
    /// What it does.
    pub action: WebSocketAction,
    /// The message is text, else binary.
    pub text: bool,
    /// The code a close is sent with, 1000 to 4999.
    pub close_status: u16,
    /// All it has in common with a request: name, variables, hooks, extract, validate, time limit. What it renders has the
    /// connection's URL, the headers of the handshake, and the message as its body. Its label is `websocket-` and the action.
    pub request: RequestStep,
}

/// What is done with a WebSocket connection (`type`, hrp spec 12.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSocketAction {
    /// Opens it, unless it is open.
    Open,
    /// Sends a ping and does not wait for its pong.
    Ping,
    /// Sends a message, then takes the next one that comes.
    WriteRead,
    /// Takes the next message.
    Read,
    /// Sends a message.
    Write,
    /// Sends a close and waits for the peer's.
    Close,
}

impl WebSocketAction {
    /// All of them, with their names in a case.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("open", Self::Open),
        ("ping", Self::Ping),
        ("wr", Self::WriteRead),
        ("r", Self::Read),
        ("w", Self::Write),
        ("close", Self::Close),
    ];

    /// Its name in a case: `open`, `ping`, `wr`, `r`, `w` or `close`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find_map(|(name, action)| (*action == self).then_some(*name)).unwrap_or_default()
    }

    /// True where it sends a message of the case.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteRead)
    }
}

/// How the request comes to be.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    Constant(Box<RenderedRequest>),
    Rendered(Box<RequestProgram>),
}

impl RequestStep {
    /// The request, where nothing in it changes from one execution to the next: rendered at load. It is sent without
    /// [`render`](Self::render) unless [`has_setup`](Self::has_setup).
    pub fn constant(&self) -> Option<&RenderedRequest> {
        match &self.request {
            Program::Constant(request) => Some(request),
            Program::Rendered(_) => None,
        }
    }

    /// True where the step has setup hooks, which run even before a constant request.
    pub fn has_setup(&self) -> bool {
        !self.setup.is_empty()
    }

    /// True where the request may have credentials for a digest challenge ([`RenderedRequest::digest`]).
    pub fn may_digest(&self) -> bool {
        match &self.request {
            Program::Constant(request) => request.digest().is_some(),
            Program::Rendered(program) => program.auth.may_digest(),
        }
    }

    /// Gives credentials to a constant request that has none.
    pub(crate) fn authenticate(&mut self, credentials: &Credentials) -> Result<(), StepError> {
        match &mut self.request {
            Program::Constant(request) if request.header("Authorization").is_none() && request.digest().is_none() => {
                credentials.apply(request)
            }
            _ => Ok(()),
        }
    }

    /// Renders the request with the user's variables into a buffer that is used again and again; once that has grown to fit,
    /// nothing is allocated. Also evaluates the step's own variables, which [`check`](Self::check) may read, then runs the setup
    /// hooks.
    ///
    /// # Errors
    /// A variable without a value, a function that failed, or a part that cannot be sent: a URL without a host, a control
    /// character in a header.
    pub fn render(
        &self,
        session: &mut Session,
        out: &mut RenderedRequest,
        progress: &mut Progress,
    ) -> Result<Prepared, StepError> {
        match &self.request {
            Program::Constant(request) => out.copy_from(request),
            Program::Rendered(program) => {
                if let wait @ Prepared::Wait(_) = program.render(session, out, progress)? {
                    return Ok(wait);
                }
            }
        }
        self.run_setup(session, out, progress)
    }

    /// Writes the name of this execution, where values of the session are part of it (hrp spec section 3); false where it is
    /// always [`name`](Self::name), or cannot be evaluated, which also means the name as written.
    pub fn render_name(&self, session: &Session, out: &mut String) -> bool {
        out.clear();
        self.name_template.as_ref().is_some_and(|name| name.push_text(session, out).is_ok())
    }

    /// True where the name may differ from one execution to the next.
    pub fn has_rendered_name(&self) -> bool {
        self.name_template.is_some()
    }

    /// True where [`check`](Self::check) would do nothing, so that it need not be called.
    pub fn checks_nothing(&self) -> bool {
        self.checks.is_empty()
    }

    /// Runs the teardown hooks, extracts, then validates (hrp spec 11.2). A step that only checks the status never looks at head
    /// or body. What is looked at is written down where there is a journal.
    ///
    /// # Errors
    /// The first validator that does not hold, a variable without a value, or a function that failed. What was extracted stays
    /// in the session.
    pub fn check(
        &self,
        session: &mut Session,
        response: &mut ResponseView<'_>,
        progress: &mut Progress,
        journal: Option<&mut Journal>,
    ) -> Result<Prepared, StepError> {
        self.checks.run(self.needs, session, response, progress, journal)
    }

    fn run_setup(
        &self,
        session: &mut Session,
        rendered: &RenderedRequest,
        progress: &mut Progress,
    ) -> Result<Prepared, StepError> {
        if self.setup.is_empty() {
            return Ok(Prepared::Done);
        }
        let before = match &self.request {
            Program::Constant(_) => 0,
            Program::Rendered(program) => program.operations.len(),
        };
        let surroundings = Surroundings { request: Some((&self.method, rendered)), response: None };
        operation::run_with(&self.setup, before, session, progress, surroundings)
            .map_err(|error| error.within("run setup hooks failed"))
    }

    /// Where the request goes, where that is known at load.
    pub fn constant_origin(&self) -> Option<Origin> {
        match &self.request {
            Program::Constant(request) => Some(request.origin().clone()),
            Program::Rendered(program) => match &program.target {
                TargetProgram::Fixed { origin, .. } => Some(origin.clone()),
                TargetProgram::Rendered { known, .. } => known.clone(),
            },
        }
    }
}
