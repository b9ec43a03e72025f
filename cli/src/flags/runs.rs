//! Flags of `runs` and `report`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{ReportFileFlags, StoreFlags};
use crate::values::{parse_age, parse_size, parse_whole_at_least_one};

/// List the runs that are kept, label, delete and prune them
///
/// A run is named by its id, the first characters of that, its label, or last.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsFlags {
    #[command(flatten)]
    pub(crate) list: ListFlags,

    #[command(subcommand)]
    pub(crate) action: Option<RunsAction>,
}

/// Which runs are listed.
#[derive(Debug, Args)]
pub(crate) struct ListFlags {
    /// Only runs with this in their name, label or command
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,

    /// Only runs of the last so many days, weeks or hours: 7d, 2w, 12h
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub(crate) since: Option<Duration>,

    /// At most so many, the latest
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_whole_at_least_one, default_value = "20")]
    pub(crate) limit: u64,

    /// Write the list as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreFlags,
}

/// What is done with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsAction {
    /// Give a run a label, or take it away
    Label {
        /// The run
        run: String,
        /// The label; without it the run has none any more
        label: Option<String>,
        #[command(flatten)]
        store: StoreFlags,
    },
    /// Delete runs
    Delete {
        /// The runs
        #[arg(required = true)]
        runs: Vec<String>,
        #[command(flatten)]
        store: StoreFlags,
    },
    /// Delete what is too old or too much; runs with a label and runs that go on stay
    Prune(PruneFlags),
}

/// What is too old or too much.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["older_than", "max_size", "keep"])]
pub(crate) struct PruneFlags {
    /// Runs that started longer ago: 30d, 8w, 12h
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub(crate) older_than: Option<Duration>,

    /// The oldest, until what is kept takes no more than this: 500MB, 2GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,

    /// The oldest, until there are no more than so many
    #[arg(long, value_name = "N", value_parser = parse_whole_at_least_one)]
    pub(crate) keep: Option<u64>,

    /// Runs with a label, too
    #[arg(long)]
    pub(crate) labelled: bool,

    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) store: StoreFlags,
}

/// Report on a run that is kept, in any of several forms
///
/// Without a form it prints what the end of the run printed. RUN is an id, the first characters of one, a label, or last.
#[derive(Debug, Args)]
pub(crate) struct ReportFlags {
    /// The run [default: last]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,

    /// Write the summary as JSON (pummel.summary/1); - is stdout
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,

    /// Other files.
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) files: ReportFileFlags,

    /// Draw RPS and p99 over time and the latencies as a histogram, too
    #[arg(long, help_heading = "Output")]
    pub(crate) chart: bool,

    /// First take in a file that a run has left beside a store it could not write (may be given again)
    #[arg(long, value_name = "FILE")]
    pub(crate) recover: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) store: StoreFlags,
}
