//! `pummel boom`: the flags of `hrp boom`, and ours.

use std::path::PathBuf;

use clap::Args;

use super::{CaseFileFlags, CaseRunFlags, LaterFlags, PastedCommand, PluginFlags};

/// Run HttpRunner test cases as load
///
/// Each virtual user runs iterations back to back; every iteration picks one of the cases, by weight where a case has
/// one. Flags and defaults are those of `hrp boom`, so a command line that worked there works here.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub(crate) struct BoomFlags {
    /// Test cases (.yml, .yaml, .json), or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// File of flags (.yml, .yaml, .json); what it holds overrides the command line
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,

    /// How the cases are read.
    #[command(flatten)]
    pub(crate) cases: CaseFileFlags,
    /// How their functions are run.
    #[command(flatten)]
    pub(crate) plugin: PluginFlags,
    /// How the cases are run.
    #[command(flatten)]
    pub(crate) run: CaseRunFlags,
    /// hrp's flags that do nothing here yet.
    #[command(flatten)]
    pub(crate) later: LaterFlags,

    /// A command in place of test cases.
    #[command(subcommand)]
    pub(crate) pasted: Option<PastedCommand>,
}

const EXAMPLES: &str = "\
EXAMPLES:
  One user until Ctrl-C, as `hrp boom` has it:
    pummel boom case.yml

  200 users, 50 more each second, for one minute:
    pummel boom case.yml --spawn-count 200 --spawn-rate 50 --run-time 1m

  The same cases against another host, at 500 requests a second at most:
    pummel boom cases/ --base-url http://staging:8080 -e user=anna --max-rps 500 --spawn-count 50

  A command copied from a browser or a manual, without a test case:
    pummel boom --spawn-count 20 --run-time 30 curl http://127.0.0.1:8080/api -d a=1

  The summary as JSON for a script:
    pummel boom case.yml --spawn-count 20 --run-time 30 --json - | jq .totals.rps";
