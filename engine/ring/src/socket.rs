//! One connection as its owner sees it: send, wait, time limits, close.

use std::{
    future::Future,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    ring::Shared,
    slot::{Event, Payload, Sink},
};

/// One connection. Dropping it closes it: what is under way is cancelled, and its memory is freed after that.
pub struct Socket<S: Sink> {
    pub(crate) shared: Rc<Shared<S>>,
    pub(crate) slot: u32,
}

impl<S: Sink> Socket<S> {
    /// Runs `f` on the socket's sink.
    ///
    /// # Panics
    /// When called from within a sink.
    #[inline]
    pub fn with<T>(&self, f: impl FnOnce(&mut S) -> T) -> T {
        let mut inner = self.shared.inner.borrow_mut();
        f(inner.slots[self.slot as usize].sink.as_mut().expect("an open socket has its sink"))
    }

    /// Runs `f` on the socket's sink, unless the stream has ended.
    ///
    /// # Panics
    /// When called from within a sink.
    #[inline]
    pub fn with_open<T>(&self, f: impl FnOnce(&mut S) -> T) -> Option<T> {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        match state.end {
            None => state.sink.as_mut().map(f),
            Some(_) => None,
        }
    }

    /// Queues a payload; it goes out with the next enters, in order of the calls on all sockets. One send at a time: call
    /// it only when [`sending`](Self::sending) is false.
    ///
    /// # Panics
    /// When an earlier send is not finished.
    #[inline]
    pub fn send(&self, payload: Payload) {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        assert!(state.out.is_none(), "one send in flight per socket");
        if payload.len() == 0 {
            return;
        }
        state.sent_ns = 0;
        state.out = Some(payload);
        state.out_sent = 0;
        inner.queue_send(self.slot);
    }

    /// True while the kernel may still read the bytes of the last send.
    pub fn sending(&self) -> bool {
        self.shared.inner.borrow().slots[self.slot as usize].out.is_some()
    }

    /// Waits until the kernel has taken every byte of the last send, or the send has failed ([`ended`](Self::ended)).
    /// Until then a drop of the socket cuts off what is not yet sent. Call it right after [`send`](Self::send): a small send
    /// of run-long bytes that nobody waits for is not followed further once it was handed over.
    pub fn flushed(&self) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(|cx| self.poll_flushed(cx))
    }

    /// Polls for what [`flushed`](Self::flushed) waits for.
    pub fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        if state.out.is_none() {
            return Poll::Ready(());
        }
        state.flush_waits = true;
        state.wake_with(cx);
        Poll::Pending
    }

    /// When the first byte of the last send was handed to the kernel, in nanoseconds; 0 if it is still queued.
    #[inline]
    pub fn sent_ns(&self) -> u64 {
        self.shared.inner.borrow().slots[self.slot as usize].sent_ns
    }

    /// Has the kernel report when it has taken the last byte of the next send, for [`taken_ns`](Self::taken_ns). Such a send costs
    /// a completion that a small one of run-long bytes has not. Call it right before [`send`](Self::send).
    pub fn time_next_send(&self) {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        state.reports = true;
        state.taken_ns = 0;
    }

    /// When the kernel had taken the last byte of a send that is [timed](Self::time_next_send), in nanoseconds; 0 if it has not.
    pub fn taken_ns(&self) -> u64 {
        self.shared.inner.borrow().slots[self.slot as usize].taken_ns
    }

    /// When the pass began that brought the last bytes the owner was woken for, in nanoseconds; 0 before the first.
    #[inline]
    pub fn arrived_ns(&self) -> u64 {
        self.shared.inner.borrow().slots[self.slot as usize].data_ns
    }

    /// The buffer of an earlier send, empty, to be filled for the next.
    pub fn take_buffer(&self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.shared.inner.borrow_mut().slots[self.slot as usize].spare);
        buffer.clear();
        buffer
    }

    /// Gives back a buffer of [`take_buffer`](Self::take_buffer) that was not sent.
    pub fn return_buffer(&self, buffer: Vec<u8>) {
        self.shared.inner.borrow_mut().slots[self.slot as usize].spare = buffer;
    }

    /// Makes ready for a time without use: no deadline, and the buffer of an earlier send given back where it is larger than that.
    /// True where the socket can be used again: the stream has not ended, and no send is under way.
    #[inline]
    pub fn rest(&self, most_bytes: usize) -> bool {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        state.deadline_ns = 0;
        state.timed_out = false;
        if state.spare.capacity() > most_bytes {
            state.spare = Vec::new();
        }
        state.end.is_none() && state.out.is_none()
    }

    /// Sets the time at which [`Event::Timeout`] comes, in nanoseconds of [`now_ns`](crate::now_ns); 0 for never. Costs
    /// nothing while deadlines only move later, as they do from request to request.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: u64) {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        state.deadline_ns = deadline_ns;
        state.timed_out = false;
        if deadline_ns != 0 && (state.timer_ns == 0 || deadline_ns < state.timer_ns) {
            state.timer_ns = deadline_ns;
            let generation = state.generation;
            inner.timers.add(deadline_ns, self.slot, generation);
        }
    }

    /// Starts receiving again after [`Flow::Pause`](crate::Flow::Pause).
    pub fn resume(&self) {
        let mut inner = self.shared.inner.borrow_mut();
        inner.slots[self.slot as usize].paused = false;
        inner.arm_receive(self.slot);
    }

    /// How the stream ended, if it has.
    #[inline]
    pub fn ended(&self) -> Option<crate::End> {
        self.shared.inner.borrow().slots[self.slot as usize].end
    }

    /// Waits for the next event.
    pub fn event(&self) -> impl Future<Output = Event> + '_ {
        std::future::poll_fn(|cx| self.poll_event(cx))
    }

    /// Polls for the next event: data, then connected, then the end, then the timeout.
    #[inline]
    pub fn poll_event(&self, cx: &Context<'_>) -> Poll<Event> {
        let mut inner = self.shared.inner.borrow_mut();
        let state = &mut inner.slots[self.slot as usize];
        if state.data {
            state.data = false;
            return Poll::Ready(Event::Data { at_ns: state.data_ns });
        }
        if state.connected && !state.connect_seen {
            state.connect_seen = true;
            return Poll::Ready(Event::Connected);
        }
        if let Some(end) = state.end {
            return Poll::Ready(Event::End(end));
        }
        if state.timed_out {
            state.timed_out = false;
            return Poll::Ready(Event::Timeout);
        }
        state.wake_with(cx);
        Poll::Pending
    }

    /// Closes the connection with a reset (RST): the peer's next receive fails with `ECONNRESET`, and what was not yet
    /// sent is thrown away.
    pub fn reset(self) {
        let mut inner = self.shared.inner.borrow_mut();
        inner.disconnect(self.slot);
        drop(inner);
    }
}

impl<S: Sink> Drop for Socket<S> {
    fn drop(&mut self) {
        // During a panic the ring may be borrowed; its teardown then cancels everything.
        if let Ok(mut inner) = self.shared.inner.try_borrow_mut() {
            inner.close(self.slot);
        }
    }
}
