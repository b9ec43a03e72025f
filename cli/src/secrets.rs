//! What is kept or handed on of a run whose user asked to see secrets (`--show-secrets`): the same without them. They are for who stands at
//! the terminal; the store and reports travel further.

use std::sync::Arc;

use pummel_engine::mask_sample;
use pummel_stats::{Begun, Output, OutputSpec, Snapshot, Summary};

/// A summary whose samples of failures are masked.
pub(crate) fn without_secrets(summary: &Summary) -> Summary {
    let mut summary = summary.clone();
    summary.failure_samples.iter_mut().for_each(mask_sample);
    summary
}

/// An output that is given the summary without secrets.
pub(crate) fn kept_from_secrets(spec: OutputSpec) -> OutputSpec {
    OutputSpec { output: Box::new(KeptFromSecrets(spec.output)), ..spec }
}

struct KeptFromSecrets(Box<dyn Output>);

impl Output for KeptFromSecrets {
    fn begin(&mut self, run: &Arc<Begun>) {
        self.0.begin(run);
    }

    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        self.0.snapshot(snapshot);
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        self.0.finish(&Arc::new(without_secrets(summary)));
    }

    fn problems(&mut self) -> Vec<String> {
        self.0.problems()
    }
}
