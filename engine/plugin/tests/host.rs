//! Processes of plugins, with a real Python: one for a project, restarted when it ends, gone when everything ends.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, thread, time::Duration};

use pummel_case::{CallOutcome, Plugin, PluginCall, PluginFailure, PluginId, PluginSource};
use pummel_plugin::{PluginHost, PluginOptions, RunningPlugin};

/// Beyond any wait of a test that goes well.
const LONG: Duration = Duration::from_secs(60);

/// A project of a test's own: gone when dropped.
struct Project(PathBuf);

impl Project {
    /// One with this debugtalk.py.
    fn new(source: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pummel-host-{}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir(&folder).expect("a folder");
        let project = Self(folder.canonicalize().expect("its path"));
        fs::write(project.file(), source).expect("a plugin");
        project
    }

    fn file(&self) -> PathBuf {
        self.0.join("debugtalk.py")
    }

    fn open(&self, host: &PluginHost) -> Result<Arc<RunningPlugin>, PluginFailure> {
        let plugin = host.open(&self.file(), &BTreeMap::new())?;
        Ok(host.plugin(plugin.id()).expect("a plugin by its number"))
    }

    fn failure(&self, host: &PluginHost) -> PluginFailure {
        self.open(host).expect_err("a failure")
    }

    /// The processes whose command line names this project's plugin.
    fn processes(&self) -> Vec<u32> {
        let name = self.file().to_string_lossy().into_owned();
        let numbers =
            fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
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

fn options() -> PluginOptions {
    let launcher = env!("CARGO_BIN_EXE_pummel-plugin-launcher").into();
    PluginOptions { launcher, timeout: LONG, ..PluginOptions::default() }
}

fn host() -> PluginHost {
    PluginHost::new(options())
}

fn call(plugin: &RunningPlugin, function: &str, arguments: &str) -> (CallOutcome, String) {
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

fn returned(value: &str) -> (CallOutcome, String) {
    (CallOutcome::Returned, value.to_owned())
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
    let plugin = project.open(&host).expect("a plugin");
    let processes = project.processes();
    assert_eq!(processes.len(), 1);
    assert_eq!(call(&plugin, "pid", "[]"), returned(&processes[0].to_string()));
    assert_eq!(call(&plugin, "add", "[1,2]"), returned("3"));
    host.end();
    assert!(project.processes().is_empty());
}
