//! What the machine gives this process: CPUs, quota, limits, kernel settings.
//!
//! Facts are read through [`SystemFiles`], so that tests can give files of their own, and by parsers that take text.

mod cgroup;
mod cpus;
mod files;
mod limits;

pub(crate) use cgroup::cpu_quota;
pub(crate) use cpus::{allowed_cpus, choose_cpus};
pub(crate) use files::SystemFiles;
pub(crate) use limits::{memlock_limit, open_files_limit, Limit};
