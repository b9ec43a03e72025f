//! What can be typed: every command and flag, each in one place with its name, its help and its default.
//!
//! Help texts, shell completions and the man page come from these definitions. Nothing here decides anything: turning
//! flags into a plan is `plan.rs`'s business, and checks that need more than the text of one flag are made there.
//!
//! Reading order: this file, `boom.rs` and the groups it is made of (`case_files.rs`, `plugin.rs`, `case_run.rs`: `load.rs`, `open.rs`,
//! `warmup.rs`, `network.rs`, `machine.rs`, `threshold.rs`, `output.rs`, `report_files.rs`), `run.rs`, `later.rs` for hrp's flags that are not built yet, then the other commands.

mod address;
mod auth;
mod boom;
mod capacity;
mod case_files;
mod case_run;
mod compare;
mod convert;
mod demo;
mod given;
mod hit;
mod http2;
mod later;
mod load;
mod machine;
mod metrics;
mod network;
mod open;
mod other;
mod output;
mod pasted;
mod plugin;
mod proxy;
mod report_files;
mod request;
mod run;
mod runs;
mod store;
mod threshold;
mod tls;
mod warmup;

use std::ffi::OsString;

use clap::{builder::PossibleValue, Args, Command as ClapCommand, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use address::{AddressFlags, CloseBy};
pub(crate) use auth::AuthFlags;
pub(crate) use boom::BoomFlags;
pub(crate) use capacity::{ByWhat, CapacityFlags};
pub(crate) use case_files::{CaseFileFlags, UrlCompat};
pub(crate) use case_run::CaseRunFlags;
pub(crate) use compare::{Against, CompareFlags};
pub(crate) use convert::ConvertFlags;
pub(crate) use demo::DemoFlags;
pub(crate) use given::GivenFlags;
pub(crate) use hit::HitFlags;
pub(crate) use http2::Http2Flags;
pub(crate) use later::{is_later_flag, not_built, GivenLaterFlag, LaterFlags};
pub(crate) use load::{LoadFlags, RateUnit};
pub(crate) use machine::MachineFlags;
pub(crate) use metrics::MetricsFlags;
pub(crate) use network::{CookieLife, NetworkFlags, ReachFlags, StaleRetry, TransportFlags};
pub(crate) use open::{CatchUpBy, OpenFlags};
pub(crate) use other::{CompletionsFlags, TargetFlags};
pub(crate) use output::OutputFlags;
pub(crate) use pasted::PastedCommand;
pub(crate) use plugin::{PluginFlags, PluginRunner};
pub(crate) use proxy::ProxyFlags;
pub(crate) use report_files::ReportFileFlags;
pub(crate) use request::RequestFlags;
pub(crate) use run::RunFlags;
pub(crate) use runs::{ListFlags, PruneFlags, ReportFlags, RunsAction, RunsFlags};
pub(crate) use store::StoreFlags;
pub(crate) use threshold::{ThresholdFlags, ABORT_AFTER};
pub(crate) use tls::{LeastTls, Switch, TlsFlags};
pub(crate) use warmup::WarmupFlags;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "pummel",
    version,
    about = "Load and test HTTP services with HttpRunner test cases, or load a single URL",
    long_about = "Load HTTP services with HttpRunner v4 test cases (those of `hrp boom`) or with a single URL, at close \
                  to the speed the kernel allows, with a report that says whether the client itself was the limit. The \
                  same cases run once as tests (those of `hrp run`).",
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Flags that stand before or after any command.
    #[command(flatten)]
    pub(crate) global: GlobalFlags,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0     done, a run stopped by Ctrl-C included
  1     the program failed, a step of `run` failed, doctor found what makes a run impossible, or
        `capacity` ended without an answer, or what `compare` compared has no step in common
  2     wrong usage
  9-39  a test case, profile or .env file could not be loaded (as in hrp),
        9 no Python or no funppy, 18 a debugtalk.py that is no Python, 31 one that does not start;
        or what `run` met: 21 a variable without a value, 23 a function that failed, 24 variables
        that cannot be evaluated, 38 an interruption, 39 the time limit of a case
  98    the client verdict is invalid and --fail-on-client-saturation was given
  99    a threshold failed, `capacity` found that no level holds, or less than --at-least,
        or a --fail-if of `compare` is met";

/// Flags every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Diagnostics")]
pub(crate) struct GlobalFlags {
    /// Diagnostics to show on stderr
    #[arg(
        short = 'l',
        long,
        global = true,
        value_enum,
        ignore_case = true,
        default_value = "warn",
        value_name = "LEVEL"
    )]
    pub(crate) log_level: LogLevel,

    /// Write diagnostics as JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) log_json: bool,

    /// Python environment for debugtalk.py [default: ~/.hrp/venv if it is one, else the python3 of the PATH]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) venv: Option<OsString>,
}

/// How much is logged. hrp's names; `fatal` and `panic`, levels on which nothing here is logged, are taken as `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Everything.
    Trace,
    /// What the program decides and why.
    Debug,
    /// What it does.
    Info,
    /// What the user should know.
    Warn,
    /// Only what went wrong.
    Error,
    /// Nothing.
    Off,
}

impl ValueEnum for LogLevel {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Off]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Trace => PossibleValue::new("trace"),
            Self::Debug => PossibleValue::new("debug"),
            Self::Info => PossibleValue::new("info"),
            Self::Warn => PossibleValue::new("warn").alias("warning"),
            Self::Error => PossibleValue::new("error"),
            Self::Off => PossibleValue::new("off").aliases(["fatal", "panic", "disabled"]),
        })
    }
}

/// The commands. What a command is for stands at its flags.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Boom(Box<BoomFlags>),
    Run(Box<RunFlags>),
    Hit(Box<HitFlags>),
    Capacity(Box<CapacityFlags>),
    Compare(Box<CompareFlags>),
    Convert(Box<ConvertFlags>),
    Runs(Box<RunsFlags>),
    Report(ReportFlags),
    Demo(Box<DemoFlags>),
    Target(TargetFlags),
    /// Check whether this machine can make load, and say what to change
    ///
    /// Each line is ok, a note on what could be better, or FAIL for what makes a run impossible; then the exit code is 1.
    Doctor,
    Completions(CompletionsFlags),
    /// Print the man page
    ///
    /// To read it: pummel man | man -l -
    Man,
}

/// The command line as clap knows it, with what the definitions cannot say for themselves: `demo` shares the load flags
/// of `boom` and has other defaults.
pub(crate) fn command() -> ClapCommand {
    // Of a flag given twice the last counts, as in hrp.
    let command = Cli::command().args_override_self(true).mut_subcommand("demo", demo::set_defaults);
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    // `pummel boom --version` says `pummel boom 0.1.0`, as it is typed, rather than `pummel-boom`.
    names.into_iter().fold(command, |command, name| {
        let shown = format!("pummel {name}");
        command.mut_subcommand(name, |command| command.display_name(shown))
    })
}
