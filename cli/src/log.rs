//! Diagnostics of the program on stderr (`--log-level`, `--log-json`). Nothing is logged on the request path.

use tracing::level_filters::LevelFilter;

use crate::flags::LogLevel;

/// Starts logging. To be called once, before anything else runs.
pub(crate) fn start(level: LogLevel, json: bool) {
    let level = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    };
    // A stderr nobody reads must not end the run, so failures to write are not reported on it either.
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        log.init();
    }
}
