//! Flags of `hrp boom` that this program does not act on: those whose feature comes in a later version, which end the
//! program with a clear sentence, and those of Go's profiler, which are taken and ignored with a warning.
//!
//! They are a table, so a feature that gets built moves its row to a definition of its own.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// One flag of the table.
#[derive(Debug)]
struct LaterFlag {
    /// Without the dashes.
    name: &'static str,
    /// Whether it needs a value, or is a switch.
    takes_value: bool,
    /// Values that mean what happens here anyway; given with one of these the flag is no news. hrp's defaults.
    harmless: &'static [&'static str],
    /// What it is for, as the end of "... is not built yet", or none when it is only ignored.
    feature: Option<&'static str>,
}

const MASTER: Option<&str> = Some("distributed load (a master and its workers)");
const OFF: &[&str] = &["false", "0", "f", "F", "FALSE", "False"];

/// hrp spec 14.1, less the flags that work.
const TABLE: &[LaterFlag] = &[
    later("request-increase-rate", true, &["-1", ""], Some("a ramp of the rate ceiling")),
    later("master", false, OFF, MASTER),
    later("master-bind-host", true, &[], MASTER),
    later("master-bind-port", true, &[], MASTER),
    later("master-http-address", true, &[], MASTER),
    later("auto-start", false, OFF, MASTER),
    later("expect-workers", true, &[], MASTER),
    later("expect-workers-max-wait", true, &[], MASTER),
    later("worker", false, OFF, MASTER),
    later("master-host", true, &[], MASTER),
    later("master-port", true, &[], MASTER),
    later("ignore-quit", false, OFF, MASTER),
    later("cpu-profile", true, &[""], None),
    later("cpu-profile-duration", true, &[], None),
    later("mem-profile", true, &[""], None),
    later("mem-profile-duration", true, &[], None),
];

const fn later(
    name: &'static str,
    takes_value: bool,
    harmless: &'static [&'static str],
    feature: Option<&'static str>,
) -> LaterFlag {
    LaterFlag { name, takes_value, harmless, feature }
}

/// A flag of the table that was given and would have done something in hrp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenLaterFlag {
    /// With the dashes.
    pub(crate) flag: String,
    /// What is missing, or none when the flag is only ignored.
    pub(crate) feature: Option<&'static str>,
}

/// Those that were given, in the table's order.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaterFlags {
    /// See [`GivenLaterFlag`].
    pub(crate) given: Vec<GivenLaterFlag>,
}

/// What the table says of a flag (its name without dashes) given this value: none when the flag is not in the table or
/// the value is harmless. A profile file asks with its keys, which are the flags' names.
pub(crate) fn not_built(name: &str, value: &str) -> Option<GivenLaterFlag> {
    let row = TABLE.iter().find(|row| row.name == name)?;
    let news = !row.harmless.contains(&value);
    news.then(|| GivenLaterFlag { flag: format!("--{name}"), feature: row.feature })
}

/// Whether the table has a flag of this name, without dashes.
pub(crate) fn is_later_flag(name: &str) -> bool {
    TABLE.iter().any(|row| row.name == name)
}

impl FromArgMatches for LaterFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = Vec::new();
        for row in TABLE {
            if let Some(value) = matches.get_one::<String>(row.name) {
                given.extend(not_built(row.name, value));
            }
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for LaterFlags {
    fn augment_args(command: Command) -> Command {
        TABLE.iter().fold(command, |command, row| {
            let arg = Arg::new(row.name).long(row.name).hide(true).action(ArgAction::Set);
            command.arg(if row.takes_value {
                // `-1` is a value of --request-increase-rate.
                arg.allow_hyphen_values(true)
            } else {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true")
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hrp_defaults_are_no_news_and_other_values_are() {
        assert_eq!(not_built("request-increase-rate", "-1"), None);
        assert_eq!(not_built("prometheus-gateway", "http://gw:9091"), None);
        assert_eq!(not_built("master", "false"), None);
        assert_eq!(not_built("spawn-count", "3"), None);
        let given = not_built("request-increase-rate", "100/1s").unwrap();
        assert_eq!(
            (given.flag.as_str(), given.feature),
            ("--request-increase-rate", Some("a ramp of the rate ceiling"))
        );
        assert_eq!(not_built("cpu-profile", "cpu.prof").unwrap().feature, None);
    }
}
