//! `pummel capacity`: the highest load that holds what it must.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use pummel_stats::{capacity::By, Condition};

use super::{CaseFileFlags, GivenFlags, MachineFlags, NetworkFlags, PluginFlags, RequestFlags};
use crate::values::{parse_level, parse_positive_duration, parse_threshold, parse_users, Level};

/// Search for the highest rate, or number of users, at which the thresholds hold
///
/// A rough estimate first (3 s at full speed, longer where an iteration takes longer), then probes: from a quarter of the estimate
/// on, each at twice the rate before, until one fails; then between the highest that held and the lowest that failed, until they
/// are 2 % apart. Each probe is a run of its own that settles, then measures. One that fails is repeated once before it counts,
/// after the service has recovered. At the end 95 % of the rate that was found is held for longer. A probe in which this machine
/// was the limit never raises the answer. A request without an answer counts as one that failed. Where ports might not come back
/// between probes, connections are closed with a reset if --close is not given.
///
/// Sessions arrive open: iterations come at their times whatever the service does, and the steps of each follow one another, as
/// visitors do. A URL counts as failed where its status is 400 or more.
///
/// Exits with 0 where there is an answer, with 99 where no level held or less was found than --at-least, and with 1 where nothing
/// is known: nothing succeeded, the time or the samples did not suffice for a level to hold, it was unclear what failed, or a run
/// of the search itself failed.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CapacityFlags {
    /// Which of the flags were typed.
    #[command(flatten)]
    pub(crate) given: GivenFlags,

    /// What to load: test cases, files or folders of them, or one http:// or https:// URL
    #[arg(value_name = "CASE|URL", required = true)]
    pub(crate) what: Vec<PathBuf>,

    /// What the service must hold, such as 'p99<50ms', 'errors<0.1%' or 'login:p95<100ms'; may be repeated
    ///
    /// As --threshold of boom. A latency is that of response (from when it was due) in a search by rate, and that of service in
    /// one by users. rps and requests are what the search varies: --at-least and --at-most say how much of them there is to be.
    #[arg(long = "threshold", value_name = "EXPR", required = true, value_parser = parse_threshold)]
    pub(crate) thresholds: Vec<Condition>,

    /// What is varied
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ByWhat::Rate, help_heading = "Search")]
    pub(crate) by: ByWhat,

    /// Exit with 99 if less than this is found: a rate such as 4000/s, or with --by users a number of them
    #[arg(long, value_name = "LEVEL", value_parser = parse_level, help_heading = "Search")]
    pub(crate) at_least: Option<Level>,

    /// Highest level to try: a rate such as 20000/s, or with --by users a number of them
    #[arg(long, value_name = "LEVEL", value_parser = parse_level, help_heading = "Search")]
    pub(crate) at_most: Option<Level>,

    /// Longest time of the whole search; what is known by then is the answer
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_positive_duration, help_heading = "Search")]
    pub(crate) max_duration: Duration,

    /// How long each probe settles before it measures; longer where an iteration takes longer than half of it
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_positive_duration, help_heading = "Search")]
    pub(crate) settle: Duration,

    /// Least time each probe measures; longer where a percentile needs more samples
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_positive_duration, help_heading = "Search")]
    pub(crate) measure: Duration,

    /// Arrivals as of many independent visitors (a Poisson process) rather than evenly spaced; not with --by users
    #[arg(long, help_heading = "Search")]
    pub(crate) poisson: bool,

    /// What the gaps of --poisson are drawn from [default: another each time]
    #[arg(long, value_name = "N", requires = "poisson", help_heading = "Search")]
    pub(crate) seed: Option<u64>,

    /// Most users (of a URL, connections) at a time [default: 10000, fewer where descriptors are few]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_users, help_heading = "Search")]
    pub(crate) max_users: Option<u32>,

    /// The request, where a URL is loaded.
    #[command(flatten)]
    pub(crate) request: RequestFlags,
    /// How cases are read.
    #[command(flatten)]
    pub(crate) cases: CaseFileFlags,
    /// Functions of cases.
    #[command(flatten)]
    pub(crate) plugin: PluginFlags,
    /// Connections and their limits.
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    /// Which CPUs make the load.
    #[command(flatten)]
    pub(crate) machine: MachineFlags,

    /// Write the result as JSON (pummel.capacity/1); - is stdout, and the report then goes to stderr
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,

    /// Show the result only, without a line for each probe
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Exit with 98 when this machine was the limit
    #[arg(long, help_heading = "Output")]
    pub(crate) fail_on_client_saturation: bool,
}

/// What a search varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ByWhat {
    /// Iterations that arrive a second (an open load)
    Rate,
    /// Users at once (a closed load)
    Users,
}

impl From<ByWhat> for By {
    fn from(by: ByWhat) -> Self {
        match by {
            ByWhat::Rate => Self::Rate,
            ByWhat::Users => Self::Users,
        }
    }
}

const EXAMPLES: &str = "\
EXAMPLES:
  How many requests a second a URL takes with 99 % of them within 50 ms:
    pummel capacity http://127.0.0.1:8080/api --threshold 'p99<50ms' --threshold 'errors<0.1%'

  The same of a test case, whose iterations are counted, with an exit code for a nightly job:
    pummel capacity case.yml --threshold 'p99<50ms' --at-least 500/s

  How many users work at once before a step becomes slow:
    pummel capacity case.yml --by users --threshold 'login:p95<100ms'";
