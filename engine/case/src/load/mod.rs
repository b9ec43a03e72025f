//! From files to compiled cases.
//!
//! `files` finds and reads them, `case`, `config`, `steps`, `request`, `upload` and `checks` compile what they hold, each reporting to a
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
mod upload;
mod variables;

pub use diagnostic::{Diagnostic, LoadError};
pub use env_file::{parse_env_file, EnvFileError};
pub use files::{load, load_text, LoadOptions, Loaded, UrlStyle};
