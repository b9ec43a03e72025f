//! Where runs are kept.

use std::path::PathBuf;

use clap::Args;

/// The flag of every command that keeps runs or reads them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreFlags {
    /// Keep the run in this SQLite file, or nowhere (none) [default: runs.db in ~/.local/share/pummel, or in pummel of $XDG_DATA_HOME]
    ///
    /// Each second is written while the run goes on, by a thread of its own, so a run that is killed can be read up to then. A store that
    /// cannot be written slows nothing: what happens is kept in memory, then in a file beside it, and the end of the run says where.
    #[arg(long, value_name = "FILE", env = "PUMMEL_STORE", hide_env_values = true, help_heading = "Output")]
    pub(crate) store: Option<PathBuf>,
}
