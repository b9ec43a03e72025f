//! Arguments of a call, as the types functions take (hrp spec 6.13).

use std::borrow::Cow;

use super::call::Failure;
use crate::value::{Evaluated, Operand};

/// How many arguments the function with the most takes.
pub(super) const MAX_ARGUMENTS: usize = 2;

/// The evaluated arguments of one call.
pub(super) struct Arguments<'a> {
    pub(super) values: [Evaluated<'a>; MAX_ARGUMENTS],
}

impl Arguments<'_> {
    /// A whole number: a float is cut, null is 0.
    pub(super) fn int(&self, position: usize) -> Result<i128, Failure> {
        match self.operand(position) {
            Operand::Null => Ok(0),
            Operand::Int(n) => Ok(n),
            Operand::Float(n) => Ok(n.trunc() as i128),
            other => Err(wrong(position, "a whole number", other)),
        }
    }

    /// A number; null is 0.
    pub(super) fn float(&self, position: usize) -> Result<f64, Failure> {
        match self.operand(position) {
            Operand::Null => Ok(0.0),
            Operand::Int(n) => Ok(n as f64),
            Operand::Float(n) => Ok(n),
            other => Err(wrong(position, "a number", other)),
        }
    }

    /// Text: a whole number is its decimal digits, null is empty.
    pub(super) fn text(&self, position: usize) -> Result<Cow<'_, str>, Failure> {
        match self.operand(position) {
            Operand::Null => Ok(Cow::Borrowed("")),
            Operand::Text(text) => Ok(Cow::Borrowed(text)),
            Operand::Int(n) => Ok(Cow::Owned(n.to_string())),
            other => Err(wrong(position, "text", other)),
        }
    }

    fn operand(&self, position: usize) -> Operand<'_> {
        self.values.get(position).map_or(Operand::Null, Evaluated::operand)
    }
}

fn wrong(position: usize, wanted: &str, given: Operand<'_>) -> Failure {
    let given = match given {
        Operand::Null => "null",
        Operand::Bool(_) => "a boolean",
        Operand::Int(_) | Operand::Float(_) => "a number",
        Operand::Text(_) => "text",
        Operand::Bytes(_) => "bytes",
        Operand::List(_) => "a list",
        Operand::Tape(tape) if !tape.is_map() => "a list",
        Operand::Map(_) | Operand::Tape(_) => "a map",
    };
    Failure::arguments(format!("argument {} must be {wanted}, not {given}", position + 1))
}
