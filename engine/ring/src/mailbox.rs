//! Messages from other threads: a crossbeam channel, and an eventfd read on the ring that wakes the core.

use std::{
    fs::File,
    future::poll_fn,
    io::{self, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::Arc,
    task::{Poll, Waker},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use io_uring::{opcode, types};

use crate::{
    ring::Inner,
    slot::{Op, Sink},
    Ring,
};

/// The eventfd of a ring, and who waits for it.
pub(crate) struct Doorbell {
    file: Arc<File>,
    /// Where the kernel writes the count; its own allocation, so that it does not move.
    count: Box<[u8; 8]>,
    pub(crate) armed: bool,
    /// One place per mailbox.
    waiting: Vec<Option<Waker>>,
}

impl Doorbell {
    pub(crate) fn new() -> io::Result<Self> {
        // Left blocking: the ring may answer EAGAIN instead of waiting for a descriptor that is not. A write to it waits
        // only at a count near 2^64.
        // SAFETY: eventfd(2) takes two integers and gives a new descriptor or -1.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and is owned by nobody else.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Self { file: Arc::new(file), count: Box::new([0; 8]), armed: false, waiting: Vec::new() })
    }

    /// Wakes everyone who waits for a message.
    pub(crate) fn ring_out(&mut self) {
        self.waiting.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }

    /// Leaves the count's memory for ever: the way out when the kernel may still write to it.
    pub(crate) fn leak(&mut self) {
        Box::leak(std::mem::replace(&mut self.count, Box::new([0; 8])));
    }
}

impl<S: Sink> Inner<S> {
    /// Keeps a read of the eventfd under way while anyone waits.
    pub(crate) fn arm_doorbell(&mut self) {
        if self.doorbell.armed || self.doorbell.waiting.iter().all(Option::is_none) {
            return;
        }
        self.doorbell.armed = true;
        let fd = types::Fd(self.doorbell.file.as_raw_fd());
        let read = opcode::Read::new(fd, self.doorbell.count.as_mut_ptr(), 8).build();
        self.begin(read.user_data(Op::Doorbell.user_data(0, 0)));
    }
}

/// The sending end of a mailbox, for other threads.
pub struct MailboxSender<T> {
    channel: Sender<T>,
    /// Dropped after `channel`, in order of the fields: the last bell says that nobody is left.
    bell: Bell,
}

impl<T> Clone for MailboxSender<T> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), bell: Bell(Arc::clone(&self.bell.0)) }
    }
}

/// Wakes the core, also when it goes.
struct Bell(Arc<File>);

impl Bell {
    fn ring(&self) {
        // Fails only for a wrong descriptor, and this one is held open.
        let _ = (&*self.0).write(&1u64.to_ne_bytes());
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}

/// The core behind a mailbox has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the core has ended")]
pub struct MailboxClosed;

impl<T> MailboxSender<T> {
    /// Sends a message and wakes the core. Does not block.
    ///
    /// # Errors
    /// [`MailboxClosed`] when the receiving end is gone.
    pub fn send(&self, message: T) -> Result<(), MailboxClosed> {
        self.channel.send(message).map_err(|_| MailboxClosed)?;
        self.bell.ring();
        Ok(())
    }
}

/// The receiving end of a mailbox, on the core.
pub struct Mailbox<T, S: Sink> {
    channel: Receiver<T>,
    /// This mailbox's place among those who wait for the bell.
    place: usize,
    ring: Ring<S>,
}

impl<S: Sink> Ring<S> {
    /// Makes a mailbox for messages to this core.
    pub fn mailbox<T>(&self) -> (MailboxSender<T>, Mailbox<T, S>) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let mut inner = self.shared.inner.borrow_mut();
        let place = inner.doorbell.waiting.len();
        inner.doorbell.waiting.push(None);
        let bell = Bell(Arc::clone(&inner.doorbell.file));
        (MailboxSender { channel: sender, bell }, Mailbox { channel: receiver, place, ring: self.clone() })
    }
}

impl<T, S: Sink> Mailbox<T, S> {
    /// The next message, or none when every sender is gone.
    pub async fn receive(&self) -> Option<T> {
        poll_fn(|cx| {
            let mut inner = self.ring.shared.inner.borrow_mut();
            // The waker stands before the channel is looked at, so that no message falls between the two.
            inner.doorbell.waiting[self.place] = Some(cx.waker().clone());
            let got = match self.channel.try_recv() {
                Ok(message) => Poll::Ready(Some(message)),
                Err(TryRecvError::Disconnected) => Poll::Ready(None),
                Err(TryRecvError::Empty) => Poll::Pending,
            };
            match got {
                Poll::Ready(_) => inner.doorbell.waiting[self.place] = None,
                Poll::Pending => inner.arm_doorbell(),
            }
            got
        })
        .await
    }
}
