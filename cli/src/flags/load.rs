//! How much load: users, their rate of start, how long, how often, how fast.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::values::{parse_duration, parse_rate, parse_rate_limit, parse_users};

/// Flags of `boom` and `demo`, with hrp's names and defaults (hrp spec 14.1).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadFlags {
    /// Virtual users
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = parse_users)]
    pub(crate) spawn_count: u32,

    /// Users started per second
    #[arg(long, value_name = "RATE", default_value = "1", allow_negative_numbers = true, value_parser = parse_rate)]
    pub(crate) spawn_rate: f64,

    /// How long load is made, from the start of the first user; 0 is without end
    ///
    /// Seconds, or a number with a unit: 30, 30s, 2m, 500ms, 1h.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    pub(crate) run_time: Duration,

    /// Iterations per user; 0 or less is without end
    #[arg(long, value_name = "N", default_value = "-1", allow_negative_numbers = true)]
    pub(crate) loop_count: i64,

    /// Ceiling on the rate of the whole run, per second, evenly spread; 0 is none
    ///
    /// Counts requests, or iterations with --rate-unit iteration. Waiting for a slot never uses up --loop-count.
    #[arg(long, value_name = "RATE", default_value = "0", allow_negative_numbers = true, value_parser = parse_rate_limit)]
    pub(crate) max_rps: RateLimit,

    /// What --max-rps counts; hrp counts iterations
    #[arg(long, value_enum, value_name = "UNIT", default_value_t = RateUnit::Request)]
    pub(crate) rate_unit: RateUnit,
}

/// A ceiling per second, or none. An alias, so that clap does not read the `Option` as "flag may be absent".
pub(crate) type RateLimit = Option<f64>;

/// What one slot of `--max-rps` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RateUnit {
    /// Each request waits for a slot
    Request,
    /// Each iteration waits for a slot, as in hrp
    Iteration,
}
