//! `pummel convert`.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pummel_case::{
    convert::{convert as convert_text, CaseFormat, ConvertError, ConvertOptions, Overrides, Source, StepNames},
    LoadOptions, Plugin, PluginFailure, PluginSource, Plugins,
};

use crate::{
    console::Stream,
    exit,
    failure::{warn, Failure},
    files::{read_beside, read_text, FileKind},
    flags::ConvertFlags,
};

/// What stands behind a file's name in the name of its result (hrp spec section 18).
const RESULT_SUFFIX: &str = "_test";

/// Converts each file, going on after one that cannot be; gives the exit code of the first failure.
///
/// # Errors
/// Wrong usage, and a profile that cannot be read. Failures of single files are shown as they come.
pub(crate) fn convert(flags: &ConvertFlags) -> Result<u8, Failure> {
    if flags.to.to_pytest {
        return Err(Failure::usage(
            "--to-pytest is not offered: pummel runs test cases itself and writes no Python",
            "use --to-json or --to-yaml; `hrp convert --to-pytest` reads the results",
        ));
    }
    let overrides = flags.profile.as_deref().map(read_overrides).transpose()?;
    if let Some(folder) = &flags.output_dir {
        fs::create_dir_all(folder).map_err(|error| {
            Failure::without_help(exit::FAILED, format!("{}: the folder cannot be made: {error}", folder.display()))
        })?;
    }
    let mut job = Job {
        source: flags.from.source(),
        format: flags.to.format(),
        folder: flags.output_dir.as_deref(),
        overrides: overrides.as_ref(),
        written: HashSet::new(),
        first_failure: None,
    };
    for path in &flags.paths {
        if path.is_dir() {
            job.convert_folder(path);
        } else {
            let result = job.convert_named(path);
            job.settle(result);
        }
    }
    Ok(job.first_failure.unwrap_or(exit::DONE))
}

fn read_overrides(path: &Path) -> Result<Overrides, Failure> {
    let text = read_text(path, FileKind::Overrides)?;
    Overrides::parse(&text, extension(path) == "json").map_err(|error| failure(path, &error))
}

/// What is done with each file.
struct Job<'a> {
    source: Option<Source>,
    format: CaseFormat,
    folder: Option<&'a Path>,
    overrides: Option<&'a Overrides>,
    /// Results of this run, so that none is written over.
    written: HashSet<PathBuf>,
    first_failure: Option<u8>,
}

impl Job<'_> {
    /// Shows a failure, and goes on.
    fn settle(&mut self, result: Result<(), Failure>) {
        if let Err(failure) = result {
            failure.print();
            self.first_failure.get_or_insert(failure.exit_code());
        }
    }

    /// The files of a folder that are of the form asked for, or of any. Results of an earlier run are none.
    fn convert_folder(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
        });
        let mut files = match entries {
            Ok(files) => files,
            Err(error) => {
                let message = format!("{}: the folder cannot be read: {error}", folder.display());
                return self.settle(Err(Failure::with_code(exit::LOAD_FILE, message, "check its permissions")));
            }
        };
        files.retain(|path| path.is_file() && self.may_be_meant(path));
        files.sort();
        let mut found = false;
        for path in files {
            let result =
                read_text(&path, FileKind::Convert).and_then(|text| match self.source_of_found(&path, &text) {
                    Some(source) => {
                        found = true;
                        self.convert_file(&path, source, &text)
                    }
                    None => Ok(()),
                });
            self.settle(result);
        }
        if !found && self.first_failure.is_none() {
            let message = format!("{}: the folder holds nothing to convert", folder.display());
            let help = "sub-folders are not searched; a --from flag says what the files are";
            self.settle(Err(Failure::with_code(exit::LOAD_FILE, message, help)));
        }
    }

    /// By its name.
    fn may_be_meant(&self, path: &Path) -> bool {
        let extension = extension(path);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_result = stem.ends_with(RESULT_SUFFIX) && matches!(&*extension, "json" | "yaml" | "yml");
        let sources = [Source::Json, Source::Yaml, Source::Har, Source::Curl];
        let fits = match self.source {
            Some(source) => source.extensions().contains(&&*extension),
            None => sources.iter().any(|source| source.extensions().contains(&&*extension)),
        };
        fits && !is_result
    }

    /// By what it holds: folders hold other things too.
    fn source_of_found(&self, path: &Path, text: &str) -> Option<Source> {
        let looks_like = Source::of_file(&extension(path), text)?;
        let is_meant = match looks_like {
            Source::Json | Source::Yaml => text.to_ascii_lowercase().contains("teststeps"),
            Source::Curl => self.source.is_some() || text.lines().any(|line| line.trim_start().starts_with("curl ")),
            Source::Har | Source::Postman => true,
        };
        (is_meant && self.source.is_none_or(|source| source == looks_like)).then_some(looks_like)
    }

    fn convert_named(&mut self, path: &Path) -> Result<(), Failure> {
        let text = read_text(path, FileKind::Convert)?;
        let source = self.source.or_else(|| Source::of_file(&extension(path), &text)).ok_or_else(|| {
            Failure::with_code(
                exit::EXTENSION,
                format!("{}: what the file is cannot be told from its extension", path.display()),
                "say it with --from-json, --from-yaml, --from-har, --from-postman or --from-curl",
            )
        })?;
        self.convert_file(path, source, &text)
    }

    fn convert_file(&mut self, path: &Path, source: Source, text: &str) -> Result<(), Failure> {
        let read_file = |file: &str| read_beside(Path::new(file), path.parent());
        let options =
            ConvertOptions { step_names: StepNames::Command, overrides: self.overrides, read_file: &read_file };
        let converted = convert_text(source, text, &options).map_err(|error| failure(path, &error))?;
        let case = converted.render(self.format).map_err(|error| failure(path, &error))?;
        for note in converted.notes() {
            warn(at(path, note.line, &note.message), None);
        }
        let result = self.result_path(path);
        if !self.written.insert(result.clone()) {
            let message =
                format!("{}: its result {} is that of another file of this run", path.display(), result.display());
            return Err(Failure::with_code(exit::USAGE, message, "rename one of them, or convert them one at a time"));
        }
        fs::write(&result, case).map_err(|error| {
            let message = format!("{}: the file cannot be written: {error}", result.display());
            Failure::with_code(exit::FAILED, message, "check the folder and its permissions, or give another with -d")
        })?;
        let steps = converted.steps();
        let plural = if steps == 1 { "" } else { "s" };
        Stream::Stdout.print(&format!("{}: {steps} step{plural}, from {}\n", result.display(), path.display()));
        say_what_does_not_load(&result);
        Ok(())
    }

    fn result_path(&self, path: &Path) -> PathBuf {
        let mut name = path.file_stem().unwrap_or_default().to_os_string();
        name.push(RESULT_SUFFIX);
        name.push(".");
        name.push(self.format.extension());
        match self.folder {
            Some(folder) => folder.join(name),
            None => path.with_file_name(name),
        }
    }
}

/// The result may ask for what is not built yet, or carry over the mistakes of a case file.
fn say_what_does_not_load(result: &Path) {
    let options = LoadOptions { plugins: Some(Plugins(Arc::new(NotStarted))), ..LoadOptions::default() };
    if let Err(error) = pummel_case::load(&[result.to_owned()], &options) {
        for diagnostic in error.diagnostics().iter().filter(|diagnostic| diagnostic.exit_code() != exit::PLUGIN) {
            warn(format!("the result does not load as it is: {diagnostic}"), None);
        }
    }
}

/// The plugin of a project, which writing a file is no reason to start: of calls that may be its functions nothing is said.
#[derive(Debug)]
struct NotStarted;

impl PluginSource for NotStarted {
    fn open(&self, _: &Path, _: &BTreeMap<Box<str>, Box<str>>) -> Result<Arc<dyn Plugin>, PluginFailure> {
        Err(PluginFailure { message: "it is not started".to_owned(), help: None, exit_code: exit::PLUGIN })
    }
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn failure(path: &Path, error: &ConvertError) -> Failure {
    let message = at(path, error.line, &error.message);
    match &error.help {
        Some(help) => Failure::with_code(error.exit_code, message, help.clone()),
        None => Failure::without_help(error.exit_code, message),
    }
}

fn at(path: &Path, line: Option<usize>, message: &str) -> String {
    match line {
        Some(line) => format!("{}:{line}: {message}", path.display()),
        None => format!("{}: {message}", path.display()),
    }
}
