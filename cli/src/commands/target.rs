//! `pummel target`.

use pummel_target::{Target, TargetError, TargetOptions};

use crate::{
    console::Stream,
    exit,
    failure::Failure,
    flags::TargetFlags,
    machine::{allowed_cpus, choose_cpus, cpu_quota, SystemFiles},
    signals::wait_for_signal,
    values::format_cpu_list,
};

/// Serves until Ctrl-C, then says what was counted.
///
/// # Errors
/// Wrong usage, an address that cannot be listened on, and what keeps the server from starting.
pub(crate) fn target(flags: &TargetFlags) -> Result<u8, Failure> {
    let cpus = choose_cpus(&flags.machine, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?;
    let on = format_cpu_list(&cpus);
    let target = Target::start(TargetOptions { listen: flags.listen, cpus }).map_err(|error| cannot_start(&error))?;
    let address = target.local_addr();
    Stream::Stdout.print(&format!(
        "listening on http://{address} (CPU {on}); counts on http://{address}/__stats; Ctrl-C ends it\n"
    ));
    wait_for_signal()?;
    let counts = target.stop();
    Stream::Stdout.print(&format!("\nserved {} requests\n", counts.requests));
    Ok(exit::DONE)
}

/// The embedded server did not start.
pub(super) fn cannot_start(error: &TargetError) -> Failure {
    let message = format!("the embedded server does not start: {error}");
    match error {
        TargetError::Listen { .. } => Failure::without_help(exit::FAILED, message),
        _ => Failure::with_code(exit::FAILED, message, "`pummel doctor` says what this machine lacks"),
    }
}
