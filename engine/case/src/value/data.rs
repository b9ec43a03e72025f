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
    /// The contents of a file that may be no text.
    Bytes(Box<[u8]>),
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
            Value::Bytes(bytes) => Operand::Bytes(bytes),
            Value::List(list) => Operand::List(list),
            Value::Map(map) => Operand::Map(map),
        }
    }

    /// Takes the value's weight (bytes of text, and some for each value) off `budget`; false where it is used up, or where the
    /// value nests deeper than `levels`. Stops as soon as it knows.
    pub(crate) fn fits(&self, budget: &mut usize, levels: usize) -> bool {
        let own = match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Map(map) => map.keys().map(|key| key.len()).sum(),
            _ => 0,
        };
        let Some(rest) = budget.checked_sub(own + size_of::<Value>()) else { return false };
        *budget = rest;
        match self {
            Value::List(list) => levels > 0 && list.iter().all(|item| item.fits(budget, levels - 1)),
            Value::Map(map) => levels > 0 && map.values().all(|item| item.fits(budget, levels - 1)),
            _ => true,
        }
    }

    /// The value for a report. Integers beyond 64 bits become floats.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Int(n) => match (i64::try_from(*n), u64::try_from(*n)) {
                (Ok(n), _) => n.into(),
                (_, Ok(n)) => n.into(),
                _ => (*n as f64).into(),
            },
            Value::Float(n) => (*n).into(),
            Value::Text(text) => (&**text).into(),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Map(map) => map.iter().map(|(key, value)| (key.to_string(), value.to_json())).collect(),
        }
    }

    /// The value of a JSON document. A number that fits no integer of 64 bits is a float.
    pub(crate) fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(n), _) => Value::Int(n.into()),
                (_, Some(n)) => Value::Int(n.into()),
                _ => n.as_f64().map_or(Value::Null, Value::Float),
            },
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from_json).collect()),
            serde_json::Value::Object(entries) => {
                Value::Map(entries.into_iter().map(|(key, value)| (key.into(), Value::from_json(value))).collect())
            }
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Value::Text(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_and_depth_are_bounded() {
        let list = Value::List(vec![Value::text("abc"), Value::List(vec![])]);
        let weight = 3 * size_of::<Value>() + 3;
        assert!(list.fits(&mut weight.clone(), 2));
        assert!(!list.fits(&mut (weight - 1), 2));
        assert!(!list.fits(&mut weight.clone(), 1));
    }
}
