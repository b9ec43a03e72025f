//! Wakes the thread of a worker, which waits for descriptors.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::event::{eventfd, EventfdFlags};

/// A descriptor that can be read from once somebody has woken it, and whether it is to end.
#[derive(Debug)]
pub(crate) struct Wake {
    event: OwnedFd,
    ending: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> rustix::io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { event, ending: AtomicBool::new(false) })
    }

    pub(crate) fn wake(&self) {
        // It fails only where it would count beyond 2^64: then it is awake.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Wakes it for good: everything is to end.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Makes it sleep again, unless everything is to end.
    pub(crate) fn heard(&self) {
        if !self.is_ending() {
            let _ = rustix::io::read(&self.event, &mut [0; 8]);
        }
        if self.is_ending() {
            self.wake();
        }
    }

    /// What a waiting thread polls.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
