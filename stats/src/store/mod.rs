//! The store: every run in one SQLite file, exact, readable up to the last second written whatever ended the run.
//!
//! - `schema`: the tables, their version, and how a file is opened;
//! - `packed`: a distribution as bytes: an HdrHistogram V2 payload, and the exact figures beside it;
//! - `entry`: what happened in a second as it travels to the database, or to a journal while there is none to be had;
//! - `writer`: entries into tables; `rollup`: old seconds merged into minutes;
//! - `queue`: what waits for the database, bounded in memory; `journal`: the rest, in a file; [`StoreOutput`]: the output of a run;
//! - `reader`: a run out of the tables; `catalog`: which there are, and getting rid of them;
//! - `together`: a run out of its store and its journal, where it is not whole in the store.
//!
//! Guarantees: an entry is applied once, whole or not at all, in the order in which things happened; a database that is locked, full or
//! hangs holds nobody up and loses nothing that fits on some disk; merging old seconds keeps every count and every bucket.

mod catalog;
mod entry;
mod journal;
mod output;
mod packed;
mod queue;
mod reader;
mod rollup;
mod schema;
mod sparse;
mod together;
mod writer;

use std::path::{Path, PathBuf};

pub use catalog::{Listed, PruneSpec, Pruned, RecoverError, Recovered, RunFilter};
pub use journal::JournalError;
pub use output::{Patience, StoreOutcome, StoreOutput, StoreWatch, Tell};
pub use reader::Trouble;

/// Runs that are kept. Several processes may have the same file open, each with one of these.
pub struct Store {
    path: PathBuf,
    connection: rusqlite::Connection,
}

impl Store {
    /// Opens a store; a file that is not there, or is empty, becomes one, with the folders above it.
    ///
    /// # Errors
    /// The file cannot be made or opened, is something else, or was made by a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(path)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Opens a store that must be there.
    ///
    /// # Errors
    /// As [`Self::open`], and [`StoreError::NotThere`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            Self::open(path)
        } else {
            Err(StoreError::NotThere { path: path.to_owned() })
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn broken(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }
}

/// Why a store does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the file cannot be made.
    #[error("{}: the folder cannot be made: {source}; name another file (--store FILE), or none (--store none)", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such file.
    #[error("{}: there is no store there; a run makes one, and --store names another", path.display())]
    NotThere {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{}: not a store of runs but {what}; name another file (--store FILE)", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A later version made it.
    #[error("{}: made by a later version of pummel (schema {found}, this one knows {known}); use that version, or another file (--store FILE)", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest known here.
        known: i64,
    },
    /// SQLite refuses.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// What is in it cannot be read.
    #[error("{}: {what} cannot be read: {why}; the file is damaged or was changed by something else", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// No run, or more than one, answers to a name.
    #[error("{}", not_one(name, candidates))]
    NotOne {
        /// What was asked for.
        name: String,
        /// Those it could be.
        candidates: Vec<String>,
    },
}

fn not_one(name: &str, candidates: &[String]) -> String {
    if candidates.is_empty() {
        format!("no run is called {name:?}: give an id, its beginning, a label, or last; `pummel runs` lists them")
    } else {
        format!("{name:?} could be any of {}: give more of the id", candidates.join(", "))
    }
}
