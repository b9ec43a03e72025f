//! Declared keys of a map, with their types (hrp spec 1.4, 1.6, 1.7).

use super::{
    case, config,
    names::did_you_mean,
    report::{Format, Report},
    request, steps, websocket,
};
use crate::{
    document::{Key, Node, NodeKind, Scalar, ScalarKind},
    value::Value,
};

/// A map whose keys the language declares.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    entries: &'a [(Key, Node)],
    format: Format,
}

impl<'a> Fields<'a> {
    /// The map's fields; an error, and nothing, for anything else.
    pub(crate) fn of(node: &'a Node, what: &str, report: &mut Report) -> Option<Self> {
        let entries = map(node, what, report)?;
        Some(Fields { entries, format: report.format_of(node.place) })
    }

    /// A field that is present and not null. JSON keys match without regard to case, the last of several wins.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The same with its key.
    pub(crate) fn entry(&self, name: &str) -> Option<(&'a Key, &'a Node)> {
        let matches = |key: &str| match self.format {
            Format::Yaml => key == name,
            Format::Json => key.eq_ignore_ascii_case(name),
        };
        let (key, node) = self.entries.iter().rfind(|(key, _)| matches(&key.text))?;
        (!node.is_null()).then_some((key, node))
    }

    /// One warning for each key that is not among `known`.
    pub(crate) fn warn_unknown(&self, known: &[&str], what: &str, report: &mut Report) {
        for (key, _) in self.entries {
            let is_known = |name: &&str| match self.format {
                Format::Yaml => **name == *key.text,
                Format::Json => name.eq_ignore_ascii_case(&key.text),
            };
            if !known.iter().any(is_known) {
                let warning = report.warn(key.place, format!("unknown key \"{}\" in {what} is ignored", key.text));
                warning.label = Some("unknown key".into());
                let elsewhere = || home(&key.text).map(|home| format!("it is a key of {home}: check the indentation"));
                warning.help = elsewhere().or_else(|| did_you_mean(&key.text, known.iter().copied()));
            }
        }
    }
}

/// Where a key belongs, if anywhere: one that is unknown where it stands is often only indented wrongly.
fn home(key: &str) -> Option<String> {
    let is_ignored = config::IGNORED.iter().any(|(ignored, ..)| *ignored == key);
    let homes = [
        ("config", config::KEYS.contains(&key) && !is_ignored),
        ("request", request::KEYS.contains(&key)),
        ("websocket", websocket::KEYS.contains(&key) && !request::KEYS.contains(&key)),
        ("a step", steps::COMMON.contains(&key) || steps::KINDS.contains(&key)),
        ("the test case", case::KEYS.contains(&key)),
    ];
    let homes: Vec<&str> = homes.into_iter().filter_map(|(name, is_home)| is_home.then_some(name)).collect();
    (!homes.is_empty()).then(|| homes.join(" or "))
}

/// The entries of a map whose keys are the user's.
pub(crate) fn map<'a>(node: &'a Node, what: &str, report: &mut Report) -> Option<&'a [(Key, Node)]> {
    match &node.kind {
        NodeKind::Map(entries) => Some(entries),
        _ => wrong_type(node, what, "a map", report),
    }
}

pub(crate) fn list<'a>(node: &'a Node, what: &str, report: &mut Report) -> Option<&'a [Node]> {
    match &node.kind {
        NodeKind::List(items) => Some(items),
        _ => wrong_type(node, what, "a list", report),
    }
}

/// Text: in YAML any scalar as it is written and null as nothing, in JSON only a string.
pub(crate) fn text<'a>(node: &'a Node, what: &str, report: &mut Report) -> Option<&'a str> {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.is_null() => Some(""),
        NodeKind::Scalar(Scalar { kind: ScalarKind::JsonLiteral, .. }) | NodeKind::List(_) | NodeKind::Map(_) => {
            wrong_type(node, what, "text", report)
        }
        NodeKind::Scalar(scalar) => Some(&scalar.text),
    }
}

pub(crate) fn number(node: &Node, what: &str, report: &mut Report) -> Option<f64> {
    match scalar_value(node) {
        Some(Value::Int(n)) => Some(n as f64),
        Some(Value::Float(n)) => Some(n),
        _ => wrong_type(node, what, "a number", report),
    }
}

pub(crate) fn integer(node: &Node, what: &str, report: &mut Report) -> Option<i64> {
    match scalar_value(node) {
        Some(Value::Int(n)) => i64::try_from(n).ok().or_else(|| wrong_type(node, what, "a 64-bit number", report)),
        // yaml.v3 takes 2.0 for 2.
        Some(Value::Float(n)) if n.fract() == 0.0 && n.abs() < 9e15 => Some(n as i64),
        _ => wrong_type(node, what, "a whole number", report),
    }
}

pub(crate) fn boolean(node: &Node, what: &str, report: &mut Report) -> Option<bool> {
    let value = match &node.kind {
        NodeKind::Scalar(scalar) => scalar.as_bool(),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    };
    value.or_else(|| wrong_type(node, what, "true or false", report))
}

/// True where a value asks for nothing: an empty list, map or text, false, or a number up to `nothing_up_to`.
pub(crate) fn asks_nothing(node: &Node, nothing_up_to: i128) -> bool {
    match &node.kind {
        NodeKind::List(items) => items.is_empty(),
        NodeKind::Map(entries) => entries.is_empty(),
        NodeKind::Scalar(scalar) => match scalar.resolve() {
            Value::Null | Value::Bool(false) => true,
            Value::Text(text) => text.is_empty(),
            Value::Int(n) => n <= nothing_up_to,
            _ => false,
        },
    }
}

fn scalar_value(node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Scalar(scalar) => Some(scalar.resolve()),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}

fn wrong_type<T>(node: &Node, what: &str, wanted: &str, report: &mut Report) -> Option<T> {
    let message = format!("{what} must be {wanted}, not {}", node.kind_name());
    let code = report.syntax_code(node.place);
    report.error(node.place, code, message).label = Some(format!("{wanted} is expected here"));
    None
}
