//! Rows of a step whose name holds values of the user.

use std::{cell::RefCell, collections::HashMap};

use pummel_stats::{Recorder, RowId, RowKey};

/// The most names of one step that have a row of their own, on each core. Each row holds histograms, and a name made of an
/// order's number would fill the memory with them.
const MAX_NAMES: usize = 1_000;

/// The longest name of a row, bytes: a name holds a word or a number, not the body a variable may hold.
const MAX_NAME_BYTES: usize = 200;

/// The rows of one step on one core, made as their names come up.
pub(crate) struct RowNames {
    /// The row of the name as written.
    raw: RowKey,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    rows: HashMap<Box<str>, RowId>,
    /// Made when there were too many names.
    raw: Option<RowId>,
}

impl RowNames {
    pub(crate) fn new(raw: RowKey) -> Self {
        Self { raw, known: RefCell::default() }
    }

    /// The row of a name; that of the name as written once there are too many.
    pub(crate) fn row(&self, name: &str, recorder: &mut Recorder) -> RowId {
        let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
        let known = &mut *self.known.borrow_mut();
        if let Some(row) = known.rows.get(name) {
            return *row;
        }
        if known.rows.len() < MAX_NAMES {
            let row = recorder.row(RowKey { name: name.into(), ..self.raw.clone() });
            known.rows.insert(name.into(), row);
            return row;
        }
        *known.raw.get_or_insert_with(|| {
            tracing::warn!(
                "{}: the name {:?} has become more than {MAX_NAMES} different names; all further ones count as {:?}",
                self.raw.case,
                self.raw.name,
                self.raw.name,
            );
            recorder.row(self.raw.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use pummel_stats::{threshold::Watch, Collector, CollectorSpec, FinalFacts, Model, RowKind, RunFacts};

    use super::*;

    /// A recorder with what it takes to end it.
    fn recorder() -> (Collector, Recorder) {
        let spec = CollectorSpec {
            cores: 1,
            model: Model::Closed,
            start: Instant::now(),
            run: RunFacts::default(),
            outputs: Vec::new(),
            thresholds: Watch::default(),
            warmup: None,
            samples_per_sort: 0,
        };
        let (collector, mut recorders) = Collector::start(spec).unwrap();
        (collector, recorders.remove(0))
    }

    #[test]
    fn a_thousand_names_have_rows_and_the_rest_share_that_of_the_name_as_written() {
        let (collector, mut recorder) = recorder();
        let raw =
            RowKey { case: "c".into(), kind: RowKind::Request, label: "request-GET".into(), name: "n $id".into() };
        let names = RowNames::new(raw);
        let first = names.row("n 0", &mut recorder);
        let rows: Vec<_> = (0..1_000).map(|n| names.row(&format!("n {n}"), &mut recorder)).collect();
        assert_eq!(rows[0], first);
        let others: Vec<_> = (1_000..1_003).map(|n| names.row(&format!("n {n}"), &mut recorder)).collect();
        assert!(others.iter().all(|row| *row == others[0] && !rows.contains(row)));
        assert_eq!(names.row("n 7", &mut recorder), rows[7], "a known name keeps its row");
        recorder.finish(0);
        let summary = collector.finish(FinalFacts::default()).unwrap().summary;
        assert_eq!((summary.steps.len(), &*summary.steps[1_000].name), (1_001, "n $id"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let (collector, mut recorder) = recorder();
        let raw = RowKey { case: "c".into(), kind: RowKind::Request, label: "request-GET".into(), name: "n".into() };
        RowNames::new(raw).row(&"\u{20ac}".repeat(1_000), &mut recorder);
        recorder.finish(0);
        let summary = collector.finish(FinalFacts::default()).unwrap().summary;
        assert_eq!(summary.steps[0].name, "\u{20ac}".repeat(66), "three bytes each");
    }
}
