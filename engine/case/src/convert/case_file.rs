//! A case file in its other form, with old forms made new (hrp spec section 4). Order and unknown keys stay, comments go.

use serde_json::{Map, Number, Value};

use super::{
    payload::json_values,
    problem::{ConvertError, Lines},
    shape::{Field, Shape, CASE, REQUEST, STEP},
    source::Source,
};
use crate::{
    document::{parse_json, parse_yaml, FileId, Key, Node, NodeKind, Scalar, ScalarKind, MAX_NODES},
    load::code,
    request::JSON_TYPE,
    response::repair_quotes,
    value::Value as CaseValue,
};

/// Converts the text of a case file.
pub(super) fn convert(source: Source, text: &str) -> Result<Value, ConvertError> {
    let is_json = source == Source::Json;
    let (format, exit_code) = if is_json { ("JSON", code::JSON) } else { ("YAML", code::YAML) };
    let writer = Writer { lines: Lines::of(text), is_json };
    if is_json && json_values(text) > MAX_NODES {
        return Err(ConvertError::new(None, format!("more than {MAX_NODES} values")).with_code(exit_code));
    }
    let file = FileId::default();
    let parsed = if is_json { parse_json(text, file) } else { parse_yaml(text, file) };
    let root = parsed.map_err(|error| {
        let message = format!("broken {format}: {}", error.message);
        ConvertError::new(writer.line(error.place.offset), message).with_code(exit_code)
    })?;
    let case = writer.map(&root, &CASE)?;
    if case.get("teststeps").is_none_or(Value::is_null) {
        let error = ConvertError::new(writer.line_of(&root), "invalid case format: teststeps is missing");
        return Err(error.with_help("a test case is a map with config and teststeps, a list of steps"));
    }
    Ok(case)
}

/// Carries values over, looking at what is declared of each place.
struct Writer {
    lines: Lines,
    is_json: bool,
}

impl Writer {
    fn value(&self, node: &Node, shape: Shape) -> Result<Value, ConvertError> {
        match (shape, &node.kind) {
            (Shape::Text | Shape::Reference(_), NodeKind::Scalar(scalar)) => self.text(node, scalar),
            (Shape::Switch, NodeKind::Scalar(scalar)) => match scalar.as_bool() {
                Some(on) => Ok(on.into()),
                None => self.any(node),
            },
            (Shape::Texts, NodeKind::List(items)) => self.list(items, Shape::Text),
            (Shape::TextMap, NodeKind::Map(entries)) => Self::entries(entries, |value| match &value.kind {
                // Null is no text, and stands for none (hrp spec 1.7).
                NodeKind::Scalar(scalar) if scalar.is_null() && !self.is_json => Ok("".into()),
                _ => self.value(value, Shape::Text),
            }),
            (Shape::Extract, NodeKind::Map(entries)) => Self::entries(entries, |value| self.expression(value)),
            (Shape::Validators, NodeKind::List(items)) => {
                let validators: Result<Vec<_>, _> = items.iter().map(|item| self.validator(item)).collect();
                Ok(validators?.into())
            }
            (Shape::Steps, NodeKind::List(items)) => self.list(items, Shape::Map(&STEP)),
            (Shape::Request, NodeKind::Map(_)) => self.request(node),
            (Shape::Map(fields) | Shape::Reference(fields), NodeKind::Map(_)) => self.map(node, fields),
            (Shape::Steps, _) if !node.is_null() => Err(self.wrong(node, "teststeps must be a list of steps")),
            _ => self.any(node),
        }
    }

    fn map(&self, node: &Node, fields: &[Field]) -> Result<Value, ConvertError> {
        let NodeKind::Map(entries) = &node.kind else {
            return Err(self.wrong(node, &format!("a map is expected here, not {}", node.kind_name())));
        };
        let mut map = Map::new();
        for (key, value) in entries {
            // JSON keys match without regard to case, those of YAML do not (hrp spec 1.6).
            let declared = fields.iter().find(|(name, _)| {
                if self.is_json {
                    name.eq_ignore_ascii_case(&key.text)
                } else {
                    *name == &*key.text
                }
            });
            let (name, shape) = declared.map_or((&*key.text, Shape::Any), |(name, shape)| (*name, *shape));
            map.insert(name.to_owned(), self.value(value, shape)?);
        }
        Ok(map.into())
    }

    fn entries(
        entries: &[(Key, Node)],
        value: impl Fn(&Node) -> Result<Value, ConvertError>,
    ) -> Result<Value, ConvertError> {
        let entries: Result<Map<_, _>, ConvertError> =
            entries.iter().map(|(key, node)| Ok((key.text.to_string(), value(node)?))).collect();
        Ok(entries?.into())
    }

    fn list(&self, items: &[Node], shape: Shape) -> Result<Value, ConvertError> {
        let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item, shape)).collect();
        Ok(items?.into())
    }

    /// A declared text: in YAML any scalar as it is written.
    fn text(&self, node: &Node, scalar: &Scalar) -> Result<Value, ConvertError> {
        if scalar.kind == ScalarKind::JsonLiteral || scalar.is_null() {
            return self.any(node);
        }
        Ok(Value::String(scalar.text.to_string()))
    }

    fn any(&self, node: &Node) -> Result<Value, ConvertError> {
        match &node.kind {
            NodeKind::List(items) => self.list(items, Shape::Any),
            NodeKind::Map(entries) => Self::entries(entries, |value| self.any(value)),
            NodeKind::Scalar(scalar) => Ok(match scalar.resolve() {
                CaseValue::Bool(b) => b.into(),
                CaseValue::Int(n) => match (i64::try_from(n), u64::try_from(n)) {
                    (Ok(n), _) => n.into(),
                    (_, Ok(n)) => n.into(),
                    _ => return Err(self.wrong(node, "the number is beyond 64 bits")),
                },
                CaseValue::Float(n) => Number::from_f64(n)
                    .ok_or_else(|| self.wrong(node, "the number is infinite, or none: JSON has no word for it"))?
                    .into(),
                CaseValue::Text(text) => Value::String(text.into()),
                CaseValue::Null | CaseValue::Bytes(_) | CaseValue::List(_) | CaseValue::Map(_) => Value::Null,
            }),
        }
    }

    /// An `extract` value or a `check`, with its quotes normalised.
    fn expression(&self, node: &Node) -> Result<Value, ConvertError> {
        Ok(match self.value(node, Shape::Text)? {
            Value::String(text) => Value::String(repair_quotes(text.trim())),
            other => other,
        })
    }

    /// A validator in its native form.
    fn validator(&self, node: &Node) -> Result<Value, ConvertError> {
        let NodeKind::Map(entries) = &node.kind else {
            return Err(self.no_validator(node));
        };
        let has = |name: &str| entries.iter().any(|(key, _)| &*key.text == name);
        if has("check") && has("assert") && has("expect") {
            let mut map = Map::new();
            for (key, value) in entries {
                let value = match &*key.text {
                    "check" => self.expression(value)?,
                    "assert" | "msg" => self.value(value, Shape::Text)?,
                    _ => self.any(value)?,
                };
                map.insert(key.text.to_string(), value);
            }
            return Ok(map.into());
        }
        let [(assert, parts)] = &entries[..] else {
            return Err(self.no_validator(node));
        };
        let NodeKind::List(parts) = &parts.kind else {
            return Err(self.no_validator(node));
        };
        let (check, expect, msg) = match &parts[..] {
            [check, expect] => (check, expect, None),
            [check, expect, msg] => (check, expect, Some(msg)),
            _ => {
                let message = format!("\"{}\" takes check, expect and at most a message", assert.text);
                return Err(self.wrong(node, &message));
            }
        };
        let mut map = Map::new();
        map.insert("check".into(), self.expression(check)?);
        map.insert("assert".into(), Value::String(assert.text.to_string()));
        map.insert("expect".into(), self.any(expect)?);
        if let Some(msg) = msg {
            map.insert("msg".into(), self.value(msg, Shape::Text)?);
        }
        Ok(map.into())
    }

    /// `json` and `data` as `body`, `json` with its content type.
    fn request(&self, node: &Node) -> Result<Value, ConvertError> {
        let Value::Object(request) = self.map(node, &REQUEST)? else {
            return self.any(node);
        };
        let given =
            ["body", "json", "data"].into_iter().find(|key| request.get(*key).is_some_and(|body| !body.is_null()));
        let Some(given) = given else { return Ok(request.into()) };
        let mut map = Map::new();
        for (key, value) in request {
            match &*key {
                _ if key == given => map.insert("body".into(), value),
                "body" | "json" | "data" => None,
                _ => map.insert(key, value),
            };
        }
        if given == "json" {
            let headers = map.entry("headers").or_insert_with(|| Map::new().into());
            if headers.is_null() {
                *headers = Map::new().into();
            }
            if let Value::Object(headers) = headers {
                let same: Vec<_> =
                    headers.keys().filter(|key| key.eq_ignore_ascii_case("content-type")).cloned().collect();
                for key in same {
                    headers.shift_remove(&key);
                }
                headers.insert("Content-Type".into(), JSON_TYPE.into());
            }
        }
        Ok(map.into())
    }

    fn no_validator(&self, node: &Node) -> ConvertError {
        self.wrong(node, "this is not a validator")
            .with_help("write {eq: [check, expect]} or {check: ..., assert: eq, expect: ...}")
    }

    fn wrong(&self, node: &Node, message: &str) -> ConvertError {
        ConvertError::new(self.line_of(node), message)
    }

    fn line_of(&self, node: &Node) -> usize {
        self.line(node.place.offset)
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.at(offset)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(source: Source, text: &str) -> Value {
        convert(source, text).unwrap()["teststeps"].clone()
    }

    #[test]
    fn scalars_are_what_their_place_declares() {
        let yaml = "config:\n  verify: yes\n  headers: {A: 0777, B: ~}\nteststeps:\n- name: 12\n  request:\n    method: GET\n    \
                    url: 8080\n    body: {a: 0777, b: yes, c: 1e3, d: 1_000, e: ~}\n";
        let case = convert(Source::Yaml, yaml).unwrap();
        assert_eq!(case["config"], json!({"verify": true, "headers": {"A": "0777", "B": ""}}));
        assert_eq!(
            case["teststeps"][0],
            json!({"name": "12", "request": {"method": "GET", "url": "8080",
                "body": {"a": 511, "b": "yes", "c": 1000.0, "d": 1000, "e": null}}})
        );
    }

    #[test]
    fn json_keys_become_those_yaml_knows() {
        let json =
            r#"{"TestSteps":[{"Request":{"URL":"/","Headers":{"URL":"x"}},"Validate":[{"Eq":["status_code",200]}]}]}"#;
        assert_eq!(
            steps(Source::Json, json),
            json!([{"request": {"url": "/", "headers": {"URL": "x"}},
                "validate": [{"check": "status_code", "assert": "Eq", "expect": 200}]}])
        );
    }

    #[test]
    fn old_forms_become_new_ones() {
        let yaml = "teststeps:\n- request: {json: {a: 1}, data: x, headers: {content-type: y, K: v}}\n  extract: {t: headers.Content-Type}\n  \
                    validate:\n  - eq: [headers.user-agent, u, 7]\n  - {check: body.a, assert: eq, expect: ~}\n";
        assert_eq!(
            steps(Source::Yaml, yaml),
            json!([{"request": {"body": {"a": 1}, "headers": {"K": "v", "Content-Type": "application/json; charset=utf-8"}},
                "extract": {"t": "headers.\"Content-Type\""},
                "validate": [{"check": "headers.\"user-agent\"", "assert": "eq", "expect": "u", "msg": "7"},
                    {"check": "body.a", "assert": "eq", "expect": null}]}])
        );
        assert_eq!(steps(Source::Yaml, "teststeps: [{request: {data: x}}]"), json!([{"request": {"body": "x"}}]));
    }

    #[test]
    fn what_is_no_case_is_refused_with_its_line() {
        for (source, text, line, code) in [
            (Source::Json, "{\n\"a\":1,}", Some(2), 11),
            (Source::Yaml, "a: 1\na: 2", Some(2), 12),
            (Source::Json, "[]", Some(1), 15),
            (Source::Json, "{\"config\":{}}", Some(1), 15),
            (Source::Yaml, "teststeps:\n  a: 1", Some(2), 15),
            (Source::Yaml, "teststeps:\n- validate:\n  - a", Some(3), 15),
            (Source::Yaml, "teststeps:\n- validate:\n  - eq: [a]", Some(3), 15),
            (Source::Yaml, "teststeps:\n- request:\n    body: .inf", Some(3), 15),
        ] {
            let error = convert(source, text).unwrap_err();
            assert_eq!((error.line, error.exit_code), (line, code), "{text}: {error}");
        }
    }
}
