//! Which runs there are, and getting rid of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::params;
use serde::Serialize;

use super::journal::JournalFile;
use super::writer::Writer;
use super::{JournalError, Store, StoreError};
use crate::clock::unix_s;
use crate::kept::RunState;

/// A run that was written to within this long may still go on.
const MAY_GO_ON: Duration = Duration::from_mins(1);

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What a user called it afterwards.
    pub label: Option<String>,
    /// What ran.
    pub name: String,
    /// The command that made it.
    pub command: String,
    /// RFC 3339 in UTC.
    pub started_at: String,
    /// Seconds, drain included.
    pub duration_s: f64,
    /// Requests finished, warm-up left out.
    pub requests: u64,
    /// Of these those that failed.
    pub failures: u64,
    /// Per second of the load window; `null` of a run without a summary.
    pub rps: Option<f64>,
    /// Of the model's latency.
    pub p99_us: Option<u64>,
    /// `valid`, `degraded` or `invalid`; `null` of a run without a summary.
    pub verdict: Option<String>,
    /// `ended` or `cut_off`.
    pub state: RunState,
    /// About how much of the file it takes.
    pub bytes: u64,
}

/// Which runs are wanted. All that are asked for must hold.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Part of the name, of the label, or of the command.
    pub text: Option<String>,
    /// Started at most so long ago.
    pub within: Option<Duration>,
    /// At most so many, the latest.
    pub limit: Option<usize>,
}

/// Which runs are to go.
#[derive(Clone, Debug, Default)]
pub struct PruneSpec {
    /// Those that started longer ago.
    pub older_than: Option<Duration>,
    /// The oldest, until all take no more than this, bytes.
    pub size_max_bytes: Option<u64>,
    /// The oldest, until there are no more than this.
    pub keep: Option<usize>,
    /// Runs with a label go too.
    pub labelled: bool,
    /// Nothing is deleted; the answer is what would be.
    pub dry_run: bool,
}

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pruned {
    /// The runs, the oldest first.
    pub runs: Vec<Listed>,
    /// About how much of the file they took.
    pub bytes: u64,
}

impl Store {
    /// The runs that are wanted, the latest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<Listed>, StoreError> {
        let since = filter.within.map_or(i64::MIN, |within| unix_s() - within.as_secs() as i64);
        let limit = filter.limit.map_or(-1, |limit| limit as i64);
        self.listed(since, filter.text.as_deref().unwrap_or(""), limit).map_err(|source| self.broken(source))
    }

    fn listed(&self, since: i64, text: &str, limit: i64) -> rusqlite::Result<Vec<Listed>> {
        let mut statement = self.connection.prepare(
            "SELECT id, label, name, command, started_at, duration_s, requests, failures, rps, p99_us, verdict, ended, bytes \
             FROM run WHERE started_unix_s >= ?1 \
             AND (?2 = '' OR instr(name, ?2) OR instr(coalesce(label, ''), ?2) OR instr(command, ?2)) \
             ORDER BY started_unix_s DESC, no DESC LIMIT ?3",
        )?;
        let runs = statement.query_map(params![since, text, limit], |row| {
            Ok(Listed {
                id: row.get(0)?,
                label: row.get(1)?,
                name: row.get(2)?,
                command: row.get(3)?,
                started_at: row.get(4)?,
                duration_s: row.get(5)?,
                requests: row.get(6)?,
                failures: row.get(7)?,
                rps: row.get(8)?,
                p99_us: row.get(9)?,
                verdict: row.get(10)?,
                state: if row.get(11)? { RunState::Ended } else { RunState::CutOff },
                bytes: row.get(12)?,
            })
        })?;
        runs.collect()
    }

    /// Gives a run a label, or takes it away.
    ///
    /// # Errors
    /// There is no such run; what SQLite says.
    pub fn label(&self, id: &str, label: Option<&str>) -> Result<(), StoreError> {
        let no = self.number(id)?;
        let done = self.connection.execute("UPDATE run SET label = ?2 WHERE no = ?1", params![no, label]);
        done.map(drop).map_err(|source| self.broken(source))
    }

    /// Deletes a run, and gives its room in the file back.
    ///
    /// # Errors
    /// There is no such run; what SQLite says.
    pub fn delete(&self, id: &str) -> Result<(), StoreError> {
        let no = self.number(id)?;
        let broken = |source| self.broken(source);
        self.connection.execute("DELETE FROM run WHERE no = ?1", [no]).map_err(broken)?;
        self.free().map_err(broken)
    }

    /// Gives free pages back. The pragma frees one each time it is stepped.
    fn free(&self) -> rusqlite::Result<()> {
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut freed = vacuum.query([])?;
        while freed.next()?.is_some() {}
        Ok(())
    }

    /// Deletes what is too old or too much; runs that may still go on stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune(&self, spec: &PruneSpec) -> Result<Pruned, StoreError> {
        let broken = |source| self.broken(source);
        let mut runs = self.list(&RunFilter::default())?;
        let total_bytes: u64 = runs.iter().map(|run| run.bytes).sum();
        let total = runs.len();
        runs.reverse();
        let oldest = spec.older_than.map_or(i64::MIN, |age| unix_s() - age.as_secs() as i64);
        let mut pruned = Pruned::default();
        for run in runs {
            let (started, written): (i64, i64) = self
                .connection
                .query_row("SELECT started_unix_s, written_unix_s FROM run WHERE id = ?1", [&run.id], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .map_err(broken)?;
            let goes_on = run.state == RunState::CutOff && unix_s() - written < MAY_GO_ON.as_secs() as i64;
            let too_old = started < oldest;
            let too_much = spec.size_max_bytes.is_some_and(|most| total_bytes - pruned.bytes > most)
                || spec.keep.is_some_and(|most| total - pruned.runs.len() > most);
            let stays = goes_on || (run.label.is_some() && !spec.labelled);
            if stays || !(too_old || too_much) {
                continue;
            }
            if !spec.dry_run {
                self.delete(&run.id)?;
            }
            pruned.bytes += run.bytes;
            pruned.runs.push(run);
        }
        Ok(pruned)
    }

    /// Takes in what a journal holds; gives its runs. The file stays where it is. What is in the store already is passed over.
    ///
    /// # Errors
    /// The journal cannot be read, or is one of a run that goes on; a run's beginning is neither there nor here; what SQLite says.
    pub fn recover(&mut self, journal: &Path) -> Result<Vec<Recovered>, RecoverError> {
        let file = JournalFile::open(journal)?;
        for (run, begins) in file.runs() {
            if !begins && matches!(self.number(run), Err(StoreError::NotOne { .. })) {
                return Err(RecoverError::NoBeginning { path: journal.to_owned(), run: run.to_owned() });
            }
        }
        let mut recovered: Vec<_> = file.runs().map(|(run, _)| Recovered { run: run.to_owned(), missing: 0 }).collect();
        let mut writer = Writer::default();
        for (one, entries) in file.batches() {
            let entries = entries.map_err(|source| JournalError::Unreadable { path: journal.to_owned(), source })?;
            let missing = writer.write_what_there_is(&mut self.connection, &entries);
            recovered[one].missing += missing.map_err(|source| self.broken(source))?;
        }
        Ok(recovered)
    }
}

/// A run that was taken in from a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its id.
    pub run: String,
    /// So many entries, about one a second, are neither in the store nor in the journal: they were in the memory of a run that was
    /// killed, or there was room for them on no disk.
    pub missing: u64,
}

/// Why a journal was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing says what the run is.
    #[error("{}: the beginning of run {run} is neither in it nor in the store; name the store the run was kept in (--store FILE)", path.display())]
    NoBeginning {
        /// The journal.
        path: PathBuf,
        /// The run.
        run: String,
    },
}
