//! One entry of `teststeps` (hrp spec section 3).

use std::{collections::HashMap, sync::Arc};

use super::{
    case::CaseBuilder,
    fields::{asks_nothing, number, text, Fields},
    names::did_you_mean,
    report::{code, Report},
    request::compile_request,
};
use crate::{
    document::Node,
    expression::{compile_text, tokens, Expr, Scan, Scope, Token},
    step::{ThinkTimeStep, TransactionEdge, TransactionStep},
    Step,
};

/// The kinds of a step, in the order in which the first one present decides (hrp spec section 3).
const KINDS: [&str; 9] =
    ["api", "testcase", "think_time", "request", "transaction", "rendezvous", "websocket", "ios", "android"];

/// Keys a step may have besides its kind.
const COMMON: [&str; 8] =
    ["name", "variables", "setup_hooks", "teardown_hooks", "extract", "validate", "export", "loops"];

/// Compiles one step; none where it is skipped or wrong.
pub(crate) fn compile_step(node: &Node, builder: &mut CaseBuilder<'_>, report: &mut Report) -> Option<Step> {
    if node.is_null() {
        report.warn(node.place, "an empty step is skipped");
        return None;
    }
    let fields = Fields::of(node, "a step", report)?;
    let known: Vec<&str> = COMMON.into_iter().chain(KINDS).collect();
    fields.warn_unknown(&known, "a step", report);
    let mut kinds = KINDS.iter().filter_map(|kind| fields.entry(kind));
    let Some((kind, body)) = kinds.next() else {
        report.warn(node.place, "a step that is no request, transaction or think_time is skipped");
        return None;
    };
    for (other, _) in kinds {
        report.warn(other.place, format!("\"{}\" is ignored: this is a {} step", other.text, kind.text));
    }
    refuse_not_built(&fields, report);
    let kind_name = kind.text.to_ascii_lowercase();
    if matches!(&*kind_name, "think_time" | "transaction") {
        warn_without_request(&fields, &kind_name, report);
    }
    match &*kind_name {
        "request" => compile_request(&fields, body, builder, report),
        "transaction" => transaction(&fields, body, builder, report),
        "think_time" => {
            let think = Fields::of(body, "think_time", report)?;
            think.warn_unknown(&["time"], "think_time", report);
            let time_s = match think.get("time") {
                Some(time) => number(time, "think_time.time", report)?,
                None => 0.0,
            };
            let name = Arc::from(step_name(&fields, builder, report)?);
            Some(Step::ThinkTime(ThinkTimeStep { name, time: builder.think(time_s) }))
        }
        "ios" | "android" => {
            report.warn(kind.place, format!("a mobile step ({}) is ignored", kind.text));
            None
        }
        name => {
            report.not_built(kind.place, &format!("the step kind \"{name}\""));
            None
        }
    }
}

/// What only a step that sends something can use.
fn warn_without_request(fields: &Fields<'_>, kind: &str, report: &mut Report) {
    for (key, node) in ["variables", "extract", "validate"].into_iter().filter_map(|name| fields.entry(name)) {
        if !asks_nothing(node, 0) {
            report.warn(key.place, format!("\"{}\" is ignored: a {kind} step sends no request", key.text));
        }
    }
}

/// Keys of hrp that are not built yet; an empty value, or a single loop, asks for nothing.
fn refuse_not_built(fields: &Fields<'_>, report: &mut Report) {
    for (name, nothing_up_to) in [("export", 0), ("loops", 1)] {
        if let Some((key, node)) = fields.entry(name) {
            if !asks_nothing(node, nothing_up_to) {
                report.not_built(key.place, &format!("\"{name}\" of a step"));
            }
        }
    }
}

/// The name of a step as it is known at load: with `$$` as `$`, and as written where it holds anything else.
pub(crate) fn step_name(fields: &Fields<'_>, _builder: &CaseBuilder<'_>, report: &mut Report) -> Option<String> {
    let Some(node) = fields.get("name") else { return Some(String::new()) };
    let raw = text(node, "name", report)?;
    let found = tokens(raw);
    let is_text = |token: &Token<'_>| matches!(token, Token::Literal(_) | Token::Dollar);
    if !found.iter().all(is_text) {
        return Some(raw.to_owned());
    }
    Some(found.into_iter().map(|token| if let Token::Literal(text) = token { text } else { "$" }).collect())
}

/// The name of a step where values of the session are part of it: what parameters, extractions and a calling case give. Where
/// any other variable stands in it, all of it stays as written (hrp spec section 3).
pub(crate) fn name_template(fields: &Fields<'_>, builder: &CaseBuilder<'_>, report: &mut Report) -> Option<Expr> {
    let node = fields.get("name")?;
    let raw = text(node, "name", report)?;
    let session = Scope { config: Arc::default(), step: HashMap::new(), ..builder.scope.clone() };
    let mut has_variables = false;
    for token in tokens(raw) {
        match token {
            Token::Call { name, .. } => {
                let message =
                    format!("the step's name is used as written: the function {name} is not called in a name");
                report.warn(node.place, message);
                return None;
            }
            Token::Variable(name) => {
                session.resolve(name)?;
                has_variables = true;
            }
            Token::Literal(_) | Token::Dollar => {}
        }
    }
    has_variables.then(|| compile_text(raw, Scan::Verbatim, node.place, &session).ok()).flatten()
}

fn transaction(step: &Fields<'_>, node: &Node, builder: &mut CaseBuilder<'_>, report: &mut Report) -> Option<Step> {
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
    let step_name = Arc::from(step_name(step, builder, report)?);
    let (name, index) = builder.transaction(name);
    Some(Step::Transaction(TransactionStep { name, step_name, index, edge }))
}
