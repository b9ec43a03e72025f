//! The files a run is handed on in, beside the JSON summary.

use std::path::PathBuf;

use clap::Args;

/// One flag for each format. Of these and `--json` one may name `-`, stdout.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReportFileFlags {
    /// Write a report with charts as one HTML page that needs no network; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Write a table of every second, with a record for each step and one for all requests; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Write the latencies of every second as an HdrHistogram V2 interval log; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Write the outcome as JUnit XML: thresholds, client verdict and steps; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Write the summary as Markdown, for a comment of a pull request; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}
