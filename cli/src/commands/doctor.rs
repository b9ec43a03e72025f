//! `pummel doctor`.

use crate::{
    console::Stream,
    doctor::{examine, is_hopeless, render},
    exit,
    machine::SystemFiles,
};

/// Checks the machine and says what to change.
pub(crate) fn doctor() -> u8 {
    let findings = examine(&SystemFiles::of_this_machine());
    Stream::Stdout.print(&render(&findings));
    if is_hopeless(&findings) {
        exit::FAILED
    } else {
        exit::DONE
    }
}
