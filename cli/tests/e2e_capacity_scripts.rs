//! The scripts of `scripts/capacity/`: each once for real, with short probes, and what they conclude from results that are known.
//! Nothing here depends on what was found.

#[path = "common/load.rs"]
mod load;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use load::{binary, closed_port, target, url, Folder};
use serde_json::{json, Value};

/// What a script left.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A script with short probes; what it finds says little.
fn script(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/capacity").join(name);
    let mut command = Command::new(path);
    command.env("PUMMEL", binary()).env("CAPACITY_FLAGS", "--measure 500ms --settle 200ms --max-duration 10s --cpus 0");
    command
}

fn finish(mut command: Command) -> Ran {
    let output = command.output().expect("bash starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A result of a search: what held, what failed, and which side that was.
fn result(held: f64, failed: f64, side: &str) -> Value {
    json!({
        "schema": "pummel.capacity/1", "by": "rate", "level_unit": "per_s", "thresholds": ["errors<1%"], "held": held,
        "failed": failed, "limit": {"side": side, "resource": null}, "ended_by": "converged",
        "curve": [{"level": held, "p99_us": 4_321}],
    })
}

/// A program that is pummel but for `capacity`, which ends with `code` and leaves the result named like the URL's last part.
fn stand_in(folder: &Folder, code: u8) -> String {
    let text = format!(
        "#!/usr/bin/env bash\n[ \"$1\" = capacity ] || exec '{}' \"$@\"\nname=${{2##*/}}\n\
         while [ \"$1\" != --json ]; do shift; done\ncp '{}'/\"$name\" \"$2\"\nexit {code}\n",
        binary().display(),
        folder.path().display(),
    );
    let path = folder.write("stand-in", &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    path
}

/// Runs a script with a stand-in for pummel.
fn finish_with(mut command: Command, folder: &Folder, code: u8) -> Ran {
    command.env("PUMMEL", stand_in(folder, code));
    finish(command)
}

fn documents(folder: &Path) -> usize {
    let is_json = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "json");
    fs::read_dir(folder).expect("results").filter_map(Result::ok).filter(is_json).count()
}

#[test]
fn nightly_finds_something_and_says_when_the_service_is_down() {
    let (target, folder) = (target(), Folder::new());
    let results = folder.path().join("results");
    let mut command = script("nightly.sh");
    let limit = url(&target, "/limit/300/hello/x");
    command.args([&limit, "1/s", "errors<1%"]).env("RESULTS", &results);
    let ran = finish(command);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let line = ran.stdout.strip_suffix('\n').expect("a line");
    assert!(line.contains(&limit) && line.ends_with("; no earlier result; asked for 1/s"), "{line}");
    assert_eq!((line.lines().count(), documents(&results)), (1, 1));

    let mut command = script("nightly.sh");
    command.args([&format!("http://127.0.0.1:{}/", closed_port()), "1/s"]).env("RESULTS", &results);
    let ran = finish(command);
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.ends_with("no answer (exit code 1)\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("connection refused"), "{}", ran.stderr);
}

#[test]
fn nightly_compares_with_the_last_answer_and_tells_whose_limit_it_was() {
    let folder = Folder::new();
    let results = folder.path().join("results");
    fs::create_dir(&results).expect("a folder");
    let night = |day: u32, held, failed, side| {
        fs::write(results.join(format!("2020-01-0{day}T00-00-00Z.json")), result(held, failed, side).to_string())
            .unwrap();
    };
    night(1, 100.0, 102.0, "server");
    night(2, 200.0, 204.0, "server");
    // The last night had no answer.
    fs::write(results.join("2020-01-03T00-00-00Z.json"), json!({"held": null, "by": "rate"}).to_string()).unwrap();
    for (now, code, expected, line) in [
        (result(203.0, 207.0, "server"), 0, 0, "203/s (207/s failed); last time 200/s (204/s failed): +1.5 %, the intervals overlap"),
        (result(150.0, 153.0, "server"), 99, 99, "150/s (153/s failed); last time 200/s (204/s failed): -25 %"),
        (
            result(150.0, 153.0, "client"),
            99,
            98,
            "at least 150/s (153/s failed; limit: client); last time 200/s (204/s failed): -25 %, the intervals overlap",
        ),
    ] {
        folder.write("service", &now.to_string());
        let mut command = script("nightly.sh");
        command.args(["http://h/service", "180/s", "errors<1%"]).env("RESULTS", &results);
        let ran = finish_with(command, &folder, code);
        assert_eq!(ran.code, expected, "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.ends_with(&format!(" http://h/service: {line}; asked for 180/s\n")), "{}", ran.stdout);
        for entry in fs::read_dir(&results).expect("results").filter_map(Result::ok) {
            if !entry.file_name().to_string_lossy().starts_with("2020") {
                fs::remove_file(entry.path()).expect("this night's");
            }
        }
    }
}

#[test]
fn workers_has_a_row_for_each_number() {
    let mut command = script("workers.sh");
    command.args(["1", "2"]).env("THRESHOLD", "errors<1%");
    let ran = finish(command);
    // On a machine that is busy with other things a search may end without an answer, which is a row, too.
    assert!(matches!(ran.code, 0 | 1), "{}\n{}", ran.stdout, ran.stderr);
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["WORKERS", "CAPACITY", "INTERVAL", "P99", "LIMITED", "BY"], "{}", ran.stdout);
    assert_eq!((rows[2][0], rows[3][0]), ("1", "2"), "{}", ran.stdout);
    let has_no_answer = rows[2..4].iter().any(|row| row[1] == "none");
    assert!(ran.code == 0 || has_no_answer, "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn before_after_tells_a_service_from_a_weaker_one() {
    let port = closed_port();
    let server = format!("'{}' target --listen 127.0.0.1:{port} --cpus 0", binary().display());
    let base = format!("http://127.0.0.1:{port}");
    let mut command = script("before_after.sh");
    let (before, after) = (format!("{base}/limit/400/hello/x"), format!("{base}/limit/50/hello/x"));
    command.args([&server, &server, &before, &after]).env("ROUNDS", "1").env("THRESHOLD", "errors<1%");
    let ran = finish(command);
    let last = ran.stdout.lines().last().unwrap_or_default();
    // A machine that is busy with other tests may be the limit, and then nothing is claimed.
    match ran.code {
        99 => assert!(last.starts_with("B is lower by "), "{}", ran.stdout),
        98 => assert!(last.starts_with("It cannot be told: "), "{}", ran.stdout),
        other => panic!("{other}: {}\n{}", ran.stdout, ran.stderr),
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the server is still there");
}

#[test]
fn before_after_claims_a_change_only_where_intervals_lie_apart() {
    let folder = Folder::new();
    let port = closed_port();
    let server = format!("'{}' target --listen 127.0.0.1:{port} --cpus 0", binary().display());
    folder.write("a", &result(200.0, 204.0, "server").to_string());
    for (b, code, last) in [
        (result(203.0, 207.0, "server"), 0, "No change can be seen: the intervals overlap."),
        (result(250.0, 255.0, "server"), 0, "B is higher by 25 % (medians)."),
        (result(150.0, 153.0, "server"), 99, "B is lower by 25 % (medians)."),
        (result(150.0, 153.0, "client"), 98, "It cannot be told: in 1 searches the limit was not clearly the server."),
    ] {
        folder.write("b", &b.to_string());
        let mut command = script("before_after.sh");
        let (before, after) = (format!("http://127.0.0.1:{port}/hello/a"), format!("http://127.0.0.1:{port}/hello/b"));
        command.args([&server, &server, &before, &after]).env("ROUNDS", "1");
        let ran = finish_with(command, &folder, 0);
        assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(lines[1], "  1  A  200/s (204/s failed; limit: server)  p99 4.32 ms");
        assert_eq!(lines[3], "A  median 200/s, from 200/s to 204/s");
        assert_eq!(lines[5], last);
    }
}

#[test]
fn a_server_that_does_not_start_and_wrong_usage_are_told() {
    let mut command = script("before_after.sh");
    command.args(["false", "false", &format!("http://127.0.0.1:{}/", closed_port())]);
    let ran = finish(command);
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("A (false) does not answer at "), "{}", ran.stderr);
    for (name, arguments) in
        [("nightly.sh", &["http://h/"][..]), ("workers.sh", &["0"]), ("before_after.sh", &["a", "b"])]
    {
        let mut command = script(name);
        command.args(arguments);
        let ran = finish(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("usage: {name} ")), "{}", ran.stderr);
    }
}
