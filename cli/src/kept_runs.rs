//! Where runs are kept: which file, and what is said where it cannot be used.

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use pummel_stats::{
    store::{Store, StoreError, StoreOutcome, StoreOutput, StoreWatch, Trouble},
    OutputSpec,
};

use crate::{
    exit,
    failure::{warn, Failure},
    flags::StoreFlags,
    report_files::ReportFiles,
};

/// Where runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// The usual file; where it cannot be used, a run is kept nowhere.
    Usual(PathBuf),
    /// A file somebody named; where it cannot be used, that is wrong usage.
    Named(PathBuf),
    /// Nowhere.
    None,
}

impl StorePlace {
    /// What the flag, or its absence, means.
    pub(crate) fn of(flags: &StoreFlags) -> Self {
        match &flags.store {
            Some(path) if path == Path::new("none") => Self::None,
            Some(path) if path.as_os_str().is_empty() => Self::None,
            Some(path) => Self::Named(path.clone()),
            None => usual_file(env::var_os("XDG_DATA_HOME"), env::var_os("HOME")).map_or(Self::None, Self::Usual),
        }
    }

    /// The output that keeps a run there. Where that is nowhere and files are to be written that are made of its seconds (`needed`), it
    /// is kept in a temporary folder until they are.
    ///
    /// # Errors
    /// A file somebody named cannot be used, or a temporary one that is needed.
    pub(crate) fn keep(&self, needed: bool) -> Result<Option<(OutputSpec, Keeping)>, Failure> {
        match self {
            Self::Named(path) => match Keeping::start(path, None) {
                Ok(kept) => Ok(Some(kept)),
                Err(why) => Err(Failure::without_help(exit::USAGE, format!("--store {why}"))),
            },
            Self::Usual(path) => match Keeping::start(path, None) {
                Ok(kept) => Ok(Some(kept)),
                Err(why) => {
                    warn(
                        format!("this run is kept nowhere: {why}"),
                        Some("--store FILE names another file, --store none says so".into()),
                    );
                    needed.then(Keeping::for_now).transpose()
                }
            },
            Self::None => needed.then(Keeping::for_now).transpose(),
        }
    }

    /// The store, to read from.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn open(&self) -> Result<Store, Failure> {
        match self {
            Self::None => Err(Failure::usage("runs are kept nowhere (--store none)", "--store FILE names a store")),
            Self::Usual(path) | Self::Named(path) => Store::open_existing(path).map_err(|error| failure(&error)),
        }
    }
}

/// A store's error as the end of a command.
pub(crate) fn failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::Sqlite { .. } | StoreError::Damaged { .. } => exit::FAILED,
        _ => exit::USAGE,
    };
    Failure::without_help(code, error.to_string())
}

/// The keeping of a run.
pub(crate) struct Keeping {
    watch: StoreWatch,
    path: PathBuf,
    /// The folder is there for this run alone.
    for_now: Option<TemporaryFolder>,
}

impl Keeping {
    fn start(path: &Path, for_now: Option<TemporaryFolder>) -> Result<(OutputSpec, Self), String> {
        let tell = Box::new(|what: &str| warn(what, None));
        let store = Store::open(path).map_err(|error| error.to_string())?;
        let (spec, watch) = StoreOutput::spec(store, tell).map_err(|error| error.to_string())?;
        Ok((spec, Self { watch, path: path.to_owned(), for_now }))
    }

    fn for_now() -> Result<(OutputSpec, Self), Failure> {
        let folder = TemporaryFolder::for_seconds()?;
        let path = folder.path.join("runs.db");
        Self::start(&path, Some(folder)).map_err(|why| Failure::without_help(exit::FAILED, why))
    }

    /// Says what became of it, where that is not what was wanted.
    pub(crate) fn say_how(&self) {
        let outcome = self.watch.outcome();
        if outcome.complete {
            return;
        }
        let lost = match outcome.lost {
            0 => String::new(),
            lost => format!("; {lost} of its seconds are nowhere, for no disk had room"),
        };
        if let Some(folder) = &self.for_now {
            // It goes with the folder, so there is nothing to take in later.
            if let Some(journal) = outcome.journal {
                let _ = folder.journal.set(journal);
            }
            // The files are made of it, too.
            if outcome.lost > 0 {
                warn(format!("the seconds of this run are not whole in the files that are made of them{lost}"), None);
            }
            return;
        }
        match outcome.journal {
            Some(journal) => warn(
                format!("part of this run is not in the store but in {}{lost}", journal.display()),
                Some(format!(
                    "`pummel report --recover {}` takes it in once the store can be written",
                    journal.display()
                )),
            ),
            None => warn(format!("this run is not whole in the store{lost}"), None),
        }
    }

    /// Writes the files that are made of the run's seconds, also where the store has not taken all of them.
    ///
    /// # Errors
    /// They cannot be read, or a file cannot be written.
    pub(crate) fn write_seconds(self, files: ReportFiles) -> Result<(), Failure> {
        if !files.want_seconds() {
            return Ok(());
        }
        let written = self.write_from(&self.watch.outcome(), files);
        drop(self.for_now);
        written
    }

    fn write_from(&self, outcome: &StoreOutcome, files: ReportFiles) -> Result<(), Failure> {
        let Some(run) = &outcome.run else {
            return Err(Failure::without_help(exit::FAILED, "the seconds of this run were kept nowhere"));
        };
        if outcome.complete {
            let store = Store::open_existing(&self.path).map_err(|error| after_the_run(&error))?;
            return write_seconds(&store, run, files).map_err(Unwritten::after_the_run);
        }
        let folder = TemporaryFolder::for_seconds()?;
        let whole = folder.path.join("runs.db");
        let store = Store::put_together(&whole, &self.path, outcome).map_err(|error| after_the_run(&error))?;
        write_seconds(&store, run, files).map_err(Unwritten::after_the_run)
    }
}

/// Why files that are made of a run's seconds were not written.
pub(crate) enum Unwritten {
    /// The seconds cannot be read.
    Unread(StoreError),
    /// A file cannot be written.
    File(Failure),
}

impl Unwritten {
    /// As the end of a command that names a run.
    pub(crate) fn named(self) -> Failure {
        match self {
            Self::Unread(error) => failure(&error),
            Self::File(failure) => failure,
        }
    }

    /// As the end of a run, which was no wrong usage.
    fn after_the_run(self) -> Failure {
        match self {
            Self::Unread(error) => after_the_run(&error),
            Self::File(failure) => failure,
        }
    }
}

fn after_the_run(error: &dyn std::error::Error) -> Failure {
    Failure::without_help(exit::FAILED, format!("the seconds of this run cannot be read: {error}"))
}

/// Writes the files that are made of a run's seconds.
///
/// # Errors
/// As [`Keeping::write_seconds`].
pub(crate) fn write_seconds(store: &Store, run: &str, files: ReportFiles) -> Result<(), Unwritten> {
    let kept = store.run(run).map_err(Unwritten::Unread)?;
    let trouble = Trouble::default();
    let written = files.write_seconds(&kept, || store.iter_seconds(run, &trouble));
    match trouble.take() {
        Some(error) => Err(Unwritten::Unread(error)),
        None => written.map_err(Unwritten::File),
    }
}

/// Removed when dropped.
struct TemporaryFolder {
    path: PathBuf,
    /// A journal of the store in it, which may have moved elsewhere.
    journal: OnceLock<PathBuf>,
}

impl TemporaryFolder {
    fn for_seconds() -> Result<Self, Failure> {
        Self::new().map_err(|error| {
            Failure::with_code(
                exit::FAILED,
                format!("no temporary folder can be made for the seconds of this run: {error}"),
                "TMPDIR names another place, and --store FILE keeps the run",
            )
        })
    }

    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("pummel-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        std::fs::create_dir(&path)?;
        Ok(Self { path, journal: OnceLock::new() })
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.get() {
            let _ = std::fs::remove_file(journal);
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// `pummel/runs.db` of the user's data (XDG Base Directory Specification 0.8: a path that is not absolute is ignored).
fn usual_file(data_home: Option<std::ffi::OsString>, home: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data = data_home.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/share")))?;
    Some(data.join("pummel/runs.db"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_file_is_in_the_users_data() {
        let file = |data: Option<&str>, home: Option<&str>| usual_file(data.map(Into::into), home.map(Into::into));
        assert_eq!(file(None, Some("/h")), Some("/h/.local/share/pummel/runs.db".into()));
        assert_eq!(file(Some("/d"), Some("/h")), Some("/d/pummel/runs.db".into()));
        assert_eq!(file(Some("d"), Some("/h")), Some("/h/.local/share/pummel/runs.db".into()));
        assert_eq!(file(Some(""), None), None);
    }

    #[test]
    fn a_journal_that_moved_goes_with_the_folder_of_its_store() {
        let (folder, elsewhere) = (TemporaryFolder::new().unwrap(), TemporaryFolder::new().unwrap());
        let (path, journal) = (folder.path.clone(), elsewhere.path.join("runs.db.journal"));
        std::fs::write(&journal, "").unwrap();
        folder.journal.set(journal.clone()).unwrap();
        drop(folder);
        assert!(!path.exists() && !journal.exists());
    }

    #[test]
    fn none_and_a_file_are_told_apart() {
        let place = |store: &str| StorePlace::of(&StoreFlags { store: Some(store.into()) });
        assert_eq!(place("none"), StorePlace::None);
        assert_eq!(place("a.db"), StorePlace::Named("a.db".into()));
    }
}
