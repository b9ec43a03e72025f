//! The state of one process of a plugin, as callers see it.

use std::{path::Path, sync::Arc};

use crate::GrpcClient;

/// How far a worker is.
#[derive(Debug, Clone)]
pub enum WorkerState {
    /// Its process is being started, for the first time or anew.
    Starting,
    /// It takes calls.
    Up {
        /// Counts the processes this worker has had, from 1: who saw one break names it by this.
        generation: u64,
        /// How to call it.
        reach: Reach,
    },
    /// It crashes again and again and rests for a while.
    Down {
        /// What is said of calls meanwhile.
        reason: Arc<str>,
    },
}

/// How a worker is called.
#[derive(Debug, Clone)]
pub enum Reach {
    /// With [`frames`](crate::frames), over the Unix socket of this path; one that begins with a NUL byte is an abstract name
    /// (unix(7)).
    Frames(Arc<Path>),
    /// With gRPC.
    Grpc(GrpcClient),
}
