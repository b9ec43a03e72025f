//! `config.setup_case`: what each user does once, before its iterations. It is this engine's own; hrp ignores it.

use std::{collections::HashMap, sync::Arc};

use super::{
    assembly::{Assembly, Level},
    case::{CaseBuilder, Opened},
    config::Config,
    context::Context,
    fields::asks_nothing,
    report::{code, Report},
    steps::compile_steps,
};
use crate::{
    document::{Node, NodeKind},
    expression::{Expr, Scope, Variable},
    project::Project,
};

/// Compiles the once-per-user steps into the assembly. What they extract then stands above the config's variables and below
/// everything else. Gives the number of the steps' own slots.
pub(crate) fn compile_setup(
    config: &mut Config<'_>,
    assembly: &mut Assembly,
    context: &Context<'_>,
    report: &mut Report,
) -> usize {
    let Some((_, node)) = config.own.setup_case else { return 0 };
    let Some(extracted) = compile(node, config, assembly, context, report) else { return 0 };
    let mut outer = HashMap::new();
    for (name, slot) in extracted.names {
        let fallback = config.scope.resolve_config(&name).map(Arc::new);
        let missing = Arc::from(format!("variable {name} not found: the setup case has not extracted it"));
        outer.insert(name, Expr::Variable(Variable::Kept { slot, fallback, missing }));
    }
    config.scope.outer = Arc::new(outer);
    extracted.step_slots
}

/// What a setup leaves behind.
struct Extracted {
    names: HashMap<Box<str>, usize>,
    step_slots: usize,
}

fn compile(
    node: &Node,
    config: &Config<'_>,
    assembly: &mut Assembly,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Extracted> {
    let project = &config.scope.project;
    let reference;
    let (root, file, project) = match &node.kind {
        NodeKind::List(nodes) => {
            let level = Level { in_setup: true, ..Level::default() };
            let mut builder = CaseBuilder::new(config.clone(), level, assembly, context);
            compile_steps(node, nodes, &mut builder, report);
            return Some(Extracted { names: builder.scope.extracted, step_slots: builder.step_slots });
        }
        NodeKind::Map(_) => (node, None, project.clone()),
        NodeKind::Scalar(scalar) => {
            let here = std::env::current_dir().unwrap_or_default();
            let folders = [&*project.root, &*here, &*project.folder];
            reference = context.reference(&scalar.text, &folders, node.place, report)?;
            (reference.tree(report)?, Some(&*reference), context.project(&reference.path, true, report))
        }
    };
    let work = file.map_or(0, |file| file.values);
    if !assembly.enter(file.map(|file| &*file.real_path), work, node.place, report) {
        return None;
    }
    let extracted = inline(root, project, config, assembly, context, report);
    assembly.leave();
    extracted
}

/// Like a referenced case: what the case around it defines counts more.
fn inline(
    root: &Node,
    project: Arc<Project>,
    around: &Config<'_>,
    assembly: &mut Assembly,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Extracted> {
    let base = Scope { project, budget: around.scope.budget.clone(), ..Scope::default() };
    let mut opened = Opened::read(root, context, &base, false, report)?;
    refuse_parameters(&opened.config, report);
    opened.config.own.parameters = None;
    opened.config.own.warn_ignored(report);
    let names = around.scope.config.keys().chain(around.scope.recurring.keys());
    let handed_in = names.filter_map(|name| Some((name.clone(), around.scope.resolve_config(name)?)));
    opened.config.scope.outer = Arc::new(handed_in.collect());
    let level = Level {
        timeout: opened.config.request_timeout,
        verify: opened.config.verify.or(around.verify),
        in_setup: true,
        ..Level::default()
    };
    let mut builder = CaseBuilder::new(opened.config, level, assembly, context);
    compile_steps(opened.steps, opened.step_nodes, &mut builder, report);
    Some(Extracted { names: builder.scope.extracted, step_slots: builder.step_slots })
}

fn refuse_parameters(config: &Config<'_>, report: &mut Report) {
    if let Some((key, node)) = config.own.parameters {
        if !asks_nothing(node, 0) {
            let message = "a setup case has no parameters: each user runs it once";
            report.error(key.place, code::INVALID_CASE, message).help = Some("give them to the case itself".into());
        }
    }
}
