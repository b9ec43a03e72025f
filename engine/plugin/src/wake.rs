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

#[cfg(test)]
mod tests {
    use rustix::event::{poll, PollFd, PollFlags, Timespec};

    use super::*;

    fn is_awake(wake: &Wake) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::from_borrowed_fd(wake.descriptor(), PollFlags::IN)], Some(&now)) == Ok(1)
    }

    #[test]
    fn it_sleeps_again_until_everything_is_to_end() {
        let wake = Wake::new().unwrap();
        assert!(!is_awake(&wake));
        wake.wake();
        wake.wake();
        assert!(is_awake(&wake));
        wake.heard();
        assert!(!is_awake(&wake));
        wake.heard();
        wake.end();
        wake.heard();
        wake.heard();
        assert!(is_awake(&wake) && wake.is_ending());
    }
}
