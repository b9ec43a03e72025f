//! A folder of files that is gone after the test.

#![allow(dead_code)] // Each test file uses its part.

use std::path::{Path, PathBuf};

use pummel_case::{load, Case, Diagnostic, LoadError, LoadOptions, Loaded};

/// The only step of many cases.
pub(crate) const STEP: &str = "teststeps:\n- name: a\n  request: {method: GET, url: \"http://h/\"}\n";

pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder with these files; `name` is the test's own.
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("pummel-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let folder = Folder(path.canonicalize().unwrap());
        for (file, text) in files {
            folder.write(file, text.as_bytes());
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.0.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn load(&self, file: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
        load(&[self.0.join(file)], options)
    }

    /// The case of one file, which has no warnings.
    pub(crate) fn case(&self, file: &str) -> Case {
        let mut loaded = self
            .load(file, &LoadOptions::default())
            .unwrap_or_else(|error| panic!("{:?}", self.texts(error.diagnostics())));
        assert_eq!(self.texts(&loaded.warnings), [] as [&str; 0]);
        loaded.cases.remove(0)
    }

    /// The case of one file and its warnings.
    pub(crate) fn warnings(&self, file: &str) -> (Case, Vec<String>) {
        let mut loaded = self
            .load(file, &LoadOptions::default())
            .unwrap_or_else(|error| panic!("{:?}", self.texts(error.diagnostics())));
        (loaded.cases.remove(0), self.texts(&loaded.warnings))
    }

    /// What is wrong with a file, and the exit code.
    pub(crate) fn errors(&self, file: &str) -> (Vec<String>, u8) {
        let error = self.load(file, &LoadOptions::default()).expect_err("it must not load");
        (self.texts(error.diagnostics()), error.exit_code())
    }

    /// Diagnostics with paths from this folder.
    pub(crate) fn texts(&self, diagnostics: &[Diagnostic]) -> Vec<String> {
        diagnostics.iter().map(|one| self.relative(&one.to_string())).collect()
    }

    /// A diagnostic as a person sees it.
    pub(crate) fn shown(&self, diagnostic: &Diagnostic) -> String {
        let mut out = String::new();
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none()).with_width(140);
        handler.render_report(&mut out, diagnostic).unwrap();
        self.relative(&out)
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "").replace(&self.0.display().to_string(), "ROOT")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
