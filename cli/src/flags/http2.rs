//! HTTP/2.

use clap::Args;

/// HTTP/2: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Http2Flags {}
