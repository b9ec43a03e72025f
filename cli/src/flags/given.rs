//! Which flags were typed rather than left at their defaults, where that decides whether others make sense.

use clap::{parser::ValueSource, ArgMatches, Args, Command, Error, FromArgMatches};

/// Flags that say how much load a closed run makes, or an open one, and those whose default something else may change. Ids of clap.
const WATCHED: &[&str] = &[
    "spawn_count",
    "spawn_rate",
    "loop_count",
    "max_rps",
    "rate_unit",
    "run_time",
    "pacing",
    "connections",
    "max_users",
    "seed",
    "catch_up",
    "close",
];

/// Those that were given, without dashes, on the command line or in a profile. It has to stand before the flags it watches: clap
/// takes them out of the matches one by one.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenFlags(Vec<&'static str>);

impl GivenFlags {
    /// Notes one of a profile.
    pub(crate) fn note(&mut self, key: &str) {
        let id = key.replace('-', "_");
        self.0.extend(WATCHED.iter().filter(|watched| **watched == id));
    }

    /// The first of these that was given, with its dashes.
    pub(crate) fn first_of(&self, ids: &[&str]) -> Option<String> {
        let found = ids.iter().find(|id| self.0.contains(id))?;
        Some(format!("--{}", found.replace('_', "-")))
    }
}

impl FromArgMatches for GivenFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let known: Vec<&str> = matches.ids().map(clap::Id::as_str).collect();
        let typed =
            |id: &&&'static str| known.contains(id) && matches.value_source(id) == Some(ValueSource::CommandLine);
        Ok(Self(WATCHED.iter().filter(typed).copied().collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for GivenFlags {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
