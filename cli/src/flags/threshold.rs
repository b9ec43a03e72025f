//! Thresholds: what a run must hold to pass.

use std::time::Duration;

use clap::Args;
use pummel_stats::Condition;

use crate::values::{parse_duration, parse_threshold};

/// Flags of every command that makes load.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct ThresholdFlags {
    /// What the run must hold, or it exits with 99: [STEP:]METRIC OP VALUE[UNIT]; may be repeated
    ///
    /// METRIC is a latency (p99, p99.9 or any other percentile, min, mean, max; in us, ms or s), errors (with % their share,
    /// without their number), rps, or requests; OP is <, <=, > or >=. Such as 'p99<250ms', 'errors<0.1%', 'rps>2000',
    /// 'login:p95<100ms'. STEP is the name of a step, a transaction or a referenced case; without it all requests are meant. A
    /// latency is the time of service in a closed run, and of response (from when the request was due) in an open one (--rate);
    /// service.p99 and response.p99 say which. What is judged is the whole run, less its --warmup. A percentile needs 10 samples
    /// beyond it (1,000 for p99); with fewer it does not pass.
    #[arg(long = "threshold", value_name = "EXPR", value_parser = parse_threshold)]
    pub(crate) thresholds: Vec<Condition>,

    /// Stop the run once all of it so far breaks a threshold, not before DELAY after the start of the load
    ///
    /// As Ctrl-C does: requests in flight may finish. Looked at each second; without DELAY it is 10s. A percentile with too few
    /// samples stops nothing, nor does a number that has yet to grow (requests>1000).
    #[arg(
        long, value_name = "DELAY", num_args = 0..=1, require_equals = true, default_missing_value = ABORT_AFTER,
        value_parser = parse_duration
    )]
    pub(crate) abort_on_threshold: Option<Duration>,
}

/// The delay of `--abort-on-threshold` where it gives none: users are started, connections open and caches are warm by then in most
/// runs.
pub(crate) const ABORT_AFTER: &str = "10s";
