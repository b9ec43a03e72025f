//! The hidden sub-command by which this program becomes a plugin's process: a process that ends with the program that started it, even
//! where that is killed and can end nothing any more.
//!
//! Between `fork` and `exec` only unsafe code could ask the kernel for that, so this program is executed first, asks for it as an ordinary
//! process, and executes the plugin then; the kernel keeps the wish over `exec`.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{self, Command},
};

use rustix::{
    fs::{memfd_create, MemfdFlags},
    process::{getppid, set_parent_process_death_signal, Pid, Signal},
    thread::disable_transparent_huge_pages,
};

/// The name of the sub-command.
pub const LAUNCH_COMMAND: &str = "plugin-launch";

/// Python code inside this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Our own runner.
    Own,
    /// Stock funppy, with the names of the file's functions.
    Funppy,
}

impl Script {
    const ALL: [Self; 2] = [Self::Own, Self::Funppy];

    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Funppy => "funppy",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Own => include_str!("runner/pummel_runner.py"),
            Self::Funppy => include_str!("runner/funppy_runner.py"),
        }
    }
}

/// What stands for a script where a program is executed without one.
const NO_SCRIPT: &str = "-";

/// A command that executes `program`, which ends with this program. With a script that is its first argument. To be spawned by a thread
/// that lives as long as the process: the end of that thread is what the kernel watches.
pub(crate) fn command(launcher: &Path, script: Option<Script>, program: &Path) -> Command {
    let mut command = Command::new(launcher);
    command.arg0("pummel").arg(LAUNCH_COMMAND).arg(process::id().to_string());
    command.arg(script.map_or(NO_SCRIPT, Script::name)).arg(program);
    command
}

/// Becomes the process of a plugin. `arguments` is what stands behind the name of the sub-command ([`LAUNCH_COMMAND`]). It does not return
/// where it succeeds; else it gives what is wrong, for the standard error output, and the program must end with an exit code other than 0.
pub fn launch(arguments: impl IntoIterator<Item = OsString>) -> String {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let [parent, script, program, rest @ ..] = &*arguments else {
        return format!("{LAUNCH_COMMAND} is for this program's own use: it starts the processes of plugins");
    };
    if let Err(message) = end_with(parent) {
        return message;
    }
    // This program does without huge pages, which what it starts inherits. A plugin's memory is its own affair.
    let _ = disable_transparent_huge_pages(false);
    let mut command = Command::new(program);
    // It stays open until the program is executed, and over that.
    let mut source = None;
    if let Some(script) = Script::ALL.into_iter().find(|known| known.name() == script) {
        match in_memory(script) {
            Ok(file) => {
                command.arg(format!("/proc/self/fd/{}", file.as_raw_fd()));
                source = Some(file);
            }
            Err(error) => return format!("no memory for the runner of plugins: {error}"),
        }
    }
    let error = command.args(rest).exec();
    drop(source);
    format!("{} cannot be executed: {error}", program.display())
}

/// Asks the kernel to kill this process when the one that started it ends.
fn end_with(parent: &OsStr) -> Result<(), String> {
    let parent: Option<i32> = parent.to_str().and_then(|number| number.parse().ok());
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("the kernel does not let this process end with its parent: {error}"))?;
    // It may have ended before the kernel was asked. Nothing would end this process then.
    if getppid().map(Pid::as_raw_pid) != parent {
        return Err("the program that started this one has ended".into());
    }
    Ok(())
}

/// The script as a file that only this process has.
fn in_memory(script: Script) -> io::Result<OwnedFd> {
    // Not closed by `exec`: the interpreter opens it through /proc.
    let mut file = File::from(memfd_create("pummel-runner", MemfdFlags::empty())?);
    file.write_all(script.source().as_bytes())?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_it_says_what_it_is() {
        let message = launch([]);
        assert!(message.contains("for this program's own use"), "{message}");
    }
}
