//! What must hold for any file and any response whatever, shared by the property tests, the corpus replay and the fuzz targets.

#![allow(dead_code)] // Each of them uses its part.

use pummel_case::{
    convert::{convert, CaseFormat, ConvertOptions, Source, StepNames},
    load_text, Case, Diagnostic, Headers, LoadOptions, RenderedRequest, RequestStep, ResponseView, Session, Step,
    StepError,
};
use serde_json::{json, Value};

/// A YAML file of any contents.
pub(crate) fn case_yaml(data: &[u8]) {
    case_file("case.yml", &String::from_utf8_lossy(data));
}

/// A JSON file of any contents.
pub(crate) fn case_json(data: &[u8]) {
    case_file("case.json", &String::from_utf8_lossy(data));
}

/// The first line as `extract` of a response whose body is the rest.
pub(crate) fn jmespath_body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let expression = String::from_utf8_lossy(&data[..end]);
    let body = data.get(end + 1..).unwrap_or_default();
    let case = json!({"teststeps": [
        {"request": {"method": "GET", "url": "http://h/"}, "extract": {"v": expression}},
        {"request": {"method": "POST", "url": "http://h/", "body": {"v": "$v"}}},
    ]});
    // An expression with a `$` in it may be a call, which is not built yet.
    let Ok(mut loaded) = load_text("case.json", &case.to_string(), &LoadOptions::default()) else { return };
    let case = loaded.cases.remove(0);
    let [Step::Request(first), Step::Request(second)] = &case.steps[..] else { panic!("two requests") };
    let mut session = Session::new();
    session.begin(&case);
    answer(first, &mut session, body).expect("extraction never fails a step");
    let mut request = RenderedRequest::default();
    let _ = second
        .render(&mut session, &mut request, &mut pummel_case::Progress::default())
        .expect("an extracted value can be sent");
    let sent = match serde_json::from_slice::<Value>(request.body().expect("a body")) {
        Ok(sent) => sent,
        // Its limit and ours differ by the map around the value.
        Err(error) if error.to_string().contains("recursion limit") => return,
        Err(error) => panic!("what is sent is not JSON: {error}"),
    };
    if expression.trim() == "body" {
        let text = || Value::String(String::from_utf8_lossy(body).into_owned());
        let expected = match serde_json::from_slice::<Value>(body) {
            Err(error) if error.to_string().contains("recursion limit") => return,
            parsed => parsed.unwrap_or_else(|_| text()),
        };
        assert!(same(&sent["v"], &expected), "{} is not {expected}", sent["v"]);
    }
}

/// A file of curl commands of any contents.
pub(crate) fn convert_curl(data: &[u8]) {
    converted(Source::Curl, &String::from_utf8_lossy(data));
}

/// A HAR file of any contents.
pub(crate) fn convert_har(data: &[u8]) {
    converted(Source::Har, &String::from_utf8_lossy(data));
}

/// A Postman collection of any contents.
pub(crate) fn convert_postman(data: &[u8]) {
    converted(Source::Postman, &String::from_utf8_lossy(data));
}

/// A case file of any contents, in either form.
pub(crate) fn convert_case(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for source in [Source::Json, Source::Yaml] {
        let Ok(case) = convert(source, &text, &NO_FILES) else { continue };
        both_forms(&case);
    }
}

/// Options without files to read.
pub(crate) const NO_FILES: ConvertOptions<'_> = ConvertOptions {
    step_names: StepNames::Command,
    overrides: None,
    read_file: &|_| Err("there are no files".into()),
};

/// Converts a text; a case made of it loads in both forms, which say the same.
fn converted(source: Source, text: &str) {
    let lines = text.split('\n').count();
    match convert(source, text, &NO_FILES) {
        Ok(case) => {
            assert!(case.steps() > 0);
            assert!(case.notes().iter().all(|note| note.line.is_none_or(|line| line <= lines)));
            for (name, text) in both_forms(&case) {
                assert_loads(name, &text);
            }
        }
        Err(error) => {
            assert!(error.exit_code > 0 && !error.message.is_empty());
            assert!(error.line.is_none_or(|line| line > 0 && line <= lines), "{error}");
        }
    }
}

/// A case as JSON and as YAML, where they can be written; the one is the other when it is read again.
fn both_forms(case: &pummel_case::convert::Converted) -> Vec<(&'static str, String)> {
    let Ok(json) = case.render(CaseFormat::Json) else { return Vec::new() };
    // A key may be none in YAML.
    let Ok(yaml) = case.render(CaseFormat::Yaml) else { return vec![("case.json", json)] };
    let again = |source, text: &str| {
        let case = convert(source, text, &NO_FILES).unwrap_or_else(|error| panic!("{error}\n{text}"));
        case.render(CaseFormat::Json).expect("what was read can be written")
    };
    assert_eq!(again(Source::Json, &json), again(Source::Yaml, &yaml), "{yaml}");
    vec![("case.json", json), ("case.yaml", yaml)]
}

/// The text loads, or asks for no more than what is not built yet.
pub(crate) fn assert_loads(name: &str, text: &str) {
    if let Err(error) = load_text(name, text, &LoadOptions::default()) {
        let unbuilt = |diagnostic: &Diagnostic| diagnostic.to_string().contains("not built yet");
        assert!(error.diagnostics().iter().all(unbuilt), "{:?}\n{text}", error.diagnostics());
    }
}

/// Loads a file; what loads is run twice, what does not is shown.
fn case_file(name: &str, text: &str) {
    match load_text(name, text, &LoadOptions::default()) {
        Ok(loaded) => {
            assert_eq!(loaded.cases.len(), 1);
            show(&loaded.warnings, text);
            assert!(loaded.warnings.iter().all(|warning| warning.exit_code() == 0));
            let case = &loaded.cases[0];
            let mut session = Session::new();
            let first = iterate(case, &mut session);
            assert_eq!(first, iterate(case, &mut session), "an iteration leaves nothing behind for the next");
        }
        Err(error) => {
            show(error.diagnostics(), text);
            assert!(!error.diagnostics().is_empty() && error.exit_code() > 0);
        }
    }
}

/// Every diagnostic can be rendered and names a place inside the file.
fn show(diagnostics: &[Diagnostic], text: &str) {
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    let lines = text.split('\n').count();
    for diagnostic in diagnostics {
        let mut out = String::new();
        handler.render_report(&mut out, diagnostic).expect("it can be shown");
        assert!(diagnostic.line_column().is_none_or(|(line, column)| line <= lines && column > 0), "{diagnostic}");
    }
}

/// Everything an iteration sends and finds wrong, one step after the other and going on after failures.
fn iterate(case: &Case, session: &mut Session) -> Vec<String> {
    session.begin(case);
    let mut seen = Vec::new();
    let mut out = RenderedRequest::default();
    for step in &case.steps {
        let Step::Request(step) = step else { continue };
        match step.render(session, &mut out, &mut pummel_case::Progress::default()) {
            Ok(_) => {
                assert!(out
                    .headers()
                    .all(|(name, value)| !name.contains(['\r', '\n']) && !value.contains(['\r', '\n'])));
                assert!(out.target().starts_with('/') && out.target().bytes().all(|b| (0x21..0x7f).contains(&b)));
                let headers: Vec<_> = out.headers().collect();
                seen.push(format!("{} {} {headers:?} {:?}", out.origin(), out.target(), out.body()));
            }
            Err(error) => seen.push(error.to_string()),
        }
        if let Err(error) = answer(step, session, br#"{"a":{"b":[1,2.5,"x$a"]},"t":true,"n":null}"#) {
            seen.push(error.to_string());
        }
    }
    seen
}

/// Has a step check a response with this body.
fn answer(step: &RequestStep, session: &mut Session, body: &[u8]) -> Result<(), StepError> {
    let fields: &[(&str, &[u8])] = &[("Content-Type", b"application/json"), ("Set-Cookie", b"a=\"1\"; Path=/")];
    let headers: &dyn Headers = &fields;
    let view = &mut ResponseView { status: 200, version: "HTTP/1.1", headers, body: &mut body.to_vec() };
    step.check(session, view, &mut pummel_case::Progress::default(), None).map(drop)
}

/// The same value; the two parsers may round the last digit of a float apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64(), x.as_f64(), y.as_f64()) {
            (Some(x), Some(y), ..) => x == y,
            (_, _, Some(x), Some(y)) => (x - y).abs() <= x.abs() * 1e-14,
            _ => false,
        },
        _ => a == b,
    }
}
