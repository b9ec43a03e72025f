//! The case language row by row: the cases below `cases/language` say which sections of the specification they are, the real
//! binary runs them against a server that echoes, and each checks by itself what the server received.
//!
//! Every step of a case passes. In `failing/` every step fails, with the text of the first line (`# fails: TEXT`); the cases of
//! `refused/` are not run, and their first line says the exit codes and the text (`# run CODE, boom CODE: TEXT`).

#[path = "common/copied.rs"]
mod copied;
#[path = "common/echo.rs"]
mod echo;
#[path = "common/load.rs"]
mod load;

use std::{fs, path::Path, process::Command};

use copied::copy_to_server;
use echo::Echo;
use load::{binary, start_as, Folder, Run};
use serde_json::Value;

/// The cases, with what they read and call.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/language");

/// A copy of the cases that goes to a server of its own.
struct Copy {
    folder: Folder,
    /// It ends with the copy.
    _echo: Echo,
}

impl Copy {
    fn new() -> Self {
        let echo = Echo::start();
        let folder = Folder::new();
        copy_to_server(Path::new(CASES), folder.path(), echo.url().trim_start_matches("http://"));
        Self { folder, _echo: echo }
    }

    /// Runs the binary in the copy, with what section 8 reads from the environment.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).env_remove("NO_COLOR").env("PUMMEL_TEST_WORD", "from the process");
        start_as(command, arguments).finish()
    }

    /// The cases of a folder by name, with their first lines.
    fn cases(&self, below: &str) -> Vec<(String, String)> {
        let mut cases = Vec::new();
        for entry in fs::read_dir(self.folder.path().join(below)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "yml" || extension == "json") {
                let text = fs::read_to_string(&path).expect("text");
                let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
                cases.push((format!("{below}{name}"), text.lines().next().unwrap_or_default().to_owned()));
            }
        }
        cases.sort();
        cases
    }
}

fn records(run: &Run) -> Vec<Value> {
    let details = run.summary["details"].as_array().map_or(&[][..], Vec::as_slice);
    details.iter().filter_map(|detail| detail["records"].as_array()).flatten().cloned().collect()
}

#[test]
fn every_step_of_the_language_passes() {
    let copy = Copy::new();
    let cases = copy.cases("");
    assert!(cases.len() >= 25, "{}", cases.len());
    let mut wrong = Vec::new();
    for (case, first_line) in &cases {
        let mut arguments = vec!["run", "-c", case];
        arguments.extend(first_line.strip_prefix("# flags: ").unwrap_or_default().split_whitespace());
        let run = copy.run(&arguments);
        if run.code != 0 || records(&run).is_empty() {
            wrong.push(format!("{case}: exit {}\n{}\n{}", run.code, run.stdout, run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_step_of_the_language_passes_under_load() {
    let copy = Copy::new();
    let mut wrong = Vec::new();
    for (case, first_line) in copy.cases("") {
        let mut arguments = vec!["boom", &case, "--spawn-count", "2", "--spawn-rate", "100", "--loop-count", "3"];
        arguments.extend(first_line.strip_prefix("# flags: ").unwrap_or_default().split_whitespace());
        let run = copy.run(&arguments);
        run.assert_conserved();
        if run.code != 0 || run.number("/totals/failures") > 0 || run.number("/totals/requests") < 6 {
            wrong.push(format!("{case}: exit {}\n{:#}\n{}", run.code, run.summary["errors"], run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_step_that_fails_leaves_what_it_extracted_where_the_case_goes_on() {
    let copy = Copy::new();
    let success = |arguments: &[&str]| -> Vec<_> {
        let run = copy.run(arguments);
        assert_eq!(run.code, 1, "{}", run.stderr);
        records(&run).iter().map(|record| record["success"] == true).collect()
    };
    assert_eq!(success(&["run", "-c", "failing/then/07_extracted.yml"]), [false, true]);
    assert_eq!(success(&["run", "failing/then/07_extracted.yml"]), [false]);
}

#[test]
fn every_step_that_cannot_pass_fails() {
    let copy = Copy::new();
    let mut wrong = Vec::new();
    for (case, first_line) in copy.cases("failing/") {
        let reason = first_line.strip_prefix("# fails: ").expect("a reason");
        let run = copy.run(&["run", "-c", &case]);
        let records = records(&run);
        assert!(run.code == 1 && !records.is_empty(), "{case}: exit {}\n{}", run.code, run.stderr);
        for record in records {
            let text = record["attachments"].as_str().unwrap_or_default();
            if record["success"] != false || !text.contains(reason) {
                wrong.push(format!("{case}: {}: {text:?}", record["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_run_says_why() {
    let copy = Copy::new();
    let mut wrong = Vec::new();
    for (case, first_line) in copy.cases("refused/") {
        let (codes, reason) = first_line.split_once(": ").expect("codes and a reason");
        let codes: Vec<i32> = codes.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        let runs = [copy.run(&["run", &case]), copy.run(&["boom", &case, "--loop-count", "1"])];
        let found = runs.each_ref().map(|run| run.code);
        if codes != found || runs.iter().any(|run| !run.stderr.contains(reason)) {
            wrong.push(format!("{case}: {first_line}\n{found:?}\n{}\n{}", runs[0].stderr, runs[1].stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said while a case runs, from the place in it on.
fn said<'a>(run: &'a Run, case: &str) -> Vec<&'a str> {
    run.stderr.lines().filter(|line| line.contains("WARN")).filter_map(|line| Some(line.split_once(case)?.1)).collect()
}

#[test]
fn what_happens_to_every_user_is_said_once() {
    let copy = Copy::new();
    let case = "10_nothing_found.yml";
    let run = copy.run(&["boom", case, "--spawn-count", "2", "--spawn-rate", "100", "--loop-count", "5"]);
    assert_eq!(
        (run.code, run.number("/totals/requests"), run.number("/totals/failures")),
        (0, 30, 0),
        "{}",
        run.stderr
    );
    assert_eq!(
        said(&run, case),
        [
            ":6:19: \"body.gone\" found nothing in a response: gone is null",
            ":10:22: \"body.arr[?age > `90`] | [0]\" found nothing in a response: nothing is null",
        ]
    );
    let case = "failing/09_assertions.yml";
    let run = copy.run(&["run", "-c", case]);
    let text = ":10:80: ne compares numbers by value: hrp takes an int and a float for different";
    assert_eq!(said(&run, case), [text]);
}
