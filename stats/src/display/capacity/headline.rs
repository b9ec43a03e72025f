//! The answer in a sentence, which says no more than was found.

use crate::capacity::{By, CapacityResult, ClientResource, Confirmed, EndedBy};
use crate::display::text::{one_line, MESSAGE_CHARS_MAX};
use crate::verdict::Limit;

/// The answer: `Capacity: 4,870/s holds p99<50ms, errors<1% (fails at 4,960/s); confirmed at 4,627/s for 10 s`.
pub fn capacity_headline(result: &CapacityResult) -> String {
    match result.held {
        Some(held) => format!("Capacity: {}; {}", what_held(result, held), confirmation(result)),
        None => format!("Capacity: {}", nothing(result)),
    }
}

fn what_held(result: &CapacityResult, held: f64) -> String {
    let by = result.by;
    let verb = if by == By::Users && held > 1.0 { "hold" } else { "holds" };
    let holds = format!("{verb} {}", thresholds(result));
    let held = by.text(held);
    let Some(failed) = result.failed.map(|failed| by.text(failed)) else {
        let highest = match (result.ended_by, by) {
            (EndedBy::HighestReached, By::Rate) => ", the highest rate to be tried,",
            (EndedBy::HighestReached, By::Users) => ", the highest number to be tried,",
            _ => "",
        };
        return format!("at least {held}{highest} {holds}");
    };
    match result.limit.side {
        Limit::Server => format!("{held} {holds} ({} {failed})", fails(by)),
        Limit::Client => {
            let resource = result.limit.resource.map_or("for the reasons below", resource);
            format!("at least {held} {holds}: the client was the limit from {failed} on ({resource})")
        }
        Limit::Unclear => {
            format!("at least {held} {holds}: whether the server was the limit from {failed} on is unclear")
        }
    }
}

fn confirmation(result: &CapacityResult) -> String {
    match result.confirmed {
        Some(Confirmed { level, duration_s }) => {
            let at = match result.by {
                By::Rate => "at",
                By::Users => "with",
            };
            format!("confirmed {at} {} for {}", result.by.text(level), seconds(duration_s))
        }
        None => format!("not confirmed: {}", why_it_ended(result)),
    }
}

fn nothing(result: &CapacityResult) -> String {
    let why = why_it_ended(result);
    match (result.ended_by, result.failed) {
        (EndedBy::NothingHeld, Some(failed)) if result.limit.side == Limit::Server => {
            let tried = match result.by {
                By::Rate => "rate tried, the lowest was",
                By::Users => "number of users tried, the least was",
            };
            format!("none found; {} did not hold at any {tried} {}", thresholds(result), result.by.text(failed))
        }
        (EndedBy::NothingHeld, Some(failed)) => {
            let failed = result.by.text(failed);
            format!("unknown; no probe held, and at {failed} it was not clearly the server's doing")
        }
        (EndedBy::NothingSucceeded | EndedBy::NothingEnded | EndedBy::TooFewSamples, _) => format!("unknown; {why}"),
        _ if result.probe_count == 0 => format!("unknown; {why} before a probe was done"),
        _ => format!("unknown; {why} before a probe held"),
    }
}

/// What ended the search, without a full stop.
pub(super) fn why_it_ended(result: &CapacityResult) -> String {
    match result.ended_by {
        EndedBy::Converged if one_user_apart(result) => "the interval is one user".to_owned(),
        EndedBy::Converged => format!("the interval is within {} %", number_of_percent(result.precision)),
        EndedBy::HighestReached => "the highest level to be tried was reached".to_owned(),
        EndedBy::NothingHeld => "the lowest level to be tried failed".to_owned(),
        // Users are not estimated: it was their first probe.
        EndedBy::NothingSucceeded if result.by == By::Users => "no iteration of one user succeeded".to_owned(),
        EndedBy::NothingSucceeded => "no iteration succeeded in the estimate".to_owned(),
        EndedBy::NothingEnded if result.by == By::Users => "no request of one user ended".to_owned(),
        EndedBy::NothingEnded => "no iteration ended in the estimate".to_owned(),
        EndedBy::TooFewSamples => "a probe had too few samples to be judged, however long it was".to_owned(),
        EndedBy::ProbesUsedUp => format!("probe {} was the last the search may make", result.probe_count),
        EndedBy::Time => "the time was used up".to_owned(),
        EndedBy::RunFailed => "a run failed".to_owned(),
        EndedBy::Interrupted => "the search was interrupted".to_owned(),
    }
}

/// Nothing lies between the two ends.
fn one_user_apart(result: &CapacityResult) -> bool {
    let apart = result.failed.zip(result.held).map(|(failed, held)| failed - held);
    result.by == By::Users && apart.is_some_and(|users| users <= 1.0)
}

/// What was in the way.
pub(super) fn resource(resource: ClientResource) -> &'static str {
    match resource {
        ClientResource::Cpu => "a core was saturated",
        ClientResource::Ports => "ephemeral ports ran out",
        ClientResource::Descriptors => "file descriptors ran out",
        ClientResource::Memory => "memory ran out",
        ClientResource::Users => "all users were busy; raise --max-users",
    }
}

fn thresholds(result: &CapacityResult) -> String {
    match result.thresholds.as_slice() {
        [] => "its load".to_owned(),
        some => one_line(&some.join(", "), MESSAGE_CHARS_MAX),
    }
}

fn fails(by: By) -> &'static str {
    match by {
        By::Rate => "fails at",
        By::Users => "fails with",
    }
}

/// `10 s`, `7.5 s`.
fn seconds(seconds: f64) -> String {
    let tenths = format!("{seconds:.1}");
    format!("{} s", tenths.strip_suffix(".0").unwrap_or(&tenths))
}

/// `2`, `0.5`.
fn number_of_percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}
