//! Projects with functions in a `debugtalk.py`, and the processes that run them.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::load::{binary, start_as, Folder, Run, Running};

/// How long a test waits for what must come before it gives up.
const WAIT: Duration = Duration::from_secs(30);

/// A folder with a `debugtalk.py` and cases.
pub(crate) struct Project {
    pub(crate) folder: Folder,
}

/// A process of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) id: i32,
    pub(crate) parent: i32,
}

impl Project {
    /// A project with these functions and one case of these steps, against a server.
    pub(crate) fn new(functions: &str, url: &str, steps: &str) -> Self {
        let folder = Folder::new();
        folder.write("debugtalk.py", functions);
        folder.write("case.yml", &format!("config: {{name: functions, base_url: \"{url}\"}}\nteststeps:\n{steps}"));
        Self { folder }
    }

    /// The binary, in the folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).env_remove("NO_COLOR");
        command
    }

    /// Starts a command of the binary on `case.yml`.
    pub(crate) fn start(&self, command: &str, flags: &[&str]) -> Running {
        start_as(self.command(), &[&[command, "case.yml"], flags].concat())
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: &str, flags: &[&str]) -> Run {
        self.start(command, flags).finish()
    }

    /// The processes that run its functions now. Of one that was replaced there is one, of a zombie none.
    pub(crate) fn processes(&self) -> BTreeSet<Process> {
        let file = fs::canonicalize(self.folder.path()).expect("the folder").join("debugtalk.py");
        let file = file.to_str().expect("a path of letters").as_bytes().to_owned();
        let numbers = fs::read_dir("/proc").expect("/proc").flatten();
        let ids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let mut arguments = arguments.split(|&byte| byte == 0);
            let first = arguments.next().unwrap_or_default();
            // Before it is executed a process still is the binary.
            first.rsplit(|&byte| byte == b'/').next().is_some_and(|name| name.starts_with(b"python"))
                && arguments.any(|argument| argument == file)
        })
        .filter_map(|id| Some(Process { id, parent: parent(id)? }))
        .collect()
    }

    /// Waits until there are so many processes.
    pub(crate) fn wait_for_processes(&self, count: usize) -> BTreeSet<Process> {
        let mut found = BTreeSet::new();
        wait_until(&format!("{count} processes"), || {
            found = self.processes();
            found.len() == count
        });
        found
    }

    /// How many lines a file in the folder has, that functions write to.
    pub(crate) fn lines(&self, file: &str) -> usize {
        fs::read_to_string(self.path(file)).map_or(0, |text| text.lines().count())
    }

    /// A path in the folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

/// Waits until something is so, and fails after a while.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < WAIT, "{what} in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The parent of a process that runs.
fn parent(id: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in brackets and may hold anything.
    let (_, rest) = status.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    (fields.next()? != "Z").then(|| fields.next()?.parse().ok())?
}
