//! What a person sees, and a script gets, when test cases cannot be loaded: the real binary's stderr and exit code.

#[path = "common/load.rs"]
mod load;

use std::process::Command;

use insta::assert_snapshot;
use load::{binary, Folder};

/// A step without fault.
const STEP: &str = "teststeps:\n- {name: a, request: {method: GET, url: \"http://127.0.0.1:1/\"}}\n";

/// Runs `boom` on arguments in a folder with these files; gives the exit code and stderr.
fn boom(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let folder = Folder::new();
    for (name, text) in files {
        if let Some((inner, _)) = name.rsplit_once('/') {
            std::fs::create_dir_all(folder.path().join(inner)).expect("a folder");
        }
        folder.write(name, text);
    }
    let output = Command::new(binary())
        .current_dir(folder.path())
        .args(["boom", "--loop-count", "1", "--disable-console-output"])
        .args(arguments)
        .output()
        .expect("the binary starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("exit {}\n{}", output.status.code().unwrap_or(-1), stderr.trim_end())
}

/// The same for one YAML file.
fn yaml(text: &str) -> String {
    boom(&[("case.yml", text)], &["case.yml"])
}

#[test]
fn a_missing_file() {
    assert_snapshot!(boom(&[], &["nowhere.yml"]), @r#"
    exit 10
      x nowhere.yml: the file does not exist
      help: check its path and permissions
    "#);
}

#[test]
fn broken_yaml() {
    assert_snapshot!(yaml("config: {name: x\nteststeps: [ {name: a\n"), @r#"
    exit 12
      x case.yml:2:10: broken YAML: while parsing a flow mapping, did not find expected ',' or '}'
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
fn broken_json() {
    let json = "{\"config\": {\"name\": \"x\"},\n \"teststeps\": [1,]}";
    assert_snapshot!(boom(&[("case.json", json)], &["case.json"]), @r#"
    exit 11
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
fn no_teststeps() {
    assert_snapshot!(yaml("config: {name: x}\n"), @r#"
    exit 15
      x case.yml:1:1: invalid case format: teststeps is missing
       ,-[case.yml:1:1]
     1 | config: {name: x}
       : ^
       `----
      help: a test case is a map with config and teststeps, a list of steps
    "#);
}

#[test]
fn a_wrong_extension() {
    assert_snapshot!(boom(&[("case.txt", STEP)], &["case.txt"]), @r#"
    exit 16
      x case.txt: the extension is not one of a test case
      help: test cases end in .yml, .yaml or .json
    "#);
}

#[test]
fn an_unknown_assert() {
    let validated = STEP.replace("\"}}", "\"}, validate: [ {equal_to: [status_code, 200]} ]}");
    assert_snapshot!(yaml(&validated), @r#"
    exit 15
      x case.yml:2:78: unknown assert "equal_to"
       ,-[case.yml:2:78]
     1 | teststeps:
     2 | - {name: a, request: {method: GET, url: "http://127.0.0.1:1/"}, validate: [ {equal_to: [status_code, 200]} ]}
       :                                                                              ^^^^|^^^
       :                                                                                  `-- unknown assert
       `----
      help: did you mean "equal" or "equal_fold" or "equals"?
    "#);
}

#[test]
fn an_unknown_key_is_a_warning_and_the_run_goes_on() {
    assert_snapshot!(yaml(&format!("config: {{name: x, header: {{a: b}}}}\n{STEP}")), @r#"
    exit 0
      ! case.yml:1:19: unknown key "header" in config is ignored
       ,-[case.yml:1:19]
     1 | config: {name: x, header: {a: b}}
       :                   ^^^|^^
       :                      `-- unknown key
     2 | teststeps:
       `----
      help: did you mean "headers"?
    "#);
}

#[test]
fn an_undefined_variable() {
    assert_snapshot!(yaml(&STEP.replace("1/\"", "1/$tokn\"").replace("{name: a,", "{name: a, variables: {token: t},")), @r#"
    exit 21
      x case.yml:2:64: variable tokn not found: nothing before this place defines it
       ,-[case.yml:2:64]
     1 | teststeps:
     2 | - {name: a, variables: {token: t}, request: {method: GET, url: "http://127.0.0.1:1/$tokn"}}
       :                                                                ^^^^^^^^^^^^^|^^^^^^^^^^^^
       :                                                                             `-- undefined variable
       `----
      help: did you mean "token"?
    "#);
}

#[test]
fn several_mistakes_are_shown_at_once() {
    assert_snapshot!(yaml(
        "teststeps:\n- {name: r, request: {method: GET, url: \"http://h/\"}, validate: [ {equlas: [status_code, 200]} ]}\n- {name: b, request: {method: GET, url: /relative}}\n- {name: c, request: {method: GET, url: \"http://h/\"}, extract: [ {a: body.i} ]}\n"
    ), @r#"
    exit 15
      x case.yml:2:68: unknown assert "equlas"
       ,-[case.yml:2:68]
     1 | teststeps:
     2 | - {name: r, request: {method: GET, url: "http://h/"}, validate: [ {equlas: [status_code, 200]} ]}
       :                                                                    ^^^|^^
       :                                                                       `-- unknown assert
     3 | - {name: b, request: {method: GET, url: /relative}}
       `----
      help: did you mean "equals" or "equal"?
      x case.yml:3:41: request url: the URL has no host and there is no base_url
       ,-[case.yml:3:41]
     2 | - {name: r, request: {method: GET, url: "http://h/"}, validate: [ {equlas: [status_code, 200]} ]}
     3 | - {name: b, request: {method: GET, url: /relative}}
       :                                         ^^^^^^^^^
     4 | - {name: c, request: {method: GET, url: "http://h/"}, extract: [ {a: body.i} ]}
       `----
      x case.yml:4:64: extract must be a map, not a list
       ,-[case.yml:4:64]
     3 | - {name: b, request: {method: GET, url: /relative}}
     4 | - {name: c, request: {method: GET, url: "http://h/"}, extract: [ {a: body.i} ]}
       :                                                                |
       :                                                                `-- a map is expected here
       `----
      x 3 errors in the test cases
    "#);
}

#[test]
fn a_folder_with_one_broken_case() {
    let files = [
        ("all/broken.yml", "config: {name: x}\nteststeps: [ {name: a\n"),
        ("all/good.yml", STEP),
        ("all/proj.json", "{\"project_name\": \"p\"}"),
    ];
    assert_snapshot!(boom(&files, &["all"]), @r#"
    exit 12
      x all/broken.yml:2:22: broken YAML: while parsing a flow mapping, did not find expected ',' or '}'
       ,-[all/broken.yml:2:22]
     1 | config: {name: x}
     2 | teststeps: [ {name: a
       :                      ^
       :                      `-- here
       `----
      help: is a comma or a closing bracket missing, here or before?
    "#);
}

#[test]
fn a_slip_in_the_kind_of_the_only_step() {
    assert_snapshot!(yaml(&STEP.replace("request", "requst")), @r#"
    exit 15
      ! case.yml:2:3: this step is skipped: it has no request, api, testcase, think_time, transaction, rendezvous or websocket
       ,-[case.yml:2:3]
     1 | teststeps:
     2 | - {name: a, requst: {method: GET, url: "http://127.0.0.1:1/"}}
       :   ^
       `----
      ! case.yml:2:13: unknown key "requst" in a step is ignored
       ,-[case.yml:2:13]
     1 | teststeps:
     2 | - {name: a, requst: {method: GET, url: "http://127.0.0.1:1/"}}
       :             ^^^|^^
       :                `-- unknown key
       `----
      help: did you mean "request"?
      x case.yml:2:3: the case has no step that does anything
       ,-[case.yml:2:3]
     1 | teststeps:
     2 | - {name: a, requst: {method: GET, url: "http://127.0.0.1:1/"}}
       :   ^
       `----
      help: a step has a request, api, testcase, think_time, transaction, rendezvous or websocket
    "#);
}

#[test]
fn a_file_that_is_not_utf_8() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("gbk.yml"), b"config:\n  name: \xb5\xc7\n").expect("a file");
    let output = Command::new(binary()).current_dir(folder.path()).args(["run", "gbk.yml"]).output();
    let output = output.expect("the binary starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{stderr}");
    assert!(stderr.starts_with("  x gbk.yml:2:9: this is not UTF-8 text\n"), "{stderr}");
    assert!(stderr.trim_end().ends_with("help: save the file as UTF-8"), "{stderr}");
}
