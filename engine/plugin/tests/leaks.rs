//! What a host leaves behind in the program that had it: nothing. Alone in its process, whose threads and descriptors it counts.

mod project;

use std::{collections::BTreeMap, fs};

use project::{call, is_up, kill, options, returned, wait_until, Project};
use pummel_case::PluginSource;
use pummel_plugin::{PluginHost, PluginOptions};

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("its threads");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let mut names: Vec<String> = tasks.filter_map(|task| name(task.ok()?)).collect();
    names.sort_unstable();
    names
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("its descriptors").count()
}

/// Two workers that take calls, of which one is killed and replaced; then the end.
fn live(project: &Project) {
    let host = PluginHost::new(PluginOptions { workers: 2, ..options() });
    let id = host.open(&project.file(), &BTreeMap::new()).expect("a plugin").id();
    let plugin = host.plugin(id).expect("a plugin by its number");
    let (_, pid) = call(&plugin, "pid", "[]");
    kill(pid.parse().expect("a process"));
    wait_until("a second process takes calls", || is_up(&plugin, 2));
    assert_eq!(call(&plugin, "one", "[]"), returned("1"));
    host.end();
}

/// A file that is no plugin.
fn fail(project: &Project) {
    let host = PluginHost::new(options());
    assert_eq!(host.open(&project.file(), &BTreeMap::new()).expect_err("a failure").exit_code, 18);
}

#[test]
fn neither_threads_nor_descriptors_are_left_and_none_is_there_for_grpc_where_nobody_speaks_it() {
    let good = Project::new("import os\ndef pid():\n    return os.getpid()\ndef one():\n    return 1\n");
    let broken = Project::new("def f(:\n");
    live(&good);
    fail(&broken);
    let before = (threads(), descriptors());
    for _ in 0..3 {
        live(&good);
        fail(&broken);
    }
    assert_eq!((threads(), descriptors()), before);
    assert!(before.0.iter().all(|name| !name.starts_with("plugin")), "{before:?}");
}
