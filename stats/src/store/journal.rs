//! A file of entries that the database has not taken: written and read back while the run lives, taken in by somebody else afterwards.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, Numbered};

/// A line of a journal is at most so long: a second of a thousand rows takes some megabytes.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Entries that are taken in at once: some seconds.
const BATCH: usize = 64;

/// A journal of this process. It is locked while there is one of these, so that nobody takes it in meanwhile: the store would pass over
/// what comes before.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Lines that were written, and of these those that are in the database; without the head's.
    written: u64,
    read: u64,
    read_to_bytes: u64,
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
    /// The run lives.
    #[error("{}: the run that writes it goes on, and puts what it holds into the store by itself once that can be written; wait for its end", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

impl Journal {
    /// Makes a file that was not there, readable by this user alone, which begins with what lets it stand alone.
    pub(super) fn make(path: &Path, head: &[Numbered]) -> io::Result<Self> {
        let mut journal = Self { path: path.to_owned(), file: make_file(path)?, written: 0, read: 0, read_to_bytes: 0 };
        match head.iter().try_for_each(|entry| journal.append(entry)) {
            Ok(()) => {
                journal.read_to_bytes = journal.file.metadata()?.len();
                Ok(journal)
            }
            Err(error) => {
                journal.remove();
                Err(error)
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same at another place; that of this one is to be removed then.
    pub(super) fn copied(&self, path: &Path) -> io::Result<Self> {
        let mut file = make_file(path)?;
        let copied = File::open(&self.path).and_then(|mut from| io::copy(&mut from, &mut file));
        if let Err(error) = copied {
            let _ = fs::remove_file(path);
            return Err(error);
        }
        let Self { written, read, read_to_bytes, .. } = *self;
        Ok(Self { path: path.to_owned(), file, written, read, read_to_bytes })
    }

    /// Deletes the file.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Adds an entry, and has the system take it, so that it is there if this process is killed.
    pub(super) fn add(&mut self, entry: &Numbered) -> io::Result<()> {
        self.append(entry)?;
        self.written += 1;
        Ok(())
    }

    /// As on a disk without room.
    #[cfg(test)]
    pub(super) fn refuse(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }

    /// There is room again.
    #[cfg(test)]
    pub(super) fn take_again(&mut self) {
        self.file = OpenOptions::new().read(true).append(true).open(&self.path).unwrap();
    }

    fn append(&mut self, entry: &Numbered) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let added = self.file.write_all(&line);
        if added.is_err() {
            // Half a line would join the next.
            let _ = self.file.set_len(before);
        }
        added
    }

    /// All of it is in the database.
    pub(super) fn is_drained(&self) -> bool {
        self.read >= self.written
    }

    /// So many of the entries that were given last are in the database.
    pub(super) fn drained(&mut self, count: u64) {
        self.read += count;
    }

    /// The next entries that are not in the database, at most so many.
    ///
    /// # Errors
    /// The first of them cannot be read, though it was written.
    pub(super) fn next_batch(&mut self, most: usize) -> io::Result<Vec<Arc<Numbered>>> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        reader.seek(SeekFrom::Start(self.read_to_bytes))?;
        let mut entries = Vec::new();
        while entries.len() < most && (entries.len() as u64) < self.written - self.read {
            let mut line = Vec::new();
            let entry = reader
                .read_until(b'\n', &mut line)
                .and_then(|_| serde_json::from_slice(&line).map_err(io::Error::from));
            match entry {
                Ok(entry) => entries.push(Arc::new(entry)),
                Err(_) if !entries.is_empty() => break,
                Err(error) => return Err(error),
            }
            self.read_to_bytes += line.len() as u64;
        }
        Ok(entries)
    }
}

fn make_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)?;
    // A file system without locks has nothing better to offer.
    let _ = file.try_lock();
    Ok(file)
}

/// A journal of a run that is over.
pub(super) struct JournalFile {
    file: File,
    runs: Vec<(String, bool)>,
    /// In the order in which things happened.
    lines: Vec<Line>,
}

/// Where an entry stands in the file.
struct Line {
    run: usize,
    number: u64,
    at_bytes: u64,
    length_bytes: usize,
}

impl JournalFile {
    /// Looks through a journal. A last line that was cut off is left out.
    ///
    /// # Errors
    /// It cannot be read, holds something else, or is one of a run that goes on.
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let unreadable = |source| JournalError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            return Err(JournalError::InUse { path: path.to_owned() });
        }
        let mut journal = Self { file, runs: Vec::new(), lines: Vec::new() };
        let mut reader = BufReader::new(journal.file.try_clone().map_err(unreadable)?);
        let (mut at_bytes, mut line) = (0, Vec::new());
        for number in 1.. {
            line.clear();
            if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
                break;
            }
            let entry = serde_json::from_slice::<Numbered>(&line).map_err(|error| error.to_string());
            let wrong = match entry {
                Ok(entry) => {
                    let run = journal.place_of(&entry);
                    journal.lines.push(Line { run, number: entry.number, at_bytes, length_bytes: line.len() });
                    entry.entry.wrong()
                }
                Err(_) if line.last() != Some(&b'\n') && !journal.lines.is_empty() => break,
                Err(why) => Some(why),
            };
            if let Some(why) = wrong {
                return Err(JournalError::Foreign { path: path.to_owned(), line: number, why });
            }
            at_bytes += line.len() as u64;
        }
        // Entries of the same number stay as they stand: the beginning, then the rows.
        journal.lines.sort_by_key(|line| (line.run, line.number));
        Ok(journal)
    }

    fn place_of(&mut self, entry: &Numbered) -> usize {
        let place = self.runs.iter().position(|(run, _)| *run == entry.run).unwrap_or_else(|| {
            self.runs.push((entry.run.clone(), false));
            self.runs.len() - 1
        });
        self.runs[place].1 |= matches!(entry.entry, Entry::Begin(_));
        place
    }

    /// Its runs, and whether it has their beginning.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&str, bool)> {
        self.runs.iter().map(|(run, begins)| (run.as_str(), *begins))
    }

    /// Its entries, some at a time, each lot of one run, by that run's place.
    pub(super) fn batches(&self) -> impl Iterator<Item = (usize, io::Result<Vec<Numbered>>)> + '_ {
        self.lines
            .chunk_by(|a, b| a.run == b.run)
            .flat_map(|lines| lines.chunks(BATCH))
            .map(|lines| (lines[0].run, lines.iter().map(|line| self.read(line)).collect()))
    }

    fn read(&self, line: &Line) -> io::Result<Numbered> {
        let mut bytes = vec![0; line.length_bytes];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(line.at_bytes))?;
        file.read_exact(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}
