//! What a case knows of its project's plugin (`debugtalk.py`, `debugtalk.bin`): which functions it has, and how one is called.
//!
//! This crate starts no process. The loader asks a [`PluginSource`] for the plugin of a project when the first call of a case may
//! mean one of its functions, and calls of the config are made there, at load. Calls of steps are handed to the engine as a
//! [`Wait::Call`](crate::Wait) and come back with their result by [`Progress::resume`](crate::Progress::resume).

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

/// Gives the plugins of projects, each started when it is first asked for.
pub trait PluginSource: fmt::Debug + Send + Sync {
    /// The plugin in this file, by its absolute path: the same one each time. `environment` is what the project adds to the process's
    /// environment, as hrp puts a `.env` into its own (hrp spec 5.2).
    ///
    /// # Errors
    /// It cannot be started, or is broken.
    fn open(&self, file: &Path, environment: &BTreeMap<Box<str>, Box<str>>) -> Result<Arc<dyn Plugin>, PluginFailure>;
}

/// A plugin that is running.
pub trait Plugin: fmt::Debug + Send + Sync {
    /// Its number, by which the engine knows it.
    fn id(&self) -> PluginId;

    /// The function that is meant by a name of an expression: the one of exactly that name, else the one of its common name, in
    /// lower case and without `_` (hrp spec 6.12).
    fn find(&self, name: &str) -> Option<PluginFunction>;

    /// The names of its functions, for "did you mean".
    fn names(&self) -> Vec<Arc<str>>;

    /// Makes a call and waits for its end. At load only: no core may block.
    fn call(&self, call: &mut PluginCall);
}

/// A plugin's number within the program, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PluginId(pub usize);

/// A function of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFunction {
    /// Its name in the plugin.
    pub name: Arc<str>,
    /// The plugin defines it, so it stands before a built-in function of the same name; one that the plugin only imports stands
    /// behind them: hrp does not know those at all.
    pub own: bool,
}

/// Why a plugin is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure {
    /// What is wrong, and with which file.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// hrp's exit code for it (hrp spec 13.6).
    pub exit_code: u8,
}

/// One call of a plugin's function, with room for its result; used again from call to call.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginCall {
    /// Whose function.
    pub plugin: PluginId,
    /// Its name in the plugin.
    pub function: Arc<str>,
    /// The arguments as a JSON array.
    pub arguments: String,
    /// How it ended.
    pub outcome: CallOutcome,
    /// What it gave: JSON where it returned, else what is wrong, in one line and without the function's name.
    pub answer: String,
}

/// How a call of a plugin's function ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It has not ended.
    Pending,
    /// It returned.
    Returned,
    /// The function failed: it raised, or returned what JSON cannot hold.
    Failed,
    /// The plugin failed: its process ended or did not answer in time.
    Lost,
}

/// A [`PluginSource`], shared.
#[derive(Debug, Clone)]
pub struct Plugins(pub Arc<dyn PluginSource>);

impl PartialEq for Plugins {
    /// True for the same source.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Plugins {}
