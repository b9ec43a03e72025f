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
    /// The last table that was read, as long as somebody holds it: several steps name the same file, and one that names it in a
    /// variable would otherwise read it again each time. The next load has a project of its own, and reads anew.
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
    let known = LAST.with_borrow(|last| {
        let last = last.as_ref().filter(|last| *last.path == *path && Arc::ptr_eq(&last.project, project));
        last.and_then(|last| last.table.upgrade())
    });
    if let Some(table) = known {
        return Ok(table);
    }
    let Some(found) = project.find(Path::new(path)) else {
        if project.has_other_than_file(Path::new(path)) {
            return Err(Failure::csv("the CSV file is no regular file", path.into()));
        }
        let reason = "the CSV file does not exist: not in the working directory, the project's root, the case's folder";
        return Err(Failure::csv(reason, path.into()));
    };
    let fresh = Arc::new(read(&found)?);
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
    rows(file.take(MAX_FILE_BYTES), MAX_TABLE_BYTES).map_err(|reason| Failure::csv(reason, path.into()))
}

/// The table in a text, or what is wrong with it.
fn rows(text: impl Read, max_bytes: usize) -> Result<Value, String> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut names = StringRecord::new();
    if !reader.read_record(&mut names).map_err(|error| problem(&error))? {
        return Ok(Value::List(Vec::new()));
    }
    let own_bytes = ROW_BYTES + names.iter().map(|name| name.len() + FIELD_BYTES).sum::<usize>();
    let mut left = max_bytes;
    let mut table = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| problem(&error))? {
        left = left
            .checked_sub(own_bytes + record.as_slice().len())
            .ok_or_else(|| format!("the table takes more than {} MiB of memory: use fewer rows", max_bytes >> 20))?;
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
            format!("broken CSV at line {line}: the number of fields is {len}, in the first row it is {expected_len}")
        }
        ErrorKind::Utf8 { .. } => format!("broken CSV at line {line}: it is not UTF-8 text"),
        ErrorKind::Io(error) => format!("the CSV file cannot be read: {error}"),
        _ => "broken CSV".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &[u8]) -> Result<String, String> {
        let mut out = String::new();
        rows(text, MAX_TABLE_BYTES)?.operand().push_json(&mut out);
        Ok(out)
    }

    #[test]
    fn the_first_row_names_the_columns_of_the_others() {
        for (text, want) in [
            ("a,b\n1,x\n2,\n", r#"[{"a":"1","b":"x"},{"a":"2","b":""}]"#),
            ("a\r\n 1 \r\n", r#"[{"a":" 1 "}]"#),
            ("\u{feff}a,b\n1,2", r#"[{"a":"1","b":"2"}]"#),
            ("a,b\n\"1,\"\"2\"\"\n3\",中", r#"[{"a":"1,\"2\"\n3","b":"中"}]"#),
            // Lines without anything are no rows, as in Go's reader.
            ("a\n\n1\n\n\n2\n", r#"[{"a":"1"},{"a":"2"}]"#),
            ("a,b\n", "[]"),
            ("", "[]"),
        ] {
            assert_eq!(json(text.as_bytes()).as_deref(), Ok(want), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(
            json(b"a,b\n1,2\n3\n").unwrap_err(),
            "broken CSV at line 3: the number of fields is 1, in the first row it is 2"
        );
        assert_eq!(
            json(b"a,b\n1,2,3\n").unwrap_err(),
            "broken CSV at line 2: the number of fields is 3, in the first row it is 2"
        );
        assert_eq!(json(b"a\n\xff\n").unwrap_err(), "broken CSV at line 2: it is not UTF-8 text");
    }

    #[test]
    fn a_table_beyond_the_memory_limit_is_refused() {
        // 4,000 rows of two bytes take more than 2 MiB.
        let text = (&b"a\n"[..]).chain(Digits(4000));
        let error = "the table takes more than 2 MiB of memory: use fewer rows";
        assert_eq!(rows(text, 2 << 20), Err(error.to_owned()));
        assert!(rows((&b"a\n"[..]).chain(Digits(2000)), 2 << 20).is_ok());
    }

    /// So many rows of one digit.
    struct Digits(usize);

    impl Read for Digits {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.min(buffer.len() / 2);
            for pair in buffer.chunks_exact_mut(2).take(count) {
                pair.copy_from_slice(b"1\n");
            }
            self.0 -= count;
            Ok(count * 2)
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let project = Arc::new(Project::default());
        let (other, missing) = ("the CSV file is no regular file", "the CSV file does not exist");
        for (path, reason) in [("/dev/zero", other), ("/proc", other), ("no/such/file.csv", missing)] {
            let failure = table(path, &project).unwrap_err();
            assert!(failure.reason.starts_with(reason), "{path}");
            assert_eq!((failure.exit_code, failure.file), (14, Some(path.into())));
        }
    }

    #[test]
    fn a_table_is_read_once_as_long_as_it_is_held() {
        let path = std::env::temp_dir().join(format!("pummel-csv-{}.csv", std::process::id()));
        std::fs::write(&path, "a\n1\n").unwrap();
        let name = path.to_str().unwrap();
        let project = Arc::new(Project::default());
        let held = table(name, &project).unwrap();
        assert!(Arc::ptr_eq(&held, &table(name, &project).unwrap()));
        assert!(!Arc::ptr_eq(&held, &table(name, &Arc::new(Project::default())).unwrap()));
        std::fs::remove_file(&path).unwrap();
    }
}
