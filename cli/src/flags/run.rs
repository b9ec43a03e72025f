//! `pummel run`: the flags of `hrp run`, and ours.

use std::{path::PathBuf, time::Duration};

use clap::{builder::BoolishValueParser, ArgAction, Args};

use super::{network::REDIRECTS_MAX, CaseFileFlags, PastedCommand, PluginFlags, ReachFlags};
use crate::values::parse_positive_duration;

/// Run HttpRunner test cases once, as tests
///
/// One user runs each case, once for each row of its parameters, and every step is looked at. A failing step ends its
/// case unless -c is given; the other cases run either way. The exit code is 0 when every step passed, otherwise that
/// of the first failure. Flags are those of `hrp run`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub(crate) struct RunFlags {
    /// Test cases (.yml, .yaml, .json), or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    // hrp's switches also take a value (--continue-on-failure=false), as all Go flags do.
    /// Go on with the next step of a case when one fails
    #[arg(
        short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) continue_on_failure: bool,

    /// Longest time of a case, unless the case says otherwise
    ///
    /// Seconds, or a number with a unit: 30, 30s, 2m, 500ms, 1h.
    #[arg(long, value_name = "TIME", default_value = "3600", value_parser = parse_positive_duration)]
    pub(crate) case_timeout: Duration,

    /// How the cases are read.
    #[command(flatten)]
    pub(crate) cases: CaseFileFlags,
    /// How their functions are run.
    #[command(flatten)]
    pub(crate) plugin: PluginFlags,
    /// Connections and their limits.
    #[command(flatten)]
    pub(crate) network: RunNetworkFlags,
    /// What is shown and written.
    #[command(flatten)]
    pub(crate) output: RunOutputFlags,
    /// A request in place of test cases.
    #[command(subcommand)]
    pub(crate) pasted: Option<PastedCommand>,
}

/// Network flags of `run`: those of `boom` that mean something for one user.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct RunNetworkFlags {
    /// Longest time of a request, unless its step or case says otherwise
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = parse_positive_duration)]
    pub(crate) request_timeout: Duration,

    /// Longest time a connection may take to open
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_positive_duration)]
    pub(crate) connect_timeout: Duration,

    /// How many redirects of one request are followed; 0 follows none
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(0..=REDIRECTS_MAX))]
    pub(crate) max_redirects: u32,

    /// How hosts are reached and spoken to.
    #[command(flatten)]
    pub(crate) reach: ReachFlags,

    /// The same as --proxy, by hrp's name
    #[arg(short, long, value_name = "URL", conflicts_with = "proxy")]
    pub(crate) proxy_url: Option<String>,
}

/// What `run` shows and writes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct RunOutputFlags {
    /// Show each request and response; bodies of text, JSON, XML and forms
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) log_requests: bool,

    /// Do not show requests and responses, which is the default here
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) log_requests_off: bool,

    /// Show how long each phase of a request took
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) http_stat: bool,

    /// Write results/START-TIME/summary.json, with the keys of hrp
    #[arg(
        short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) save_tests: bool,

    /// Write results/START-TIME/report.html, one page that needs no network
    #[arg(
        short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) gen_html_report: bool,

    /// Write the summary with the keys of hrp to a file; - is stdout, and the text for people then goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the results as JUnit XML, a suite for each case
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Show what the functions of debugtalk.py print and log, whatever --log-level says
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) log_plugin: bool,
}

const EXAMPLES: &str = "\
EXAMPLES:
  One case, with each request and response:
    pummel run case.yml --log-requests

  All cases of a folder against another host, to the last step, with a page and a file for CI:
    pummel run cases/ -c --base-url http://staging:8080 -g --junit junit.xml

  The names of the failed steps, by a script:
    pummel run cases/ --json - | jq -r '.details[].records[] | select(.success | not) | .name'";
