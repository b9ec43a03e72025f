//! One file's tree as a case.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{
    config::Config,
    fields::{list, Fields},
    report::{code, Report},
    steps::compile_step,
    LoadOptions,
};
use crate::{
    document::{Node, Place},
    expression::Scope,
    project::Project,
    think::ThinkTime,
    Case,
};

/// What is known while the steps of a case are compiled one after the other.
pub(crate) struct CaseBuilder<'a> {
    pub(crate) config: Config<'a>,
    /// Names as the next step sees them.
    pub(crate) scope: Scope,
    /// Every name any step extracts, with its slot.
    pub(crate) slots: HashMap<Box<str>, usize>,
    pub(crate) step_slots: usize,
    pub(crate) transactions: Vec<Arc<str>>,
}

impl CaseBuilder<'_> {
    pub(crate) fn think(&self, time_s: f64) -> ThinkTime {
        self.config.think.apply(time_s)
    }

    /// The slot of an extracted name, the same for all steps that extract it.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        let next = self.slots.len();
        *self.slots.entry(name.into()).or_insert(next)
    }

    /// The position of a transaction name among the distinct ones.
    pub(crate) fn transaction(&mut self, name: &str) -> (Arc<str>, usize) {
        let index = self.transactions.iter().position(|known| &**known == name).unwrap_or_else(|| {
            self.transactions.push(Arc::from(name));
            self.transactions.len() - 1
        });
        (self.transactions[index].clone(), index)
    }
}

/// Compiles a case; none where the report holds errors.
pub(crate) fn compile_case(root: &Node, path: PathBuf, options: &LoadOptions, report: &mut Report) -> Option<Case> {
    let fields = Fields::of(root, "a test case", report)?;
    fields.warn_unknown(&["config", "teststeps"], "a test case", report);
    let config = Config::read(fields.get("config"), options, report);
    let Some(steps_node) = fields.get("teststeps") else {
        let error = report.error(
            Place { len: 0, ..root.place },
            code::INVALID_CASE,
            "invalid case format: teststeps is missing",
        );
        error.help = Some("a test case is a map with config and teststeps, a list of steps".into());
        return None;
    };
    let step_nodes = list(steps_node, "teststeps", report)?;
    if !report.errors.is_empty() {
        // Without its variables every step would only repeat the same mistake.
        return None;
    }
    let mut scope = config.scope.clone();
    scope.project =
        Arc::new(Project { folder: path.parent().map(Into::into).unwrap_or_default(), ..Project::default() });
    let mut builder = CaseBuilder { config, scope, slots: HashMap::new(), step_slots: 0, transactions: Vec::new() };
    let steps: Vec<_> = step_nodes.iter().filter_map(|node| compile_step(node, &mut builder, report)).collect();
    if steps.is_empty() && report.errors.is_empty() {
        report.error(steps_node.place, code::INVALID_CASE, "the case has no step that does anything");
    }
    if !report.errors.is_empty() {
        return None;
    }
    let file_name = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = builder.config.name.take().filter(|name| !name.is_empty()).unwrap_or_else(file_name);
    Some(Case {
        name: Arc::from(name),
        path: Some(path),
        weight: builder.config.weight,
        request_timeout: builder.config.request_timeout,
        steps,
        transactions: builder.transactions.into(),
        setup: Vec::new(),
        parameters: None,
        case_timeout: None,
        references: Box::default(),
        rendezvous: 0,
        loops: 0,
        exports: Box::default(),
        config_variables: Arc::default(),
        kept_slots: builder.slots.len(),
        lasting_slots: 0,
        step_slots: builder.step_slots,
    })
}
