//! Calls over gRPC, the protocol of funplugin (hrp spec 19.6), from one thread with a tokio runtime of its own.

use std::{sync::Arc, time::Duration};

use pummel_case::CallOutcome;

/// A connection to one worker. Clones share it.
#[derive(Debug, Clone)]
pub struct GrpcClient {}

impl GrpcClient {
    /// Makes a call; `done` gets how it ended and what it gave ([`PluginCall::answer`](pummel_case::PluginCall::answer)), on the
    /// thread of the runtime, which it must not block. A call that takes longer than `timeout` ends as `Lost`.
    pub fn call(
        &self,
        _function: Arc<str>,
        _arguments: String,
        _timeout: Duration,
        _done: Box<dyn FnOnce(CallOutcome, String) + Send>,
    ) {
    }
}

#[allow(missing_docs, unreachable_pub, unused_qualifications, dead_code, clippy::pedantic)] // Made by the build script.
mod proto {
    tonic::include_proto!("proto");
}
