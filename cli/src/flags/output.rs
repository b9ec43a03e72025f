//! What is shown, what is written, and what the exit code depends on.

use std::path::PathBuf;

use clap::{builder::BoolishValueParser, ArgAction, Args};
use pummel_stats::SAMPLES_PER_SORT_MAX;

use super::{MetricsFlags, ReportFileFlags, StoreFlags};

/// Flags of every command that makes load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// Write the summary as JSON (pummel.summary/1); - is stdout, and the report then goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Where the run is kept.
    #[command(flatten)]
    pub(crate) store: StoreFlags,

    /// The other files results go to.
    #[command(flatten)]
    pub(crate) files: ReportFileFlags,

    /// Draw RPS and p99 over time and the latencies as a histogram in the final summary
    #[arg(long)]
    pub(crate) chart: bool,

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

    /// Keep the first N failed exchanges of each step and kind of error in the report, with request, response and timing
    ///
    /// From 0, which is off, to 100; the JSON summary has them whole (failure_samples), the report the first of some. Of a body the
    /// first 4 KiB are kept. Values of Authorization, Cookie and Set-Cookie are masked, and of every header, parameter and field whose
    /// name holds token, secret, password, passwd, pwd, passphrase, apikey, privatekey, signature, jwt, session or credential. With it
    /// each connection keeps the head and the first 4 KiB of the response it reads, which costs some speed.
    #[arg(
        long, value_name = "N", default_value_t = 0, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(SAMPLES_PER_SORT_MAX))
    )]
    pub(crate) sample_failures: u32,

    /// Do not mask what is secret in failed exchanges that are kept
    ///
    /// The report on the terminal and --json have it then; the store and all other files have it masked.
    #[arg(long)]
    pub(crate) show_secrets: bool,

    /// Exit with 98 when the client verdict is invalid
    #[arg(long)]
    pub(crate) fail_on_client_saturation: bool,

    /// Who is told of it while it goes on.
    #[command(flatten)]
    pub(crate) metrics: MetricsFlags,
}
