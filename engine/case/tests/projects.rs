//! Where a project begins, what its `.env` says, and what a folder with broken cases does (hrp spec 1.9, 1.10, 5).

mod folder;

use std::path::Path;

use folder::{Folder, STEP};
use insta::assert_snapshot;
use pummel_case::{load_text, LoadOptions};

const SHOW: &str =
    "config: {variables: {a: variable, b: variable, c: variable, d: \"${ENV(quoted)}\"}, environs: {b: environs, c: environs}}\n";

#[test]
fn the_nearest_folder_with_a_marker_is_the_root() {
    let files = [
        ("debugtalk.bin", ""),
        ("case.yml", STEP),
        ("mid/proj.json", "{}"),
        ("mid/case.yml", STEP),
        ("mid/deep/er/case.yml", STEP),
        ("both/debugtalk.py", ""),
        ("both/debugtalk.so", ""),
        ("both/case.yml", STEP),
    ];
    let folder = Folder::new("roots", &files);
    let found = |file: &str| {
        let case = folder.case(file);
        let from_folder = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
        (from_folder(&case.project_root), case.plugin_file.as_deref().map(from_folder))
    };
    assert_eq!(found("case.yml"), (String::new(), Some("debugtalk.bin".into())));
    assert_eq!(found("mid/case.yml"), ("mid".into(), None));
    assert_eq!(found("mid/deep/er/case.yml"), ("mid".into(), None));
    assert_eq!(found("mid/deep/../../mid/deep/er/case.yml"), ("mid".into(), None));
    // Inside one folder .bin counts before .py, and .py before .so.
    assert_eq!(found("both/case.yml"), ("both".into(), Some("both/debugtalk.py".into())));
}

#[test]
fn without_a_marker_the_root_is_the_working_directory_and_it_can_be_given() {
    let folder = Folder::new("no-root", &[("case.yml", STEP), ("other/debugtalk.so", "")]);
    let here = std::env::current_dir().unwrap();
    assert_eq!(folder.case("case.yml").project_root, here);
    let other = folder.path().join("other");
    let options = LoadOptions { project_dir: Some(other.clone()), ..LoadOptions::default() };
    let case = folder.load("case.yml", &options).unwrap().cases.remove(0);
    assert_eq!((case.project_root, case.plugin_file), (other.clone(), Some(other.join("debugtalk.so"))));
    let case = load_text("x.yml", STEP, &options).unwrap().cases.remove(0);
    assert_eq!(case.project_root, other);
}

#[test]
fn the_env_file_stands_above_environs_and_below_what_is_given() {
    let env = "# comment\nc = dotenv $x\nbase_url=http://dotenv:81\nonly: a=b\n\nquoted=\"q\"\n";
    let case = format!(
        "{}teststeps:\n- request: {{method: GET, url: /$c}}\n",
        SHOW.replace("config: {", "config: {base_url: \"http://file\", ")
    );
    let folder = Folder::new("env", &[("proj.json", "{}"), (".env", env), ("a/case.yml", &case)]);
    let shown = |options: &LoadOptions| {
        let case = folder.load("a/case.yml", options).unwrap().cases.remove(0);
        (serde_json::to_string(&case.config_variables()).unwrap(), case.origins()[0].to_string())
    };
    assert_eq!(
        shown(&LoadOptions::default()),
        (
            r#"{"a":"variable","b":"environs","base_url":"http://dotenv:81","c":"dotenv $x","d":"\"q\"","only: a":"b","quoted":"\"q\""}"#.into(),
            "http://dotenv:81".into()
        )
    );
    let options = LoadOptions {
        variables: vec![("c".into(), "first".into()), ("c".into(), "given".into())],
        base_url: Some("http://given".into()),
        ..LoadOptions::default()
    };
    let (variables, origin) = shown(&options);
    assert!(variables.contains(r#""c":"given""#) && variables.contains(r#""b":"environs""#), "{variables}");
    assert_eq!(origin, "http://given:80");
}

#[test]
fn a_broken_env_file_is_shown_with_its_line() {
    let files = [("proj.json", "{}"), (".env", "a=1\n\n  nothing here\n"), ("x.yml", STEP), ("y.yml", STEP)];
    let folder = Folder::new("env-broken", &files);
    let error = folder.load("", &LoadOptions::default()).unwrap_err();
    // Said once, not once for each case.
    assert_eq!((error.diagnostics().len(), error.exit_code()), (1, 13));
    assert_snapshot!(folder.shown(&error.diagnostics()[0]), @r#"
     x .env:3:3: "nothing here" is neither NAME=value nor NAME: value
      ,-[.env:3:3]
    2 | 
    3 |   nothing here
      :   ^^^^^^^^^^^^
      `----
     help: a line is NAME=value, NAME: value, a # comment, or empty
    "#);
    folder.write(".env", b"a=\xff\n");
    assert_eq!(folder.errors("x.yml"), (vec![".env:1:1: the file is not UTF-8 text".into()], 13));
    std::fs::remove_file(folder.path().join(".env")).unwrap();
    std::fs::create_dir(folder.path().join(".env")).unwrap();
    assert_eq!(&*folder.case("x.yml").name, "x");
}

#[test]
fn a_broken_case_of_a_folder_can_be_left_out() {
    let files = [
        ("a.yml", "teststeps:\n- {request: {method: GET}}\n"),
        ("b.yml", STEP),
        ("c.yml", "teststeps: [broken"),
        ("proj.json", "{}"),
    ];
    let folder = Folder::new("skip-broken", &files);
    let (errors, code) = folder.errors("");
    assert_eq!(code, 15);
    assert!(errors.len() == 2 && errors[0].starts_with("a.yml:2:") && errors[1].starts_with("c.yml:1:"), "{errors:?}");
    let options = LoadOptions { skip_broken: true, ..LoadOptions::default() };
    let loaded = folder.load("", &options).unwrap();
    assert_eq!(loaded.cases.iter().map(|case| &*case.name).collect::<Vec<_>>(), ["b"]);
    assert_eq!(
        folder.texts(&loaded.warnings),
        [
            "a.yml:2:13: this case is left out: request url: the URL has no host and there is no base_url",
            "c.yml:1:19: this case is left out: broken YAML: while parsing a flow sequence, expected ',' or ']'",
        ]
    );
    assert!(loaded.warnings.iter().all(|warning| warning.exit_code() == 0));
    // A file that was named is not left out.
    assert_eq!(folder.load("a.yml", &options).unwrap_err().exit_code(), 15);
    std::fs::remove_file(folder.path().join("b.yml")).unwrap();
    let error = folder.load("", &options).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert_eq!(error.diagnostics().len(), 3);
    assert!(error.diagnostics()[0].to_string().ends_with("no test case is left: all are broken"));
}

#[test]
fn files_that_are_too_large_or_no_text_are_refused() {
    let refers = "teststeps:\n- {name: big, testcase: big.yml}\n- {name: latin, api: latin.yml}\n";
    let folder = Folder::new("refused", &[("proj.json", "{}"), ("refers.yml", refers)]);
    std::fs::File::create(folder.path().join("big.yml")).unwrap().set_len(100 << 20).unwrap();
    folder.write("latin.yml", b"name: x\nrequest: \xe9\n");
    assert_eq!(
        folder.errors("big.yml"),
        (vec!["big.yml: the file cannot be read: it is larger than 8 MiB".into()], 10)
    );
    assert_eq!(folder.errors("latin.yml"), (vec!["latin.yml:2:10: this is not UTF-8 text".into()], 12));
    assert_eq!(
        folder.errors("refers.yml"),
        (
            vec![
                "refers.yml:2:25: big.yml cannot be read: it is larger than 8 MiB".into(),
                "refers.yml:3:22: latin.yml: line 2 is not UTF-8 text".into(),
            ],
            17
        )
    );
}

#[test]
fn the_sample_files_that_hrp_drops_are_errors() {
    let load = |name: &str| {
        let path = format!("{}/tests/cases/load_errors/{name}", env!("CARGO_MANIFEST_DIR"));
        pummel_case::load(&[path.into()], &LoadOptions::default()).unwrap_err().exit_code()
    };
    assert_eq!(["list_extract.yml", "missing_ref.yml", "no_steps.yml", "syntax.yml"].map(load), [12, 17, 15, 12]);
}

#[test]
fn keys_of_the_config_without_effect_are_named() {
    let config =
        "config: {setup_hooks: [x], websocket: {reconnection_times: 1}, ios: [], plugin: {}, timeout: 3, path: x}\n";
    let folder = Folder::new("config-keys", &[("case.yml", &format!("{config}{STEP}"))]);
    let (_, warnings) = folder.warnings("case.yml");
    assert_eq!(
        warnings,
        [
            "case.yml:1:10: config.setup_hooks is ignored: only HttpRunner's Python engine runs hooks of a config",
            "case.yml:1:28: config.websocket is ignored: nothing reads it, in hrp either",
            "case.yml:1:64: config.ios is ignored: there is no mobile testing here",
            "case.yml:1:73: config.plugin is ignored: it is made by hrp for its own workers",
            "case.yml:1:85: config.timeout is ignored: it is no key of hrp 4.3",
        ]
    );
}

#[test]
fn an_unknown_function_of_a_project_with_a_plugin_says_so() {
    let case = "teststeps:\n- {request: {method: GET, url: \"http://h/${mine()}\"}}\n";
    let folder = Folder::new("plugin", &[("debugtalk.py", ""), ("case.yml", case)]);
    let error = folder.load("case.yml", &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 23);
    let shown = folder.shown(&error.diagnostics()[0]);
    assert!(shown.contains("help: the functions of debugtalk.py are not known here"), "{shown}");
}

#[test]
fn what_stands_in_the_place_of_a_plugin_and_is_no_file_is_named() {
    let case = "teststeps:\n- {request: {method: GET, url: \"http://h/${mine()}\"}}\n";
    let folder = Folder::new("no-plugin", &[("debugtalk.py/inner.py", ""), ("case.yml", case)]);
    let error = folder.load("case.yml", &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 23);
    let shown = folder.shown(&error.diagnostics()[0]);
    assert!(shown.contains("debugtalk.py is no file, so it gives no functions"), "{shown}");
}

#[test]
fn a_project_folder_that_is_none_is_refused() {
    let folder = Folder::new("no-project", &[("case.yml", STEP)]);
    let options = LoadOptions { project_dir: Some(folder.path().join("nowhere")), ..LoadOptions::default() };
    let error = folder.load("case.yml", &options).unwrap_err();
    assert_eq!(folder.texts(error.diagnostics()), ["nowhere: the project's root is no folder"]);
    assert_eq!(error.exit_code(), 10);
}
