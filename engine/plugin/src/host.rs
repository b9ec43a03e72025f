//! All plugins of this program.

use std::{path::Path, sync::Arc, time::Duration};

use pummel_case::{Plugin, PluginFailure, PluginId, PluginSource};

use crate::{PluginOptions, PluginReport, RunningPlugin};

/// Starts plugins and keeps them, one for each absolute path. Clones share them.
#[derive(Debug, Clone)]
pub struct PluginHost {
    options: Arc<PluginOptions>,
}

impl PluginHost {
    /// A host without plugins: each is started when it is first asked for.
    pub fn new(options: PluginOptions) -> Self {
        Self { options: Arc::new(options) }
    }

    /// A plugin by its number.
    pub fn plugin(&self, _id: PluginId) -> Option<Arc<RunningPlugin>> {
        None
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Calls `tell` from now on whenever the state of any worker has changed, until it gives false. It must not block.
    pub fn watch(&self, _tell: Box<dyn Fn() -> bool + Send>) {}

    /// What became of each plugin so far.
    pub fn reports(&self) -> Vec<PluginReport> {
        Vec::new()
    }

    /// Ends every process: SIGTERM, after 500 ms SIGKILL, to its process group. Returns when all are gone.
    pub fn end(&self) {}
}

impl PluginSource for PluginHost {
    fn open(&self, file: &Path) -> Result<Arc<dyn Plugin>, PluginFailure> {
        Err(PluginFailure { message: format!("{} cannot be started", file.display()), help: None, exit_code: 31 })
    }
}
