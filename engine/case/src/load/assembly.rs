//! The flat list of steps that a case and all it refers to become, with what is numbered through all of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::report::{code, Report};
use crate::{document::Place, Step};

/// How many steps a case may have in all. References multiply: a few files that refer to each other ten times each would
/// otherwise ask for more memory than there is.
const MAX_STEPS: usize = 20_000;

/// How deep references may nest: deeper than any project, shallow enough that compiling by recursion is safe.
const MAX_REFERENCE_DEPTH: usize = 16;

/// How much work references may make, in values read from referenced files and variables handed into them.
const MAX_REFERENCE_WORK: usize = 500_000;

/// What a case and the cases it refers to fill together.
pub(crate) struct Assembly {
    pub(crate) steps: Vec<Step>,
    /// Distinct names of transactions.
    pub(crate) transactions: Vec<Arc<str>>,
    /// Distinct names of references.
    pub(crate) references: Vec<Arc<str>>,
    pub(crate) rendezvous: usize,
    pub(crate) loops: usize,
    /// How many variables stay for an iteration.
    pub(crate) slots: usize,
    /// Steps count even where they were thrown away again.
    compiled: usize,
    /// The files whose steps are being compiled, links resolved, from the case itself inwards. A case within a file stands in it
    /// as often as it nests.
    chain: Vec<PathBuf>,
    work: usize,
}

/// Where in the nest of references a case stands, and what it takes over from there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level {
    /// What stands before the names of its steps (hrp spec 12.2); none in the case itself.
    pub(crate) prefix: Option<Arc<str>>,
    /// The time limit of its requests, from its config or the next around it.
    pub(crate) timeout: Option<Duration>,
    pub(crate) verify: Option<bool>,
    /// It runs once for each user.
    pub(crate) in_setup: bool,
}

impl Level {
    /// A step's name as it is recorded.
    pub(crate) fn name(&self, name: &str) -> Arc<str> {
        match &self.prefix {
            Some(prefix) => Arc::from(format!("{prefix}{name}")),
            None => Arc::from(name),
        }
    }
}

impl Assembly {
    /// Nothing yet, of the case in this file.
    pub(crate) fn new(path: &Path) -> Self {
        Assembly {
            steps: Vec::new(),
            transactions: Vec::new(),
            references: Vec::new(),
            rendezvous: 0,
            loops: 0,
            slots: 0,
            compiled: 0,
            chain: vec![path.canonicalize().unwrap_or_else(|_| path.into())],
            work: 0,
        }
    }

    pub(crate) fn new_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    /// The position of a transaction name among the distinct ones.
    pub(crate) fn transaction(&mut self, name: &str) -> (Arc<str>, usize) {
        position_of(&mut self.transactions, name)
    }

    /// The position of a reference's name among the distinct ones.
    pub(crate) fn reference(&mut self, name: &str) -> (Arc<str>, usize) {
        position_of(&mut self.references, name)
    }

    /// Counts a step; false, and an error, where there are too many.
    pub(crate) fn count_step(&mut self, place: Place, report: &mut Report) -> bool {
        self.compiled += 1;
        if self.compiled > MAX_STEPS {
            let message = format!("the case has more than {MAX_STEPS} steps; do its references multiply them?");
            report.error(place, code::INVALID_CASE, message);
        }
        self.compiled <= MAX_STEPS
    }

    /// Goes into a referenced case; false, and an error, where it leads back to a case around it, too deep, or makes too much
    /// work.
    pub(crate) fn enter(&mut self, file: Option<&Path>, work: usize, place: Place, report: &mut Report) -> bool {
        let message = if file.is_some_and(|file| self.chain.iter().any(|around| around == file)) {
            let circle = self.chain.iter().map(PathBuf::as_path).chain(file);
            let names: Vec<_> = circle.map(|path| path.file_name().unwrap_or_default().to_string_lossy()).collect();
            format!("the case refers to itself: {}", names.join(" -> "))
        } else if self.chain.len() > MAX_REFERENCE_DEPTH {
            format!("references nest deeper than {MAX_REFERENCE_DEPTH} levels")
        } else {
            self.work = self.work.saturating_add(work);
            if self.work <= MAX_REFERENCE_WORK {
                let inner = file.or(self.chain.last().map(PathBuf::as_path)).unwrap_or(Path::new("")).to_owned();
                self.chain.push(inner);
                return true;
            }
            format!("referenced cases hold more than {MAX_REFERENCE_WORK} values in all, each counted as often as it is referred to")
        };
        report.error(place, code::INVALID_CASE, message).label = Some("referenced here".into());
        false
    }

    /// Comes back out of it.
    pub(crate) fn leave(&mut self) {
        self.chain.pop();
    }
}

fn position_of(names: &mut Vec<Arc<str>>, name: &str) -> (Arc<str>, usize) {
    let index = names.iter().position(|known| &**known == name).unwrap_or_else(|| {
        names.push(Arc::from(name));
        names.len() - 1
    });
    (names[index].clone(), index)
}
