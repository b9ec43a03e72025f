//! A file too large to be held in memory: it is read piece by piece while it is sent.

use std::{fmt, fs::File, sync::Arc};

/// Files above this size are read while they are sent; smaller ones stay in memory, shared by all users. Reading takes a system
/// call a piece, which for a small file would cost more than sending it.
pub(crate) const STREAMED_FILE_BYTES: u64 = 1024 * 1024;

/// The largest file of an upload. Nothing holds it in memory; beyond it is a typing error, such as a disk image.
pub(crate) const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// An open file that is part of a body. It goes on being this file if another takes its place on the disk; if it is written
/// to while a load runs, what is sent is what stands in it at that moment.
pub struct UploadFile {
    file: Arc<File>,
    bytes: u64,
    name: Box<str>,
}

impl UploadFile {
    pub(crate) fn new(file: File, bytes: u64, name: &str) -> Self {
        Self { file: Arc::new(file), bytes, name: name.into() }
    }

    /// The file, open for reading.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// How long it was when it was opened: so much of it is sent.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its name without folders.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for UploadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadFile").field("name", &self.name).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
