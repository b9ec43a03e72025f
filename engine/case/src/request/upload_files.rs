//! Files that uploads send.
//!
//! A file whose path is constant is read once, at load. One whose path has variables in it is read when a step first sends it:
//! that read blocks the core it happens on, once per file and process. Afterwards it comes from memory, so a file that is changed
//! while a load runs goes on being sent as it was. Large files are only opened; see [`UploadFile`].

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

use super::upload_file::{UploadFile, MAX_FILE_BYTES, STREAMED_FILE_BYTES};
use crate::project::Project;

/// How much memory files with variables in their paths may take in all. When more are used than fit, all are forgotten and read
/// anew.
const MAX_CACHED_BYTES: usize = 256 * 1024 * 1024;

/// What a file weighs besides its contents, so that empty files are not free.
const ENTRY_BYTES: usize = 1024;

/// What an open file weighs: of those with variables in their paths, 256 stay open at most, for descriptors are few.
const OPEN_FILE_BYTES: usize = 1024 * 1024;

/// What an upload sends of a file.
#[derive(Debug, Clone)]
pub(crate) enum FileContents {
    Held(Arc<[u8]>),
    Streamed(Arc<UploadFile>),
}

impl FileContents {
    /// How much memory it takes, or stands for.
    fn weight(&self) -> usize {
        match self {
            FileContents::Held(bytes) => bytes.len(),
            FileContents::Streamed(_) => OPEN_FILE_BYTES,
        }
    }
}

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
    files: BTreeMap<PathBuf, FileContents>,
    bytes: usize,
}

struct Seen {
    /// What [`EMPTIED`] was.
    emptied: u64,
    /// By the number of the [`UploadFiles`] and the path as the case has it.
    paths: BTreeMap<u64, BTreeMap<Box<str>, FileContents>>,
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
            FileError::TooLarge => write!(f, "the file is larger than {} GiB", MAX_FILE_BYTES >> 30),
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
    pub(crate) fn read(&self, path: &str) -> Result<FileContents, FileError> {
        read(&self.find(path)?)
    }

    /// The same, from memory where any user of the process has sent it before.
    pub(crate) fn read_cached(&self, path: &str) -> Result<FileContents, FileError> {
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
fn read_shared(path: PathBuf) -> Result<FileContents, FileError> {
    let lock = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = lock().files.get(&path) {
        return Ok(bytes.clone());
    }
    let bytes = read(&path)?;
    let weight = bytes.weight() + path.as_os_str().len() + ENTRY_BYTES;
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
fn read(path: &Path) -> Result<FileContents, FileError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        kind => FileError::Unreadable(kind),
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    if len > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    if len > STREAMED_FILE_BYTES {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Ok(FileContents::Streamed(Arc::new(UploadFile::new(file, len, &name))));
    }
    // One that grows meanwhile is sent as long as it was.
    io::Read::read_to_end(&mut io::Read::take(file, len), &mut bytes).map_err(unreadable)?;
    Ok(FileContents::Held(bytes.into()))
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
        let held = |contents: Result<FileContents, FileError>| match contents.unwrap() {
            FileContents::Held(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            FileContents::Streamed(file) => panic!("{file:?}"),
        };
        assert_eq!(held(files.read("a")), "first a");
        assert_eq!(held(files.read("b")), "second b");
        assert_eq!(held(files.read_cached("a")), "first a");
        assert_eq!(held(others.read_cached("a")), "second a");
        fs::write(first.join("a"), "changed").unwrap();
        assert_eq!(held(files.read_cached("a")), "first a", "sent as it was");
        assert_eq!(held(files.read("a")), "changed");
        let absolute = second.join("b");
        assert_eq!(held(files.read(absolute.to_str().unwrap())), "second b");
        for path in ["", ".", "none", "a\0b", "/dev/zero"] {
            assert_eq!(files.read(path).unwrap_err(), FileError::Missing, "{path:?}");
            assert_eq!(files.read_cached(path).unwrap_err(), FileError::Missing, "{path:?}");
        }
        for (name, bytes) in [("small", STREAMED_FILE_BYTES), ("large", STREAMED_FILE_BYTES + 1)] {
            fs::File::create(first.join(name)).unwrap().set_len(bytes).unwrap();
        }
        assert!(
            matches!(files.read("small"), Ok(FileContents::Held(bytes)) if bytes.len() as u64 == STREAMED_FILE_BYTES)
        );
        for contents in [files.read("large"), files.read_cached("large")] {
            let Ok(FileContents::Streamed(file)) = contents else { panic!("{contents:?}") };
            assert_eq!((file.bytes(), file.name()), (STREAMED_FILE_BYTES + 1, "large"));
        }
        fs::File::create(first.join("huge")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(files.read("huge").unwrap_err(), FileError::TooLarge);
        fs::remove_dir_all(&root).unwrap();
    }
}
