//! The driver: let every ready task run, submit, wait, walk the completions, wake, again.

use std::{io, task::Waker};

use io_uring::{cqueue, opcode, squeue::Flags, types};

use crate::{
    clock::now_ns,
    ring::{Inner, Target, QUIET_SEND_BYTES, SLEEP_KEY},
    slot::{End, Flow, Op, Payload, Sink, CONNECTING, RECEIVING, SENDING},
    Ring,
};

/// Sends of one enter. More would make the first wait for the last: 12.7 ms were measured at 1,000 in one submit.
const SENDS_PER_ENTER: usize = 32;

/// Completions walked before the tasks they wake may run, for the same reason.
const COMPLETIONS_PER_PASS: usize = 32;

/// Connects, cancels and the like of one enter: they are slower than sends and must not hold up those behind them.
const OPERATIONS_PER_ENTER: usize = 64;

/// Yields in a row before I/O is looked after, however busy the tasks keep each other.
const YIELDS_PER_PASS: usize = 16;

/// How long teardown waits in vain for cancelled operations, in passes of [`TEARDOWN_WAIT_NS`].
const TEARDOWN_PASSES: usize = 200;
const TEARDOWN_WAIT_NS: u64 = 10_000_000;

/// What one pass does when there is nothing to walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Sleep until a completion or the next deadline.
    Sleep,
    /// Look, do not wait: a task may still be ready.
    Poll,
}

impl<S: Sink> Ring<S> {
    /// Drives the ring until [`stop`](Self::stop); runs as one task of the executor, made with `glommio::spawn_local`.
    ///
    /// # Errors
    /// When the kernel refuses to enter the ring, which ends all I/O of this core.
    pub async fn drive(&self) -> io::Result<()> {
        while !self.shared.stopped.get() {
            let mut wait = Wait::Poll;
            for _ in 0..YIELDS_PER_PASS {
                let before = self.shared.polls.get();
                glommio::executor().yield_now().await;
                // A task woken in this yield queues behind the driver, so only a yield without polls means quiet.
                if self.shared.polls.get() == before {
                    wait = Wait::Sleep;
                    break;
                }
            }
            if self.shared.stopped.get() {
                break;
            }
            self.shared.inner.borrow_mut().pass(wait)?;
        }
        Ok(())
    }

    /// Ends [`drive`](Self::drive) after its current pass.
    pub fn stop(&self) {
        self.shared.stopped.set(true);
    }

    /// Cancels everything under way and takes the completions. Call it once, after `drive` has ended and all sockets are
    /// dropped. Memory the kernel might still touch, should it not answer, is leaked rather than freed.
    pub fn shutdown(&self) {
        self.shared.inner.borrow_mut().shutdown();
    }
}

impl<S: Sink> Inner<S> {
    /// One pass: submit what waits, enter once, fire timers, walk completions.
    fn pass(&mut self, wait: Wait) -> io::Result<()> {
        if let Some(errno) = self.broken {
            return Err(io::Error::from_raw_os_error(errno));
        }
        // Sends first: their stamp is taken before the enter works off what stands before them.
        let queued = self.push_sends() + self.push_operations();
        self.handled += queued as u64;
        let more = !self.sends.is_empty() || !self.operations.is_empty();
        let walked_all = self.ring.completion().is_empty();
        if queued > 0 || walked_all {
            if wait == Wait::Sleep && queued == 0 && !more {
                self.rests += 1;
            }
            let timeout_ns = match (wait, more || !walked_all) {
                (Wait::Sleep, false) => self.timers.next_ns().map(|at| at.saturating_sub(now_ns())),
                _ => Some(0),
            };
            if let Err(error) = self.enter(timeout_ns) {
                self.broken = error.raw_os_error().or(Some(libc::EIO));
                return Err(error);
            }
        }
        let now = now_ns();
        self.note_arrivals(now);
        self.walk();
        self.fire_timers(now);
        Ok(())
    }

    /// Stamps the completions that came in since the last look. Those a pass leaves behind keep their stamp: the time in our
    /// own queue is not the server's.
    fn note_arrivals(&mut self, now: u64) {
        let known: usize = self.arrivals.iter().map(|(count, _)| count).sum();
        let new = self.ring.completion().len() - known;
        if new > 0 {
            self.arrivals.push_back((new, now));
        }
    }

    /// Moves at most [`OPERATIONS_PER_ENTER`] waiting operations into the submission queue.
    fn push_operations(&mut self) -> usize {
        let mut pushed = 0;
        let mut queue = self.ring.submission();
        while pushed < OPERATIONS_PER_ENTER {
            let Some(operation) = self.operations.front() else { break };
            // SAFETY: the memory an operation names (an address in its slot, a buffer ring, the doorbell's count, the buffer of
            // a read) stays in place until its completion is walked: slots are freed only when nothing is pending on them,
            // and a read's place keeps its buffer, whose bytes do not move, and its file until its own completion.
            if unsafe { queue.push(operation) }.is_err() {
                break;
            }
            self.operations.pop_front();
            pushed += 1;
        }
        pushed
    }

    /// Moves at most [`SENDS_PER_ENTER`] sends into the submission queue and stamps them.
    fn push_sends(&mut self) -> usize {
        if self.sends.is_empty() {
            return 0;
        }
        let now = now_ns();
        let mut pushed = 0;
        while pushed < SENDS_PER_ENTER {
            let Some(&(slot, generation)) = self.sends.front() else { break };
            let index = slot as usize;
            let stale = self.slots[index].generation != generation || self.slots[index].closing;
            if stale || self.slots[index].out.is_none() {
                if !stale {
                    self.slots[index].send_queued = false;
                }
                self.sends.pop_front();
                continue;
            }
            let (entry, quiet) = self.send_entry(slot, generation);
            // SAFETY: a quiet send names bytes kept as long as the ring; any other names the slot's `out`, which is neither
            // moved nor dropped before its completion is walked.
            if unsafe { self.ring.submission().push(&entry) }.is_err() {
                break;
            }
            self.sends.pop_front();
            let state = &mut self.slots[index];
            state.send_queued = false;
            if state.sent_ns == 0 {
                state.sent_ns = now;
            }
            if quiet {
                if let Some(Payload::Run(bytes)) = state.out.take() {
                    state.quiet = Some(bytes);
                }
            } else {
                state.pending |= SENDING;
                self.under_way += 1;
            }
            pushed += 1;
        }
        pushed
    }

    /// The operation that sends the rest of a slot's payload, and whether it reports only failure.
    fn send_entry(&self, slot: u32, generation: u32) -> (io_uring::squeue::Entry, bool) {
        let state = &self.slots[slot as usize];
        let (bytes, run_long) = match state.out.as_ref().expect("checked by the caller") {
            Payload::Run(bytes) => (self.kept_bytes(*bytes), true),
            Payload::Owned(bytes) => (bytes.as_slice(), false),
        };
        let rest = &bytes[state.out_sent..];
        let must_report = state.reports || state.flush_waits || state.out_sent > 0;
        let quiet = run_long && !must_report && rest.len() <= QUIET_SEND_BYTES;
        let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        // A quiet send is taken whole within the enter or fails: it never waits in the kernel for room.
        let wait = if quiet { libc::MSG_DONTWAIT } else { 0 };
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL | wait;
        let entry = self.on_socket(slot, |fd| match fd {
            Target::Fixed(fd) => opcode::Send::new(fd, rest.as_ptr(), len).flags(flags).build(),
            Target::Plain(fd) => opcode::Send::new(fd, rest.as_ptr(), len).flags(flags).build(),
        });
        if quiet {
            (entry.flags(Flags::SKIP_SUCCESS).user_data(Op::SendQuiet.user_data(slot, generation)), true)
        } else {
            (entry.user_data(Op::Send.user_data(slot, generation)), false)
        }
    }

    /// Submits the queue and collects completions, waiting for one at most `timeout_ns` (none: for ever, 0: not at all).
    fn enter(&mut self, timeout_ns: Option<u64>) -> io::Result<()> {
        /// `IORING_ENTER_GETEVENTS`: without it DEFER_TASKRUN works nothing off.
        const GETEVENTS: u32 = 1;
        /// `IORING_ENTER_EXT_ARG` (kernel 5.11): a timeout for the wait.
        const EXT_ARG: u32 = 8;
        self.enters += 1;
        let (submitter, mut queue, _) = self.ring.split();
        queue.sync();
        let to_submit = queue.len() as u32;
        // SAFETY: the entries were pushed under the promises above; the arguments outlive the call.
        let entered = unsafe {
            match timeout_ns {
                Some(0) => submitter.enter::<libc::sigset_t>(to_submit, 0, GETEVENTS, None),
                None => submitter.enter::<libc::sigset_t>(to_submit, 1, GETEVENTS, None),
                Some(ns) => {
                    let time = types::Timespec::new().sec(ns / 1_000_000_000).nsec((ns % 1_000_000_000) as u32);
                    let arguments = types::SubmitArgs::new().timespec(&time);
                    submitter.enter(to_submit, 1, GETEVENTS | EXT_ARG, Some(&arguments))
                }
            }
        };
        queue.sync();
        let left = queue.len();
        drop(queue);
        self.unsubmitted = left;
        if left == 0 {
            self.free_deferred();
        }
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // The wait timed out, a signal came, or completions must be walked before more can be submitted.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Wakes every sleep and every socket whose deadline has passed.
    fn fire_timers(&mut self, now: u64) {
        while let Some((key, generation)) = self.timers.pop_due(now) {
            if key & SLEEP_KEY != 0 {
                let sleep = &mut self.sleeps[(key & !SLEEP_KEY) as usize];
                if sleep.generation == generation {
                    sleep.fired = true;
                    if let Some(waker) = sleep.waker.take() {
                        waker.wake();
                    }
                }
                continue;
            }
            let state = &mut self.slots[key as usize];
            // An entry that an earlier deadline has replaced is outdated: the slot knows which one is its own.
            if state.generation != generation || state.timer_ns == 0 || state.timer_ns > now {
                continue;
            }
            state.timer_ns = 0;
            if state.deadline_ns == 0 {
                continue;
            }
            // What came in before the deadline may still wait to be walked: it is looked at first.
            let backlog = self.arrivals.front().is_some_and(|(_, arrived_ns)| *arrived_ns <= state.deadline_ns);
            if state.deadline_ns <= now && !backlog {
                state.deadline_ns = 0;
                state.timed_out = true;
                state.wake();
            } else {
                state.timer_ns = state.deadline_ns.max(now + 1);
                let next_ns = state.timer_ns;
                self.timers.add(next_ns, key, generation);
            }
        }
    }

    /// Walks at most [`COMPLETIONS_PER_PASS`] completions.
    fn walk(&mut self) {
        let mut gave_back = false;
        for _ in 0..COMPLETIONS_PER_PASS {
            let Some((left, arrived_ns)) = self.arrivals.front_mut() else { break };
            let arrived_ns = *arrived_ns;
            *left -= 1;
            if *left == 0 {
                self.arrivals.pop_front();
            }
            let Some(completion) = self.ring.completion().next() else { break };
            self.handled += 1;
            gave_back |= self.complete(&completion, arrived_ns);
        }
        if gave_back {
            self.buffers.publish();
        }
    }

    /// Takes one completion; true if a buffer was given back.
    fn complete(&mut self, completion: &cqueue::Entry, now: u64) -> bool {
        let Some((op, slot, generation)) = Op::parse(completion.user_data()) else { return false };
        let (result, flags) = (completion.result(), completion.flags());
        let last = !cqueue::more(flags);
        if last && op != Op::SendQuiet {
            self.under_way -= 1;
        }
        match op {
            Op::Receive => return self.received(slot, generation, result, flags, now),
            Op::Send => self.sent(slot, generation, result, now),
            Op::SendQuiet => self.quiet_send_failed(slot, generation, result),
            Op::Connect => self.connected(slot, result),
            Op::Cancel => {}
            Op::Accept => self.accepted(slot, result, last),
            Op::Read => self.read_done(slot, generation, result),
            Op::Doorbell => {
                self.doorbell.armed = false;
                self.doorbell.ring_out();
            }
        }
        false
    }

    fn received(&mut self, slot: u32, generation: u32, result: i32, flags: u32, now: u64) -> bool {
        let index = slot as usize;
        debug_assert_eq!(self.slots[index].generation, generation, "a slot outlives its operations");
        let buffer = cqueue::buffer_select(flags);
        let mut flow = Flow::More;
        if let (Some(id), true) = (buffer, result > 0) {
            let state = &mut self.slots[index];
            if let Some(sink) = &mut state.sink {
                flow = sink.on_data(self.buffers.bytes(id, result as usize));
            }
        }
        if let Some(id) = buffer {
            self.buffers.give_back(id);
        }
        match flow {
            Flow::More | Flow::Reply => {}
            Flow::Wake | Flow::Pause | Flow::ReplyAndWake => {
                let state = &mut self.slots[index];
                state.data = true;
                state.data_ns = now;
                state.wake();
                if flow == Flow::Pause && !state.paused {
                    state.paused = true;
                    if cqueue::more(flags) {
                        self.cancel(Op::Receive, slot);
                    }
                }
            }
        }
        if matches!(flow, Flow::Reply | Flow::ReplyAndWake) {
            self.reply(slot);
        }
        if !cqueue::more(flags) {
            let state = &mut self.slots[index];
            state.pending &= !RECEIVING;
            match result {
                0 => state.finish(End::Eof),
                // Out of buffers, cut short, cancelled by a pause, or a single-shot receive that is done: go on.
                _ if result > 0 => {}
                _ if matches!(-result, libc::ENOBUFS | libc::EINTR | libc::EAGAIN | libc::ECANCELED) => {}
                _ => state.finish(End::Error(-result)),
            }
            self.arm_receive(slot);
            self.free_if_done(slot);
        }
        buffer.is_some()
    }

    /// Sends what the sink answers, now or when the send before it is finished.
    fn reply(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        state.reply_waits = state.out.is_some();
        if state.reply_waits {
            return;
        }
        let Some(sink) = &mut state.sink else { return };
        let mut spare = std::mem::take(&mut state.spare);
        spare.clear();
        let bytes = sink.reply(spare);
        if bytes.is_empty() {
            state.spare = bytes;
            state.wake_flushed();
            return;
        }
        state.out = Some(Payload::Owned(bytes));
        state.out_sent = 0;
        state.sent_ns = 0;
        self.queue_send(slot);
    }

    fn sent(&mut self, slot: u32, generation: u32, result: i32, now: u64) {
        let state = &mut self.slots[slot as usize];
        debug_assert_eq!(state.generation, generation, "a slot outlives its operations");
        state.pending &= !SENDING;
        if result > 0 {
            state.out_sent += result as usize;
        }
        let unsent = state.out.as_ref().map_or(0, |out| out.len() - state.out_sent);
        let again = result > 0 || matches!(-result, libc::EINTR | libc::EAGAIN);
        if unsent > 0 && again && !state.closing {
            self.queue_send(slot);
            return;
        }
        state.reports = false;
        if unsent == 0 {
            state.taken_ns = now;
        }
        if let Some(Payload::Owned(buffer)) = state.out.take() {
            state.spare = buffer;
        }
        if unsent > 0 && !state.closing {
            state.finish(End::Error(if result < 0 { -result } else { libc::EPIPE }));
        } else if state.reply_waits {
            self.reply(slot);
        } else {
            state.wake_flushed();
        }
        self.free_if_done(slot);
    }

    /// A quiet send that was not taken whole; a success is not reported at all.
    fn quiet_send_failed(&mut self, slot: u32, generation: u32, result: i32) {
        let state = &mut self.slots[slot as usize];
        // A late failure of a slot's earlier life is nobody's.
        if state.generation != generation || state.closing {
            return;
        }
        let taken = usize::try_from(result).unwrap_or(0);
        match state.quiet.take() {
            // The socket's buffer is full: the rest waits for room, as a send that reports its end.
            Some(bytes) if state.out.is_none() && (taken > 0 || result == -libc::EAGAIN) => {
                state.out = Some(Payload::Run(bytes));
                state.out_sent = taken;
                state.reports = true;
                self.queue_send(slot);
            }
            // Or the owner has sent again meanwhile, without an answer to the first: its bytes have no place any more.
            _ => state.finish(End::Error(if result < 0 { -result } else { libc::EPIPE })),
        }
    }

    fn connected(&mut self, slot: u32, result: i32) {
        let state = &mut self.slots[slot as usize];
        state.pending &= !CONNECTING;
        state.address = None;
        if result < 0 {
            state.finish(End::Error(-result));
        } else {
            state.connected = true;
            state.wake();
            if state.out.is_some() {
                self.queue_send(slot);
            }
            self.arm_receive(slot);
        }
        self.free_if_done(slot);
    }

    fn accepted(&mut self, listener: u32, result: i32, last: bool) {
        let listening = &mut self.listeners[listener as usize];
        if last {
            listening.armed = false;
        }
        listening.accepted.push_back(crate::ring::accepted_fd(result));
        if let Some(waker) = &listening.waker {
            Waker::wake_by_ref(waker);
        }
    }

    fn shutdown(&mut self) {
        // Dropped sockets have queued their cancels; this is for what no socket owns.
        for listener in 0..self.listeners.len() as u32 {
            if self.listeners[listener as usize].armed {
                let cancel = opcode::AsyncCancel::new(Op::Accept.user_data(listener, 0)).build();
                self.begin(cancel.user_data(Op::Cancel.user_data(0, 0)));
            }
        }
        if self.doorbell.armed {
            let cancel = opcode::AsyncCancel::new(Op::Doorbell.user_data(0, 0)).build();
            self.begin(cancel.user_data(Op::Cancel.user_data(0, 0)));
        }
        // Sends that report only failure need no cancel: they do not outlive the enter they were submitted with.
        let mut idle_passes = 0;
        while self.under_way > 0 && idle_passes < TEARDOWN_PASSES {
            let before = self.under_way;
            self.push_operations();
            if self.enter(Some(TEARDOWN_WAIT_NS)).is_err() {
                break;
            }
            self.note_arrivals(now_ns());
            while !self.arrivals.is_empty() {
                self.walk();
            }
            idle_passes = if self.under_way == before { idle_passes + 1 } else { 0 };
        }
        if self.under_way > 0 {
            self.leak();
        }
    }
}

impl<S> Inner<S> {
    /// Gives up the memory the kernel may still touch.
    pub(crate) fn leak(&mut self) {
        self.buffers.leak();
        self.doorbell.leak();
        self.kept.drain(..).for_each(std::mem::forget);
        self.slots.drain(..).for_each(std::mem::forget);
        self.reads.drain(..).for_each(std::mem::forget);
    }
}
