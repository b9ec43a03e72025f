//! What users of a ring call: open, send, wait, sleep, accept, spawn.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use io_uring::{opcode, types, IoUring};
use socket2::SockAddr;

use crate::{
    buffers::{self, Buffers},
    connect,
    file_read::ReadSlot,
    mailbox::Doorbell,
    probe::{Capabilities, Unavailable},
    slot::{Op, RunBytes, Sink, Slot, CONNECTING, RECEIVING, SENDING},
    timers::Timers,
    Acceptor, Address, ConnectOptions, Sleep, Socket,
};

/// Sizes of a ring.
#[derive(Debug, Clone)]
pub struct Config {
    /// The most sockets open at once. Fixed at start: it sizes the table of registered files (8 bytes each).
    pub max_sockets: u32,
    /// Receive buffers, rounded up to a power of two, 16 to 32,768. Too few cost a re-arm, never data.
    pub buffers: u32,
    /// Bytes of each receive buffer. One response fits into one as a rule.
    pub buffer_bytes: usize,
    /// What the kernel may be asked for; [`probe`](crate::probe()) finds out, tests take things away.
    pub capabilities: Capabilities,
}

impl Config {
    /// Sizes for so many sockets: buffers for a quarter of them, from 256 to 4,096, of 4 KiB.
    pub fn for_sockets(max_sockets: u32, capabilities: Capabilities) -> Self {
        Self { max_sockets, buffers: (max_sockets / 4).clamp(256, 4096), buffer_bytes: 4096, capabilities }
    }
}

/// Submission entries; the queue is emptied at each enter, so this bounds a batch, not the sockets.
const SUBMISSION_ENTRIES: u32 = 512;

/// Completion entries for so many sockets. The kernel keeps what does not fit (`IORING_FEAT_NODROP`), at a cost.
fn completion_entries(max_sockets: u32) -> u32 {
    max_sockets.clamp(1024, 32_768).next_power_of_two() * 2
}

/// Up to here run-long bytes are sent without asking for a completion: they fit into an empty socket buffer whole. One that
/// is not empty makes such a send fail, and the rest goes out as a send that reports its end.
pub(crate) const QUIET_SEND_BYTES: usize = 16 * 1024;

/// A timer key: a socket's deadline or a sleep, told apart by the top bit.
pub(crate) const SLEEP_KEY: u32 = 1 << 31;

pub(crate) struct Inner<S> {
    pub(crate) ring: IoUring,
    pub(crate) capabilities: Capabilities,
    /// True when sockets are registered files, addressed by their slot.
    pub(crate) fixed: bool,
    pub(crate) slots: Vec<Slot<S>>,
    pub(crate) free: Vec<u32>,
    pub(crate) max_sockets: u32,
    /// Sockets with something to send: slot and generation.
    pub(crate) sends: VecDeque<(u32, u32)>,
    /// Everything else waiting for room in the submission queue.
    pub(crate) operations: VecDeque<io_uring::squeue::Entry>,
    /// Completions not yet walked: how many came with which enter, and when that was.
    pub(crate) arrivals: VecDeque<(usize, u64)>,
    /// Entries an enter left in the submission queue. They name their slots, so none is freed meanwhile.
    pub(crate) unsubmitted: usize,
    /// Slots to be freed once the submission queue is empty.
    pub(crate) deferred: Vec<u32>,
    /// Operations whose completion is still to come.
    pub(crate) under_way: usize,
    pub(crate) timers: Timers,
    pub(crate) sleeps: Vec<SleepSlot>,
    pub(crate) free_sleeps: Vec<u32>,
    pub(crate) reads: Vec<ReadSlot>,
    pub(crate) free_reads: Vec<u32>,
    pub(crate) kept: Vec<Box<[u8]>>,
    pub(crate) listeners: Vec<Listening>,
    pub(crate) doorbell: Doorbell,
    pub(crate) enters: u64,
    /// Operations submitted and completions walked.
    pub(crate) handled: u64,
    /// Passes with nothing to do but to sleep.
    pub(crate) rests: u64,
    /// Set by a failed enter: nothing can be done on this ring any more.
    pub(crate) broken: Option<i32>,
    /// Dropped after `ring`: fields drop in order.
    pub(crate) buffers: Buffers,
}

#[derive(Default)]
pub(crate) struct SleepSlot {
    pub(crate) generation: u32,
    pub(crate) waker: Option<Waker>,
    pub(crate) fired: bool,
}

pub(crate) struct Listening {
    pub(crate) listener: Option<TcpListener>,
    pub(crate) accepted: VecDeque<io::Result<OwnedFd>>,
    pub(crate) waker: Option<Waker>,
    pub(crate) armed: bool,
}

pub(crate) struct Shared<S> {
    pub(crate) inner: RefCell<Inner<S>>,
    /// Polls of tasks made by [`Ring::spawn`]; the driver sleeps only when a yield added none.
    pub(crate) polls: Cell<u64>,
    pub(crate) stopped: Cell<bool>,
}

/// One core's ring. Clones share it. Must stay on the thread it was made on.
pub struct Ring<S: Sink> {
    pub(crate) shared: Rc<Shared<S>>,
}

impl<S: Sink> Clone for Ring<S> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<S: Sink> Ring<S> {
    /// Makes a ring for this thread.
    ///
    /// # Errors
    /// [`Unavailable`] with the remedy when the kernel does not give one.
    pub fn new(config: &Config) -> Result<Self, Unavailable> {
        let ring = config.capabilities.build(SUBMISSION_ENTRIES, completion_entries(config.max_sockets))?;
        let fixed =
            config.capabilities.fixed_files && ring.submitter().register_files_sparse(config.max_sockets).is_ok();
        let count = config.buffers.clamp(16, 32_768).next_power_of_two() as u16;
        let buffers = Buffers::new(&ring, count, config.buffer_bytes).map_err(Unavailable::Buffers)?;
        let doorbell = Doorbell::new().map_err(Unavailable::Other)?;
        // Room for all of them at once: memory that is not touched costs nothing, and a table that grows is there twice while it
        // is copied. Where there is no room it grows.
        let mut slots = Vec::new();
        let _ = slots.try_reserve_exact(config.max_sockets as usize);
        let inner = Inner {
            ring,
            capabilities: config.capabilities,
            fixed,
            slots,
            free: Vec::new(),
            max_sockets: config.max_sockets,
            sends: VecDeque::new(),
            operations: VecDeque::new(),
            arrivals: VecDeque::new(),
            unsubmitted: 0,
            deferred: Vec::new(),
            under_way: 0,
            timers: Timers::default(),
            sleeps: Vec::new(),
            free_sleeps: Vec::new(),
            reads: Vec::new(),
            free_reads: Vec::new(),
            kept: Vec::new(),
            listeners: Vec::new(),
            doorbell,
            enters: 0,
            handled: 0,
            rests: 0,
            broken: None,
            buffers,
        };
        let shared = Shared { inner: RefCell::new(inner), polls: Cell::new(0), stopped: Cell::new(false) };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Spawns a task on this thread's glommio executor. Every task that uses the ring must be made here: the driver
    /// counts its polls to know when nothing is left to run.
    ///
    /// # Panics
    /// Outside a glommio executor.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> glommio::Task<T> {
        let shared = Rc::clone(&self.shared);
        glommio::spawn_local(Counted { future, shared })
    }

    /// Keeps bytes as long as the ring lives, to be sent any number of times without a copy.
    pub fn keep(&self, bytes: Vec<u8>) -> RunBytes {
        let mut inner = self.shared.inner.borrow_mut();
        let kept = RunBytes { index: inner.kept.len() as u32, len: bytes.len() as u32 };
        inner.kept.push(bytes.into_boxed_slice());
        kept
    }

    /// Begins to connect to a TCP address with the usual options: no delay, and source and port of the kernel's choice.
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    pub fn connect(&self, address: SocketAddr, sink: S) -> io::Result<Socket<S>> {
        self.connect_with(&address.into(), &ConnectOptions::default(), sink)
    }

    /// Makes a socket and begins to connect it; wait for [`Event::Connected`](crate::Event::Connected). The port is the
    /// kernel's choice at the connect, so that ports are shared between different peers, with a source address too.
    ///
    /// # Errors
    /// No descriptors (`EMFILE`), no memory, the ring's `max_sockets` reached (also `EMFILE`), a source that is not this
    /// machine's (`EADDRNOTAVAIL`) or not of the destination's family, the path of a Unix socket that is too long.
    pub fn connect_with(&self, address: &Address, options: &ConnectOptions, sink: S) -> io::Result<Socket<S>> {
        let (socket, address) = connect::socket(address, options)?;
        let mut inner = self.shared.inner.borrow_mut();
        let slot = inner.install(socket.into(), sink)?;
        let address = Box::new(address);
        let generation = inner.slots[slot as usize].generation;
        let connect = inner.on_socket(slot, |fd| match fd {
            Target::Fixed(fd) => opcode::Connect::new(fd, address.as_ptr().cast(), address.len()).build(),
            Target::Plain(fd) => opcode::Connect::new(fd, address.as_ptr().cast(), address.len()).build(),
        });
        inner.slots[slot as usize].address = Some(address);
        inner.slots[slot as usize].pending |= CONNECTING;
        inner.begin(connect.user_data(Op::Connect.user_data(slot, generation)));
        drop(inner);
        Ok(Socket { shared: Rc::clone(&self.shared), slot })
    }

    /// Takes over a connected socket, as accepted: receiving begins at once.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn adopt(&self, fd: OwnedFd, sink: S) -> io::Result<Socket<S>> {
        let socket = socket2::Socket::from(fd);
        socket.set_tcp_nodelay(true)?;
        let mut inner = self.shared.inner.borrow_mut();
        let slot = inner.install(socket.into(), sink)?;
        inner.slots[slot as usize].connected = true;
        inner.slots[slot as usize].connect_seen = true;
        inner.arm_receive(slot);
        drop(inner);
        Ok(Socket { shared: Rc::clone(&self.shared), slot })
    }

    /// Accepts connections of a listener.
    pub fn accept(&self, listener: TcpListener) -> Acceptor<S> {
        let mut inner = self.shared.inner.borrow_mut();
        let index = inner.listeners.len();
        inner.listeners.push(Listening {
            listener: Some(listener),
            accepted: VecDeque::new(),
            waker: None,
            armed: false,
        });
        drop(inner);
        Acceptor { shared: Rc::clone(&self.shared), index }
    }

    /// Completes at a time of [`now_ns`](crate::now_ns), never before it.
    pub fn sleep_until(&self, deadline_ns: u64) -> Sleep<S> {
        Sleep { shared: Rc::clone(&self.shared), deadline_ns, key: None }
    }

    /// Operations whose completion is still to come; none after [`shutdown`](Self::shutdown), unless the kernel did not
    /// answer.
    pub fn under_way(&self) -> usize {
        self.shared.inner.borrow().under_way
    }

    /// Counts up with each poll of a task made by [`spawn`](Self::spawn), each operation submitted and each completion walked: a task
    /// that yields and finds this risen by one, its own poll, knows that nothing else was to be done.
    pub fn activity(&self) -> u64 {
        self.shared.polls.get() + self.shared.inner.borrow().handled
    }

    /// How often this core has gone to sleep with nothing left to do: one that has more to do than it can does not.
    pub fn rests(&self) -> u64 {
        self.shared.inner.borrow().rests
    }

    /// How often the ring was entered so far.
    pub fn enters(&self) -> u64 {
        self.shared.inner.borrow().enters
    }
}

impl<S> Drop for Inner<S> {
    fn drop(&mut self) {
        // Only after a panic: the ring went away without `Ring::shutdown`.
        if self.under_way > 0 {
            self.leak();
        }
    }
}

/// How an operation names its socket.
pub(crate) enum Target {
    Fixed(types::Fixed),
    Plain(types::Fd),
}

impl<S: Sink> Inner<S> {
    /// Puts a socket into a free slot, and into the registered files where there are any.
    fn install(&mut self, fd: OwnedFd, sink: S) -> io::Result<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if (self.slots.len() as u32) < self.max_sockets => {
                self.slots.push(Slot::new());
                self.slots.len() as u32 - 1
            }
            None => return Err(io::Error::from_raw_os_error(libc::EMFILE)),
        };
        if self.fixed {
            if let Err(error) = self.ring.submitter().register_files_update(slot, &[fd.as_raw_fd()]) {
                self.free.push(slot);
                return Err(error);
            }
        } else {
            self.slots[slot as usize].fd = Some(fd);
        }
        self.slots[slot as usize].sink = Some(sink);
        Ok(slot)
    }

    /// Queues an operation whose completion will come.
    pub(crate) fn begin(&mut self, operation: io_uring::squeue::Entry) {
        self.under_way += 1;
        self.operations.push_back(operation);
    }

    pub(crate) fn on_socket<T>(&self, slot: u32, make: impl FnOnce(Target) -> T) -> T {
        match &self.slots[slot as usize].fd {
            Some(fd) => make(Target::Plain(types::Fd(fd.as_raw_fd()))),
            None => make(Target::Fixed(types::Fixed(slot))),
        }
    }

    /// Starts receiving on a slot unless it is already, or must not.
    pub(crate) fn arm_receive(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        if state.closing || state.paused || state.end.is_some() || state.pending & RECEIVING != 0 {
            return;
        }
        state.pending |= RECEIVING;
        let generation = state.generation;
        let multishot = self.capabilities.multishot_receive;
        let receive = self.on_socket(slot, |fd| match (fd, multishot) {
            (Target::Fixed(fd), true) => opcode::RecvMulti::new(fd, buffers::GROUP).build(),
            (Target::Plain(fd), true) => opcode::RecvMulti::new(fd, buffers::GROUP).build(),
            (Target::Fixed(fd), false) => single_receive(opcode::Recv::new(fd, std::ptr::null_mut(), 0)),
            (Target::Plain(fd), false) => single_receive(opcode::Recv::new(fd, std::ptr::null_mut(), 0)),
        });
        self.begin(receive.user_data(Op::Receive.user_data(slot, generation)));
    }

    /// Asks the kernel to end one operation of a slot; its completion still comes.
    pub(crate) fn cancel(&mut self, op: Op, slot: u32) {
        let generation = self.slots[slot as usize].generation;
        let cancel = opcode::AsyncCancel::new(op.user_data(slot, generation)).build();
        self.begin(cancel.user_data(Op::Cancel.user_data(slot, generation)));
    }

    /// Ends a connection with a reset: a connect to no address at all is the disconnect of connect(2), and unlike
    /// `SO_LINGER` it is an operation that every ring has.
    pub(crate) fn disconnect(&mut self, slot: u32) {
        // One connect at a time: while the first is under way, closing alone gives it up, and the peer saw nothing yet.
        if self.slots[slot as usize].pending & CONNECTING != 0 {
            return;
        }
        let nowhere = Box::new(no_address());
        let generation = self.slots[slot as usize].generation;
        let disconnect = self.on_socket(slot, |fd| match fd {
            Target::Fixed(fd) => opcode::Connect::new(fd, nowhere.as_ptr().cast(), nowhere.len()).build(),
            Target::Plain(fd) => opcode::Connect::new(fd, nowhere.as_ptr().cast(), nowhere.len()).build(),
        });
        self.slots[slot as usize].address = Some(nowhere);
        self.slots[slot as usize].pending |= CONNECTING;
        self.begin(disconnect.user_data(Op::Connect.user_data(slot, generation)));
    }

    /// Queues a slot for sending; while it still connects, its payload waits for that.
    pub(crate) fn queue_send(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        if state.connected && !state.send_queued {
            state.send_queued = true;
            self.sends.push_back((slot, state.generation));
        }
    }

    /// Begins to close a slot; it is freed when its last operation has completed.
    pub(crate) fn close(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        state.closing = true;
        state.sink = None;
        state.waker = None;
        state.deadline_ns = 0;
        let pending = state.pending;
        for (bit, op) in [(CONNECTING, Op::Connect), (RECEIVING, Op::Receive), (SENDING, Op::Send)] {
            if pending & bit != 0 {
                self.cancel(op, slot);
            }
        }
        self.free_if_done(slot);
    }

    /// Frees a closing slot once nothing is under way on it: the file is closed, the buffers are dropped.
    pub(crate) fn free_if_done(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        if !state.closing || state.pending != 0 {
            return;
        }
        if self.unsubmitted > 0 {
            // A quiet send among them has no bit in `pending`; on a reused slot it would go out on another connection.
            self.deferred.push(slot);
            return;
        }
        if state.fd.is_none() && self.fixed {
            // The table held the last reference, so this closes the socket. It fails only for a bad slot number.
            let _ = self.ring.submitter().register_files_update(slot, &[-1]);
        }
        state.clear();
        self.free.push(slot);
    }

    /// Frees the slots that waited for the submission queue.
    pub(crate) fn free_deferred(&mut self) {
        while let Some(slot) = self.deferred.pop() {
            self.free_if_done(slot);
        }
    }

    pub(crate) fn kept_bytes(&self, bytes: RunBytes) -> &[u8] {
        &self.kept[bytes.index as usize]
    }
}

/// The address of family `AF_UNSPEC`, which takes a connection apart.
fn no_address() -> SockAddr {
    // SAFETY: all zeroes is an address of family AF_UNSPEC (0), as long as the smallest the kernel looks at.
    unsafe { SockAddr::new(std::mem::zeroed(), size_of::<libc::sockaddr>() as libc::socklen_t) }
}

/// The descriptor an accept's completion carries, or its error.
pub(crate) fn accepted_fd(result: i32) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: a successful accept gives a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

fn single_receive(receive: opcode::Recv) -> io_uring::squeue::Entry {
    receive.buf_group(buffers::GROUP).build().flags(io_uring::squeue::Flags::BUFFER_SELECT)
}

/// A task that counts its polls, for the driver.
struct Counted<F, S> {
    future: F,
    shared: Rc<Shared<S>>,
}

impl<F, S> Drop for Counted<F, S> {
    fn drop(&mut self) {
        // The end of a task, by itself or by `Task::cancel`, wakes those who wait for it: as good as a poll. The future
        // stays where it is, pinned, until it is dropped in place.
        self.shared.polls.set(self.shared.polls.get() + 1);
    }
}

impl<F: Future, S> Future for Counted<F, S> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with `self` and never moved out; `shared` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.shared.polls.set(this.shared.polls.get() + 1);
        // SAFETY: as above; the pin is projected to the one field that needs it.
        unsafe { Pin::new_unchecked(&mut this.future) }.poll(cx)
    }
}
