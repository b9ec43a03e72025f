//! `pummel demo`: the comparison case against the embedded server.

use clap::{Args, Command};

use super::CaseRunFlags;

/// Start the embedded server and load it: 200 users, 2 requests and a transaction
///
/// The server has a CPU of its own where there are two, and the load has the others. The load flags change the run.
#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// How the cases are run.
    #[command(flatten)]
    pub(crate) run: CaseRunFlags,
}

/// The run of the comparison case: 200 users, 50 more each second, for 15 seconds.
pub(super) fn set_defaults(demo: Command) -> Command {
    demo.mut_arg("spawn_count", |arg| arg.default_value("200"))
        .mut_arg("spawn_rate", |arg| arg.default_value("50"))
        .mut_arg("run_time", |arg| arg.default_value("15s"))
}
