//! Proxies.

use clap::Args;

/// Proxies: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct ProxyFlags {}
