//! The keys of a profile that are flags of plugins: each is read as the flag itself is, and takes its place.

use crate::{flags::PluginFlags, profile_network::parsed};

/// Puts what a flag holds into its place.
type Copy = fn(&mut PluginFlags, PluginFlags);

/// Flags with a value; `install-deps` is the one switch.
const VALUES: &[(&str, Copy)] = &[
    ("plugin-workers", |to, from| to.plugin_workers = from.plugin_workers),
    ("plugin-timeout", |to, from| to.plugin_timeout = from.plugin_timeout),
    ("plugin-runner", |to, from| to.plugin_runner = from.plugin_runner),
    ("plugin-threads", |to, from| to.plugin_threads = from.plugin_threads),
];

/// Reads the value of a flag and puts it over what the flag has; none where no flag of plugins takes a value by this name.
///
/// # Errors
/// What is wrong with the value, as the end of a sentence that has named it.
pub(crate) fn set_plugin_value(flags: &mut PluginFlags, key: &str, value: &str) -> Option<Result<(), String>> {
    let (_, copy) = VALUES.iter().find(|(name, _)| *name == key)?;
    Some(parsed(key, value).map(|parsed| copy(flags, parsed.plugin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::command;

    #[test]
    fn every_flag_of_plugins_is_a_key() {
        let command = command();
        let boom = command.find_subcommand("boom").unwrap();
        let of_plugins = |heading: Option<&str>| heading.is_some_and(|heading| heading.starts_with("Functions"));
        let mut names: Vec<_> = boom
            .get_arguments()
            .filter(|flag| of_plugins(flag.get_help_heading()))
            .filter_map(|flag| flag.get_long())
            .collect();
        names.retain(|name| !VALUES.iter().any(|(key, _)| key == name));
        assert_eq!(names, ["install-deps"]);
    }
}
