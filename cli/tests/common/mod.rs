//! Runs the real binary.

use std::process::{Command, Output, Stdio};

/// What a run of the binary left.
pub(crate) struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// What it wrote to stdout.
    pub(crate) stdout: String,
    /// What it wrote to stderr.
    pub(crate) stderr: String,
}

/// The binary with these arguments, ready to be changed further; help is wrapped at 100 columns, nothing is on stdin.
pub(crate) fn pummel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pummel"));
    command.args(args).env("COLUMNS", "100").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = pummel(args).output().expect("the binary starts");
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).expect("stdout is text"),
        stderr: String::from_utf8(stderr).expect("stderr is text"),
    }
}
