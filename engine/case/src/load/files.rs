//! Files and folders given on a command line (hrp spec 1.1, 1.3, 1.9, 1.10).

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    str::Utf8Error,
};

use miette::Severity;

use super::{
    case::compile_case,
    context::{format_of, parse, read, report_syntax, Context},
    diagnostic::{Diagnostic, LoadError},
    report::{code, Format, Report},
};
use crate::{
    document::{self, FileId, Node, NodeKind},
    Case, Credentials, Plugins,
};

/// How deep folders are searched.
const MAX_FOLDER_DEPTH: usize = 32;

/// What stands above the files themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// `--base-url`: stands in place of `base_url` in every case.
    pub base_url: Option<String>,
    /// `-e NAME=value` and `--env-file`: variables above `config.variables` and `config.environs`; of one name the last counts.
    /// Their values are text, and data: a `$` in one means nothing.
    pub variables: Vec<(String, String)>,
    /// `--project-dir`: the project's root, in place of the search for one (hrp spec 5.1).
    pub project_dir: Option<PathBuf>,
    /// `--skip-broken`: a broken case found in a folder is left out with a warning, and the others are loaded.
    pub skip_broken: bool,
    /// How URLs are put together.
    pub url_style: UrlStyle,
    /// For a functional run: what is wrong with one step only (an unknown function or assert, an undefined variable) is a warning,
    /// and that step a [`Step::Broken`](crate::Step::Broken).
    pub broken_steps: bool,
    /// Credentials of requests for which neither the case nor the URL gives any.
    pub auth: Option<Credentials>,
    /// What starts the plugins of projects; without it their functions are unknown.
    pub plugins: Option<Plugins>,
}

/// How a request's URL is put together from `base_url` and `url` (hrp spec 11.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UrlStyle {
    /// As the author wrote it.
    #[default]
    Exact,
    /// As hrp 4.3.6 sends it: a `/` at the end of a path without query, `%2F` decoded.
    Hrp436,
}

/// Cases ready to run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// In the order given, a folder's in lexical order. At least one.
    pub cases: Vec<Case>,
    /// What is not as its author may think.
    pub warnings: Vec<Diagnostic>,
}

/// Loads every case of files and folders. A folder is searched with its sub-folders, except those that begin with a dot; files
/// in it that are no test cases (no `teststeps`) are passed over.
///
/// # Errors
/// Everything that is wrong with any case, named or found in a folder: it is missing or broken, holds a key that is not built
/// yet, an unknown assert, a variable that nothing defines, a reference to a file that is missing; or that there is no case at
/// all. A load that silently leaves out a case measures another load than the one that was meant. Cases found in folders are left
/// out where [`LoadOptions::skip_broken`] says so, each with a warning, as long as any case is left.
pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new(options);
    if let Some(root) = options.project_dir.as_ref().filter(|root| !root.is_dir()) {
        let help = "--project-dir names the folder that references start from";
        loader.fail(Origin::Named, root.clone(), code::FILE, "the project's root is no folder".into(), help);
        return loader.finish();
    }
    for path in paths {
        if path.is_dir() {
            loader.load_folder(path, 0);
        } else {
            loader.load_file(path, Origin::Named);
        }
    }
    if loader.errors.is_empty() && loader.cases.is_empty() {
        let path = paths.first().cloned().unwrap_or_else(|| PathBuf::from("."));
        if loader.skipped.is_empty() {
            let help = "a test case is a .yml, .yaml or .json file with config and teststeps";
            loader.fail(Origin::Named, path, code::GENERAL, "no test case found".into(), help);
        } else {
            let help = "what is wrong with each follows";
            loader.fail(Origin::Named, path, code::GENERAL, "no test case is left: all are broken".into(), help);
            loader.errors.append(&mut loader.skipped);
        }
    }
    loader.finish()
}

/// Loads one case whose text is at hand; `name` stands for a file's path, and its extension says which format it is. References
/// in it start at the working directory, unless a project's folder is given.
///
/// # Errors
/// As [`load`], and for a name whose extension is none of a test case.
pub fn load_text(name: &str, text: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new(options);
    let path = Path::new(name);
    match format_of(path) {
        Some(format) => loader.load_text(path, format, text, Origin::Given),
        None => loader.fail_by_extension(path),
    }
    loader.finish()
}

/// How a case came to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Its file was named: whatever is wrong with it is an error.
    Named,
    /// Its file was found in a folder, where other files lie too.
    Found,
    /// There is no file.
    Given,
}

/// Line and column, where there are any.
type Place = Option<(usize, usize)>;

struct Loader<'a> {
    context: Context<'a>,
    cases: Vec<Case>,
    warnings: Vec<Diagnostic>,
    errors: Vec<Diagnostic>,
    /// Errors of cases that are left out.
    skipped: Vec<Diagnostic>,
    /// What is said already: cases that refer to one file find the same mistakes in it.
    said: HashSet<(PathBuf, Place, String)>,
}

impl<'a> Loader<'a> {
    fn new(options: &'a LoadOptions) -> Self {
        Loader {
            context: Context::new(options),
            cases: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
            skipped: Vec::new(),
            said: HashSet::new(),
        }
    }

    fn finish(self) -> Result<Loaded, LoadError> {
        if self.errors.is_empty() {
            Ok(Loaded { cases: self.cases, warnings: self.warnings })
        } else {
            Err(LoadError { diagnostics: self.errors, warnings: self.warnings })
        }
    }

    fn load_folder(&mut self, folder: &Path, depth: usize) {
        let mut entries: Vec<_> = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                let help = "check its path and permissions";
                return self.fail(Origin::Found, folder.into(), code::FILE, message, help);
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            // A link to a folder is not followed: it may lead back here.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                if !hidden && depth < MAX_FOLDER_DEPTH {
                    self.load_folder(&path, depth + 1);
                }
            } else if format_of(&path).is_some() && (path.is_file() || !path.exists()) {
                self.load_file(&path, Origin::Found);
            }
        }
    }

    fn load_file(&mut self, path: &Path, origin: Origin) {
        let Some(format) = format_of(path) else {
            // A missing file is missing, whatever its name would be.
            return match fs::metadata(path) {
                Ok(_) => self.fail_by_extension(path),
                Err(error) => self.fail_to_read(path, origin, &error),
            };
        };
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            // A pipe could let the load wait for ever.
            let help = "save what it gives into a file, and name that";
            return self.fail(origin, path.into(), code::FILE, "this is no regular file".into(), help);
        }
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            // Folders of cases hold data too, which may be large.
            Err(error) if origin == Origin::Found && error.kind() == io::ErrorKind::FileTooLarge => return,
            Err(error) => return self.fail_to_read(path, origin, &error),
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(_) if origin == Origin::Found && !mentions_teststeps(&bytes) => return,
            Err(error) => return self.fail_by_encoding(path, format, &bytes, error, origin),
        };
        self.load_text(path, format, text, origin);
    }

    fn load_text(&mut self, path: &Path, format: Format, text: &str, origin: Origin) {
        let mut report = Report::new(path.into(), format, text, self.context.files.clone());
        let case = match parse(text, format, FileId::default()) {
            Ok(root) if origin == Origin::Found && !has_teststeps(&root) => return,
            Ok(root) => {
                let project = self.context.project(path, origin != Origin::Given, &mut report);
                compile_case(&root, path, &project, &self.context, &mut report)
            }
            Err(_) if origin == Origin::Found && !mentions_teststeps(text.as_bytes()) => return,
            Err(error) => {
                report_syntax(&error, &mut report);
                None
            }
        };
        self.cases.extend(case);
        report.sort();
        for warning in report.warnings {
            if self.is_new(&warning) {
                self.warnings.push(warning);
            }
        }
        for error in report.errors {
            self.add_error(error, origin);
        }
    }

    fn fail_by_encoding(&mut self, path: &Path, format: Format, bytes: &[u8], error: Utf8Error, origin: Origin) {
        // Up to the first wrong byte the text is the file's own, and so is the place.
        let text = String::from_utf8_lossy(bytes);
        let mut report = Report::new(path.into(), format, &text, self.context.files.clone());
        let place = document::Place { file: FileId::default(), offset: error.valid_up_to(), len: 0 };
        let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let error = report.error(place, format.syntax_code(), "this is not UTF-8 text");
        error.help = Some(
            if is_utf_16 { "it looks like UTF-16: save the file as UTF-8" } else { "save the file as UTF-8" }.into(),
        );
        for error in report.errors {
            self.add_error(error, origin);
        }
    }

    fn fail_by_extension(&mut self, path: &Path) {
        let help = "test cases end in .yml, .yaml or .json";
        self.fail(Origin::Named, path.into(), code::EXTENSION, "the extension is not one of a test case".into(), help);
    }

    fn fail_to_read(&mut self, path: &Path, origin: Origin, error: &io::Error) {
        let message = match error.kind() {
            io::ErrorKind::NotFound => match fs::read_link(path) {
                Ok(target) => format!("it is a link to {}, which does not exist", target.display()),
                Err(_) => "the file does not exist".to_owned(),
            },
            _ => format!("the file cannot be read: {error}"),
        };
        self.fail(origin, path.into(), code::FILE, message, "check its path and permissions");
    }

    fn fail(&mut self, origin: Origin, path: PathBuf, exit_code: u8, message: String, help: &str) {
        let error = Diagnostic { help: Some(help.into()), ..Diagnostic::error(path, exit_code, message) };
        self.add_error(error, origin);
    }

    /// A broken case is an error, or a warning where it was found in a folder and may be left out.
    fn add_error(&mut self, error: Diagnostic, origin: Origin) {
        if !self.is_new(&error) {
            return;
        }
        if origin == Origin::Found && self.context.options.skip_broken {
            let message = format!("this case is left out: {}", error.message);
            self.warnings.push(Diagnostic { message, severity: Severity::Warning, exit_code: 0, ..error.clone() });
            self.skipped.push(error);
        } else {
            self.errors.push(error);
        }
    }

    fn is_new(&mut self, diagnostic: &Diagnostic) -> bool {
        self.said.insert((diagnostic.path.clone(), diagnostic.line_column(), diagnostic.message.clone()))
    }
}

/// Whether a file that cannot be read as YAML or JSON is meant as a test case.
fn mentions_teststeps(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"teststeps";
    bytes.windows(KEY.len()).any(|window| window.eq_ignore_ascii_case(KEY))
}

fn has_teststeps(root: &Node) -> bool {
    matches!(&root.kind, NodeKind::Map(entries) if entries.iter().any(|(key, _)| key.text.eq_ignore_ascii_case("teststeps")))
}
