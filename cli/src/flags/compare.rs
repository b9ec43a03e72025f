//! `pummel compare`: what differs between runs.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};
use pummel_stats::compare::ChangeLimit;

use super::StoreFlags;
use crate::values::parse_change_limit;

/// Compare runs with each other, or with what another tool measured
///
/// The first is the baseline; each of the others is held against it, step by step. Several runs of the same thing, joined by commas,
/// are one contender: from three on, the difference is judged by how much they vary; one run is judged by how much its seconds vary,
/// as far as they were kept. Each figure gets its difference, the 95 % confidence interval of that, and a verdict: better, worse, no
/// change (zero is within the interval, or all of it below 1 %), or not enough data.
///
/// A run is the id or the label of a stored one, or a file: pummel's JSON summary (--json), the console log of hrp boom, what wrk prints (with or
/// without --latency), oha's JSON, k6's (--summary-export), Locust's _stats.csv. What a file is, is told by its contents.
///
/// Exits with 0, with 99 where a --fail-if is met, and with 1 where two contenders have no step in common.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompareFlags {
    /// Two contenders or more: each a run, or several joined by commas
    #[arg(value_name = "RUN[,RUN...]", required_unless_present = "against", conflicts_with = "against")]
    pub(crate) contenders: Vec<String>,

    /// What to call a contender, the first time the first, and so on
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Exit with 99 if a figure is worse by more than this, and not by chance; may be repeated: [STEP:]METRIC +N%
    ///
    /// METRIC is rps (-N%), errors (+N%, in percentage points of the requests), or a latency: mean, p50, p90, p95, p99, max (+N%).
    /// Such as 'p99 +10%', 'rps -5%', 'errors +0.1%', 'login:p95 +10%'. STEP is the name of a step or transaction; without it all
    /// requests are meant. It is met where the difference is beyond N and the whole of its interval beyond zero.
    #[arg(long, value_name = "DIFFERENCE", value_parser = parse_change_limit, help_heading = "Verdict")]
    pub(crate) fail_if: Vec<ChangeLimit>,

    /// Exit with 99, too, if a --fail-if cannot be judged for want of data
    #[arg(long, requires = "fail_if", help_heading = "Verdict")]
    pub(crate) strict: bool,

    /// Where named runs are.
    #[command(flatten)]
    pub(crate) store: StoreFlags,

    /// Write the comparison as JSON (pummel.comparison/1); - is stdout, and the text then goes to stderr
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,

    /// Write the comparison as Markdown, for a pull request
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) markdown: Option<PathBuf>,

    /// Run this tool and pummel by turns with what stands behind --, and compare them
    #[arg(long, value_enum, value_name = "TOOL", requires = "boom", help_heading = "Side by side")]
    pub(crate) against: Option<Against>,

    /// How often each of them runs; from three on, differences are judged by how much the runs vary
    #[arg(
        long, value_name = "N", default_value_t = 3, requires = "against", help_heading = "Side by side",
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub(crate) rounds: u32,

    /// Test case and flags of boom for --against, those of hrp: they are given to both
    #[arg(last = true, value_name = "CASE and FLAGS", requires = "against", help_heading = "Side by side")]
    pub(crate) boom: Vec<OsString>,
}

/// A tool that runs the same test cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Against {
    /// hrp boom, from the PATH
    Hrp,
}

const EXAMPLES: &str = "\
EXAMPLES:
  Before and after a change, three runs each:
    pummel compare before1.json,before2.json,before3.json after1.json,after2.json,after3.json

  In a pipeline, with a comment for the pull request:
    pummel compare main1.json,main2.json,main3.json new1.json,new2.json,new3.json \\
      --fail-if 'p99 +10%' --fail-if 'errors +0.1%' --markdown comment.md

  With what another tool measured:
    wrk -d 30s --latency http://127.0.0.1:8080/ > wrk.txt
    pummel hit http://127.0.0.1:8080/ -d 30s --json hit.json
    pummel compare wrk.txt hit.json

  With hrp, by turns:
    pummel compare --against hrp -- case.yml --spawn-count 50 --spawn-rate 50 --run-time 30";
