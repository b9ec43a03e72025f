//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::Parser;

/// Pummel beside other load tools, in interleaved rounds.
#[derive(Debug, Parser)]
#[command(name = "pummel-bench-peers", version)]
pub(crate) struct Flags {
    /// Rounds of each scenario; every tool runs once in each
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Seconds each tool runs in a round
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Only this scenario (may be given again); `--list` names them
    #[arg(long, value_name = "SCENARIO")]
    pub(crate) only: Vec<String>,
    /// Seconds of the soak, which runs only when asked for with `--only soak`
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    pub(crate) soak_seconds: u64,
    /// Append the tables to bench/HISTORY.md, with machine and commit
    #[arg(long)]
    pub(crate) record: bool,
    /// Name the scenarios and end
    #[arg(long)]
    pub(crate) list: bool,
    /// The folder of the project
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// The pummel to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) pummel: Option<PathBuf>,
    /// The bare ring loop [default: examples/bare_loop beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) bare_loop: Option<PathBuf>,
    /// The CPU of the clients [default: the first this process may use]
    #[arg(long, value_name = "CPU")]
    pub(crate) client_cpu: Option<usize>,
    /// The CPU of nginx and of this program [default: the second this process may use]
    #[arg(long, value_name = "CPU")]
    pub(crate) server_cpu: Option<usize>,
}
