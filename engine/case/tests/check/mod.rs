//! What must hold for any file and any response whatever, shared by the property tests, the corpus replay and the fuzz targets.

#![allow(dead_code, unused_imports)] // Each of them uses its part.

mod language;

pub(crate) use language::{csv, expression, expression_in_one_place, references};
use pummel_case::{
    convert::{convert, CaseFormat, ConvertOptions, Source, StepNames},
    load_text, Case, Diagnostic, Headers, Journal, LoadOptions, Prepared, Progress, RenderedRequest, RequestStep,
    ResponseView, Session, Step, StepError,
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
    // An expression with a `$` in it may be a call of a function there is not.
    let Ok(mut loaded) = load_text("case.json", &case.to_string(), &LoadOptions::default()) else { return };
    let case = loaded.cases.remove(0);
    let [Step::Request(first), Step::Request(second)] = &case.steps[..] else { panic!("two requests") };
    let mut session = Session::new();
    session.begin(&case);
    answer(first, &mut session, body).expect("extraction never fails a step");
    let mut request = RenderedRequest::default();
    complete(|progress| second.render(&mut session, &mut request, progress)).expect("an extracted value can be sent");
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

/// The text loads, or asks for no more than what is not built yet and files to upload that are not there.
pub(crate) fn assert_loads(name: &str, text: &str) {
    if let Err(error) = load_text(name, text, &LoadOptions::default()) {
        let excused = |diagnostic: &Diagnostic| {
            let text = diagnostic.to_string();
            text.contains("not built yet") || (text.contains(": upload ") && diagnostic.exit_code() == 10)
        };
        assert!(error.diagnostics().iter().all(excused), "{:?}\n{text}", error.diagnostics());
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
            well_formed(&case.steps, case);
            well_formed(&case.setup, case);
            let mut session = Session::new();
            session.begin(case);
            walk(&case.setup, &mut session);
            let first = iterate(case, &mut session);
            let again = iterate(case, &mut session);
            if !text.contains("random") && !text.contains("timestamp") {
                assert_eq!(first, again, "an iteration leaves nothing behind for the next");
            }
        }
        Err(error) => {
            show(error.diagnostics(), text);
            assert!(!error.diagnostics().is_empty() && error.exit_code() > 0);
        }
    }
}

/// Every diagnostic can be rendered and names a place inside the file.
fn show(diagnostics: &[Diagnostic], text: &str) {
    show_within(diagnostics, text.split('\n').count());
}

/// The same for files of so many lines.
fn show_within(diagnostics: &[Diagnostic], lines: usize) {
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    for diagnostic in diagnostics {
        let mut out = String::new();
        handler.render_report(&mut out, diagnostic).expect("it can be shown");
        assert!(diagnostic.line_column().is_none_or(|(line, column)| line <= lines && column > 0), "{diagnostic}");
    }
}

/// Referenced cases end in the order they began in, loops lie inside one of them, and every number names something.
fn well_formed(steps: &[Step], case: &Case) {
    let mut around = Vec::new();
    let mut last_end = 0;
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Enter(enter) => {
                assert_eq!(*case.reference_names()[enter.index], *enter.name);
                around.push((at, enter.index));
            }
            Step::Leave(leave) => {
                let (begin, index) = around.pop().expect("it began");
                assert_eq!(index, leave.index);
                last_end = begin;
            }
            Step::Repeat(repeat) => {
                assert!(repeat.times >= 2 && repeat.index < case.loops());
                let whole_reference = matches!(steps[at - 1], Step::Leave(_));
                assert_eq!(repeat.first, if whole_reference { last_end } else { at - 1 });
            }
            Step::Transaction(mark) => assert_eq!(*case.transaction_names()[mark.index], *mark.name),
            Step::Rendezvous(rendezvous) => assert!(rendezvous.index < case.rendezvous()),
            Step::Evaluate(_) => assert_eq!(at, 0, "an iteration begins with it"),
            Step::Request(_) | Step::WebSocket(_) | Step::ThinkTime(_) => {}
            Step::Broken(_) => panic!("nobody asked for broken steps"),
        }
    }
    assert!(around.is_empty());
}

/// Everything an iteration sends and finds wrong, one step after the other and going on after failures.
fn iterate(case: &Case, session: &mut Session) -> Vec<String> {
    session.begin(case);
    if let Some(parameters) = &case.parameters {
        assert!(parameters.product() > 0 && parameters.runs() > 0);
        parameters.pick(0, &mut fastrand::Rng::with_seed(1), session.rows());
    }
    let seen = walk(&case.steps, session);
    case.exported(session);
    seen
}

/// The same of a list of steps, each once.
fn walk(steps: &[Step], session: &mut Session) -> Vec<String> {
    let mut seen = Vec::new();
    let mut out = RenderedRequest::default();
    for step in steps {
        let step = match step {
            Step::Request(step) => step,
            Step::WebSocket(step) => &step.request,
            Step::Evaluate(step) => {
                seen.extend(complete(|progress| step.evaluate(session, progress)).err().map(|error| error.to_string()));
                continue;
            }
            Step::Enter(enter) => {
                seen.extend(complete(|progress| enter.enter(session, progress)).err().map(|error| error.to_string()));
                continue;
            }
            Step::Leave(leave) => {
                leave.leave(session);
                continue;
            }
            _ => continue,
        };
        match complete(|progress| step.render(session, &mut out, progress)) {
            Ok(()) => {
                assert!(out
                    .headers()
                    .all(|(name, value)| !name.contains(['\r', '\n']) && !value.contains(['\r', '\n'])));
                assert!(out.target().starts_with('/') && out.target().bytes().all(|b| (0x21..0x7f).contains(&b)));
                let headers: Vec<_> = out.headers().collect();
                let sent = format!("{} {} {headers:?} {:?}", out.origin(), out.target(), out.body().map(escaped));
                seen.push(without_boundary(&sent, &out));
            }
            Err(error) => seen.push(error.to_string()),
        }
        if let Err(error) = answer(step, session, br#"{"a":{"b":[1,2.5,"x$a"]},"t":true,"n":null}"#) {
            seen.push(error.to_string());
        }
    }
    seen
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The boundary of an upload is another one each time.
fn without_boundary(sent: &str, request: &RenderedRequest) -> String {
    let boundary = request.headers().find_map(|(_, value)| value.strip_prefix("multipart/form-data; boundary="));
    boundary.map_or_else(|| sent.to_owned(), |boundary| sent.replace(boundary, "boundary"))
}

/// Has a step check a response with this body.
fn answer(step: &RequestStep, session: &mut Session, body: &[u8]) -> Result<(), StepError> {
    let fields: &[(&str, &[u8])] = &[("Content-Type", b"application/json"), ("Set-Cookie", b"a=\"1\"; Path=/")];
    let headers: &dyn Headers = &fields;
    let view = &mut ResponseView { status: 200, version: "HTTP/1.1", headers, body: &mut body.to_vec() };
    let mut journal = Journal::default();
    let checked = complete(|progress| step.check(session, view, progress, Some(&mut journal)));
    let failed = journal.validators.iter().position(|validator| !validator.passed);
    assert!(failed.is_none_or(|failed| failed + 1 == journal.validators.len() && checked.is_err()));
    checked
}

/// Does all of a step's work, without waiting where a function asks for it.
fn complete(mut work: impl FnMut(&mut Progress) -> Result<Prepared, StepError>) -> Result<(), StepError> {
    let mut progress = Progress::default();
    while work(&mut progress)? != Prepared::Done {}
    Ok(())
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
