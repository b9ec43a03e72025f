//! Diagnostics of the program on stderr (`--log-level`, `--log-json`). Nothing is logged on the request path.

use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::flags::LogLevel;

/// How a person, or a program, wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Diagnostics {
    /// One JSON object a line rather than text for people.
    pub(crate) json: bool,
    /// Warnings are shown; errors always are, but for JSON with `--log-level off`.
    pub(crate) warnings: bool,
}

static CHOSEN: OnceLock<Diagnostics> = OnceLock::new();

/// What was chosen; text with warnings until [`start`] was called.
pub(crate) fn diagnostics() -> Diagnostics {
    CHOSEN.get().copied().unwrap_or(Diagnostics { json: false, warnings: true })
}

/// What plugins print and log has this target.
const PLUGIN_TARGET: &str = "plugin";

/// Starts logging. To be called once, before anything else runs. With `plugins` the output of plugins is shown whatever the level.
pub(crate) fn start(level: LogLevel, json: bool, plugins: bool) {
    let level = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    };
    let _ = CHOSEN.set(Diagnostics { json, warnings: level >= LevelFilter::WARN });
    // A stderr nobody reads must not end the run, so failures to write are not reported on it either.
    let of_plugins = if plugins { level.max(LevelFilter::DEBUG) } else { level };
    let log =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(of_plugins).log_internal_errors(false);
    let shown = Targets::new().with_default(level).with_target(PLUGIN_TARGET, of_plugins);
    if json {
        log.json().finish().with(shown).init();
    } else {
        log.finish().with(shown).init();
    }
}
