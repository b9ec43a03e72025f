//! What can go wrong with a `debugtalk.py`, with the real binary and a real Python: each is a clear error or is recovered from, and
//! every request is accounted for.

#[path = "common/functions.rs"]
mod functions;
#[path = "common/load.rs"]
mod load;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use functions::{wait_until, Project};
use load::{start_as, target, url, Run};
use pummel_target::Target;

/// One step that calls `f` with these arguments in its URL.
fn calling(functions: &str, arguments: &str) -> (Target, Project) {
    let target = target();
    let steps = format!("- {{name: a, request: {{method: GET, url: \"/hello/${{f({arguments})}}\"}}}}\n");
    let project = Project::new(functions, &url(&target, ""), &steps);
    (target, project)
}

/// Three users, four iterations each.
const LOAD: [&str; 6] = ["--spawn-count", "3", "--spawn-rate", "100", "--loop-count", "4"];

/// The run of a function that fails in each call: what is said of it, and how.
fn assert_fails_in_each_call(functions: &str, arguments: &str, kind: &str, said: &str) {
    let (target, project) = calling(functions, arguments);
    let run = project.run("boom", &LOAD);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures"), run.errors(kind)),
        (12, 12, 12),
        "{:#}",
        run.summary["errors"]
    );
    let errors = run.summary["errors"].to_string();
    assert!(errors.contains(said), "{errors}");
    assert_eq!(run.number("/plugin/errors"), 12);
    assert_eq!(target.stop().requests, 0, "none was sent");
    assert_eq!(project.processes().len(), 0);

    let once = project.run("run", &[]);
    assert_eq!(once.code, 23, "{}\n{}", once.stdout, once.stderr);
    assert!(once.stdout.contains(said), "{}", once.stdout);
}

#[test]
fn an_exception_is_named_with_its_function_and_its_last_line() {
    let functions = "def f():\n    raise ValueError('no luck')\n";
    assert_fails_in_each_call(
        functions,
        "",
        "function",
        "call function f failed: ValueError: no luck (debugtalk.py:2)",
    );
    // The process is the same after it.
    let (_target, project) = calling(functions, "");
    assert_eq!(project.run("boom", &LOAD).number("/plugin/processes/0/restarts"), 0);
}

#[test]
fn a_wrong_number_of_arguments() {
    assert_fails_in_each_call(
        "def f(a, b):\n    return a\n",
        "1",
        "function",
        "f() missing 1 required positional argument",
    );
}

#[test]
fn a_result_that_is_no_json() {
    assert_fails_in_each_call("def f():\n    return object()\n", "", "function", "call function f failed");
}

#[test]
fn sys_exit_in_a_function_is_the_function_s_failure() {
    assert_fails_in_each_call("import sys\n\ndef f():\n    sys.exit(3)\n", "", "function", "SystemExit: 3");
}

/// Both commands refuse it with this code, and say so.
fn assert_refused(project: &Project, flags: &[&str], code: i32, said: &[&str]) {
    for command in ["boom", "run"] {
        let run = project.run(command, flags);
        assert_eq!(run.code, code, "{}", run.stderr);
        for part in said {
            assert!(run.stderr.contains(part), "{part} is not in\n{}", run.stderr);
        }
        assert!(run.summary.is_null() && !run.stderr.contains("panicked"), "{}", run.stderr);
        assert_eq!(project.processes().len(), 0);
    }
}

#[test]
fn a_file_that_is_no_python() {
    let (_target, project) = calling("def f():\n    return 1\n\ndef g(:\n    return 2\n", "");
    assert_refused(&project, &[], 18, &["debugtalk.py:4", "SyntaxError"]);
}

#[test]
fn a_file_that_fails_when_it_is_imported() {
    let (_target, project) = calling("import no_such_module\n\ndef f():\n    return 1\n", "");
    assert_refused(&project, &[], 31, &["debugtalk.py:1", "No module named 'no_such_module'"]);
    let (_target, project) = calling("import sys\nsys.exit('not today')\n", "");
    assert_refused(&project, &[], 31, &["not today"]);
}

#[test]
fn a_go_plugin_of_the_wrong_kind() {
    let (_target, project) = calling("", "");
    fs::rename(project.path("debugtalk.py"), project.path("debugtalk.so")).unwrap();
    assert_refused(&project, &[], 18, &["debugtalk.so", "debugtalk.bin"]);
}

#[test]
fn python_is_missing() {
    let (_target, project) = calling("def f():\n    return 1\n", "");
    for command in ["boom", "run"] {
        let mut without = project.command();
        without.env("PATH", project.folder.path()).env("HOME", project.folder.path());
        let run = start_as(without, &[command, "case.yml"]).finish();
        assert_eq!(run.code, 9, "{}", run.stderr);
        assert!(run.stderr.contains("python3"), "{}", run.stderr);
    }
    assert_refused(&project, &["--venv", "/nonexistent/venv"], 9, &["/nonexistent/venv"]);
}

#[test]
fn funppy_is_missing() {
    let (_target, project) = calling("def f():\n    return 1\n", "");
    let venv = project.path("venv");
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status();
    assert!(made.is_ok_and(|status| status.success()));
    let venv = venv.to_str().unwrap();
    assert_refused(&project, &["--plugin-runner", "funppy", "--venv", venv], 9, &["funppy", "--install-deps"]);
    // Our own runner needs none.
    assert_eq!(project.run("run", &["--venv", venv]).code, 0);
}

/// An environment that has stock funppy.
fn funppy_venv() -> String {
    let python = std::env::var("PUMMEL_FUNPPY_PYTHON");
    let python = python.expect("PUMMEL_FUNPPY_PYTHON names a Python that has funppy: scripts/test.sh makes one");
    Path::new(&python).ancestors().nth(2).and_then(Path::to_str).expect("a venv").to_owned()
}

#[test]
fn stock_funppy_runs_the_functions_where_it_is_asked_for() {
    let venv = funppy_venv();
    let (target, project) = calling("def f(a):\n    return a + 'x'\n", "ab");
    let flags = ["--plugin-runner", "funppy", "--venv", &venv];
    let run = project.run("boom", &[&flags[..], &LOAD].concat());
    assert_eq!((run.code, run.number("/totals/failures"), run.number("/plugin/calls")), (0, 0, 12), "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(run.summary["plugin"]["processes"][0]["runner"], "funppy");
    assert_eq!(project.run("run", &flags).code, 0);
    assert_eq!(target.stop().requests, 13);
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn late_calls_of_stock_funppy_are_one_kind_of_error() {
    let venv = funppy_venv();
    let (target, project) = calling("import time\n\ndef f():\n    time.sleep(60)\n", "");
    let flags = ["--plugin-runner", "funppy", "--venv", &venv, "--plugin-timeout", "1s", "--spawn-count", "8"];
    let run = project.run("boom", &[&flags[..], &["--spawn-rate", "1000", "--loop-count", "1"]].concat());
    run.assert_conserved();
    assert_eq!(run.errors("plugin"), 8, "{:#}", run.summary["errors"]);
    let errors = run.summary["errors"].as_array().expect("errors");
    let message = |error: &serde_json::Value| error["message"].as_str().expect("a text").to_owned();
    let late: Vec<String> = errors.iter().map(message).filter(|message| message.contains("no answer")).collect();
    assert_eq!(late, ["call function f failed: no answer within 1 s (--plugin-timeout)"]);
    assert_eq!(target.stop().requests, 0);
}

#[test]
fn output_of_a_megabyte_holds_nothing_up() {
    let functions = "import sys\n\nprint('before')\n\ndef f():\n    print('x' * (1 << 20))\n    \
        sys.stderr.write('y' * (1 << 20))\n    print('after')\n    return 1\n";
    let (target, project) = calling(functions, "");
    let run = project.run("boom", &LOAD);
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 12);
}

#[test]
fn an_endless_loop_ends_with_its_process_and_the_next_one_goes_on() {
    // The file tells the processes apart: the first call of all never returns.
    let functions = "import os\n\ndef f():\n    try:\n        os.mkdir('looped')\n    except FileExistsError:\n        return 1\n    \
        while True:\n        pass\n";
    let (target, project) = calling(functions, "");
    let flags = ["--plugin-timeout", "1s", "--spawn-count", "3", "--spawn-rate", "100", "--loop-count", "20"];
    let run = project.run("boom", &flags);
    assert_recovered(&run, target, 60);
    assert_eq!(run.number("/plugin/processes/0/restarts"), 1);
    let late = "call function f failed: no answer within 1 s (--plugin-timeout)";
    assert!(run.summary["errors"].to_string().contains(late), "{:#}", run.summary["errors"]);
    assert_eq!(project.processes().len(), 0);
}

/// Calls were lost and later ones answered; each request that was not sent failed, and the server has all the others.
fn assert_recovered(run: &Run, target: Target, requests: u64) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    let failures = run.number("/totals/failures");
    assert_eq!(run.number("/totals/requests"), requests);
    assert!(failures > 0 && failures < requests, "{failures} of {requests}");
    assert_eq!(run.errors("plugin"), failures, "{:#}", run.summary["errors"]);
    assert_eq!(target.stop().requests, requests - failures);
}

#[test]
fn a_process_that_is_killed_is_replaced() {
    let functions =
        "import time\n\ndef f():\n    open('calls', 'a').write('x\\n')\n    time.sleep(0.01)\n    return 1\n";
    let (target, project) = calling(functions, "");
    let running = project.start("boom", &["--spawn-count", "4", "--spawn-rate", "100", "--loop-count", "150"]);
    wait_until("calls", || project.lines("calls") > 40);
    let first = project.wait_for_processes(1);
    for process in &first {
        let id = rustix::process::Pid::from_raw(process.id).expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it is killed");
    }
    let run = running.finish();
    assert_recovered(&run, target, 600);
    assert_eq!(run.number("/plugin/processes/0/restarts"), 1);
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn os_exit_in_a_function_is_the_process_s_failure() {
    let functions = "import os\n\ndef f():\n    try:\n        os.mkdir('left')\n    except FileExistsError:\n        return 1\n    \
        os._exit(7)\n";
    let (target, project) = calling(functions, "");
    let run = project.run("boom", &["--spawn-count", "1", "--loop-count", "9"]);
    assert_recovered(&run, target, 9);
    assert_eq!((run.errors("plugin"), run.number("/plugin/processes/0/restarts")), (1, 1));
}

#[test]
fn a_folder_that_nobody_may_write_to() {
    let (target, project) = calling("import helper\n\ndef f():\n    return helper.g()\n", "");
    project.folder.write("helper.py", "def g():\n    return 'x'\n");
    fs::set_permissions(project.folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let run = project.run("boom", &LOAD);
    fs::set_permissions(project.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 12);
    // Who may write anywhere has not written either.
    assert!(!project.path("__pycache__").exists());
}

#[test]
fn a_call_at_load_that_fails_is_a_load_error() {
    let (_target, project) = calling("def f():\n    return 1\n\ndef g():\n    raise KeyError('k')\n", "");
    let case = fs::read_to_string(project.path("case.yml")).unwrap();
    project
        .folder
        .write("case.yml", &case.replacen("name: functions", "name: functions, variables: {v: \"${g()}\"}", 1));
    let run = project.run("boom", &LOAD);
    assert_eq!(run.code, 23, "{}", run.stderr);
    assert!(run.stderr.contains("call function g failed: KeyError: 'k'"), "{}", run.stderr);
}
