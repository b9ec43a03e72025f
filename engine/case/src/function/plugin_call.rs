//! A call of a plugin's function: its arguments become JSON, its result a value.

use std::sync::Arc;

use super::call::{CallProblem, Failure};
use crate::{
    error::{StepError, StepErrorKind},
    expression::Expr,
    operation::SlotPlace,
    plugin::{CallOutcome, Plugin, PluginCall},
    session::Session,
    value::{Operand, Value, MAX_VALUE_DEPTH},
    Wait,
};

/// hrp's exit code for a call that failed (hrp spec 13.6).
const CALL_CODE: u8 = 23;

/// The largest result: as large as any variable may be.
const MAX_RESULT_BYTES: usize = 16 * 1024 * 1024;

/// Buffers above this size are given back after use.
const KEPT_BYTES: usize = 64 * 1024;

/// A plugin's function and the compiled arguments.
#[derive(Debug, Clone)]
pub(crate) struct CallOfPlugin {
    plugin: Arc<dyn Plugin>,
    function: Arc<str>,
    arguments: Box<[Expr]>,
}

impl CallOfPlugin {
    pub(crate) fn new(plugin: Arc<dyn Plugin>, function: Arc<str>, arguments: Vec<Expr>) -> Self {
        Self { plugin, function, arguments: arguments.into() }
    }

    /// Makes the call at load, where every argument is known.
    ///
    /// # Errors
    /// It fails, or an argument is not known.
    pub(crate) fn make_now(&self) -> Result<Arc<Value>, CallProblem> {
        if !self.arguments.iter().all(|argument| argument.as_const().is_some()) {
            return Err(CallProblem::NotConstant);
        }
        let mut call = self.prepare(&mut Session::new()).map_err(|_| CallProblem::NotConstant)?;
        self.plugin.call(&mut call);
        value_of(&call).map(Arc::new).map_err(|(_, reason)| CallProblem::Failed(Failure::call(reason)))
    }

    /// Asks for the call, or takes what one that has come back gave into `slot`.
    ///
    /// # Errors
    /// An argument has no value, or the call failed.
    pub(crate) fn run(
        &self,
        slot: SlotPlace,
        session: &mut Session,
        returned: Option<Box<PluginCall>>,
    ) -> Result<Option<Wait>, StepError> {
        let Some(mut call) = returned else { return self.prepare(session).map(|call| Some(Wait::Call(call))) };
        let set = match scalar(&call) {
            Some(scalar) => {
                session.set(slot, scalar);
                Ok(())
            }
            None => value_of(&call).map(|value| session.set_value(slot, value)),
        };
        call.answer.clear();
        call.answer.shrink_to(KEPT_BYTES);
        session.spare_call = Some(call);
        set.map(|()| None).map_err(|(kind, reason)| {
            let message = Arc::from(format!("call function {} failed: {reason}", self.function));
            StepError { kind, message, exit_code: CALL_CODE }
        })
    }

    /// The call with its arguments.
    fn prepare(&self, session: &mut Session) -> Result<Box<PluginCall>, StepError> {
        let mut call = session.spare_call.take().unwrap_or_else(|| {
            Box::new(PluginCall {
                plugin: self.plugin.id(),
                function: Arc::clone(&self.function),
                arguments: String::new(),
                outcome: CallOutcome::Pending,
                answer: String::new(),
            })
        });
        call.plugin = self.plugin.id();
        // The name is shared by all cores, and so is the count of its owners: left alone where it is the one of the call before.
        if !Arc::ptr_eq(&call.function, &self.function) {
            call.function = Arc::clone(&self.function);
        }
        call.outcome = CallOutcome::Pending;
        call.answer.clear();
        let arguments = &mut call.arguments;
        arguments.clear();
        arguments.shrink_to(KEPT_BYTES);
        arguments.push('[');
        for (n, argument) in self.arguments.iter().enumerate() {
            if n > 0 {
                arguments.push(',');
            }
            argument.push_json(session, arguments)?;
        }
        arguments.push(']');
        Ok(call)
    }
}

/// A result that can be had without building anything, as most can: text without escapes, an integer, a boolean, nothing.
fn scalar(call: &PluginCall) -> Option<Operand<'_>> {
    if call.outcome != CallOutcome::Returned {
        return None;
    }
    let answer = call.answer.as_str();
    match answer {
        // The second as stock funppy writes them (hrp spec 19.7).
        "null" | "None" => Some(Operand::Null),
        "true" | "True" => Some(Operand::Bool(true)),
        "false" | "False" => Some(Operand::Bool(false)),
        _ if answer.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            answer.parse().ok().map(|n: i64| Operand::Int(n.into()))
        }
        _ => {
            let text = answer.strip_prefix('"')?.strip_suffix('"')?;
            let plain = text.len() <= MAX_RESULT_BYTES && !text.bytes().any(|b| matches!(b, b'"' | b'\\' | 0..=0x1f));
            plain.then_some(Operand::Text(text))
        }
    }
}

/// What a call gave, or what kind of failure it is and why.
fn value_of(call: &PluginCall) -> Result<Value, (StepErrorKind, String)> {
    let failed = |reason: &str| (StepErrorKind::Plugin, reason.to_owned());
    match call.outcome {
        CallOutcome::Pending => return Err(failed("it has not ended")),
        CallOutcome::Failed => return Err((StepErrorKind::Function, call.answer.clone())),
        CallOutcome::Lost => return Err(failed(&call.answer)),
        CallOutcome::Returned => {}
    }
    let value = match scalar(call) {
        Some(scalar) => scalar.to_value(),
        None => serde_json::from_str(&call.answer).map(Value::from_json).map_err(|error| {
            (StepErrorKind::Function, format!("what it returned is no JSON that can be read: {error}"))
        })?,
    };
    if value.fits(&mut { MAX_RESULT_BYTES }, MAX_VALUE_DEPTH) {
        Ok(value)
    } else {
        Err((StepErrorKind::Function, "what it returned is larger than 16 MiB or nests too deep".to_owned()))
    }
}
