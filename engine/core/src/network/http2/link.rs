//! A connection that speaks HTTP/2, and who sits on it.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::client::SendRequest;
use pummel_http::Response;
use pummel_ring::{Address, End};

use super::{meter::Meter, pool::Links};
use crate::{
    error::Kind,
    network::{
        connection::{Connection, Counted},
        exchange::Unanswered,
        origins::OriginId,
        stream::RingStream,
        tls::TlsFailure,
    },
};

/// Bytes of a client's preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;

/// Streams of a link until the server has said how many it takes: more than it takes would be refused.
pub(super) const STREAMS_AT_FIRST: usize = 1;

/// A connection that speaks HTTP/2, or is being opened to.
pub(crate) struct Link {
    pub(super) origin: OriginId,
    links: Weak<Links>,
    state: RefCell<State>,
    /// The bytes; none before it is open and after its end.
    pub(super) stream: RefCell<Option<RingStream>>,
    pub(super) received: RefCell<Meter>,
    pub(super) sent: RefCell<Meter>,
    places: RefCell<Places>,
    driver: RefCell<Option<Waker>>,
    closing: Cell<bool>,
    /// No new stream may begin: the server says so.
    retired: Cell<bool>,
    /// The same by the plan: its age or its requests.
    spent: Cell<bool>,
    /// From then on it is too old, in nanoseconds of the ring's clock.
    old_ns: Cell<u64>,
    /// How the connection ended, if it has.
    end: Cell<Option<End>>,
    /// What broke its TLS, if something did.
    tls_failure: RefCell<Option<TlsFailure>>,
    pub(super) peer: RefCell<Option<(Address, Counted)>>,
    /// A response has come on it.
    pub(super) answered: Cell<bool>,
    /// Requests it has carried, and those that wait for a stream.
    requests: Cell<u64>,
}

/// How far a link is.
enum State {
    /// Who sits on it first opens it.
    New,
    Opening,
    Open(SendRequest<Bytes>),
    /// It could not be opened, or nothing was ever answered on it.
    Failed(Kind, Cow<'static, str>),
    /// It is over, or whoever was to open it gave up for reasons of its own.
    Over,
}

/// What a seat finds.
pub(super) enum Access {
    /// It is for this one to open.
    Open,
    /// It is open.
    Ready,
    /// It could not be opened.
    Failed(Kind, Cow<'static, str>),
    /// It takes no new streams.
    Gone,
    /// The same, and the plan says so: another one will do.
    Spent,
}

/// What who asks for a stream finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It has one.
    Granted,
    /// It stands in the queue for one.
    Waits,
    /// The link carries no further request.
    Spent,
}

/// The places of a link.
#[derive(Default)]
struct Places {
    all: Vec<Place>,
    taken: usize,
    /// Streams under way, those included that are granted and not begun.
    active: usize,
    /// As many as the server takes.
    limit: usize,
    /// Who waits for a stream, the longest first: one that ends is given to the first, or those that ask again at once would
    /// always be before it.
    queue: VecDeque<usize>,
    /// The socket's deadline: no later than the first of the places'; 0 for none.
    armed_ns: u64,
}

#[derive(Default)]
struct Place {
    taken: bool,
    waker: Option<Waker>,
    /// 0 for none.
    deadline_ns: u64,
    /// Its deadline has passed.
    late: bool,
    /// A stream was given to it.
    granted: bool,
}

/// The right to one stream at a time on a link; dropping it gives it up. With the last seat the link ends.
pub(crate) struct Seat {
    pub(super) link: Rc<Link>,
    pub(super) place: usize,
    /// The response being read, or the last one.
    pub(crate) response: Response,
    /// When its first byte arrived, as the link counts; 0 if none did.
    pub(crate) first_byte_ns: u64,
}

impl Link {
    /// One that nobody has opened.
    pub(super) fn new(origin: OriginId, links: &Rc<Links>) -> Rc<Self> {
        Rc::new(Self {
            origin,
            links: Rc::downgrade(links),
            state: RefCell::new(State::New),
            stream: RefCell::default(),
            received: RefCell::default(),
            sent: RefCell::new(Meter::behind_preface(PREFACE_BYTES)),
            places: RefCell::new(Places { limit: STREAMS_AT_FIRST, ..Places::default() }),
            driver: RefCell::default(),
            closing: Cell::new(false),
            retired: Cell::new(false),
            spent: Cell::new(false),
            old_ns: Cell::new(u64::MAX),
            end: Cell::new(None),
            tls_failure: RefCell::default(),
            peer: RefCell::new(None),
            answered: Cell::new(false),
            requests: Cell::new(0),
        })
    }

    /// Takes a seat.
    pub(super) fn sit(self: &Rc<Self>) -> Seat {
        let mut places = self.places.borrow_mut();
        places.taken += 1;
        let free = places.all.iter().position(|place| !place.taken);
        let place = free.unwrap_or_else(|| {
            places.all.push(Place::default());
            places.all.len() - 1
        });
        places.all[place].taken = true;
        Seat { link: Rc::clone(self), place, response: Response::default(), first_byte_ns: 0 }
    }

    /// How many sit on it.
    pub(super) fn taken(&self) -> usize {
        self.places.borrow().taken
    }

    /// True while new streams may begin on it, now or once it is open.
    pub(super) fn lives(&self) -> bool {
        !self.is_over() && !self.retired.get() && !self.spent.get()
    }

    /// True once no stream will begin on it, not even for who waits for one.
    pub(super) fn is_over(&self) -> bool {
        let over = matches!(&*self.state.borrow(), State::Failed(..) | State::Over);
        over || self.closing.get() || self.end.get().is_some()
    }

    /// The same as [`lives`](Self::lives), after a look at its age.
    pub(super) fn lives_at(&self, now_ns: u64) -> bool {
        if now_ns >= self.old_ns.get() {
            self.spent.set(true);
        }
        self.lives()
    }

    /// Waits until there is something to be done with it.
    pub(super) fn poll_access(&self, place: usize, cx: &Context<'_>) -> Poll<Access> {
        let mut state = self.state.borrow_mut();
        Poll::Ready(match &*state {
            State::New => {
                *state = State::Opening;
                Access::Open
            }
            State::Opening => {
                self.note_waker(place, cx);
                return Poll::Pending;
            }
            State::Failed(kind, message) => Access::Failed(*kind, message.clone()),
            State::Open(_) if self.retired.get() || self.end.get().is_some() => Access::Gone,
            State::Open(_) if self.spent.get() => Access::Spent,
            State::Open(_) => Access::Ready,
            State::Over => Access::Gone,
        })
    }

    /// It is open: requests go out with `send`, until it is too old.
    pub(super) fn opened(&self, send: SendRequest<Bytes>, old_ns: u64) {
        self.old_ns.set(old_ns);
        *self.state.borrow_mut() = State::Open(send);
        self.wake_all();
    }

    /// It could not be opened; those who wait for it are told, or look for another where there is nothing to tell.
    pub(super) fn not_opened(&self, why: Option<Unanswered>) {
        self.set_failed(why);
        self.wake_all();
    }

    fn set_failed(&self, why: Option<Unanswered>) {
        *self.state.borrow_mut() = match why {
            Some(Unanswered::Failed(kind, message)) => State::Failed(kind, message),
            Some(Unanswered::Abandoned) | None => State::Over,
        };
    }

    /// Why it could not be used, where there is something to tell.
    pub(super) fn failure(&self) -> Option<Unanswered> {
        match &*self.state.borrow() {
            State::Failed(kind, message) => Some(Unanswered::Failed(*kind, message.clone())),
            _ => None,
        }
    }

    /// What requests are sent with.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        match &*self.state.borrow() {
            State::Open(send) => Some(send.clone()),
            _ => None,
        }
    }

    /// Lets no new stream begin.
    pub(super) fn retire(&self) {
        self.retired.set(true);
    }

    /// Notes how the connection ended.
    pub(super) fn ended_by(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
    }

    /// How the connection ended.
    pub(super) fn end(&self) -> Option<End> {
        self.end.get()
    }

    /// Notes what broke the connection's TLS, if an error of its stream says so.
    pub(super) fn broken_by(&self, error: &io::Error) {
        if let Some(failure) = TlsFailure::behind(error) {
            self.tls_failure.borrow_mut().get_or_insert_with(|| failure.clone());
        }
    }

    /// What broke the connection's TLS, if something did.
    pub(super) fn tls_failure(&self) -> Option<TlsFailure> {
        self.tls_failure.borrow().clone()
    }

    /// When the last bytes arrived, in nanoseconds of the ring's clock.
    pub(super) fn arrived_ns(&self) -> u64 {
        self.stream.borrow().as_ref().map_or(0, |stream| stream.connection.arrived_ns())
    }

    /// Asks the link's task to end.
    pub(super) fn close(&self) {
        self.closing.set(true);
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    /// True once the task is to end.
    pub(super) fn closing(&self) -> bool {
        self.closing.get()
    }

    /// Notes the link's task.
    pub(super) fn driven_by(&self, cx: &Context<'_>) {
        match &mut *self.driver.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The link's task has ended; gives what is left of the connection.
    pub(super) fn over(&self, why: Option<Unanswered>) -> Option<Connection> {
        self.set_failed(why);
        *self.driver.borrow_mut() = None;
        self.wake_all();
        self.stream.borrow_mut().take().map(RingStream::give_up)
    }

    fn wake_all(&self) {
        for place in &self.places.borrow().all {
            place.waker.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Notes whom to wake for a place.
    pub(super) fn note_waker(&self, place: usize, cx: &Context<'_>) {
        match &mut self.places.borrow_mut().all[place].waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Takes a stream, or a place in the queue for one, for one of the `most` requests the link carries. A request counts from here
    /// on, or those that wait would be more than it may carry.
    pub(super) fn enter(&self, place: usize, most: u64) -> Entered {
        if self.requests.get() >= most {
            self.spent.set(true);
            return Entered::Spent;
        }
        self.requests.set(self.requests.get() + 1);
        self.spent.set(self.spent.get() || self.requests.get() >= most);
        let mut places = self.places.borrow_mut();
        if places.active < places.limit && places.queue.is_empty() {
            places.active += 1;
            return Entered::Granted;
        }
        places.queue.push_back(place);
        Entered::Waits
    }

    /// True once a place in the queue was given a stream.
    pub(super) fn granted(&self, place: usize) -> bool {
        std::mem::take(&mut self.places.borrow_mut().all[place].granted)
    }

    /// Leaves the queue without a stream.
    pub(super) fn leave_queue(&self, place: usize) {
        if self.granted(place) {
            self.exit();
            return;
        }
        self.places.borrow_mut().queue.retain(|&waiting| waiting != place);
    }

    /// Gives a stream back: to who waits for one.
    pub(super) fn exit(&self) {
        let mut places = self.places.borrow_mut();
        places.active -= 1;
        places.grant();
    }

    /// The server takes so many streams.
    pub(super) fn takes(&self, limit: usize) {
        let mut places = self.places.borrow_mut();
        if places.limit != limit {
            places.limit = limit;
            places.grant();
        }
    }

    /// Sets the time at which a place is woken and late, in nanoseconds of the ring's clock; 0 for never.
    pub(super) fn set_deadline(&self, place: usize, deadline_ns: u64) {
        let mut places = self.places.borrow_mut();
        places.all[place].deadline_ns = deadline_ns;
        places.all[place].late = false;
        // Deadlines mostly move later: what is armed then comes too early, and is armed anew when it does.
        if deadline_ns != 0 && (places.armed_ns == 0 || deadline_ns < places.armed_ns) {
            if let Some(stream) = &*self.stream.borrow() {
                places.armed_ns = deadline_ns;
                stream.connection.set_deadline(deadline_ns);
            }
        }
    }

    /// True once the deadline of a place has passed.
    pub(super) fn late(&self, place: usize) -> bool {
        self.places.borrow().all[place].late
    }

    /// The socket's deadline has passed: that of some places has too.
    pub(super) fn fire(&self, connection: &Connection, now_ns: u64) {
        let mut places = self.places.borrow_mut();
        let mut next_ns = 0;
        for place in places.all.iter_mut().filter(|place| place.deadline_ns != 0) {
            if place.deadline_ns <= now_ns {
                place.deadline_ns = 0;
                place.late = true;
                place.waker.iter().for_each(Waker::wake_by_ref);
            } else if next_ns == 0 || place.deadline_ns < next_ns {
                next_ns = place.deadline_ns;
            }
        }
        places.armed_ns = next_ns;
        connection.set_deadline(next_ns);
    }

    fn leave(self: &Rc<Self>, place: usize) {
        let mut places = self.places.borrow_mut();
        places.all[place] = Place::default();
        places.taken -= 1;
        let last = places.taken == 0;
        drop(places);
        if last {
            self.close();
        } else if let Some(links) = self.links.upgrade() {
            links.has_room(self);
        }
    }
}

impl Places {
    fn grant(&mut self) {
        while self.active < self.limit {
            let Some(next) = self.queue.pop_front() else { break };
            self.active += 1;
            let place = &mut self.all[next];
            place.granted = true;
            place.waker.iter().for_each(Waker::wake_by_ref);
        }
    }
}

impl Seat {
    /// Whom its link was opened to.
    pub(crate) fn origin(&self) -> OriginId {
        self.link.origin
    }

    /// True when another request may go out on it at a time.
    pub(crate) fn usable(&self, now_ns: u64) -> bool {
        self.link.lives_at(now_ns)
    }

    /// The time limit of the response no longer counts.
    pub(crate) fn unlimit(&self) {
        self.link.set_deadline(self.place, 0);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.link.leave(self.place);
    }
}
