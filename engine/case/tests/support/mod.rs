//! An echo server without a network: it answers a rendered request as the sample cases expect.

#![allow(dead_code)] // Each test uses its part.

use pummel_case::{
    load, load_text, Case, Headers, LoadOptions, RenderedRequest, RequestStep, ResponseView, Session, Step,
};
use serde_json::{json, Map, Value};

/// A case of `tests/cases`.
pub(crate) fn case(name: &str) -> Case {
    case_with(name, &LoadOptions::default())
}

/// A case of `tests/cases` with options.
pub(crate) fn case_with(name: &str, options: &LoadOptions) -> Case {
    let path = format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut loaded = load(&[path.into()], options).unwrap_or_else(|error| panic!("{name}: {error}"));
    loaded.cases.remove(0)
}

/// Runs an iteration and gives each request step's name with its error, going on after failures.
pub(crate) fn run(case: &Case) -> Vec<(String, Option<String>)> {
    let mut session = Session::new();
    session.begin(case);
    let mut results = Vec::new();
    for step in &case.steps {
        if let Step::Request(step) = step {
            results.push((step.name.to_string(), run_step(step, &mut session).err()));
        }
    }
    results
}

/// The failures of an iteration.
pub(crate) fn failures(case: &Case) -> Vec<(String, String)> {
    run(case).into_iter().filter_map(|(name, error)| Some((name, error?))).collect()
}

/// Renders and checks one step against the echo server.
pub(crate) fn run_step(step: &RequestStep, session: &mut Session) -> Result<(), String> {
    let mut request = RenderedRequest::default();
    step.render(session, &mut request, &mut pummel_case::Progress::default())
        .map(drop)
        .map_err(|error| error.to_string())?;
    let mut answer = answer(&step.method, &request);
    let fields: Vec<(&str, &[u8])> = answer.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    let fields = &fields[..];
    let headers: &dyn Headers = &fields;
    let mut view = ResponseView { status: answer.status, version: "HTTP/1.1", headers, body: &mut answer.body };
    step.check(session, &mut view, &mut pummel_case::Progress::default(), None)
        .map(drop)
        .map_err(|error| error.to_string())
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn answer(method: &str, request: &RenderedRequest) -> Answer {
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    let args: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let mut status = 200;
    let body = if let Some(code) = path.strip_prefix("/status/") {
        status = code.parse().unwrap();
        json!({"status": status}).to_string()
    } else if path == "/text" {
        headers[0].1 = "text/html".into();
        r#"<p>user <b id="u">leo</b></p><a href="/user/signOut">Sign Out</a>"#.into()
    } else if path == "/dollar" {
        json!({"v": "a$bc"}).to_string()
    } else if path == "/list" {
        json!({"l":[1,2,3],"s":["a","b"],"o":{"k":1},"arr":[{"n":"p","age":5},{"n":"q","age":30}],"f":1.5,"i":7,
            "nul":null,"t":true})
        .to_string()
    } else {
        if path == "/setcookie" {
            for (name, value) in &args {
                headers.push(("Set-Cookie".into(), format!("{name}={}; Path=/", value.as_str().unwrap())));
            }
        }
        let sent: Map<String, Value> =
            request.headers().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect();
        let cookies: Map<String, Value> = request
            .headers()
            .filter(|(name, _)| *name == "Cookie")
            .flat_map(|(_, value)| value.split("; "))
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))
            .collect();
        let text = String::from_utf8_lossy(request.body().unwrap_or_default()).into_owned();
        let parsed: Value = serde_json::from_str(&text).unwrap_or_default();
        json!({"method": method, "path": request.target(), "args": args, "headers": sent, "cookies": cookies, "text": text,
            "json": parsed})
            .to_string()
    };
    Answer { status, headers, body: body.into_bytes() }
}

/// A case of this text, which gives no warnings.
pub(crate) fn load_yaml(text: &str) -> Case {
    let mut loaded = load_text("case.yml", text, &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings[0]);
    loaded.cases.remove(0)
}

/// What is said of a text, without its places, and the exit code.
pub(crate) fn messages(text: &str) -> (Vec<String>, u8) {
    let (diagnostics, code) = match load_text("case.yml", text, &LoadOptions::default()) {
        Ok(loaded) => (loaded.warnings, 0),
        Err(error) => (error.diagnostics().to_vec(), error.exit_code()),
    };
    let message = |one: &pummel_case::Diagnostic| {
        one.to_string().split_once(' ').map(|(_, text)| text.to_owned()).unwrap_or_default()
    };
    (diagnostics.iter().map(message).collect(), code)
}
