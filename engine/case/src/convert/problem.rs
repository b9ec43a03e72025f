//! What a conversion has to say.

use std::fmt;

use crate::load::code;

/// Why a file was not converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// From 1, where it is about a line of the text.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The exit code of hrp for it (hrp spec 13.6).
    pub exit_code: u8,
}

/// Something the reader of the converted case should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertNote {
    /// From 1, where it is about a line of the text.
    pub line: Option<usize>,
    /// What was left out or changed.
    pub message: String,
}

impl ConvertError {
    pub(super) fn new(line: impl Into<Option<usize>>, message: impl Into<String>) -> Self {
        ConvertError { line: line.into(), message: message.into(), help: None, exit_code: code::INVALID_CASE }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn with_code(mut self, exit_code: u8) -> Self {
        self.exit_code = exit_code;
        self
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.line, &self.message, f)
    }
}

impl std::error::Error for ConvertError {}

impl fmt::Display for ConvertNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.line, &self.message, f)
    }
}

fn show(line: Option<usize>, message: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match line {
        Some(line) => write!(f, "line {line}: {message}"),
        None => f.write_str(message),
    }
}

/// How many notes are kept: nobody reads more.
const MAX_NOTES: usize = 50;

/// Collects notes; one that is there already is not added again.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) list: Vec<ConvertNote>,
}

impl Notes {
    pub(super) fn add(&mut self, line: impl Into<Option<usize>>, message: impl Into<String>) {
        let note = ConvertNote { line: line.into(), message: message.into() };
        if self.list.len() < MAX_NOTES && !self.list.contains(&note) {
            self.list.push(note);
        }
    }
}

/// Where the lines of a text begin, so that asking for many is cheap.
#[derive(Debug)]
pub(super) struct Lines {
    /// Offsets of the line breaks.
    breaks: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Lines { breaks: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    /// The line of a byte, from 1.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.breaks.partition_point(|line_break| *line_break < offset) + 1
    }
}
