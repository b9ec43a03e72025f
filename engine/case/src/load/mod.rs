//! From files to compiled cases.
//!
//! `files` finds them, `context` reads what they refer to, `project` is what lies around them. `case`, `config`, `parameters`,
//! `setup`, `steps` (`request`, `upload`, `websocket`, `checks`, `api`, `testcase`, `marks`) compile what they hold into an `assembly`, each reporting to a
//! `Report` and going on, so that one run shows every mistake of a file. `fields` reads declared keys, `diagnostic` is what a
//! person sees, `excerpt` the lines around it.

mod api;
mod assembly;
mod auth;
mod case;
mod checks;
mod config;
mod context;
mod diagnostic;
mod env_file;
mod excerpt;
mod fields;
mod files;
mod hooks;
mod marks;
mod names;
mod parameters;
mod project;
mod report;
mod request;
mod setup;
mod steps;
mod testcase;
mod think;
mod uncalled;
mod upload;
mod variables;
mod websocket;

pub use names::did_you_mean;
pub use project::shown_path;
pub(crate) use report::code;

pub(crate) use context::MAX_FILE_BYTES;
pub use diagnostic::{Diagnostic, LoadError};
pub use env_file::{parse_env_file, EnvFileError};
pub use files::{load, load_text, LoadOptions, Loaded, UrlStyle};
