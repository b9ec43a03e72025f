//! A connection to a worker that speaks our own protocol, and the task that drives it on the core's ring.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    path::Path,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pummel_plugin::frames::{self, NoReply, HELLO};
use pummel_ring::{now_ns, Address, ConnectOptions, Event, Payload};
use pummel_stats::EndpointId;

use super::{
    calls::PluginCalls,
    pending::{Holder, Next},
};
use crate::network::connection::{Connection, Counted, Wire};

/// A frame takes no further call once it has so many bytes: enough for all the calls that are ever ready at a time, unless their
/// arguments are large, and then they need not be in memory twice.
const FRAME_BYTES: usize = 1024 * 1024;

/// Capacity an empty buffer keeps.
const RETAINED_BYTES: usize = 64 * 1024;

/// One process of a worker, connected or about to be.
pub(super) struct Link {
    /// Its own number, and whose it is.
    pub(super) holder: Holder,
    /// Calls that are to be sent, the oldest first.
    queue: RefCell<VecDeque<u32>>,
    /// No later than the first deadline of its calls; 0 where it has had none since that was last looked at.
    deadline_ns: Cell<u64>,
    driver: RefCell<Option<Waker>>,
    closing: Cell<bool>,
    over: Cell<bool>,
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// The core's load is over.
    Closed,
    /// The other end closed it, or could not be reached.
    Ended,
    /// A call was not answered in its time.
    Silent,
    /// What came is not the protocol.
    Nonsense,
    /// No socket could be made: no fault of the plugin.
    NoSocket,
}

impl LinkEnd {
    /// What is said of the calls that were under way.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Closed => "the run has ended",
            Self::Ended => "the plugin's process ended during the call",
            Self::Silent => "the plugin's process was ended, as another call did not answer",
            Self::Nonsense => "the plugin's process was ended, as what it sent is no reply",
            Self::NoSocket => "no socket is free for a connection to the plugin: raise `ulimit -n`, or use fewer users",
        }
    }
}

impl Link {
    pub(super) fn new(holder: Holder) -> Rc<Self> {
        Rc::new(Self {
            holder,
            queue: RefCell::default(),
            deadline_ns: Cell::new(0),
            driver: RefCell::default(),
            closing: Cell::new(false),
            over: Cell::new(false),
        })
    }

    /// True while it takes calls for a worker's process.
    pub(super) fn leads_to(&self, generation: u64) -> bool {
        self.holder.generation == generation && !self.over.get()
    }

    /// Takes a call, to be sent with all others that come before its task runs.
    pub(super) fn push(&self, id: u32, deadline_ns: u64) {
        let mut queue = self.queue.borrow_mut();
        let first = queue.is_empty();
        queue.push_back(id);
        let known_ns = self.deadline_ns.get();
        let earlier = known_ns == 0 || deadline_ns < known_ns;
        if earlier {
            self.deadline_ns.set(deadline_ns);
        }
        if first || earlier {
            self.wake();
        }
    }

    /// Asks the task to end.
    pub(super) fn close(&self) {
        self.closing.set(true);
        self.wake();
    }

    /// It takes no more calls.
    pub(super) fn set_over(&self) {
        self.over.set(true);
    }

    fn wake(&self) {
        self.driver.borrow().iter().for_each(Waker::wake_by_ref);
    }

    fn driven_by(&self, cx: &Context<'_>) {
        match &mut *self.driver.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// Runs a link to its end. Its socket counts nowhere: it leads to no server.
pub(super) async fn drive(calls: Rc<PluginCalls>, link: Rc<Link>, path: Arc<Path>) {
    let address = Address::Unix(path);
    let nowhere = Counted { address: EndpointId::NONE, source: None };
    let wire = Wire::stream(address.clone(), nowhere);
    let end = match calls.ring.connect_with(&address, &ConnectOptions::default(), wire) {
        Ok(connection) => {
            let mut driver = Driver {
                calls: &calls,
                link: &link,
                connection,
                frame: frames::Calls::default(),
                received: Vec::new(),
                open: false,
                armed_ns: 0,
            };
            poll_fn(|cx| driver.poll(cx)).await
        }
        Err(_) => LinkEnd::NoSocket,
    };
    calls.link_over(&link, end);
}

/// What the task of a link works with.
struct Driver<'a> {
    calls: &'a PluginCalls,
    link: &'a Link,
    connection: Connection,
    frame: frames::Calls,
    /// What came and is not yet a whole reply.
    received: Vec<u8>,
    open: bool,
    /// The socket's deadline.
    armed_ns: u64,
}

impl Driver<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<LinkEnd> {
        self.link.driven_by(cx);
        while let Poll::Ready(event) = self.connection.poll_event(cx) {
            match event {
                Event::Connected => self.open = true,
                Event::Data { .. } => {
                    if self.read() == Err(NoReply) {
                        return Poll::Ready(LinkEnd::Nonsense);
                    }
                }
                Event::End(_) => return Poll::Ready(LinkEnd::Ended),
                Event::Timeout => {
                    let next_ns = self.calls.pending.borrow().earliest_ns(self.link.holder.link);
                    if next_ns.is_some_and(|next_ns| next_ns <= now_ns()) {
                        return Poll::Ready(LinkEnd::Silent);
                    }
                    self.armed_ns = 0;
                    self.link.deadline_ns.set(next_ns.unwrap_or(0));
                }
            }
        }
        if self.link.closing.get() {
            return Poll::Ready(LinkEnd::Closed);
        }
        self.write(cx);
        // Set with the first call after a time without any, and then again only when it has passed: it costs a call nothing.
        let wanted_ns = self.link.deadline_ns.get();
        if wanted_ns != self.armed_ns {
            self.armed_ns = wanted_ns;
            self.connection.set_deadline(wanted_ns);
        }
        Poll::Pending
    }

    /// Takes the replies that have come.
    fn read(&mut self) -> Result<(), NoReply> {
        let received = &mut self.received;
        if self.connection.with(|wire| wire.take_arrived(received)) {
            self.connection.resume();
        }
        let mut at = 0;
        while let Some((reply, bytes)) = frames::reply(&self.received[at..])? {
            at += bytes;
            let known = match reply.id {
                // What functions it has was asked when it was started.
                HELLO => reply.returned,
                id => self.calls.replied(self.link, id, reply.returned, reply.payload),
            };
            if !known {
                return Err(NoReply);
            }
        }
        self.received.drain(..at);
        if self.received.is_empty() {
            self.received.shrink_to(RETAINED_BYTES);
        }
        Ok(())
    }

    /// Sends the calls that wait, in one piece: one at a time is on its way.
    fn write(&mut self, cx: &Context<'_>) {
        let mut queue = self.link.queue.borrow_mut();
        if !self.open || queue.is_empty() || self.connection.poll_flushed(cx).is_pending() {
            return;
        }
        let (mut bytes, mut left) = (0, 0);
        let mut pending = self.calls.pending.borrow_mut();
        while let Some(id) = queue.pop_front() {
            match pending.send(id) {
                Next::Left => left += 1,
                Next::Call(call) => {
                    self.frame.push(id, &call.function, &call.arguments);
                    bytes += call.arguments.len();
                }
            }
            if bytes >= FRAME_BYTES {
                break;
            }
        }
        drop(pending);
        if left > 0 {
            self.calls.less_in_flight(self.link.holder, left);
        }
        if self.frame.is_empty() {
            return;
        }
        let mut spare = self.connection.take_buffer();
        spare.shrink_to(RETAINED_BYTES);
        self.connection.send(Payload::Owned(self.frame.take(spare)));
        if !queue.is_empty() {
            // Wakes this task for the rest.
            let _ = self.connection.poll_flushed(cx);
        }
    }
}
