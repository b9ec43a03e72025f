//! What waits for the database: bounded in memory, the rest in a journal beside it.
//!
//! All entries of a run have one order: what waits in memory comes first, then what is in the journal, then, where that cannot grow, what
//! is behind it, in memory again. Each says which one came before it, so that one that was lost is known and none is passed over.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::{Entry, Numbered, Row};
use super::journal::Journal;

/// What may wait in memory before the rest goes to a journal, bytes: some 20 minutes of 20 steps a second.
pub(super) const MEMORY_BYTES: usize = 64 << 20;

/// Where there is no room for a journal either, so many times that, before what happened is given up.
const LAST_RESORT: usize = 4;

/// Entries of one transaction.
const BATCH: usize = 256;

/// Between two looks at how long is to be waited.
const LOOK: Duration = Duration::from_millis(200);

/// Between the thread that makes entries and the one that writes them.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bound_bytes: usize,
    places: Places,
}

/// Where a journal may be.
struct Places {
    /// The store, whose name with more behind it is the journal's.
    store: PathBuf,
    /// A folder that may be on another disk.
    elsewhere: PathBuf,
}

#[derive(Default)]
struct State {
    /// The oldest first.
    waiting: VecDeque<Arc<Numbered>>,
    /// While there is one, all that comes goes there or behind it, so that the order is kept.
    journal: Option<Journal>,
    /// What came after the last of a journal that cannot grow.
    behind: VecDeque<Arc<Numbered>>,
    /// Of what waits and what is behind.
    held_bytes: usize,
    /// No journal can be made, or the one there is cannot grow; tried again where memory is full.
    no_journal: bool,
    /// The journal cannot be moved to the other place, or is there.
    tried_elsewhere: bool,
    /// The journal cannot be read back: it stays, with all that comes after it.
    unread: bool,
    /// Since when the writer has had entries in its hands.
    busy_since: Option<Instant>,
    closed: bool,
    abandoned: bool,
    /// The run's first entry.
    begin: Option<Arc<Numbered>>,
    /// All rows so far.
    rows: Vec<Row>,
    /// Of these those whose entry was lost: the next one tells of them.
    owed_rows: Vec<Row>,
    /// The number of the last entry that was not lost.
    last: u64,
    lost: u64,
    /// Entries that the store had, and has no more.
    lacking: u64,
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

impl Queue {
    /// A queue for a run that is kept in `store`; a journal is beside it, or in the folder `elsewhere`.
    pub(super) fn new(store: &Path, elsewhere: PathBuf, bound_bytes: usize) -> Self {
        let places = Places { store: store.to_owned(), elsewhere };
        Self { state: Mutex::default(), changed: Condvar::new(), bound_bytes, places }
    }

    /// Takes an entry in, and says in it what came before; never waits for the database.
    pub(super) fn push(&self, mut entry: Numbered) {
        let mut state = self.lock();
        state.complete(&mut entry);
        let (number, entry) = (entry.number, Arc::new(entry));
        if state.take(&self.places, self.bound_bytes, &entry) {
            state.last = number;
            state.owed_rows.clear();
            if matches!(entry.entry, Entry::Begin(_)) {
                state.begin = Some(entry);
            }
        } else {
            state.lost += 1;
            state.owed_rows = entry.entry.new_rows().to_vec();
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
            if let Some(entries) = state.read_journal() {
                state.busy_since.get_or_insert_with(Instant::now);
                return Next::Journalled(entries);
            }
            self.changed.notify_all();
            if !state.waiting.is_empty() {
                continue;
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
                journal.drained(count as u64);
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

    /// The store has not what it was given: so many entries.
    pub(super) fn lacks(&self, count: u64) {
        self.lock().lacking = count;
    }

    /// Waits until everything is in the database, for so long at most as `most` says, which is asked again and again; false if it is not.
    pub(super) fn wait_until_written(&self, most: impl Fn() -> Duration) -> bool {
        let since = Instant::now();
        let mut state = self.lock();
        loop {
            if state.waiting.is_empty() && state.journal.is_none() && state.busy_since.is_none() {
                return true;
            }
            let left = most().saturating_sub(since.elapsed());
            if left.is_zero() || (state.unread && state.waiting.is_empty()) {
                return false;
            }
            state = self.changed.wait_timeout(state, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives the database up: what is not in it goes to the journal, which somebody else may take in from now on. Gives the journal, if
    /// there is one, and how many entries are nowhere.
    pub(super) fn abandon(&self) -> (Option<PathBuf>, u64) {
        let mut state = self.lock();
        state.abandoned = true;
        let mut held = std::mem::take(&mut state.waiting);
        held.append(&mut state.behind);
        let put = held.iter().take_while(|entry| state.add(&self.places, entry).is_ok()).count();
        state.lost += (held.len() - put) as u64;
        let journal = state.journal.take().map(|journal| journal.path().to_owned());
        self.changed.notify_all();
        (journal, state.lost + state.lacking)
    }

    /// Entries that are nowhere.
    pub(super) fn lost(&self) -> u64 {
        let state = self.lock();
        state.lost + state.lacking
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
    /// Says in an entry what came before it, and tells in it of the rows that one which was lost would have told of.
    fn complete(&mut self, entry: &mut Numbered) {
        entry.after = self.last;
        if let Some(rows) = entry.entry.new_rows_mut() {
            self.rows.extend_from_slice(rows);
            rows.splice(..0, self.owed_rows.iter().cloned());
        }
    }

    /// Puts an entry where the order wants it and there is room; false where there is none.
    fn take(&mut self, places: &Places, bound_bytes: usize, entry: &Arc<Numbered>) -> bool {
        let held_bytes = self.held_bytes + entry.entry.held_bytes();
        let mut fits = self.journal.is_none() && held_bytes <= bound_bytes;
        if !fits && !self.no_journal && self.add_behind(places, entry) {
            return true;
        }
        // Without its beginning a run is nothing.
        fits |= held_bytes <= bound_bytes.saturating_mul(LAST_RESORT) || entry.number == 1;
        if !fits {
            // Somebody may have made room since.
            return self.no_journal && self.add_behind(places, entry);
        }
        self.held_bytes = held_bytes;
        let last = if self.journal.is_some() { &mut self.behind } else { &mut self.waiting };
        last.push_back(Arc::clone(entry));
        true
    }

    /// Adds to the journal what is behind it, and an entry; false where it cannot grow so far.
    fn add_behind(&mut self, places: &Places, entry: &Numbered) -> bool {
        while let Some(first) = self.behind.pop_front() {
            if self.add(places, &first).is_err() {
                self.behind.push_front(first);
                self.no_journal = true;
                return false;
            }
            self.held_bytes = self.held_bytes.saturating_sub(first.entry.held_bytes());
        }
        self.no_journal = self.add(places, entry).is_err();
        !self.no_journal
    }

    /// Adds to the journal, which is made where there is none: beside the store, or where temporary files are, which may be another disk.
    fn add(&mut self, places: &Places, entry: &Numbered) -> io::Result<()> {
        let name = places.journal_name(&entry.run);
        if self.journal.is_none() {
            self.tried_elsewhere = false;
            self.journal = Journal::make(&places.store.with_file_name(&name), &self.head(entry)).ok();
        }
        let added = self.journal.as_mut().map(|journal| journal.add(entry));
        if let Some(Ok(())) = added {
            return Ok(());
        }
        if std::mem::replace(&mut self.tried_elsewhere, true) {
            return added.unwrap_or(Err(io::ErrorKind::StorageFull.into()));
        }
        let elsewhere = places.elsewhere.join(name);
        let mut moved = match &self.journal {
            Some(journal) => journal.copied(&elsewhere)?,
            None => Journal::make(&elsewhere, &self.head(entry))?,
        };
        let added = moved.add(entry);
        let gone = if added.is_ok() { self.journal.replace(moved) } else { Some(moved) };
        if let Some(gone) = gone {
            gone.remove();
        }
        added
    }

    /// What a journal begins with that does not begin with the run: its beginning, and the rows so far.
    fn head(&self, first: &Numbered) -> Vec<Numbered> {
        let Some(begin) = self.begin.as_deref().filter(|begin| begin.number != first.number) else {
            return Vec::new();
        };
        let rows = Numbered { entry: Entry::Rows(self.rows.clone()), ..begin.clone() };
        vec![begin.clone(), rows]
    }

    /// The next entries of the journal; where all of it is in the database, it goes, and what is behind it waits.
    fn read_journal(&mut self) -> Option<Vec<Arc<Numbered>>> {
        let journal = self.journal.as_mut().filter(|_| !self.unread)?;
        if !journal.is_drained() {
            let entries = journal.next_batch(BATCH).ok();
            self.unread = entries.is_none();
            return entries;
        }
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
        self.no_journal = false;
        self.waiting.append(&mut self.behind);
        None
    }
}

impl Places {
    /// The name of a run's journal.
    fn journal_name(&self, run: &str) -> OsString {
        let run = run.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>();
        let mut name = self.store.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{run}.journal"));
        name
    }
}

#[cfg(test)]
mod tests;
