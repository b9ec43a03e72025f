//! The plugins of a command: started while its cases are loaded, ended with it.

use std::{ffi::OsString, sync::Arc};

use pummel_case::{PluginId, Plugins};
use pummel_plugin::{PluginHost, PluginOptions, Runner};

use crate::flags::{PluginFlags, PluginRunner};

/// All plugins of this program. Their processes end when this is dropped, whichever way the command takes to its end: a load
/// error, a run that did not start, a report after Ctrl-C. One that is ended in the middle needs nothing of this: the processes
/// end with it by themselves.
#[derive(Debug)]
pub(crate) struct CommandPlugins {
    host: PluginHost,
}

impl CommandPlugins {
    /// Nothing is started yet. `venv` is the Python environment of `--venv`; an empty one is none, as in hrp.
    pub(crate) fn new(flags: &PluginFlags, venv: Option<OsString>) -> Self {
        Self { host: PluginHost::new(plugin_options(flags, venv)) }
    }

    /// What the loader asks for the functions of a project.
    pub(crate) fn source(&self) -> Plugins {
        Plugins(Arc::new(self.host.clone()))
    }

    /// What the engine calls functions through; none where the loaded cases call no function of a plugin.
    pub(crate) fn opened(&self) -> Option<PluginHost> {
        self.host.plugin(PluginId(0)).is_some().then(|| self.host.clone())
    }
}

impl Drop for CommandPlugins {
    fn drop(&mut self) {
        self.host.end();
    }
}

fn plugin_options(flags: &PluginFlags, venv: Option<OsString>) -> PluginOptions {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    PluginOptions {
        runner: match flags.plugin_runner {
            PluginRunner::Own => Runner::Own,
            PluginRunner::Funppy => Runner::Funppy,
        },
        workers: count(flags.plugin_workers),
        timeout: flags.plugin_timeout,
        threads: count(flags.plugin_threads),
        venv: venv.filter(|venv| !venv.is_empty()).map(Into::into),
        install_deps: flags.install_deps,
        ..PluginOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::FromArgMatches;

    use super::*;
    use crate::flags::{command, Cli, Command};

    fn options(args: &[&str]) -> PluginOptions {
        let typed = ["pummel", "boom", "case.yml"].iter().chain(args);
        let cli = Cli::from_arg_matches(&command().try_get_matches_from(typed).unwrap()).unwrap();
        match cli.command {
            Command::Boom(flags) => plugin_options(&flags.plugin, cli.global.venv),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_flags_the_options_are_those_of_the_crate() {
        assert_eq!(options(&[]), PluginOptions::default());
        assert_eq!(options(&["--venv", ""]), PluginOptions::default());
    }

    #[test]
    fn each_flag_is_an_option() {
        let given = options(&[
            "--plugin-workers=2",
            "--plugin-timeout=1.5",
            "--plugin-runner=funppy",
            "--plugin-threads=8",
            "--install-deps",
            "--venv=a/b",
        ]);
        let expected = PluginOptions {
            runner: Runner::Funppy,
            workers: 2,
            timeout: Duration::from_millis(1_500),
            threads: 8,
            venv: Some("a/b".into()),
            install_deps: true,
            ..PluginOptions::default()
        };
        assert_eq!(given, expected);
    }
}
