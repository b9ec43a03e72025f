//! Work that is done in order before or after a request: variables set, functions called.

use crate::{
    error::StepError,
    expression::Expr,
    session::Session,
    value::{Value, MAX_VALUE_DEPTH},
    Prepared, Progress,
};

/// The largest value of a step's own variable. Variables that double each other would otherwise exhaust the memory while the load
/// runs.
const MAX_VARIABLE_BYTES: usize = 16 * 1024 * 1024;

/// One piece of it. What it finds stands in a slot, where expressions behind it find it.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// A variable of the step that is not constant.
    Set { slot: SlotPlace, value: Expr },
}

/// Which of a session's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotPlace {
    /// One of the present step's.
    Step(usize),
    /// One that stays for the iteration.
    Kept(usize),
}

/// Runs the operations that are not done yet, up to the next wait. `before` are those of the same [`Progress`] that stand before
/// them and are done.
pub(crate) fn run(
    operations: &[Operation],
    before: usize,
    session: &mut Session,
    progress: &mut Progress,
) -> Result<Prepared, StepError> {
    while let Some(operation) = operations.get(progress.done - before) {
        progress.done += 1;
        match operation {
            Operation::Set { slot, value } => set(*slot, value, session)?,
        }
    }
    Ok(Prepared::Done)
}

fn set(slot: SlotPlace, value: &Expr, session: &mut Session) -> Result<(), StepError> {
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
        Expr::Const(_) | Expr::List(_) | Expr::Map(_) => {
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
