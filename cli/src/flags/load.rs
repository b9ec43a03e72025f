//! How much load: users, their rate of start, how long, how often, how fast.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{GivenFlags, OpenFlags};
use crate::values::{
    parse_duration, parse_positive_duration, parse_rate, parse_rate_limit, parse_users, parse_whole_at_least_one,
};

/// Flags of `boom` and `demo`, with hrp's names and defaults (hrp spec 14.1).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadFlags {
    /// Which of them were typed.
    #[command(flatten)]
    pub(crate) given: GivenFlags,

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

    /// Iterations in the whole run, shared by all users
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_whole_at_least_one)]
    pub(crate) iterations: Option<u64>,

    /// Least time between the beginnings of two iterations of a user
    ///
    /// An iteration that takes longer is followed by the next one at once.
    #[arg(long, value_name = "TIME", value_parser = parse_positive_duration)]
    pub(crate) pacing: Option<Duration>,

    /// Ceiling on the rate of the whole run, per second, evenly spread; 0 is none
    ///
    /// Counts requests, or iterations with --rate-unit iteration. Waiting for a slot never uses up --loop-count.
    #[arg(long, value_name = "RATE", default_value = "0", allow_negative_numbers = true, value_parser = parse_rate_limit)]
    pub(crate) max_rps: RateLimit,

    /// What --max-rps counts; hrp counts iterations
    #[arg(long, value_enum, value_name = "UNIT", default_value_t = RateUnit::Request)]
    pub(crate) rate_unit: RateUnit,

    /// Stages, and arrivals.
    #[command(flatten)]
    pub(crate) open: OpenFlags,
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
