//! Credentials of requests.

use clap::Args;

/// Credentials of requests: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct AuthFlags {
    // Read when the plan is made, not here: what clap refuses it repeats, and this holds a secret.
    /// Credentials of requests that have none: basic:USER:PASSWORD, digest:USER:PASSWORD or bearer:TOKEN
    #[arg(long, value_name = "HOW:WHO")]
    pub(crate) auth: Option<String>,
}
