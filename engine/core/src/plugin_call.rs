//! A call of a plugin's function, as one of a user's waits.

use pummel_case::{CallOutcome, PluginCall, Progress};

use crate::{iteration::Ended, user::User};

impl User<'_> {
    /// Makes a call and hands it back to the step that asked for it.
    pub(crate) async fn call_plugin(&mut self, mut call: Box<PluginCall>, progress: &mut Progress) -> Ended {
        call.outcome = CallOutcome::Lost;
        progress.resume(call);
        Ended::Passed
    }
}
