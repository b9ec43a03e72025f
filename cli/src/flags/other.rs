//! Flags of the commands that make no load.

use std::net::SocketAddr;

use clap::Args;
use clap_complete::Shell;

use super::MachineFlags;

/// Run the embedded test server
///
/// It answers /hello/NAME, /api/..., /status/CODE, /delay/MS, /bytes/N, /chunked/N and /close-after/N, and says what it
/// counted on /__stats. Before another path, /limit/RATE lets RATE requests a second pass and answers 429 to the rest,
/// /queue/MEAN_US serves one request at a time for an exponentially distributed time, and /stamp notes when requests
/// arrived, which /__stamps tells. Ctrl-C ends it.
#[derive(Debug, Args)]
pub(crate) struct TargetFlags {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Which CPUs.
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
}

/// Print a completion script for a shell
///
/// For bash: pummel completions bash > ~/.local/share/bash-completion/completions/pummel
#[derive(Debug, Args)]
pub(crate) struct CompletionsFlags {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
