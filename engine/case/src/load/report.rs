//! Collects what is wrong with one file.

use std::{path::PathBuf, sync::Arc};

use miette::{NamedSource, Severity, SourceSpan};

use super::{
    diagnostic::{Diagnostic, SourcePlace},
    names::did_you_mean,
};
use crate::{
    document::{FileId, Place},
    expression::{CompileError, CompileErrorKind, Scope},
};

/// Exit codes of hrp that loading can end with (hrp spec 13.6).
pub(crate) mod code {
    pub(crate) const GENERAL: u8 = 1;
    pub(crate) const FILE: u8 = 10;
    pub(crate) const JSON: u8 = 11;
    pub(crate) const YAML: u8 = 12;
    pub(crate) const INVALID_CASE: u8 = 15;
    pub(crate) const EXTENSION: u8 = 16;
    pub(crate) const PARSE: u8 = 20;
    pub(crate) const UNDEFINED: u8 = 21;
    pub(crate) const VARIABLES: u8 = 24;
}

/// How many errors, and how many warnings, of one file are kept: nobody reads more, and a file made of mistakes should not take
/// minutes to say so.
const MAX_REPORTED: usize = 50;

/// The form of a file, from its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// Errors and warnings of a case and the files it refers to, and what is needed to show them.
pub(crate) struct Report {
    /// By [`FileId`]; the case's own first.
    files: Vec<SourceFile>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// What callers fill in once enough is reported; never shown.
    beyond: Diagnostic,
}

/// A file that places point into.
struct SourceFile {
    path: PathBuf,
    format: Format,
    source: Arc<NamedSource<String>>,
}

impl Report {
    /// A report on a case, whose own file is the first.
    pub(crate) fn new(path: PathBuf, format: Format, text: &str) -> Self {
        let beyond = Diagnostic {
            path: path.clone(),
            message: String::new(),
            label: None,
            help: None,
            severity: Severity::Error,
            exit_code: 0,
            place: None,
        };
        let mut report = Report { files: Vec::new(), errors: Vec::new(), warnings: Vec::new(), beyond };
        report.add_file(path, format, text);
        report
    }

    /// Takes in a file the case refers to; none when there are too many.
    pub(crate) fn add_file(&mut self, path: PathBuf, format: Format, text: &str) -> Option<FileId> {
        let id = FileId(u16::try_from(self.files.len()).ok()?);
        let source = Arc::new(NamedSource::new(path.display().to_string(), text.to_owned()));
        self.files.push(SourceFile { path, format, source });
        Some(id)
    }

    /// The form of the file a place lies in.
    pub(crate) fn format_of(&self, place: Place) -> Format {
        self.file(place).format
    }

    fn file(&self, place: Place) -> &SourceFile {
        &self.files[usize::from(place.file.0)]
    }

    /// The exit code of a file that is not what its format, or a declared type, asks for.
    pub(crate) fn syntax_code(&self, place: Place) -> u8 {
        match self.format_of(place) {
            Format::Yaml => code::YAML,
            Format::Json => code::JSON,
        }
    }

    pub(crate) fn error(&mut self, place: Place, exit_code: u8, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(place, Severity::Error, exit_code, message.into());
        add(&mut self.errors, diagnostic).unwrap_or(&mut self.beyond)
    }

    pub(crate) fn warn(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(place, Severity::Warning, 0, message.into());
        add(&mut self.warnings, diagnostic).unwrap_or(&mut self.beyond)
    }

    /// A key of the language that hrp knows and this program does not run yet.
    pub(crate) fn not_built(&mut self, place: Place, what: &str) {
        let error = self.error(place, code::INVALID_CASE, format!("{what} is not built yet"));
        error.label = Some("not built yet".into());
        error.help = Some("take it out to run the rest of the case".into());
    }

    /// An expression that cannot be compiled.
    pub(crate) fn expression(&mut self, error: &CompileError, scope: &Scope, undefined_code: u8) {
        match &error.kind {
            CompileErrorKind::Call(name) => self.not_built(error.place, &format!("the function call ${{{name}(...)}}")),
            CompileErrorKind::TooLarge => {
                let message = "variables put into each other grow too large here, or nest too deep";
                self.error(error.place, code::VARIABLES, message);
            }
            CompileErrorKind::Undefined(name) => {
                let message = format!("variable {name} not found: nothing before this place defines it");
                let enough = self.errors.len() >= MAX_REPORTED;
                let help = if enough { None } else { did_you_mean(name, scope.names()) };
                let diagnostic = self.error(error.place, undefined_code, message);
                diagnostic.label = Some("undefined variable".into());
                diagnostic.help = help.or_else(|| {
                    Some("define it in config.variables, with -e, or extract it in an earlier step".into())
                });
            }
        }
    }

    fn diagnostic(&self, place: Place, severity: Severity, exit_code: u8, message: String) -> Diagnostic {
        let file = self.file(place);
        let text = file.source.inner();
        // What is missing at the end is missing behind the last thing that stands there.
        let offset = place.offset.min(text.trim_end().len());
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let place = SourcePlace {
            source: file.source.clone(),
            span: SourceSpan::from((offset, shown_len(text.get(offset..).unwrap_or_default(), place.len))),
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        };
        Diagnostic {
            path: file.path.clone(),
            message,
            label: None,
            help: None,
            severity,
            exit_code,
            place: Some(place),
        }
    }
}

/// Adds one that is new, and gives it; what the config says is compiled into every step, and said once.
fn add(list: &mut Vec<Diagnostic>, diagnostic: Diagnostic) -> Option<&mut Diagnostic> {
    let known = list.iter().any(|one| {
        one.line_column() == diagnostic.line_column()
            && one.message == diagnostic.message
            && one.path == diagnostic.path
    });
    if known || list.len() >= MAX_REPORTED {
        return None;
    }
    list.push(diagnostic);
    list.last_mut()
}

/// A label under the first line of a place: pointing at a whole block helps nobody.
fn shown_len(text: &str, len: usize) -> usize {
    let text = text.get(..len).unwrap_or_default();
    text.split('\n').next().unwrap_or_default().trim_end().len()
}
