//! Processes of plugins that speak gRPC: stock funppy, and a plugin that acts as those written in Go do.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pummel_case::{CallOutcome, Plugin, PluginCall, PluginSource};
use pummel_plugin::{PluginHost, PluginOptions, Reach, Runner, RunningPlugin, WorkerState};

/// Beyond any wait of a test that goes well.
const LONG: Duration = Duration::from_secs(60);
