//! The links of one core.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use pummel_stats::Recorder;

use super::link::{Link, Seat};
use crate::{
    network::{exchange::Unanswered, origins::OriginId, pool::Lingering},
    plan::Network,
};

/// The links of one core, shared by as many users each as the plan says.
pub(crate) struct Links {
    /// Seats of a link.
    seats: usize,
    /// By origin, those with a free seat; some may have ended.
    with_room: RefCell<Vec<Vec<Rc<Link>>>>,
    /// Tasks that have not ended.
    running: Cell<usize>,
    waits: RefCell<Option<Waker>>,
    recorder: Rc<RefCell<Recorder>>,
    lingering: Rc<RefCell<Lingering>>,
}

impl Links {
    /// None yet.
    pub(crate) fn new(
        network: &Network,
        recorder: Rc<RefCell<Recorder>>,
        lingering: Rc<RefCell<Lingering>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            seats: network.users_per_http2_connection() as usize,
            with_room: RefCell::default(),
            running: Cell::new(0),
            waits: RefCell::default(),
            recorder,
            lingering,
        })
    }

    /// A seat on a link to an origin: the link that others sit on where there is room, else a new one, for the caller to open.
    pub(super) fn seat(self: &Rc<Self>, origin: OriginId, now_ns: u64) -> Seat {
        let mut with_room = self.with_room.borrow_mut();
        if with_room.len() <= origin.index() {
            with_room.resize_with(origin.index() + 1, Vec::new);
        }
        let here = &mut with_room[origin.index()];
        while here.last().is_some_and(|link| !link.lives_at(now_ns) || link.taken() >= self.seats) {
            here.pop();
        }
        if let Some(link) = here.last() {
            return link.sit();
        }
        let link = Link::new(origin, self);
        if self.seats > 1 {
            here.push(Rc::clone(&link));
        }
        link.sit()
    }

    /// A seat of a link has become free.
    pub(super) fn has_room(&self, link: &Rc<Link>) {
        if !link.lives() {
            return;
        }
        let here = &mut self.with_room.borrow_mut()[link.origin.index()];
        if !here.iter().any(|known| Rc::ptr_eq(known, link)) {
            here.push(Rc::clone(link));
        }
    }

    /// A link's task begins.
    pub(super) fn began(&self) {
        self.running.set(self.running.get() + 1);
    }

    /// A link's task has ended; why, where that is to be told to those who wait for it.
    pub(super) fn ended(&self, link: &Rc<Link>, why: Option<Unanswered>) {
        self.recorder.borrow_mut().connection_closed();
        let server_stays = link.end().is_none() && !link.closing();
        // A server that said it will take no more closes by itself, mostly.
        if let Some(connection) = link.over(why).filter(|_| server_stays) {
            self.lingering.borrow_mut().add(connection);
        }
        self.running.set(self.running.get() - 1);
        if let Some(waker) = self.waits.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits for the end of all links; nobody sits on any.
    pub(crate) async fn closed(&self) {
        self.with_room.borrow_mut().clear();
        poll_fn(|cx| {
            if self.running.get() == 0 {
                return Poll::Ready(());
            }
            *self.waits.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
