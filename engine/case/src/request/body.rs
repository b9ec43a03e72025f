//! Bodies (hrp spec 11.6).

use super::{form::FormEncoded, multipart::MultipartProgram, rendered::RenderedRequest};
use crate::{
    error::StepError,
    expression::{Expr, MapEntry},
    session::Session,
    value::{Map, Operand, Sink, Value},
};

/// Content types that make a map a form begin with this (hrp compares case-sensitively).
pub(crate) const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// The content type a JSON body gets where the step names none.
pub(crate) const JSON_TYPE: &str = "application/json; charset=utf-8";

/// How a body is made.
#[derive(Debug, Clone)]
pub(crate) enum BodyProgram {
    None,
    /// Never changes.
    Fixed(Box<[u8]>),
    /// Text with variables in it, sent as it is.
    Text(Expr),
    /// A list or map with variables in it; its content type stands among the headers already.
    Json(Expr),
    /// Keys are constant and sorted.
    Form(Box<[MapEntry]>),
    /// What it is depends on values, or on a content type, that are known only when the step runs.
    ByValue(Expr),
    /// A WebSocket message: text as it is, a list or map as JSON (hrp spec 12.6). No header speaks of it.
    Message(Expr),
    /// An upload with variables in it.
    Multipart(Box<MultipartProgram>),
}

impl BodyProgram {
    /// Renders the body behind the headers, whose content type it may depend on and may add.
    pub(crate) fn render(&self, session: &Session, out: &mut RenderedRequest) -> Result<(), StepError> {
        out.has_body = true;
        match self {
            BodyProgram::None => out.has_body = false,
            BodyProgram::Fixed(bytes) => out.body.extend_from_slice(bytes),
            BodyProgram::Text(expr) => expr.push_text(session, &mut out.body)?,
            BodyProgram::Json(expr) => expr.push_json(session, &mut out.body)?,
            BodyProgram::Form(entries) => {
                for (n, entry) in entries.iter().enumerate() {
                    if n > 0 {
                        Sink::push(&mut out.body, '&');
                    }
                    entry.key.push_text(session, &mut FormEncoded(&mut out.body))?;
                    Sink::push(&mut out.body, '=');
                    entry.value.push_text(session, &mut FormEncoded(&mut out.body))?;
                }
            }
            BodyProgram::ByValue(expr) => match expr.borrowed(session) {
                Some(value) => render_value(value?, out)?,
                None => render_value(expr.evaluate(session)?.operand(), out)?,
            },
            BodyProgram::Message(expr) => match expr.borrowed(session) {
                Some(value) => push_message(value?, &mut out.body),
                None if matches!(expr, Expr::Text(_)) => expr.push_text(session, &mut out.body)?,
                None => push_message(expr.evaluate(session)?.operand(), &mut out.body),
            },
            BodyProgram::Multipart(program) => program.render(session, out)?,
        }
        Ok(())
    }
}

/// A body whose kind is that of its value.
fn render_value(value: Operand<'_>, out: &mut RenderedRequest) -> Result<(), StepError> {
    match value {
        Operand::Text(text) => Sink::push_str(&mut out.body, text),
        Operand::Bytes(bytes) => out.body.extend_from_slice(bytes),
        Operand::Map(map) if out.header("Content-Type").is_some_and(|kind| kind.starts_with(FORM_TYPE)) => {
            push_form_map(map, &mut out.body);
        }
        Operand::List(_) | Operand::Map(_) | Operand::Tape(_) => {
            if out.header("Content-Type").is_none() {
                out.insert_header("Content-Type", JSON_TYPE);
            }
            value.push_json(&mut out.body);
        }
        Operand::Null | Operand::Bool(_) | Operand::Int(_) | Operand::Float(_) => {
            out.has_body = false;
            return Err(StepError::request("request body", "unexpected request body type"));
        }
    }
    Ok(())
}

/// A message by its value; null is an empty one, and a number or boolean its text.
fn push_message(value: Operand<'_>, out: &mut Vec<u8>) {
    match value {
        Operand::Null => {}
        Operand::Bytes(bytes) => out.extend_from_slice(bytes),
        Operand::List(_) | Operand::Map(_) | Operand::Tape(_) => value.push_json(out),
        Operand::Text(_) | Operand::Bool(_) | Operand::Int(_) | Operand::Float(_) => value.push_text(out),
    }
}

/// A constant map as a form.
pub(crate) fn push_form_map(map: &Map, out: &mut Vec<u8>) {
    for (n, (key, value)) in map.iter().enumerate() {
        if n > 0 {
            Sink::push(out, '&');
        }
        FormEncoded(out).push_str(key);
        Sink::push(out, '=');
        Value::operand(value).push_text(&mut FormEncoded(out));
    }
}
