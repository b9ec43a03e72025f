//! One file's tree as a case.

use std::{collections::HashMap, mem, path::Path, sync::Arc};

use super::{
    assembly::{Assembly, Level},
    config::{Config, Recurring},
    context::Context,
    fields::{list, Fields},
    parameters::read_parameters,
    report::{code, Report},
    setup::compile_setup,
    steps::compile_steps,
    uncalled::warn_uncalled,
    UrlStyle,
};
use crate::{
    document::{Node, NodeKind, Place},
    expression::{Expr, Scope},
    project::Project,
    step::EvaluateStep,
    think::ThinkTime,
    Case, Step,
};

/// What is known while the steps of one case are compiled one after the other. A referenced case has a builder of its own, which
/// adds to the same assembly.
pub(crate) struct CaseBuilder<'a> {
    pub(crate) config: Config<'a>,
    pub(crate) url_style: UrlStyle,
    /// Names as the next step sees them.
    pub(crate) scope: Scope,
    /// Every name any step of this case extracts, with its slot.
    pub(crate) slots: HashMap<Box<str>, usize>,
    pub(crate) step_slots: usize,
    pub(crate) level: Level,
    pub(crate) assembly: &'a mut Assembly,
    pub(crate) context: &'a Context<'a>,
}

impl<'a> CaseBuilder<'a> {
    pub(crate) fn new(config: Config<'a>, level: Level, assembly: &'a mut Assembly, context: &'a Context<'a>) -> Self {
        let scope = config.scope.clone();
        let url_style = context.options.url_style;
        CaseBuilder { config, url_style, scope, slots: HashMap::new(), step_slots: 0, level, assembly, context }
    }

    pub(crate) fn think(&self, time_s: f64) -> ThinkTime {
        self.config.think.apply(time_s)
    }

    /// The slot of an extracted name, the same for all steps of the case that extract it.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = self.assembly.new_slot();
        self.slots.insert(name.into(), slot);
        slot
    }

    /// A name's value without those of the config: what a case can export (hrp spec section 2).
    pub(crate) fn session_value(&self, name: &str) -> Option<Expr> {
        let mut scope = self.scope.clone();
        scope.config = Arc::default();
        scope.recurring = Arc::default();
        scope.resolve_below_step(name)
    }
}

/// Keys of a test case.
pub(crate) const KEYS: [&str; 2] = ["config", "teststeps"];

/// What a test case looks like.
const FORM: &str = "a test case is a map with config and teststeps, a list of steps";

/// A case's tree, taken apart: its config evaluated, its steps as written.
pub(crate) struct Opened<'a> {
    pub(crate) config: Config<'a>,
    pub(crate) steps: &'a Node,
    pub(crate) step_nodes: &'a [Node],
}

impl<'a> Opened<'a> {
    /// Reads the config and finds the steps; none where that is wrong.
    pub(crate) fn read(
        root: &'a Node,
        context: &Context<'_>,
        base: &Scope,
        run_itself: bool,
        report: &mut Report,
    ) -> Option<Self> {
        let errors_before = report.errors.len();
        if root.is_null() {
            let error = report.error(root.place, code::INVALID_CASE, "invalid case format: there is nothing in it");
            error.help = Some(FORM.into());
            return None;
        }
        let Some(fields) = Fields::of(root, "a test case", report) else {
            let help = match root.kind {
                NodeKind::List(_) => {
                    format!("{FORM}; the list form of HttpRunner 1 and 2 is not read, by hrp 4 neither")
                }
                NodeKind::Scalar(_) | NodeKind::Map(_) => FORM.to_owned(),
            };
            if let Some(error) = report.errors.last_mut() {
                error.help = Some(help);
            }
            return None;
        };
        fields.warn_unknown(&KEYS, "a test case", report);
        warn_uncalled(root, base, report);
        let config = Config::read(fields.get("config"), context.options, base, run_itself, report);
        let Some(steps) = fields.get("teststeps") else {
            let error = report.error(
                Place { len: 0, ..root.place },
                code::INVALID_CASE,
                "invalid case format: teststeps is missing",
            );
            error.help = Some(FORM.into());
            return None;
        };
        let step_nodes = list(steps, "teststeps", report)?;
        // Without its variables every step would only repeat the same mistake.
        (report.errors.len() == errors_before).then_some(Opened { config, steps, step_nodes })
    }

    /// The name its config gives, else its file's.
    pub(crate) fn name(&mut self, path: &Path) -> Arc<str> {
        let file_name = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Arc::from(self.config.name.take().filter(|name| !name.is_empty()).unwrap_or_else(file_name))
    }
}

/// Compiles a case; none where the report holds errors.
pub(crate) fn compile_case(
    root: &Node,
    path: &Path,
    project: &Arc<Project>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Case> {
    let base = Scope { project: project.clone(), ..Scope::default() };
    let mut opened = Opened::read(root, context, &base, true, report)?;
    let name = opened.name(path);
    let Opened { mut config, steps, step_nodes } = opened;
    let (parameters, columns) = read_parameters(&config, report);
    if let Some((_, Node { kind: NodeKind::Map(entries), .. })) = config.own.parameters {
        let names = entries.iter().flat_map(|(key, _)| key.text.split('-'));
        config.scope.broken.extend(names.filter(|name| !columns.contains_key(*name)).map(Box::from));
    }
    let mut assembly = Assembly::new(path);
    let Recurring { operations, kept_slots, step_slots: first_slots } = mem::take(&mut config.recurring);
    let evaluate =
        (!operations.is_empty()).then(|| Step::Evaluate(Box::new(EvaluateStep { operations: operations.into() })));
    assembly.slots = kept_slots;
    assembly.steps.extend(evaluate.clone());
    let setup_slots = compile_setup(&mut config, &mut assembly, context, report);
    let mut setup = mem::take(&mut assembly.steps);
    if setup.iter().all(|step| matches!(step, Step::Evaluate(_))) {
        setup.clear();
    }
    assembly.steps.extend(evaluate);
    let lasting_slots = assembly.slots;
    config.scope.parameters = Arc::new(columns);

    let mut builder = CaseBuilder::new(config, Level::default(), &mut assembly, context);
    compile_steps(steps, step_nodes, &mut builder, report);
    if !report.errors.is_empty() {
        return None;
    }
    let exports = mem::take(&mut builder.config.exports);
    let exports = exports.into_iter().map(|name| (name.into(), builder.session_value(name))).collect();
    let CaseBuilder { config, step_slots, .. } = builder;
    let Config { weight, request_timeout, case_timeout, scope, .. } = config;
    Some(Case {
        name,
        path: Some(path.into()),
        project_root: project.root.clone(),
        plugin_file: project.plugin.as_ref().map(|plugin| plugin.file.clone()),
        weight,
        request_timeout,
        case_timeout,
        setup,
        parameters,
        references: assembly.references.into(),
        transactions: assembly.transactions.into(),
        rendezvous: assembly.rendezvous,
        loops: assembly.loops,
        exports,
        config_variables: scope.config,
        kept_slots: assembly.slots,
        lasting_slots,
        step_slots: step_slots.max(setup_slots).max(first_slots),
        steps: assembly.steps,
    })
}
