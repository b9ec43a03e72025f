//! What the users of one core share.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::{poll_fn, Future},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    thread,
};

use crossbeam_channel::Sender;
use pummel_case::CallOutcome;
use pummel_http::Decoder;
use pummel_ring::{now_ns, Address, MailboxSender, Ring};
use pummel_stats::{EndpointId, Recorder};

use crate::{
    budget::{Budget, Taken},
    choice::Choice,
    closed_load::ClosedUsers,
    control::Command,
    core_thread::News,
    cursor::Cursor,
    error::Kind,
    network::connection::Wire,
    network::dns,
    network::http2::Links,
    network::limit::ConnectionLimit,
    network::origins::{Chosen, Found, Lookup, OriginId, Origins},
    network::pool::{IdleConnections, Lingering},
    network::sampled::Sampled,
    network::sources::Sources,
    network::tls::CoreTls,
    open_load::OpenUsers,
    plan::{Connections, LoadModel, PacingUnit},
    plugin::PluginCalls,
    program::Program,
    rendezvous::LocalGate,
    schedule::{Course, Pacer},
    shared::Shared,
    split::{pacer, rank, share, users_of},
    Plan,
};

/// What other threads tell a core.
pub(crate) enum Message {
    /// End the load; requests under way may finish within the plan's grace.
    Stop,
    /// End now; what is under way is abandoned.
    Abort,
    /// Somebody wants the run to change, from a time of the run clock on.
    Change { at_ns: u64, command: Command },
    /// One of the bounds that cores share is used up.
    UsedUp,
    /// A rendezvous is open, for the so manieth time, since a time of the ring's clock.
    Released { gate: usize, epoch: u64, at_ns: u64 },
    /// A lookup has ended.
    Resolved(OriginId, Found),
    /// The state of some worker of a plugin has changed.
    PluginsChanged,
    /// A call that went out over gRPC has ended, how and with what; none where it took too long.
    PluginAnswered { id: u32, ended: Option<(CallOutcome, String)> },
}

/// What the users of one core share. Nothing of it is shared with another core, but `shared`.
pub(crate) struct Shard {
    pub(crate) plan: Arc<Plan>,
    /// This core's place among the cores, 0 first.
    pub(crate) core: usize,
    pub(crate) ring: Ring<Wire>,
    pub(crate) recorder: Rc<RefCell<Recorder>>,
    pub(crate) origins: RefCell<Origins>,
    pub(crate) sources: RefCell<Sources>,
    /// The entries of addresses in the statistics.
    pub(crate) endpoints: RefCell<HashMap<Address, EndpointId>>,
    pub(crate) programs: Vec<Program>,
    pub(crate) choice: Choice,
    /// Idle connections of all users, where they are shared.
    pub(crate) shared_idle: Option<Rc<RefCell<IdleConnections>>>,
    /// How many connections this core may have, where that is bounded.
    pub(crate) connection_limit: Option<Rc<ConnectionLimit>>,
    pub(crate) lingering: Rc<RefCell<Lingering>>,
    /// Connections that speak HTTP/2.
    pub(crate) links: Rc<Links>,
    /// Calls of plugins' functions, where the run has plugins.
    pub(crate) plugin_calls: Option<Rc<PluginCalls>>,
    /// Takes content codings off bodies.
    pub(crate) decoder: RefCell<Decoder>,
    pacer: RefCell<Option<Pacer>>,
    /// What takes the slots of the pacer.
    paced: Cell<Option<PacingUnit>>,
    /// Counts up with each change of the pacer from outside.
    pacer_version: Cell<u64>,
    /// The users of a closed run.
    pub(crate) closed: Option<ClosedUsers>,
    /// The arrivals of an open run.
    pub(crate) open: Option<OpenUsers>,
    /// No iteration begins for now.
    pub(crate) paused: Cell<bool>,
    /// What all cores share.
    pub(crate) shared: Arc<Shared>,
    /// What this core knows of the rendezvous.
    pub(crate) gates: RefCell<Vec<LocalGate>>,
    /// Zero of the run clock, in nanoseconds of the ring's.
    pub(crate) start_ns: u64,
    /// What has ended, as bits.
    over: Cell<u8>,
    /// Users this core may have.
    pub(crate) users: usize,
    /// The same of every core, where they may differ by more than one.
    users_of_cores: Vec<usize>,
    /// Changes from outside so far.
    pub(crate) changes: Cell<u64>,
    /// Wakers of the tasks that the stop wakes: the users' by their number on this core, the starter's, the clock's.
    wakers: RefCell<Vec<Option<Waker>>>,
    pub(crate) live: Cell<usize>,
    main: RefCell<Option<Waker>>,
    mailbox: MailboxSender<Message>,
    pub(crate) news: Sender<News>,
    shortages: Cell<Shortages>,
    /// A request on its way into TLS.
    pub(crate) plaintext: RefCell<Vec<u8>>,
    /// A request that fails at this moment, as far as it is written down for the report.
    pub(crate) sampled: RefCell<Sampled>,
    /// Roots, certificates and sessions of its connections.
    pub(crate) tls: CoreTls,
    /// A server was accepted whose certificate nobody looked at.
    pub(crate) unverified: Cell<bool>,
}

/// No new request may start.
const STOPPED: u8 = 1;
/// Requests under way are given up.
const ABORTED: u8 = 2;
/// The present case of a functional run is given up, with what is under way.
const CASE_OVER: u8 = 4;

/// How often a connection could not be opened because this machine ran short of something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shortages {
    pub(crate) ports: u64,
    pub(crate) descriptors: u64,
    pub(crate) memory: u64,
}

impl Shortages {
    pub(crate) fn add(&mut self, other: Self) {
        self.ports += other.ports;
        self.descriptors += other.descriptors;
        self.memory += other.memory;
    }
}

/// What a core is given to start with.
pub(crate) struct Setup {
    pub(crate) plan: Arc<Plan>,
    pub(crate) core: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ring: Ring<Wire>,
    pub(crate) recorder: Rc<RefCell<Recorder>>,
    pub(crate) origins: Origins,
    pub(crate) programs: Vec<Program>,
    pub(crate) mailbox: MailboxSender<Message>,
    pub(crate) start_ns: u64,
    pub(crate) news: Sender<News>,
    pub(crate) tls: CoreTls,
}

impl Shard {
    pub(crate) fn new(setup: Setup) -> Rc<Self> {
        let Setup { plan, core, shared, ring, recorder, origins, programs, mailbox, start_ns, news, tls } = setup;
        let users = users_of(&plan, core);
        let pacer = plan.pacing.map(|pacing| pacer(&plan, core, start_ns, Course::steady(pacing.per_second)));
        let (closed, open) = match &plan.load.model {
            LoadModel::Closed(closed) => (Some(ClosedUsers::new(&plan, closed, users as usize)), None),
            LoadModel::Open(open) => (None, Some(OpenUsers::new(&plan, open, core, users as usize))),
        };
        let (connections_shared, connections_max) = match plan.network.connections {
            Connections::Shared { most } => (true, most),
            Connections::PerUser | Connections::PerIteration => (false, None),
        };
        let connection_limit =
            connections_max.map(|most| ConnectionLimit::new(share(most.into(), core, plan.cpus.len())));
        let lingering = Rc::<RefCell<Lingering>>::default();
        let links = Links::new(&plan.network, Rc::clone(&recorder), Rc::clone(&lingering));
        let plugin_calls =
            plan.plugins.as_ref().map(|host| PluginCalls::new(host.clone(), ring.clone(), mailbox.clone()));
        let gates = (0..shared.rendezvous.count()).map(|_| LocalGate::default()).collect();
        let sources = &plan.network.addresses.sources;
        let sources = Sources::new(sources, core * sources.len() / plan.cpus.len(), &mut recorder.borrow_mut());
        Rc::new(Self {
            core,
            recorder,
            sources: RefCell::new(sources),
            endpoints: RefCell::default(),
            origins: RefCell::new(origins),
            choice: Choice::new(plan.cases.iter().map(|case| case.weight)),
            programs,
            shared_idle: connections_shared.then(Rc::default),
            connection_limit,
            lingering,
            links,
            plugin_calls,
            decoder: RefCell::default(),
            pacer: RefCell::new(pacer),
            paced: Cell::new(plan.pacing.map(|pacing| pacing.unit)),
            pacer_version: Cell::new(0),
            closed,
            open,
            paused: Cell::new(false),
            start_ns,
            over: Cell::new(0),
            shared,
            gates: RefCell::new(gates),
            users: users as usize,
            users_of_cores: match plan.network.http2.streams {
                0 | 1 => Vec::new(),
                _ => (0..plan.cpus.len()).map(|core| users_of(&plan, core) as usize).collect(),
            },
            changes: Cell::new(0),
            wakers: RefCell::new(vec![None; users as usize + 2]),
            live: Cell::new(0),
            main: RefCell::new(None),
            mailbox,
            news,
            shortages: Cell::default(),
            tls,
            unverified: Cell::new(false),
            plaintext: RefCell::default(),
            sampled: RefCell::default(),
            ring,
            plan,
        })
    }

    /// True once no new request may start: at the stop, and at the end of a functional case's time.
    #[inline]
    pub(crate) fn stopping(&self) -> bool {
        self.over.get() != 0
    }

    /// True once requests under way are given up.
    #[inline]
    pub(crate) fn aborted(&self) -> bool {
        self.over.get() & (ABORTED | CASE_OVER) != 0
    }

    /// True once the run was stopped.
    pub(crate) fn stopped(&self) -> bool {
        self.over.get() & STOPPED != 0
    }

    /// Ends what the user of a functional run does or waits for: its case has used up its time.
    pub(crate) fn end_case(&self) {
        self.over.set(self.over.get() | CASE_OVER);
        // The run's one user.
        if let Some(user) = &self.wakers.borrow()[0] {
            user.wake_by_ref();
        }
    }

    /// Makes ready for the next case.
    pub(crate) fn begin_case(&self) {
        self.over.set(self.over.get() & !CASE_OVER);
    }

    /// Lets every other task that is ready run before this one goes on.
    pub(crate) async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// The same for who keeps awake since a time of the run clock; gives the time after it. Where nothing else was to be done, the
    /// time it took was spare.
    pub(crate) async fn keep_awake(&self, since_ns: u64) -> u64 {
        /// A pass in which nothing happens takes a microsecond; in what is beyond this something else had the CPU.
        const SPARE_NS_MAX: u64 = 5_000;
        let before = self.ring.activity();
        self.yield_now().await;
        let now_ns = self.clock_ns();
        if self.ring.activity() == before + 1 {
            self.recorder.borrow_mut().kept_awake(now_ns.saturating_sub(since_ns).min(SPARE_NS_MAX));
        }
        now_ns
    }

    /// Sleeps until a time, or until the stop, whichever is first.
    pub(crate) async fn sleep_until(&self, deadline_ns: u64) {
        self.sleep_unless(deadline_ns, Self::stopping).await;
    }

    /// The same, or until something else is over; who calls is woken then.
    pub(crate) async fn sleep_unless(&self, deadline_ns: u64, over: impl Fn(&Self) -> bool) {
        let mut sleep = pin!(self.ring.sleep_until(deadline_ns));
        poll_fn(|cx| if over(self) { Poll::Ready(()) } else { sleep.as_mut().poll(cx) }).await;
    }

    /// True when the plan paces `unit`.
    #[inline]
    pub(crate) fn paces(&self, unit: PacingUnit) -> bool {
        self.paced.get() == Some(unit)
    }

    /// Waits for the next slot of the schedule; gives the time at which a user that was ready at `ready_ns` is due. None when
    /// stopped.
    pub(crate) async fn pace(&self, ready_ns: u64) -> Option<u64> {
        self.pace_unless(ready_ns, Self::stopping).await
    }

    /// The same, and none too when something else is over; who calls is woken then.
    pub(crate) async fn pace_unless(&self, ready_ns: u64, over: impl Fn(&Self) -> bool) -> Option<u64> {
        while !over(self) {
            let version = self.pacer_version.get();
            // In a pause there are none.
            let slot_ns =
                if self.paused.get() { None } else { self.pacer.borrow_mut().as_mut()?.take(now_ns(), ready_ns) };
            let changed = |shard: &Self| shard.pacer_version.get() != version;
            self.sleep_unless(slot_ns.unwrap_or(u64::MAX), |shard| over(shard) || changed(shard)).await;
            // Another rate has other slots; one whose time has come is taken all the same.
            if let Some(due_ns) = slot_ns.filter(|&due_ns| !changed(self) || due_ns <= now_ns()) {
                return (!over(self)).then_some(due_ns);
            }
        }
        None
    }

    /// Takes one request out of the run's bound; false when it is used up.
    #[inline]
    pub(crate) fn take_request(&self) -> bool {
        self.shared.requests.as_ref().is_none_or(|requests| self.takes(requests))
    }

    /// Takes one iteration of a closed run out of its bound; false when it is used up.
    #[inline]
    pub(crate) fn take_iteration(&self) -> bool {
        self.shared.iterations.as_ref().is_none_or(|iterations| self.takes(iterations))
    }

    /// Leaves to all cores what this one holds of bounds for its users.
    pub(crate) fn hold_nothing_back(&self) {
        for bound in self.shared.iterations.iter().chain(&self.shared.requests) {
            bound.release(self.core);
        }
    }

    /// Gives back one that was taken and not begun.
    pub(crate) fn give_iteration_back(&self) {
        if let Some(iterations) = &self.shared.iterations {
            iterations.give_back(self.core);
        }
    }

    #[inline]
    fn takes(&self, budget: &Budget) -> bool {
        let taken = budget.take(self.core);
        if taken == Taken::Last {
            self.shared.tell_used_up(self.core);
        }
        taken != Taken::Nothing
    }

    /// Another core has taken the last of a bound.
    pub(crate) fn bound_is_used_up(&self) {
        if let Some(open) = self.open.as_ref().filter(|_| self.used_up()) {
            open.end();
        }
        self.wake_all();
    }

    /// The address for a new connection to an origin; none when the name does not resolve. Looks it up where needed.
    pub(crate) async fn address(&self, origin: OriginId) -> Option<Chosen> {
        loop {
            let lookup = poll_fn(|cx| {
                if self.aborted() {
                    return Poll::Ready(Lookup::Failed);
                }
                self.origins.borrow_mut().poll_address(origin, now_ns(), cx)
            });
            match lookup.await {
                Lookup::Found(chosen) => {
                    if chosen.outdated {
                        self.look_up(origin);
                    }
                    return Some(chosen);
                }
                Lookup::Failed => return None,
                Lookup::Start => self.look_up(origin),
            }
        }
    }

    /// Starts a lookup on a thread of its own: getaddrinfo blocks. At most one per origin at a time.
    fn look_up(&self, id: OriginId) {
        let origin = self.origins.borrow().reached(id).clone();
        let (mailbox, plan) = (self.mailbox.clone(), Arc::clone(&self.plan));
        let lookup = move || {
            // A core that has ended needs no address.
            let _ = mailbox.send(Message::Resolved(id, dns::resolve(&origin, &plan.network.addresses)));
        };
        if let Err(error) = thread::Builder::new().name("pummel-dns".into()).spawn(lookup) {
            self.origins.borrow_mut().resolved(id, Err(error), self.core, now_ns());
        }
    }

    /// The run clock: nanoseconds since the start of the run.
    pub(crate) fn clock_ns(&self) -> u64 {
        now_ns().saturating_sub(self.start_ns)
    }

    /// A time of the ring's clock on the run clock, microseconds.
    pub(crate) fn on_clock_us(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.start_ns) / 1000
    }

    /// Failures are kept for the report.
    #[inline]
    pub(crate) fn samples_failures(&self) -> bool {
        self.plan.failure_samples.per_kind > 0
    }

    /// Counts a connect that failed for want of a local resource.
    pub(crate) fn ran_short(&self, kind: Kind) {
        let mut shortages = self.shortages.get();
        match kind {
            Kind::AddressExhausted => shortages.ports += 1,
            Kind::Descriptors => shortages.descriptors += 1,
            Kind::Memory => shortages.memory += 1,
            _ => {}
        }
        self.shortages.set(shortages);
    }

    pub(crate) fn shortages(&self) -> Shortages {
        self.shortages.get()
    }

    /// Ends the load: sleeping users wake, no request starts any more.
    pub(crate) fn stop(&self) {
        if !self.stopped() {
            self.over.set(self.over.get() | STOPPED);
            let at_ns = self.clock_ns();
            self.note_arrivals(at_ns, true);
            self.recorder.borrow_mut().load_stopped(at_ns);
            let _ = self.news.send(News::Stopped { at_ns });
        }
        self.wake_all();
    }

    /// Gives up requests under way.
    pub(crate) fn abort(&self) {
        self.stop();
        self.over.set(self.over.get() | ABORTED);
        self.wake_all();
    }

    /// Does what somebody asked for while the run goes on.
    pub(crate) fn change(&self, at_ns: u64, command: Command) {
        let at_s = at_ns as f64 / 1e9;
        match (command, &self.closed, &self.open) {
            (Command::Users(users), Some(closed), _) => closed.turn(at_s, users),
            (Command::SpawnRate(per_second), Some(closed), _) => closed.spawn_at(at_s, per_second),
            (Command::Rate(per_second), _, Some(open)) => open.turn(at_s, per_second),
            (Command::Rate(per_second), _, None) => self.pace_at(at_s, per_second),
            (Command::Pause, _, Some(open)) => open.pause(at_s),
            (Command::Resume, _, Some(open)) => open.resume(at_s),
            (Command::Pause, _, None) => self.pause(true),
            (Command::Resume, _, None) => self.pause(false),
            (Command::Users(_) | Command::SpawnRate(_), None, _) => {}
        }
        self.changes.set(self.changes.get() + 1);
        self.wake_all();
    }

    /// Begins or ends a pause of a closed run. Slots that users wait for are not theirs any more.
    fn pause(&self, paused: bool) {
        self.paused.set(paused);
        if let Some(pacer) = &mut *self.pacer.borrow_mut() {
            pacer.take_back(self.clock_ns() as f64 / 1e9);
        }
        self.pacer_version.set(self.pacer_version.get() + 1);
    }

    /// From a time of the run clock on the ceiling on the rate is another.
    fn pace_at(&self, at_s: f64, per_second: f64) {
        let mut at_present = self.pacer.borrow_mut();
        if self.paced.get().is_none() {
            self.paced.set(Some(PacingUnit::Request));
        }
        let new = || pacer(&self.plan, self.core, self.start_ns, Course::steady(0.0));
        at_present.get_or_insert_with(new).turn(at_s, per_second);
        self.pacer_version.set(self.pacer_version.get() + 1);
    }

    /// True when everything this core's load consists of has been done, unless somebody asks for more.
    pub(crate) fn settled(&self) -> bool {
        let used_up =
            || self.is_used_up(self.shared.requests.as_ref()) || self.is_used_up(self.shared.iterations.as_ref());
        let closed = |closed: &ClosedUsers| self.live.get() == 0 && (closed.settled() || used_up());
        self.closed.as_ref().is_none_or(closed) && self.open.as_ref().is_none_or(OpenUsers::settled)
    }

    /// True once no iteration can begin: the requests of the run are used up, or the rows of every case.
    pub(crate) fn used_up(&self) -> bool {
        let has_rows = |(case, program): (usize, &Program)| {
            self.choice.may_pick(case) && !program.cursor.as_ref().is_some_and(Cursor::exhausted)
        };
        self.is_used_up(self.shared.requests.as_ref()) || !self.programs.iter().enumerate().any(has_rows)
    }

    fn is_used_up(&self, budget: Option<&Budget>) -> bool {
        budget.is_some_and(|budget| budget.used_up(self.core))
    }

    /// A user has found nothing to do, or not all of it, and ends.
    pub(crate) fn nothing_left(&self) {
        if self.stopping() {
            return;
        }
        if let Some(closed) = &self.closed {
            closed.end();
        }
        if let Some(open) = &self.open {
            open.user_ended();
            open.end();
            self.wake_starter();
        }
    }

    /// The number in the run of this core's users, the cores taking turns. Where some cores have more users than others, those that
    /// have fewer leave out turns.
    pub(crate) fn position(&self, number: usize) -> usize {
        if self.users_of_cores.is_empty() {
            return number * self.plan.cpus.len() + self.core;
        }
        rank(&self.users_of_cores, self.core, number)
    }

    fn wake_all(&self) {
        self.wakers.borrow().iter().flatten().for_each(Waker::wake_by_ref);
        self.wake_main();
    }

    /// A user has come to its end.
    pub(crate) fn forget_user(&self, number: usize) {
        self.wakers.borrow_mut()[number] = None;
        if let Some(closed) = &self.closed {
            closed.ended(number);
        }
        self.live.set(self.live.get() - 1);
        self.wake_main();
    }

    /// Wakes one of this core's users.
    pub(crate) fn wake_user(&self, number: usize) {
        if let Some(user) = &self.wakers.borrow()[number] {
            user.wake_by_ref();
        }
    }

    /// Wakes the task that starts users, or hands arrivals out.
    pub(crate) fn wake_starter(&self) {
        self.wake_user(self.users);
    }

    pub(crate) fn wake_main(&self) {
        if let Some(main) = &*self.main.borrow() {
            main.wake_by_ref();
        }
    }

    /// Notes the task that calls this as the one that starts users.
    pub(crate) async fn wake_starter_at_stop(&self) {
        self.wake_at_stop(self.users).await;
    }

    /// Notes the task that calls this as one the stop wakes.
    pub(crate) async fn wake_at_stop(&self, place: usize) {
        poll_fn(|cx| {
            self.wakers.borrow_mut()[place] = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }

    /// Waits until `ready`, looked at whenever this core's state changes.
    pub(crate) async fn until(&self, ready: impl Fn() -> bool) {
        poll_fn(|cx| {
            if ready() {
                return Poll::Ready(());
            }
            *self.main.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
