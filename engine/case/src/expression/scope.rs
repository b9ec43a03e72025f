//! What a name stands for at one place of a case (hrp spec 7.1, 7.2, 7.10).

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use super::{Calls, Expr, Phase, StepWork, Variable};
use crate::{
    function::Function,
    operation::Operation,
    plugin::{Plugin, PluginFailure},
    project::{Project, ProjectPlugin},
    request::Uploads,
    value::Value,
};

/// How much one case may grow by putting variables into others. A few lines that double each other could otherwise ask for more
/// memory than there is.
const MAX_FOLDED_BYTES: usize = 32 * 1024 * 1024;

/// The layers of names seen from one place: step variables over extracted values over parameters over what a calling step hands in
/// over the case's own (hrp spec 7.1, 7.11).
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Config variables, environs and `base_url`, already merged and evaluated: they never change (hrp spec 7.3).
    pub(crate) config: Arc<BTreeMap<Box<str>, Arc<Value>>>,
    /// The same, evaluated anew for each iteration (`variables_scope: iteration`).
    pub(crate) recurring: Arc<HashMap<Box<str>, Variable>>,
    /// What a calling testcase step hands in, above the config of the case it refers to: constants and variables.
    pub(crate) outer: Arc<HashMap<Box<str>, Expr>>,
    /// Columns of the parameters.
    pub(crate) parameters: Arc<HashMap<Box<str>, Variable>>,
    /// Slots of names that a step before this place extracts.
    pub(crate) extracted: HashMap<Box<str>, usize>,
    /// The step's own variables.
    pub(crate) step: HashMap<Box<str>, Binding>,
    /// The project around the file, for functions that read files or the environment.
    pub(crate) project: Arc<Project>,
    /// What is left of [`MAX_FOLDED_BYTES`], shared by all scopes of a case.
    pub(crate) budget: Budget,
    /// What becomes of calls.
    pub(crate) calls: Calls,
    /// How far the step is at this place.
    pub(crate) phase: Phase,
    /// Names the step has extracted at this place: they stand above the special variables.
    pub(crate) own_extracts: Vec<Box<str>>,
    /// Files the uploads of the case send.
    pub(crate) uploads: Uploads,
    /// Names whose definition is wrong, which is said already.
    pub(crate) broken: Vec<Box<str>>,
    /// A case or API that could define any name cannot be read, which is said already.
    pub(crate) incomplete: bool,
}

/// Bytes left, counted down by every clone of a scope together.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Rc<Cell<usize>>);

impl Default for Budget {
    fn default() -> Self {
        Budget(Rc::new(Cell::new(MAX_FOLDED_BYTES)))
    }
}

/// A step variable, as far as it is known at load.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    Const(Arc<Value>),
    Slot(usize),
}

/// What a call means.
pub(crate) enum Callee {
    BuiltIn(Function),
    /// A function of the project's plugin, by its name there.
    Plugin(Arc<dyn Plugin>, Arc<str>),
}

impl Scope {
    /// The function of a name: one the project's plugin defines, a built-in one, one the plugin imports (hrp spec 6.12).
    ///
    /// # Errors
    /// There is a plugin, and it cannot be started.
    pub(crate) fn callee(&self, name: &str) -> Result<Option<Callee>, PluginFailure> {
        let built_in = Function::find(name).map(Callee::BuiltIn);
        let opened = match self.project.plugin.as_ref().and_then(ProjectPlugin::open) {
            None => return Ok(built_in),
            Some(opened) => opened.map_err(Clone::clone)?,
        };
        Ok(match (opened.find(name), built_in) {
            (Some(found), None) => Some(Callee::Plugin(Arc::clone(opened), found.name)),
            (Some(found), Some(_)) if found.own => Some(Callee::Plugin(Arc::clone(opened), found.name)),
            (_, built_in) => built_in,
        })
    }

    /// Whether a call of this name may give another value each time.
    pub(crate) fn changes(&self, name: &str) -> bool {
        match self.callee(name) {
            Ok(Some(Callee::BuiltIn(function))) => !function.is_constant(),
            Ok(Some(Callee::Plugin(..))) => true,
            Ok(None) | Err(_) => false,
        }
    }

    /// The names as a step begins to see them: what it calls from here on is its own work.
    pub(crate) fn of_step(&self) -> Self {
        let calls = Calls::OfStep(Rc::new(RefCell::new(StepWork::default())));
        Scope { calls, phase: Phase::Building, own_extracts: Vec::new(), ..self.clone() }
    }

    /// Does something with the work of the step, where this is the scope of one.
    pub(crate) fn work<R: Default>(&self, with: impl FnOnce(&mut StepWork) -> R) -> R {
        match &self.calls {
            Calls::AtOnce => R::default(),
            Calls::OfStep(work) => with(&mut work.borrow_mut()),
        }
    }

    /// The operations that have come up since the last time.
    pub(crate) fn take_operations(&self) -> Vec<Operation> {
        self.work(StepWork::take)
    }

    /// The name as an expression; none where nothing can have defined it at this place.
    pub(crate) fn resolve(&self, name: &str) -> Option<Expr> {
        if self.phase != Phase::Building && !self.own_extracts.iter().any(|own| **own == *name) {
            if let Some(slot) = self.work(|work| work.special(name, self.phase)) {
                return Some(Expr::Variable(Variable::Step { slot, missing: missing(name) }));
            }
        }
        match self.step.get(name) {
            Some(Binding::Const(value)) => Some(Expr::Const(value.clone())),
            Some(Binding::Slot(slot)) => Some(Expr::Variable(Variable::Step { slot: *slot, missing: missing(name) })),
            None => self.resolve_below_step(name),
        }
    }

    /// The name without the step's own variables.
    pub(crate) fn resolve_below_step(&self, name: &str) -> Option<Expr> {
        let below = match self.parameters.get(name) {
            Some(parameter) => Some(Expr::Variable(parameter.clone())),
            None => self.outer.get(name).cloned().or_else(|| self.resolve_config(name)),
        };
        let Some(slot) = self.extracted.get(name) else { return below };
        Some(Expr::Variable(Variable::Kept { slot: *slot, fallback: below.map(Arc::new), missing: missing(name) }))
    }

    /// What the config says of a name.
    pub(crate) fn resolve_config(&self, name: &str) -> Option<Expr> {
        let recurring = self.recurring.get(name).cloned().map(Expr::Variable);
        recurring.or_else(|| self.config.get(name).cloned().map(Expr::Const))
    }

    /// Takes bytes off what a case may grow by; false where nothing is left.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let left = self.budget.0.get();
        self.budget.0.set(left.saturating_sub(bytes));
        left >= bytes
    }

    /// The same for a copy of a value, which also must not nest beyond `levels`.
    pub(crate) fn spend_value(&self, value: &Value, levels: usize) -> bool {
        let mut left = self.budget.0.get();
        let fits = value.fits(&mut left, levels);
        self.budget.0.set(left);
        fits
    }

    /// Whether a name is not defined only because of a mistake that is reported already: nothing more is to be said of it.
    pub(crate) fn is_missing_by_mistake(&self, name: &str) -> bool {
        self.incomplete || self.broken.iter().any(|broken| **broken == *name)
    }

    /// Every name that can be seen, for "did you mean".
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let of_session = self.extracted.keys().chain(self.parameters.keys());
        let of_config = self.recurring.keys().chain(self.config.keys());
        self.step.keys().chain(of_session).chain(self.outer.keys()).chain(of_config).map(|name| &**name)
    }
}

fn missing(name: &str) -> Arc<str> {
    Arc::from(format!("variable {name} not found: no step has extracted it yet"))
}
