//! Files and folders given on a command line (hrp spec 1.1, 1.3, 1.9, 1.10).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use miette::Severity;

use super::{
    case::compile_case,
    diagnostic::{Diagnostic, LoadError},
    report::{code, Format, Report},
};
use crate::{
    document::{parse_json, parse_yaml, FileId, Node, NodeKind},
    Case,
};

/// The largest file that is read: no case comes near it, and a data file given by mistake should not fill the memory.
pub(crate) const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

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
    /// `--skip-broken`: a broken case found in a folder is a warning, and the others are loaded.
    pub skip_broken: bool,
    /// How URLs are put together.
    pub url_style: UrlStyle,
    /// For a functional run: what is wrong with one step only (an unknown function or assert, an undefined variable) is a warning,
    /// and that step a [`Step::Broken`](crate::Step::Broken).
    pub broken_steps: bool,
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
/// yet, an unknown assert, a variable that nothing defines; or that there is no case at all. A load that silently leaves out a
/// case measures another load than the one that was meant.
pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut loader = Loader { options, cases: Vec::new(), warnings: Vec::new(), errors: Vec::new() };
    for path in paths {
        if path.is_dir() {
            loader.load_folder(path, 0);
        } else {
            loader.load_file(path, Origin::Named);
        }
    }
    if loader.errors.is_empty() && loader.cases.is_empty() {
        let path = paths.first().cloned().unwrap_or_else(|| PathBuf::from("."));
        let help = "a test case is a .yml, .yaml or .json file with config and teststeps";
        loader.fail(path, code::GENERAL, "no test case found", help);
    }
    loader.finish()
}

/// Loads one case whose text is at hand; `name` stands for a file's path, and its extension says which format it is.
///
/// # Errors
/// As [`load`], and for a name whose extension is none of a test case.
pub fn load_text(name: &str, text: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut loader = Loader { options, cases: Vec::new(), warnings: Vec::new(), errors: Vec::new() };
    let path = Path::new(name);
    match format_of(path) {
        Some(format) => loader.load_text(path, format, text, Origin::Named),
        None => loader.fail_by_extension(path),
    }
    loader.finish()
}

/// How a file came to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It was named: whatever is wrong with it is an error.
    Named,
    /// It was found in a folder, where other files lie too.
    Found,
}

struct Loader<'a> {
    options: &'a LoadOptions,
    cases: Vec<Case>,
    warnings: Vec<Diagnostic>,
    errors: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn finish(self) -> Result<Loaded, LoadError> {
        if self.errors.is_empty() {
            Ok(Loaded { cases: self.cases, warnings: self.warnings })
        } else {
            Err(LoadError { diagnostics: self.errors })
        }
    }

    fn load_folder(&mut self, folder: &Path, depth: usize) {
        let mut entries: Vec<_> = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                return self.fail(folder.into(), code::FILE, &message, "check its path and permissions");
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
            } else if format_of(&path).is_some() {
                self.load_file(&path, Origin::Found);
            }
        }
    }

    fn load_file(&mut self, path: &Path, origin: Origin) {
        let Some(format) = format_of(path) else {
            // A missing file is missing, whatever its name would be.
            return match fs::metadata(path) {
                Ok(_) => self.fail_by_extension(path),
                Err(error) => self.fail_to_read(path, &error),
            };
        };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            // Folders of cases hold data too, which may be large.
            Err(error) if origin == Origin::Found && error.kind() == io::ErrorKind::FileTooLarge => return,
            Err(error) => return self.fail_to_read(path, &error),
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(_) if origin == Origin::Found && !mentions_teststeps(&bytes) => return,
            Err(error) => {
                let line = bytes[..error.valid_up_to()].split(|b| *b == b'\n').count();
                let code = if format == Format::Yaml { code::YAML } else { code::JSON };
                let message = format!("line {line} is not UTF-8 text");
                return self.fail(path.into(), code, &message, "save the file as UTF-8");
            }
        };
        self.load_text(path, format, text, origin);
    }

    fn load_text(&mut self, path: &Path, format: Format, text: &str, origin: Origin) {
        let mut report = Report::new(path.into(), format, text);
        let case = match parse(text, format, FileId::default()) {
            Ok(root) if origin == Origin::Found && !has_teststeps(&root) => return,
            Ok(root) => compile_case(&root, path.into(), self.options, &mut report),
            Err(_) if origin == Origin::Found && !mentions_teststeps(text.as_bytes()) => return,
            Err(error) => {
                let code = report.syntax_code(error.place);
                let name = if format == Format::Yaml { "YAML" } else { "JSON" };
                report.error(error.place, code, format!("broken {name}: {}", error.message)).label =
                    Some("here".into());
                None
            }
        };
        self.cases.extend(case);
        self.warnings.append(&mut report.warnings);
        self.errors.append(&mut report.errors);
    }

    fn fail_by_extension(&mut self, path: &Path) {
        let help = "test cases end in .yml, .yaml or .json";
        self.fail(path.into(), code::EXTENSION, "the extension is not one of a test case", help);
    }

    fn fail_to_read(&mut self, path: &Path, error: &io::Error) {
        let message = match error.kind() {
            io::ErrorKind::NotFound => "the file does not exist".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        };
        self.fail(path.into(), code::FILE, &message, "check its path and permissions");
    }

    fn fail(&mut self, path: PathBuf, exit_code: u8, message: &str, help: &str) {
        self.errors.push(Diagnostic {
            path,
            message: message.into(),
            label: None,
            help: Some(help.into()),
            severity: Severity::Error,
            exit_code,
            place: None,
        });
    }
}

/// The file's bytes, if they are not too many. What is no regular file, a pipe for example, is read up to the limit.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MAX_FILE_BYTES + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "yml" | "yaml" => Some(Format::Yaml),
        "json" => Some(Format::Json),
        _ => None,
    }
}

fn parse(text: &str, format: Format, file: FileId) -> Result<Node, crate::document::SyntaxError> {
    match format {
        Format::Yaml => parse_yaml(text, file),
        Format::Json => parse_json(text, file),
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
