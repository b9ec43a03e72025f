//! `pummel capacity`.

use std::ffi::OsString;

use pummel_engine::Control;
use pummel_stats::{
    capacity::EndedBy,
    display::{capacity_json, capacity_report, ReportOptions},
};

use crate::{
    capacity_search::{search, Found},
    execute::{json_failure, open_json},
    exit,
    failure::{colour_wanted, warn, Failure},
    flags::CapacityFlags,
    plan_capacity::{plan_capacity, PlannedSearch},
    plugins::CommandPlugins,
    signals::raise_on_signal,
};

/// Searches for the highest load that holds the thresholds; `venv` is the Python environment of functions.
///
/// # Errors
/// Wrong usage, load errors, and a run that could not start.
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
    let options = ReportOptions { colour: stream.is_terminal() && colour_wanted() };
    stream.print(&capacity_report(&found.result, options));
    if let Some(json) = json {
        let document =
            capacity_json(&found.result).map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
        json.write(&document).map_err(|error| json_failure(exit::FAILED, &error))?;
    }
    if found.result.ended_by == EndedBy::NothingSucceeded {
        return Err(nothing_succeeded(&planned, &found));
    }
    Ok(exit_code(&planned, &found))
}

fn exit_code(planned: &PlannedSearch, found: &Found) -> u8 {
    let held = found.result.held;
    if planned.fail_on_client_saturation && found.limited_by_client() {
        return exit::CLIENT_INVALID;
    }
    let missed = match (held, planned.at_least) {
        (None, _) => found.result.ended_by == EndedBy::NothingHeld || planned.at_least.is_some(),
        (Some(held), Some(least)) => held < least,
        (Some(_), None) => false,
    };
    if let (true, Some(least), Some(held)) = (missed, planned.at_least, held) {
        let by = planned.spec.by;
        warn(format!("{} were asked for (--at-least), and {} were found", by.text(least), by.text(held)), None);
    }
    if missed {
        exit::THRESHOLD
    } else {
        exit::DONE
    }
}

/// A service that is not there, or refuses everything.
fn nothing_succeeded(planned: &PlannedSearch, found: &Found) -> Failure {
    let why = found.last.as_ref().and_then(|summary| summary.errors.first());
    let why = why.map_or_else(String::new, |error| format!(": {} ({} times)", error.message, error.count));
    Failure::with_code(
        exit::FAILED,
        format!("{}: not one iteration succeeded at full speed{why}", planned.plan.name),
        "see that the service runs and answers, with pummel hit URL -n 1 or pummel run CASE",
    )
}
