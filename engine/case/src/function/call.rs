//! A call with its arguments, ready to be run.

use std::{cell::Cell, path::PathBuf, sync::Arc};

use super::{
    arguments::{Arguments, MAX_ARGUMENTS},
    builtin::{Function, Returned},
};
use crate::{
    error::{StepError, StepErrorKind},
    expression::Expr,
    operation::SlotPlace,
    project::Project,
    session::Session,
    value::{Evaluated, Operand, Value},
    Wait,
};

/// hrp's exit codes for a call (hrp spec 13.6).
const ARGUMENTS_CODE: u8 = 22;
const CALL_CODE: u8 = 23;
const CSV_CODE: u8 = 14;

/// Text buffers above this size are given back after use.
const KEPT_TEXT_BYTES: usize = 64 * 1024;

thread_local! {
    /// For arguments that are put together from pieces.
    static TEXTS: Cell<[String; MAX_ARGUMENTS]> = const { Cell::new([const { String::new() }; MAX_ARGUMENTS]) };
}

/// A function and its compiled arguments.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    function: Function,
    arguments: Box<[Expr]>,
    project: Arc<Project>,
}

/// Why a function gave nothing. The reason holds no value that may change from one execution to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// hrp's exit code for it (hrp spec 13.6).
    pub(crate) exit_code: u8,
    /// The file it concerns, which is shown at load only: while a load runs its name may be data.
    pub(crate) file: Option<PathBuf>,
}

/// What is known of a call at load.
#[derive(Debug, Clone)]
pub(crate) enum Folded {
    /// Its value.
    Known(Arc<Value>),
    /// It has to be made each time; so long a text did it give just now.
    EachTime { text_bytes: usize },
}

/// Why a call cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallProblem {
    /// The wrong number of arguments, or arguments that fail every time.
    Failed(Failure),
    /// It needs a value that is not known yet where calls are made at once.
    NotConstant,
}

impl Failure {
    pub(super) fn arguments(reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), exit_code: ARGUMENTS_CODE, file: None }
    }

    pub(super) fn call(reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), exit_code: CALL_CODE, file: None }
    }

    pub(super) fn csv(reason: impl Into<String>, file: PathBuf) -> Self {
        Failure { reason: reason.into(), exit_code: CSV_CODE, file: Some(file) }
    }
}

/// A failure while it runs.
enum Stopped {
    /// An argument has no value.
    Argument(StepError),
    Failed(Failure),
}

impl Call {
    /// Checks the number of arguments.
    ///
    /// # Errors
    /// It is not the function's.
    pub(crate) fn new(function: Function, arguments: Vec<Expr>, project: Arc<Project>) -> Result<Self, Failure> {
        let (wanted, given) = (function.arity(), arguments.len());
        if wanted != given {
            let plural = if wanted == 1 { "" } else { "s" };
            return Err(Failure::arguments(format!("it takes {wanted} argument{plural}, not {given}")));
        }
        Ok(Call { function, arguments: arguments.into(), project })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.function.name()
    }

    /// Makes a call that gives the same every time, or any call where calls are made `at_once`. Others whose arguments are known
    /// are tried, so that those which always fail are found at load.
    ///
    /// # Errors
    /// It fails, or is to be made at once and an argument is not known.
    pub(crate) fn fold(&self, at_once: bool) -> Result<Folded, CallProblem> {
        if !self.arguments.iter().all(|argument| argument.as_const().is_some()) {
            return if at_once { Err(CallProblem::NotConstant) } else { Ok(Folded::EachTime { text_bytes: 0 }) };
        }
        let mut text = String::new();
        let returned = match self.evaluate(&Session::new(), &mut text) {
            Ok(returned) => returned,
            Err(Stopped::Failed(failure)) => return Err(CallProblem::Failed(failure)),
            Err(Stopped::Argument(_)) => return Err(CallProblem::NotConstant),
        };
        if !at_once && !self.function.is_constant() {
            return Ok(Folded::EachTime { text_bytes: text.len() });
        }
        Ok(Folded::Known(match returned {
            Returned::Text => Arc::new(Value::Text(text.into())),
            Returned::Int(n) => Arc::new(Value::Int(n.into())),
            Returned::Float(n) => Arc::new(Value::Float(n)),
            Returned::Shared(value) => value,
            // At load there is nothing to wait for.
            Returned::Nothing | Returned::Wait(_) => Arc::new(Value::Null),
        }))
    }

    /// Makes the call; its result then stands in `slot`, whose buffer is used again for text.
    ///
    /// # Errors
    /// An argument has no value, or the function fails.
    pub(crate) fn run(&self, slot: SlotPlace, session: &mut Session) -> Result<Option<Wait>, StepError> {
        let mut text = session.take_text(slot);
        let returned = self.evaluate(session, &mut text);
        session.put_text(slot, text);
        match returned {
            Ok(Returned::Text) => {}
            Ok(Returned::Int(n)) => session.set(slot, Operand::Int(n.into())),
            Ok(Returned::Float(n)) => session.set(slot, Operand::Float(n)),
            Ok(Returned::Nothing) => session.set(slot, Operand::Null),
            Ok(Returned::Shared(value)) => session.set_shared(slot, value),
            Ok(Returned::Wait(wait)) => {
                session.set(slot, Operand::Null);
                return Ok(Some(wait));
            }
            Err(Stopped::Argument(error)) => return Err(error),
            Err(Stopped::Failed(failure)) => return Err(self.error(&failure)),
        }
        Ok(None)
    }

    fn evaluate(&self, session: &Session, text: &mut String) -> Result<Returned, Stopped> {
        let mut texts = TEXTS.take();
        for (text, argument) in texts.iter_mut().zip(&self.arguments) {
            text.clear();
            if matches!(argument, Expr::Text(_)) {
                argument.push_text(session, text).map_err(Stopped::Argument)?;
            }
        }
        let returned = self.call(session, &texts, text);
        if texts.iter().all(|text| text.capacity() <= KEPT_TEXT_BYTES) {
            TEXTS.set(texts);
        }
        returned
    }

    /// Calls the function; `texts` hold the arguments that are put together from pieces.
    fn call(&self, session: &Session, texts: &[String; MAX_ARGUMENTS], text: &mut String) -> Result<Returned, Stopped> {
        let mut values = [const { Evaluated::Ref(Operand::Null) }; MAX_ARGUMENTS];
        for ((value, argument), text) in values.iter_mut().zip(&self.arguments).zip(texts) {
            *value = match argument.borrowed(session) {
                Some(borrowed) => Evaluated::Ref(borrowed.map_err(Stopped::Argument)?),
                None if matches!(argument, Expr::Text(_)) => Evaluated::Ref(Operand::Text(text)),
                None => Evaluated::Owned(argument.evaluate(session).map_err(Stopped::Argument)?),
            };
        }
        let arguments = Arguments { values };
        self.function.call(&arguments, &self.project, text).map_err(Stopped::Failed)
    }

    fn error(&self, failure: &Failure) -> StepError {
        let message = format!("call function {} failed: {}", self.name(), failure.reason);
        StepError { kind: StepErrorKind::Function, message: Arc::from(message), exit_code: failure.exit_code }
    }
}
