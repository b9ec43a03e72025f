//! Tables of `parameterize`: a CSV file as a list of maps (hrp spec 5.5).

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{Arc, Weak},
};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::call::Failure;
use crate::{
    project::Project,
    value::{Map, Value},
};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// How much memory one table may take, by the estimate below. A file of very short rows takes many times its own size.
const MAX_TABLE_BYTES: usize = 1024 * 1024 * 1024;

/// What a row takes beside its fields: a node of the map, which holds up to 11 entries, and its place in the list.
const ROW_BYTES: usize = 11 * (size_of::<Value>() + size_of::<Box<str>>()) + 48;

/// What a field takes beside its text: two allocations, its name among them.
const FIELD_BYTES: usize = 32;

thread_local! {
    /// The last table that was read while steps ran, as long as somebody holds it: a step that names its file in a variable would
    /// otherwise read it again each time.
    static LAST: RefCell<Option<LastTable>> = const { RefCell::new(None) };
}

struct LastTable {
    /// As written.
    path: Box<str>,
    project: Arc<Project>,
    table: Weak<Value>,
}

/// The table in a file: a list of maps from column names to texts. The first row names the columns, every other has as many
/// fields, spaces are kept, a byte order mark is not.
pub(super) fn table(path: &str, project: &Arc<Project>) -> Result<Arc<Value>, Failure> {
    let Some(found) = project.find(Path::new(path)) else {
        let reason = "the CSV file does not exist: not in the working directory, the project's root, the case's folder";
        return Err(Failure::csv(reason, path.into()));
    };
    read(&found).map(Arc::new)
}

/// The same, without reading the file again where it is the last one that was read in this thread.
pub(super) fn cached_table(path: &str, project: &Arc<Project>) -> Result<Arc<Value>, Failure> {
    let known = LAST.with_borrow(|last| {
        let last = last.as_ref().filter(|last| *last.path == *path && Arc::ptr_eq(&last.project, project));
        last.and_then(|last| last.table.upgrade())
    });
    if let Some(table) = known {
        return Ok(table);
    }
    let fresh = table(path, project)?;
    let last = LastTable { path: path.into(), project: project.clone(), table: Arc::downgrade(&fresh) };
    LAST.set(Some(last));
    Ok(fresh)
}

fn read(path: &Path) -> Result<Value, Failure> {
    let unreadable = |error: &io::Error| Failure::csv(format!("the CSV file cannot be read: {error}"), path.into());
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
    if bytes > MAX_FILE_BYTES {
        let reason = format!("the CSV file is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(Failure::csv(reason, path.into()));
    }
    rows(file.take(MAX_FILE_BYTES)).map_err(|reason| Failure::csv(reason, path.into()))
}

/// The table in a text, or what is wrong with it.
pub(super) fn rows(text: impl Read) -> Result<Value, String> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut names = StringRecord::new();
    if !reader.read_record(&mut names).map_err(|error| problem(&error))? {
        return Ok(Value::List(Vec::new()));
    }
    let own_bytes = ROW_BYTES + names.iter().map(|name| name.len() + FIELD_BYTES).sum::<usize>();
    let mut left = MAX_TABLE_BYTES;
    let mut table = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| problem(&error))? {
        left = left.checked_sub(own_bytes + record.as_slice().len()).ok_or_else(|| {
            format!("the table takes more than {} MiB of memory: use fewer rows", MAX_TABLE_BYTES >> 20)
        })?;
        let row: Map = names.iter().zip(&record).map(|(name, field)| (name.into(), Value::text(field))).collect();
        table.push(Value::Map(row));
    }
    table.shrink_to_fit();
    Ok(Value::List(table))
}

fn problem(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("broken CSV at line {line}: {len} fields where the first row has {expected_len}")
        }
        ErrorKind::Utf8 { .. } => format!("broken CSV at line {line}: it is not UTF-8 text"),
        ErrorKind::Io(error) => format!("the CSV file cannot be read: {error}"),
        _ => "broken CSV".to_owned(),
    }
}
