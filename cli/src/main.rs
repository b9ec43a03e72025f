//! The `pummel` command: flags in, a plan, a run, a report and an exit code out.
//!
//! Thin by intent. Reading order: `flags` (what can be typed), `profile` and `plan` (what it means), `plugins` (the processes of debugtalk files), `commands` (what each
//! command does), `execute` (a run from its plan to its exit code), `metrics_outputs` (who is told of it meanwhile), `functional` (what `run` shows and writes). `machine` and `doctor` know the system, `failure` the
//! one diagnostic a person sees, `exit` the codes scripts rely on.

mod banner;
mod capacity_search;
mod commands;
mod console;
mod curl_case;
mod doctor;
mod execute;
mod exit;
mod failure;
mod files;
mod flags;
mod functional;
mod hit_requests;
mod kept_runs;
mod log;
mod machine;
mod metrics_outputs;
mod plan;
mod plan_addresses;
mod plan_capacity;
mod plan_load;
mod plan_network;
mod plan_proxies;
mod plan_run;
mod plan_thresholds;
mod plan_warmup;
mod plugins;
mod profile;
mod profile_load;
mod profile_metrics;
mod profile_network;
mod profile_plugin;
mod report_files;
mod secrets;
mod side_by_side;
mod signals;
mod values;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::{
    failure::Failure,
    flags::{Cli, Command},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // No command of a person, so the flags know nothing of it: this program becomes the process of a plugin.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == pummel_plugin::LAUNCH_COMMAND) {
        eprintln!("{}", pummel_plugin::launch(arguments));
        return ExitCode::from(exit::FAILED);
    }
    let typed = flags::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let code = match typed {
        Ok(cli) => run(cli).unwrap_or_else(|failure| {
            failure.print();
            failure.exit_code()
        }),
        Err(error) => {
            // Help and the version come this way too, with code 0. A closed stdout is no reason to fail.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(exit::USAGE)
        }
    };
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let shows_plugins = matches!(&cli.command, Command::Run(flags) if flags.output.log_plugin);
    log::start(cli.global.log_level, cli.global.log_json, shows_plugins);
    // A comparison makes no load itself, and hrp is to find what it would find in a shell.
    if !matches!(cli.command, Command::Compare(_)) {
        keep_pages_small();
    }
    match cli.command {
        Command::Boom(flags) => commands::boom(*flags, cli.global.venv),
        Command::Run(flags) => commands::run(*flags, cli.global.venv),
        Command::Hit(flags) => commands::hit(&flags),
        Command::Capacity(flags) => commands::capacity(*flags, cli.global.venv),
        Command::Compare(flags) => commands::compare(&flags),
        Command::Convert(flags) => commands::convert(&flags),
        Command::Demo(flags) => commands::demo(&flags),
        Command::Runs(flags) => commands::runs(*flags),
        Command::Report(flags) => commands::report(&flags),
        Command::Target(flags) => commands::target(&flags),
        Command::Doctor => Ok(commands::doctor()),
        Command::Completions(flags) => Ok(commands::completions(&flags)),
        Command::Man => Ok(commands::man()),
    }
}

/// Live memory is a few megabytes in many small pieces: with a huge page for each of their places a run would take twice as much, and grow
/// for as long as it meets new ones. Programs that are started inherit this.
fn keep_pages_small() {
    // A kernel that knows no such request has no huge pages to give either.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
