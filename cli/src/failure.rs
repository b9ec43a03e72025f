//! The one diagnostic at the edge: what went wrong, where, what to do next, and the exit code that goes with it.

use std::{
    fmt,
    io::{IsTerminal, Write},
};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, Severity};

use crate::{
    exit,
    log::{diagnostics, Diagnostics},
};

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is shown.
    report: Box<dyn Diagnostic + Send + Sync>,
    /// What the process ends with.
    exit_code: u8,
}

impl Failure {
    /// Wrong usage: what is wrong, and what to do instead.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::with_code(exit::USAGE, message, help)
    }

    /// Any other end, with its exit code.
    pub(crate) fn with_code(exit_code: u8, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::notice(exit_code, message.into(), Some(help.into()))
    }

    /// An end whose sentence says itself what to do.
    pub(crate) fn without_help(exit_code: u8, message: impl Into<String>) -> Self {
        Self::notice(exit_code, message.into(), None)
    }

    fn notice(exit_code: u8, message: String, help: Option<String>) -> Self {
        Self::from_diagnostic(Notice { message, help, severity: Severity::Error }, exit_code)
    }

    /// A diagnostic of another crate, which knows more (the place in the user's file, for instance).
    pub(crate) fn from_diagnostic(report: impl Diagnostic + Send + Sync + 'static, exit_code: u8) -> Self {
        Self { report: Box::new(report), exit_code }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Shows it on stderr.
    pub(crate) fn print(&self) {
        print_diagnostic(self.report.as_ref());
    }

    /// The sentence, without help.
    pub(crate) fn message(&self) -> String {
        self.report.to_string()
    }

    /// What to do next.
    #[cfg(test)]
    pub(crate) fn help(&self) -> Option<String> {
        self.report.help().map(|help| help.to_string())
    }
}

/// Something the user should know although the command goes on.
pub(crate) fn warn(message: impl Into<String>, help: Option<String>) {
    print_diagnostic(&Notice { message: message.into(), help, severity: Severity::Warning });
}

/// Shows any diagnostic on stderr: as text, in colour on a terminal only, or as a JSON line (`--log-json`). One that holds
/// others comes after them. A closed stderr is no reason to fail.
pub(crate) fn print_diagnostic(diagnostic: &dyn Diagnostic) {
    let is_warning = diagnostic.severity() == Some(Severity::Warning);
    let Diagnostics { json, warnings } = diagnostics();
    if is_warning && !warnings {
        return;
    }
    if let Some(parts) = diagnostic.related() {
        parts.for_each(print_diagnostic);
        let help = diagnostic.help().map(|help| help.to_string());
        let severity = diagnostic.severity().unwrap_or_default();
        return print_diagnostic(&Notice { message: diagnostic.to_string(), help, severity });
    }
    if json {
        log_diagnostic(diagnostic, is_warning);
    } else {
        show_diagnostic(diagnostic);
    }
}

/// A line of the log.
fn log_diagnostic(diagnostic: &dyn Diagnostic, is_warning: bool) {
    let help = diagnostic.help().map(|help| help.to_string());
    let help = help.as_deref();
    if is_warning {
        tracing::warn!(help, "{diagnostic}");
    } else {
        tracing::error!(help, "{diagnostic}");
    }
}

/// Text for people, with the lines of the user's file around the place.
fn show_diagnostic(diagnostic: &dyn Diagnostic) {
    let stderr = std::io::stderr();
    let theme = match (stderr.is_terminal(), colour_wanted()) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let mut text = String::new();
    // Long enough that a sentence stays on one line in a log, where nobody wants it broken.
    let width = if stderr.is_terminal() { 100 } else { 400 };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(width);
    if handler.render_report(&mut text, diagnostic).is_err() {
        text = diagnostic.to_string();
    }
    let _ = writeln!(stderr.lock(), "{}", text.trim_end());
}

/// False where the environment says NO_COLOR (no-color.org). Whether there is a terminal is another question.
pub(crate) fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A diagnostic made of sentences.
#[derive(Debug)]
struct Notice {
    message: String,
    help: Option<String>,
    severity: Severity,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Notice {}

impl Diagnostic for Notice {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}
