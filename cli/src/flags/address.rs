//! Where connections go and come from.

use clap::Args;

/// Where connections go and come from: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct AddressFlags {}
