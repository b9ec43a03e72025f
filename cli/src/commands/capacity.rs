//! `pummel capacity`.

use std::ffi::OsString;

use pummel_engine::Control;
use pummel_stats::{
    capacity::{By, CapacityResult, EndedBy},
    display::{capacity_json, capacity_report, ReportOptions},
    Limit,
};

use crate::{
    capacity_search::{search, Fault, Found},
    execute::{json_failure, open_json},
    exit,
    failure::{colour_wanted, warn, Failure},
    flags::CapacityFlags,
    plan_capacity::plan_capacity,
    plugins::CommandPlugins,
    signals::raise_on_signal,
};

/// Searches for the highest load that holds the thresholds; `venv` is the Python environment of functions.
///
/// # Errors
/// Wrong usage, load errors, a run that failed, and a search without an answer.
pub(crate) fn capacity(flags: CapacityFlags, venv: Option<OsString>) -> Result<u8, Failure> {
    let plugins = CommandPlugins::new(&flags.plugin, venv);
    let planned = plan_capacity(flags, &plugins)?;
    let json = planned.json.as_ref().map(open_json).transpose()?;
    let control = Control::default();
    raise_on_signal(&control)?;
    let stream = planned.stream();
    if planned.live {
        stream.print(&format!("pummel capacity: {}\n", planned.plan.name));
    }
    let found = search(&planned, &control)?;
    let options = ReportOptions { colour: stream.is_terminal() && colour_wanted(), chart: false };
    stream.print(&capacity_report(&found.result, options));
    if let Some(json) = json {
        let document =
            capacity_json(&found.result).map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
        json.write(&document).map_err(|error| json_failure(exit::FAILED, &error))?;
    }
    ending(&planned.plan.name, planned.at_least, planned.fail_on_client_saturation, found)
}

/// How the process ends after the report.
fn ending(name: &str, at_least: Option<f64>, fail_on_client_saturation: bool, found: Found) -> Result<u8, Failure> {
    let (unanswered, by_client) = (without_answer(name, &found), found.limited_by_client());
    let Found { result, fault, .. } = found;
    // Where as much was found as was asked for, it does not matter what ended the search.
    let enough = result.held.zip(at_least).is_some_and(|(held, least)| held >= least);
    match fault {
        Some(Fault::Defect(failure)) => return Err(failure),
        Some(Fault::NotStarted(failure)) if !enough => return Err(failure),
        Some(Fault::NotStarted(_)) | None => {}
    }
    if fail_on_client_saturation && by_client && !enough {
        return Ok(exit::CLIENT_INVALID);
    }
    match unanswered {
        Some(failure) => Err(failure),
        None => Ok(exit_code(&result, at_least)),
    }
}

/// The code of a search that has an answer, was interrupted, or in which every level failed.
fn exit_code(result: &CapacityResult, at_least: Option<f64>) -> u8 {
    let missed = match (result.held, at_least) {
        (None, _) => result.ended_by == EndedBy::NothingHeld || at_least.is_some(),
        (Some(held), Some(least)) => held < least,
        (Some(_), None) => false,
    };
    if let (true, Some(least), Some(held)) = (missed, at_least, result.held) {
        let by = result.by;
        warn(format!("{} were asked for (--at-least), and {} were found", by.text(least), by.text(held)), None);
    }
    if missed {
        exit::THRESHOLD
    } else {
        exit::DONE
    }
}

/// Why nothing is known, though nobody interrupted the search; `None` where an answer is, if only that no level held.
fn without_answer(name: &str, found: &Found) -> Option<Failure> {
    let result = &found.result;
    if result.held.is_some() {
        return None;
    }
    let (why, help) = match result.ended_by {
        EndedBy::Interrupted => return None,
        EndedBy::NothingHeld if result.limit.side == Limit::Server => return None,
        EndedBy::NothingHeld => (
            "no level held, and it was not clearly the server's doing".to_owned(),
            "the report above says what was in the way",
        ),
        EndedBy::NothingSucceeded => {
            let why = found.last.as_ref().and_then(|summary| summary.errors.first());
            let why = why.map_or_else(String::new, |error| format!(": {} ({} times)", error.message, error.count));
            let load = if result.by == By::Users { "with one user" } else { "at full speed" };
            (
                format!("not one iteration succeeded {load}{why}"),
                "see that the service runs and answers, with pummel hit URL -n 1 or pummel run CASE",
            )
        }
        EndedBy::NothingEnded => {
            let what = if result.by == By::Users { "request" } else { "iteration" };
            (
                format!(
                    "not one {what} ended within {:.0} s, and none failed: the service is slow, or does not answer",
                    found.waited_for.as_secs_f64()
                ),
                "see how long one takes, with pummel hit URL -n 1 or pummel run CASE; where that is long, search with --by users \
                 and a --measure of many times as much",
            )
        }
        EndedBy::Time => (
            "the time was used up before a level held".to_owned(),
            "give it more with --max-duration, or ask for a percentile that needs fewer samples, such as p95",
        ),
        EndedBy::TooFewSamples => (
            "no level could be judged for want of samples".to_owned(),
            "ask for a percentile that needs fewer, such as p95, or of all requests rather than of one step",
        ),
        EndedBy::ProbesUsedUp | EndedBy::Converged | EndedBy::HighestReached | EndedBy::RunFailed => {
            ("no level held before the last probe the search may make".to_owned(), "see pummel capacity --help")
        }
    };
    Some(Failure::with_code(exit::FAILED, format!("{name}: {why}"), help))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use pummel_stats::{summary::ErrorCount, Summary};

    use super::*;

    fn found(ended_by: EndedBy, held: Option<f64>, side: Limit) -> Found {
        let mut result = CapacityResult { ended_by, held, ..CapacityResult::default() };
        result.limit.side = side;
        Found { result, last: None, waited_for: Duration::from_secs(48), fault: None }
    }

    /// The code the process ends with.
    fn code(found: Found, at_least: Option<f64>) -> u8 {
        ending("h", at_least, false, found).unwrap_or_else(|failure| failure.exit_code())
    }

    #[test]
    fn codes_follow_the_contract() {
        use EndedBy::{
            Converged, HighestReached, Interrupted, NothingEnded, NothingHeld, NothingSucceeded, ProbesUsedUp, Time,
            TooFewSamples,
        };
        for ended_by in [Converged, HighestReached, Time, ProbesUsedUp, TooFewSamples, Interrupted] {
            let codes =
                [None, Some(500.0), Some(501.0)].map(|least| code(found(ended_by, Some(500.0), Limit::Server), least));
            assert_eq!(codes, [0, 0, 99], "{ended_by:?}");
        }
        for ended_by in [Time, ProbesUsedUp, TooFewSamples, NothingSucceeded, NothingEnded] {
            assert_eq!(code(found(ended_by, None, Limit::Unclear), None), 1, "{ended_by:?}");
        }
        assert_eq!(code(found(NothingHeld, None, Limit::Server), None), 99);
        assert_eq!(code(found(NothingHeld, None, Limit::Client), None), 1);
        assert_eq!(code(found(Interrupted, None, Limit::Unclear), None), 0);
    }

    #[test]
    fn a_run_that_failed_decides_unless_enough_was_found_before() {
        let failed = |fault: fn(Failure) -> Fault, held| {
            let fault = Some(fault(Failure::without_help(exit::FAILED, "why")));
            Found { fault, ..found(EndedBy::RunFailed, held, Limit::Server) }
        };
        for (held, at_least, not_started, defect) in [
            (None, None, 1, 1),
            (Some(500.0), None, 1, 1),
            (Some(500.0), Some(501.0), 1, 1),
            (Some(500.0), Some(500.0), 0, 1),
        ] {
            assert_eq!(code(failed(Fault::NotStarted, held), at_least), not_started, "{held:?} {at_least:?}");
            assert_eq!(code(failed(Fault::Defect, held), at_least), defect, "{held:?} {at_least:?}");
        }
    }

    #[test]
    fn a_service_that_is_slow_is_told_from_one_that_is_down() {
        let slow = without_answer("h", &found(EndedBy::NothingEnded, None, Limit::Unclear)).unwrap();
        let text = "h: not one iteration ended within 48 s, and none failed: the service is slow, or does not answer";
        assert_eq!(slow.message(), text);
        let mut users = found(EndedBy::NothingEnded, None, Limit::Unclear);
        users.result.by = By::Users;
        let text = "h: not one request ended within 48 s, and none failed: the service is slow, or does not answer";
        assert_eq!(without_answer("h", &users).unwrap().message(), text);
        let mut down = found(EndedBy::NothingSucceeded, None, Limit::Unclear);
        let errors = vec![ErrorCount { message: "connection refused".into(), count: 9, ..ErrorCount::default() }];
        down.last = Some(Arc::new(Summary { errors, ..Summary::default() }));
        let text = "h: not one iteration succeeded at full speed: connection refused (9 times)";
        assert_eq!(without_answer("h", &down).unwrap().message(), text);
    }
}
