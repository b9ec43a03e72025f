//! A response's body, parsed at most once, on buffers that all responses of a thread share.

use std::cell::RefCell;

use simd_json::{Buffers, Node, StaticNode, Tape};

use super::{Headers, ResponseView};
use crate::value::Operand;

/// Buffers above this size are given back after the response that needed them; below it they serve the next one. One set a
/// thread, so a large body costs memory once and not per user.
const KEPT_BODY_BYTES: usize = 1024 * 1024;

/// What a search looks into.
#[derive(Clone, Copy)]
pub(crate) struct ResponseParts<'a> {
    pub(crate) status: u16,
    pub(crate) version: &'a str,
    pub(crate) headers: &'a dyn Headers,
    pub(crate) body: ParsedBody<'a>,
}

impl<'a> ResponseParts<'a> {
    pub(crate) fn new(response: &'a ResponseView<'_>, body: ParsedBody<'a>) -> Self {
        ResponseParts { status: response.status, version: response.version, headers: response.headers, body }
    }

    /// Its status; null where it has none.
    pub(crate) fn status_operand(&self) -> Operand<'static> {
        match self.status {
            0 => Operand::Null,
            status => Operand::Int(status.into()),
        }
    }
}

/// A body: JSON where all of it is JSON, else text (hrp spec 10.1).
#[derive(Debug, Clone, Copy)]
pub(crate) enum ParsedBody<'a> {
    Json(&'a [Node<'a>]),
    Text(&'a str),
}

thread_local! {
    /// None while a body is looked at: making an empty set allocates.
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

struct Scratch {
    /// The parser unescapes strings in place, and a body it refuses must still be there as text. The copy is 0.5 % of the time
    /// that parsing and two searches take (15 KB: 0.15 of 28 us).
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch { copy: Vec::new(), buffers: Buffers::new(0), tape: Tape(Vec::new()) }
    }
}

/// Parses `body` and hands it to `look`.
pub(crate) fn with_scratch<R>(body: &[u8], look: impl FnOnce(ParsedBody<'_>) -> R) -> R {
    if !may_be_json(body) {
        return look(ParsedBody::Text(&String::from_utf8_lossy(body)));
    }
    let mut scratch = SCRATCH.take().unwrap_or_default();
    scratch.copy.clear();
    scratch.copy.extend_from_slice(body);
    let mut tape = scratch.tape.reset();
    let parsed = simd_json::fill_tape(&mut scratch.copy, &mut scratch.buffers, &mut tape);
    let result = match parsed {
        Ok(()) => look(ParsedBody::Json(&tape.0)),
        Err(_) => look_again(body, look),
    };
    scratch.tape = tape.reset();
    if scratch.copy.capacity() <= KEPT_BODY_BYTES {
        SCRATCH.set(Some(scratch));
    }
    result
}

/// What one parser refuses the other may accept; what both refuse is text.
fn look_again<R>(body: &[u8], look: impl FnOnce(ParsedBody<'_>) -> R) -> R {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => {
            let mut nodes = Vec::new();
            push_nodes(&value, &mut nodes);
            look(ParsedBody::Json(&nodes))
        }
        Err(_) => look(ParsedBody::Text(&String::from_utf8_lossy(body))),
    }
}

/// Spares most texts and pages the attempt. A NUL stands nowhere in JSON, but the parser takes one behind a number for its end.
fn may_be_json(body: &[u8]) -> bool {
    match body.trim_ascii_start().first() {
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => memchr::memchr(0, body).is_none(),
        Some(_) | None => false,
    }
}

/// The same tape from a parsed value, whose depth its parser has bounded.
fn push_nodes<'a>(value: &'a serde_json::Value, nodes: &mut Vec<Node<'a>>) {
    match value {
        serde_json::Value::Null => nodes.push(Node::Static(StaticNode::Null)),
        serde_json::Value::Bool(b) => nodes.push(Node::Static(StaticNode::Bool(*b))),
        serde_json::Value::Number(n) => nodes.push(Node::Static(match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(n), _, _) => StaticNode::I64(n),
            (_, Some(n), _) => StaticNode::U64(n),
            (_, _, Some(n)) => StaticNode::F64(n),
            _ => StaticNode::Null,
        })),
        serde_json::Value::String(text) => nodes.push(Node::String(text)),
        serde_json::Value::Array(items) => {
            let start = nodes.len();
            nodes.push(Node::Array { len: items.len(), count: 0 });
            for item in items {
                push_nodes(item, nodes);
            }
            nodes[start] = Node::Array { len: items.len(), count: nodes.len() - start - 1 };
        }
        serde_json::Value::Object(entries) => {
            let start = nodes.len();
            nodes.push(Node::Object { len: entries.len(), count: 0 });
            for (key, item) in entries {
                nodes.push(Node::String(key));
                push_nodes(item, nodes);
            }
            nodes[start] = Node::Object { len: entries.len(), count: nodes.len() - start - 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{TapeRef, Value};

    fn value(body: &str) -> Option<Value> {
        with_scratch(body.as_bytes(), |parsed| match parsed {
            ParsedBody::Json(nodes) => Some(TapeRef::root(nodes).operand().to_value()),
            ParsedBody::Text(_) => None,
        })
    }

    #[test]
    fn a_body_is_json_only_as_a_whole() {
        assert_eq!(value(" 5 "), Some(Value::Int(5)));
        assert_eq!(value("true"), Some(Value::Bool(true)));
        assert_eq!(value("\"a\\nb\""), Some(Value::text("a\nb")));
        assert_eq!(value("null"), Some(Value::Null));
        assert_eq!(value("1.0"), Some(Value::Int(1)));
        assert_eq!(value("9007199254740993"), Some(Value::Int(9_007_199_254_740_993)));
        assert_eq!(value("1e5"), Some(Value::Int(100_000)));
        for text in ["", "hello", "<p>", "{\"a\":1} x", "{\"a\":", "nope", "1 2", "[1,]", "[1\0\0 2]", "1\0"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn a_refused_body_is_whole_as_text() {
        let body = br#"{"a":"x\ty" oops"#;
        with_scratch(body, |parsed| {
            assert!(matches!(parsed, ParsedBody::Text(text) if text.as_bytes() == body));
        });
    }

    #[test]
    fn both_parsers_give_the_same_tape() {
        let body = br#"{"a":[1,-2,2.5,18446744073709551615,"x\u00e9",null,true,{}],"b":{"c":[]}}"#;
        let direct = with_scratch(body, |parsed| match parsed {
            ParsedBody::Json(nodes) => TapeRef::root(nodes).to_value(),
            ParsedBody::Text(_) => Value::Null,
        });
        let again = look_again(body, |parsed| match parsed {
            ParsedBody::Json(nodes) => TapeRef::root(nodes).to_value(),
            ParsedBody::Text(_) => Value::Null,
        });
        assert_eq!(direct, again);
    }
}
