//! What the cases of one load share: options, files they refer to, projects.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    project::{absolute, shown_path, Environment},
    report::{code, Format, Report, SharedFiles},
    LoadOptions,
};
use crate::{
    document::{parse_json, parse_yaml, FileId, Node, Place, SyntaxError},
    project::{Project, ProjectPlugin},
};

/// The largest file that is read: no case comes near it, and a data file given by mistake should not fill the memory.
pub(crate) const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How much all files that cases refer to may hold together: their texts and trees stay in memory while cases are loaded.
const MAX_REFERENCED_BYTES: u64 = 64 * 1024 * 1024;

/// What is read once for all cases.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a LoadOptions,
    pub(crate) files: SharedFiles,
    /// Files that cases refer to, by their real path.
    references: RefCell<HashMap<PathBuf, Rc<Reference>>>,
    referenced_bytes: Cell<u64>,
    /// What stands in the `.env` of each root.
    pub(crate) environments: RefCell<HashMap<PathBuf, Environment>>,
    /// The plugins of projects, by their files.
    pub(crate) plugins: RefCell<HashMap<PathBuf, ProjectPlugin>>,
    /// The root found from each folder.
    pub(crate) roots: RefCell<HashMap<PathBuf, Option<PathBuf>>>,
}

/// A file a case refers to.
pub(crate) struct Reference {
    /// Where it lies, links resolved: two references to one file are the same.
    pub(crate) real_path: PathBuf,
    /// Its path from the root of the project that named it first.
    pub(crate) path: PathBuf,
    tree: Result<Node, SyntaxError>,
    /// How many values it holds.
    pub(crate) values: usize,
}

impl Reference {
    /// Its tree; an error of the report where it is broken.
    pub(crate) fn tree(&self, report: &mut Report) -> Option<&Node> {
        match &self.tree {
            Ok(tree) => Some(tree),
            Err(error) => {
                report_syntax(error, report);
                None
            }
        }
    }
}

impl<'a> Context<'a> {
    pub(crate) fn new(options: &'a LoadOptions) -> Self {
        Context {
            options,
            files: SharedFiles::default(),
            references: RefCell::default(),
            referenced_bytes: Cell::new(0),
            environments: RefCell::default(),
            plugins: RefCell::default(),
            roots: RefCell::default(),
        }
    }

    /// Reads a file that a case refers to at `place`, once for all references. `searched` are the folders it may lie in, in order.
    pub(crate) fn reference(
        &self,
        written: &str,
        searched: &[&Path],
        place: Place,
        report: &mut Report,
    ) -> Option<Rc<Reference>> {
        // As in Go, where joining makes no difference between a relative and an absolute path.
        let relative = written.trim_start_matches('/');
        let found = searched.iter().map(|folder| folder.join(relative)).chain([PathBuf::from(written)]);
        let found = found.filter(|path| path.is_absolute()).find(|path| !relative.is_empty() && path.exists());
        let Some(path) = found else {
            let root = searched.first().copied().unwrap_or(Path::new("/"));
            let error = report.error(place, code::REFERENCE, format!("the referenced file {written:?} does not exist"));
            error.label = Some("referenced here".into());
            error.help = Some(format!("paths of referenced files start at the project's root, {}", root.display()));
            return None;
        };
        let path = absolute(&path);
        let real_path = path.canonicalize().unwrap_or_else(|_| path.clone());
        if let Some(known) = self.references.borrow().get(&real_path) {
            return Some(known.clone());
        }
        let reference = self.read_reference(&path, real_path.clone(), place, report)?;
        self.references.borrow_mut().insert(real_path, reference.clone());
        Some(reference)
    }

    fn read_reference(
        &self,
        path: &Path,
        real_path: PathBuf,
        place: Place,
        report: &mut Report,
    ) -> Option<Rc<Reference>> {
        let mut fail = |exit_code, message: String| {
            report.error(place, exit_code, message).label = Some("referenced here".into());
            None
        };
        let shown = shown_path(path);
        let name = shown.display();
        let Some(format) = format_of(path) else {
            return fail(code::EXTENSION, format!("{name}: the extension is not .yml, .yaml or .json"));
        };
        // A pipe could let the load wait for ever.
        if !path.is_file() {
            return fail(code::REFERENCE, format!("{name} is no regular file"));
        }
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) => return fail(code::REFERENCE, format!("{name} cannot be read: {error}")),
        };
        self.referenced_bytes.set(self.referenced_bytes.get() + bytes.len() as u64);
        if self.referenced_bytes.get() > MAX_REFERENCED_BYTES {
            let limit = MAX_REFERENCED_BYTES >> 20;
            return fail(code::REFERENCE, format!("{name}: referenced files hold more than {limit} MiB together"));
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(error) => {
                let line = line_of(&bytes, error);
                return fail(format.syntax_code(), format!("{name}: line {line} is not UTF-8 text"));
            }
        };
        let file = self.files.add(shown.clone(), format, text);
        let tree = parse(text, format, file);
        let values = tree.as_ref().map_or(0, Node::count);
        Some(Rc::new(Reference { real_path, path: path.to_owned(), tree, values }))
    }
}

impl Project {
    /// The one folder that `api` and `testcase` references start from (hrp spec 5.3).
    pub(crate) fn reference_folders(&self) -> [&Path; 1] {
        [&self.root]
    }
}

/// The file's bytes, if they are not too many. What is no regular file, a pipe for example, is read up to the limit.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MAX_FILE_BYTES + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The line, from 1, in which bytes stop being UTF-8.
pub(crate) fn line_of(bytes: &[u8], error: std::str::Utf8Error) -> usize {
    bytes[..error.valid_up_to()].split(|b| *b == b'\n').count()
}

pub(crate) fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "yml" | "yaml" => Some(Format::Yaml),
        "json" => Some(Format::Json),
        _ => None,
    }
}

pub(crate) fn parse(text: &str, format: Format, file: FileId) -> Result<Node, SyntaxError> {
    match format {
        Format::Yaml => parse_yaml(text, file),
        Format::Json => parse_json(text, file),
    }
}

/// Says where a file is no YAML or no JSON.
pub(crate) fn report_syntax(error: &SyntaxError, report: &mut Report) {
    let name = match report.format_of(error.place) {
        Format::Yaml => "YAML",
        Format::Json => "JSON",
    };
    let exit_code = report.syntax_code(error.place);
    let diagnostic = report.error(error.place, exit_code, format!("broken {name}: {}", error.message));
    diagnostic.label = Some("here".into());
    diagnostic.help = syntax_help(&error.message).map(Into::into);
}

/// What most likely stands behind an error of the YAML parser: it stumbles behind the mistake, sometimes lines behind.
fn syntax_help(message: &str) -> Option<&'static str> {
    const HELP: [(&str, &str); 7] = [
        ("mapping values are not allowed", "check the indentation, and that a blank stands behind each - and :"),
        ("did not find expected key", "check the indentation of this line and of those before it"),
        ("did not find expected '-'", "check the indentation of this line and of those before it"),
        ("quoted scalar", "does a quotation mark miss its partner, here or before?"),
        ("tabs", "indent with blanks"),
        ("expected ','", "is a comma or a closing bracket missing, here or before?"),
        ("cannot be a key", "check the brackets; text with ${...} needs quotation marks"),
    ];
    HELP.iter().find(|(part, _)| message.contains(part)).map(|(_, help)| *help)
}
