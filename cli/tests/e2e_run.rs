//! `pummel run` with the real binary against a server that echoes: every sample case gives what its `.expected.json` says, and
//! the files it writes hold the same.
//!
//! The samples are those of the specification, byte for byte. A test runs a copy of them in which the server's address is the
//! one of its own server.

#[path = "common/copied.rs"]
mod copied;
#[path = "common/echo.rs"]
mod echo;
#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use copied::copy_to_server;
use echo::Echo;
use load::{binary, closed_port, start_as, Folder, Run};
use serde_json::Value;

/// The samples with what is expected of each.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/case/tests/cases");

/// A copy of the samples that goes to a server of its own.
struct Project {
    folder: Folder,
    echo: Echo,
}

impl Project {
    fn new() -> Self {
        let echo = Echo::start();
        let folder = Folder::new();
        copy_to_server(Path::new(SAMPLES), folder.path(), echo.url().trim_start_matches("http://"));
        Self { folder, echo }
    }

    /// Runs the binary in the project's folder, with `--json` behind the arguments.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).env_remove("NO_COLOR");
        start_as(command, arguments).finish()
    }

    fn write(&self, name: &str, text: &str) {
        self.folder.write(name, text);
    }

    /// The one folder of results.
    fn results(&self) -> PathBuf {
        let results = fs::read_dir(self.folder.path().join("results")).expect("a folder of results");
        let mut folders: Vec<_> = results.map(|entry| entry.expect("an entry").path()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.remove(0)
    }
}

/// Each sample's path inside the folder, with what is expected of it, in order.
fn samples() -> Vec<(String, Value)> {
    let mut samples = Vec::new();
    for folder in ["", "load_errors/", "plugin_project/"] {
        for entry in fs::read_dir(format!("{SAMPLES}/{folder}")).expect("the samples") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            let Some(base) = name.strip_suffix(".expected.json") else { continue };
            let endings = ["yml", "json"].map(|ending| format!("{folder}{base}.{ending}"));
            let case = endings.into_iter().find(|case| Path::new(SAMPLES).join(case).exists()).expect("its case");
            let expected = fs::read(format!("{SAMPLES}/{folder}{name}")).expect("text");
            samples.push((case, serde_json::from_slice(&expected).expect("JSON")));
        }
    }
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

/// What the engine must do: its own, or what hrp did.
fn required(part: &Value) -> &Value {
    match &part["engine"] {
        Value::String(text) if text.starts_with("same") => &part["hrp_4_3_6"],
        own => own,
    }
}

/// Names of the cases and, of each step, name, type and success.
fn outline(case_names: &[Value], records: &[Value], type_key: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let cases = case_names.iter().map(|name| format!("case {}", text(name)));
    let records = records
        .iter()
        .map(|record| format!("{} {}: {}", text(&record[type_key]), text(&record["name"]), record["success"]));
    cases.chain(records).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The outline of a summary.
fn outline_of(summary: &Value) -> Vec<String> {
    let details = list(&summary["details"]);
    let names: Vec<Value> = details.iter().map(|detail| detail["name"].clone()).collect();
    let records: Vec<Value> = details.iter().flat_map(|detail| list(&detail["records"]).to_vec()).collect();
    outline(&names, &records, "step_type")
}

#[test]
fn every_sample_gives_what_is_expected_of_it() {
    let project = Project::new();
    let samples = samples();
    assert_eq!(samples.len(), 29);
    let mut wrong = Vec::new();
    for (case, expected) in &samples {
        let expected = required(&expected["run"]);
        let outline = outline(list(&expected["case_names"]), list(&expected["records"]), "type");
        let whole = project.run(&["run", "-c", case]);
        let found = outline_of(&whole.summary);
        if found != outline || i64::from(whole.code) != expected["exit_continue"] {
            wrong.push(format!(
                "run -c {case}: exit {} of {}\nexpected {outline:#?}\nfound {found:#?}\n{}\n{}\n",
                whole.code, expected["exit_continue"], whole.stdout, whole.stderr
            ));
        }
        let failing_fast = project.run(&["run", case]);
        if i64::from(failing_fast.code) != expected["exit"] {
            let Run { code, stdout, stderr, .. } = &failing_fast;
            wrong.push(format!("run {case}: exit {code} of {}\n{stdout}\n{stderr}\n", expected["exit"]));
        }
        for detail in list(&failing_fast.summary["details"]) {
            let records = list(&detail["records"]);
            let first = records.iter().position(|record| record["success"] == false);
            if first.is_some_and(|first| first + 1 != records.len()) {
                wrong.push(format!("run {case}: goes on after a failed step: {detail:#}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_sample_gives_the_rows_of_a_load() {
    let project = Project::new();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (case, expected) in samples() {
        let Some(rows) = required(&expected["boom"]).as_array() else { continue };
        compared += 1;
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let row = |kind: &Value, name: &Value, count: u64, failed: u64| {
            format!("{} {}: {count}, {failed} failed", text(kind), text(name))
        };
        let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
        let mut rows: Vec<_> = rows.iter().map(|one| row(&one[0], &one[1], number(&one[2]), number(&one[3]))).collect();
        rows.retain(|row| !row.starts_with("Total"));
        let flags = text(&expected["boom"]["args"]);
        let mut arguments = vec!["boom", case.as_str()];
        arguments.extend(flags.split_whitespace());
        let run = project.run(&arguments);
        if run.summary.is_null() {
            wrong.push(format!("boom {case} {flags}: exit {}\n{}\n", run.code, run.stderr));
            continue;
        }
        run.assert_conserved();
        let steps = list(&run.summary["steps"]).iter();
        let transactions = list(&run.summary["transactions"]).iter();
        let mut found: Vec<_> = steps
            .map(|one| row(&one["type"], &one["name"], number(&one["requests"]), number(&one["failures"])))
            .chain(transactions.map(|one| {
                let failed = number(&one["failed"]);
                row(&"transaction".into(), &one["name"], number(&one["passed"]) + failed, failed)
            }))
            .filter(|row| !row.ends_with(": 0, 0 failed"))
            .collect();
        rows.sort();
        found.sort();
        if rows != found || run.code != 0 {
            wrong.push(format!(
                "boom {case} {flags}: exit {}\nexpected {rows:#?}\nfound {found:#?}\n{}\n",
                run.code, run.stderr
            ));
        }
    }
    assert_eq!(compared, 6);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A step that passes, one that fails, one that is only met with `-c`, and values that must arrive in the summary.
const THREE: &str = "config:\n  name: \"three <steps>\"\n  base_url: http://ORIGIN\n  variables: {who: anna}\n  export: [id]\n\
    teststeps:\n\
    - {name: log in, request: {method: POST, url: /post, json: {user: $who}, headers: {X-Run: \"1\"}}, \
       extract: {id: body.json.user}, validate: [ {eq: [status_code, 200]} ]}\n\
    - {name: \"wrong <b>\", request: {method: GET, url: /list}, validate: [ {eq: [body.i, 8, \"seven, not eight\"]} ]}\n\
    - {name: last, request: {method: GET, url: \"/get?id=$id\"}, validate: [ {eq: [body.args.id, anna]} ]}\n";

impl Project {
    fn write_three(&self) {
        self.write("three.yml", &THREE.replace("ORIGIN", self.echo.url().trim_start_matches("http://")));
    }
}

#[test]
fn the_lines_a_person_reads() {
    let project = Project::new();
    project.write_three();
    let run = project.run(&["run", "three.yml"]);
    assert_eq!(run.code, 1, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.stderr, "Error: three <steps>: wrong <b>: step validation failed: body.i eq 8 (seven, not eight)\n");
    let times = |line: &str| {
        let words = line.split(' ').map(|word| if word != "200" && word.parse::<f64>().is_ok() { "N" } else { word });
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").replace("N us", "N").replace("N ms", "N")
    };
    let lines: Vec<String> = run.stdout.lines().map(times).collect();
    assert_eq!(
        lines,
        [
            "",
            "three <steps> three.yml",
            "ok request 200 N log in",
            "FAIL request 200 N wrong <b>",
            "step validation failed: body.i eq N (seven, not eight)",
            "check body.i",
            "assert eq",
            "expect N",
            "actual N",
            "failed in N: N steps, N passed, N failed",
            "",
            "FAILED in N",
            "N case, N passed, N failed",
            "N steps, N passed, N failed",
        ]
    );
}

#[test]
fn the_summary_holds_what_was_sent_and_received() {
    let project = Project::new();
    project.write_three();
    let run = project.run(&["run", "three.yml", "-csg", "--http-stat", "--junit", "junit.xml"]);
    assert_eq!(run.code, 1, "{}\n{}", run.stdout, run.stderr);
    let summary = &run.summary;
    assert_eq!(summary["success"], false);
    assert_eq!(summary["stat"]["testcases"], serde_json::json!({"total": 1, "success": 0, "fail": 1}));
    assert_eq!(summary["stat"]["teststeps"], serde_json::json!({"total": 3, "successes": 2, "failures": 1}));
    let detail = &summary["details"][0];
    assert_eq!(detail["in_out"]["config_vars"]["who"], "anna");
    assert_eq!(detail["in_out"]["export_vars"]["id"], "anna");
    let first = &detail["records"][0];
    assert_eq!(first["export_vars"]["id"], "anna");
    let exchange = &first["data"]["req_resps"];
    assert_eq!(exchange["request"]["method"], "POST");
    assert_eq!(exchange["request"]["url"], format!("{}/post", project.echo.url()));
    assert_eq!(exchange["request"]["headers"]["X-Run"], "1");
    assert_eq!(exchange["request"]["body"]["user"], "anna");
    assert_eq!(exchange["response"]["status_code"], 200);
    assert_eq!(exchange["response"]["proto"], "HTTP/1.1");
    let body: Value = serde_json::from_str(exchange["response"]["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(body["json"]["user"], "anna");
    assert_eq!(first["data"]["address"], project.echo.url().trim_start_matches("http://"));
    assert!(first["httpstat"]["Total"].is_u64(), "{first:#}");
    let failed = &detail["records"][1]["data"]["validators"][0];
    assert_eq!((&failed["check_value"], &failed["check_result"]), (&Value::from(7), &Value::from("fail")));

    let folder = project.results();
    let saved: Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).expect("a summary")).expect("JSON");
    assert_eq!(&saved, summary);
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.contains("wrong &lt;b&gt;") && !page.contains("wrong <b>"), "{page}");
    let junit = fs::read_to_string(project.folder.path().join("junit.xml")).expect("a file");
    assert!(junit.contains("tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("<testcase name=\"wrong &lt;b&gt;\" classname=\"three &lt;steps&gt;\""), "{junit}");
}

#[test]
fn requests_are_shown_on_demand_only() {
    let project = Project::new();
    project.write_three();
    let quiet = project.run(&["run", "three.yml", "--log-requests-off"]);
    assert!(!quiet.stdout.contains("> POST"), "{}", quiet.stdout);
    let run = project.run(&["run", "three.yml", "--log-requests"]);
    for text in ["> POST http://", "        X-Run: 1\n", "\"user\": \"anna\"", "< HTTP/1.1 200\n"] {
        assert!(run.stdout.contains(text), "{text} is not in\n{}", run.stdout);
    }
}

#[test]
fn text_for_people_makes_room_for_json_on_stdout() {
    let project = Project::new();
    project.write_three();
    let output = Command::new(binary())
        .current_dir(project.folder.path())
        .args(["run", "three.yml", "--json", "-"])
        .output()
        .expect("the binary starts");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(list(&summary["details"][0]["records"]).len(), 2);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("FAIL  request") && !stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn a_failing_case_does_not_keep_the_next_from_running() {
    let project = Project::new();
    project.write_three();
    let run = project.run(&["run", "three.yml", "01_minimal.yml"]);
    assert_eq!(run.code, 1);
    let success: Vec<_> = list(&run.summary["details"]).iter().map(|detail| detail["success"].clone()).collect();
    assert_eq!(success, [false, true], "{}", run.stdout);
}

#[test]
fn a_case_has_a_time_limit() {
    let project = Project::new();
    let origin = project.echo.url();
    let slow = format!(
        "config: {{name: slow}}\nteststeps:\n- {{name: sleeps, request: {{method: GET, url: \"{origin}/delay/20000\"}}}}\n"
    );
    project.write("slow.yml", &slow);
    let run = project.run(&["run", "slow.yml", "--case-timeout", "300ms"]);
    assert_eq!(run.code, 39, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.starts_with("Error: slow: "), "{}", run.stderr);
}

#[test]
fn ctrl_c_ends_the_run_with_its_code() {
    let project = Project::new();
    let port = closed_port();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port");
    let case = format!(
        "config: {{name: waits}}\nteststeps:\n- {{name: no answer, request: {{method: GET, url: \"http://127.0.0.1:{port}/\"}}}}\n"
    );
    project.write("waits.yml", &case);
    let mut command = Command::new(binary());
    command.current_dir(project.folder.path());
    let running = start_as(command, &["run", "waits.yml", "01_minimal.yml"]);
    // Once the request is there the run is under way.
    let _request = listener.accept().expect("a connection");
    running.interrupt();
    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 38, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.summary["success"], false, "the summary is written all the same");
}

#[test]
fn results_that_cannot_be_written_are_a_failure_after_the_report() {
    let project = Project::new();
    project.write("results", "a file where a folder should be");
    let run = project.run(&["run", "01_minimal.yml", "-s"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("PASSED in "), "{}", run.stdout);
    assert!(run.stderr.contains("results: the folder cannot be made: "), "{}", run.stderr);
    let run = project.run(&["run", "01_minimal.yml", "--junit", "-"]);
    assert_eq!((run.code, project.folder.path().join("-").exists()), (2, false));
    let run = project.run(&["run", "01_minimal.yml", "--junit", "/nonexistent/junit.xml"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "a wrong path costs no run");
    assert!(run.stderr.contains("--junit /nonexistent/junit.xml: cannot be written"), "{}", run.stderr);
}
