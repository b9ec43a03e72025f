//! What every command that runs test cases takes.

use clap::Args;

use super::{LoadFlags, MachineFlags, NetworkFlags, OutputFlags, ThresholdFlags, WarmupFlags};

/// Flags of `boom` and `demo`.
#[derive(Debug, Args)]
pub(crate) struct CaseRunFlags {
    /// How much load.
    #[command(flatten)]
    pub(crate) load: LoadFlags,
    /// How much of it is kept apart.
    #[command(flatten)]
    pub(crate) warmup: WarmupFlags,
    /// Connections and their limits.
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    /// Which CPUs make the load.
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
    /// What must hold.
    #[command(flatten)]
    pub(crate) thresholds: ThresholdFlags,
    /// What is shown and written.
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}
