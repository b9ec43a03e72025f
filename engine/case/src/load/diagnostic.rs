//! What is wrong with a file, as a person reads it.

use std::{fmt, path::PathBuf, sync::Arc};

use miette::{LabeledSpan, Severity, SourceCode, SourceSpan};

use super::excerpt::{harmless, Excerpt};
use crate::StepError;

/// One error or warning, with its place in the user's file.
///
/// Its text names file, line and column, so it is complete without a fancy renderer; [`miette::Diagnostic`] adds the lines
/// around the place and a help text.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub(crate) path: PathBuf,
    pub(crate) message: String,
    pub(crate) label: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) exit_code: u8,
    pub(crate) place: Option<SourcePlace>,
    /// What a functional run says of it, where it concerns one step only.
    pub(crate) of_step: Option<StepError>,
}

/// A place in a file, with the file's text for showing it.
#[derive(Debug, Clone)]
pub(crate) struct SourcePlace {
    pub(crate) source: Arc<Excerpt>,
    pub(crate) span: SourceSpan,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub(crate) fn error(path: PathBuf, exit_code: u8, message: String) -> Self {
        Diagnostic {
            path,
            message,
            label: None,
            help: None,
            severity: Severity::Error,
            exit_code,
            place: None,
            of_step: None,
        }
    }

    /// The file it is about.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Line and column, both from 1, where it is about a place in the file.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }

    /// The exit code of hrp for it (hrp spec 13.6); 0 for a warning.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", harmless(&self.path.display().to_string()))?;
        if let Some(place) = &self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        write!(f, " {}", harmless(&self.message))
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(harmless(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &*place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = LabeledSpan::new_with_span(self.label.clone(), place.span);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Why nothing was loaded: every error of every file. At least one.
#[derive(Debug, Clone)]
pub struct LoadError {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl LoadError {
    /// Every error, in the order of files and places.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Every warning of every file. An unknown key, for example, is often what the errors come from.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The exit code of the first error (hrp spec 13.6): 10 a file that cannot be read, 11 JSON, 12 YAML, 13 a
    /// `.env` file, 15 an invalid case, 16 an unknown extension, 17 a referenced file that is missing, 21 an undefined variable, 24
    /// variables that cannot be evaluated, 1 where no case was found.
    pub fn exit_code(&self) -> u8 {
        self.diagnostics.first().map_or(1, Diagnostic::exit_code)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.diagnostics[..] {
            [one] => one.fmt(f),
            several => write!(f, "{} errors in the test cases", several.len()),
        }
    }
}

impl std::error::Error for LoadError {}

impl miette::Diagnostic for LoadError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.single()?.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.single()?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.single()?.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.diagnostics.len() < 2 {
            return None;
        }
        Some(Box::new(self.diagnostics.iter().map(|one| one as &dyn miette::Diagnostic)))
    }
}

impl LoadError {
    fn single(&self) -> Option<&dyn miette::Diagnostic> {
        match &self.diagnostics[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}
