//! Ctrl-C: the first stops the load and drains, the second ends the run now, and both still report.

use std::thread;

use pummel_engine::Control;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

use crate::{console::Stream, exit, failure::Failure};

/// What asks a run to end: Ctrl-C, a service manager, a terminal that went away.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Exit code of the third Ctrl-C, which no longer waits for anything: 128 + SIGINT, as shells have it.
const ENDED_BY_SIGNAL: i32 = 128 + SIGINT;

/// From now on each signal takes the run one step nearer to its end.
///
/// # Errors
/// When the system refuses the handler or its thread.
pub(crate) fn raise_on_signal(stop: &Control) -> Result<(), Failure> {
    let mut signals = handled_signals()?;
    let stop = stop.clone();
    let watch = move || {
        for _ in signals.forever() {
            stop.raise();
            match stop.raised() {
                1 => Stream::Stderr.print("\nstopping: requests in flight may finish; Ctrl-C again ends the run now\n"),
                2 => Stream::Stderr.print("\nending now\n"),
                _ => low_level::exit(ENDED_BY_SIGNAL),
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(watch).map_err(|error| no_signals(&error))?;
    Ok(())
}

/// Waits for the first signal.
///
/// # Errors
/// When the system refuses the handler.
pub(crate) fn wait_for_signal() -> Result<(), Failure> {
    handled_signals()?.forever().next();
    Ok(())
}

fn handled_signals() -> Result<Signals, Failure> {
    Signals::new(SIGNALS).map_err(|error| no_signals(&error))
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::with_code(
        exit::FAILED,
        format!("cannot listen for Ctrl-C: {error}"),
        "raise the limit on processes: ulimit -u",
    )
}
