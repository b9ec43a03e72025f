//! Test cases from file to wire and back: the real binary runs them against a server that echoes what it received, and the
//! cases themselves check every byte of it.

#[path = "common/echo.rs"]
mod echo;
#[path = "common/load.rs"]
mod load;

use std::fs;

use echo::Echo;
use load::{run, Folder, Run};

/// Cases of these tests.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/");

/// The sample cases, which the tests of `pummel-case` run without a network.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/case/tests/cases/");

/// One iteration of one user, as hrp's documents run a case to look at it.
fn once(echo: &Echo, path: &str, more: &[&str]) -> Run {
    let base_url = echo.url();
    let origin = format!("origin={base_url}");
    let mut arguments = vec!["boom", path, "--spawn-count", "1", "--loop-count", "1", "-e", &origin];
    // A case with a path in its base URL builds it from the origin.
    if !path.ends_with("plain/12_urls.yml") {
        arguments.extend(["--base-url", &base_url]);
    }
    arguments.extend(more);
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{path}: {}\n{}", run.stderr, run.stdout);
    run.assert_conserved();
    run
}

/// Rows as hrp's table has them: type, name, requests, failures; transactions last.
fn rows(run: &Run) -> Vec<(String, String, u64, u64)> {
    let text = |row: &serde_json::Value, field: &str| row[field].as_str().expect(field).to_owned();
    let number = |row: &serde_json::Value, field: &str| row[field].as_u64().expect(field);
    let steps = run.summary["steps"].as_array().expect("steps").iter();
    let transactions = run.summary["transactions"].as_array().expect("transactions").iter();
    let steps =
        steps.map(|row| (text(row, "type"), text(row, "name"), number(row, "requests"), number(row, "failures")));
    let transactions = transactions.map(|row| {
        let (passed, failed) = (number(row, "passed"), number(row, "failed"));
        ("transaction".to_owned(), text(row, "name"), passed + failed, failed)
    });
    steps.chain(transactions).collect()
}

fn assert_rows(run: &Run, expected: &[(&str, &str, u64, u64)]) {
    let expected: Vec<_> = expected.iter().map(|(kind, name, n, f)| ((*kind).into(), (*name).into(), *n, *f)).collect();
    assert_eq!(rows(run), expected, "{:#}", run.summary["errors"]);
}

/// Kind, step and text of every error.
fn errors(run: &Run) -> Vec<(String, String, String)> {
    let errors = run.summary["errors"].as_array().expect("errors").iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    errors.map(|error| (text(&error["kind"]), text(&error["step"]), text(&error["message"]))).collect()
}

#[test]
fn samples_whose_every_step_passes() {
    let echo = Echo::start();
    let folder = Folder::new();
    let env_file = folder.write(".env", "# comment\nENV_ONLY=from_env\nBOTH = env_wins\n");
    let samples: [(&str, &[(&str, &str)]); 9] = [
        ("01_minimal.yml", &[("request-GET", "get")]),
        ("02_minimal.json", &[("request-POST", "post")]),
        ("03_validators_pass.yml", &[("request-GET", "all")]),
        ("plain/05_expressions.yml", &[("request-GET", "tokens")]),
        ("plain/07_precedence.yml", &[("request-GET", "one"), ("request-GET", "two")]),
        (
            "plain/08_extract.yml",
            &[
                ("request-GET", "json"),
                ("request-GET", "regex"),
                ("request-GET", "same step shadow"),
                ("request-GET", "next step sees it"),
            ],
        ),
        ("plain/11_headers_cookies.yml", &[("request-get", "merge"), ("request-GET", "set")]),
        (
            "plain/12_urls.yml",
            &[
                ("request-GET", "no query"),
                ("request-GET", "file"),
                ("request-GET", "author slash"),
                ("request-GET", "query"),
                ("request-GET", "absolute"),
                ("request-GET", "dots"),
            ],
        ),
        ("29_dollar_data.yml", &[("request-GET", "get"), ("request-GET", "later")]),
    ];
    for (file, steps) in samples {
        let more: &[&str] = if file.starts_with("07") { &["--env-file", &env_file] } else { &[] };
        let run = once(&echo, &format!("{SAMPLES}{file}"), more);
        let mut expected: Vec<_> = steps.iter().map(|(kind, name)| (*kind, *name, 1, 0)).collect();
        expected.push(("transaction", "Action", 1, 0));
        assert_rows(&run, &expected);
        assert_eq!(run.number("/totals/requests"), steps.len() as u64, "{file}");
    }
}

#[test]
fn assertions_that_differ_from_hrp() {
    let echo = Echo::start();
    let folder = Folder::new();
    let file = fs::read_to_string(format!("{SAMPLES}plain/04_validators_differ.yml")).expect("the sample");
    let steps: Vec<&str> = file.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(steps.len(), 9);
    let mut failed = Vec::new();
    // A failed step ends its iteration, so each step is a case of its own.
    for step in steps {
        let case = folder.write("case.yml", &format!("config: {{name: one}}\nteststeps:\n{step}\n"));
        failed.extend(errors(&once(&echo, &case, &[])));
    }
    let assertion = |step: &str, message: &str| ("assertion".to_owned(), step.to_owned(), message.to_owned());
    assert_eq!(
        failed,
        [
            assertion("float expectation on int", "step validation failed: body.i eq 7.9"),
            assertion("string is not number", "step validation failed: body.i eq \"7\""),
        ]
    );
}

#[test]
fn bodies_are_byte_for_byte_those_of_hrp() {
    let echo = Echo::start();
    let run = once(&echo, &format!("{SAMPLES}09_bodies.yml"), &[]);
    assert_rows(
        &run,
        &[
            ("request-POST", "json map", 1, 0),
            ("request-POST", "data map without header is json", 1, 0),
            ("request-POST", "form", 1, 0),
            ("request-PUT", "text", 1, 0),
            ("request-POST", "list", 1, 0),
            ("request-POST", "body beats json", 1, 0),
            ("request-POST", "scalar body is an error", 1, 1),
            ("transaction", "Action", 1, 1),
        ],
    );
    let message = "request body: unexpected request body type";
    assert_eq!(errors(&run), [("request".into(), "scalar body is an error".into(), message.into())]);
    assert_eq!((run.number("/totals/exchanges/sent"), run.number("/totals/exchanges/unsent")), (6, 1));
    assert!(run.stderr.contains("a body cannot be a number: the step will fail"), "{}", run.stderr);
}

#[test]
fn every_byte_on_the_wire() {
    let echo = Echo::start();
    let run = once(&echo, &format!("{OWN}wire.yml"), &["-e", "who=me"]);
    assert_eq!(errors(&run), []);
    assert_rows(
        &run,
        &[
            ("request-POST", "json", 1, 0),
            ("request-POST", "json stands above a content type", 1, 0),
            ("request-POST", "body keeps a content type", 1, 0),
            ("request-POST", "form", 1, 0),
            ("request-PUT", "text", 1, 0),
            ("request-POST", "empty text", 1, 0),
            ("request-POST", "no body", 1, 0),
            ("request-GET", "get has no length", 1, 0),
            ("request-get", "headers", 1, 0),
            ("request-GET", "cookies", 1, 0),
            ("request-GET", "path and query as written", 1, 0),
            ("request-GET", "params", 1, 0),
            ("request-GET", "find", 1, 0),
            ("request-patch", "what was found is sent", 1, 0),
            ("request-POST", "form of what was found", 1, 0),
            ("request-POST", "a body that was found", 1, 0),
            ("transaction", "Action", 1, 0),
        ],
    );
    assert_eq!(run.summary["steps"][0]["case"], "wire of me");
    assert_eq!(run.stderr, "");
    // The cases check what they say they check: a wrong byte is a failure.
    let run = once(&echo, &format!("{OWN}wire.yml"), &["-e", "n=4"]);
    assert_eq!(run.number("/totals/failures"), 1);
    assert_eq!(errors(&run)[0].1, "json");
}

#[test]
fn replies_without_a_body_keep_the_connection_in_step() {
    let echo = Echo::start();
    let run = once(&echo, &format!("{OWN}replies.yml"), &[]);
    assert_rows(
        &run,
        &[
            ("request-HEAD", "head", 1, 0),
            ("request-GET", "no content", 1, 0),
            ("request-GET", "not modified", 1, 0),
            ("request-GET", "chunked", 1, 0),
            ("request-GET", "not found", 1, 0),
            ("request-POST", "still in step", 1, 0),
            ("transaction", "Action", 1, 0),
        ],
    );
    assert_eq!(run.number("/client/connections/opened"), 1);
}

#[test]
fn transactions_are_recorded_as_hrp_does() {
    let echo = Echo::start();
    let run = once(&echo, &format!("{SAMPLES}16_transactions.yml"), &[]);
    let mut rows = rows(&run);
    rows.retain(|(_, _, requests, _)| *requests > 0);
    let rows: Vec<_> = rows.iter().map(|(kind, name, n, f)| (kind.as_str(), name.as_str(), *n, *f)).collect();
    assert_eq!(
        rows,
        [
            ("request-GET", "g1", 1, 0),
            ("request-GET", "bad", 1, 1),
            ("transaction", "t1", 1, 0),
            ("transaction", "t2", 1, 1),
            ("transaction", "Action", 1, 1),
        ]
    );
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (2, 1));
    let message = "step validation failed: status_code eq 200";
    assert_eq!(errors(&run), [("assertion".into(), "bad".into(), message.into())]);
}

#[test]
fn a_refused_connection_is_a_failed_request() {
    let run = run(&["boom", &format!("{SAMPLES}25_connect_error.yml"), "--loop-count", "1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_rows(&run, &[("request-GET", "refused", 1, 1), ("transaction", "Action", 1, 1)]);
    assert_eq!(run.errors("connect_refused"), 1);
}

#[test]
fn think_times_are_part_of_the_action_and_no_requests() {
    let run = run(&["boom", &format!("{SAMPLES}18_think_time.yml"), "--loop-count", "1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_rows(&run, &[("transaction", "Action", 1, 0)]);
    assert_eq!(run.number("/totals/requests"), 0);
    // 0.1 s doubled, and 1 s doubled and cut to 0.3 s.
    assert!(run.number("/transactions/0/duration_us/min") >= 500_000);
}

#[test]
fn weights_choose_among_cases() {
    let echo = Echo::start();
    let folder = Folder::new();
    let case = |name: &str, config: &str| {
        let text = format!(
            "config: {{name: {name}{config}}}\nteststeps:\n- {{name: get {name}, request: {{method: GET, url: /get}}}}\n"
        );
        folder.write(&format!("{name}.yml"), &text)
    };
    let base_url = echo.url();
    let loops = |a: &str, b: &str| {
        let run = run(&["boom", a, b, "--base-url", &base_url, "--loop-count", "200", "--disable-console-output"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.assert_conserved();
        let count = |name: &str| rows(&run).iter().find(|row| row.1 == name).map_or(0, |row| row.2);
        (count("get a"), count("get b"))
    };
    assert_eq!(loops(&case("a", ", weight: 3"), &case("b", ", weight: 0")), (200, 0), "weight 0 is never chosen");
    let (a, b) = loops(&case("a", ""), &case("b", ""));
    assert!(a > 0 && b > 0 && a + b == 200, "without weights each is as likely: {a} and {b}");
}

#[test]
fn variables_and_names() {
    let echo = Echo::start();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        "config:\n  name: \"names of $who\"\n  variables: {who: config, host: nowhere, port: 1}\n  base_url: \"http://$host:$port/v1\"\n\
         teststeps:\n\
         - request: {method: GET, url: \"/get?who=$who\"}\n  validate: [ {eq: [body.args.who, line]}, {eq: [body.path, \"/v1/get?who=line\"]} ]\n\
         - {name: \"cost $$5\", request: {method: DELETE, url: /d}, validate: [ {eq: [body.method, DELETE]} ]}\n\
         - {name: \"as $who wrote\", request: {method: OPTIONS, url: /o}}\n",
    );
    let env_file = folder.write(".env", "who=file\nport=2\n");
    let port = echo.url().rsplit(':').next().unwrap_or_default().to_owned();
    let run = run(&[
        "boom",
        &case,
        "--loop-count",
        "1",
        "--env-file",
        &env_file,
        "-e",
        "who=line",
        "-e",
        "host=127.0.0.1",
        "-e",
        &format!("port={port}"),
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_rows(
        &run,
        &[
            ("request-GET", "GET /get?who=$who", 1, 0),
            ("request-DELETE", "cost $5", 1, 0),
            ("request-OPTIONS", "as $who wrote", 1, 0),
            ("transaction", "Action", 1, 0),
        ],
    );
    assert_eq!(run.summary["steps"][0]["case"], "names of line");
}

#[test]
fn time_limits_of_a_step_and_of_the_config() {
    let echo = Echo::start();
    let folder = Folder::new();
    // The server answers after ten seconds; the step's limit stands above the config's.
    for limits in [
        "config: {name: limits, request_timeout: 0.2}\nteststeps:\n- request: {",
        "config: {name: limits, request_timeout: 60}\nteststeps:\n- request: {timeout: 0.2, ",
    ] {
        let case = folder.write("case.yml", &format!("{limits}method: GET, url: /delay/10000}}\n  name: slow\n"));
        let run = once(&echo, &case, &[]);
        assert_rows(&run, &[("request-GET", "slow", 1, 1), ("transaction", "Action", 1, 1)]);
        assert_eq!(run.errors("request_timeout"), 1);
        assert!(run.number("/totals/failed_us/min") >= 200_000);
    }
}
