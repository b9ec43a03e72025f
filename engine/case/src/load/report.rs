//! Collects what is wrong with one file.

use std::{cell::RefCell, ffi::OsStr, path::PathBuf, rc::Rc, sync::Arc};

use miette::{Severity, SourceSpan};

use super::{
    diagnostic::{Diagnostic, SourcePlace},
    excerpt::{Excerpt, UNDERLINED_BYTES_MAX},
    names::did_you_mean,
    project::{no_plugin_file, shown_path},
};
use crate::{
    document::{FileId, Place},
    expression::{CompileError, CompileErrorKind, Scope},
    function::Function,
    notice::Notice,
    project::ProjectPlugin,
    StepError, StepErrorKind,
};

/// Exit codes of hrp that loading can end with (hrp spec 13.6).
pub(crate) mod code {
    pub(crate) const GENERAL: u8 = 1;
    pub(crate) const FILE: u8 = 10;
    pub(crate) const JSON: u8 = 11;
    pub(crate) const YAML: u8 = 12;
    pub(crate) const ENV_FILE: u8 = 13;
    pub(crate) const CSV: u8 = 14;
    pub(crate) const INVALID_CASE: u8 = 15;
    pub(crate) const EXTENSION: u8 = 16;
    pub(crate) const REFERENCE: u8 = 17;
    pub(crate) const PARSE: u8 = 20;
    pub(crate) const UNDEFINED: u8 = 21;
    pub(crate) const FUNCTION_ARGUMENTS: u8 = 22;
    pub(crate) const FUNCTION: u8 = 23;
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

impl Format {
    /// The exit code of a file that is not of this form.
    pub(crate) fn syntax_code(self) -> u8 {
        match self {
            Format::Yaml => code::YAML,
            Format::Json => code::JSON,
        }
    }
}

/// Files that cases refer to, shared by the reports of all cases of a load. Nothing is ever taken out of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedFiles(Rc<RefCell<Vec<SourceFile>>>);

impl SharedFiles {
    /// Takes in a file. Its id is the same for every case.
    pub(crate) fn add(&self, path: PathBuf, format: Format, text: &str) -> FileId {
        let mut files = self.0.borrow_mut();
        files.push(SourceFile::new(path, format, text));
        // As many files as a u32 counts cannot be read in a lifetime.
        FileId(u32::try_from(files.len()).unwrap_or(u32::MAX))
    }
}

/// Errors and warnings of a case and the files it refers to, and what is needed to show them.
pub(crate) struct Report {
    /// The case's own file, [`FileId`] 0.
    own: SourceFile,
    referenced: SharedFiles,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// What callers fill in once enough is reported; never shown.
    beyond: Diagnostic,
}

/// A file that places point into.
#[derive(Debug, Clone)]
struct SourceFile {
    path: PathBuf,
    format: Format,
    source: Arc<Excerpt>,
}

impl SourceFile {
    fn new(path: PathBuf, format: Format, text: &str) -> Self {
        let source = Arc::new(Excerpt::new(&path.display().to_string(), text));
        SourceFile { path, format, source }
    }
}

impl Report {
    /// A report on a case.
    pub(crate) fn new(path: PathBuf, format: Format, text: &str, referenced: SharedFiles) -> Self {
        let own = SourceFile::new(path, format, text);
        let beyond = Diagnostic::error(own.path.clone(), 0, String::new());
        Report { own, referenced, errors: Vec::new(), warnings: Vec::new(), beyond }
    }

    /// The form of the file a place lies in.
    pub(crate) fn format_of(&self, place: Place) -> Format {
        self.with_file(place, |file| file.format)
    }

    fn with_file<T>(&self, place: Place, read: impl FnOnce(&SourceFile) -> T) -> T {
        match (place.file.0 as usize).checked_sub(1) {
            None => read(&self.own),
            Some(index) => read(self.referenced.0.borrow().get(index).unwrap_or(&self.own)),
        }
    }

    /// The exit code of a file that is not what its format, or a declared type, asks for.
    pub(crate) fn syntax_code(&self, place: Place) -> u8 {
        self.format_of(place).syntax_code()
    }

    pub(crate) fn error(&mut self, place: Place, exit_code: u8, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(place, Severity::Error, exit_code, message.into());
        add(&mut self.errors, diagnostic).unwrap_or(&mut self.beyond)
    }

    /// An error that concerns one step only: in a functional run the others can still run, and this one fails with `step_message`
    /// as its text, in hrp's words.
    pub(crate) fn step_error(
        &mut self,
        place: Place,
        exit_code: u8,
        message: impl Into<String>,
        step_message: &str,
    ) -> &mut Diagnostic {
        let (kind, step_code) = match exit_code {
            code::UNDEFINED | code::VARIABLES => (StepErrorKind::Variable, exit_code),
            code::CSV | code::FUNCTION_ARGUMENTS | code::FUNCTION => (StepErrorKind::Function, exit_code),
            // To a functional run a request or an assert that cannot be made is a step that failed.
            _ => (StepErrorKind::Request, code::GENERAL),
        };
        let diagnostic = self.error(place, exit_code, message);
        diagnostic.of_step = Some(StepError { kind, message: Arc::from(step_message), exit_code: step_code });
        diagnostic
    }

    pub(crate) fn warn(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(place, Severity::Warning, 0, message.into());
        add(&mut self.warnings, diagnostic).unwrap_or(&mut self.beyond)
    }

    /// A warning that is kept for the run, and given when what it says happens.
    pub(crate) fn notice(&self, place: Place, message: String) -> Notice {
        Notice::new(self.diagnostic(place, Severity::Warning, 0, message).to_string())
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
            CompileErrorKind::UnknownFunction(name) => {
                let message = format!("function {name} is not found");
                let plugin = scope.project.plugin.as_ref();
                let file_name = plugin.and_then(|plugin| plugin.file.file_name()).map(OsStr::to_string_lossy);
                let unusable = if plugin.is_none() { no_plugin_file(&scope.project) } else { None };
                let help = match (plugin.and_then(ProjectPlugin::open), file_name) {
                    _ if unusable.is_some() => {
                        let path = unusable.as_deref().map(shown_path).unwrap_or_default();
                        format!("{} is no file, so it gives no functions", path.display())
                    }
                    (None, Some(file)) => format!("the functions of {file} are not known here"),
                    (opened, file) => {
                        let of_plugin = opened.and_then(Result::ok).map(|plugin| plugin.names()).unwrap_or_default();
                        let built_in: Vec<&str> = Function::names().collect();
                        let names: Vec<&str> = of_plugin.iter().map(|name| &**name).chain(built_in).collect();
                        did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
                            let file = file.map(|file| format!(", those of {file} first")).unwrap_or_default();
                            format!("the functions are {}{file}", names.join(", "))
                        })
                    }
                };
                let step_message = format!("{message}: call function failed");
                let diagnostic = self.step_error(error.place, code::FUNCTION, message, &step_message);
                diagnostic.label = Some("unknown function".into());
                diagnostic.help = Some(help);
            }
            CompileErrorKind::Plugin(failure) => {
                // All calls of a project fail for it; it is said where the first stands.
                if !self.errors.iter().any(|error| error.message == failure.message) {
                    self.error(error.place, failure.exit_code, failure.message.clone()).help.clone_from(&failure.help);
                }
            }
            CompileErrorKind::Call { function, failure } => {
                let message = format!("call function {function} failed: {}", failure.reason);
                let shown = match &failure.file {
                    Some(file) => format!("{message} ({})", file.display()),
                    None => message.clone(),
                };
                self.step_error(error.place, failure.exit_code, shown, &message);
            }
            CompileErrorKind::NotConstant(name) => {
                let message = format!("function {name} is called once, at load, with a value that is known only later");
                self.error(error.place, code::FUNCTION_ARGUMENTS, message);
            }
            CompileErrorKind::TooLarge => {
                let message = "variables put into each other grow too large here, or nest too deep";
                self.error(error.place, code::VARIABLES, message);
            }
            CompileErrorKind::Undefined(name) if scope.is_missing_by_mistake(name) => {}
            CompileErrorKind::Undefined(name) => {
                let message = format!("variable {name} not found: nothing before this place defines it");
                let enough = self.errors.len() >= MAX_REPORTED;
                let help = if enough { None } else { did_you_mean(name, scope.names()) };
                let step_message = format!("variable {name} not found");
                let diagnostic = self.step_error(error.place, undefined_code, message, &step_message);
                diagnostic.label = Some("undefined variable".into());
                diagnostic.help = help.or_else(|| {
                    Some("define it in config.variables, with -e, or extract it in an earlier step".into())
                });
            }
        }
    }

    /// Turns errors from number `first` on into warnings, and gives what a functional run says of the first of them; none, and
    /// nothing is changed, where there are none or one concerns more than its step.
    pub(crate) fn take_broken_step(&mut self, first: usize) -> Option<StepError> {
        let errors = self.errors.get(first..)?;
        let error = errors.first()?.of_step.clone()?;
        if errors.iter().any(|error| error.of_step.is_none()) {
            return None;
        }
        for mut warning in self.errors.split_off(first) {
            warning.severity = Severity::Warning;
            warning.exit_code = 0;
            add(&mut self.warnings, warning);
        }
        Some(error)
    }

    /// Puts what was found into the order in which it stands in each file.
    pub(crate) fn sort(&mut self) {
        for list in [&mut self.errors, &mut self.warnings] {
            let files: Vec<PathBuf> = list.iter().map(|one| one.path.clone()).collect();
            list.sort_by_cached_key(|one| (files.iter().position(|path| *path == one.path), one.line_column()));
        }
    }

    fn diagnostic(&self, place: Place, severity: Severity, exit_code: u8, message: String) -> Diagnostic {
        self.with_file(place, |file| {
            let text = file.source.text();
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
            let error = Diagnostic::error(file.path.clone(), exit_code, message);
            Diagnostic { severity, place: Some(place), ..error }
        })
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
    let line = text.split('\n').next().unwrap_or_default().trim_end();
    line.floor_char_boundary(UNDERLINED_BYTES_MAX)
}
