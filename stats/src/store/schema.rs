//! The tables, their version, and how a file is opened.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::StoreError;

/// What tells a store from other SQLite files (`PRAGMA application_id`): "PUML".
const APPLICATION_ID: i64 = 0x5055_4d4c;

/// Pages SQLite keeps in memory. A run appends and a report reads from the front to the back, so few are needed twice; with the usual
/// 2 MiB a run would grow by those in its first minutes.
const CACHE_KIB: i64 = 512;

/// The version of the tables (`PRAGMA user_version`). A change of them adds a step to [`STEPS`].
const VERSION: i64 = STEPS.len() as i64;

/// How long a statement waits for another process that writes, before who asked tries again or says so.
const BUSY: Duration = Duration::from_secs(2);

/// What makes version n + 1 of version n; an empty file has version 0.
const STEPS: [&str; 1] = [FIRST];

/// `run`: one row a run. `row`: its rows, by place. `interval`: sums over a span of time; `activity`: the same row by row; `series`: its
/// latencies, one for each kind (`service`, `response`, `failed`), `hdr` an HdrHistogram V2 payload with deflate. All times are of the run
/// clock, all latencies microseconds.
const FIRST: &str = "
CREATE TABLE run (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    label TEXT,
    command TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    host TEXT NOT NULL,
    plan TEXT NOT NULL,
    started_at TEXT NOT NULL,
    started_unix_s INTEGER NOT NULL,
    written_unix_s INTEGER NOT NULL,
    applied INTEGER NOT NULL DEFAULT 0,
    rolled_until_s INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    duration_s REAL NOT NULL DEFAULT 0,
    rps REAL,
    p99_us INTEGER,
    verdict TEXT,
    bytes INTEGER NOT NULL DEFAULT 0,
    summary TEXT
) STRICT;
CREATE INDEX run_started ON run (started_unix_s);
CREATE TABLE stage (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    kind TEXT NOT NULL,
    from_s REAL NOT NULL,
    until_s REAL,
    target REAL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE row (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    case_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE interval (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,
    span_s INTEGER NOT NULL,
    warmup INTEGER NOT NULL,
    drain INTEGER NOT NULL,
    users INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    handshakes INTEGER NOT NULL,
    plugin_calls INTEGER NOT NULL,
    arrivals INTEGER NOT NULL,
    arrivals_missed INTEGER NOT NULL,
    p50_us INTEGER,
    p95_us INTEGER,
    p99_us INTEGER,
    PRIMARY KEY (run, t_s)
) STRICT, WITHOUT ROWID;
CREATE TABLE client (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,
    cpu_share_max REAL,
    connections_open INTEGER NOT NULL,
    connections_opened INTEGER NOT NULL,
    time_wait INTEGER,
    PRIMARY KEY (run, t_s)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,
    row INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    bytes_sent INTEGER NOT NULL,
    PRIMARY KEY (run, t_s, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE series (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,
    row INTEGER NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    min_us INTEGER NOT NULL,
    max_us INTEGER NOT NULL,
    sum_us INTEGER NOT NULL,
    sum_squares TEXT NOT NULL,
    hdr BLOB NOT NULL,
    PRIMARY KEY (run, t_s, row, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE error (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    kind TEXT NOT NULL,
    step TEXT NOT NULL,
    message TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE sample (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    exchange TEXT NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE threshold (
    run INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    expression TEXT NOT NULL,
    value REAL,
    ok INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
";

/// Opens a file as a store, makes it one where it is new, and brings it to [`VERSION`].
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
    }
    let broken = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::Foreign { path: path.to_owned(), what: "a file that is no SQLite database" }
        }
        _ => StoreError::Sqlite { path: path.to_owned(), source },
    };
    let mut connection = Connection::open(path).map_err(broken)?;
    connection.busy_timeout(BUSY).map_err(broken)?;
    make_ready(&mut connection, path, broken)?;
    Ok(connection)
}

/// The mode of a file that is in use elsewhere is refused at once, whatever the timeout: two first runs may begin together.
fn set_wal(connection: &Connection) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && since.elapsed() < BUSY => {
                thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

fn make_ready(
    connection: &mut Connection,
    path: &Path,
    broken: impl Fn(rusqlite::Error) -> StoreError + Copy,
) -> Result<(), StoreError> {
    let pragma = |connection: &Connection, name: &str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(broken)
    };
    let known = |application: i64, version: i64| match (application, version) {
        (APPLICATION_ID, found) if found > VERSION => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION })
        }
        (APPLICATION_ID, _) => Ok(()),
        _ => Err(StoreError::Foreign { path: path.to_owned(), what: "the database of another program" }),
    };
    let tables = |connection: &Connection| -> Result<i64, StoreError> {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(broken)
    };
    let used = |connection: &Connection| -> Result<bool, StoreError> {
        Ok(pragma(connection, "application_id")? != 0 || pragma(connection, "user_version")? != 0)
    };
    if tables(connection)? == 0 {
        // Another process may make the tables this very moment; what has none after that is somebody else's.
        if used(connection)? && tables(connection)? == 0 {
            return Err(StoreError::Foreign { path: path.to_owned(), what: "the empty database of another program" });
        }
        // Only a file without tables takes these two.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(broken)?;
    } else {
        known(pragma(connection, "application_id")?, pragma(connection, "user_version")?)?;
    }
    set_wal(connection).map_err(broken)?;
    // A second that was written outlasts the power, too.
    connection.pragma_update(None, "synchronous", "FULL").map_err(broken)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(broken)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(broken)?;
    if pragma(connection, "user_version")? >= VERSION {
        return Ok(());
    }
    let step = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(broken)?;
    // Another process may have been here since.
    let version = pragma(&step, "user_version")?;
    if tables(&step)? > 0 {
        known(pragma(&step, "application_id")?, version)?;
    }
    for statements in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        step.execute_batch(statements).map_err(broken)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID).map_err(broken)?;
    step.pragma_update(None, "user_version", VERSION).map_err(broken)?;
    step.commit().map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_run_waits_for_another_that_makes_the_store() {
        let path = std::env::temp_dir().join(format!("pummel-wal-{}.db", std::process::id()));
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let connection = Connection::open(&path).unwrap();
        let set = thread::spawn(move || set_wal(&connection));
        // Without another try it has failed long since.
        thread::sleep(Duration::from_millis(200));
        other.execute_batch("ROLLBACK").unwrap();
        set.join().unwrap().unwrap();
        fs::remove_file(&path).unwrap();
    }
}
