//! Exit codes scripts rely on. Load errors bring their own, 9-39, as `hrp run` has them (hrp spec 13.6).

/// The run is done; a run stopped by Ctrl-C too.
pub(crate) const DONE: u8 = 0;
/// The program failed, or `doctor` found what makes a run impossible.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage: a flag, a value, or a combination of them.
pub(crate) const USAGE: u8 = 2;
/// A file could not be read (hrp spec 13.6).
pub(crate) const LOAD_FILE: u8 = 10;
/// A file is not JSON (hrp spec 13.6).
pub(crate) const LOAD_JSON: u8 = 11;
/// A file is not YAML (hrp spec 13.6).
pub(crate) const LOAD_YAML: u8 = 12;
/// A `.env` file is wrong (hrp spec 13.6).
pub(crate) const LOAD_ENV: u8 = 13;
/// A file has an extension that is not known (hrp spec 13.6).
pub(crate) const EXTENSION: u8 = 16;
/// A plugin does not start (hrp spec 13.6).
pub(crate) const PLUGIN: u8 = 31;
/// A functional run was interrupted (hrp spec 13.6).
pub(crate) const INTERRUPTED: u8 = 38;
/// The client verdict is invalid and `--fail-on-client-saturation` was given.
pub(crate) const CLIENT_INVALID: u8 = 98;
/// A threshold failed.
pub(crate) const THRESHOLD: u8 = 99;
