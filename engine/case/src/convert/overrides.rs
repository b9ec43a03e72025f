//! hrp's conversion profile: headers and cookies for every request (hrp spec section 18).

use serde_json::{Map, Value};

use super::problem::{ConvertError, Lines};
use crate::{
    document::{parse_json, parse_yaml, FileId, Key, Node, NodeKind},
    load::code,
};

/// Headers and cookies put over those of every converted request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Each request's own headers and cookies are dropped first.
    pub replace_all: bool,
    /// In the case language: `$token` is a variable.
    pub headers: Vec<(String, String)>,
    /// Likewise.
    pub cookies: Vec<(String, String)>,
}

impl Overrides {
    /// Reads a profile: a map of `override` (true or false), `headers` and `cookies`, JSON where `is_json`, else YAML.
    ///
    /// # Errors
    /// It is not JSON or YAML, or a key or value is none of a profile.
    pub fn parse(text: &str, is_json: bool) -> Result<Self, ConvertError> {
        let text = text.trim_start_matches('\u{feff}');
        let lines = Lines::of(text);
        let line = |offset| lines.at(offset);
        let file = FileId::default();
        let (parsed, exit_code) =
            if is_json { (parse_json(text, file), code::JSON) } else { (parse_yaml(text, file), code::YAML) };
        let root =
            parsed.map_err(|error| ConvertError::new(line(error.place.offset), error.message).with_code(exit_code))?;
        let refuse = |offset, message: String| {
            Err(ConvertError::new(line(offset), message)
                .with_code(exit_code)
                .with_help("a profile is a map of override (true or false), headers and cookies"))
        };
        let entries = match &root.kind {
            NodeKind::Map(entries) => &entries[..],
            _ if root.is_null() => &[],
            _ => return refuse(root.place.offset, format!("a map is expected, not {}", root.kind_name())),
        };
        let mut overrides = Overrides::default();
        for (key, value) in entries {
            let name = key.text.to_ascii_lowercase();
            let fits = match (&*name, &value.kind) {
                ("override" | "headers" | "cookies", _) if value.is_null() => true,
                ("override", NodeKind::Scalar(scalar)) => match scalar.as_bool() {
                    Some(on) => {
                        overrides.replace_all = on;
                        true
                    }
                    None => false,
                },
                ("headers", NodeKind::Map(entries)) => texts(entries, &mut overrides.headers),
                ("cookies", NodeKind::Map(entries)) => texts(entries, &mut overrides.cookies),
                ("override" | "headers" | "cookies", _) => false,
                _ => return refuse(key.place.offset, format!("unknown key \"{}\" in the profile", key.text)),
            };
            if !fits {
                return refuse(value.place.offset, format!("\"{}\" is not what a profile takes", key.text));
            }
        }
        Ok(overrides)
    }

    /// Changes every request of a case.
    pub(super) fn apply(&self, case: &mut Value) {
        let steps = case.get_mut("teststeps").and_then(Value::as_array_mut).into_iter().flatten();
        for request in steps.filter_map(|step| step.get_mut("request")?.as_object_mut()) {
            self.put(request, "headers", &self.headers, str::eq_ignore_ascii_case);
            self.put(request, "cookies", &self.cookies, str::eq);
        }
    }

    fn put(
        &self,
        request: &mut Map<String, Value>,
        key: &str,
        given: &[(String, String)],
        same: fn(&str, &str) -> bool,
    ) {
        if self.replace_all {
            request.shift_remove(key);
        }
        if given.is_empty() {
            return;
        }
        let entries = request.entry(key).or_insert(Value::Null);
        if !entries.is_object() {
            *entries = Map::new().into();
        }
        let Some(entries) = entries.as_object_mut() else { return };
        for (name, value) in given {
            entries.retain(|known, _| !same(known, name));
            entries.insert(name.clone(), Value::String(value.clone()));
        }
    }
}

/// Names with scalars as they are written; false where there is anything else.
fn texts(entries: &[(Key, Node)], out: &mut Vec<(String, String)>) -> bool {
    entries.iter().all(|(key, value)| match &value.kind {
        NodeKind::Scalar(scalar) => {
            let text = if scalar.is_null() { "" } else { &*scalar.text };
            out.push((key.text.to_string(), text.to_owned()));
            true
        }
        NodeKind::List(_) | NodeKind::Map(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_and_cookies_are_put_over_or_in_place_of_a_requests_own() {
        let case = json!({"teststeps": [
            {"request": {"headers": {"A": "1", "b": "2"}, "cookies": {"c": "3"}}}, {"transaction": {}}, {"request": {}},
        ]});
        let mut over = case.clone();
        Overrides::parse("headers: {B: 7}\ncookies: {d: x}", false).unwrap().apply(&mut over);
        assert_eq!(
            over["teststeps"],
            json!([{"request": {"headers": {"A": "1", "B": "7"}, "cookies": {"c": "3", "d": "x"}}}, {"transaction": {}},
                {"request": {"headers": {"B": "7"}, "cookies": {"d": "x"}}}])
        );
        let mut in_place = case;
        Overrides::parse(r#"{"override":true,"headers":{"B":"7"}}"#, true).unwrap().apply(&mut in_place);
        assert_eq!(
            in_place["teststeps"],
            json!([{"request": {"headers": {"B": "7"}}}, {"transaction": {}}, {"request": {"headers": {"B": "7"}}}])
        );
    }

    #[test]
    fn what_is_no_profile_is_refused_with_its_line() {
        for (text, line) in [("[]", 1), ("headers:\n  a: [1]", 2), ("override: maybe", 1), ("\nspawn-count: 1", 2)] {
            assert_eq!(Overrides::parse(text, false).unwrap_err().line, Some(line), "{text}");
        }
        assert_eq!(Overrides::parse("", false).unwrap(), Overrides::default());
    }
}
