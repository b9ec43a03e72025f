//! Warnings of text that its author means as a function call (hrp spec 6.2).

use super::report::Report;
use crate::{
    document::{Node, NodeKind, Place},
    expression::{tokens, Scope, Token},
};

/// Warns of each text below `node` that names a function like a call and, as in hrp, is none. The tree is at most
/// [`MAX_DEPTH`](crate::document::MAX_DEPTH) levels deep.
pub(crate) fn warn_uncalled(node: &Node, scope: &Scope, report: &mut Report) {
    match &node.kind {
        NodeKind::Scalar(scalar) => warn_text(&scalar.text, node.place, scope, report),
        NodeKind::List(items) => items.iter().for_each(|item| warn_uncalled(item, scope, report)),
        NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| warn_uncalled(value, scope, report)),
    }
}

fn warn_text(text: &str, place: Place, scope: &Scope, report: &mut Report) {
    if !text.contains("${") {
        return;
    }
    for token in tokens(text) {
        let Token::Literal(literal) = token else { continue };
        for call in literal.split("${").skip(1) {
            let Some((name, arguments)) = call.split_once('(') else { continue };
            let name = name.trim();
            if !is_name(name) || !matches!(scope.callee(name), Ok(Some(_))) {
                continue;
            }
            let warning = report.warn(place, format!("the function {name} is not called here: this stays text"));
            warning.help = Some(if arguments.contains(")}") {
                format!(
                    "arguments hold letters, digits, blanks and . - / = $ _ only, without quotes; put any other into a variable: \
                     ${{{name}($value)}}"
                )
            } else {
                "a call ends in )}".to_owned()
            });
        }
    }
}

/// What may name a function at all: a plugin is not opened for anything else.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
