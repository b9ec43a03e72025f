//! A case whose text is at hand rather than in a file.

use pummel_case::{load_text, LoadOptions, Loaded};

const STEP: &str = "teststeps:\n  - name: one\n    request: {method: GET, url: http://127.0.0.1:1/}\n";

fn loaded(name: &str, text: &str) -> Loaded {
    load_text(name, text, &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_name_says_which_format_the_text_has() {
    let yaml = loaded("demo.yml", &format!("config: {{name: in yaml}}\n{STEP}"));
    let json = loaded(
        "demo.json",
        r#"{"config": {"name": "in json"}, "teststeps": [{"name": "pause", "think_time": {"time": 1}}]}"#,
    );
    assert_eq!((&*yaml.cases[0].name, yaml.cases[0].steps.len()), ("in yaml", 1));
    assert_eq!((&*json.cases[0].name, json.cases[0].steps.len()), ("in json", 1));
}

#[test]
fn errors_and_warnings_name_it_as_they_would_name_a_file() {
    let error = load_text("demo.yml", "config:\n  name: 'x\n", &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 12);
    assert!(error.to_string().starts_with("demo.yml:"), "{error}");
    let error = load_text("demo.toml", STEP, &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 16);

    let warnings = loaded("demo.yml", &format!("config: {{name: a, nmae: b}}\n{STEP}")).warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].line_column(), Some((1, 19)));
}

#[test]
fn a_text_that_is_no_case_is_an_error_although_a_file_in_a_folder_would_be_skipped() {
    let error = load_text("demo.yml", "a: 1\n", &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 15);
}

#[test]
fn options_are_those_of_files() {
    let options = LoadOptions { base_url: Some("http://staging:81".into()), ..LoadOptions::default() };
    let text = "config: {name: a, base_url: 'http://elsewhere'}\nteststeps:\n  - name: one\n    request: {method: GET, url: /x}\n";
    let loaded = load_text("demo.yml", text, &options).unwrap_or_else(|error| panic!("{error}"));
    let pummel_case::Step::Request(step) = &loaded.cases[0].steps[0] else { panic!("a request") };
    let (mut session, mut request) = (pummel_case::Session::new(), pummel_case::RenderedRequest::default());
    session.begin(&loaded.cases[0]);
    let rendered = step.render(&mut session, &mut request, &mut pummel_case::Progress::default());
    assert_eq!(rendered, Ok(pummel_case::Prepared::Done));
    assert_eq!((&*request.origin().host, request.origin().port, request.target()), ("staging", 81, "/x"));
}
