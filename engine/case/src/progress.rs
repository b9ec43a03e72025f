//! How far the work around one request is, where it has to wait in between.

use std::time::Duration;

use crate::plugin::PluginCall;

/// How far a step's render or check is. A new one for each execution; the same one again after a wait.
#[derive(Debug, Default)]
pub struct Progress {
    /// Operations done.
    pub(crate) done: usize,
    /// A call that has come back, for the operation that asked for it.
    pub(crate) returned: Option<Box<PluginCall>>,
}

impl Progress {
    /// Hands the call of a [`Wait::Call`] back, with its outcome: the operation that asked for it goes on with that.
    pub fn resume(&mut self, call: Box<PluginCall>) {
        self.done = self.done.saturating_sub(1);
        self.returned = Some(call);
    }
}

/// Whether a step's render or check is complete.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a step that has to wait is not ready"]
pub enum Prepared {
    /// It is.
    Done,
    /// A function asks for this first; then the same call, with the same [`Progress`], goes on.
    Wait(Wait),
}

/// What a function waits for. No core may block, so it is the engine that waits.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait {
    /// Time to pass: `${sleep(n)}`.
    Sleep(Duration),
    /// A function of a plugin, to be called and handed to [`Progress::resume`].
    Call(Box<PluginCall>),
}
