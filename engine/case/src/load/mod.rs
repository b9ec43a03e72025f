//! From files to compiled cases.
//!
//! `files` finds and reads them, `case`, `config`, `steps`, `request` and `checks` compile what they hold, each reporting to a
//! `Report` and going on, so that one run shows every mistake of a file. `fields` reads declared keys, `diagnostic` is what a
//! person sees.

mod case;
mod checks;
mod config;
mod diagnostic;
mod env_file;
mod fields;
mod files;
mod names;
mod report;
mod request;
mod steps;
mod think;
mod variables;

pub(crate) use names::did_you_mean;
pub(crate) use report::code;

pub use diagnostic::{Diagnostic, LoadError};
pub use env_file::{parse_env_file, EnvFileError};
pub(crate) use files::MAX_FILE_BYTES;
pub use files::{load, load_text, LoadOptions, Loaded, UrlStyle};
