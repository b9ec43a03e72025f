//! The folder of a run's results: `results/<start time>` under the working directory (hrp spec 13.1, 13.2).

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use pummel_stats::{clock::rfc3339_utc, display::WholeFile};

use crate::{exit, failure::Failure};

/// How many runs may begin in one second in one folder.
const SAME_SECOND_MAX: u32 = 1_000;

/// A folder of this run's own.
#[derive(Debug)]
pub(crate) struct ResultsFolder(PathBuf);

impl ResultsFolder {
    /// Makes it under `root`. Its name is the time in UTC; a second run of the same second gets `-2` behind it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn make(root: &Path, started_at: SystemTime) -> Result<Self, Failure> {
        let results = root.join("results");
        let stamp: String = rfc3339_utc(started_at).chars().filter(char::is_ascii_digit).take(14).collect();
        fs::create_dir_all(&results).map_err(|error| not_made(&results, &error))?;
        for n in 1..=SAME_SECOND_MAX {
            let name = if n == 1 { stamp.clone() } else { format!("{stamp}-{n}") };
            let path = results.join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(not_made(&path, &error)),
            }
        }
        Err(not_made(&results.join(stamp), &io::ErrorKind::AlreadyExists.into()))
    }

    /// Writes a file into it and gives its path.
    ///
    /// # Errors
    /// The file cannot be written, or not to its end.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        let written = WholeFile::open(&path).and_then(|file| file.write(content));
        written.map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
        Ok(path)
    }
}

fn not_made(path: &Path, error: &io::Error) -> Failure {
    Failure::with_code(
        exit::FAILED,
        format!("{}: the folder cannot be made: {error}", path.display()),
        "start pummel where it may write, or name files with --json and --junit",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::sample::t0;

    #[test]
    fn runs_of_the_same_second_do_not_meet() {
        let root = std::env::temp_dir().join(format!("pummel-results-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let first = ResultsFolder::make(&root, t0()).unwrap();
        let second = ResultsFolder::make(&root, t0()).unwrap();
        assert_eq!(first.0, root.join("results/20261122015220"));
        assert_eq!(second.0, root.join("results/20261122015220-2"));
        assert_eq!(fs::read(first.write("a.txt", b"x").unwrap()).unwrap(), b"x");
        let failure = first.write("no/folder.txt", b"x").unwrap_err();
        assert!(failure.message().contains("no/folder.txt: cannot be written"), "{}", failure.message());
        fs::remove_dir_all(&root).unwrap();
        fs::write(&root, "").unwrap();
        let failure = ResultsFolder::make(&root, t0()).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.message().contains("results: the folder cannot be made: "), "{}", failure.message());
        fs::remove_file(&root).unwrap();
    }
}
