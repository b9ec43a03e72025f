//! What waits for the database: bounded in memory, the rest in a journal beside it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::Numbered;

/// What may wait in memory before the rest goes to a journal, bytes: some 20 minutes of 20 steps a second.
pub(super) const MEMORY_BYTES: usize = 64 << 20;

/// Where there is no room for a journal either, so many times that, before what happened is given up.
const LAST_RESORT: usize = 4;

/// Entries of one transaction.
const BATCH: usize = 256;

/// A line of a journal is at most so long: a second of a thousand rows takes some megabytes.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// Between the thread that makes entries and the one that writes them.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bound_bytes: usize,
    journal_path: PathBuf,
}

#[derive(Default)]
struct State {
    /// The oldest first.
    waiting: VecDeque<Arc<Numbered>>,
    held_bytes: usize,
    /// While there is one, all that comes goes there, so that the order is kept.
    journal: Option<Journal>,
    /// No journal can be made.
    no_journal: bool,
    /// Since when the writer has had entries in its hands.
    busy_since: Option<Instant>,
    closed: bool,
    abandoned: bool,
    /// A journal that this process cannot read back.
    unread: Option<PathBuf>,
    lost: u64,
}

struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
    /// Lines that were written, and of these those that are in the database.
    written: u64,
    read: u64,
    read_to_bytes: u64,
}

/// What the writer is to do.
pub(super) enum Next {
    /// These are the oldest; [`Queue::written`] says that they are in the database.
    Write(Vec<Arc<Numbered>>),
    /// The same, out of the journal.
    Journalled(Vec<Arc<Numbered>>),
    /// Nothing is left, and nothing comes.
    Done,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{}:{line}: not a journal of a store: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

impl Queue {
    pub(super) fn new(journal_path: PathBuf, bound_bytes: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), bound_bytes, journal_path }
    }

    /// Takes an entry in; never waits for the database.
    pub(super) fn push(&self, entry: Numbered) {
        let bytes = entry.entry.held_bytes();
        let mut state = self.lock();
        let full = state.held_bytes + bytes > self.bound_bytes;
        let mut kept = state.journal.is_none() && !full;
        if !kept && !state.add_to_journal(&self.journal_path, &entry) {
            // What is in the journal already keeps its order by its number.
            kept = state.held_bytes + bytes <= self.bound_bytes * LAST_RESORT;
            state.lost += u64::from(!kept);
        }
        if kept {
            state.held_bytes += bytes;
            state.waiting.push_back(Arc::new(entry));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for something to write.
    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if state.abandoned {
                return Next::Done;
            }
            if !state.waiting.is_empty() {
                state.busy_since.get_or_insert_with(Instant::now);
                return Next::Write(state.waiting.iter().take(BATCH).cloned().collect());
            }
            if let Some(journal) = &mut state.journal {
                let entries = journal.next_batch().unwrap_or_default();
                if !entries.is_empty() {
                    state.busy_since.get_or_insert_with(Instant::now);
                    return Next::Journalled(entries);
                }
                if let Some(Journal { path, read, written, .. }) = state.journal.take() {
                    if read >= written {
                        let _ = fs::remove_file(path);
                    } else {
                        state.unread = Some(path);
                    }
                }
                self.changed.notify_all();
            }
            if state.closed {
                return Next::Done;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// So many of the entries that were given last are in the database.
    pub(super) fn written(&self, count: usize, journalled: bool) {
        let mut state = self.lock();
        state.busy_since = None;
        if journalled {
            if let Some(journal) = &mut state.journal {
                journal.read += count as u64;
            }
        } else if !state.abandoned {
            for _ in 0..count {
                let Some(entry) = state.waiting.pop_front() else { break };
                state.held_bytes = state.held_bytes.saturating_sub(entry.entry.held_bytes());
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until everything is in the database, for so long at most; false if it is not.
    pub(super) fn wait_until_written(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut state = self.lock();
        loop {
            if state.waiting.is_empty() && state.journal.is_none() && state.busy_since.is_none() {
                return state.unread.is_none();
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives the database up: what is not in it goes to the journal. Gives the journal, if there is one, and how many entries are
    /// nowhere.
    pub(super) fn abandon(&self) -> (Option<PathBuf>, u64) {
        let mut state = self.lock();
        state.abandoned = true;
        let waiting = std::mem::take(&mut state.waiting);
        let total = waiting.len() as u64;
        let put = waiting.iter().take_while(|entry| state.add_to_journal(&self.journal_path, entry)).count() as u64;
        state.lost += total - put;
        self.changed.notify_all();
        let journal = state.journal.as_ref().map(|journal| journal.path.clone());
        (journal.or_else(|| state.unread.clone()), state.lost)
    }

    /// The database was given up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// For how long the writer has had the same entries in its hands.
    pub(super) fn stuck_for(&self) -> Duration {
        self.lock().busy_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds to the journal, which is made where there is none: beside the store, or where temporary files are, which may be another
    /// disk. False where neither has room.
    fn add_to_journal(&mut self, path: &Path, entry: &Numbered) -> bool {
        if self.no_journal {
            return false;
        }
        if self.journal.is_none() {
            self.journal = Journal::make(path).ok();
        }
        if self.journal.as_mut().is_some_and(|journal| journal.add(entry).is_ok()) {
            return true;
        }
        let elsewhere = path.file_name().map(|name| std::env::temp_dir().join(name));
        let moved = elsewhere.and_then(|elsewhere| match &self.journal {
            Some(journal) => journal.moved(&elsewhere).ok(),
            None => Journal::make(&elsewhere).ok(),
        });
        if let Some(moved) = moved {
            self.journal = Some(moved);
        }
        let added = self.journal.as_mut().is_some_and(|journal| journal.add(entry).is_ok());
        self.no_journal = !added;
        added
    }
}

impl Journal {
    fn make(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let there = file.metadata()?.len();
        let file = BufWriter::new(file);
        Ok(Self { path: path.to_owned(), file, written: 0, read: 0, read_to_bytes: there })
    }

    /// The same at another place; the old one is gone.
    fn moved(&self, path: &Path) -> io::Result<Self> {
        if path == self.path {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::copy(&self.path, path)?;
        let _ = fs::remove_file(&self.path);
        let file = BufWriter::new(OpenOptions::new().read(true).append(true).open(path)?);
        let Self { written, read, read_to_bytes, .. } = *self;
        Ok(Self { path: path.to_owned(), file, written, read, read_to_bytes })
    }

    /// Adds a line, and has the system take it, so that it is there if this process is killed.
    fn add(&mut self, entry: &Numbered) -> io::Result<()> {
        let before = self.file.get_ref().metadata()?.len();
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let added = self.file.write_all(&line).and_then(|()| self.file.flush());
        if let Err(error) = added {
            // Half a line would join the next.
            let _ = self.file.get_ref().set_len(before);
            return Err(error);
        }
        self.written += 1;
        Ok(())
    }

    /// The next entries that are not in the database.
    fn next_batch(&mut self) -> io::Result<Vec<Arc<Numbered>>> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        reader.seek(SeekFrom::Start(self.read_to_bytes))?;
        let mut entries = Vec::new();
        while entries.len() < BATCH && (entries.len() as u64) < self.written - self.read {
            let mut line = String::new();
            let bytes = reader.read_line(&mut line)?;
            if bytes == 0 {
                break;
            }
            self.read_to_bytes += bytes as u64;
            entries.push(Arc::new(serde_json::from_str(&line)?));
        }
        Ok(entries)
    }
}

/// The entries of a journal, in the order in which things happened. A last line that was cut off is left out.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(super) fn read_journal(path: &Path) -> Result<Vec<Numbered>, JournalError> {
    let unreadable = |source| JournalError::Unreadable { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut entries, mut number) = (Vec::<Numbered>::new(), 0);
    loop {
        let mut line = Vec::new();
        let bytes = io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(unreadable)?;
        number += 1;
        if bytes == 0 {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(entry) => entries.push(entry),
            Err(_) if line.last() != Some(&b'\n') && !entries.is_empty() => break,
            Err(error) => {
                return Err(JournalError::Foreign { path: path.to_owned(), line: number, why: error.to_string() });
            }
        }
    }
    entries.sort_by(|a, b| (&a.run, a.number).cmp(&(&b.run, b.number)));
    Ok(entries)
}
