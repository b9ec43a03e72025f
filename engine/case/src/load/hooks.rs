//! `setup_hooks` and `teardown_hooks` of a step (hrp spec 11.10).

use super::{
    fields::{list, text, Fields},
    report::{code, Report},
};
use crate::{
    expression::{compile_text, Scan, Scope},
    operation::Operation,
};

/// The calls of a list of hooks, in order. They are run for what they do; a hook that is plain text does nothing.
pub(crate) fn compile_hooks(step: &Fields<'_>, key: &str, scope: &Scope, report: &mut Report) -> Vec<Operation> {
    let hooks = match step.get(key) {
        Some(node) => list(node, key, report).unwrap_or_default(),
        None => &[],
    };
    for hook in hooks {
        let Some(written) = text(hook, "a hook", report) else { continue };
        if let Err(error) = compile_text(written, Scan::Trimmed, hook.place, scope) {
            report.expression(&error, scope, code::UNDEFINED);
        }
    }
    scope.take_operations()
}
