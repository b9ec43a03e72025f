//! `pummel compare`: the real binary with summaries, with what other tools have left, and side by side with a stand-in for hrp.

#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use load::{binary, target, url, Folder};
use serde_json::{json, Value};

/// What a run of the binary left.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn compare_in(folder: &Folder, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
    let mut command = Command::new(binary());
    command.arg("compare").args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    change(&mut command);
    let output = command.output().expect("the binary starts");
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    };
    assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {}", ran.stderr);
    ran
}

fn compare(folder: &Folder, arguments: &[&str]) -> Ran {
    compare_in(folder, arguments, |_| {})
}

/// A summary of 30 seconds at this rate, one step, latencies all the same.
fn summary(step: &str, rps: u64, latency_us: u64, failures: u64) -> String {
    let (seconds, requests) = (30, 30 * rps);
    let samples = requests - failures;
    let us = json!({
        "count": samples, "min": latency_us, "mean": latency_us, "stddev": 0.0, "p50": latency_us, "p75": latency_us,
        "p90": latency_us, "p95": latency_us, "p99": latency_us, "p99_9": latency_us, "p99_99": latency_us, "max": latency_us,
    });
    let series: Vec<Value> =
        (0..seconds).map(|t_s| json!({"t_s": t_s, "requests": rps, "failures": failures / seconds})).collect();
    json!({
        "schema": "pummel.summary/1",
        "run": {"model": "closed", "load_s": 30.0, "duration_s": 30.0},
        "totals": {"requests": requests, "failures": failures, "rps": rps as f64, "service_us": us},
        "steps": [{
            "case": "shop", "type": "request-GET", "name": step, "requests": requests, "failures": failures,
            "rps": rps as f64, "service_us": us,
        }],
        "series": series,
    })
    .to_string()
}

/// Three summaries each of a baseline and of another, in files of these names: `a1` to `a3`, `b1` to `b3`.
fn two_times_three(a: [(u64, u64); 3], b: [(u64, u64); 3]) -> Folder {
    let folder = Folder::new();
    for (name, runs) in [("a", a), ("b", b)] {
        for (at, (rps, latency_us)) in runs.into_iter().enumerate() {
            folder.write(&format!("{name}{}.json", at + 1), &summary("login", rps, latency_us, 0));
        }
    }
    folder
}

const A: &str = "a1.json,a2.json,a3.json";
const B: &str = "b1.json,b2.json,b3.json";

fn verdict(json: &Value, row: &str, figure: &str) -> Value {
    let figures = json.pointer(&format!("/comparisons/0/{row}/figures")).and_then(Value::as_array).expect("figures");
    figures.iter().find(|judgement| judgement["figure"] == figure).expect("the figure")["verdict"].clone()
}

#[test]
fn three_runs_each_are_judged_by_their_spread() {
    let folder =
        two_times_three([(1000, 5_000), (1010, 5_010), (990, 4_990)], [(1500, 10_000), (1510, 10_010), (1490, 9_990)]);
    let ran = compare(&folder, &[A, B, "--name", "main", "--name", "branch", "--json", "c.json", "--markdown", "c.md"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    for text in [
        "A  main    pummel summary, 3 runs, 90000 requests, 0.0% failed",
        "GET login, A and B",
        "+100.0%",
        "worse",
        "better",
    ] {
        assert!(ran.stdout.contains(text), "{text} is not in\n{}", ran.stdout);
    }
    let json: Value = serde_json::from_slice(&fs::read(folder.path().join("c.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], "pummel.comparison/1");
    for row in ["steps/0", "all_requests"] {
        assert_eq!(verdict(&json, row, "rps"), "better");
        assert_eq!(verdict(&json, row, "p99_us"), "worse");
        assert_eq!(verdict(&json, row, "max_us"), "worse");
        assert_eq!(verdict(&json, row, "failure_ratio"), "no_change");
    }
    assert_eq!(json["comparisons"][0]["steps"][0]["figures"][0]["difference_percent"], 50.0);
    let markdown = fs::read_to_string(folder.path().join("c.md")).unwrap();
    assert!(markdown.contains("| GET login | RPS | 1000.0 | 1500.0 | +50.0% |"), "{markdown}");
}

#[test]
fn limits_decide_the_exit_code() {
    let folder =
        two_times_three([(1000, 5_000), (1010, 5_010), (990, 4_990)], [(900, 6_000), (901, 6_010), (899, 5_990)]);
    let code = |more: &[&str]| compare(&folder, &[&[A, B], more].concat()).code;
    assert_eq!(code(&["--fail-if", "p99 +10%"]), 99);
    assert_eq!(code(&["--fail-if", "login:p99 +10%"]), 99);
    assert_eq!(code(&["--fail-if", "p99 +30%"]), 0);
    assert_eq!(code(&["--fail-if", "rps -5%"]), 99);
    assert_eq!(code(&["--fail-if", "rps -15%", "--fail-if", "errors +0.1%"]), 0);
    let ran = compare(&folder, &[A, B, "--fail-if", "p99 +10%"]);
    assert!(ran.stdout.contains("BROKEN      p99 +10%  B: +20.0% (95% interval +"), "{}", ran.stdout);

    let unjudged = ["a1.json", "b1.json", "--fail-if", "p99 +10%"];
    let ran = compare(&folder, &unjudged);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("--fail-if 'p99 +10%' cannot be judged for b1.json: not enough data"),
        "{}",
        ran.stderr
    );
    assert_eq!(compare(&folder, &[&unjudged[..], &["--strict"]].concat()).code, 99);
    // The rate of one run each is judged by its 30 seconds.
    assert_eq!(compare(&folder, &["a1.json", "b1.json", "--fail-if", "rps -5%"]).code, 99);
}

#[test]
fn failures_are_counted_in_points() {
    let folder = Folder::new();
    folder.write("a.json", &summary("login", 1000, 5_000, 0));
    folder.write("b.json", &summary("login", 1000, 5_000, 300));
    let ran = compare(&folder, &["a.json", "b.json", "--fail-if", "errors +0.5%"]);
    assert_eq!(ran.code, 99, "{}", ran.stdout);
    assert!(ran.stdout.contains("+1.00 points"), "{}", ran.stdout);
    assert_eq!(compare(&folder, &["a.json", "b.json", "--fail-if", "errors +1%"]).code, 0);
}

#[test]
fn the_json_goes_to_stdout_where_asked_for() {
    let folder = two_times_three([(1000, 5_000); 3], [(1000, 5_000); 3]);
    let ran = compare(&folder, &[A, B, "--json", "-"]);
    let json: Value = serde_json::from_str(&ran.stdout).expect("only JSON is on stdout");
    assert_eq!(verdict(&json, "all_requests", "p99_us"), "no_change");
    assert!(ran.stderr.contains("Comparison"), "{}", ran.stderr);
}

const WRK: &str = "\
Running 30s test @ http://127.0.0.1:8080/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.45ms    7.30ms 667.25ms   99.09%
    Req/Sec     0.91M   168.04k    2.40M    71.13%
  Latency Distribution
     50%    1.06ms
     75%    1.80ms
     90%    2.82ms
     99%    7.62ms
  30000 requests in 30.00s, 128.00MB read
Requests/sec:   1000.00
Transfer/sec:      4.27MB
";

const LOCUST: &str = "\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,login,900,9,40,50,10,300,1200,30.0,0.3,40,45,50,60,70,80,90,100,200,300,300
POST,order,900,0,40,50,10,300,1200,30.0,0.0,40,45,50,60,70,80,90,100,200,300,300
,Aggregated,1800,9,40,50,10,300,1200,60.0,0.3,40,45,50,60,70,80,90,100,200,300,300
";

#[test]
fn what_other_tools_left_is_a_baseline() {
    let folder = Folder::new();
    folder.write("wrk.txt", WRK);
    folder.write("locust_stats.csv", LOCUST);
    folder.write("ours.json", &summary("login", 2000, 500, 0));
    let oha = json!({
        "summary": {"total": 30.0, "requestsPerSec": 500.0, "average": 0.002, "slowest": 0.05},
        "latencyPercentiles": {"p50": 0.001, "p90": 0.002, "p95": 0.003, "p99": 0.004},
        "statusCodeDistribution": {"200": 15000}, "errorDistribution": {},
    });
    folder.write("oha.json", &oha.to_string());
    let k6 = json!({"metrics": {
        "http_reqs": {"count": 3000, "rate": 100.0}, "http_req_failed": {"passes": 30, "fails": 2970, "value": 0.01},
        "http_req_duration": {"avg": 5.0, "med": 4.0, "p(90)": 8.0, "p(95)": 9.0, "max": 20.0},
    }});
    folder.write("k6.json", &k6.to_string());

    let ran = compare(&folder, &["wrk.txt", "ours.json", "oha.json", "k6.json", "locust_stats.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for text in [
        "A  wrk.txt           wrk, 1 run, 30000 requests, 0.0% failed",
        "C  oha.json          oha, 1 run, 15000 requests, 0.0% failed",
        "D  k6.json           k6, 1 run, 3000 requests, 1.0% failed",
        "E  locust_stats.csv  Locust, 1 run, 1800 requests, 0.5% failed",
        "All requests, A and B",
        "7.62 ms",
        "not enough data",
    ] {
        assert!(ran.stdout.contains(text), "{text} is not in\n{}", ran.stdout);
    }

    let ran = compare(&folder, &["locust_stats.csv", "ours.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("GET login, A and B") && ran.stdout.contains("Only in A\n  POST order\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn runs_of_nothing_in_common_end_with_1() {
    let folder = Folder::new();
    folder.write("a.json", &summary("login", 1000, 5_000, 0));
    folder.write("b.json", &summary("logout", 1000, 5_000, 0));
    let ran = compare(&folder, &["a.json", "b.json"]);
    assert_eq!(ran.code, 1);
    for text in ["Only in A\n  shop: GET login\n", "Only in B\n  shop: GET logout\n", "A and B have no step in common"]
    {
        assert!(ran.stdout.contains(text), "{text} is not in\n{}", ran.stdout);
    }
}

#[test]
fn a_run_is_found_by_whatever_it_was_labelled() {
    let (target, folder) = (target(), Folder::new());
    let db = folder.path().join("runs.db").display().to_string();
    let pummel = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).args(["--store", &db]).output().expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    pummel(&["hit", &url(&target, "/hello/a"), "-n", "20", "-c", "1"]);
    for label in ["v1.2", "feature/x", "before, after", "a.json"] {
        pummel(&["runs", "label", "last", label]);
        let ran = compare(&folder, &["last", label, "--store", &db]);
        assert_eq!(ran.code, 0, "{label}: {}", ran.stderr);
        assert!(ran.stdout.contains(label), "{}", ran.stdout);
    }
    // A file comes first.
    folder.write("a.json", "hello\n");
    let ran = compare(&folder, &["last", "a.json", "--store", &db]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("a.json: is of no known form"), "{}", ran.stderr);
}

#[test]
fn bad_input_says_what_is_wrong() {
    let folder = Folder::new();
    folder.write("a.json", &summary("login", 1000, 5_000, 0));
    folder.write("notes.txt", "hello\n");
    folder.write("empty.txt", "");
    folder.write("capacity.json", "{\"schema\": \"pummel.capacity/1\"}");
    folder.write("cut.json", "{\"schema\": \"pummel.summ");
    let refused = |arguments: &[&str], parts: &[&str]| {
        let ran = compare(&folder, arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{arguments:?}: \"{part}\" is not in\n{}", ran.stderr);
        }
    };
    refused(&[], &["RUN"]);
    refused(&["a.json"], &["one contender alone cannot be compared"]);
    refused(&["a.json", "missing.json"], &["missing.json: no such file"]);
    refused(&["a.json", "20261122-015220-4f2a"], &["20261122-015220-4f2a: there is no such file"]);
    refused(&["a.json", "a.json,,a.json"], &["names a run that has no name"]);
    refused(
        &["a.json", "notes.txt"],
        &["notes.txt: is of no known form", "hrp boom", "wrk", "oha", "k6", "_stats.csv"],
    );
    refused(&["a.json", "empty.txt"], &["empty.txt: is empty"]);
    refused(&["a.json", "capacity.json"], &["has the schema \"pummel.capacity/1\""]);
    refused(&["a.json", "cut.json"], &["cut.json: is not whole JSON"]);
    refused(&["a.json", "."], &["is a folder"]);
    refused(&["a.json", "a.json", "--fail-if", "p99"], &["--fail-if", "'p99 +10%'"]);
    refused(&["a.json", "a.json", "--fail-if", "lgoin:p99 +5%"], &["no contender has a step \"lgoin\"", "login"]);
    refused(&["a.json", "a.json", "--strict"], &["--fail-if"]);
    refused(&["a.json", "a.json", "--name", "1", "--name", "2", "--name", "3"], &["3 names (--name) for 2 contenders"]);
    refused(&["a.json", "a.json", "--json", "/nonexistent/c.json"], &["--json /nonexistent/c.json: cannot be written"]);
    refused(
        &["a.json", "a.json", "--markdown", "/nonexistent/c.md"],
        &["--markdown /nonexistent/c.md: cannot be written"],
    );
    refused(&["--rounds", "0", "--against", "hrp", "--", "a.yml", "--run-time", "1"], &["--rounds"]);
    refused(&["--against", "hrp"], &["--against"]);
    refused(&["--against", "hrp", "--", "a.yml"], &["the load has no end", "--run-time"]);
    let quiet = ["--against", "hrp", "--", "a.yml", "--run-time", "1", "--disable-console-output"];
    refused(&quiet, &["hrp then says nothing"]);
}

/// A stand-in for hrp: it writes what hrp writes, to the streams it does, and keeps what it was asked for.
const STAND_IN: &str = "#!/bin/sh
echo \"$@\" >> \"$ASKED\"
grep THP_enabled /proc/self/status > \"$ASKED.pages\"
echo 'Current time: 2026/11/22 01:52:20, Users: 2, State: running, Total RPS: 50.0' >&2
echo 'Accumulated Transactions: 50 Passed, 0 Failed' >&2
echo '|    TYPE     | NAME  | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN | MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |'
echo '| request-GET | hello |         50 |       0 |      5 |    5.50 |   1 |   9 |            4 |      16.67 |        0.00 |'
echo '=========================================== Statistics Summary ==========================================' >&2
echo 'Current time: 2026/11/22 01:52:21, Users: 2, Duration: 1s, Accumulated Transactions: 50 Passed, 0 Failed' >&2
echo '| NAME  | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN | MAX | CONTENT SIZE | # REQS/SEC | # FAILS/SEC |'
echo '| Total |         50 |       0 |      5 |    5.50 |   1 |   9 |            4 |      50.00 |        0.00 |'
";

fn stand_in(folder: &Folder, script: &str) {
    fs::create_dir(folder.path().join("bin")).unwrap();
    let program = folder.write("bin/hrp", script);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it with the stand-in on the PATH and a folder for temporary files of its own, which is empty afterwards.
fn against(folder: &Folder, arguments: &[&str]) -> Ran {
    let temporary = folder.path().join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let ran = compare_in(folder, arguments, |command| {
        let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
        command.env("PATH", path).env("ASKED", folder.path().join("asked")).env("TMPDIR", &temporary);
    });
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new(), "what it left");
    ran
}

fn case(folder: &Folder, url: &str) -> String {
    folder.write(
        "case.yml",
        &format!("config: {{name: demo}}\nteststeps:\n  - name: hello\n    request: {{method: GET, url: '{url}'}}\n"),
    )
}

#[test]
fn both_tools_run_by_turns_with_the_same_flags() {
    let (folder, target) = (Folder::new(), target());
    stand_in(&folder, STAND_IN);
    let case = case(&folder, &url(&target, "/"));
    let flags = ["--spawn-count", "2", "--spawn-rate", "100", "--loop-count", "50"];
    let ran = against(&folder, &[&["--against", "hrp", "--json", "c.json", "--", &case], &flags[..]].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let turns = ["1 of 3: hrp", "1 of 3: pummel", "2 of 3: pummel", "2 of 3: hrp", "3 of 3: hrp", "3 of 3: pummel"];
    // hrp finds what a shell would give it: no setting that Pummel makes for itself.
    let pages = fs::read_to_string(folder.path().join("asked.pages")).unwrap();
    assert!(
        fs::read_to_string("/proc/self/status").unwrap().contains(pages.trim()) && pages.starts_with("THP"),
        "{pages}"
    );
    let seen: Vec<&str> =
        ran.stderr.lines().filter_map(|line| line.strip_prefix("round ")?.strip_suffix(" boom")).collect();
    assert_eq!(seen, turns);
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let expected = format!("boom {case} {}", flags.join(" "));
    assert_eq!(asked.lines().collect::<Vec<_>>(), [&expected[..]; 3]);
    let json: Value = serde_json::from_slice(&fs::read(folder.path().join("c.json")).unwrap()).unwrap();
    assert_eq!((&json["contenders"][0]["name"], &json["contenders"][0]["requests"]), (&json!("hrp boom"), &json!(150)));
    assert_eq!(
        (&json["contenders"][1]["name"], &json["contenders"][1]["requests"]),
        (&json!("pummel boom"), &json!(300))
    );
    assert_eq!(json["comparisons"][0]["steps"][0]["name"], "hello");
    assert_eq!(json["comparisons"][0]["steps"][0]["figures"][0]["baseline"], 50.0);
}

#[test]
fn a_tool_that_fails_is_quoted_and_one_that_is_missing_said() {
    let folder = Folder::new();
    let arguments = ["--against", "hrp", "--", "case.yml", "--run-time", "1"];
    let ran = against(&folder, &arguments);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("hrp is not installed"), "{}", ran.stderr);

    stand_in(&folder, "#!/bin/sh\necho 'load test case failed: no such file' >&2\nexit 10\n");
    let ran = against(&folder, &arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in ["hrp boom in round 1 (exit status: 10)", "load test case failed: no such file"] {
        assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
    }
}

#[test]
fn an_interruption_ends_both_and_leaves_nothing() {
    let folder = Folder::new();
    stand_in(&folder, "#!/bin/sh\necho $$ > \"$ASKED\"\ntrap 'exit 3' INT\nwhile :; do sleep 0.1; done\n");
    let temporary = folder.path().join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let asked = folder.path().join("asked");
    let mut child = Command::new(binary())
        .args(["compare", "--against", "hrp", "--", "case.yml", "--run-time", "100"])
        .current_dir(folder.path())
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()))
        .env("ASKED", &asked)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while fs::read_to_string(&asked).unwrap_or_default().trim().is_empty() {
        assert_eq!(child.try_wait().unwrap(), None, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let hrp: u32 = fs::read_to_string(&asked).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let code = child.wait().unwrap().code();
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("interrupted in round 1: nothing is compared"), "{stderr}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!Path::new(&format!("/proc/{hrp}")).exists(), "the tool has ended");
}
