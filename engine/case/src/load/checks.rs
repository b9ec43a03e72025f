//! `extract` and `validate` of a step (hrp spec 4, 9, 10).

use std::sync::Arc;

use super::{
    case::CaseBuilder,
    fields::{list, map, text, Fields},
    hooks::compile_hooks,
    names::did_you_mean,
    report::{code, Report},
    variables::collect_names,
};
use crate::{
    assertion::{compile_pattern, Assertion},
    check::{Action, Checks, Extract, GeneralValidator, Source, Validator, ValidatorKind, WrittenValidator},
    document::{Key, Node, NodeKind, Place},
    expression::{compile_text, compile_value, CompileErrorKind, Expr, Scan, Scope, Variable},
    operation::{Operation, SlotPlace},
    response::{repair_quotes, Search, ROOTS},
    value::Value,
};

/// The longest expectation that is repeated in an error text, which is also a label of the report.
const MAX_SHOWN_EXPECT: usize = 80;

/// Compiles what is done with a response, in the order in which it is done. Names the step extracts are known to its validators,
/// and there stand above all others (hrp spec 7.10).
pub(crate) fn compile_checks(
    fields: &Fields<'_>,
    step_scope: &Scope,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Checks> {
    let teardown = compile_hooks(fields, "teardown_hooks", step_scope, report);
    let mut actions: Vec<Action> = teardown.into_iter().map(Action::Teardown).collect();
    let mut scope = step_scope.clone();
    if let Some(node) = fields.get("extract") {
        let entries = map(node, "extract", report)?;
        let before = scope_before(entries, node, step_scope, builder);
        for (key, value) in entries {
            let Some(expression) = text(value, "an expression of extract", report) else { continue };
            let source = compile_source(expression, value.place, &before, report);
            actions.extend(before.take_operations().into_iter().map(Action::PrepareExtract));
            let slot = builder.slot(&key.text);
            scope.step.remove(&key.text);
            scope.extracted.insert(key.text.clone(), slot);
            scope.own_extracts.push(key.text.clone());
            builder.scope.extracted.insert(key.text.clone(), slot);
            let (name, written) = (key.text.clone(), expression.trim().into());
            let message = format!("{:?} found nothing in a response: {name} is null", expression.trim());
            let nothing = report.notice(value.place, message);
            actions.extend(source.map(|source| Action::Extract(Extract { name, written, slot, source, nothing })));
        }
    }
    if let Some(node) = fields.get("validate") {
        for item in list(node, "validate", report)? {
            let validator = compile_validator(item, &scope, report);
            actions.extend(scope.take_operations().into_iter().map(Action::Prepare));
            actions.extend(validator.map(Action::Validate));
        }
    }
    Some(Checks { actions: actions.into() })
}

/// The names as all expressions of `extract` see them: as they were before the first of them changed any. Where one names a
/// variable that the step extracts anew, its last value is set aside first.
fn scope_before(entries: &[(Key, Node)], extract: &Node, step_scope: &Scope, builder: &mut CaseBuilder<'_>) -> Scope {
    let mut scope = step_scope.clone();
    let mut named = Vec::new();
    collect_names(extract, &mut named);
    for (key, _) in entries {
        if !named.contains(&&*key.text) || scope.step.contains_key(&key.text) {
            continue;
        }
        if let Some(value @ Expr::Variable(Variable::Kept { .. })) = scope.resolve(&key.text) {
            // No name of a case has a space in it. It is a slot of what was extracted, because its value is data as well.
            let slot = builder.slot(&format!("last {}", key.text));
            scope.work(|work| work.push(Operation::Set { slot: SlotPlace::Kept(slot), value }));
            scope.extracted.insert(key.text.clone(), slot);
        }
    }
    scope
}

/// The parts of a validator, from either form.
struct Written<'a> {
    check: &'a Node,
    assertion: (&'a str, Place),
    expect: &'a Node,
    msg: Option<&'a Node>,
}

fn compile_validator(node: &Node, scope: &Scope, report: &mut Report) -> Option<Validator> {
    let written = written(node, report)?;
    let (name, place) = written.assertion;
    let Some(assertion) = Assertion::from_name(name) else {
        let step_message = format!("unexpected assertMethod: {name}");
        let error = report.step_error(place, code::INVALID_CASE, format!("unknown assert \"{name}\""), &step_message);
        error.label = Some("unknown assert".into());
        error.help = did_you_mean(name, Assertion::names()).or_else(|| {
            let names: Vec<&str> = Assertion::names().collect();
            Some(format!("the asserts are {}", names.join(", ")))
        });
        return None;
    };
    let check_text = match &written.check.kind {
        NodeKind::Scalar(scalar) if matches!(scalar.resolve(), Value::Text(_)) => &*scalar.text,
        _ => {
            let message = format!("check must be text, not {}", written.check.kind_name());
            report.error(written.check.place, code::INVALID_CASE, message);
            return None;
        }
    };
    let check = compile_source(check_text, written.check.place, scope, report)?;
    let expect = match compile_value(written.expect, scope) {
        Ok(expect) => expect,
        Err(error) => {
            report.expression(&error, scope, code::UNDEFINED);
            return None;
        }
    };
    let msg = match written.msg {
        Some(msg) => text(msg, "msg", report)?,
        None => "",
    };
    let message = message(check_text, name, written.expect, msg);
    let written_text =
        Box::new(WrittenValidator { check: check_text.into(), assertion: name.into(), message: msg.into() });
    if let (Source::Search(search), Assertion::Equal, Some(value)) = (&check, assertion, expect.as_const()) {
        if let (true, Value::Int(n)) = (search.is_status(), &**value) {
            if let Ok(expected) = u16::try_from(*n) {
                return Some(Validator { kind: ValidatorKind::Status(expected), message, written: written_text });
            }
        }
    }
    let regex = match (assertion, expect.as_const()) {
        (Assertion::RegexMatch, Some(pattern)) => match compile_pattern(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                report.warn(written.expect.place, format!("the pattern is not valid and never matches: {reason}"));
                None
            }
        },
        _ => None,
    };
    let same_value = (assertion == Assertion::NotEqual).then(|| {
        let message = format!("{name} compares numbers by value: hrp takes an int and a float for different");
        report.notice(place, message)
    });
    let general = GeneralValidator { check, assertion, expect, regex, same_value };
    Some(Validator { kind: ValidatorKind::General(Box::new(general)), message, written: written_text })
}

/// Both forms of a validator; the one with three named keys is tried first (hrp spec 4).
fn written<'a>(node: &'a Node, report: &mut Report) -> Option<Written<'a>> {
    let entries = match &node.kind {
        NodeKind::Map(entries) => &entries[..],
        _ => &[],
    };
    let find = |name: &str| entries.iter().find(|(key, _)| &*key.text == name).map(|(_, value)| value);
    if let (Some(check), Some(assertion), Some(expect)) = (find("check"), find("assert"), find("expect")) {
        for (key, _) in entries {
            if !["check", "assert", "expect", "msg"].contains(&&*key.text) {
                report.warn(key.place, format!("unknown key \"{}\" in a validator is ignored", key.text));
            }
        }
        let name = text(assertion, "assert", report)?;
        return Some(Written { check, assertion: (name, assertion.place), expect, msg: find("msg") });
    }
    let [(key, value)] = entries else {
        let error = report.error(node.place, code::INVALID_CASE, "this is not a validator");
        error.help = Some("write {eq: [check, expect]} or {check: ..., assert: eq, expect: ...}".into());
        return None;
    };
    let NodeKind::List(items) = &value.kind else {
        let message = format!("\"{}\" takes a list of check and expect, not {}", key.text, value.kind_name());
        let known = Assertion::from_name(&key.text).is_some();
        report.error(value.place, code::INVALID_CASE, message).help =
            if known { None } else { did_you_mean(&key.text, Assertion::names()) };
        return None;
    };
    let (check, expect, msg) = match &items[..] {
        [check, expect] => (check, expect, None),
        [check, expect, msg] => (check, expect, Some(msg)),
        _ => {
            let message = format!("\"{}\" takes check, expect and at most a message", key.text);
            report.error(value.place, code::INVALID_CASE, message).help =
                Some(format!("for example {}: [status_code, 200]", key.text));
            return None;
        }
    };
    Some(Written { check, assertion: (&key.text, key.place), expect, msg })
}

/// The error text of a validator: what stands in the case, in the order it reads.
fn message(check: &str, assertion: &str, expect: &Node, msg: &str) -> Arc<str> {
    let mut shown = String::new();
    push_written(expect, &mut shown);
    if shown.len() > MAX_SHOWN_EXPECT {
        let end = (0..=MAX_SHOWN_EXPECT).rfind(|at| shown.is_char_boundary(*at)).unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    let msg = if msg.is_empty() { String::new() } else { format!(" ({msg})") };
    Arc::from(format!("step validation failed: {check} {assertion} {shown}{msg}"))
}

fn push_written(node: &Node, out: &mut String) {
    if out.len() > MAX_SHOWN_EXPECT {
        return;
    }
    match &node.kind {
        NodeKind::Scalar(scalar) => match scalar.resolve() {
            // For people: without the escapes of a body.
            Value::Text(text) => out.push_str(&serde_json::Value::from(&*text).to_string()),
            value => value.operand().push_json(out),
        },
        NodeKind::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                push_written(item, out);
            }
            out.push(']');
        }
        NodeKind::Map(entries) => {
            out.push('{');
            for (n, (key, value)) in entries.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(&key.text);
                out.push(':');
                push_written(value, out);
            }
            out.push('}');
        }
    }
}

/// What an extract value or a check stands for (hrp spec 10.2).
fn compile_source(written: &str, place: Place, scope: &Scope, report: &mut Report) -> Option<Source> {
    let repaired = repair_quotes(written.trim());
    match compile_text(&repaired, Scan::Trimmed, place, scope) {
        Ok(Expr::Const(value)) => Some(match &*value {
            Value::Text(text) => search_or_text(text, place, report),
            _ => Source::Value(Expr::Const(value)),
        }),
        // What a response said is data, whatever it looks like (hrp spec 7.5).
        Ok(variable @ Expr::Variable(Variable::Kept { .. })) => Some(Source::Value(variable)),
        // What a row says may be a search, as in tables of checks and what they expect (hrp spec 10.2).
        Ok(template @ Expr::Variable(_)) => Some(Source::Template(template)),
        // Only what the author wrote can make it a search, not what a variable happens to hold.
        Ok(template) if Search::looks_like_one(&repaired) => Some(Source::Template(template)),
        Ok(text) => Some(Source::Value(text)),
        Err(error) => {
            let CompileErrorKind::Undefined(name) = &error.kind else {
                report.expression(&error, scope, code::UNDEFINED);
                return None;
            };
            // hrp goes on with the text as it stands, so that JMESPath such as body."$ref" works.
            if !scope.is_missing_by_mistake(name) {
                let message = format!("variable {name} is not defined here: the expression is used as written");
                report.warn(place, message).help = did_you_mean(name, scope.names());
            }
            Some(search_or_text(&repaired, place, report))
        }
    }
}

fn search_or_text(text: &str, place: Place, report: &mut Report) -> Source {
    match Search::compile(text) {
        Ok(Some(search)) => return Source::Search(search),
        Ok(None) => {
            if let Some(help) = meant_part(text) {
                let message = format!("\"{text}\" is used as text: it begins with no part of the response");
                report.warn(place, message).help = Some(help);
            }
        }
        Err(problem) => {
            let warning = report.warn(place, format!("\"{text}\" is used as text: {}", problem.0));
            let example = if text.contains('-') {
                "names with a hyphen need double quotes: headers.\"X-Id\""
            } else {
                "for example body.items[0].id or headers.\"X-Id\""
            };
            warning.help = Some(example.into());
        }
    }
    Source::Value(Expr::constant(Value::text(text)))
}

/// What to write instead of a text that is most likely meant as a search: it begins almost like a part of the response, or with
/// what other engines call one (hrp spec section 4).
fn meant_part(text: &str) -> Option<String> {
    const OF_OTHERS: [&str; 5] = ["content", "text", "json", "elapsed", "reason"];
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let first = &text[..end];
    if first.chars().any(char::is_whitespace) {
        return None;
    }
    let lower = first.to_ascii_lowercase();
    if let Some(root) = ROOTS.iter().find(|root| strsim::osa_distance(&lower, root) <= 1) {
        return Some(format!("did you mean \"{root}{}\"?", &text[end..]));
    }
    (OF_OTHERS.contains(&first) && end < text.len()).then(|| format!("the parts are {}", ROOTS.join(", ")))
}
