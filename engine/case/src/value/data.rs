//! An owned value.

use std::collections::BTreeMap;

use super::Operand;

/// Keys sorted, because bodies are sent sorted (hrp spec 11.6).
pub(crate) type Map = BTreeMap<Box<str>, Value>;

/// A value of the case language, owned: a constant of a case, or what an extraction found (hrp spec section 1).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Wide enough for every i64 and u64 of YAML and JSON, exactly.
    Int(i128),
    Float(f64),
    Text(Box<str>),
    List(Vec<Value>),
    Map(Map),
}

impl Value {
    /// The value, borrowed for comparing and rendering.
    pub(crate) fn operand(&self) -> Operand<'_> {
        match self {
            Value::Null => Operand::Null,
            Value::Bool(b) => Operand::Bool(*b),
            Value::Int(n) => Operand::Int(*n),
            Value::Float(n) => Operand::Float(*n),
            Value::Text(text) => Operand::Text(text),
            Value::List(list) => Operand::List(list),
            Value::Map(map) => Operand::Map(map),
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Value::Text(text.into())
    }
}
