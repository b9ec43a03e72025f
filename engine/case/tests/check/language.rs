//! What must hold for expressions, CSV files and references of any contents.

use std::{fs, path::PathBuf};

use pummel_case::{load_text, LoadOptions, Session};
use serde_json::{json, Value};

use super::{iterate, show_within};

/// What separates the two files of [`references`].
const SECOND_FILE: &str = "\n%%\n";

/// Files that lie beside the case of [`references`].
const API: &[u8] = b"name: api\nrequest: {method: GET, url: /$a}\nvalidate: [{eq: [status_code, 200]}]\n";
const INNER: &[u8] = b"config: {name: inner, base_url: http://h, variables: {a: 1}, export: [v]}\nteststeps:\n\
    - {api: api.yml, extract: {v: body.a}}\n- {testcase: other.yml}\n";

/// Any text wherever an expression may stand. What does not compile is shown; what does is rendered and checked.
pub(crate) fn expression(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    for case in expression_cases(text) {
        run_json(&case);
    }
}

/// The same in one of the places, which the text decides: a fuzzer gets further by many texts than by many places.
pub(crate) fn expression_in_one_place(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let cases = expression_cases(text);
    let sum: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    run_json(&cases[sum % cases.len()]);
}

/// Cases that hold a text in one place each: a text that is wrong in one may be right in the next.
fn expression_cases(text: &str) -> Vec<Value> {
    let variables = json!({"a": 1, "b": "BB", "c": 1.5, "l": [1, {"k": "v"}], "m": {"k": null}, "path": "none.txt"});
    let places = [
        json!({"url": text}),
        json!({"params": {"p": text, (text): "v"}}),
        json!({"headers": {"X-A": text, (text): "v"}}),
        json!({"cookies": {"c": text, (text): "v"}}),
        json!({"body": text}),
        json!({"json": {"k": [text, {(text): text}]}}),
        json!({"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "data": {"k": text, (text): "v"}}),
        json!({"upload": {"f": text, "g": format!("$v{text}"), (text): "v"}}),
    ];
    let in_request = places.into_iter().map(|place| {
        let mut request = json!({"method": "POST", "url": "http://h/p?q=1"});
        for (key, value) in place.as_object().expect("a map") {
            request[key] = value.clone();
        }
        let login = json!({"request": {"method": "GET", "url": "/"}, "extract": {"v": "body.a"}});
        json!({"config": {"base_url": "http://h/v1", "variables": variables},
            "teststeps": [login, {"variables": {"own": text}, "request": request}]})
    });
    let get = json!({"method": "GET", "url": "/"});
    let in_config = json!({"config": {"base_url": "http://h", "name": text, "variables": {"a": "$b", "b": text}},
        "teststeps": [{"request": get}]});
    let in_checks = json!({"config": {"base_url": "http://h", "variables": variables}, "teststeps": [
        {"name": text, "request": get, "extract": {"v": text},
         "validate": [{"eq": [text, text]}, {"contains": ["body", text]}, {"regex_match": ["body.a.b[2]", text]}]},
        {"name": "$v", "request": get, "setup_hooks": [text], "teardown_hooks": [text], "validate": [{text: ["$v", 1]}]},
    ]});
    in_request.chain([in_config, in_checks]).collect()
}

/// A CSV file of any contents, as variables and as parameters.
pub(crate) fn csv(data: &[u8]) {
    let folder = Folder::new();
    let path = folder.write("rows.csv", data);
    let call = format!("${{parameterize({})}}", path.display());
    let request = json!({"method": "POST", "url": "/", "json": {"rows": "$rows"}});
    let config = json!({"base_url": "http://h", "variables": {"rows": call}});
    run_json(&json!({"config": config, "teststeps": [{"request": request}]}));
    // Its columns have any names; those of the first line are tried, and two that are mostly not there.
    let heading = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    for columns in [String::from_utf8_lossy(heading).trim().replace(',', "-"), "a-b".into()] {
        run_json(&json!({
            "config": {"base_url": "http://h", "parameters": {(columns): call}},
            "teststeps": [{"request": {"method": "POST", "url": "/$a", "json": {"b": "$b"}}}],
        }));
    }
}

/// A case that refers to others. What stands behind a line `%%` is the file `other.yml` beside it; `api.yml` and `inner.yml` are
/// there too, `inner.yml` refers to `other.yml`, and `data.csv` has columns `a` and `b`.
pub(crate) fn references(data: &[u8]) {
    let folder = Folder::new();
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once(SECOND_FILE).unwrap_or((&text, ""));
    folder.write("api.yml", API);
    folder.write("inner.yml", INNER);
    folder.write("data.csv", b"a,b\n1,2\n");
    folder.write("other.yml", second.as_bytes());
    folder.write("case.yml", first.as_bytes());
    let options = LoadOptions { project_dir: Some(folder.0.clone()), ..LoadOptions::default() };
    let broken = LoadOptions { broken_steps: true, ..options.clone() };
    for options in [options, broken] {
        load_and_run(&folder.0.join("case.yml").to_string_lossy(), first, &options);
    }
}

fn run_json(case: &Value) {
    load_and_run("case.json", &case.to_string(), &LoadOptions::default());
}

/// Loads a case; what loads runs twice, what does not can be shown.
fn load_and_run(name: &str, text: &str, options: &LoadOptions) {
    match load_text(name, text, options) {
        Ok(loaded) => {
            let case = &loaded.cases[0];
            let mut session = Session::new();
            let mut random = fastrand::Rng::with_seed(1);
            for position in 0..2 {
                if let Some(parameters) = &case.parameters {
                    parameters.pick(position, &mut random, session.rows());
                }
                iterate(case, &mut session);
            }
        }
        Err(error) => {
            assert!(!error.diagnostics().is_empty() && error.exit_code() > 0);
            // A place may lie in any of the files.
            show_within(error.diagnostics(), usize::MAX);
        }
    }
}

/// A folder for the files a case names, gone when it is dropped. Tests run beside each other, each with a folder of its own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_alphanumeric).collect();
        let folder = std::env::temp_dir().join(format!("pummel-check-{}-{thread}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        Folder(folder)
    }

    fn write(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, contents).expect("a file in a temporary folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
