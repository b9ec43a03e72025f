//! The steps of a case, as the engine runs them.

use std::{sync::Arc, time::Duration};

use crate::{
    check::Checks,
    request::{RequestProgram, TargetProgram},
    Origin, RenderedRequest, ResponseView, Session, StepError, ThinkTime,
};

/// One step of a case.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends a request and checks its response.
    Request(Box<RequestStep>),
    /// Begins or ends a measured transaction.
    Transaction(TransactionStep),
    /// Waits.
    ThinkTime(ThinkTime),
}

/// A mark of a transaction (hrp spec 12.4, 14.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionStep {
    /// The transaction's name, under which it is recorded.
    pub name: Arc<str>,
    /// Its position among the case's distinct transaction names, [`Case::transaction_names`](crate::Case::transaction_names).
    pub index: usize,
    /// Which end of it.
    pub edge: TransactionEdge,
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
    /// What [`check`](Self::check) reads.
    pub needs: Needs,
    pub(crate) request: Program,
    pub(crate) checks: Checks,
}

/// How the request comes to be.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    Constant(Box<RenderedRequest>),
    Rendered(Box<RequestProgram>),
}

impl RequestStep {
    /// The request, where nothing in it changes from one execution to the next: rendered at load, it needs no
    /// [`render`](Self::render).
    pub fn constant(&self) -> Option<&RenderedRequest> {
        match &self.request {
            Program::Constant(request) => Some(request),
            Program::Rendered(_) => None,
        }
    }

    /// Renders the request with the user's variables into a buffer that is used again and again; once that has grown to fit,
    /// nothing is allocated. Also evaluates the step's own variables, which [`check`](Self::check) may read.
    ///
    /// # Errors
    /// A variable without a value, or a part that cannot be sent: a URL without a host, a control character in a header.
    pub fn render(&self, session: &mut Session, out: &mut RenderedRequest) -> Result<(), StepError> {
        match &self.request {
            Program::Constant(request) => {
                out.copy_from(request);
                Ok(())
            }
            Program::Rendered(program) => program.render(session, out),
        }
    }

    /// True where [`check`](Self::check) would do nothing, so that it need not be called.
    pub fn checks_nothing(&self) -> bool {
        self.checks.is_empty()
    }

    /// Extracts, then validates (hrp spec sections 10 and 9). A step that only checks the status never looks at head or body.
    ///
    /// # Errors
    /// The first validator that does not hold, or a variable without a value. What was extracted stays in the session.
    pub fn check(&self, session: &mut Session, response: &mut ResponseView<'_>) -> Result<(), StepError> {
        self.checks.run(self.needs, session, response)
    }

    /// Where the request goes, where that is known at load.
    pub(crate) fn constant_origin(&self) -> Option<Origin> {
        match &self.request {
            Program::Constant(request) => Some(request.origin().clone()),
            Program::Rendered(program) => match &program.target {
                TargetProgram::Fixed { origin, .. } => Some(origin.clone()),
                TargetProgram::Rendered { known, .. } => known.clone(),
            },
        }
    }
}
