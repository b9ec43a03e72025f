//! `auth` of a request or of a config: an extension of hrp's language.

use super::{
    fields::{asks_nothing, text, Fields},
    report::{code, Report},
};
use crate::{
    document::Node,
    expression::{compile_text, Expr, Scan, Scope},
    request::AuthProgram,
};

const KEYS: [&str; 4] = ["type", "username", "password", "token"];

/// Compiles credentials; none where nothing is asked for, or where an error was reported.
pub(crate) fn compile_auth(node: &Node, what: &str, scope: &Scope, report: &mut Report) -> Option<AuthProgram> {
    if asks_nothing(node, 0) {
        return None;
    }
    let fields = Fields::of(node, what, report)?;
    fields.warn_unknown(&KEYS, what, report);
    let kind = match fields.get("type") {
        Some(kind) => text(kind, &format!("{what}.type"), report)?,
        None => "",
    };
    let mut part = |name: &str| -> Option<Expr> {
        let Some(node) = fields.get(name) else {
            let message = format!("{what} of the type {kind} needs a {name}");
            report.error(node.place, code::INVALID_CASE, message);
            return None;
        };
        let written = text(node, &format!("{what}.{name}"), report)?;
        match compile_text(written, Scan::Trimmed, node.place, scope) {
            Ok(expr) => Some(expr),
            Err(error) => {
                report.expression(&error, scope, code::UNDEFINED);
                None
            }
        }
    };
    match kind {
        "none" => Some(AuthProgram::Nothing),
        "basic" => Some(AuthProgram::Basic { user: part("username")?, password: part("password")? }),
        "bearer" => Some(AuthProgram::Bearer { token: part("token")? }),
        "digest" => Some(AuthProgram::Digest { user: part("username")?, password: part("password")? }),
        other => {
            let message = match other {
                "" => format!("{what} has no type"),
                other => format!("{what}.type is \"{other}\", which is not known"),
            };
            report.error(node.place, code::INVALID_CASE, message).help =
                Some("it is basic or digest with username and password, bearer with token, or none".into());
            None
        }
    }
}
