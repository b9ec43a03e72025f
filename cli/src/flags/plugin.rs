//! How the functions of a project's `debugtalk.py` or `debugtalk.bin` are run.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::values::parse_positive_duration;

/// The most processes of one plugin: more than the cores of any machine such a project is tested on.
const WORKERS_MAX: u64 = 64;

/// The most threads of one process: what a Python process starts without harm.
const THREADS_MAX: u64 = 1024;

/// Flags of `boom` and `run`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Functions (debugtalk.py, debugtalk.bin)")]
pub(crate) struct PluginFlags {
    /// Processes that run a project's functions; all users share them
    ///
    /// Several help where the functions compute much. What a function keeps in a module's variables is then kept in
    /// each process by itself.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=WORKERS_MAX))]
    pub(crate) plugin_workers: u64,

    /// Longest time of a call; beyond it the process is ended and started anew
    ///
    /// The calls it was working on fail; none is made a second time.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_positive_duration)]
    pub(crate) plugin_timeout: Duration,

    /// What runs debugtalk.py
    #[arg(long, value_enum, value_name = "RUNNER", default_value_t = PluginRunner::Own)]
    pub(crate) plugin_runner: PluginRunner,

    /// Threads of a process for functions that take longer than a millisecond
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX))]
    pub(crate) plugin_threads: u64,

    /// Install funppy with pip into the Python environment where it is missing
    #[arg(long)]
    pub(crate) install_deps: bool,
}

/// What runs `debugtalk.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginRunner {
    /// The runner inside pummel: fast, needs python3 and nothing else
    Own,
    /// funppy, as hrp does
    Funppy,
}
