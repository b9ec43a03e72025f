//! Credentials of requests.

use clap::Args;
use pummel_case::Credentials;

use crate::values::parse_credentials;

/// Credentials of requests: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct AuthFlags {
    /// Credentials of requests that have none: basic:USER:PASSWORD, digest:USER:PASSWORD or bearer:TOKEN
    #[arg(long, value_name = "HOW:WHO", value_parser = parse_credentials)]
    pub(crate) auth: Option<Credentials>,
}
