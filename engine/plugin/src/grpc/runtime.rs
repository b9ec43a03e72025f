//! The thread all gRPC happens on.

use std::{future, io, sync::Mutex, thread};

use tokio::runtime::{Builder, Handle};

/// The handle of the runtime, once it runs.
static HANDLE: Mutex<Option<Handle>> = Mutex::new(None);

/// The runtime, started where it does not run yet. It ends with the program.
///
/// # Errors
/// The system gives no thread, or no file descriptor for it. The next call tries again.
pub(super) fn handle() -> io::Result<Handle> {
    let mut known = HANDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = &*known {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("plugin-grpc".into()).spawn(move || runtime.block_on(future::pending::<()>()))?;
    *known = Some(handle.clone());
    Ok(handle)
}
