//! Limits of this process (getrlimit(2)).

use rustix::process::{getrlimit, Resource};

/// A limit: what holds now and what this process may raise it to. None is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// What holds.
    pub(crate) soft: Option<u64>,
    /// What it may be raised to without a privilege.
    pub(crate) hard: Option<u64>,
}

/// Open files, sockets among them (RLIMIT_NOFILE).
pub(crate) fn open_files_limit() -> Limit {
    limit(Resource::Nofile)
}

/// Locked memory, in bytes (RLIMIT_MEMLOCK).
pub(crate) fn memlock_limit() -> Limit {
    limit(Resource::Memlock)
}

fn limit(resource: Resource) -> Limit {
    let limit = getrlimit(resource);
    Limit { soft: limit.current, hard: limit.maximum }
}
