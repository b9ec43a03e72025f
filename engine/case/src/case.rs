//! A test case, compiled.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{Origin, Step};

/// A test case as a program: read, checked and compiled once, then shared by all users of all cores.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, from `config.name`.
    pub name: Arc<str>,
    /// The file it comes from; none for requests given on the command line.
    pub path: Option<PathBuf>,
    /// How often it is picked in relation to the other cases (hrp spec 14.5). 0 where no weight is given.
    pub weight: u32,
    /// The time limit of each of its requests (`config.request_timeout`).
    pub request_timeout: Option<Duration>,
    /// What an iteration does, in order.
    pub steps: Vec<Step>,
    pub(crate) transactions: Box<[Arc<str>]>,
    /// How many variables its steps extract.
    pub(crate) extracted_slots: usize,
    /// How many variables of its own the step with the most has.
    pub(crate) step_slots: usize,
}

impl Case {
    /// The distinct names of its transactions, in order of first appearance.
    pub fn transaction_names(&self) -> &[Arc<str>] {
        &self.transactions
    }

    /// Every origin that is known before the first request, each once, in order of first use. Steps whose host stands in a
    /// variable that is extracted are not among them.
    pub fn origins(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        for step in &self.steps {
            if let Step::Request(request) = step {
                if let Some(origin) = request.constant_origin() {
                    if !origins.contains(&origin) {
                        origins.push(origin);
                    }
                }
            }
        }
        origins
    }
}
