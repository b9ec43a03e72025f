//! What made the load: the arrivals of an open run, and what somebody changed while it went on.

use super::page::Text;
use crate::display::text::{one_line, NAME_CHARS_MAX};
use crate::display::units::{latency, latency_or_dash, percent, rate};
use crate::summary::Summary;

/// Changes shown, the first ones; --json has the others.
const CHANGES_MAX: usize = 20;

/// The arrivals of an open run, and what became of them.
pub(super) fn arrivals(text: &mut Text, summary: &Summary) {
    let Some(arrivals) = &summary.arrivals else { return };
    text.heading("Arrivals (open model: due when the schedule says, whatever the server does)");
    let missed = match arrivals.missed {
        0 => "missed 0".to_owned(),
        missed => {
            text.paint.red(&format!("MISSED {missed} ({})", percent(missed, arrivals.intended + arrivals.carried)))
        }
    };
    let carried = match arrivals.carried {
        0 => String::new(),
        carried => format!(" and {carried} left from the warm-up"),
    };
    text.line(&format!(
        "  arrivals     intended {}{carried}, made {} ({}/s), {missed}",
        arrivals.intended,
        arrivals.made,
        rate(arrivals.per_s)
    ));
    text.line(&format!("  users        at most {} of {} busy at once", arrivals.users_peak, arrivals.users_max));
    let iterations = &summary.iterations;
    text.line(&format!(
        "  iterations   ended {} ({}/s), {} on average from when they were due",
        iterations.count,
        rate(iterations.per_s),
        latency_or_dash(iterations.mean_us)
    ));
}

/// What somebody changed, if anybody did.
pub(super) fn changes(text: &mut Text, summary: &Summary) {
    let changes = &summary.run.changes;
    if changes.is_empty() {
        return;
    }
    text.heading("Changed while it went on");
    for change in changes.iter().take(CHANGES_MAX) {
        let at = latency(change.t_s * 1e6);
        text.line(&format!("  at {at:<9} {}", one_line(&change.change, NAME_CHARS_MAX)));
    }
    if let Some(rest @ 1..) = changes.len().checked_sub(CHANGES_MAX) {
        text.line(&format!("  and {rest} more; --json has them all"));
    }
}
