//! A borrowed value: of a case, a session, or a response still on its tape.

use std::cmp::Ordering;

use simd_json::{Node, StaticNode};

use super::{
    json::{push_json_float, push_json_string},
    Map, Sink, Value,
};

/// How deep lists and maps may nest before the rest reads as null: as deep as serde_json goes, shallow enough for any stack.
pub(crate) const MAX_VALUE_DEPTH: usize = 128;

/// Maps of up to this many entries have their keys counted by comparing all with all, which allocates nothing.
const SMALL_MAP: usize = 32;

/// A value as it is compared and rendered. Copying it copies a reference.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
    /// What may be no text; where text is needed, what is not UTF-8 is replaced.
    Bytes(&'a [u8]),
    List(&'a [Value]),
    Map(&'a Map),
    /// A list or map that has not left the response's tape.
    Tape(TapeRef<'a>),
}

/// What an expression gave: borrowed where it can be, built where it has to be.
#[derive(Debug)]
pub(crate) enum Evaluated<'a> {
    Ref(Operand<'a>),
    Owned(Value),
}

impl Evaluated<'_> {
    pub(crate) fn operand(&self) -> Operand<'_> {
        match self {
            Evaluated::Ref(operand) => *operand,
            Evaluated::Owned(value) => value.operand(),
        }
    }
}

/// A number, for comparing across int and float.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// By value; none where a float is not a number.
    pub(crate) fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Int(a), Number::Float(b)) => compare_int_float(a, b),
            (Number::Float(a), Number::Int(b)) => compare_int_float(b, a).map(Ordering::reverse),
        }
    }
}

/// Exact: a float beyond 2^53 is not rounded against an int next to it.
fn compare_int_float(int: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // The cast saturates, and every int here lies far inside i128, so an infinite or huge float still orders right.
    let whole = float.trunc() as i128;
    Some(int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&(float - float.trunc())).unwrap_or(Ordering::Equal)))
}

/// Whether two numbers have the same value.
pub(crate) fn numbers_equal(a: Number, b: Number) -> bool {
    a.compare(b) == Some(Ordering::Equal)
}

/// One value of a parsed body: `nodes[at]` and what follows belongs to it. Indexing never panics on a well-formed tape, and
/// reads as null on any other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapeRef<'a> {
    nodes: &'a [Node<'a>],
    at: usize,
}

impl<'a> TapeRef<'a> {
    /// The whole body.
    pub(crate) fn root(nodes: &'a [Node<'a>]) -> Self {
        TapeRef { nodes, at: 0 }
    }

    /// The value itself where it is a scalar, the place on the tape where it is a list or map. A whole float reads as int, as
    /// results of JMESPath do (hrp spec 10.3).
    pub(crate) fn operand(self) -> Operand<'a> {
        match self.nodes.get(self.at) {
            None => Operand::Null,
            Some(Node::Static(value)) => static_operand(*value),
            Some(Node::String(text)) => Operand::Text(text),
            Some(_) => Operand::Tape(self),
        }
    }

    /// A map's value by key; of duplicates the last (design: last wins).
    pub(crate) fn field(self, key: &str) -> Option<TapeRef<'a>> {
        let mut found = None;
        self.for_each_entry(|k, value| {
            if k == key {
                found = Some(value);
            }
        });
        found
    }

    pub(crate) fn for_each_entry(self, mut each: impl FnMut(&'a str, TapeRef<'a>)) {
        let Some(&Node::Object { len, .. }) = self.nodes.get(self.at) else { return };
        let mut at = self.at + 1;
        for _ in 0..len {
            let Some(&Node::String(key)) = self.nodes.get(at) else { return };
            each(key, TapeRef { nodes: self.nodes, at: at + 1 });
            at = self.end_of(at + 1);
        }
    }

    /// A list's elements; nothing for anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = TapeRef<'a>> {
        let len = self.list_len().unwrap_or(0);
        let mut at = self.at + 1;
        (0..len).map(move |_| {
            let element = TapeRef { nodes: self.nodes, at };
            at = self.end_of(at);
            element
        })
    }

    /// A list's element from the front, or from the back where `index` is negative.
    pub(crate) fn element(self, index: i32) -> Option<TapeRef<'a>> {
        let len = self.list_len()?;
        let index = resolve_index(len, index)?;
        // A list as long as its count holds scalars only, so its elements lie side by side.
        if let Some(&Node::Array { len, count }) = self.nodes.get(self.at) {
            if len == count {
                return Some(TapeRef { nodes: self.nodes, at: self.at + 1 + index });
            }
        }
        self.elements().nth(index)
    }

    pub(crate) fn list_len(self) -> Option<usize> {
        match self.nodes.get(self.at) {
            Some(&Node::Array { len, .. }) => Some(len),
            _ => None,
        }
    }

    pub(crate) fn is_map(self) -> bool {
        matches!(self.nodes.get(self.at), Some(Node::Object { .. }))
    }

    /// Elements of a list, or distinct keys of a map.
    pub(crate) fn len(self) -> usize {
        if let Some(len) = self.list_len() {
            return len;
        }
        if matches!(self.nodes.get(self.at), Some(&Node::Object { len, .. }) if len <= SMALL_MAP) {
            let mut distinct = 0;
            self.for_each_entry(|key, value| {
                distinct += usize::from(self.field(key).is_some_and(|last| last.at == value.at));
            });
            return distinct;
        }
        let mut keys = std::collections::BTreeSet::new();
        self.for_each_entry(|key, _| {
            keys.insert(key);
        });
        keys.len()
    }

    /// A copy that outlives the response. Below [`MAX_VALUE_DEPTH`] levels everything is null.
    pub(crate) fn to_value(self) -> Value {
        self.to_value_at(0)
    }

    /// As an element of a result that is being built: numbers stay as they are.
    pub(crate) fn to_inner_value(self) -> Value {
        self.to_value_at(1)
    }

    fn to_value_at(self, depth: usize) -> Value {
        match self.nodes.get(self.at) {
            Some(Node::Static(StaticNode::F64(n))) if depth > 0 => Value::Float(*n),
            Some(Node::Array { .. } | Node::Object { .. }) if depth >= MAX_VALUE_DEPTH => Value::Null,
            Some(Node::Array { .. }) => Value::List(self.elements().map(|e| e.to_value_at(depth + 1)).collect()),
            Some(Node::Object { .. }) => {
                let mut map = Map::new();
                self.for_each_entry(|key, value| {
                    map.insert(key.into(), value.to_value_at(depth + 1));
                });
                Value::Map(map)
            }
            _ => self.operand().to_value(),
        }
    }

    /// The index behind the value at `at`.
    fn end_of(self, at: usize) -> usize {
        match self.nodes.get(at) {
            Some(&(Node::Array { count, .. } | Node::Object { count, .. })) => at + 1 + count,
            _ => at + 1,
        }
    }
}

/// A list index, negative from the end, as a position.
pub(crate) fn resolve_index(len: usize, index: i32) -> Option<usize> {
    let back = index.unsigned_abs() as usize;
    let index = if index >= 0 { back } else { len.checked_sub(back)? };
    (index < len).then_some(index)
}

fn static_operand<'a>(value: StaticNode) -> Operand<'a> {
    match value {
        StaticNode::Null => Operand::Null,
        StaticNode::Bool(b) => Operand::Bool(b),
        StaticNode::I64(n) => Operand::Int(n.into()),
        StaticNode::U64(n) => Operand::Int(n.into()),
        StaticNode::F64(n) => Operand::Float(n).whole_as_int(),
    }
}

impl<'a> Operand<'a> {
    /// A float without a fraction, as int, where an i64 holds it (hrp spec section 9: 1.0 is 1).
    pub(crate) fn whole_as_int(self) -> Self {
        match self {
            Operand::Float(n) if n.fract() == 0.0 && n.abs() < 9_223_372_036_854_775_807.0 => Operand::Int(n as i128),
            other => other,
        }
    }

    pub(crate) fn number(self) -> Option<Number> {
        match self {
            Operand::Int(n) => Some(Number::Int(n)),
            Operand::Float(n) => Some(Number::Float(n)),
            _ => None,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Operand::Float(_))
    }

    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Operand::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_value(self) -> Value {
        match self {
            Operand::Null => Value::Null,
            Operand::Bool(b) => Value::Bool(b),
            Operand::Int(n) => Value::Int(n),
            Operand::Float(n) => Value::Float(n),
            Operand::Text(text) => Value::text(text),
            Operand::Bytes(bytes) => Value::Bytes(bytes.into()),
            Operand::List(list) => Value::List(list.to_vec()),
            Operand::Map(map) => Value::Map(map.clone()),
            Operand::Tape(tape) => tape.to_value(),
        }
    }

    /// Its text form (hrp spec 6.6): null `<nil>`, floats in the shortest decimal without exponent, lists and maps as JSON.
    pub(crate) fn push_text(self, out: &mut impl Sink) {
        match self {
            Operand::Null => out.push_str("<nil>"),
            Operand::Bool(b) => out.push_str(if b { "true" } else { "false" }),
            Operand::Int(n) => push_int(n, out),
            Operand::Float(n) => push_float_text(n, out),
            Operand::Text(text) => out.push_str(text),
            Operand::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
            Operand::List(_) | Operand::Map(_) | Operand::Tape(_) => self.push_json(out),
        }
    }

    /// Its JSON form (hrp spec 11.6): keys sorted, `<` `>` `&` escaped, shortest floats, no spaces.
    pub(crate) fn push_json(self, out: &mut impl Sink) {
        match self {
            Operand::Null => out.push_str("null"),
            Operand::Float(n) => push_json_float(n, out),
            Operand::Text(text) => push_json_string(text, out),
            Operand::Bytes(bytes) => push_json_string(&String::from_utf8_lossy(bytes), out),
            Operand::List(list) => {
                out.push('[');
                for (n, item) in list.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.operand().push_json(out);
                }
                out.push(']');
            }
            Operand::Map(map) => {
                out.push('{');
                for (n, (key, item)) in map.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    push_json_string(key, out);
                    out.push(':');
                    item.operand().push_json(out);
                }
                out.push('}');
            }
            Operand::Tape(tape) => tape.to_value().operand().push_json(out),
            Operand::Bool(_) | Operand::Int(_) => self.push_text(out),
        }
    }
}

fn push_int(n: i128, out: &mut impl Sink) {
    // Formatting 64 bits is several times faster than 128, and hardly any number needs more.
    match i64::try_from(n) {
        Ok(n) => out.push_fmt(format_args!("{n}")),
        Err(_) => out.push_fmt(format_args!("{n}")),
    }
}

fn push_float_text(n: f64, out: &mut impl Sink) {
    if n.is_infinite() {
        out.push_str(if n > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        out.push_fmt(format_args!("{n}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value) -> String {
        let mut out = String::new();
        value.operand().push_text(&mut out);
        out
    }

    #[test]
    fn text_forms() {
        assert_eq!(text(&Value::Float(100_000_000_000.0)), "100000000000");
        assert_eq!(text(&Value::Float(12.3)), "12.3");
        assert_eq!(text(&Value::Float(1.0)), "1");
        assert_eq!(text(&Value::Int(i128::from(u64::MAX))), "18446744073709551615");
        assert_eq!(text(&Value::Bool(true)), "true");
        assert_eq!(text(&Value::Null), "<nil>");
        assert_eq!(text(&Value::List(vec![Value::Int(1), Value::text("x")])), r#"[1,"x"]"#);
        let map = Map::from([("b".into(), Value::Int(2)), ("a".into(), Value::Float(1.5))]);
        assert_eq!(text(&Value::Map(map)), r#"{"a":1.5,"b":2}"#);
    }

    #[test]
    fn numbers_compare_by_exact_value() {
        let big = 9_007_199_254_740_993_i128; // 2^53 + 1
        assert!(!numbers_equal(Number::Int(big), Number::Float(9_007_199_254_740_992.0)));
        assert!(numbers_equal(Number::Int(1), Number::Float(1.0)));
        assert_eq!(Number::Int(12).compare(Number::Float(12.7)), Some(Ordering::Less));
        assert_eq!(Number::Int(-12).compare(Number::Float(-12.7)), Some(Ordering::Greater));
        assert_eq!(Number::Float(f64::INFINITY).compare(Number::Int(big)), Some(Ordering::Greater));
        assert_eq!(Number::Float(f64::NAN).compare(Number::Int(1)), None);
    }

    #[test]
    fn tapes_are_read_in_place() {
        let mut json = br#"{"a":1,"l":[[1,2],{"x":"y"},3.0],"a":2,"f":[7,8,9]}"#.to_vec();
        let tape = simd_json::to_tape(&mut json).unwrap();
        let root = TapeRef::root(&tape.0);
        assert_eq!(root.field("a").unwrap().operand().to_value(), Value::Int(2));
        assert_eq!(root.len(), 3);
        let large: Vec<String> = (0..40).map(|n| format!("\"k{}\":{n}", n % 36)).collect();
        let mut large = format!("{{{}}}", large.join(",")).into_bytes();
        assert_eq!(TapeRef::root(&simd_json::to_tape(&mut large).unwrap().0).len(), 36);
        let list = root.field("l").unwrap();
        assert_eq!(list.element(-1).unwrap().operand().to_value(), Value::Int(3));
        assert_eq!(list.element(1).unwrap().field("x").unwrap().operand().to_value(), Value::text("y"));
        assert!(list.element(3).is_none() && list.element(-4).is_none());
        assert_eq!(root.field("f").unwrap().element(1).unwrap().operand().to_value(), Value::Int(8));
    }

    #[test]
    fn nesting_beyond_the_limit_reads_as_null() {
        let depth = 100_000;
        let mut json = [vec![b'['; depth], vec![b']'; depth]].concat();
        let tape = simd_json::to_tape(&mut json).unwrap();
        let value = TapeRef::root(&tape.0).to_value();
        let mut levels = 0;
        let mut inner = &value;
        while let Value::List(list) = inner {
            levels += 1;
            match list.first() {
                Some(next) => inner = next,
                None => break,
            }
        }
        assert_eq!(levels, MAX_VALUE_DEPTH);
    }
}
