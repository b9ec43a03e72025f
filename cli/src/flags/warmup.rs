//! The warm-up: how much of the load is kept apart from what is measured.

use std::time::Duration;

use clap::Args;

use crate::values::parse_duration;

/// Flags of every command that makes load.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct WarmupFlags {
    /// Keep what ends in the first TIME of the load apart from what is measured; 0 is without a warm-up
    ///
    /// It is the first part of the time the load lasts, not added to it, and has a section of its own in the report. Totals, steps,
    /// latencies, errors, thresholds and the verdict are of what ended after it. Connections are those of the whole run.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse_duration)]
    pub(crate) warmup: Option<Duration>,
}
