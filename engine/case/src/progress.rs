//! How far the work around one request is, where it has to wait in between.

use std::time::Duration;

/// How far a step's render or check is. A new one for each execution; the same one again after a wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Operations done.
    pub(crate) done: usize,
}

/// Whether a step's render or check is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a step that has to wait is not ready"]
pub enum Prepared {
    /// It is.
    Done,
    /// A function asks for this first; then the same call, with the same [`Progress`], goes on.
    Wait(Wait),
}

/// What a function waits for. No core may block, so it is the engine that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Time to pass: `${sleep(n)}`.
    Sleep(Duration),
}
