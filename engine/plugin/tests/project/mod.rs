//! A project whose plugin runs in real processes, for the tests of both protocols.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

use pummel_case::{CallOutcome, Plugin, PluginCall};
use pummel_plugin::{PluginOptions, RunningPlugin, WorkerState};

/// Beyond any wait of a test that goes well.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A folder of a test's own: gone when dropped.
pub(crate) struct Project(pub(crate) PathBuf);

impl Project {
    /// One without a file.
    pub(crate) fn empty() -> Self {
        let folder = env::temp_dir().join(format!("pummel-host-{}-{:x}", process::id(), fastrand::u64(..)));
        fs::create_dir(&folder).expect("a folder");
        Self(folder.canonicalize().expect("its path"))
    }

    /// One with this debugtalk.py.
    pub(crate) fn new(source: &str) -> Self {
        let project = Self::empty();
        fs::write(project.file(), source).expect("a plugin");
        project
    }

    /// Its debugtalk.py.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("debugtalk.py")
    }

    /// The processes whose command line names this project.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let name = self.0.to_string_lossy().into_owned();
        let entries = fs::read_dir("/proc").expect("/proc");
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let runs = |pid: &u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&name)
        };
        numbers.filter(runs).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What all tests choose.
pub(crate) fn options() -> PluginOptions {
    let launcher = env!("CARGO_BIN_EXE_pummel-plugin-launcher").into();
    PluginOptions { launcher, timeout: LONG, ..PluginOptions::default() }
}

/// Makes a call as the loader does.
pub(crate) fn call(plugin: &RunningPlugin, function: &str, arguments: &str) -> (CallOutcome, String) {
    let mut call = PluginCall {
        plugin: plugin.id(),
        function: function.into(),
        arguments: arguments.to_owned(),
        outcome: CallOutcome::Pending,
        answer: String::new(),
    };
    plugin.call(&mut call);
    (call.outcome, call.answer)
}

/// How a call ends that gives this JSON.
pub(crate) fn returned(value: &str) -> (CallOutcome, String) {
    (CallOutcome::Returned, value.to_owned())
}

/// Whether the first worker's process is the one of this number, and takes calls.
pub(crate) fn is_up(plugin: &RunningPlugin, of: u64) -> bool {
    matches!(plugin.state(0), WorkerState::Up { generation, .. } if generation == of)
}

/// Waits for what other processes and threads do in their own time.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Writes a shell script, by another process: while this one has a file open for writing, a process that another test starts meanwhile
/// has it open too, and the script could not be executed.
pub(crate) fn write_script(path: &Path, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"", "sh"]).arg(path).arg(script);
    assert!(command.status().expect("sh").success());
}

/// Kills one process, by its number.
pub(crate) fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status().expect("kill");
    assert!(killed.success());
}
