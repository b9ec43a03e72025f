//! Why a step failed while it ran.

use std::{fmt, sync::Arc};

/// A failed step: its kind for counting, a text of bounded variety, and the exit code a functional run ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    /// What failed.
    pub kind: StepErrorKind,
    /// The same text for the same cause: it names what stands in the test case and holds nothing of a response.
    pub message: Arc<str>,
    /// The exit code of `run` (hrp spec 13.6).
    pub exit_code: u8,
}

/// What part of a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepErrorKind {
    /// A validator did not hold.
    Assertion,
    /// A value could not be extracted.
    Extraction,
    /// A variable has no value yet.
    Variable,
    /// A function failed.
    Function,
    /// The plugin failed whose function was called: its process ended, or did not answer in time.
    Plugin,
    /// The body could not be decoded.
    BodyDecode,
    /// The request could not be built.
    Request,
}

impl StepError {
    pub(crate) fn request(what: &str, reason: &str) -> Self {
        StepError { kind: StepErrorKind::Request, message: Arc::from(format!("{what}: {reason}")), exit_code: 1 }
    }

    /// The same error with what was being done before its text.
    pub(crate) fn within(self, what: &str) -> Self {
        StepError { message: Arc::from(format!("{what}: {}", self.message)), ..self }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StepError {}
