//! Why a bench could not be made.

use std::{io, path::PathBuf};

/// Why a bench could not be made; each text says what to do next where there is something to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A file or a socket of the bench itself.
    #[error("{what}: {error}")]
    Io {
        /// What was being done, with the name of the thing.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// A program that must be there is not.
    #[error("{}: no such program; scripts/bench.sh builds and installs what is needed", .0.display())]
    Missing(PathBuf),
    /// A client ended badly.
    #[error("{name} {how}{said}")]
    Client {
        /// The tool.
        name: String,
        /// How it ended.
        how: String,
        /// The end of what it wrote to stderr, or nothing.
        said: String,
    },
    /// A client's output lacks what was looked for.
    #[error("{name}: its output has no {what}")]
    Output {
        /// The tool.
        name: String,
        /// The figure, as a JSON pointer or in words.
        what: String,
    },
    /// nginx did not come up.
    #[error("nginx did not start: {0}")]
    Nginx(String),
    /// The flags ask for what is not there.
    #[error("{0}")]
    Usage(String),
    /// Ctrl-C, or SIGTERM.
    #[error("interrupted; everything started has been ended")]
    Interrupted,
}

/// Adds what was being done to an input or output error.
pub(crate) trait Doing<T> {
    /// `what` names the thing, as in `"read Cargo.lock"`.
    fn doing(self, what: impl Into<String>) -> Result<T, BenchError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, BenchError> {
        self.map_err(|error| BenchError::Io { what: what.into(), error: error.into() })
    }
}
