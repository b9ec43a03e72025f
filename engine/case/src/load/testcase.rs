//! Steps that refer to another case (hrp spec 7.11, 12.2): its steps are put in place of the reference.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use super::{
    assembly::Level,
    case::{CaseBuilder, Opened},
    config::Config,
    fields::{list, text, Fields},
    report::{code, Report},
    request::step_variables,
    steps::{compile_steps, written_name},
};
use crate::{
    document::{Node, NodeKind, Place},
    expression::{Binding, Expr, Scope, Variable},
    operation::{Operation, SlotPlace},
    project::Project,
    step::{EnterStep, LeaveStep},
    Step,
};

/// Compiles a step whose `testcase` is a path from the project's root, or the case itself.
pub(crate) fn compile_testcase(
    step: &Fields<'_>,
    place: Place,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<()> {
    let reference;
    let (root, file, work) = match &node.kind {
        NodeKind::Scalar(scalar) => {
            let project = builder.scope.project.clone();
            reference = builder.context.reference(&scalar.text, &project.reference_folders(), node.place, report)?;
            (reference.tree(report)?, Some(&*reference), reference.values)
        }
        // It is part of a file that was read, and counted there unless that is the case itself.
        NodeKind::Map(_) | NodeKind::List(_) => (node, None, 0),
    };
    let errors_before = report.errors.len();
    let name = written_name(step, report)?;
    let exports = match step.get("export") {
        Some(node) => list(node, "export", report)?,
        None => &[],
    };
    let exports = exports.iter().map(|name| text(name, "a name of export", report)).collect::<Option<Vec<_>>>()?;
    let (scope, operations) = step_variables(step, builder, report);
    if report.errors.len() > errors_before {
        return None;
    }
    let path = file.map(|file| &*file.path);
    let work = work + scope.config.len() + scope.outer.len() + scope.extracted.len() + scope.step.len();
    if !builder.assembly.enter(file.map(|file| &*file.real_path), work, place, report) {
        return None;
    }
    let project = match path {
        Some(path) => builder.context.project(path, true, report),
        None => scope.project.clone(),
    };
    let caller = Caller { name, place, exports, scope: &scope, operations };
    let inlined = inline(caller, root, path, project, builder, report);
    builder.assembly.leave();
    inlined
}

/// What the calling step brings.
struct Caller<'a> {
    name: &'a str,
    place: Place,
    exports: Vec<&'a str>,
    /// All names as the step sees them, its own included.
    scope: &'a Scope,
    /// What evaluates its own variables.
    operations: Vec<Operation>,
}

fn inline(
    caller: Caller<'_>,
    root: &Node,
    path: Option<&Path>,
    project: Arc<Project>,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<()> {
    let base = Scope { project, budget: builder.scope.budget.clone(), ..Scope::default() };
    let mut opened = Opened::read(root, builder.context, &base, false, report)?;
    opened.config.own.warn_ignored(report);
    let callee_name = opened.name(path.unwrap_or(Path::new("")));
    let level = inner_level(caller.name, &opened.config, builder);
    if !base.spend(level.prefix.as_ref().map_or(0, |prefix| prefix.len() * opened.step_nodes.len())) {
        let message = "the names of nested references grow too long";
        report.error(caller.place, code::INVALID_CASE, message);
        return None;
    }
    let name = builder.level.name(if caller.name.is_empty() { &callee_name } else { caller.name });
    let (name, index) = builder.assembly.reference(&name);
    let (outer, operations) = hand_in(caller.scope, &opened.config, caller.operations, builder);
    opened.config.scope.outer = Arc::new(outer);

    let enter_at = builder.assembly.steps.len();
    let first_fresh = builder.assembly.slots;
    let enter = EnterStep { name, index, operations: operations.into(), fresh: first_fresh..first_fresh };
    builder.assembly.steps.push(Step::Enter(Box::new(enter)));
    let callee_exports = std::mem::take(&mut opened.config.exports);
    let mut callee = CaseBuilder::new(opened.config, level, &mut *builder.assembly, builder.context);
    compile_steps(opened.steps, opened.step_nodes, &mut callee, report);
    let values = exported_values(caller.exports, callee_exports, &callee);
    builder.step_slots = builder.step_slots.max(callee.step_slots);
    let last_fresh = builder.assembly.slots;
    if let Some(Step::Enter(enter)) = builder.assembly.steps.get_mut(enter_at) {
        enter.fresh = first_fresh..last_fresh;
    }
    let mut exports = Vec::with_capacity(values.len());
    for (name, value) in values {
        let slot = builder.slot(name);
        builder.scope.extracted.insert(name.into(), slot);
        exports.push((slot, value));
    }
    builder.assembly.steps.push(Step::Leave(Box::new(LeaveStep { index, exports: exports.into() })));
    Some(())
}

/// What the steps of the referenced case take over: names begin with the raw name of the calling step.
fn inner_level(name: &str, callee: &Config<'_>, builder: &CaseBuilder<'_>) -> Level {
    let around = &builder.level;
    let prefix = around.prefix.as_deref().unwrap_or_default();
    Level {
        prefix: Some(Arc::from(format!("{prefix}{name} - "))),
        timeout: callee.request_timeout.or(around.timeout),
        verify: callee.verify.or(around.verify).or(builder.config.verify),
        in_setup: around.in_setup,
    }
}

/// Every name the calling step sees, for the referenced case. The step's own variables that are not constant get slots that stay
/// while the referenced case runs.
fn hand_in(
    scope: &Scope,
    callee: &Config<'_>,
    mut operations: Vec<Operation>,
    builder: &mut CaseBuilder<'_>,
) -> (HashMap<Box<str>, Expr>, Vec<Operation>) {
    let mut outer = HashMap::new();
    let names: BTreeSet<&str> = scope.names().collect();
    for name in names {
        let Some(mut value) = scope.resolve(name) else { continue };
        if matches!(scope.step.get(name), Some(Binding::Slot(_))) {
            let slot = builder.assembly.new_slot();
            let missing = Arc::from(format!("variable {name} not found: the calling step has not set it"));
            operations.push(Operation::Set { slot: SlotPlace::Kept(slot), value });
            value = Expr::Variable(Variable::Kept { slot, fallback: None, missing });
        } else if let Expr::Variable(Variable::Kept { fallback: fallback @ None, .. }) = &mut value {
            // What the caller has not extracted it does not hand in.
            *fallback = callee.scope.resolve_config(name).map(Arc::new);
        }
        outer.insert(name.into(), value);
    }
    (outer, operations)
}

/// Names that either side exports, each once, with their values as the referenced case leaves them.
fn exported_values<'a>(
    of_step: Vec<&'a str>,
    of_callee: Vec<&'a str>,
    callee: &CaseBuilder<'_>,
) -> Vec<(&'a str, Option<Expr>)> {
    let mut known = HashSet::new();
    let names = of_step.into_iter().chain(of_callee).filter(|name| known.insert(*name));
    names.map(|name| (name, callee.session_value(name))).collect()
}
