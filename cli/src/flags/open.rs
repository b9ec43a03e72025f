//! Load over time: stages, and arrivals that do not wait for answers.

use clap::{Args, ValueEnum};

use crate::values::{parse_rate_per, parse_stages, parse_users, Stages};

/// Flags of every command that makes load.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Load over time")]
pub(crate) struct OpenFlags {
    /// Iterations that arrive per second whatever the server does (an open run), such as 5000/s or 300/m
    ///
    /// Each arrival is taken by a user that is free, or makes one more start, up to --max-users. Times are those of response: from
    /// when the iteration was due. Of hit, an iteration is one request, or one pass through --urls.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = parse_rate_per)]
    pub(crate) rate: Option<f64>,

    /// How the load goes from stage to stage, TIME:TARGET,...: of users ('30s:100,2m:500,30s:0') or of a rate ('30s:100/s,1m:500/s')
    ///
    /// Each stage goes evenly from what was before it to its target; a stage of 0s is a jump, and 30s:100@10 starts (or ends) 10
    /// users a second and then stays. Users (of hit, connections) begin at 0, a rate at --rate or 0. The run ends with the last
    /// stage. Users that are to end finish their iteration.
    #[arg(long, value_name = "STAGES", value_parser = parse_stages)]
    pub(crate) stages: Option<Stages>,

    /// Arrivals as of many independent visitors (a Poisson process) rather than evenly spaced
    #[arg(long)]
    pub(crate) poisson: bool,

    /// What the gaps of --poisson are drawn from; the same seed gives the same arrivals [default: another each time]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Most users (of hit, connections) of an open run at a time [default: 10000, fewer where descriptors are few]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_users)]
    pub(crate) max_users: Option<u32>,

    /// What becomes of arrivals that found no free user in time
    #[arg(long, value_enum, value_name = "HOW", default_value_t = CatchUpBy::Burst)]
    pub(crate) catch_up: CatchUpBy,
}

/// What becomes of arrivals for which no user was free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum CatchUpBy {
    /// They are made as soon as a user is free
    #[default]
    Burst,
    /// The same, at 1.25 times the rate at most
    Smooth,
    /// They are not made, and count as missed
    Drop,
}
