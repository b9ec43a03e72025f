//! What a user may choose about plugins.

use std::{path::PathBuf, time::Duration};

/// How plugins are started and called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginOptions {
    /// What runs `debugtalk.py` (`--plugin-runner`).
    pub runner: Runner,
    /// Processes for each plugin (`--plugin-workers`), 1 to 64.
    pub workers: usize,
    /// How long a call may take (`--plugin-timeout`); beyond it the process is ended and started anew.
    pub timeout: Duration,
    /// Threads of a Python process for functions that take longer than a millisecond (`--plugin-threads`), 1 to 1,024.
    pub threads: usize,
    /// The virtual environment whose Python is used (`--venv`); none searches for one (hrp spec 19.2).
    pub venv: Option<PathBuf>,
    /// `funppy` may be installed with pip where it is missing (`--install-deps`).
    pub install_deps: bool,
    /// This program, whose hidden sub-command `plugin-launch` becomes the plugin's process.
    pub launcher: PathBuf,
}

impl PluginOptions {
    /// What is said of a call that was not answered in its time: the same of every such call, whatever it had waited for before it was
    /// sent.
    pub(crate) fn late(&self) -> String {
        format!("no answer within {} s (--plugin-timeout)", self.timeout.as_secs_f64())
    }
}

impl Default for PluginOptions {
    /// One process, 30 s, 64 threads, our own runner; this program by `/proc/self/exe`, which is there even when the file was
    /// replaced meanwhile.
    fn default() -> Self {
        Self {
            runner: Runner::Own,
            workers: 1,
            timeout: Duration::from_secs(30),
            threads: 64,
            venv: None,
            install_deps: false,
            launcher: "/proc/self/exe".into(),
        }
    }
}

/// What runs `debugtalk.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Runner {
    /// The runner in this program, over framed JSON.
    #[default]
    Own,
    /// Stock funppy, over gRPC.
    Funppy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_call_is_told_with_the_limit_as_it_was_given() {
        let late = |timeout| PluginOptions { timeout, ..PluginOptions::default() }.late();
        assert_eq!(late(Duration::from_secs(30)), "no answer within 30 s (--plugin-timeout)");
        assert_eq!(late(Duration::from_millis(1_500)), "no answer within 1.5 s (--plugin-timeout)");
    }
}
