//! Accepting connections.

use std::{
    future::Future,
    io,
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    task::Poll,
};

use io_uring::{opcode, types};

use crate::{
    ring::Shared,
    slot::{Op, Sink},
};

/// Accepts connections on a ring.
pub struct Acceptor<S: Sink> {
    pub(crate) shared: Rc<Shared<S>>,
    pub(crate) index: usize,
}

impl<S: Sink> Acceptor<S> {
    /// The next connection, ready for [`Ring::adopt`].
    ///
    /// # Errors
    /// The kernel's error, such as `EMFILE`; the next call listens on.
    pub fn accept(&self) -> impl Future<Output = io::Result<OwnedFd>> + '_ {
        std::future::poll_fn(|cx| {
            let mut inner = self.shared.inner.borrow_mut();
            let listening = &mut inner.listeners[self.index];
            if let Some(accepted) = listening.accepted.pop_front() {
                return Poll::Ready(accepted);
            }
            listening.waker = Some(cx.waker().clone());
            if let (false, Some(listener)) = (listening.armed, &listening.listener) {
                listening.armed = true;
                let accept =
                    opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC).build();
                inner.begin(accept.user_data(Op::Accept.user_data(self.index as u32, 0)));
            }
            Poll::Pending
        })
    }
}
