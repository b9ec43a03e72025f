//! How the program tells what is wrong: text or JSON lines, several errors at once, an output that hangs.

mod common;
#[path = "common/temp_file.rs"]
mod temp_file;

use std::{
    io::Read,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use common::{pummel, run};
use serde_json::Value;
use socket2::SockRef;
use temp_file::TempFile;

/// A case with an unknown key (line 5) and two unknown asserts (lines 6 and 7).
const WRONG: &str =
    "config: {name: a}\nteststeps:\n  - name: one\n    request: {method: GET, url: http://127.0.0.1:1/}\n    \
                     extrakt: {}\n    validate: [{eqal: [status_code, 200]},\n      {leng: [body, 1]}]\n";

/// The lines of stderr as JSON.
fn json_lines(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn several_errors_stand_one_after_the_other_with_their_number_at_the_end() {
    let case = TempFile::new("several.yml", WRONG);
    let ran = run(&["boom", case.path()]);
    assert_eq!(ran.code, 15, "{}", ran.stderr);
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("no {text} in\n{}", ran.stderr));
    assert!(at("several.yml:6:17: unknown assert \"eqal\"") < at("several.yml:7:8: unknown assert \"leng\""));
    assert!(at("several.yml:7:8: ") < at("2 errors in the test cases"));
    assert!(!ran.stderr.contains("Error:"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn with_log_json_each_line_of_stderr_is_an_object() {
    let case = TempFile::new("json.yml", WRONG);
    let ran = run(&["boom", case.path(), "--log-json"]);
    assert_eq!(ran.code, 15, "{}", ran.stderr);
    let lines = json_lines(&ran.stderr);
    let levels: Vec<&str> = lines.iter().filter_map(|line| line["level"].as_str()).collect();
    assert_eq!(levels, ["WARN", "ERROR", "ERROR", "ERROR"], "{}", ran.stderr);
    let message = lines[1]["fields"]["message"].as_str().unwrap();
    assert!(message.ends_with("json.yml:6:17: unknown assert \"eqal\""), "{message}");
    assert!(lines[1]["fields"]["help"].as_str().unwrap().contains("did you mean"), "{}", ran.stderr);
}

#[test]
fn the_log_level_decides_on_warnings_and_on_what_the_run_says_of_itself() {
    let case = "config: {name: a}\nteststeps:\n- {name: b, request: {method: GET, url: \"http://127.0.0.1:1/\"}}\n";
    let case = TempFile::new("levels.yml", case);
    let stderr = |level: &str| -> Vec<String> {
        let boom = ["boom", case.path(), "--loop-count", "1", "--cpu-profile", "a.prof"];
        let ran = run(&[&boom[..], &["--log-json", "--log-level", level]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        json_lines(&ran.stderr).iter().map(|line| line["fields"]["message"].as_str().unwrap().to_owned()).collect()
    };
    let ignored = "--cpu-profile is ignored: it profiles hrp itself";
    assert_eq!(stderr("error"), Vec::<String>::new());
    assert_eq!(stderr("warn"), [ignored]);
    assert_eq!(stderr("info"), [ignored, "the run starts", "the run ended"]);
}

/// The reader takes what was shown before the run and then nothing: the report does not fit into what the kernel keeps.
#[test]
fn a_report_nobody_reads_is_left_behind_and_said_so() {
    let urls: Vec<String> = (0..200).map(|n| format!("http://127.0.0.1:1/{n}")).collect();
    let urls = TempFile::new("urls.txt", &urls.join("\n"));
    let (ours, theirs) = UnixStream::pair().unwrap();
    SockRef::from(&theirs).set_send_buffer_size(1).unwrap();
    let mut child = pummel(&["hit", "--urls", urls.path(), "-n", "400", "-c", "1", "--quiet"])
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(stderr.contains("output console did not finish within 5 s and was left behind"), "{stderr}");
    drop(ours);
}
