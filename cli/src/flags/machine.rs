//! Which CPUs make the load.

use clap::Args;

use crate::values::{parse_cpu_list, parse_whole_at_least_one, CpuList};

/// Flags of every command that uses cores of its own. Without any: all CPUs this process may use, at most as many as
/// its cgroup's quota is worth.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineFlags {
    /// How many CPUs to use [default: all this process may use]
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "cpus", value_parser = parse_whole_at_least_one)]
    pub(crate) cores: Option<u64>,

    /// Which CPUs to use, such as 0,2-3
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = parse_cpu_list)]
    pub(crate) cpus: Option<CpuList>,
}
