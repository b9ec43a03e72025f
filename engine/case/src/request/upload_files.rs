//! Files that uploads send.
//!
//! A file whose path is constant is read once, at load. One whose path has variables in it is read when a step first sends it:
//! that read blocks the core it happens on, once per file and process. Afterwards it comes from memory, so a file that is changed
//! while a load runs goes on being sent as it was.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, PoisonError,
    },
};

use crate::project::Project;

/// The largest file of an upload: every connection that sends it holds a copy.
pub(crate) const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// How much memory files with variables in their paths may take in all. When more are used than fit, all are forgotten and read
/// anew.
const MAX_CACHED_BYTES: usize = 256 * 1024 * 1024;

/// What a file weighs besides its contents, so that empty files are not free.
const ENTRY_BYTES: usize = 1024;

/// How many paths a thread remembers; many spellings of one path should not fill the memory.
const MAX_SEEN: usize = 100_000;

/// Files read at run time, by where they are.
static SHARED: Mutex<Shared> = Mutex::new(Shared { files: BTreeMap::new(), bytes: 0 });

/// Counts how often [`SHARED`] was emptied, so that threads forget with it.
static EMPTIED: AtomicU64 = AtomicU64::new(0);

/// Numbers [`UploadFiles`].
static NUMBERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread has sent before: steady state asks no other thread and no file system.
    static SEEN: RefCell<Seen> = const { RefCell::new(Seen { emptied: 0, paths: BTreeMap::new(), count: 0 }) };
}

struct Shared {
    files: BTreeMap<PathBuf, Arc<[u8]>>,
    bytes: usize,
}

struct Seen {
    /// What [`EMPTIED`] was.
    emptied: u64,
    /// By the number of the [`UploadFiles`] and the path as the case has it.
    paths: BTreeMap<u64, BTreeMap<Box<str>, Arc<[u8]>>>,
    count: usize,
}

/// Why a file cannot be sent. Its texts are of bounded variety and hold no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileError {
    /// Nowhere a regular file of that path.
    Missing,
    TooLarge,
    Unreadable(io::ErrorKind),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Missing => f.write_str("there is no such file"),
            FileError::TooLarge => write!(f, "the file is larger than {} MiB", MAX_FILE_BYTES >> 20),
            FileError::Unreadable(kind) => write!(f, "the file cannot be read: {kind}"),
        }
    }
}

/// The files that the uploads of one project name.
#[derive(Debug)]
pub(crate) struct UploadFiles {
    project: Arc<Project>,
    number: u64,
}

impl UploadFiles {
    pub(crate) fn new(project: Arc<Project>) -> Self {
        UploadFiles { project, number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        read(&self.find(path)?)
    }

    /// The same, from memory where any user of the process has sent it before.
    pub(crate) fn read_cached(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        let emptied = EMPTIED.load(Ordering::Acquire);
        SEEN.with_borrow_mut(|seen| {
            if seen.emptied != emptied || seen.count >= MAX_SEEN {
                *seen = Seen { emptied, paths: BTreeMap::new(), count: 0 };
            }
            let paths = seen.paths.entry(self.number).or_default();
            if let Some(bytes) = paths.get(path) {
                return Ok(bytes.clone());
            }
            let bytes = read_shared(self.find(path)?)?;
            paths.insert(path.into(), bytes.clone());
            seen.count += 1;
            Ok(bytes)
        })
    }

    fn find(&self, path: &str) -> Result<PathBuf, FileError> {
        self.project.find(Path::new(path)).ok_or(FileError::Missing)
    }
}

/// The lock is not held while a file is read: two cores may read the same one, none waits for another's disk.
fn read_shared(path: PathBuf) -> Result<Arc<[u8]>, FileError> {
    let lock = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = lock().files.get(&path) {
        return Ok(bytes.clone());
    }
    let bytes = read(&path)?;
    let weight = bytes.len() + path.as_os_str().len() + ENTRY_BYTES;
    let mut shared = lock();
    if shared.bytes + weight > MAX_CACHED_BYTES {
        *shared = Shared { files: BTreeMap::new(), bytes: 0 };
        EMPTIED.fetch_add(1, Ordering::Release);
    }
    if shared.files.insert(path, bytes.clone()).is_none() {
        shared.bytes += weight;
    }
    Ok(bytes)
}

/// The path is that of a regular file: opening a pipe could wait for ever.
fn read(path: &Path) -> Result<Arc<[u8]>, FileError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        kind => FileError::Unreadable(kind),
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_FILE_BYTES as u64 + 1), &mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_for_in_the_project_and_read_once() {
        let root = std::env::temp_dir().join(format!("pummel-upload-{}", std::process::id()));
        let (first, second) = (root.join("first"), root.join("second"));
        fs::create_dir_all(&first).unwrap();
        fs::create_dir_all(&second).unwrap();
        fs::write(first.join("a"), "first a").unwrap();
        fs::write(second.join("a"), "second a").unwrap();
        fs::write(second.join("b"), "second b").unwrap();
        let project = |root: &Path, folder: &Path| {
            UploadFiles::new(Arc::new(Project { root: root.into(), folder: folder.into(), ..Project::default() }))
        };
        let (files, others) = (project(&first, &second), project(&second, &first));
        assert_eq!(&*files.read("a").unwrap(), b"first a");
        assert_eq!(&*files.read("b").unwrap(), b"second b");
        assert_eq!(&*files.read_cached("a").unwrap(), b"first a");
        assert_eq!(&*others.read_cached("a").unwrap(), b"second a");
        fs::write(first.join("a"), "changed").unwrap();
        assert_eq!(&*files.read_cached("a").unwrap(), b"first a", "sent as it was");
        assert_eq!(&*files.read("a").unwrap(), b"changed");
        let absolute = second.join("b");
        assert_eq!(&*files.read(absolute.to_str().unwrap()).unwrap(), b"second b");
        for path in ["", ".", "none", "a\0b", "/dev/zero"] {
            assert_eq!(files.read(path).unwrap_err(), FileError::Missing, "{path:?}");
            assert_eq!(files.read_cached(path).unwrap_err(), FileError::Missing, "{path:?}");
        }
        fs::File::create(first.join("large")).unwrap().set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        assert_eq!(files.read("large").unwrap_err(), FileError::TooLarge);
        fs::remove_dir_all(&root).unwrap();
    }
}
