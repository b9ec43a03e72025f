//! A file that is whole or is not there, or stdout: where the results of a run go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a result is not where it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WholeFileError {
    /// Found before the run.
    #[error("{}: cannot be written: {source}; name a file in a folder that exists and is writable", path.display())]
    CannotWrite {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Found after the run.
    #[error("{}: not written to its end: {source}; is there room left on the disk?", path.display())]
    NotFinished {
        /// The file, or `-` for stdout.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a result will be written. Made before the run, so that a wrong path costs no run.
#[derive(Debug)]
pub struct WholeFile {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Stdout,
    /// Written beside `path` and renamed, so that a reader finds the old file or the new one, whole.
    Replace {
        path: PathBuf,
        beside: PathBuf,
    },
    /// A pipe or a device, or a file in a folder where none can be made: there is nothing to rename.
    Overwrite {
        path: PathBuf,
        file: File,
    },
}

impl WholeFile {
    /// The result will go to stdout.
    pub fn stdout() -> Self {
        Self { place: Place::Stdout }
    }

    /// The result will go to the file `path`, which may exist and then stays as it is until [`write`](Self::write). A
    /// symbolic link is followed.
    ///
    /// # Errors
    /// [`WholeFileError::CannotWrite`]: nothing can be written there.
    pub fn open(path: &Path) -> Result<Self, WholeFileError> {
        let cannot = |source| WholeFileError::CannotWrite { path: path.to_owned(), source };
        // Of a file that is not there yet only the folder can be resolved, which happens when it is made.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_special = fs::metadata(&target).is_ok_and(|known| !known.is_file());
        if !is_special {
            let beside = beside(&target).map_err(cannot)?;
            match make_new(&beside) {
                Ok(_) => {
                    fs::remove_file(&beside).map_err(cannot)?;
                    // A file that may not be written is not replaced either, though the folder would allow it.
                    if target.exists() {
                        OpenOptions::new().write(true).open(&target).map_err(cannot)?;
                    }
                    return Ok(Self { place: Place::Replace { path: target, beside } });
                }
                Err(error) if !target.exists() => return Err(cannot(error)),
                Err(_) => {}
            }
        }
        let file = OpenOptions::new().write(true).open(&target).map_err(cannot)?;
        Ok(Self { place: Place::Overwrite { path: target, file } })
    }

    /// Writes it all. A reader of stdout that has gone is no error.
    ///
    /// # Errors
    /// [`WholeFileError::NotFinished`]: it is not there, or not all of it. A file that was there before is then as it was,
    /// unless it had to be written in place.
    pub fn write(self, content: &[u8]) -> Result<(), WholeFileError> {
        self.write_with(|out| out.write_all(content))
    }

    /// As [`write`](Self::write), of what is made while it is written: the seconds of a long run need not be held at once.
    ///
    /// # Errors
    /// As above, and what `fill` fails with.
    pub fn write_with(self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WholeFileError> {
        let (path, written) = match self.place {
            Place::Stdout => (PathBuf::from("-"), write_to_stdout(fill)),
            Place::Replace { path, beside } => {
                let written = replace(&path, &beside, fill);
                if written.is_err() {
                    // The error worth telling is the first one.
                    let _ = fs::remove_file(&beside);
                }
                (path, written)
            }
            Place::Overwrite { path, file } => (path, write_in_place(&file, fill)),
        };
        written.map_err(|source| WholeFileError::NotFinished { path, source })
    }
}

/// The name a file has until it is whole: hidden, in the same folder, and this process's own.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn make_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

type Fill<'a> = &'a mut dyn Write;

fn replace(path: &Path, beside: &Path, fill: impl FnOnce(Fill<'_>) -> io::Result<()>) -> io::Result<()> {
    let file = make_new(beside)?;
    write_buffered(&file, fill)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    // Only after this is the disk known to have room for all of it.
    file.sync_all()?;
    fs::rename(beside, path).or_else(|error| {
        // A file that is a mount point of its own, as in a container, cannot be replaced but can be written.
        let mounted = OpenOptions::new().write(true).open(path).map_err(|_| error)?;
        let mut whole = File::open(beside)?;
        write_in_place(&mounted, |out| io::copy(&mut whole, out).map(drop))?;
        fs::remove_file(beside)
    })
}

fn write_in_place(file: &File, fill: impl FnOnce(Fill<'_>) -> io::Result<()>) -> io::Result<()> {
    // Fails on pipes and devices, which have nothing to cut off.
    let _ = file.set_len(0);
    write_buffered(file, fill)
}

fn write_buffered(file: &File, fill: impl FnOnce(Fill<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.flush()
}

fn write_to_stdout(fill: impl FnOnce(Fill<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match fill(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{symlink, PermissionsExt};

    use super::*;

    /// A folder of a test's own, removed when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pummel-whole-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    const NEW: &[u8] = b"{\n  \"new\": 1\n}\n";

    #[test]
    fn a_file_holds_what_was_written_and_nothing_else_is_left() {
        let folder = Folder::new("new");
        let path = folder.0.join("a.json");
        let file = WholeFile::open(&path).unwrap();
        assert!(folder.names().is_empty());
        file.write(NEW).unwrap();
        assert_eq!(read(&path).as_bytes(), NEW);
        assert_eq!(folder.names(), ["a.json"]);
    }

    #[test]
    fn a_file_that_fails_while_it_is_made_is_not_there() {
        let folder = Folder::new("fails");
        let path = folder.0.join("a.csv");
        let file = WholeFile::open(&path).unwrap();
        let fill = |out: &mut dyn Write| out.write_all(NEW).and(Err(io::Error::other("no more")));
        let text = file.write_with(fill).unwrap_err().to_string();
        assert!(text.contains("a.csv: not written to its end: no more"), "{text}");
        assert!(folder.names().is_empty());
    }

    #[test]
    fn an_old_file_stays_until_the_new_one_is_whole() {
        let folder = Folder::new("old");
        let path = folder.0.join("a.json");
        fs::write(&path, "old".repeat(100_000)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let file = WholeFile::open(&path).unwrap();
        assert!(read(&path).starts_with("old"));
        file.write(NEW).unwrap();
        assert_eq!(read(&path).as_bytes(), NEW);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_link_is_followed_and_stays_a_link() {
        let folder = Folder::new("link");
        let (real, link) = (folder.0.join("real.json"), folder.0.join("link.json"));
        fs::write(&real, "old").unwrap();
        symlink(&real, &link).unwrap();
        WholeFile::open(&link).unwrap().write(NEW).unwrap();
        assert_eq!(read(&real).as_bytes(), NEW);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_device_is_written_in_place() {
        WholeFile::open(Path::new("/dev/null")).unwrap().write(NEW).unwrap();
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = WholeFile::open(Path::new("/dev/full")).unwrap().write(NEW).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("/dev/full: not written to its end: "), "{text}");
    }

    #[test]
    fn a_path_that_cannot_be_written_costs_no_run() {
        let text = |path: &str| WholeFile::open(Path::new(path)).unwrap_err().to_string();
        assert!(text("/nonexistent/folder/a.json").starts_with("/nonexistent/folder/a.json: cannot be written: "));
        assert!(text("/").starts_with("/: cannot be written: "));
        assert!(text("").starts_with(": cannot be written: "));
        let folder = Folder::new("is-a-folder");
        assert!(text(folder.0.to_str().unwrap()).contains("cannot be written: "));
    }

    #[test]
    fn a_folder_that_went_away_during_the_run_is_named() {
        let folder = Folder::new("gone");
        let inner = folder.0.join("inner");
        fs::create_dir(&inner).unwrap();
        let file = WholeFile::open(&inner.join("a.json")).unwrap();
        fs::remove_dir(&inner).unwrap();
        let text = file.write(NEW).unwrap_err().to_string();
        assert!(text.contains("inner/a.json: not written to its end: "), "{text}");
    }
}
