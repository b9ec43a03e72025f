//! Where runs are kept: which file, and what is said where it cannot be used.

use std::{
    env,
    path::{Path, PathBuf},
};

use pummel_stats::{
    store::{Store, StoreError, StoreOutput, StoreWatch},
    OutputSpec,
};

use crate::{
    exit,
    failure::{warn, Failure},
    flags::StoreFlags,
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

    /// The output that keeps a run there.
    ///
    /// # Errors
    /// A file somebody named cannot be used.
    pub(crate) fn output(&self) -> Result<Option<(OutputSpec, StoreWatch)>, Failure> {
        let path = match self {
            Self::None => return Ok(None),
            Self::Usual(path) | Self::Named(path) => path,
        };
        let tell = Box::new(|what: &str| warn(what, None));
        let output = Store::open(path).map_err(|error| error.to_string());
        match output.and_then(|store| StoreOutput::spec(store, tell).map_err(|error| error.to_string())) {
            Ok(output) => Ok(Some(output)),
            Err(why) if matches!(self, Self::Usual(_)) => {
                warn(
                    format!("this run is kept nowhere: {why}"),
                    Some("--store FILE names another file, --store none says so".into()),
                );
                Ok(None)
            }
            Err(why) => Err(Failure::without_help(exit::USAGE, format!("--store {why}"))),
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

/// What became of a run's keeping, said at its end.
pub(crate) fn say_how_it_was_kept(watch: &StoreWatch) {
    let outcome = watch.outcome();
    if outcome.complete {
        return;
    }
    let lost = match outcome.lost {
        0 => String::new(),
        lost => format!("; {lost} of its seconds are nowhere, for no disk had room"),
    };
    match outcome.journal {
        Some(journal) => warn(
            format!("part of this run is not in the store but in {}{lost}", journal.display()),
            Some(format!("`pummel report --recover {}` takes it in once the store can be written", journal.display())),
        ),
        None => warn(format!("this run is not whole in the store{lost}"), None),
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
    fn none_and_a_file_are_told_apart() {
        let place = |store: &str| StorePlace::of(&StoreFlags { store: Some(store.into()) });
        assert_eq!(place("none"), StorePlace::None);
        assert_eq!(place("a.db"), StorePlace::Named("a.db".into()));
    }
}
