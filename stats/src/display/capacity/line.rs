//! A probe on a line, while the search goes on.

use std::fmt::Write;

use super::headline::resource;
use crate::capacity::{By, Grade, Probe, Purpose};
use crate::display::units::{percent, whole_us};

/// A finished probe: `probe 4: 2,000/s  held  p99 12.1 ms  errors 0.0%`.
pub fn probe_line(by: By, probe: &Probe) -> String {
    let outcome = &probe.outcome;
    let purpose = match probe.purpose {
        Purpose::Growth | Purpose::Descent | Purpose::Bisection => "",
        Purpose::Repeat => " again",
        Purpose::Confirmation => " to confirm",
    };
    let (failed, all) = outcome.failed_of_all();
    let mut line = format!(
        "probe {}: {}{purpose}  {}  p99 {}  errors {}",
        probe.number,
        by.text(probe.level),
        grade(probe.grade),
        whole_us(outcome.latency_us.p99),
        percent(failed, all),
    );
    if let Some(share) = outcome.achieved_share.filter(|_| !outcome.achieved()) {
        let _ = write!(line, "  achieved {:.1}%", share * 100.0);
    }
    if let Some(what) = outcome.resource().filter(|_| probe.grade == Grade::ClientLimited) {
        let _ = write!(line, "  ({})", resource(what));
    }
    line
}

/// A grade in a word or two.
pub(super) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Held => "held",
        Grade::Failed => "failed",
        Grade::ClientLimited => "client limited",
        Grade::Inconclusive => "too few samples",
    }
}
