//! `pummel hit`: one URL or a list of them, no test case.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    GivenFlags, MachineFlags, OpenFlags, OutputFlags, RequestFlags, ThresholdFlags, TransportFlags, WarmupFlags,
};
use crate::values::{parse_http_url, parse_positive_duration, parse_rate, parse_users, parse_whole_at_least_one};

/// Load one URL, or a list of them, without a test case
///
/// Each connection sends one request after the other. Without -d and -n the load lasts 10 seconds.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct HitFlags {
    /// Which of the flags were typed.
    #[command(flatten)]
    pub(crate) given: GivenFlags,

    /// What to load: an http:// or https:// URL
    #[arg(value_name = "URL", required_unless_present = "urls", value_parser = parse_http_url)]
    pub(crate) url: Option<String>,

    /// File of URLs, one a line or METHOD URL, # for comments; each connection goes through them in order
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) urls: Option<PathBuf>,

    /// The request.
    #[command(flatten)]
    pub(crate) request: RequestFlags,

    /// Connections, each with one request in flight
    #[arg(
        short, long, value_name = "N", default_value = "10", allow_negative_numbers = true, value_parser = parse_users,
        help_heading = "Load"
    )]
    pub(crate) connections: u32,

    /// How long load is made [default: 10s, or without end with -n]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive_duration, help_heading = "Load")]
    pub(crate) duration: Option<Duration>,

    /// Requests in all
    #[arg(
        short = 'n', long, value_name = "N", allow_negative_numbers = true, value_parser = parse_whole_at_least_one,
        help_heading = "Load"
    )]
    pub(crate) requests: Option<u64>,

    /// Ceiling on the rate of the whole run, requests per second, evenly spread
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = parse_rate, help_heading = "Load")]
    pub(crate) max_rps: Option<f64>,

    /// How much of the load is kept apart.
    #[command(flatten)]
    pub(crate) warmup: WarmupFlags,

    /// Longest time of a request
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_positive_duration, help_heading = "Network")]
    pub(crate) timeout: Duration,

    /// Stages, and arrivals.
    #[command(flatten)]
    pub(crate) open: OpenFlags,
    /// Connections and their limits.
    #[command(flatten)]
    pub(crate) transport: TransportFlags,
    /// Which CPUs.
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
    /// What must hold.
    #[command(flatten)]
    pub(crate) thresholds: ThresholdFlags,
    /// What is shown and written.
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

const EXAMPLES: &str = "\
EXAMPLES:
  64 connections for 10 seconds:
    pummel hit http://127.0.0.1:8080/ -c 64

  Exactly 100,000 requests:
    pummel hit http://127.0.0.1:8080/ -c 64 -n 100000

  A POST with a JSON body from a file, at 1,000 requests a second:
    pummel hit http://127.0.0.1:8080/api -H 'Content-Type: application/json' -b @body.json --max-rps 1000

  The same with requests that arrive at 1,000 a second, whether the server keeps up or not:
    pummel hit http://127.0.0.1:8080/api -H 'Content-Type: application/json' -b @body.json --rate 1000/s

  Several URLs, one after the other:
    pummel hit --urls urls.txt -c 100 -d 1m";
