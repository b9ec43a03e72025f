//! Steps that send nothing: think times, transactions, rendezvous (hrp spec 12.3 to 12.5).

use std::time::Duration;

use super::{
    case::CaseBuilder,
    fields::{integer, number, text, Fields},
    names::did_you_mean,
    report::{code, Report},
    steps::written_name,
};
use crate::{
    document::Node,
    step::{RendezvousStep, ThinkTimeStep, TransactionEdge, TransactionStep},
    Step,
};

/// The longest gap between two arrivals where a rendezvous names none (hrp spec 14.9).
const DEFAULT_RENDEZVOUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest that can be asked for: a day. A longer one is a typing error.
const MAX_RENDEZVOUS_TIMEOUT_MS: u64 = 86_400_000;

pub(crate) fn think_time(
    step: &Fields<'_>,
    node: &Node,
    builder: &CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Step> {
    let Some(fields) = Fields::of(node, "think_time", report) else {
        if let Some(error) = report.errors.last_mut() {
            error.help = Some("for example think_time: {time: 0.5}, in seconds".into());
        }
        return None;
    };
    fields.warn_unknown(&["time"], "think_time", report);
    let time_s = match fields.get("time") {
        Some(time) => number(time, "think_time.time", report)?,
        None => 0.0,
    };
    let name = builder.level.name(written_name(step, report)?);
    Some(Step::ThinkTime(ThinkTimeStep { name, time: builder.think(time_s) }))
}

pub(crate) fn transaction(
    step: &Fields<'_>,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Step> {
    if builder.level.in_setup {
        refuse_in_setup("transaction", node, report);
        return None;
    }
    let fields = Fields::of(node, "transaction", report)?;
    fields.warn_unknown(&["name", "type"], "transaction", report);
    let name = match fields.get("name") {
        Some(name) => text(name, "transaction.name", report)?,
        None => "",
    };
    if name.is_empty() {
        report.error(node.place, code::INVALID_CASE, "the transaction has no name");
        return None;
    }
    let (kind, place) = match fields.get("type") {
        Some(kind) => (text(kind, "transaction.type", report)?, kind.place),
        None => ("", node.place),
    };
    let edge = match kind {
        "start" => TransactionEdge::Start,
        "end" => TransactionEdge::End,
        _ => {
            let error = report.error(place, code::INVALID_CASE, "transaction.type must be start or end");
            error.help = did_you_mean(kind, ["start", "end"].into_iter());
            return None;
        }
    };
    let step_name = match written_name(step, report)? {
        "" => builder.level.name(&format!("transaction {name} {kind}")),
        written => builder.level.name(written),
    };
    let name = builder.level.name(name);
    let (name, index) = builder.assembly.transaction(&name);
    Some(Step::Transaction(TransactionStep { name, step_name, index, edge }))
}

/// What it waits for is settled when the number of users is known; what is wrong then as now is said now (hrp spec 14.9).
pub(crate) fn rendezvous(
    step: &Fields<'_>,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Step> {
    if builder.level.in_setup {
        refuse_in_setup("rendezvous", node, report);
        return None;
    }
    let fields = Fields::of(node, "rendezvous", report)?;
    fields.warn_unknown(&["name", "number", "percent", "timeout"], "rendezvous", report);
    if let Some(name) = fields.get("name") {
        text(name, "rendezvous.name", report)?;
    }
    let users = match fields.get("number") {
        Some(number) => integer(number, "rendezvous.number", report)?,
        None => 0,
    };
    let percent = match fields.get("percent") {
        Some(percent) => number(percent, "rendezvous.percent", report)?,
        None => 0.0,
    };
    let timeout_ms = match fields.get("timeout") {
        Some(timeout) => integer(timeout, "rendezvous.timeout", report)?,
        None => 0,
    };
    let wrong = if users != 0 && percent != 0.0 {
        Some("number and percent are both given")
    } else if users == 0 && percent == 0.0 {
        Some("neither number nor percent is given")
    } else if users < 0 {
        Some("number is below 0")
    } else if users == 0 && !(percent > 0.0 && percent <= 1.0) {
        Some("percent is not above 0 and up to 1")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        report.warn(node.place, format!("the rendezvous waits for all users: {wrong}"));
    }
    let timeout = match u64::try_from(timeout_ms) {
        Ok(1..) => Duration::from_millis((timeout_ms as u64).min(MAX_RENDEZVOUS_TIMEOUT_MS)),
        _ => DEFAULT_RENDEZVOUS_TIMEOUT,
    };
    let step_name = builder.level.name(written_name(step, report)?);
    let index = builder.assembly.rendezvous;
    builder.assembly.rendezvous += 1;
    Some(Step::Rendezvous(RendezvousStep { step_name, index, number: users, percent, timeout }))
}

/// Before the load there is nothing to measure, and no other user to wait for.
fn refuse_in_setup(kind: &str, node: &Node, report: &mut Report) {
    let message = format!("a {kind} cannot stand in a setup case: it runs once for each user, outside the load");
    report.error(node.place, code::INVALID_CASE, message).help = Some("put it into the case's own teststeps".into());
}
