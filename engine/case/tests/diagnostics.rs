//! What a person sees when a file is wrong: place, reason, next step, exit code.

use std::path::PathBuf;

use insta::assert_snapshot;
use pummel_case::{load, Diagnostic, LoadOptions};

/// Writes the files into a folder of their own and loads them from there; paths are shown from that folder.
fn load_files(test: &str, files: &[(&str, &str)], arguments: &[&str]) -> (String, u8) {
    let folder = std::env::temp_dir().join(format!("pummel-case-{}-{test}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let paths: Vec<PathBuf> = arguments.iter().map(|name| folder.join(name)).collect();
    let result = load(&paths, &LoadOptions::default());
    let _ = std::fs::remove_dir_all(&folder);
    let (diagnostics, code) = match result {
        Ok(loaded) => {
            let names: Vec<_> = loaded.cases.iter().map(|case| case.name.to_string()).collect();
            (format!("loaded: {}\n{}", names.join(", "), shown(&loaded.warnings)), 0)
        }
        Err(error) => (shown(error.diagnostics()), error.exit_code()),
    };
    (diagnostics.replace(&format!("{}/", folder.display()), ""), code)
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none()).with_width(120);
    for diagnostic in diagnostics {
        handler.render_report(&mut out, diagnostic).unwrap();
    }
    out
}

/// One YAML file.
fn yaml(test: &str, text: &str) -> (String, u8) {
    load_files(test, &[("case.yml", text)], &["case.yml"])
}

/// Messages only, one a line.
fn messages(test: &str, text: &str) -> (Vec<String>, u8) {
    let folder = std::env::temp_dir().join(format!("pummel-case-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("case.yml");
    std::fs::write(&path, text).unwrap();
    let result = load(std::slice::from_ref(&path), &LoadOptions::default());
    let _ = std::fs::remove_dir_all(&folder);
    let prefix = format!("{}:", path.display());
    let (diagnostics, code) = match result {
        Ok(loaded) => (loaded.warnings, 0),
        Err(error) => (error.diagnostics().to_vec(), error.exit_code()),
    };
    (diagnostics.iter().map(|one| one.to_string().replace(&prefix, "")).collect(), code)
}

const STEP: &str = "teststeps:\n- name: a\n  request: {method: GET, url: \"http://h/\"}\n";

#[test]
fn an_unknown_key_is_a_warning_with_a_close_name() {
    let (text, code) = yaml("unknown-key", &format!("config: {{name: x, header: {{}}}}\n{STEP}"));
    assert_eq!(code, 0);
    assert_snapshot!(text, @r#"
    loaded: x
      ! case.yml:1:19: unknown key "header" in config is ignored
       ,-[case.yml:1:19]
     1 | config: {name: x, header: {}}
       :                   ^^^|^^
       :                      `-- unknown key
     2 | teststeps:
       `----
      help: did you mean "headers"?
    "#);
}

#[test]
fn an_unknown_assert_is_an_error_with_close_names() {
    let (text, code) = yaml("unknown-assert", &format!("{STEP}  validate:\n  - equal_to: [status_code, 200]\n"));
    assert_eq!(code, 15);
    assert_snapshot!(text, @r#"
     x case.yml:5:5: unknown assert "equal_to"
      ,-[case.yml:5:5]
    4 |   validate:
    5 |   - equal_to: [status_code, 200]
      :     ^^^^|^^^
      :         `-- unknown assert
      `----
     help: did you mean "equal" or "equal_fold" or "equals"?
    "#);
}

#[test]
fn an_unknown_type_of_a_websocket_step_names_those_there_are() {
    let (text, code) = yaml("ws-type", "teststeps:\n- name: a\n  websocket: {type: write, url: \"ws://h/\"}\n");
    assert_eq!(code, 15);
    assert_snapshot!(text, @r#"
     x case.yml:3:21: "write" is no type of a websocket step
      ,-[case.yml:3:21]
    2 | - name: a
    3 |   websocket: {type: write, url: "ws://h/"}
      :                     ^^|^^
      :                       `-- unknown type
      `----
     help: the types are open, ping, wr, r, w, close
    "#);
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    let (text, code) = yaml("broken-yaml", "config: {name: x\nteststeps: [ {name: a\n");
    assert_eq!(code, 12);
    assert_snapshot!(text, @r#"
     x case.yml:2:10: broken YAML: while parsing a flow mapping, did not find expected
     | ',' or '}'
      ,-[case.yml:2:10]
    1 | config: {name: x
    2 | teststeps: [ {name: a
      :          ^
      :          `-- here
      `----
     help: is a comma or a closing bracket missing, here or before?
    "#);
}

#[test]
fn broken_json_is_shown_where_it_breaks() {
    let json = "{\"config\": {\"name\": \"x\"},\n \"teststeps\": [1,]}";
    let (text, code) = load_files("broken-json", &[("case.json", json)], &["case.json"]);
    assert_eq!(code, 11);
    assert_snapshot!(text, @r#"
     x case.json:2:18: broken JSON: a value is expected here: text needs double quotes
      ,-[case.json:2:18]
    1 | {"config": {"name": "x"},
    2 |  "teststeps": [1,]}
      :                  ^
      :                  `-- here
      `----
    "#);
}

#[test]
fn a_missing_file_is_named() {
    let (text, code) = load_files("missing", &[], &["nowhere.yml"]);
    assert_eq!(code, 10);
    assert_snapshot!(text, @r#"
    x nowhere.yml: the file does not exist
    help: check its path and permissions
    "#);
}

#[test]
fn a_variable_nothing_defines_is_found_before_the_run() {
    let text = "config: {name: x, variables: {token: t}}\nteststeps:\n- name: a\n  request: {method: GET, url: \"http://h/$tokn\"}\n";
    let (text, code) = yaml("undefined", text);
    assert_eq!(code, 21);
    assert_snapshot!(text, @r#"
     x case.yml:4:31: variable tokn not found: nothing before this place defines it
      ,-[case.yml:4:31]
    3 | - name: a
    4 |   request: {method: GET, url: "http://h/$tokn"}
      :                               ^^^^^^^^|^^^^^^^
      :                                       `-- undefined variable
      `----
     help: did you mean "token"?
    "#);
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let (found, code) =
        messages("several", "config: {name: x, weight: two}\nteststeps:\n- {name: r, testcase: nowhere.yml}\n");
    assert_eq!((found, code), (vec!["1:27: config.weight must be a whole number, not text".to_owned()], 12));
    let (found, code) = messages(
        "several-steps",
        "teststeps:\n- {websocket: {type: open}}\n- {request: {url: \"http://h\"}, loops: 3}\n- {request: {method: GET, url: /x}}\n- {request: {method: GET, url: \"https://h/\"}}\n- {request: {method: GET, url: \"http://h/${f(1)}\"}}\n- {request: {method: GET, url: \"http://h/%zz\"}}\n",
    );
    assert_eq!(code, 15);
    assert_eq!(
        found,
        [
            "2:15: request url: the URL has no host and there is no base_url",
            "3:13: the request has no method",
            "4:32: request url: the URL has no host and there is no base_url",
            "6:32: function f is not found",
            "7:32: request url: a % in the path is not followed by two hexadecimal digits",
        ]
    );
}

#[test]
fn parts_that_ask_for_what_happens_anyway_are_harmless() {
    let harmless = "config: {verify: no, export: [], parameters: }\nteststeps:\n- setup_hooks: []\n  loops: 1\n  request: {method: GET, url: \"http://h\", allow_redirects: false, verify: false, http2: true, upload: {}}\n";
    assert_eq!(messages("harmless", harmless), (vec![], 0));
}

#[test]
fn declared_types_are_checked() {
    for (text, want) in [
        ("teststeps: {a: 1}\n", "1:12: teststeps must be a list, not a map"),
        ("config: [1]\nteststeps: []\n", "1:9: config must be a map, not a list"),
        (
            "teststeps:\n- {extract: [{a: body.i}], request: {method: GET, url: \"http://h\"}}\n",
            "2:13: extract must be a map, not a list",
        ),
        ("teststeps:\n- {think_time: {time: \"1\"}}\n", "2:23: think_time.time must be a number, not text"),
    ] {
        assert_eq!(messages("types", text), (vec![want.to_owned()], 12), "{text}");
    }
    let (found, code) = messages("no-steps", "config: {name: x}\n");
    assert_eq!((found, code), (vec!["1:1: invalid case format: teststeps is missing".to_owned()], 15));
    let json = "{\"teststeps\":[{\"request\":{\"method\":\"GET\",\"url\":\"http://h\",\"headers\":{\"a\":1}}}]}";
    let (text, code) = load_files("json-header", &[("case.json", json)], &["case.json"]);
    assert!(code == 11 && text.contains("a header's value must be text, not a number"), "{text}");
}

#[test]
fn variables_that_cannot_be_evaluated() {
    for (variables, want) in [
        ("{a: $a}", "variable a refers to itself"),
        ("{a: $b, b: $a}", "variables refer to each other in a circle: a -> b -> a"),
        ("{x: $b, b: \"${md5($c)}\", c: [1, {k: $b}]}", "variables refer to each other in a circle: b -> c -> b"),
        ("{a: $nothing}", "variable nothing not found: nothing before this place defines it"),
    ] {
        let (found, code) = messages("variables", &format!("config: {{variables: {variables}}}\n{STEP}"));
        assert_eq!(code, 24, "{variables}");
        assert!(found[0].ends_with(want), "{found:?}");
    }
}

#[test]
fn variables_that_multiply_each_other_end_early() {
    for (first, next) in [("x", "\"$a$a$a$a\""), ("[x]", "[$a, $a, $a, $a]"), ("{k: x}", "{a: $a, b: $a}")] {
        let mut text = format!("config:\n  variables:\n    v0: {first}\n");
        for n in 1..40 {
            let line = format!("    v{n}: {}\n", next.replace("$a", &format!("$v{}", n - 1)));
            text.push_str(&line);
        }
        let (found, code) = messages("growing", &format!("{text}{STEP}"));
        assert_eq!(code, 24, "{next}");
        assert!(found[0].contains("grow too large"), "{found:?}");
    }
    let mut deep = String::from("config:\n  variables:\n    v0: [x]\n");
    for n in 1..5000 {
        let line = format!("    v{n}: [$v{}]\n", n - 1);
        deep.push_str(&line);
    }
    let (found, code) = messages("deep", &format!("{deep}{STEP}"));
    assert!(code == 24 && found.len() == 1 && found[0].contains("nest too deep"), "{}", found[0]);
}

#[test]
fn folders_are_read_in_order_and_other_files_passed_over() {
    let case = |name: &str| format!("config: {{name: {name}}}\n{STEP}");
    let files = [
        ("all/b.yml", &*case("b")),
        ("all/a/z.yaml", &*case("z")),
        ("all/.hidden/x.yml", "teststeps: broken"),
        ("all/proj.json", "{\"project_name\": \"p\"}"),
        ("all/api/get.yml", "name: api\nrequest: {method: GET, url: /}\n"),
        ("all/notes.txt", "teststeps"),
        ("all/data.yml", "a: [broken"),
    ];
    let (text, code) = load_files("folder", &files, &["all"]);
    assert_eq!((text.trim(), code), ("loaded: z, b", 0));
    let broken = [("all/a.yml", "teststeps: [broken"), ("all/b.yml", &*case("b"))];
    let (text, code) = load_files("folder-broken", &broken, &["all"]);
    assert!(code == 12 && text.contains("x all/a.yml:1:19: broken YAML"), "{text}");
    let (text, code) = load_files("folder-empty", &[("all/proj.json", "{}")], &["all"]);
    assert!(code == 1 && text.contains("no test case found"), "{text}");
    let (text, code) = load_files("extension", &[("case.txt", "x")], &["case.txt"]);
    assert!(code == 16 && text.contains("extension"), "{text}");
}

#[test]
fn data_beside_cases_does_not_stop_a_folder() {
    let folder = std::env::temp_dir().join(format!("pummel-case-{}-data", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("case.yml"), format!("config: {{name: c}}\n{STEP}")).unwrap();
    std::fs::write(folder.join("latin1.json"), b"{\"a\":\"\xe9\"}").unwrap();
    std::fs::write(folder.join("large.json"), vec![b' '; 9 << 20]).unwrap();
    let load_it = |name: &str| load(&[folder.join(name)], &LoadOptions::default());
    let found = load_it("").unwrap();
    assert_eq!((found.cases.len(), found.warnings.len()), (1, 0));
    let errors = ["latin1.json", "large.json"].map(|name| load_it(name).unwrap_err());
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(errors.each_ref().map(pummel_case::LoadError::exit_code), [11, 10]);
    assert!(errors[1].to_string().ends_with("it is larger than 8 MiB"), "{}", errors[1]);
}

#[test]
fn what_the_config_says_is_said_once() {
    let config = "config: {headers: {Content-Length: 3}}";
    let (found, code) = messages("once", &format!("{config}\n{STEP}- request: {{method: GET, url: \"http://h/2\"}}\n"));
    assert_eq!(
        (found, code),
        (vec!["1:20: the header Content-Length is left out: it is computed for each request".into()], 0)
    );
}

#[test]
fn parts_that_a_step_cannot_use_are_named() {
    let text = "teststeps:\n- {think_time: {time: 0}, extract: {a: body.a}}\n- {transaction: {name: t, type: start}, validate: [], variables: {a: 1}}\n";
    assert_eq!(
        messages("without-request", text).0,
        [
            "2:27: \"extract\" is ignored: a think_time step sends no request",
            "3:55: \"variables\" is ignored: a transaction step sends no request",
        ]
    );
}

#[test]
fn a_body_that_is_none_is_named_by_its_value() {
    let text = "config: {variables: {nul: null, n: 7, t: true}}\nteststeps:\n\
        - {request: {method: POST, url: \"http://h/\", body: $nul}}\n\
        - {request: {method: POST, url: \"http://h/\", body: $n}}\n\
        - {request: {method: POST, url: \"http://h/\", body: $t}}\n";
    assert_eq!(
        messages("bodies", text),
        (
            vec![
                "3:52: a body cannot be null: the step will fail".into(),
                "4:52: a body cannot be a number: the step will fail".into(),
                "5:52: a body cannot be a boolean: the step will fail".into(),
            ],
            0
        )
    );
}

/// Warnings of a case without errors, or those that stand beside its errors, with their help.
fn warned(test: &str, text: &str) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("pummel-case-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("case.yml");
    std::fs::write(&path, text).unwrap();
    let warnings = match load(std::slice::from_ref(&path), &LoadOptions::default()) {
        Ok(loaded) => loaded.warnings,
        Err(error) => error.warnings().to_vec(),
    };
    let _ = std::fs::remove_dir_all(&folder);
    let prefix = format!("{}:", path.display());
    let help = |one: &Diagnostic| miette::Diagnostic::help(one).map_or(String::new(), |help| format!(" | {help}"));
    warnings.iter().map(|one| one.to_string().replace(&prefix, "") + &help(one)).collect()
}

#[test]
fn warnings_stand_beside_the_errors_they_explain() {
    assert_eq!(
        warned("beside", "teststeps:\n- {name: a, requst: {method: GET, url: \"http://h/\"}}\n"),
        [
            "2:3: this step is skipped: it has no request, api, testcase, think_time, transaction, rendezvous or websocket",
            "2:13: unknown key \"requst\" in a step is ignored | did you mean \"request\"?",
        ]
    );
    assert_eq!(
        warned("teststep", "teststep:\n- {name: a}\n"),
        ["1:1: unknown key \"teststep\" in a test case is ignored | did you mean \"teststeps\"?"]
    );
}

#[test]
fn a_key_that_belongs_elsewhere_is_indented_wrongly() {
    let text = "config:\nname: x\nbase_url: http://h\nteststeps:\n- request: {method: GET, url: \"http://h/\"}\n  headers: {a: b}\n  config: {}\n";
    assert_eq!(
        warned("elsewhere", text),
        [
            "2:1: unknown key \"name\" in a test case is ignored | it is a key of config or a step: check the indentation",
            "3:1: unknown key \"base_url\" in a test case is ignored | it is a key of config: check the indentation",
            "6:3: unknown key \"headers\" in a step is ignored | it is a key of config or request: check the indentation",
            "7:3: unknown key \"config\" in a step is ignored | it is a key of the test case: check the indentation",
        ]
    );
}

#[test]
fn text_that_looks_like_a_call_of_a_function_says_why_it_is_none() {
    let step = "teststeps:\n- request: {method: GET, url: \"http://h/\", headers: {";
    let characters = "arguments hold letters, digits, blanks and . - / = $ _ only, without quotes; put any other into a variable: ${md5($value)}";
    assert_eq!(
        warned(
            "call",
            &format!("{step}a: \"${{md5('x')}}\", b: \"${{md5(x)\", c: \"${{own('x')}}\", d: \"$${{md5(x)}}\"}}}}\n")
        ),
        [
            format!("2:57: the function md5 is not called here: this stays text | {characters}"),
            "2:75: the function md5 is not called here: this stays text | a call ends in )}".to_owned(),
        ]
    );
}

#[test]
fn a_check_that_is_almost_a_part_of_the_response_is_named() {
    let checks = |checks: &str| format!("{STEP}  validate: [{checks}]\n");
    assert_eq!(
        warned("parts", &checks("{eq: [status_cod, 200]}, {eq: [Body.a, 1]}, {eq: [content.a, 1]}, {eq: [nobody, 1]}, {eq: [body..x, 1]}")),
        [
            "4:20: \"status_cod\" is used as text: it begins with no part of the response | did you mean \"status_code\"?",
            "4:45: \"Body.a\" is used as text: it begins with no part of the response | did you mean \"body.a\"?",
            "4:64: \"content.a\" is used as text: it begins with no part of the response | the parts are proto, status_code, headers, cookies, body",
            "4:105: \"body..x\" is used as text: it is not valid JMESPath at column 6 | for example body.items[0].id or headers.\"X-Id\"",
        ]
    );
}

#[test]
fn mistakes_stand_in_the_order_of_the_file() {
    let (found, code) = messages("order", "config: {name: [1], headers: 5, weight: x}\nteststeps: []\n");
    assert_eq!(
        found,
        [
            "1:16: config.name must be text, not a list",
            "1:30: config.headers must be a map, not a number",
            "1:41: config.weight must be a whole number, not text",
        ]
    );
    assert_eq!(code, 12);
}

#[test]
fn a_file_that_is_no_map_says_what_a_test_case_is() {
    let form = "a test case is a map with config and teststeps, a list of steps";
    for (text, code, message) in [
        ("", 15, "invalid case format: there is nothing in it"),
        ("# only this\n", 15, "invalid case format: there is nothing in it"),
        ("hello\n", 12, "a test case must be a map, not text"),
        ("- config: {name: x}\n- test: {}\n", 12, "a test case must be a map, not a list"),
    ] {
        let (shown, found) = yaml("no-map", text);
        assert_eq!(found, code, "{shown}");
        assert!(shown.contains(message) && shown.contains(form), "{shown}");
    }
}

#[test]
fn of_a_long_line_only_what_is_around_the_mistake_is_shown() {
    let text = format!("{{\"teststeps\": [], \"pad\": \"{}\", \"bad\" 1}}", "x".repeat(100_000));
    let (shown, code) = load_files("long", &[("case.json", &text)], &["case.json"]);
    assert_eq!(code, 11);
    assert!(shown.contains("case.json:1:100036: broken JSON"), "{shown}");
    assert!(shown.len() < 1_000, "{} bytes", shown.len());
}

#[test]
fn what_a_file_holds_cannot_steer_the_terminal() {
    let text = "{\"teststeps\": [{\"\\u001b]0;own\\u0007\": 1, \"name\": \"\u{1b}[31m\"}]}";
    let (shown, code) = load_files("steer", &[("case.json", text)], &["case.json"]);
    assert_eq!(code, 11);
    assert!(!shown.contains('\u{1b}') && shown.contains("\"?[31m"), "{shown}");
    let text = text.replace("\u{1b}[31m", "");
    let (shown, _) = load_files("steer", &[("case.json", &text)], &["case.json"]);
    assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown}");
}

#[test]
#[cfg(unix)]
fn what_is_no_regular_file_is_refused() {
    let folder = std::env::temp_dir().join(format!("pummel-case-{}-irregular", std::process::id()));
    std::fs::create_dir_all(folder.join("all")).unwrap();
    let socket = folder.join("pipe.yml");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = folder.join("all/gone.yml");
    std::os::unix::fs::symlink("nowhere.yml", &link).unwrap();
    let said = |path: &PathBuf| {
        let error = load(std::slice::from_ref(path), &LoadOptions::default()).unwrap_err();
        (error.to_string().replace(&format!("{}/", folder.display()), ""), error.exit_code())
    };
    assert_eq!(said(&socket), ("pipe.yml: this is no regular file".into(), 10));
    let gone = ("all/gone.yml: it is a link to nowhere.yml, which does not exist".to_owned(), 10);
    assert_eq!(said(&link), gone);
    assert_eq!(said(&folder.join("all")), gone, "a case that is gone is not left out of its folder unseen");
    std::fs::remove_dir_all(&folder).unwrap();
}
