//! Processes of plugins, with a real Python: one for a project, restarted when it ends, gone when everything ends.

mod project;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::{mpsc, Arc},
    thread,
    time::Duration,
};

use project::{call, is_up, kill, options, returned, wait_until, write_script, Project};
use pummel_case::{CallOutcome, PluginFailure, PluginId, PluginSource};
use pummel_plugin::{PluginHost, PluginOptions, PluginReport, Reach, RunningPlugin, WorkerState};

/// The project's plugin.
fn open(project: &Project, host: &PluginHost) -> Result<Arc<RunningPlugin>, PluginFailure> {
    let plugin = host.open(&project.file(), &BTreeMap::new())?;
    Ok(host.plugin(plugin.id()).expect("a plugin by its number"))
}

fn failure(project: &Project, host: &PluginHost) -> PluginFailure {
    open(project, host).expect_err("a failure")
}

fn host() -> PluginHost {
    PluginHost::new(options())
}

/// Whether the process is there, and no zombie.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn a_project_has_one_process_however_often_it_is_opened() {
    let project = Project::new("import os\ndef pid():\n    return os.getpid()\ndef add(a, b):\n    return a + b\n");
    let host = host();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (host, file) = (host.clone(), project.file());
            thread::spawn(move || host.open(&file, &BTreeMap::new()).expect("a plugin").id())
        })
        .collect();
    let ids: Vec<PluginId> = threads.into_iter().map(|thread| thread.join().expect("a number")).collect();
    assert_eq!(ids, [PluginId(0); 8]);
    let plugin = open(&project, &host).expect("a plugin");
    let processes = project.processes();
    assert_eq!(processes.len(), 1);
    assert_eq!(call(&plugin, "pid", "[]"), returned(&processes[0].to_string()));
    assert_eq!(call(&plugin, "add", "[1,2]"), returned("3"));
    host.end();
    assert!(project.processes().is_empty());
}

#[test]
fn workers_are_as_many_as_asked_for_and_all_answer() {
    let project = Project::new("import os\ndef pid():\n    return os.getpid()\n");
    let host = PluginHost::new(PluginOptions { workers: 3, ..options() });
    let plugin = open(&project, &host).expect("a plugin");
    assert_eq!((plugin.workers(), project.processes().len()), (3, 3));
    let is_up = |worker| matches!(plugin.state(worker), WorkerState::Up { generation: 1, reach: Reach::Frames(_) });
    assert!((0..3).all(is_up));
    let report = PluginReport { path: project.file(), runner: "own".into(), workers: 3, restarts: 0 };
    assert_eq!(host.reports(), [report]);
    host.end();
    assert!(project.processes().is_empty());
}

#[test]
fn a_path_through_a_link_to_the_folder_is_the_same_plugin() {
    let (project, links) = (Project::new("def f():\n    return 1\n"), Project::new(""));
    let link = links.0.join("link");
    std::os::unix::fs::symlink(&project.0, &link).expect("a link");
    let host = host();
    let ids = [project.file(), link.join("debugtalk.py"), project.0.join("./debugtalk.py")]
        .map(|file| host.open(&file, &BTreeMap::new()).expect("a plugin").id());
    assert_eq!(ids, [PluginId(0); 3]);
    assert_eq!(project.processes().len(), 1);
}

#[test]
fn the_environment_of_the_project_is_that_of_its_plugin() {
    let project = Project::new("import os\nAT_IMPORT = os.environ['TOKEN']\ndef token():\n    return AT_IMPORT\n");
    let host = host();
    // What no environment can hold is left away.
    let pairs = [("TOKEN", "a=b c"), ("", "x"), ("A=B", "x"), ("C", "\0")];
    let environment = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let id = host.open(&project.file(), &environment).expect("a plugin").id();
    let plugin = host.plugin(id).expect("a plugin");
    assert_eq!(call(&plugin, "token", "[]"), returned("\"a=b c\""));
}

#[test]
fn a_killed_process_is_replaced_and_counted() {
    let project = Project::new("import os\ndef pid():\n    return os.getpid()\n");
    let host = host();
    let (tell, told) = mpsc::channel();
    host.watch(Box::new(move || tell.send(()).is_ok()));
    let plugin = open(&project, &host).expect("a plugin");
    let first = project.processes();
    kill(first[0]);
    wait_until("a second process takes calls", || is_up(&plugin, 2));
    let second = project.processes();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert_eq!(call(&plugin, "pid", "[]"), returned(&second[0].to_string()));
    assert_eq!(host.reports()[0].restarts, 1);
    // Up, starting, up again, at the least.
    assert!(told.try_iter().count() >= 3);
}

#[test]
fn a_process_that_ends_again_and_again_rests() {
    let project = Project::new("def f():\n    return 1\n");
    let host = host();
    let plugin = open(&project, &host).expect("a plugin");
    for generation in 1..=6 {
        wait_until("the process takes calls", || is_up(&plugin, generation));
        kill(project.processes()[0]);
    }
    wait_until("it rests", || matches!(plugin.state(0), WorkerState::Down { .. }));
    let reason = "the plugin ends again and again and rests for a while: its process was killed by SIGKILL";
    assert!(matches!(plugin.state(0), WorkerState::Down { reason: told } if &*told == reason));
    assert_eq!(call(&plugin, "f", "[]"), (CallOutcome::Lost, reason.to_owned()));
    assert_eq!(host.reports()[0].restarts, 5);
    host.end();
    assert!(project.processes().is_empty());
}

#[test]
fn a_process_that_is_called_broken_is_replaced() {
    let project = Project::new("def f():\n    return 1\n");
    let host = host();
    let plugin = open(&project, &host).expect("a plugin");
    let first = project.processes();
    plugin.broken(0, 7);
    assert!(is_up(&plugin, 1));
    plugin.broken(0, 1);
    assert!(!is_up(&plugin, 1));
    wait_until("another process takes calls", || is_up(&plugin, 2));
    assert_ne!(project.processes(), first);
    assert_eq!(host.reports()[0].restarts, 1);
}

#[test]
fn a_call_at_load_that_takes_too_long_ends_its_process() {
    let project = Project::new("def loop():\n    while True:\n        pass\ndef f():\n    return 1\n");
    let host = PluginHost::new(PluginOptions { timeout: Duration::from_millis(500), ..options() });
    let plugin = open(&project, &host).expect("a plugin");
    let late = (CallOutcome::Lost, "no answer within 0.5 s (--plugin-timeout)".to_owned());
    assert_eq!(call(&plugin, "loop", "[]"), late);
    wait_until("another process takes calls", || is_up(&plugin, 2));
    assert_eq!(call(&plugin, "f", "[]"), returned("1"));
}

#[test]
fn a_function_that_ends_its_process_loses_its_call_only() {
    let project = Project::new("import os\ndef die():\n    os._exit(3)\ndef f():\n    return 1\n");
    let host = host();
    let plugin = open(&project, &host).expect("a plugin");
    let lost = "the plugin's process ended, or its connection broke, during the call";
    assert_eq!(call(&plugin, "die", "[]"), (CallOutcome::Lost, lost.to_owned()));
    // The next call waits for the process that takes its place.
    assert_eq!(call(&plugin, "f", "[]"), returned("1"));
    assert_eq!(host.reports()[0].restarts, 1);
}

#[test]
fn a_function_that_fails_does_not_end_its_process() {
    let project = Project::new("import sys\ndef fail():\n    raise ValueError('no')\ndef leave():\n    sys.exit(3)\n");
    let host = host();
    let plugin = open(&project, &host).expect("a plugin");
    let (outcome, answer) = call(&plugin, "fail", "[]");
    assert_eq!((outcome, &*answer), (CallOutcome::Failed, "ValueError: no (debugtalk.py:3)"));
    assert_eq!(call(&plugin, "leave", "[]").0, CallOutcome::Failed);
    assert_eq!(host.reports()[0].restarts, 0);
}

#[test]
fn a_file_that_is_no_python_is_told_with_its_line() {
    let project = Project::new("def f():\n    return 1\n\ndef g(:\n    pass\n");
    let failure = failure(&project, &host());
    let place = format!("{}:4: SyntaxError: ", project.file().display());
    assert!(failure.message.starts_with(&place), "{}", failure.message);
    assert_eq!(failure.exit_code, 18);
}

#[test]
fn a_file_that_cannot_be_imported_is_told_with_its_exception() {
    let cases = [
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("\nraise ValueError('no')\n", "ValueError: no"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ];
    for (source, error) in cases {
        let project = Project::new(source);
        let failure = failure(&project, &host());
        assert!(failure.message.contains(error), "{}", failure.message);
        assert!(failure.message.starts_with(&project.file().display().to_string()), "{}", failure.message);
        assert_eq!(failure.exit_code, 31);
        assert!(project.processes().is_empty());
    }
}

#[test]
fn a_process_that_ends_while_it_starts_is_told_with_its_status() {
    let project =
        Project::new("import os, sys\nsys.stderr.write('lost the licence\\n')\nsys.stderr.flush()\nos._exit(7)\n");
    let failure = failure(&project, &host());
    let told = "debugtalk.py: its process exited with 7 before it took calls: lost the licence";
    assert!(failure.message.ends_with(told), "{}", failure.message);
    assert_eq!(failure.exit_code, 31);
}

#[test]
fn what_a_plugin_prints_disturbs_nothing() {
    let source = "\
import os
print('1|1|tcp|127.0.0.1:1|grpc')
os.write(1, b'x' * 1000000)
def shout():
    print('y' * 1000000)
    os.write(2, b'z' * 1000000)
    return 'said'
";
    let project = Project::new(source);
    let plugin_host = host();
    let plugin = open(&project, &plugin_host).expect("a plugin");
    assert_eq!(call(&plugin, "shout", "[]"), returned("\"said\""));
    assert_eq!(plugin_host.reports()[0].restarts, 0);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_left_as_it_is() {
    let project = Project::new("import helper\ndef f():\n    return helper.VALUE\n");
    fs::write(project.0.join("helper.py"), "VALUE = 5\n").expect("a module");
    let mode = |mode| fs::set_permissions(&project.0, fs::Permissions::from_mode(mode)).expect("permissions");
    mode(0o555);
    let host = host();
    let plugin = open(&project, &host);
    mode(0o755);
    assert_eq!(call(&plugin.expect("a plugin"), "f", "[]"), returned("5"));
    // The super-user may write in spite of the permissions, and does not.
    let mut files: Vec<_> =
        fs::read_dir(&project.0).expect("a folder").filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    files.sort();
    assert_eq!(files, ["debugtalk.py", "helper.py"]);
}

#[test]
fn the_end_takes_a_process_that_does_not_want_to_and_its_children() {
    let source = "\
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
CHILD = subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 60; true'])
def child():
    return CHILD.pid
";
    let project = Project::new(source);
    let host = host();
    let plugin = open(&project, &host).expect("a plugin");
    let (_, child) = call(&plugin, "child", "[]");
    let child: u32 = child.parse().expect("a process");
    assert!(runs(child));
    host.end();
    host.end();
    assert!(project.processes().is_empty());
    // It was killed; whoever inherited it has to bury it.
    wait_until("the child is gone", || !runs(child));
    // Nothing is started any more.
    let late = failure(&Project::new(""), &host);
    assert!(late.message.ends_with("debugtalk.py: the program ends"), "{}", late.message);
}

#[test]
fn the_last_host_takes_its_processes_with_it() {
    let project = Project::new("def f():\n    return 1\n");
    let first = host();
    let second = first.clone();
    let plugin = open(&project, &first).expect("a plugin");
    drop(first);
    assert_eq!(call(&plugin, "f", "[]"), returned("1"));
    drop(second);
    assert!(project.processes().is_empty());
    assert_eq!(call(&plugin, "f", "[]"), (CallOutcome::Lost, "the plugin was ended".into()));
}

#[test]
fn two_hosts_of_one_project_do_not_know_of_each_other() {
    let project = Project::new("import os\ndef pid():\n    return os.getpid()\n");
    let hosts = [host(), host()];
    let plugins = hosts.each_ref().map(|host| open(&project, host).expect("a plugin"));
    assert_eq!(project.processes().len(), 2);
    hosts[0].end();
    assert_eq!(project.processes().len(), 1);
    assert_eq!(call(&plugins[1], "pid", "[]"), returned(&project.processes()[0].to_string()));
}

#[test]
fn kinds_of_plugins_that_cannot_be_run_are_refused() {
    let project = Project::new("");
    let failure = |name: &str| {
        let file = project.0.join(name);
        fs::write(&file, "no program").expect("a file");
        host().open(&file, &BTreeMap::new()).expect_err("a failure")
    };
    let so = failure("debugtalk.so");
    assert_eq!(so.exit_code, 18);
    assert_eq!(so.help.as_deref(), Some("rebuild it as debugtalk.bin: `hrp build debugtalk.go -o debugtalk.bin`"));
    let bin = failure("debugtalk.bin");
    assert!(bin.message.contains("cannot be executed: Permission denied"), "{}", bin.message);
    assert_eq!(bin.exit_code, 31);
}

#[test]
fn an_environment_without_a_python_is_told_and_left_alone() {
    let project = Project::new("");
    let venv = project.0.join("venv");
    for install_deps in [false, true] {
        fs::create_dir_all(&venv).expect("a folder");
        fs::write(venv.join("precious"), "x").expect("a file");
        let options = PluginOptions { venv: Some(venv.clone()), install_deps, ..options() };
        let failure = failure(&project, &PluginHost::new(options));
        assert!(failure.message.ends_with("venv/bin/python3 is not there"), "{}", failure.message);
        assert_eq!(failure.exit_code, 9);
        assert_eq!(fs::read_dir(&venv).expect("a folder").count(), 1);
    }
}

#[test]
fn an_environment_is_created_where_there_is_none_and_that_was_asked_for() {
    let project = Project::new("import sys\ndef prefix():\n    return sys.prefix\n");
    let venv = project.0.join("made/venv");
    let with = |install_deps| PluginHost::new(PluginOptions { venv: Some(venv.clone()), install_deps, ..options() });
    assert_eq!(failure(&project, &with(false)).exit_code, 9);
    assert!(!venv.exists());
    let host = with(true);
    let plugin = open(&project, &host).expect("a plugin");
    assert_eq!(call(&plugin, "prefix", "[]"), returned(&format!("{:?}", venv.display().to_string())));
}

#[test]
fn a_python_that_is_too_old_or_broken_is_refused() {
    let project = Project::new("");
    let venv = project.0.join("venv");
    fs::create_dir_all(venv.join("bin")).expect("a folder");
    let python = venv.join("bin/python3");
    let told = |script: &str| {
        write_script(&python, script);
        let host = PluginHost::new(PluginOptions { venv: Some(venv.clone()), ..options() });
        let failure = failure(&project, &host);
        assert_eq!(failure.exit_code, 9);
        failure.message.rsplit("python3 ").next().expect("a reason").to_owned()
    };
    assert_eq!(told("echo 'pummel|3|6|/usr/bin/python3'"), "is Python 3.6");
    assert_eq!(told("echo no libraries >&2; exit 127"), "exited with 127: no libraries");
    assert_eq!(told("echo hello"), "does not say its version");
}

#[test]
fn a_launcher_that_is_not_there_is_told() {
    let project = Project::new("");
    let host = PluginHost::new(PluginOptions { launcher: "/no/such/program".into(), ..options() });
    assert_eq!(failure(&project, &host).exit_code, 9);
}

#[test]
fn a_process_ends_with_the_program_that_started_it() {
    // The shell stands for a program that is killed in the middle.
    let script = "\"$1\" plugin-launch $$ - sleep 60 & echo $!; wait";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_pummel-plugin-launcher")]).stdout(Stdio::piped());
    let mut program = command.spawn().expect("sh");
    let mut line = String::new();
    BufReader::new(program.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let pid: u32 = line.trim().parse().expect("a process");
    wait_until("the process is executed", || {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| command == b"sleep\x0060\0")
    });
    program.kill().expect("killed");
    program.wait().expect("an end");
    wait_until("the process is gone", || !runs(pid));
}

#[test]
fn a_program_is_not_executed_for_another_parent_than_ours() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pummel-plugin-launcher"));
    // No process has this number.
    let output = command.args(["plugin-launch", "0", "-", "echo", "executed"]).output().expect("the launcher");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "the program that started this one has ended\n");
    assert_eq!((output.stdout.len(), output.status.code()), (0, Some(1)));
}
