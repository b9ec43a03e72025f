//! Stands for the program in tests of this crate: all it can do is to become a plugin's process.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    // Behind its own name and that of the sub-command.
    let message = pummel_plugin::launch(env::args_os().skip(2));
    eprintln!("{message}");
    ExitCode::FAILURE
}
