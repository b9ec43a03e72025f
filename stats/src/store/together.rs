//! A run that is not whole in its store, put together from what the store and the journal have of it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{params, Result, Transaction};

use super::{RecoverError, Store, StoreError, StoreOutcome};

impl Store {
    /// Makes a store at `path`, where there is none yet, of all that is known of a run whose keeping in the store `kept` came out as
    /// `outcome` says: what is there and can be read now, and what its journal holds.
    ///
    /// # Errors
    /// The new store cannot be written, or the run is in none of the two; then the first reason why.
    pub fn put_together(path: &Path, kept: &Path, outcome: &StoreOutcome) -> Result<Self, RecoverError> {
        let run = outcome.run.as_deref().unwrap_or_default();
        let mut whole = Self::open(path)?;
        let copied = Self::open_existing(kept).and_then(|kept| whole.copy_run(&kept, run));
        // A journal may hold all of a run whose store cannot even be read.
        let recovered = outcome.journal.as_deref().map_or(Ok(()), |journal| whole.recover(journal).map(drop));
        match whole.number(run) {
            Ok(_) => Ok(whole),
            Err(unknown) => Err(recovered.err().or_else(|| copied.err().map(Into::into)).unwrap_or(unknown.into())),
        }
    }

    /// Copies a run of another store, as far as it is there. The same run must not be here.
    fn copy_run(&mut self, from: &Store, id: &str) -> Result<(), StoreError> {
        let no = from.number(id)?;
        let copied = self.attached(from, |transaction| {
            transaction.execute("INSERT INTO main.run SELECT * FROM kept.run WHERE no = ?1", [no])?;
            let tables: Vec<String> = transaction
                .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name <> 'run'")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_>>()?;
            for table in tables {
                let copy = format!("INSERT INTO main.\"{table}\" SELECT * FROM kept.\"{table}\" WHERE run = ?1");
                transaction.execute(&copy, [no])?;
            }
            Ok(())
        });
        copied.map_err(|source| self.broken(source))
    }

    /// Does something in one transaction that sees another store as `kept`. Both have the same tables, as both have been opened.
    fn attached(&mut self, other: &Store, work: impl FnOnce(&Transaction<'_>) -> Result<()>) -> Result<()> {
        // A path need not be text.
        self.connection.execute("ATTACH ?1 AS kept", params![other.path.as_os_str().as_bytes()])?;
        let transaction = self.connection.transaction()?;
        let done = work(&transaction).and_then(|()| transaction.commit());
        let detached = self.connection.execute("DETACH kept", []).map(drop);
        done.and(detached)
    }
}
