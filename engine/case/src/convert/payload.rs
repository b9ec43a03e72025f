//! Which texts a test case can say as a list or map so that what is sent means the same (hrp spec 11.6).

use serde_json::{Map, Number, Value};

use super::draft::{Draft, Fill};
use crate::{
    document::{parse_json, FileId, Node, NodeKind, Scalar, ScalarKind, MAX_NODES},
    request::FORM_TYPE,
    value::Value as CaseValue,
};

/// How deep a JSON body may nest to become part of a case, whose own levels stand around it; a deeper one stays text.
const MAX_BODY_DEPTH: usize = 80;

/// The value that ends a map's meaning in YAML as a key of it.
const MERGE_KEY: &str = "<<";

/// Puts a body's text into the step: as a list, a map or a form where its content type says so and nothing is lost, else as the
/// text it is. `content_type` is the one the request is sent with.
pub(super) fn put_body(draft: &mut Draft, text: &str, content_type: Option<&str>, fill: Fill<'_>) {
    let kind = content_type.unwrap_or_default();
    let map = if is_json_type(kind) {
        json_body(text, fill)
    } else if kind.starts_with(FORM_TYPE) {
        pairs(text).map(|pairs| {
            Value::Object(pairs.into_iter().map(|(key, value)| (fill(&key), Value::String(fill(&value)))).collect())
        })
    } else {
        None
    };
    draft.body = Some(map.unwrap_or_else(|| Value::String(fill(text))));
}

/// Whether a content type is one of JSON: `application/json` and those made like it (RFC 6839 section 3.1).
pub(super) fn is_json_type(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Form pairs, decoded; none where a map of them would be sent with another meaning: a name twice or missing, a pair without `=`,
/// bytes that are no text, or blanks that a case trims.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for piece in text.split('&') {
        let (name, value) = piece.split_once('=')?;
        let decoded = |text: &str| super::draft::percent_decoded(&text.replace('+', " "));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.is_empty() || name == MERGE_KEY || value.trim() != value || !names.insert(name.clone()) {
            return None;
        }
        pairs.push((name, value));
    }
    Some(pairs)
}

/// A JSON list or map as a value of a case; none where the text is something else or would be sent changed: numbers beyond what
/// a case keeps, texts with outer blanks, a key that YAML reads as a merge.
pub(super) fn json_body(text: &str, fill: Fill<'_>) -> Option<Value> {
    let root = json_value(text)?;
    if !matches!(root.kind, NodeKind::List(_) | NodeKind::Map(_)) || root.depth() > MAX_BODY_DEPTH {
        return None;
    }
    faithful(&root, fill)
}

/// A whole text as JSON, of bounded size.
pub(super) fn json_value(text: &str) -> Option<Node> {
    if json_values(text) > MAX_NODES {
        return None;
    }
    let root = parse_json(text, FileId::default()).ok()?;
    // What stands behind the first value is passed over in case files (hrp spec 1.6), but it is part of a body.
    let rest = text.get(root.place.offset + root.place.len..)?;
    rest.trim_matches([' ', '\t', '\r', '\n']).is_empty().then_some(root)
}

/// An upper bound of how many values a JSON text holds, so that one made of tiny values does not ask for many times its size in
/// memory.
pub(super) fn json_values(text: &str) -> usize {
    let mut values = 1;
    let mut in_text = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values
}

fn faithful(node: &Node, fill: Fill<'_>) -> Option<Value> {
    Some(match &node.kind {
        NodeKind::Scalar(scalar) => scalar_value(scalar, fill)?,
        NodeKind::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| faithful(item, fill)).collect();
            items?.into()
        }
        NodeKind::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                // Two keys of a template can come out as one.
                let key_text = fill(&key.text);
                if &*key.text == MERGE_KEY || map.insert(key_text, faithful(value, fill)?).is_some() {
                    return None;
                }
            }
            map.into()
        }
    })
}

/// A scalar of a JSON text as it would be sent; none where that is another.
pub(super) fn scalar_value(scalar: &Scalar, fill: Fill<'_>) -> Option<Value> {
    Some(match scalar.resolve() {
        CaseValue::Null => Value::Null,
        CaseValue::Bool(b) => b.into(),
        CaseValue::Int(n) => {
            i64::try_from(n).map(Number::from).or_else(|_| u64::try_from(n).map(Number::from)).ok()?.into()
        }
        CaseValue::Float(n) => {
            let exact = scalar.kind != ScalarKind::JsonLiteral || is_exact(&scalar.text, n);
            Number::from_f64(n).filter(|_| exact)?.into()
        }
        CaseValue::Text(text) if text.trim() == &*text => fill(&text).into(),
        CaseValue::Text(_) | CaseValue::Bytes(_) | CaseValue::List(_) | CaseValue::Map(_) => return None,
    })
}

/// Whether a float says all that its text said: any 15 digits survive, more may not (IEEE 754 binary64).
fn is_exact(text: &str, n: f64) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
    n.is_finite() && (digits <= 15 || n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::convert::draft::literal;

    #[test]
    fn json_that_keeps_its_meaning_becomes_a_map() {
        let map = json_body(r#" {"a":[1,2.50,null,true,"$x"],"$k":18446744073709551615} "#, &mut literal).unwrap();
        assert_eq!(map, json!({"a": [1, 2.5, null, true, "$$x"], "$$k": 18_446_744_073_709_551_615_u64}));
    }

    #[test]
    fn what_would_be_sent_changed_stays_text() {
        for text in [
            "1",
            "\"a\"",
            "{",
            "{} x",
            r#"{"a":" x"}"#,
            r#"{"a":12345678901234567890123}"#,
            r#"{"a":0.1234567890123456789}"#,
            r#"{"a":1e999}"#,
            r#"{"<<":1}"#,
            &"[".repeat(90),
        ] {
            assert_eq!(json_body(text, &mut literal), None, "{text}");
        }
    }

    #[test]
    fn values_are_counted_outside_texts() {
        assert_eq!(json_values(r#"{"a,[{":[1,2],"b\"":{}}"#), 6);
        assert!(json_values("[[1,1],[1]]") >= 6);
    }

    #[test]
    fn forms_are_decoded() {
        assert_eq!(pairs("a=1&b=x+y%26").unwrap(), [("a".into(), "1".into()), ("b".into(), "x y&".into())]);
        for text in ["", "a", "a=1&a=2", "a=%20", "&a=1", "a=1&", "a=%ff"] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }
}
