//! The folder a bench works in, removed at its end.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::{BenchError, Doing};

/// A fresh folder under the system's one for temporary files; removed, with what is in it, when dropped.
#[derive(Debug)]
pub(crate) struct WorkDir(PathBuf);

impl WorkDir {
    /// Makes it. Its name carries our process id, so two benches do not meet.
    pub(crate) fn new() -> Result<Self, BenchError> {
        let path = std::env::temp_dir().join(format!("pummel-bench-{}", std::process::id()));
        fs::create_dir(&path).doing(format!("create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<(), BenchError> {
        let path = self.file(name);
        fs::create_dir_all(&path).doing(format!("create {}", path.display()))
    }

    /// Writes a file in it and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, BenchError> {
        let path = self.file(name);
        fs::write(&path, text).doing(format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // A folder left behind is untidy and no more; there is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
