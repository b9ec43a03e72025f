//! A plugin that is running: its functions and its workers.

use std::{path::PathBuf, sync::Arc};

use pummel_case::{Plugin, PluginCall, PluginFunction, PluginId};
use serde::{Deserialize, Serialize};

use crate::WorkerState;

/// A plugin and its workers.
#[derive(Debug)]
pub struct RunningPlugin {
    id: PluginId,
}

impl RunningPlugin {
    /// How many workers it has.
    pub fn workers(&self) -> usize {
        0
    }

    /// How far a worker is.
    pub fn state(&self, _worker: usize) -> WorkerState {
        WorkerState::Starting
    }

    /// Says that a worker's process of this generation does not answer, or that its connection broke: it is ended, if it has not
    /// ended itself, and started anew. Said of an earlier generation than the present it changes nothing.
    pub fn broken(&self, _worker: usize, _generation: u64) {}
}

impl Plugin for RunningPlugin {
    fn id(&self) -> PluginId {
        self.id
    }

    fn find(&self, _name: &str) -> Option<PluginFunction> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn call(&self, _call: &mut PluginCall) {}
}

/// What became of a plugin's processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginReport {
    /// The plugin's file.
    pub path: PathBuf,
    /// `own`, `funppy` or `bin`.
    pub runner: String,
    /// Processes that run side by side.
    pub workers: u64,
    /// How often one was started anew.
    pub restarts: u64,
}
