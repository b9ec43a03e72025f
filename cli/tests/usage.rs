//! Wrong usage ends with 2 and a sentence that names the flag and says what to do; nothing a user types panics.

mod common;
#[path = "common/temp_file.rs"]
mod temp_file;

use std::{io::Read, process::Stdio};

use common::{pummel, run};
use temp_file::TempFile;

/// Runs a command line that is wrong and checks its code, its text, and that stdout stays empty.
fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let ran = run(args);
    assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{args:?}");
    for part in parts {
        assert!(ran.stderr.contains(part), "{args:?}: \"{part}\" is not in\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
}

const URL: &str = "http://127.0.0.1:1/";

#[test]
fn values_out_of_range_name_their_flag() {
    refused(&["hit", URL, "-c", "0"], 2, &["--connections", "at least 1"]);
    refused(&["hit", URL, "-c", "-1"], 2, &["--connections"]);
    refused(&["hit", URL, "-n", "0"], 2, &["--requests", "at least 1"]);
    refused(&["hit", URL, "--max-rps", "0"], 2, &["--max-rps", "above zero"]);
    refused(&["hit", URL, "-d", "0"], 2, &["--duration", "above zero"]);
    refused(&["hit", URL, "-d", "10x"], 2, &["--duration", "unknown unit \"x\"", "500ms, 30s, 2m"]);
    refused(&["hit", URL, "--timeout", "0"], 2, &["--timeout", "above zero"]);
    refused(&["hit", URL, "--cores", "0"], 2, &["--cores", "at least 1"]);
    refused(&["boom", "a.yml", "--spawn-count", "0"], 2, &["--spawn-count", "at least 1"]);
    refused(&["boom", "a.yml", "--spawn-count", "1000001"], 2, &["--spawn-count", "1000000"]);
    refused(&["boom", "a.yml", "--spawn-rate", "0"], 2, &["--spawn-rate", "above zero"]);
    refused(&["boom", "a.yml", "--loop-count", "few"], 2, &["--loop-count"]);
    refused(&["boom", "a.yml", "-e", "name"], 2, &["--env", "NAME=value"]);
}

#[test]
fn credentials_that_are_wrong_are_not_repeated() {
    for auth in ["s3cret", "ntlm:anna:s3cret", "basic:s3cret"] {
        refused(&["hit", URL, "--auth", auth], 2, &["--auth ", "basic:USER:PASSWORD"]);
        refused(&["boom", "a.yml", "--auth", auth], 2, &["--auth "]);
        assert!(!run(&["run", "a.yml", "--auth", auth]).stderr.contains("s3cret"));
    }
}

#[test]
fn flags_that_contradict_a_unix_socket_are_refused() {
    let socket = ["hit", URL, "-n", "1", "--unix-socket", "/nonexistent/socket"];
    let refused = |more: &[&str], parts: &[&str]| refused(&[&socket, more].concat(), 2, parts);
    refused(&["--proxy", "http://127.0.0.1:1"], &["--unix-socket with a proxy", "unix:/PATH"]);
    refused(&["--source-ip", "127.0.0.2"], &["--source-ip with --unix-socket"]);
}

#[test]
fn urls_that_cannot_be_loaded_say_why() {
    refused(&["hit", "127.0.0.1:8080/a"], 2, &["did you mean http://127.0.0.1:8080/a"]);
    refused(&["hit", "http://127.0.0.1:0/"], 2, &["port 0"]);
    refused(&["hit", "http://"], 2, &["URL"]);
    refused(&["hit"], 2, &["<URL>"]);
    refused(&["boom", "a.yml", "--base-url", "ftp://h"], 2, &["--base-url", "only http:// and https://"]);
}

#[test]
fn requests_that_cannot_be_sent_say_why() {
    refused(&["hit", URL, "-H", "foo"], 2, &["--header", "'Name: value'"]);
    refused(&["hit", URL, "-H", "a: b\r\nc: d"], 2, &["control character"]);
    refused(&["hit", URL, "-m", "G E T"], 2, &["--method"]);
    refused(&["hit", URL, "-b", "@/nonexistent/body"], 2, &["/nonexistent/body: no such file", "--body"]);
    refused(&["hit", "--urls", "/nonexistent/urls"], 2, &["/nonexistent/urls: no such file"]);
    let list = TempFile::new("urls.txt", "# two\nhttp://127.0.0.1:1/\nftp://127.0.0.1/\n");
    refused(&["hit", "--urls", list.path()], 2, &["urls.txt:3:", "only http://"]);
    let empty = TempFile::new("empty.txt", "# none\n");
    refused(&["hit", "--urls", empty.path()], 2, &["holds no URL"]);
    refused(&["hit", URL, "--urls", empty.path()], 2, &["--urls", "cannot be used with"]);
}

#[test]
fn cpus_that_are_not_there_are_named() {
    refused(&["hit", URL, "--cpus", "0,0"], 2, &["--cpus", "CPU 0 is given twice"]);
    refused(&["hit", URL, "--cpus", "2-1"], 2, &["--cpus", "write 1-2"]);
    refused(&["hit", URL, "--cpus", "-1"], 2, &["--cpus", "not a CPU number"]);
    refused(&["hit", URL, "--cpus", "8191"], 2, &["CPU 8191", "it may use"]);
    refused(&["hit", URL, "--cores", "8192"], 2, &["--cores 8192", "it may use"]);
    refused(&["hit", URL, "--cores", "1", "--cpus", "0"], 2, &["cannot be used with"]);
}

#[test]
fn flags_of_hrp_that_are_not_built_say_so() {
    for (flags, name) in [
        (&["--master"][..], "--master"),
        (&["--worker"], "--worker"),
        (&["--expect-workers", "2"], "--expect-workers"),
        (&["--master-bind-port=5557"], "--master-bind-port"),
        (&["--request-increase-rate", "10/1s"], "--request-increase-rate"),
    ] {
        let mut args = vec!["boom", "a.yml"];
        args.extend(flags);
        refused(&args, 2, &[&format!("{name} is not built yet")]);
    }
}

#[test]
fn flags_of_hrp_with_its_defaults_change_nothing() {
    // The case is missing, which is what is said: the flags before it were all taken.
    let ran = run(&[
        "boom",
        "/nonexistent/case.yml",
        "--request-increase-rate",
        "-1",
        "--prometheus-gateway",
        "",
        "--master=false",
        "--disable-keepalive=false",
        "--disable-compression",
        "--cpu-profile",
        "cpu.prof",
        "--cpu-profile-duration",
        "30s",
        "--mem-profile=mem.prof",
        "--loop-count",
        "-1",
        "--max-rps",
        "0",
        "--run-time",
        "30",
        "--log-level",
        "DEBUG",
        "--log-json",
        "--venv",
        "/nonexistent",
    ]);
    assert_eq!(ran.code, 10, "{}", ran.stderr);
    for part in ["--cpu-profile is ignored", "--mem-profile is ignored", "/nonexistent/case.yml"] {
        assert!(ran.stderr.contains(part), "\"{part}\" is not in\n{}", ran.stderr);
    }
}

#[test]
fn flags_of_hrp_run_are_taken_or_refused_with_a_reason() {
    refused(&["run", "a.yml", "--proxy-url", "http://a:1", "--proxy", "http://b:1"], 2, &["--proxy", "cannot be used"]);
    refused(&["run", "a.yml", "--case-timeout", "0"], 2, &["--case-timeout", "above zero"]);
    refused(&["run", "a.yml", "--max-redirects", "101"], 2, &["--max-redirects", "0..=100"]);
    refused(&["run", "a.yml", "--url-compat", "hrp"], 2, &["--url-compat", "exact, hrp436"]);
    refused(&["run"], 2, &["<PATH>"]);
    refused(&["run", "a.yml", "--json", "/nonexistent/a.json"], 10, &["a.yml"]);
    // The case is missing, which is what is said: the flags before it were all taken.
    let ran = run(&["run", "/nonexistent/case.yml", "-csg", "--log-requests-off", "--http-stat", "--log-plugin"]);
    assert_eq!(ran.code, 10, "{}", ran.stderr);
    assert!(ran.stderr.contains("/nonexistent/case.yml"), "{}", ran.stderr);
}

#[test]
fn flags_of_functions_have_bounds() {
    for command in ["boom", "run"] {
        refused(&[command, "a.yml", "--plugin-workers", "0"], 2, &["--plugin-workers", "1..=64"]);
        refused(&[command, "a.yml", "--plugin-workers", "65"], 2, &["--plugin-workers", "1..=64"]);
        refused(&[command, "a.yml", "--plugin-threads", "1025"], 2, &["--plugin-threads", "1..=1024"]);
        refused(&[command, "a.yml", "--plugin-timeout", "0"], 2, &["--plugin-timeout", "above zero"]);
        refused(&[command, "a.yml", "--plugin-runner", "hrp"], 2, &["--plugin-runner", "own, funppy"]);
        let ran = run(&[
            command,
            "/nonexistent/case.yml",
            "--venv",
            "/nonexistent",
            "--install-deps",
            "--plugin-workers",
            "64",
        ]);
        assert_eq!(ran.code, 10, "{}", ran.stderr);
    }
}

#[test]
fn words_nobody_knows_are_met_with_the_nearest_one() {
    refused(&["bom"], 2, &["boom"]);
    refused(&["boom", "a.yml", "--spawn-cont", "1"], 2, &["--spawn-count"]);
    refused(&["boom"], 2, &["<PATH>"]);
    refused(&["boom", "a.yml", "--log-level", "loud"], 2, &["loud", "warn"]);
    refused(&["boom", "a.yml", "--rate-unit", "hour"], 2, &["request", "iteration"]);
    refused(&["target", "--listen", "8080"], 2, &["--listen"]);
}

#[test]
fn a_missing_case_or_env_file_has_hrps_code() {
    refused(&["boom", "/nonexistent/case.yml"], 10, &["/nonexistent/case.yml"]);
    refused(&["boom", "a.yml", "--env-file", "/nonexistent/.env"], 13, &["/nonexistent/.env: no such file"]);
    let env = TempFile::new("wrong.env", "GOOD=1\nnothing\n");
    refused(&["boom", "a.yml", "--env-file", env.path()], 13, &["wrong.env"]);
}

#[test]
fn a_profile_that_is_wrong_says_where() {
    refused(
        &["boom", "a.yml", "--profile", "/nonexistent/p.yml"],
        10,
        &["/nonexistent/p.yml: no such file", "--profile"],
    );
    refused(&["boom", "a.yml", "--profile", "p.ini"], 16, &["p.ini: a profile is a .yml, .yaml or .json file"]);
    let bad = TempFile::new("p.yml", "spawn-count: 4\nspawn-rate: fast\n");
    refused(&["boom", "a.yml", "--profile", bad.path()], 2, &["p.yml:2:13: spawn-rate \"fast\" is not a number"]);
    let broken = TempFile::new("q.json", "{");
    refused(&["boom", "a.yml", "--profile", broken.path()], 11, &["q.json:1:1: not a JSON object"]);
    let later = TempFile::new("r.yml", "request-increase-rate: 5\n");
    refused(&["boom", "a.yml", "--profile", later.path()], 2, &["--request-increase-rate is not built yet"]);
    let unknown = TempFile::new("s.yml", "spawn_count: 5\n");
    refused(
        &["boom", "/nonexistent/case.yml", "--profile", unknown.path()],
        10,
        &["s.yml:1:14: unknown key \"spawn_count\"", "/nonexistent/case.yml"],
    );
}

#[test]
fn a_json_file_that_cannot_be_written_costs_no_run() {
    refused(&["hit", URL, "--json", "/nonexistent/a.json"], 2, &["--json /nonexistent/a.json: cannot be written"]);
}

#[test]
fn diagnostics_have_colour_on_a_terminal_only() {
    let ran = run(&["boom", "/nonexistent/case.yml"]);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}

#[test]
fn a_closed_stdout_is_no_failure() {
    for args in [&["doctor"][..], &["--help"], &["man"], &["completions", "bash"]] {
        let mut child = pummel(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        assert!(matches!(code, Some(0 | 1)), "{args:?}: {code:?}");
    }
}
