//! JSON files of other tools, read loosely: what is missing or of another type than expected is not there.

use super::{
    payload::json_values,
    problem::{ConvertError, Lines},
};
use crate::{
    document::{parse_json, FileId, Key, Node, NodeKind},
    load::code,
};

/// The most values that are read: 64 MiB of a browser's recording hold about a million and a half.
const MAX_VALUES: usize = 3_000_000;

/// Reads a JSON file of another tool, of bounded size.
pub(super) fn parse(text: &str, what: &str) -> Result<Node, ConvertError> {
    if json_values(text) > MAX_VALUES {
        let error = ConvertError::new(None, format!("{what} of more than {MAX_VALUES} values")).with_code(code::JSON);
        return Err(error.with_help("convert it in parts"));
    }
    parse_json(text, FileId::default()).map_err(|error| {
        ConvertError::new(Lines::of(text).at(error.place.offset), format!("broken JSON: {}", error.message))
            .with_code(code::JSON)
    })
}

impl Node {
    /// A value of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find_map(|(key, value)| (&*key.text == name && !value.is_null()).then_some(value))
    }

    /// A text, number or boolean as it is written.
    pub(super) fn str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    pub(super) fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)?.str()
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name).map(|node| &node.kind), Some(NodeKind::Scalar(scalar)) if scalar.as_bool() == Some(true))
    }

    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            NodeKind::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }
}
