//! HTTP Archives (HAR 1.2) as steps (hrp spec 18.2): what was sent, and checks that the answer is the recorded one.

use serde_json::{json, Value};

use super::{
    draft::{literal, note_trimmed, Draft, StepUrl},
    foreign::parse,
    payload::{is_json_type, json_value, put_body, scalar_value},
    problem::{ConvertError, Lines, Notes},
    run::Steps,
};
use crate::{
    document::{Node, NodeKind, Scalar},
    request::{is_header_name, FORM_TYPE, JSON_TYPE},
    value::Value as CaseValue,
};

/// The name hrp gives such cases.
const CASE_NAME: &str = "testcase description";

/// The longest key of a response that is checked; expressions have a limit (see `response::search`).
const MAX_CHECKED_KEY_BYTES: usize = 256;

/// Converts an archive.
pub(super) fn convert(text: &str, notes: &mut Notes) -> Result<Value, ConvertError> {
    let root = parse(text, "a HAR file")?;
    let Some(entries) = root.get("log").and_then(|log| log.get("entries")) else {
        let error = ConvertError::new(1, "this is no HAR file: it has no log.entries");
        return Err(error.with_help("save the requests of a browser's network view as HAR"));
    };
    let mut steps = Steps::default();
    let lines = Lines::of(text);
    for entry in entries.items() {
        let line = lines.at(entry.place.offset);
        match step(entry, line, notes) {
            Ok(draft) => steps.push(draft)?,
            Err(reason) => notes.add(line, format!("the entry is left out: {reason}")),
        }
    }
    if steps.is_empty() {
        let mut error = ConvertError::new(None, "the HAR file holds no request that can be converted");
        error.help = notes.list.first().map(ToString::to_string);
        return Err(error);
    }
    Ok(steps.into_case(&json!({ "name": CASE_NAME })))
}

/// Name and value of each of a list of `{name, value}`.
fn named<'a>(parent: &'a Node, list: &str) -> Vec<(&'a str, &'a str)> {
    let items = parent.get(list).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| Some((item.get_str("name")?, item.get_str("value").unwrap_or_default()))).collect()
}

/// One entry. Errors are sentences: the entry is left out.
fn step(entry: &Node, line: usize, notes: &mut Notes) -> Result<Draft, String> {
    let request = entry.get("request").ok_or("it has no request")?;
    let method = request.get_str("method").unwrap_or_default();
    if !is_header_name(method) {
        return Err("its method is not a single word".into());
    }
    let written = request.get_str("url").ok_or("its request has no url")?;
    let mut url = StepUrl::parse(written)?;
    if url.query.is_none() {
        let pairs = named(request, "queryString");
        if !pairs.is_empty() {
            url.query = Some(form_text(&pairs));
        }
    }
    let mut draft = Draft { method: method.to_owned(), ..Draft::default() };
    url.put(&mut draft, &mut literal);
    let headers = named(request, "headers");
    // Names that begin with a colon are HTTP/2's own way to say method, path and host.
    for (name, value) in
        headers.iter().filter(|(name, _)| !name.starts_with(':') && !name.eq_ignore_ascii_case("cookie"))
    {
        if let Err(reason) = draft.add_header(name, value, &mut literal) {
            notes.add(line, format!("a header is left out: {reason}"));
        }
    }
    let cookie_fields: Vec<_> =
        headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")).map(|(_, v)| *v).collect();
    let mut cookies = cookie_fields.join("; ");
    if cookies.is_empty() {
        cookies = named(request, "cookies")
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ");
    }
    if let Err(reason) = draft.add_cookies(&cookies, &mut literal) {
        notes.add(line, format!("the cookies are left out: {reason}"));
    }
    if let Some(data) = request.get("postData") {
        body(data, &mut draft, line, notes);
    }
    draft.validate = entry.get("response").map(|response| checks(response, line, notes)).unwrap_or_default();
    Ok(draft)
}

/// The body by its text, which is what was sent; where an archive has only the fields of a form, by these.
fn body(data: &Node, draft: &mut Draft, line: usize, notes: &mut Notes) {
    let mime = data.get_str("mimeType").unwrap_or_default();
    let text = data.get_str("text").filter(|text| !text.is_empty());
    let params = data.get("params").map(Node::items).unwrap_or_default();
    let decoded;
    let text = match text {
        Some(text) if data.get_str("encoding") == Some("base64") => {
            let Some(text) = base64_text(text) else {
                notes.add(line, "the body is left out: it is not text");
                return;
            };
            decoded = text;
            Some(decoded.as_str())
        }
        text => text,
    };
    match text {
        Some(text) => {
            let own = draft.header("Content-Type").map(str::to_owned);
            let kind = own.as_deref().unwrap_or(mime).to_owned();
            put_body(draft, text, Some(&kind), &mut literal);
            let is_text = draft.body.as_ref().is_some_and(Value::is_string);
            if is_text {
                note_trimmed(text, "the body", line, notes);
            }
            // A list or map without a content type is sent as JSON anyway.
            let says_itself =
                !is_text && is_json_type(&kind) && JSON_TYPE.starts_with(kind.split(';').next().unwrap_or_default());
            if own.is_none()
                && !kind.is_empty()
                && !says_itself
                && draft.add_header("Content-Type", &kind, &mut literal).is_err()
            {
                notes.add(line, "the type of the body is left out: it is no header value");
            }
        }
        None if params.is_empty() => {}
        None if mime.starts_with("multipart/") => {
            draft.remove_header("Content-Type");
            for param in params {
                let Some(name) = param.get_str("name") else { continue };
                let value = match param.get_str("fileName") {
                    Some(file) => format!("@{file}"),
                    None => param.get_str("value").unwrap_or_default().to_owned(),
                };
                if let Err(reason) = draft.add_upload(literal(name), literal(&value)) {
                    notes.add(line, format!("a form field is left out: {reason}"));
                }
            }
        }
        None => {
            let pairs: Vec<_> = params
                .iter()
                .filter_map(|param| Some((param.get_str("name")?, param.get_str("value").unwrap_or_default())))
                .collect();
            draft.default_header("Content-Type", FORM_TYPE);
            put_body(draft, &form_text(&pairs), Some(FORM_TYPE), &mut literal);
        }
    }
}

/// Pairs as the text of a form.
pub(super) fn form_text(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn base64_text(text: &str) -> Option<String> {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?).ok()
}

/// Checks that an answer is the recorded one: status, content type, and the scalars at the top of a JSON object.
fn checks(response: &Node, line: usize, notes: &mut Notes) -> Vec<Value> {
    let status =
        response.get_str("status").and_then(|status| status.parse::<u16>().ok()).filter(|status| *status >= 100);
    let Some(status) = status else {
        notes.add(line, "the recorded request has no response: nothing is checked");
        return Vec::new();
    };
    let mut checks = vec![check("status_code", status, "assert response status code")];
    let kinds = named(response, "headers").into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    for (_, kind) in kinds.filter(|(_, kind)| kind.trim() == *kind) {
        checks.push(check("headers.\"Content-Type\"", literal(kind), "assert response header Content-Type"));
    }
    let Some(content) = response.get("content") else { return checks };
    let Some(text) = content.get_str("text") else { return checks };
    let decoded;
    let text = if content.get_str("encoding") == Some("base64") {
        decoded = base64_text(text).unwrap_or_default();
        &decoded
    } else {
        text
    };
    if !is_json_type(content.get_str("mimeType").unwrap_or_default()) {
        return checks;
    }
    let Some(Node { kind: NodeKind::Map(mut entries), .. }) = json_value(text) else { return checks };
    entries.sort_by(|a, b| a.0.text.cmp(&b.0.text));
    for (key, value) in &entries {
        let NodeKind::Scalar(scalar) = &value.kind else { continue };
        match (expectation(scalar), path(&key.text)) {
            (Some(expect), Some(path)) => {
                let message = format!("assert response body {}", key.text);
                checks.push(check(&path, expect, &message));
            }
            _ => notes.add(line, format!("body.{} is not checked: a test case cannot say it", shown(&key.text))),
        }
    }
    checks
}

fn check(check: &str, expect: impl Into<Value>, msg: &str) -> Value {
    json!({ "check": check, "assert": "equals", "expect": expect.into(), "msg": msg })
}

fn expectation(scalar: &Scalar) -> Option<Value> {
    match scalar.resolve() {
        // Two floats that print alike may have come from different texts; equality would depend on the parser.
        CaseValue::Float(_) if !scalar.text.contains('.') => None,
        _ => scalar_value(scalar, &mut literal),
    }
}

/// JMESPath to a key at the top of the body; none where it would be read as something else.
fn path(key: &str) -> Option<String> {
    // hrp takes a text with this in it for a regular expression, and splits at dots to repair quotes.
    if key.len() > MAX_CHECKED_KEY_BYTES || key.contains("(.*)") || key.contains(['.', '"', '\\']) || key.trim() != key
    {
        return None;
    }
    if key.chars().any(char::is_control) {
        return None;
    }
    let is_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    Some(if is_name { format!("body.{key}") } else { format!("body.\"{}\"", literal(key)) })
}

fn shown(key: &str) -> String {
    key.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(entry: &Value) -> (Value, Vec<String>) {
        let mut notes = Notes::default();
        let case = convert(&json!({"log": {"entries": [entry]}}).to_string(), &mut notes).unwrap();
        (case["teststeps"][0].clone(), notes.list.iter().map(ToString::to_string).collect())
    }

    fn request(request: &Value) -> Value {
        converted(&json!({ "request": request })).0["request"].clone()
    }

    #[test]
    fn requests_are_those_that_were_sent() {
        let sent = request(&json!({"method": "POST", "url": "http://h/p?a=1&a=2#f",
            "headers": [{"name": ":path", "value": "/p"}, {"name": "X", "value": "$1"}, {"name": "x", "value": "2"},
                {"name": "cookie", "value": "c=\"q\""}, {"name": "Content-Length", "value": "3"}],
            "postData": {"mimeType": "application/x-www-form-urlencoded", "text": "a=x+y&b=%26", "params": [{"name": "z"}]}}));
        assert_eq!(
            sent,
            json!({"method": "POST", "url": "http://h/p?a=1&a=2",
                "headers": {"X": "$$1, 2", "Cookie": "c=\"q\"", "Content-Type": "application/x-www-form-urlencoded"},
                "body": {"a": "x y", "b": "&"}})
        );
    }

    #[test]
    fn bodies_by_their_type() {
        let body = |data: Value| {
            let sent = request(&json!({"method": "POST", "url": "http://h/", "postData": data}));
            (sent["headers"]["Content-Type"].clone(), sent["body"].clone(), sent["upload"].clone())
        };
        let none = Value::Null;
        assert_eq!(
            body(json!({"mimeType": "application/json;charset=UTF-8", "text": "[1]"})),
            (none.clone(), json!([1]), none.clone())
        );
        assert_eq!(
            body(json!({"mimeType": "application/vnd.api+json", "text": "{}"})),
            (json!("application/vnd.api+json"), json!({}), none.clone())
        );
        assert_eq!(
            body(json!({"mimeType": "text/plain", "text": "$a"})),
            (json!("text/plain"), json!("$$a"), none.clone())
        );
        assert_eq!(
            body(json!({"mimeType": "text/xml", "text": "PGEvPg==", "encoding": "base64"})),
            (json!("text/xml"), json!("<a/>"), none.clone())
        );
        let params = json!([{"name": "a", "value": "1 2"}, {"name": "f", "fileName": "x.png"}]);
        assert_eq!(
            body(json!({"mimeType": "multipart/form-data; boundary=b", "params": params})),
            (none.clone(), none.clone(), json!({"a": "1 2", "f": "@x.png"}))
        );
        assert_eq!(
            body(json!({"mimeType": FORM_TYPE, "params": params})),
            (json!(FORM_TYPE), json!({"a": "1 2", "f": ""}), none)
        );
    }

    #[test]
    fn answers_are_checked_by_what_a_case_can_say() {
        let response = json!({"status": 201, "headers": [{"name": "CONTENT-TYPE", "value": "a/b"}], "content": {
            "mimeType": "application/json", "encoding": "base64", "text": "eyJ6Ijp0cnVlLCJhLWIiOiIkeCIsIm4iOm51bGwsImwiOltdLCJzIjoiIHgifQ=="}});
        // {"z":true,"a-b":"$x","n":null,"l":[],"s":" x"}
        let (step, notes) = converted(&json!({"request": {"method": "GET", "url": "http://h/"}, "response": response}));
        let checks: Vec<_> =
            step["validate"].as_array().unwrap().iter().map(|c| (c["check"].clone(), c["expect"].clone())).collect();
        assert_eq!(
            checks,
            [
                (json!("status_code"), json!(201)),
                (json!("headers.\"Content-Type\""), json!("a/b")),
                (json!("body.\"a-b\""), json!("$$x")),
                (json!("body.n"), Value::Null),
                (json!("body.z"), json!(true)),
            ]
        );
        assert_eq!(notes, ["line 1: body.s is not checked: a test case cannot say it"]);
    }

    #[test]
    fn entries_that_are_no_http_requests_are_left_out_with_a_note() {
        let mut notes = Notes::default();
        let entry = |url: &str| json!({"request": {"method": "GET", "url": url}});
        let har = json!({"log": {"entries": [entry("data:,x"), {}, entry("http://h/"), entry("ws://h/")]}});
        let case = convert(&har.to_string(), &mut notes).unwrap();
        assert_eq!((case["teststeps"].as_array().unwrap().len(), notes.list.len()), (1, 3));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for (text, message) in [
            ("{\n", "line 2: broken JSON: a key in double quotes is expected here"),
            ("{}", "line 1: this is no HAR file: it has no log.entries"),
            ("{\"log\":{\"entries\":[]}}", "the HAR file holds no request that can be converted"),
        ] {
            assert_eq!(convert(text, &mut Notes::default()).unwrap_err().to_string(), message);
        }
    }
}
