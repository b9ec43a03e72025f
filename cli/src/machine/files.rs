//! The kernel's files under `/proc` and `/sys`, or a folder that stands for `/` in a test.

use std::path::PathBuf;

/// Where the kernel's files are.
#[derive(Debug, Clone)]
pub(crate) struct SystemFiles {
    root: PathBuf,
}

impl SystemFiles {
    /// The real ones.
    pub(crate) fn of_this_machine() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Those of a test.
    #[cfg(test)]
    pub(crate) fn under(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The text of a file without surrounding blanks, or none if it is not there or not readable. `path` is absolute.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()?;
        Some(text.trim().to_owned())
    }
}
