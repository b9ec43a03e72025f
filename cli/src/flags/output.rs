//! What is shown, what is written, and what the exit code depends on.

use std::path::PathBuf;

use clap::{builder::BoolishValueParser, ArgAction, Args};

/// Flags of every command that makes load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// Write the summary as JSON (pummel.summary/1); - is stdout, and the report then goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Show the final summary only, without tables and progress while the load runs
    #[arg(short, long)]
    pub(crate) quiet: bool,

    // hrp's switches also take a value (--disable-console-output=false), as all Go flags do.
    /// Show neither tables nor the summary
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) disable_console_output: bool,

    /// Record how long each phase of the requests took: sending, waiting, receiving
    ///
    /// Those of connections (dns, connect, tls) are always in the JSON summary. It costs some speed.
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) http_stat: bool,

    /// Exit with 98 when the client verdict is invalid
    #[arg(long)]
    pub(crate) fail_on_client_saturation: bool,
}
