//! What a plugin's process writes becomes lines of our log, under the target `plugin`.

use std::time::{Duration, Instant};

/// Lines a second and process that are warnings or errors; what is beyond is logged at debug level, so that a function that warns in every
/// call does not fill a terminal while load is made.
const LOUD_LINES_MAX: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// The log of one process.
#[derive(Debug)]
pub(crate) struct Log {
    pid: i32,
    /// Nothing of it is logged: the process is not the plugin itself.
    silent: bool,
    /// The last line of the standard error output that says something, bounded as lines are.
    last_line: String,
    second_began: Instant,
    loud_lines: u32,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Debug,
}

impl Log {
    pub(crate) fn new(pid: i32) -> Self {
        Self { pid, silent: false, last_line: String::new(), second_began: Instant::now(), loud_lines: 0 }
    }

    /// From now on only the last line is kept, and nothing is said.
    pub(crate) fn silence(&mut self) {
        self.silent = true;
    }

    /// A line of the standard output: what the user's functions print.
    pub(crate) fn output(&self, line: &[u8]) {
        self.say(Level::Debug, line);
    }

    /// A line of the standard error output: log lines, tracebacks.
    pub(crate) fn error(&mut self, line: &[u8]) {
        if !line.trim_ascii().is_empty() {
            self.last_line.clear();
            self.last_line.push_str(&String::from_utf8_lossy(line));
        }
        let level = self.quietened(level(line));
        self.say(level, line);
    }

    /// See the field.
    pub(crate) fn last_line(&self) -> &str {
        self.last_line.trim()
    }

    fn quietened(&mut self, level: Level) -> Level {
        if level == Level::Debug {
            return level;
        }
        let now = Instant::now();
        if now.duration_since(self.second_began) >= SECOND {
            (self.second_began, self.loud_lines) = (now, 0);
        }
        self.loud_lines = self.loud_lines.saturating_add(1);
        if self.loud_lines > LOUD_LINES_MAX {
            return Level::Debug;
        }
        level
    }

    fn say(&self, level: Level, line: &[u8]) {
        let pid = self.pid;
        if self.silent {
            return;
        }
        match level {
            Level::Error => tracing::error!(target: "plugin", pid, "{}", String::from_utf8_lossy(line)),
            Level::Warning => tracing::warn!(target: "plugin", pid, "{}", String::from_utf8_lossy(line)),
            Level::Debug => tracing::debug!(target: "plugin", pid, "{}", String::from_utf8_lossy(line)),
        }
    }
}

/// How loud a line of the standard error output is, by the names of levels that Python's logging and Go's hclog write.
fn level(line: &[u8]) -> Level {
    if let Some(value) = value_of_level(line) {
        return match value {
            b"error" => Level::Error,
            b"warn" => Level::Warning,
            _ => Level::Debug,
        };
    }
    let mut level = Level::Debug;
    for word in line.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
        match word {
            b"ERROR" | b"CRITICAL" | b"FATAL" => return Level::Error,
            b"WARNING" | b"WARN" => level = Level::Warning,
            _ => {}
        }
    }
    level
}

/// The level in a line of hclog's JSON: `"@level":"error"`.
fn value_of_level(line: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"@level\":\"";
    if !line.starts_with(b"{") {
        return None;
    }
    let at = line.windows(KEY.len()).position(|bytes| bytes == KEY)?;
    line[at + KEY.len()..].split(|byte| *byte == b'"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_that_logging_libraries_write() {
        let cases: [(&[u8], Level); 9] = [
            (b"ERROR:root:no user", Level::Error),
            (b"2026-01-01 12:00:00,000 - app - CRITICAL - lost", Level::Error),
            (b"WARNING:root:slow", Level::Warning),
            (b"2026-01-01T12:00:00.000+0100 [ERROR] plugin: panic", Level::Error),
            (b"2026-01-01T12:00:00.000+0100 [WARN]  plugin: slow", Level::Warning),
            (b"{\"@level\":\"error\",\"@message\":\"x\"}", Level::Error),
            (b"{\"@level\":\"info\",\"@message\":\"an ERROR of old\"}", Level::Debug),
            (b"INFO:root:register function: f", Level::Debug),
            (b"NO_ERRORS and TERRORS", Level::Debug),
        ];
        for (line, expected) in cases {
            assert_eq!(level(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_flood_of_warnings_is_quietened() {
        let mut log = Log::new(1);
        // Ten times the limit: however slow this machine is, the last are beyond it, unless ten seconds pass.
        let loud = (0..LOUD_LINES_MAX * 10).filter(|_| log.quietened(Level::Warning) == Level::Warning).count();
        assert!(loud < LOUD_LINES_MAX as usize * 10, "{loud}");
        assert_eq!(log.quietened(Level::Debug), Level::Debug);
    }

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        let mut log = Log::new(1);
        log.error(b"Traceback (most recent call last):");
        log.error(b"ValueError: no");
        log.error(b"  ");
        log.output(b"bye");
        assert_eq!(log.last_line(), "ValueError: no");
    }
}
