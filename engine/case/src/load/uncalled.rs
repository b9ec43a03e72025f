//! Warnings of text that its author means as a function call (hrp spec 6.2).

use super::report::Report;
use crate::{
    document::{Node, NodeKind, Place},
    expression::{tokens, Token},
    function::Function,
};

/// Warns of each text below `node` that names a function of ours like a call and, as in hrp, is none. The tree is at most
/// [`MAX_DEPTH`](crate::document::MAX_DEPTH) levels deep.
pub(crate) fn warn_uncalled(node: &Node, report: &mut Report) {
    match &node.kind {
        NodeKind::Scalar(scalar) => warn_text(&scalar.text, node.place, report),
        NodeKind::List(items) => items.iter().for_each(|item| warn_uncalled(item, report)),
        NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| warn_uncalled(value, report)),
    }
}

fn warn_text(text: &str, place: Place, report: &mut Report) {
    if !text.contains("${") {
        return;
    }
    for token in tokens(text) {
        let Token::Literal(literal) = token else { continue };
        for call in literal.split("${").skip(1) {
            let Some((name, arguments)) = call.split_once('(') else { continue };
            let name = name.trim();
            if !Function::names().any(|known| known == name) {
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
