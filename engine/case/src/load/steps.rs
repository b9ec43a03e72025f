//! Entries of `teststeps` (hrp spec section 3).

use std::{collections::HashMap, sync::Arc};

use super::{
    api::{api_name, compile_api},
    case::CaseBuilder,
    fields::{asks_nothing, integer, text, Fields},
    marks::{rendezvous, think_time, transaction},
    report::{code, Report},
    request::compile_request,
    testcase::compile_testcase,
    websocket::compile_websocket,
};
use crate::{
    document::{Node, NodeKind},
    expression::{compile_text, tokens, Expr, Piece, Scan, Scope, Token},
    step::{BrokenStep, Repeat},
    RequestStep, Step, StepError, WebSocketStep,
};

/// The kinds of a step, in the order in which the first one present decides (hrp spec section 3).
pub(crate) const KINDS: [&str; 9] =
    ["api", "testcase", "think_time", "request", "transaction", "rendezvous", "websocket", "ios", "android"];

/// Keys a step may have besides its kind.
pub(crate) const COMMON: [&str; 8] =
    ["name", "variables", "setup_hooks", "teardown_hooks", "extract", "validate", "export", "loops"];

/// How often one step may run in an iteration. A loop is no way to make load: that is what users and iterations are for.
const MAX_LOOPS: i64 = 1_000_000;

/// Compiles the steps of a case into its assembly; `list` is where they stand.
pub(crate) fn compile_steps(list: &Node, nodes: &[Node], builder: &mut CaseBuilder<'_>, report: &mut Report) {
    let errors_before = report.errors.len();
    let steps_before = builder.assembly.steps.len();
    for node in nodes {
        if builder.assembly.count_step(node.place, report) {
            compile_step(node, builder, report);
        } else {
            return;
        }
    }
    let is_known = builder.scope.broken.is_empty() && !builder.scope.incomplete;
    if builder.assembly.steps.len() == steps_before && report.errors.len() == errors_before && is_known {
        let error = report.error(list.place, code::INVALID_CASE, "the case has no step that does anything");
        error.help =
            Some("a step has a request, api, testcase, think_time, transaction, rendezvous or websocket".into());
    }
}

/// Compiles one step. It is left out where it is skipped or wrong.
fn compile_step(node: &Node, builder: &mut CaseBuilder<'_>, report: &mut Report) -> Option<()> {
    if node.is_null() {
        report.warn(node.place, "an empty step is skipped");
        return None;
    }
    let fields = Fields::of(node, "a step", report)?;
    let known: Vec<&str> = COMMON.into_iter().chain(KINDS).collect();
    fields.warn_unknown(&known, "a step", report);
    let mut kinds = KINDS.iter().filter_map(|kind| fields.entry(kind));
    let Some((kind, body)) = kinds.next() else {
        report.warn(
            node.place,
            "this step is skipped: it has no request, api, testcase, think_time, transaction, rendezvous or websocket",
        );
        return None;
    };
    for (other, _) in kinds {
        report.warn(other.place, format!("\"{}\" is ignored: this is a {} step", other.text, kind.text));
    }
    let kind_name = kind.text.to_ascii_lowercase();
    warn_unused(&fields, &kind_name, report);
    let errors_before = report.errors.len();
    let first = builder.assembly.steps.len();
    let step = match &*kind_name {
        "request" => {
            let step = compile_request(&fields, body, builder, report);
            step.map(|step| place_in_level(step, None, builder))
        }
        "api" => {
            let step = compile_api(&fields, node.place, body, builder, report);
            step.map(|step| place_in_level(step, Some("api"), builder))
        }
        "testcase" => {
            compile_testcase(&fields, node.place, body, builder, report);
            None
        }
        "websocket" => {
            let step = compile_websocket(&fields, body, builder, report);
            step.map(|step| Step::WebSocket(Box::new(place_websocket(step, builder))))
        }
        "transaction" => transaction(&fields, body, builder, report),
        "think_time" => think_time(&fields, body, builder, report),
        "rendezvous" => rendezvous(&fields, body, builder, report),
        "ios" | "android" => {
            report.warn(kind.place, format!("a mobile step ({}) is ignored", kind.text));
            None
        }
        name => {
            report.not_built(kind.place, &format!("the step kind \"{name}\""));
            None
        }
    };
    builder.assembly.steps.extend(step);
    if builder.context.options.broken_steps {
        if let Some(error) = report.take_broken_step(errors_before) {
            builder.assembly.steps.truncate(first);
            let default_name = match &*kind_name {
                "api" => api_name(body, builder, report),
                _ => None,
            };
            let default_name = default_name.as_deref().unwrap_or_default();
            let broken = broken_step(&fields, (&kind_name, default_name), body, error, builder);
            builder.assembly.steps.push(Step::Broken(Box::new(broken)));
        }
    }
    // What a reference would have defined is not known.
    builder.scope.incomplete |= matches!(&*kind_name, "api" | "testcase") && report.errors.len() > errors_before;
    repeat(&fields, first, builder, report)
}

/// Keys that a step of this kind cannot use.
fn warn_unused(fields: &Fields<'_>, kind: &str, report: &mut Report) {
    let (unused, reason): (&[&str], &str) = match kind {
        "request" | "api" | "websocket" => (&["export"], "only a testcase step exports"),
        "testcase" => (
            &["extract", "validate", "setup_hooks", "teardown_hooks"],
            "a testcase step has only variables and export; the case it refers to does the rest",
        ),
        _ => (&["variables", "extract", "validate", "setup_hooks", "teardown_hooks", "export"], ""),
    };
    for (key, node) in unused.iter().filter_map(|name| fields.entry(name)) {
        if !asks_nothing(node, 0) {
            let no_request = format!("a {kind} step sends no request");
            let reason = if reason.is_empty() { &no_request } else { reason };
            report.warn(key.place, format!("\"{}\" is ignored: {reason}", key.text));
        }
    }
}

/// Puts a mark behind the steps from `first` on where they run more than once (hrp spec section 3, 13.5).
fn repeat(fields: &Fields<'_>, first: usize, builder: &mut CaseBuilder<'_>, report: &mut Report) -> Option<()> {
    let node = fields.get("loops")?;
    let times = integer(node, "loops", report)?;
    if times > MAX_LOOPS {
        let message = format!("loops must be at most {MAX_LOOPS}");
        report.error(node.place, code::INVALID_CASE, message).help =
            Some("a load is made of users and iterations: see the flags of boom".into());
        return None;
    }
    let assembly = &mut *builder.assembly;
    if times >= 2 && assembly.steps.len() > first {
        assembly.steps.push(Step::Repeat(Repeat { first, times: times as u32, index: assembly.loops }));
        assembly.loops += 1;
    }
    Some(())
}

/// Gives a request step what its place in the nest of references makes of it (hrp spec 12.1, 12.2).
fn place_in_level(step: Step, label: Option<&str>, builder: &CaseBuilder<'_>) -> Step {
    let Step::Request(mut step) = step else { return step };
    inherit(&mut step, builder);
    let level = &builder.level;
    if let Some(label) = label.or(level.prefix.as_ref().map(|_| "request")) {
        step.label = Arc::from(label);
    }
    put_prefix(&mut step, builder);
    Step::Request(step)
}

/// The same of a websocket step, which has its own time limit.
fn place_websocket(mut step: WebSocketStep, builder: &CaseBuilder<'_>) -> WebSocketStep {
    inherit(&mut step.request, builder);
    if builder.level.prefix.is_some() {
        step.request.label = Arc::from("websocket");
    }
    put_prefix(&mut step.request, builder);
    step
}

/// What a step does not say itself, from the configs around it.
fn inherit(step: &mut RequestStep, builder: &CaseBuilder<'_>) {
    let level = &builder.level;
    step.timeout = step.timeout.or(level.timeout);
    step.verify = step.verify.or(level.verify).or(builder.config.verify);
}

/// The step's name, and its template, behind those of the references around it.
fn put_prefix(step: &mut RequestStep, builder: &CaseBuilder<'_>) {
    let Some(prefix) = &builder.level.prefix else { return };
    step.name = builder.level.name(&step.name);
    let literal = Piece::Literal((**prefix).into());
    step.name_template = match step.name_template.take() {
        Some(Expr::Text(pieces)) => Some(Expr::Text([literal].into_iter().chain(pieces).collect())),
        Some(Expr::Variable(variable)) => Some(Expr::Text([literal, Piece::Variable(variable)].into())),
        // The name is always the same, so `name` says it.
        Some(Expr::Const(_) | Expr::List(_) | Expr::Map(_)) | None => None,
    };
}

/// What a functional run shows in place of a step that could not be compiled. What it would have extracted is known to the steps
/// behind it, and not set.
fn broken_step(
    fields: &Fields<'_>,
    (kind, default_name): (&str, &str),
    body: &Node,
    error: StepError,
    builder: &mut CaseBuilder<'_>,
) -> BrokenStep {
    if let Some(NodeKind::Map(entries)) = fields.get("extract").map(|node| &node.kind) {
        for (key, _) in entries {
            let slot = builder.slot(&key.text);
            builder.scope.extracted.entry(key.text.clone()).or_insert(slot);
        }
    }
    let part = |name: &str| match &body.kind {
        NodeKind::Map(entries) => entries.iter().rfind(|(key, _)| key.text.eq_ignore_ascii_case(name)),
        NodeKind::Scalar(_) | NodeKind::List(_) => None,
    };
    let part = |name: &str| match part(name).map(|(_, node)| &node.kind) {
        Some(NodeKind::Scalar(scalar)) => &*scalar.text,
        _ => "",
    };
    let written = match fields.get("name").map(|node| &node.kind) {
        Some(NodeKind::Scalar(scalar)) => &*scalar.text,
        _ => "",
    };
    let label = match kind {
        "request" if builder.level.prefix.is_none() => format!("request-{}", part("method")),
        "websocket" if builder.level.prefix.is_none() => format!("websocket-{}", part("type")),
        "think_time" => "thinktime".into(),
        kind => kind.to_owned(),
    };
    let name = match kind {
        "request" if written.is_empty() => format!("{} {}", part("method"), part("url")),
        "websocket" if written.is_empty() => format!("{} {}", part("type"), part("url")),
        _ if written.is_empty() => default_name.to_owned(),
        _ => written.to_owned(),
    };
    BrokenStep { name: builder.level.name(&name), label: Arc::from(label), error }
}

/// The name of a step as it is written.
pub(crate) fn written_name<'a>(fields: &Fields<'a>, report: &mut Report) -> Option<&'a str> {
    match fields.get("name") {
        Some(node) => text(node, "name", report),
        None => Some(""),
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
