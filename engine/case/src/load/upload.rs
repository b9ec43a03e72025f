//! `upload` of a request: a `multipart/form-data` body (hrp spec 4, 11.7).

use std::{path::Path, sync::Arc};

use super::{
    fields::{asks_nothing, map, Fields},
    report::{code, Report},
    variables::text_of,
};
use crate::{
    document::{Key, Node, NodeKind, Place},
    expression::{compile_text, compile_value, sole_variable, CompileError, Expr, Piece, Scan, Scope, Variable},
    operation::{Operation, SlotPlace},
    project::Project,
    request::{
        fixed_body, BodyProgram, FieldError, FieldValue, FileError, FixedPart, MultipartProgram, Part, MAX_CASE_BYTES,
        MAX_UPLOAD_BYTES,
    },
};

/// The fields of a request's upload: those of `upload`, where it is there and not empty, or the map that the body hands to
/// `multipart_encoder`, by itself or through a variable of the step (hrp spec 4 and section 8).
pub(crate) fn upload_fields<'a>(step: &Fields<'a>, request: &Fields<'a>, report: &mut Report) -> Option<&'a Node> {
    let mut bodies = ["body", "json", "data"].into_iter().filter_map(|name| request.entry(name));
    let Some(upload) = request.get("upload").filter(|node| !asks_nothing(node, 0)) else {
        let (_, body) = bodies.next()?;
        return encoded_map(step, body)
            .or_else(|| encoded_map(step, variable(step, sole_variable(text_of(body)?.trim())?)?));
    };
    for (key, body) in bodies {
        // hrp's own way to write an upload names it in both places.
        if text_of(body).and_then(sole_variable) != Some("m_encoder") {
            report.warn(key.place, format!("\"{}\" is ignored: the request has an upload", key.text));
        }
    }
    Some(upload)
}

/// Whether a variable of a step is an upload for a body, which is no value of its own.
pub(crate) fn is_encoder_variable(step: &Fields<'_>, value: &Node) -> bool {
    encoded_map(step, value).is_some()
}

/// Whether a header's value is the content type of an upload, which the upload brings itself.
pub(crate) fn is_content_type_call(value: &str) -> bool {
    argument_of("multipart_content_type", value).is_some()
}

/// The map of `${multipart_encoder($map)}`, which a variable of the step holds.
fn encoded_map<'a>(step: &Fields<'a>, call: &Node) -> Option<&'a Node> {
    let argument = argument_of("multipart_encoder", text_of(call)?)?;
    let node = variable(step, sole_variable(argument)?)?;
    matches!(node.kind, NodeKind::Map(_)).then_some(node)
}

/// The argument where a text is exactly one call of the function.
fn argument_of<'t>(function: &str, text: &'t str) -> Option<&'t str> {
    let call = text.trim().strip_prefix("${")?.strip_suffix(")}")?;
    Some(call.strip_prefix(function)?.strip_prefix('(')?.trim())
}

/// A variable of the step, as written.
fn variable<'a>(step: &Fields<'a>, name: &str) -> Option<&'a Node> {
    let NodeKind::Map(entries) = &step.get("variables")?.kind else { return None };
    entries.iter().find_map(|(key, node)| (&*key.text == name).then_some(node))
}

/// Compiles an upload; where nothing in it changes it comes with the content type it needs. None where it reported an error.
pub(crate) fn compile_upload(
    node: &Node,
    scope: &Scope,
    operations: &[Operation],
    report: &mut Report,
) -> Option<(BodyProgram, Option<String>)> {
    let errors_before = report.errors.len();
    let mut parts = Vec::new();
    let mut bytes = 0_usize;
    for (key, value) in map(node, "request.upload", report)? {
        let part = compile_field(key, value, scope, operations, report);
        if let Some(Part::Fixed(part)) = &part {
            bytes = bytes.saturating_add(part.len());
        }
        parts.extend(part);
    }
    if report.errors.len() > errors_before {
        return None;
    }
    let limit = if bytes > MAX_UPLOAD_BYTES {
        Some(("the upload is", MAX_UPLOAD_BYTES))
    } else if scope.uploads.spend(bytes) {
        None
    } else {
        Some(("the uploads of this case are together", MAX_CASE_BYTES))
    };
    if let Some((what, limit)) = limit {
        let message = format!("{what} larger than {} MiB", limit >> 20);
        report.error(node.place, code::INVALID_CASE, message).help = Some("send smaller files, or fewer".into());
        return None;
    }
    let fixed: Option<Vec<FixedPart>> = parts
        .iter()
        .map(|part| match part {
            Part::Fixed(part) if part.is_streamed() => None,
            Part::Fixed(part) => Some(part.clone()),
            Part::Rendered { .. } => None,
        })
        .collect();
    if let Some(fixed) = fixed {
        let (content_type, body) = fixed_body(&fixed);
        return Some((BodyProgram::Fixed(body), Some(content_type)));
    }
    let files = scope.uploads.files(&scope.project);
    Some((BodyProgram::Multipart(Box::new(MultipartProgram { parts: parts.into(), files })), None))
}

fn compile_field(key: &Key, node: &Node, scope: &Scope, operations: &[Operation], report: &mut Report) -> Option<Part> {
    let mut compiled = |expr: Result<Expr, CompileError>| match expr {
        Ok(expr) => Some(expr),
        Err(error) => {
            report.expression(&error, scope, code::UNDEFINED);
            None
        }
    };
    let name = compiled(compile_text(&key.text, Scan::Verbatim, key.place, scope));
    let value = compiled(compile_value(node, scope));
    let (name, value) = (name?, value?);
    let (Some(name_text), Some(value_text)) = (name.const_text(), value.const_text()) else {
        let may_be_file = !begins_with_extracted(&value, scope, operations);
        return Some(Part::Rendered { name, value, may_be_file, written: Arc::from(&*key.text) });
    };
    let field = FieldValue::parse(&value_text, true);
    if let Some(ignored) = field.ignored {
        let message = format!("\"{}\" is ignored: a file's options are type and filename", ignored.trim());
        report.warn(node.place, message);
    }
    match FixedPart::new(&name_text, &field, |path| scope.uploads.read(&scope.project, path)) {
        Ok(part) => Some(Part::Fixed(part)),
        Err(error) => {
            field_error(node.place, &key.text, &field, error, scope, report);
            None
        }
    }
}

fn field_error(
    place: Place,
    name: &str,
    field: &FieldValue<'_>,
    error: FieldError,
    scope: &Scope,
    report: &mut Report,
) {
    let path = field.contents();
    let (exit_code, message) = match error {
        FieldError::File(_) if path.is_empty() => (code::FILE, format!("upload {name}: no path follows the @")),
        FieldError::File(error) => (code::FILE, format!("upload {name}: {path}: {error}")),
        FieldError::ControlCharacter => (code::INVALID_CASE, format!("upload {name}: {error}")),
    };
    let help = match error {
        FieldError::File(_) if path.is_empty() => Some("to send text that begins with @, quote it: '\"@\"'".into()),
        FieldError::File(FileError::Missing) => Some(searched(&scope.project, &path)),
        FieldError::File(_) | FieldError::ControlCharacter => None,
    };
    let step_message = format!("request upload: {name}: {error}");
    report.step_error(place, exit_code, message, &step_message).help = help;
}

/// Where a file was looked for.
fn searched(project: &Project, path: &str) -> String {
    if Path::new(path).is_absolute() {
        return "check its path; to send text that begins with @, quote it: '\"@text\"'".into();
    }
    let mut folders = vec!["the working directory".to_owned()];
    for folder in [&project.root, &project.folder] {
        let name = folder.display().to_string();
        if !name.is_empty() && !folders.contains(&name) {
            folders.push(name);
        }
    }
    format!("it was looked for in {}", folders.join(", then in "))
}

/// Whether a value may begin with what a response said. Such a text names no file, whatever it looks like: a server must not
/// choose which of our files are sent to it.
fn begins_with_extracted(value: &Expr, scope: &Scope, operations: &[Operation]) -> bool {
    let is_extracted = |variable: &Variable| match variable {
        Variable::Kept { slot, .. } => scope.extracted.values().any(|extracted| extracted == slot),
        Variable::Parameter { .. } => false,
        // A variable refers only to those before it, so this ends.
        Variable::Step { slot, .. } => operations.iter().enumerate().any(|(n, operation)| {
            matches!(operation, Operation::Set { slot: SlotPlace::Step(set), value }
                if set == slot && begins_with_extracted(value, scope, &operations[..n]))
        }),
    };
    match value {
        Expr::Variable(variable) => is_extracted(variable),
        // A variable at the begin may be empty, and then the next one is what it begins with.
        Expr::Text(pieces) => pieces
            .iter()
            .map_while(|piece| match piece {
                Piece::Variable(variable) => Some(variable),
                Piece::Literal(_) => None,
            })
            .any(is_extracted),
        Expr::Const(_) | Expr::List(_) | Expr::Map(_) => false,
    }
}
