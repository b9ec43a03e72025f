//! Work that is done in order before or after a request: variables set, functions called.

use std::sync::Arc;

use crate::{
    error::StepError,
    expression::Expr,
    function::{Call, CallOfPlugin},
    plugin::PluginCall,
    request::request_value,
    response::{response_value, ResponseParts},
    session::Session,
    value::{Value, MAX_VALUE_DEPTH},
    Prepared, Progress, RenderedRequest, Wait,
};

/// The largest value of a step's own variable. Variables that double each other would otherwise exhaust the memory while the load
/// runs.
const MAX_VARIABLE_BYTES: usize = 16 * 1024 * 1024;

/// One piece of it. What it finds stands in a slot, where expressions behind it find it.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// A variable of the step that is not constant.
    Set { slot: SlotPlace, value: Expr },
    /// A function called once for each execution; every expression that holds the call reads its slot.
    Call { slot: SlotPlace, call: Call },
    /// The same for a function of the project's plugin.
    CallPlugin { slot: SlotPlace, call: Box<CallOfPlugin> },
    /// `hrp_step_name`: rendered, or as written where that cannot be done (hrp spec section 3, 7.8).
    Name { slot: SlotPlace, template: Option<Expr>, written: Arc<str> },
    /// `request` and `hrp_step_request` (hrp spec 7.8).
    Request { slot: SlotPlace },
    /// `response` and `hrp_step_response` (hrp spec 7.8, 10.1).
    Response { slot: SlotPlace },
}

/// Which of a session's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotPlace {
    /// One of the present step's.
    Step(usize),
    /// One that stays for the iteration.
    Kept(usize),
}

/// What there is of a request and its response when an operation is done.
#[derive(Clone, Copy, Default)]
pub(crate) struct Surroundings<'a> {
    /// The method and the request as built.
    pub(crate) request: Option<(&'a str, &'a RenderedRequest)>,
    pub(crate) response: Option<&'a ResponseParts<'a>>,
}

/// Runs the operations that are not done yet, up to the next wait. `before` are those of the same [`Progress`] that stand before
/// them and are done.
pub(crate) fn run(
    operations: &[Operation],
    before: usize,
    session: &mut Session,
    progress: &mut Progress,
) -> Result<Prepared, StepError> {
    run_with(operations, before, session, progress, Surroundings::default())
}

/// The same where there is something for special variables to show.
pub(crate) fn run_with(
    operations: &[Operation],
    before: usize,
    session: &mut Session,
    progress: &mut Progress,
    surroundings: Surroundings<'_>,
) -> Result<Prepared, StepError> {
    while let Some(operation) = operations.get(progress.done.saturating_sub(before)) {
        progress.done += 1;
        if let Some(wait) = operation.run(session, surroundings, progress.returned.take())? {
            return Ok(Prepared::Wait(wait));
        }
    }
    Ok(Prepared::Done)
}

impl Operation {
    /// Where its result stands.
    pub(crate) fn slot(&self) -> SlotPlace {
        match self {
            Operation::Set { slot, .. }
            | Operation::Call { slot, .. }
            | Operation::CallPlugin { slot, .. }
            | Operation::Name { slot, .. }
            | Operation::Request { slot }
            | Operation::Response { slot } => *slot,
        }
    }

    /// Does it; what it gives is to be waited for before the next. A call of a plugin that was waited for is done with what has
    /// `returned`.
    pub(crate) fn run(
        &self,
        session: &mut Session,
        surroundings: Surroundings<'_>,
        returned: Option<Box<PluginCall>>,
    ) -> Result<Option<Wait>, StepError> {
        match self {
            Operation::Set { slot, value } => set(*slot, value, session)?,
            Operation::Call { slot, call } => return call.run(*slot, session),
            Operation::CallPlugin { slot, call } => return call.run(*slot, session, returned),
            Operation::Name { slot, template, written } => {
                let mut name = session.take_text(*slot);
                let rendered = template.as_ref().map(|template| template.push_text(session, &mut name));
                if !matches!(rendered, Some(Ok(()))) {
                    name.clear();
                    name.push_str(written);
                }
                session.put_text(*slot, name);
            }
            Operation::Request { slot } => {
                let value =
                    surroundings.request.map_or(Value::Null, |(method, request)| request_value(method, request));
                session.set_value(*slot, value);
            }
            Operation::Response { slot } => {
                session.set_value(*slot, surroundings.response.map_or(Value::Null, response_value));
            }
        }
        Ok(None)
    }
}

/// Sets a variable to the value of an expression, in its own buffer.
///
/// # Errors
/// A variable without a value, or a value beyond every measure.
pub(crate) fn set(slot: SlotPlace, value: &Expr, session: &mut Session) -> Result<(), StepError> {
    match value {
        Expr::Text(_) => {
            let mut text = session.take_text(slot);
            let rendered = value.push_text(session, &mut text);
            let fits = text.len() <= MAX_VARIABLE_BYTES;
            session.put_text(slot, text);
            rendered?;
            if !fits {
                return Err(too_large());
            }
        }
        Expr::Variable(other) => session.set_from(slot, other)?,
        Expr::Const(value) => match &**value {
            Value::Bytes(_) | Value::List(_) | Value::Map(_) => session.set_shared(slot, value.clone()),
            scalar => session.set(slot, scalar.operand()),
        },
        Expr::List(_) | Expr::Map(_) => {
            let value: Value = value.evaluate(session)?;
            if !value.fits(&mut { MAX_VARIABLE_BYTES }, MAX_VALUE_DEPTH) {
                return Err(too_large());
            }
            session.set_value(slot, value);
        }
    }
    Ok(())
}

fn too_large() -> StepError {
    StepError::request("step variables", "a value is larger than 16 MiB or nests too deep")
}
