//! Processes of plugins that speak gRPC: stock funppy, and a plugin that acts as those written in Go do.

mod project;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use project::{call, is_up, kill, options, returned, wait_until, write_script, Project};
use pummel_case::{CallOutcome, Plugin, PluginSource};
use pummel_plugin::{PluginHost, PluginOptions, Reach, Runner, WorkerState};

/// The Python of an environment with funppy.
fn python() -> PathBuf {
    let python = env::var_os("PUMMEL_FUNPPY_PYTHON");
    python.expect("PUMMEL_FUNPPY_PYTHON names a Python that has funppy: scripts/test.sh makes one").into()
}

fn funppy() -> PluginOptions {
    // The environment, in whose folder `bin` it lies.
    let venv = python().parent().and_then(Path::parent).map(Path::to_owned);
    PluginOptions { runner: Runner::Funppy, venv, ..options() }
}

fn host() -> PluginHost {
    PluginHost::new(funppy())
}

#[test]
fn stock_funppy_serves_a_file_and_is_replaced_when_it_is_killed() {
    let project = Project::empty();
    let source = "\
import os
from hashlib import md5
print('before', end='')
def pid():
    return os.getpid()
def sum_two(a, b):
    return a + b
";
    let file = project.file();
    fs::write(&file, source).expect("a plugin");
    let host = host();
    let opened = host.open(&file, &BTreeMap::new()).expect("a plugin");
    let plugin = host.plugin(opened.id()).expect("a plugin");
    assert!(matches!(plugin.state(0), WorkerState::Up { reach: Reach::Grpc(_), .. }));
    let (first, pid) = (project.processes(), call(&plugin, "pid", "[]"));
    assert_eq!(pid, returned(&first[0].to_string()));
    assert_eq!(call(&plugin, "sum_two", "[1,2]"), returned("3"));
    // What it defines hides built-in functions; what it imports does not.
    let is_own = |name| plugin.find(name).map(|function| function.own);
    assert_eq!((is_own("sum_two"), is_own("md5"), is_own("nothing")), (Some(true), Some(false), None));
    kill(first[0]);
    // funppy draws its port at random: where somebody has it, one more is started.
    wait_until("another process takes calls", || (2..=6).any(|generation| is_up(&plugin, generation)));
    assert_eq!(call(&plugin, "sum_two", "[2,2]"), returned("4"));
    let report = &host.reports()[0];
    assert_eq!(&*report.runner, "funppy");
    assert!((1..=5).contains(&report.restarts), "{}", report.restarts);
    host.end();
    assert!(project.processes().is_empty());
    assert_eq!(fs::read_dir(&project.0).expect("a folder").count(), 1);
}

#[test]
fn a_port_that_is_taken_is_tried_once_more_with_another() {
    let project = Project::empty();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port();
    // The first process draws this port.
    let functions = format!(
        "import os, random
if not os.path.exists({tried:?}):
    open({tried:?}, 'w').close()
    random.randrange = lambda *bounds: {port}
def f():
    return 1
",
        tried = project.0.join("tried"),
    );
    fs::write(project.file(), functions).expect("a file");
    let host = PluginHost::new(funppy());
    let id = host.open(&project.file(), &BTreeMap::new()).expect("a plugin").id();
    assert_eq!(call(&host.plugin(id).expect("a plugin"), "f", "[]"), returned("1"));
    assert!(project.0.join("tried").exists());
}

#[test]
fn a_call_that_takes_too_long_is_told_with_the_limit_and_ends_its_process() {
    let project = Project::new("import time\ndef rest():\n    time.sleep(60)\n");
    let host = PluginHost::new(PluginOptions { timeout: Duration::from_millis(500), ..funppy() });
    let id = host.open(&project.file(), &BTreeMap::new()).expect("a plugin").id();
    let plugin = host.plugin(id).expect("a plugin");
    let late = (CallOutcome::Lost, "no answer within 0.5 s (--plugin-timeout)".to_owned());
    assert_eq!(call(&plugin, "rest", "[]"), late);
    wait_until("another process takes calls", || (2..=6).any(|generation| is_up(&plugin, generation)));
}

#[test]
fn a_file_that_funppy_cannot_serve_is_told_as_by_our_own_runner() {
    let project = Project::empty();
    let file = project.file();
    let failure = |source: &str| {
        fs::write(&file, source).expect("a plugin");
        host().open(&file, &BTreeMap::new()).expect_err("a failure")
    };
    let syntax = failure("def f(:\n    pass\n");
    assert!(syntax.message.contains("debugtalk.py:1: SyntaxError: "), "{}", syntax.message);
    assert_eq!(syntax.exit_code, 18);
    let import = failure("\nimport no_such_module_anywhere\n");
    let told = "debugtalk.py:2: ModuleNotFoundError: No module named 'no_such_module_anywhere'";
    assert!(import.message.ends_with(told), "{}", import.message);
    assert_eq!(import.exit_code, 31);
}

#[test]
fn a_program_is_a_plugin_and_leaves_no_socket_behind() {
    let project = Project::empty();
    let (file, socket) = (project.0.join("debugtalk.bin"), project.0.join("socket"));
    let like_go = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grpc/go_like_plugin.py");
    write_script(&file, &format!("exec '{}' '{}' '{}'", python().display(), like_go.display(), socket.display()));
    let host = host();
    let opened = host.open(&file, &BTreeMap::new()).expect("a plugin");
    let plugin = host.plugin(opened.id()).expect("a plugin");
    assert_eq!(
        plugin.find("Sum_Two_Int").map(|function| (&*function.name == "sumtwoint", function.own)),
        Some((true, true))
    );
    assert_eq!(call(&plugin, "sumtwoint", "[1,2]"), returned("3"));
    assert_eq!(call(&plugin, "panic", "[]").0, CallOutcome::Lost);
    wait_until("another process takes calls", || (2..=6).any(|generation| is_up(&plugin, generation)));
    assert_eq!(call(&plugin, "sumtwoint", "[3,4]"), returned("7"));
    let report = &host.reports()[0];
    assert_eq!((&*report.runner, report.restarts), ("bin", 1));
    host.end();
    assert!(project.processes().is_empty());
    assert!(!socket.exists());
}

#[test]
fn a_program_that_is_no_plugin_is_told() {
    let project = Project::empty();
    let file = project.0.join("debugtalk.bin");
    let failure = |script: &str| {
        write_script(&file, script);
        host().open(&file, &BTreeMap::new()).expect_err("a failure").message
    };
    let rpc = failure("echo hello; echo '1|1|unix|/tmp/none|netrpc|'; sleep 60");
    assert!(
        rpc.ends_with("debugtalk.bin: it speaks netrpc, and only gRPC can be called: build it with funplugin 0.5"),
        "{rpc}"
    );
    let ended = failure("echo what is this >&2; exit 5");
    assert!(ended.ends_with("its process exited with 5 before it took calls: what is this"), "{ended}");
    let silent = failure("echo '1|1|tcp|127.0.0.1:1|grpc'; sleep 60");
    assert!(silent.contains("connecting to 127.0.0.1:1 failed"), "{silent}");

    let plain = project.0.join("plain.bin");
    fs::write(&plain, "").expect("a file");
    let failure = host().open(&plain, &BTreeMap::new()).expect_err("a failure");
    assert!(failure.message.contains("Permission denied"), "{}", failure.message);
    assert!(failure.help.expect("a help").starts_with("`chmod +x "));
}
