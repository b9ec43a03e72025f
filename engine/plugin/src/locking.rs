//! Locks of data that is whole whenever a lock on it ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock, also where a thread has panicked with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
