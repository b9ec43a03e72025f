//! The history of figures.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use crate::error::{BenchError, Doing};

/// Where the figures stand, below the project's folder. Newest last.
const HISTORY: &str = "bench/HISTORY.md";

/// Appends a section and returns the file's path.
pub(crate) fn append(root: &Path, section: &str) -> Result<PathBuf, BenchError> {
    let path = root.join(HISTORY);
    let doing = || format!("append to {}", path.display());
    let mut file = OpenOptions::new().append(true).create(true).open(&path).doing(doing())?;
    writeln!(file, "\n{}", section.trim_end()).doing(doing())?;
    Ok(path)
}
