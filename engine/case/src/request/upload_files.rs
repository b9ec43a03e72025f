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

/// Numbers [`UploadFolders`].
static FOLDERS: AtomicU64 = AtomicU64::new(0);

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
    /// By the number of the folders and the path as the case has it.
    paths: BTreeMap<u64, BTreeMap<Box<str>, Arc<[u8]>>>,
    count: usize,
}

/// Why a file cannot be sent. Its texts are of bounded variety and hold no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileError {
    Missing,
    NoFile,
    TooLarge,
    Unreadable(io::ErrorKind),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Missing => f.write_str("the file does not exist"),
            FileError::NoFile => f.write_str("it is no regular file"),
            FileError::TooLarge => write!(f, "the file is larger than {} MiB", MAX_FILE_BYTES >> 20),
            FileError::Unreadable(kind) => write!(f, "the file cannot be read: {kind}"),
        }
    }
}

/// Where the files of a case are looked for, in order (hrp spec 5.3).
#[derive(Debug)]
pub(crate) struct UploadFolders {
    folders: Box<[PathBuf]>,
    number: u64,
}

impl UploadFolders {
    /// An empty path is the working directory.
    pub(crate) fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut distinct: Vec<PathBuf> = Vec::new();
        for folder in folders {
            if !distinct.contains(&folder) {
                distinct.push(folder);
            }
        }
        UploadFolders { folders: distinct.into(), number: FOLDERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// The folders as a person reads them.
    pub(crate) fn names(&self) -> String {
        let name = |folder: &PathBuf| match folder.as_os_str().is_empty() {
            true => "the working directory".to_owned(),
            false => folder.display().to_string(),
        };
        self.folders.iter().map(name).collect::<Vec<_>>().join(", then ")
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
        if path.is_empty() {
            return Err(FileError::Missing);
        }
        // Joined to an absolute path, a folder falls away.
        self.folders.iter().map(|folder| folder.join(path)).find(|path| path.exists()).ok_or(FileError::Missing)
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

/// Only a regular file: opening a pipe could wait for ever.
fn read(path: &Path) -> Result<Arc<[u8]>, FileError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        kind => FileError::Unreadable(kind),
    };
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(FileError::NoFile);
    }
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
    fn files_are_looked_for_in_order_and_read_once() {
        let root = std::env::temp_dir().join(format!("pummel-upload-{}", std::process::id()));
        let (first, second) = (root.join("first"), root.join("second"));
        fs::create_dir_all(&first).unwrap();
        fs::create_dir_all(&second).unwrap();
        fs::write(first.join("a"), "first a").unwrap();
        fs::write(second.join("a"), "second a").unwrap();
        fs::write(second.join("b"), "second b").unwrap();
        let folders = UploadFolders::new([first.clone(), second.clone(), first.clone()]);
        let others = UploadFolders::new([second.clone()]);
        assert_eq!(&*folders.read("a").unwrap(), b"first a");
        assert_eq!(&*folders.read("b").unwrap(), b"second b");
        assert_eq!(folders.names(), format!("{}, then {}", first.display(), second.display()));
        assert_eq!(&*folders.read_cached("a").unwrap(), b"first a");
        assert_eq!(&*others.read_cached("a").unwrap(), b"second a");
        fs::write(first.join("a"), "changed").unwrap();
        assert_eq!(&*folders.read_cached("a").unwrap(), b"first a", "sent as it was");
        assert_eq!(&*folders.read("a").unwrap(), b"changed");
        let absolute = second.join("b");
        assert_eq!(&*folders.read(absolute.to_str().unwrap()).unwrap(), b"second b");
        for path in ["", "none", "a\0b"] {
            assert_eq!(folders.read(path).unwrap_err(), FileError::Missing, "{path:?}");
            assert_eq!(folders.read_cached(path).unwrap_err(), FileError::Missing, "{path:?}");
        }
        assert_eq!(folders.read(".").unwrap_err(), FileError::NoFile);
        assert_eq!(folders.read("/dev/zero").unwrap_err(), FileError::NoFile);
        fs::File::create(first.join("large")).unwrap().set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        assert_eq!(folders.read("large").unwrap_err(), FileError::TooLarge);
        fs::remove_dir_all(&root).unwrap();
    }
}
