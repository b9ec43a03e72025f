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
