//! A test case, compiled.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use crate::{expression::Expr, value::Value, Origin, Parameters, Session, Step};

/// A test case as a program: read, checked and compiled once, then shared by all users of all cores.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, from `config.name`.
    pub name: Arc<str>,
    /// The file it comes from; none for requests given on the command line.
    pub path: Option<PathBuf>,
    /// The root of the project around that file (hrp spec 5.1).
    pub project_root: PathBuf,
    /// The plugin in that root: `debugtalk.bin`, `.py` or `.so`.
    pub plugin_file: Option<PathBuf>,
    /// How often it is picked in relation to the other cases (hrp spec 14.5). 0 where no weight is given.
    pub weight: u32,
    /// The time limit of each of its requests (`config.request_timeout`).
    pub request_timeout: Option<Duration>,
    /// What an iteration does, in order.
    pub steps: Vec<Step>,
    /// What each user does once, when it starts, outside the counted load (`config.setup_case`). What it extracts stays.
    pub setup: Vec<Step>,
    /// Rows of data its iterations take in turn.
    pub parameters: Option<Parameters>,
    /// How long one functional run of it may take (`config.case_timeout`).
    pub case_timeout: Option<Duration>,
    pub(crate) transactions: Box<[Arc<str>]>,
    pub(crate) references: Box<[Arc<str>]>,
    /// How many rendezvous it has.
    pub(crate) rendezvous: usize,
    /// How many loops it has.
    pub(crate) loops: usize,
    /// Names of `config.export` with their values as the end of an iteration sees them; none is null.
    pub(crate) exports: Box<[(Box<str>, Option<Expr>)]>,
    /// The variables of the config, evaluated.
    pub(crate) config_variables: Arc<BTreeMap<Box<str>, Arc<Value>>>,
    /// How many variables stay for an iteration, the lasting ones included.
    pub(crate) kept_slots: usize,
    /// How many variables the once-per-user steps extract: the first of those kept.
    pub(crate) lasting_slots: usize,
    /// How many variables of its own the step with the most has.
    pub(crate) step_slots: usize,
}

impl Case {
    /// The distinct names of its transactions, in order of first appearance.
    pub fn transaction_names(&self) -> &[Arc<str>] {
        &self.transactions
    }

    /// The names of its steps that refer to other cases, by [`EnterStep::index`](crate::EnterStep::index).
    pub fn reference_names(&self) -> &[Arc<str>] {
        &self.references
    }

    /// How many rendezvous its steps hold.
    pub fn rendezvous(&self) -> usize {
        self.rendezvous
    }

    /// How many loops its steps hold.
    pub fn loops(&self) -> usize {
        self.loops
    }

    /// The variables of its config, evaluated, for reports (hrp spec 13.8).
    pub fn config_variables(&self) -> serde_json::Map<String, serde_json::Value> {
        self.config_variables.iter().map(|(name, value)| (name.to_string(), value.to_json())).collect()
    }

    /// What it exports (`config.export`), as an iteration leaves it; what nothing has set is null (hrp spec section 2).
    pub fn exported(&self, session: &Session) -> serde_json::Map<String, serde_json::Value> {
        let value = |expr: &Option<Expr>| expr.as_ref().and_then(|expr| expr.evaluate(session).ok());
        let exports = self.exports.iter();
        exports.map(|(name, expr)| (name.to_string(), value(expr).unwrap_or(Value::Null).to_json())).collect()
    }

    /// Every origin that is known before the first request, each once, in order of first use. Steps whose host stands in a
    /// variable that is extracted are not among them.
    pub fn origins(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        for step in self.setup.iter().chain(&self.steps) {
            let request = match step {
                Step::Request(request) => &**request,
                Step::WebSocket(step) => &step.request,
                _ => continue,
            };
            if let Some(origin) = request.constant_origin() {
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
        }
        origins
    }
}
