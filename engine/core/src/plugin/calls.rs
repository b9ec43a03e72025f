//! What one core has to do with plugins: the calls of its users, and the workers that take them.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    mem,
    path::Path,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use pummel_case::{CallOutcome, PluginCall, PluginId};
use pummel_plugin::{GrpcClient, PluginHost, Reach, WorkerState};
use pummel_ring::{now_ns, MailboxSender, Ring};

use super::{
    link::{self, Link, LinkEnd},
    pending::{fill, Holder, Pending, State, GRPC},
    workers::{Choice, Workers},
};
use crate::{network::connection::Wire, plan::nanos, shard::Message};

/// The calls of one core.
pub(crate) struct PluginCalls {
    host: PluginHost,
    pub(super) ring: Ring<Wire>,
    /// Where answers of gRPC go.
    mailbox: MailboxSender<Message>,
    /// By the plugin's number, once there was a call.
    plugins: RefCell<Vec<Option<Workers>>>,
    pub(super) pending: RefCell<Pending>,
    /// Calls that users wait for.
    in_flight: Cell<u64>,
    /// Links whose tasks have not ended, those to processes that have been replaced among them.
    links: RefCell<Vec<Rc<Link>>>,
    /// Links made so far.
    links_made: Cell<u64>,
    waits: RefCell<Option<Waker>>,
}

/// A call that a user waits for. Who drops it leaves the call to itself.
pub(super) struct Waiting<'a> {
    calls: &'a Rc<PluginCalls>,
    id: u32,
    /// The user has the call back.
    over: Cell<bool>,
}

/// How far a call is, as its user sees it.
pub(super) enum Standing {
    /// It ended, as it says.
    Ended(Box<PluginCall>),
    /// A worker has it, and its end comes.
    UnderWay,
    /// It waits for a worker, for as long as its user lets it.
    NoWorker,
}

impl PluginCalls {
    pub(crate) fn new(host: PluginHost, ring: Ring<Wire>, mailbox: MailboxSender<Message>) -> Rc<Self> {
        Rc::new(Self {
            host,
            ring,
            mailbox,
            plugins: RefCell::default(),
            pending: RefCell::default(),
            in_flight: Cell::new(0),
            links: RefCell::default(),
            links_made: Cell::new(0),
            waits: RefCell::default(),
        })
    }

    /// How long a call may take.
    pub(super) fn timeout_ns(&self) -> u64 {
        nanos(self.host.timeout())
    }

    /// Calls that users of this core wait for.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.get()
    }

    /// Takes a call in, whose time is over at `deadline_ns` of the ring's clock.
    pub(super) fn begin(self: &Rc<Self>, call: Box<PluginCall>, deadline_ns: u64) -> Waiting<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        Waiting { calls: self, id: self.pending.borrow_mut().begin(call, deadline_ns), over: Cell::new(false) }
    }

    /// The state of some worker has changed.
    pub(crate) fn refresh(&self) {
        self.plugins.borrow_mut().iter_mut().flatten().for_each(Workers::refresh);
        self.pending.borrow().wake_waiting();
    }

    /// Gives a call that waits to a worker; false where there is none yet.
    fn assign(self: &Rc<Self>, id: u32) -> bool {
        let PluginId(plugin) = self.pending.borrow_mut().call(id).plugin;
        let mut plugins = self.plugins.borrow_mut();
        if plugins.len() <= plugin {
            plugins.resize_with(plugin + 1, || None);
        }
        if plugins[plugin].is_none() {
            plugins[plugin] = self.host.plugin(PluginId(plugin)).map(Workers::new);
        }
        let choice = plugins[plugin].as_mut().map(|workers| (workers.choose(), workers));
        let lost = |reason: &str| {
            let mut pending = self.pending.borrow_mut();
            fill(pending.call(id), CallOutcome::Lost, reason);
            pending.set_state(id, State::Ended);
            true
        };
        let (workers, worker) = match choice {
            None => return lost("the plugin is not running"),
            Some((Choice::Down(reason), _)) => return lost(&reason),
            Some((Choice::Wait, _)) => return false,
            Some((Choice::Worker(worker), workers)) => (workers, worker),
        };
        let known = workers.worker(worker);
        let WorkerState::Up { generation, reach } = &known.state else { return false };
        let holder = Holder { plugin, worker, generation: *generation, link: GRPC };
        known.in_flight += 1;
        match reach {
            Reach::Grpc(client) => self.call_grpc(&client.clone(), id, holder),
            Reach::Frames(path) => {
                let present = known.link.take().filter(|link| link.leads_to(*generation));
                // Only a new link counts itself among the owners of the path, which all cores share.
                let link = present.unwrap_or_else(|| self.open(holder, Arc::clone(path)));
                let mut pending = self.pending.borrow_mut();
                pending.set_state(id, State::Queued(link.holder));
                link.push(id, pending.deadline_ns(id));
                known.link = Some(link);
            }
        }
        true
    }

    /// A new link to a worker.
    fn open(self: &Rc<Self>, holder: Holder, path: Arc<Path>) -> Rc<Link> {
        self.links_made.set(self.links_made.get() + 1);
        let link = Link::new(Holder { link: self.links_made.get(), ..holder });
        self.links.borrow_mut().push(Rc::clone(&link));
        self.ring.spawn(link::drive(Rc::clone(self), Rc::clone(&link), path)).detach();
        link
    }

    fn call_grpc(&self, client: &GrpcClient, id: u32, holder: Holder) {
        let mut pending = self.pending.borrow_mut();
        pending.set_state(id, State::Sent(holder));
        let left = Duration::from_nanos(pending.deadline_ns(id).saturating_sub(now_ns()));
        let call = pending.call(id);
        let (function, arguments) = (Arc::clone(&call.function), mem::take(&mut call.arguments));
        let mut answer = GrpcAnswer { id, mailbox: self.mailbox.clone(), given: false };
        client.call(function, arguments, left, Box::new(move |ended| answer.give(ended)));
    }

    /// A call over gRPC has ended, as it says or for want of time.
    pub(crate) fn answered(&self, id: u32, ended: Option<(CallOutcome, String)>) {
        let (outcome, answer) = ended.unwrap_or_else(|| (CallOutcome::Lost, self.host.late()));
        let holder = self.pending.borrow_mut().answer(id, GRPC, |call| {
            call.outcome = outcome;
            call.answer = answer;
        });
        let Some(holder) = holder else { return };
        if let Some(workers) = &mut self.plugins.borrow_mut()[holder.plugin] {
            workers.worker(holder.worker).in_flight -= 1;
            if outcome == CallOutcome::Lost {
                workers.ended(holder.worker, holder.generation);
            }
        }
    }

    /// A reply came over a link; false where it answers no call that the link has sent.
    pub(super) fn replied(&self, link: &Link, id: u32, returned: bool, payload: &[u8]) -> bool {
        let answered =
            self.pending.borrow_mut().answer(id, link.holder.link, |call| match std::str::from_utf8(payload) {
                Ok(text) if returned => fill(call, CallOutcome::Returned, text),
                Ok(text) => fill(call, CallOutcome::Failed, text),
                Err(_) => fill(call, CallOutcome::Failed, "what it gave is not valid UTF-8"),
            });
        if answered.is_some() {
            self.less_in_flight(link.holder, 1);
        }
        answered.is_some()
    }

    /// So many calls less are with a worker.
    pub(super) fn less_in_flight(&self, holder: Holder, count: u32) {
        if let Some(workers) = &mut self.plugins.borrow_mut()[holder.plugin] {
            workers.worker(holder.worker).in_flight -= count;
        }
    }

    /// A link's task has ended.
    pub(super) fn link_over(&self, link: &Link, end: LinkEnd) {
        link.set_over();
        // Where this machine has no socket to give, another process would not be reached either.
        let elsewhere = end != LinkEnd::NoSocket;
        let had = self.pending.borrow_mut().link_over(link.holder.link, now_ns(), elsewhere, |call, late| {
            if late {
                fill(call, CallOutcome::Lost, &self.host.late());
            } else {
                fill(call, CallOutcome::Lost, end.message());
            }
        });
        if let Some(workers) = &mut self.plugins.borrow_mut()[link.holder.plugin] {
            let worker = workers.worker(link.holder.worker);
            worker.in_flight -= had;
            if worker.link.as_ref().is_some_and(|present| present.holder == link.holder) {
                worker.link = None;
            }
            if !matches!(end, LinkEnd::Closed | LinkEnd::NoSocket) {
                workers.ended(link.holder.worker, link.holder.generation);
            }
        }
        self.links.borrow_mut().retain(|known| known.holder != link.holder);
        if let Some(waker) = self.waits.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Ends the links and waits until they have; no user waits for a call any more.
    pub(crate) async fn closed(&self) {
        self.links.borrow().iter().for_each(|link| link.close());
        poll_fn(|cx| {
            if self.links.borrow().is_empty() {
                return Poll::Ready(());
            }
            *self.waits.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Waiting<'_> {
    /// Looks how far the call is, and gives it to a worker where that is to be done.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Standing {
        self.calls.pending.borrow_mut().note_waker(self.id, cx);
        let waits = self.calls.pending.borrow().state(self.id) == State::Waits;
        if waits && !self.calls.assign(self.id) {
            return Standing::NoWorker;
        }
        if self.calls.pending.borrow().state(self.id) != State::Ended {
            return Standing::UnderWay;
        }
        self.leave().map_or(Standing::UnderWay, Standing::Ended)
    }

    /// No worker took it in its time.
    pub(super) fn give_up(&self) -> Option<Box<PluginCall>> {
        let timeout = self.calls.host.timeout().as_secs_f64();
        let mut call = self.leave()?;
        let reason = format!("the plugin was not ready within {timeout} s (--plugin-timeout)");
        fill(&mut call, CallOutcome::Lost, &reason);
        Some(call)
    }

    fn leave(&self) -> Option<Box<PluginCall>> {
        self.over.set(true);
        self.calls.in_flight.set(self.calls.in_flight.get() - 1);
        self.calls.pending.borrow_mut().leave(self.id)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // During a panic the calls may be borrowed, and then nobody waits for any.
        if !self.over.get() && self.calls.pending.try_borrow_mut().is_ok() {
            self.leave();
        }
    }
}

/// The answer of a call over gRPC, on its way to the core. One that is dropped says so, or its user would wait for ever.
struct GrpcAnswer {
    id: u32,
    mailbox: MailboxSender<Message>,
    given: bool,
}

impl GrpcAnswer {
    fn give(&mut self, ended: Option<(CallOutcome, String)>) {
        self.given = true;
        // A core that has ended waits for no answer.
        let _ = self.mailbox.send(Message::PluginAnswered { id: self.id, ended });
    }
}

impl Drop for GrpcAnswer {
    fn drop(&mut self) {
        if !self.given {
            self.give(Some((CallOutcome::Lost, "the connection to the plugin has ended".into())));
        }
    }
}
