//! The arrivals of an open run on one core: each is given to a user that is free, or makes one more start.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    ops::Range,
    rc::Rc,
    task::Poll,
};

use pummel_stats::ArrivalsPart;

use crate::{
    plan::{nanos, CatchUp, OpenLoad},
    schedule::{Arrivals, Course, Turn},
    shard::Shard,
    split::users_of,
    starts::Starts,
    user, Plan,
};

/// An arrival that is later than this was held up: by users that are all busy, or by this machine. What is less is the grain of
/// timers and scheduling.
const LATE_NS: u64 = 10_000_000;

/// A core that has slept for long takes some hundred microseconds to come back (200 to 460 us at one arrival a second on a virtual
/// machine), so it wakes earlier than an arrival is due and stays awake for the rest: for so long at most, and for so much of the
/// time between two arrivals.
const AWAKE_NS_MAX: f64 = 500_000.0;
const AWAKE_SHARE: f64 = 0.02;

/// For less than this the core stays awake: to go to sleep and come back costs more than to look whether something has come (at
/// 60,000/s lateness p50 was 11 us with each gap slept through, and 1 us awake; the most arrivals a second rose by a quarter).
const SHORTEST_SLEEP_NS: u64 = 20_000;

/// How much faster than the rate arrivals that were held up are made, where they are to be made smoothly.
const SMOOTH_SPEED: f64 = 1.25;

/// What a core knows of its arrivals and of the users that take them.
pub(crate) struct OpenUsers {
    state: RefCell<State>,
    /// Counts up with each change of the rate from outside.
    version: Cell<u64>,
    /// The one who hands arrivals out waits for a user to become free.
    wanted: Cell<bool>,
}

struct State {
    /// Those not made yet.
    arrivals: Arrivals,
    /// The same, gone through as their time comes: what was intended is counted apart from what was made.
    intended: Arrivals,
    /// What is due later is not counted yet: it is none of the warm-up, which this core has not parted from the rest.
    count_until_ns: u64,
    /// The rate as planned, for the end of a pause.
    planned: Option<Course>,
    /// From when to when nothing is made, whatever is due: the last pause.
    pause_ns: Range<u64>,
    /// Somebody set the rate to nothing: the run goes on until it is raised, or the run stopped.
    asked_for_none: bool,
    catch_up: CatchUp,
    /// Arrivals that were held up are not made before.
    gate_ns: u64,
    /// Users that wait for an arrival, by their number; the one that became free last is taken first, as its connections are the
    /// freshest.
    free: Vec<usize>,
    /// When the arrival is due that a user was given.
    given: Vec<Option<u64>>,
    /// When it was given its last one.
    begun_ns: Vec<u64>,
    /// Users that were started, and of these those that have ended.
    started: usize,
    ended: usize,
    /// Of these, those that are still at what a user does once. Each has been given its first arrival.
    setting_up: usize,
    starts: Starts,
    counts: ArrivalCounts,
    /// The same of what is due later than is counted yet: a user may begin it before this core has parted the warm-up from the rest.
    ahead: ArrivalCounts,
    /// What of the counts the recorder has.
    noted: ArrivalCounts,
    busy_max: u64,
    /// An arrival waited for a user.
    waited_for_users: bool,
    /// Every user is busy and no further one may be: arrivals are held up for that, and have been since the last that was made on
    /// time.
    short_of_users: bool,
}

#[derive(Clone, Copy, Default)]
struct ArrivalCounts {
    intended: u64,
    made: u64,
    missed: u64,
    /// Part of `made`: those that were held up for want of users.
    waited: u64,
}

/// When the next arrival may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Now { due_ns: u64 },
    At(u64),
    Never,
}

/// What is to be done next.
enum Next {
    /// A free user has been given an arrival.
    Given(usize),
    /// A user is to be started; it has been given an arrival.
    Start(usize),
    SleepUntil(u64),
    /// Every user is busy: until one is free, or until this time, when one more may be started.
    WaitForUser(u64),
    Exhausted,
}

impl OpenUsers {
    pub(crate) fn new(plan: &Plan, open: &OpenLoad, core: usize, users: usize) -> Self {
        let (rate, until_ns) = (Course::new(open.rate, &open.stages), plan.load.run_time.map_or(u64::MAX, nanos));
        let turn = Turn::new(core, (0..plan.cpus.len()).map(|core| users_of(plan, core) as usize).collect());
        let arrivals = Arrivals::new(rate, open.spacing, turn, plan.load.total_iterations, until_ns);
        let mut state = State::new(arrivals, open.catch_up, users);
        // Not what is due at its very end: that is measured.
        state.count_until_ns = plan.warmup.map_or(u64::MAX, |warmup| nanos(warmup).saturating_sub(1));
        Self { state: RefCell::new(state), version: Cell::new(0), wanted: Cell::new(false) }
    }

    /// True when no arrival is left and no user is busy. One that is bounded by its time lasts that long, whenever its last arrival
    /// was due; one that was paused, or whose rate was set to nothing, until somebody has it go on.
    pub(crate) fn settled(&self) -> bool {
        let state = self.state.borrow();
        let held = state.planned.is_some() || state.asked_for_none;
        state.arrivals.used_up() && (!held || state.arrivals.all_taken()) && state.busy() == 0
    }

    /// There is nothing left for a user to do; no further arrival is made, nor was it one of the run.
    pub(crate) fn end(&self) {
        let mut state = self.state.borrow_mut();
        if !state.arrivals.all_taken() {
            state.arrivals.end();
            state.intended.end();
            drop(state);
            self.changed();
        }
    }

    /// What is due from here on is measured, as is what of it was due, and made, before this core came here.
    pub(crate) fn warmup_ended(&self) {
        self.state.borrow_mut().count_all();
    }

    /// A user begins with what it does once.
    pub(crate) fn setup_began(&self) {
        self.state.borrow_mut().setting_up += 1;
    }

    /// It is done with that.
    pub(crate) fn setup_ended(&self) {
        self.state.borrow_mut().setting_up -= 1;
    }

    /// A user has come to its end before the run has.
    pub(crate) fn user_ended(&self) {
        self.state.borrow_mut().ended += 1;
    }

    /// From a time of the run clock on arrivals come at another rate.
    pub(crate) fn turn(&self, at_s: f64, per_second: f64) {
        let mut state = self.state.borrow_mut();
        state.asked_for_none = per_second <= 0.0;
        if let Some(planned) = &mut state.planned {
            // It holds from the end of the pause on.
            planned.turn(at_s, per_second, 0.0);
        } else {
            state.follow(|rate| rate.turn(at_s, per_second, 0.0));
        }
        drop(state);
        self.changed();
    }

    /// No arrival is due from a time on, and none that was held up is made.
    pub(crate) fn pause(&self, at_s: f64) {
        let mut state = self.state.borrow_mut();
        if state.planned.is_none() {
            state.planned = Some(state.arrivals.course().clone());
            state.pause_ns = (at_s * 1e9) as u64..u64::MAX;
            state.follow(|rate| rate.halt(at_s));
        }
        drop(state);
        self.changed();
    }

    /// Arrivals are due again, as planned for this time and later.
    pub(crate) fn resume(&self, at_s: f64) {
        let mut state = self.state.borrow_mut();
        if let Some(planned) = state.planned.take() {
            state.pause_ns.end = (at_s * 1e9) as u64;
            state.follow(|rate| rate.take_up(at_s, &planned));
        }
        drop(state);
        self.changed();
    }

    fn changed(&self) {
        self.version.set(self.version.get() + 1);
    }
}

impl State {
    /// Arrivals none of which is made, for so many users none of whom has started.
    fn new(arrivals: Arrivals, catch_up: CatchUp, users: usize) -> Self {
        Self {
            intended: arrivals.clone(),
            arrivals,
            count_until_ns: u64::MAX,
            planned: None,
            pause_ns: 0..0,
            asked_for_none: false,
            catch_up,
            gate_ns: 0,
            free: Vec::new(),
            given: vec![None; users],
            begun_ns: vec![0; users],
            started: 0,
            ended: 0,
            setting_up: 0,
            starts: Starts::default(),
            counts: ArrivalCounts::default(),
            ahead: ArrivalCounts::default(),
            noted: ArrivalCounts::default(),
            busy_max: 0,
            waited_for_users: false,
            short_of_users: false,
        }
    }

    fn follow(&mut self, change: impl Fn(&mut Course)) {
        self.arrivals.follow(&change);
        self.intended.follow(&change);
    }

    /// Counts what was due up to now, of the warm-up what was due before its end.
    fn count_intended(&mut self, now_ns: u64) {
        self.counts.intended += self.intended.take_until(now_ns.min(self.count_until_ns));
    }

    /// The counts of an arrival that is due at a time.
    fn counts_of(&mut self, due_ns: u64) -> &mut ArrivalCounts {
        if due_ns > self.count_until_ns {
            &mut self.ahead
        } else {
            &mut self.counts
        }
    }

    /// The warm-up has been parted from the rest, or everything has ended.
    fn count_all(&mut self) {
        self.count_until_ns = u64::MAX;
        let ahead = std::mem::take(&mut self.ahead);
        self.counts.made += ahead.made;
        self.counts.missed += ahead.missed;
        self.counts.waited += ahead.waited;
    }

    /// When the next arrival may be made.
    fn when(&mut self, now_ns: u64) -> When {
        self.count_intended(now_ns);
        if self.pause_ns.contains(&now_ns) {
            let end_ns = self.pause_ns.end;
            return if end_ns == u64::MAX { When::Never } else { When::At(end_ns) };
        }
        if self.catch_up == CatchUp::Drop && now_ns > LATE_NS {
            self.miss_until(now_ns - LATE_NS - 1);
        }
        let Some(due_ns) = self.arrivals.next_ns() else { return When::Never };
        if due_ns > now_ns {
            self.short_of_users = false;
            return When::At(due_ns);
        }
        match self.catch_up {
            CatchUp::Smooth if now_ns - due_ns > LATE_NS && self.gate_ns > now_ns => When::At(self.gate_ns),
            CatchUp::Burst | CatchUp::Smooth | CatchUp::Drop => When::Now { due_ns },
        }
    }

    /// Takes the next arrival, due at `due_ns`, for a user.
    fn take(&mut self, due_ns: u64, now_ns: u64) {
        let arrivals = &self.arrivals;
        self.starts.taken(now_ns, due_ns, || arrivals.per_second(due_ns));
        self.arrivals.take();
        self.counts_of(due_ns).waited += u64::from(self.short_of_users);
        if self.catch_up == CatchUp::Smooth {
            // The schedule's own gaps, shortened: a rate may be nothing at either end of a stage, a gap is not endless.
            let next_ns = self.arrivals.next_ns().unwrap_or(0);
            let gap_ns = next_ns.saturating_sub(due_ns) as f64 / SMOOTH_SPEED;
            self.gate_ns = if next_ns > now_ns { 0 } else { now_ns + gap_ns as u64 };
        }
    }

    /// Gives the arrivals up that are due by a time.
    fn miss_until(&mut self, at_ns: u64) {
        self.counts.missed += self.arrivals.take_until(at_ns.min(self.count_until_ns));
        self.ahead.missed += self.arrivals.take_until(at_ns);
    }

    /// A user begins an arrival.
    fn begin(&mut self, due_ns: u64) {
        self.counts_of(due_ns).made += 1;
        self.note_busy();
    }

    /// Makes the next arrival if it may be made and there is a user for it.
    fn go_on(&mut self, now_ns: u64) -> Next {
        loop {
            let due_ns = match self.when(now_ns) {
                When::Never => return Next::Exhausted,
                When::At(at_ns) => return Next::SleepUntil(at_ns),
                When::Now { due_ns } => due_ns,
            };
            if let Some(number) = self.free.pop() {
                self.take(due_ns, now_ns);
                (self.given[number], self.begun_ns[number]) = (Some(due_ns), now_ns);
                return Next::Given(number);
            }
            if self.started < self.given.len() {
                let per_second = self.arrivals.per_second(due_ns);
                if let Err(ask_again_ns) = self.starts.take(now_ns, due_ns, self.started, per_second) {
                    return Next::WaitForUser(ask_again_ns);
                }
                self.take(due_ns, now_ns);
                self.started += 1;
                (self.given[self.started - 1], self.begun_ns[self.started - 1]) = (Some(due_ns), now_ns);
                return Next::Start(self.started - 1);
            }
            (self.waited_for_users, self.short_of_users) = (true, true);
            if self.catch_up != CatchUp::Drop {
                return Next::WaitForUser(u64::MAX);
            }
            self.miss_until(now_ns);
        }
    }

    /// How long before an arrival the core is to be awake.
    fn awake_ns(&self, at_ns: u64) -> u64 {
        (1e9 / self.arrivals.per_second(at_ns) * AWAKE_SHARE).min(AWAKE_NS_MAX) as u64
    }

    fn busy(&self) -> usize {
        self.started - self.ended - self.free.len()
    }

    fn note_busy(&mut self) {
        self.busy_max = self.busy_max.max(self.busy() as u64);
    }

    /// What became of the arrivals since the last call, up to a time of the run clock; at the end of the load what is still to be made
    /// is missed.
    fn part(&mut self, at_ns: u64, end: bool) -> ArrivalsPart {
        if end {
            self.count_all();
        }
        self.count_intended(at_ns);
        if end {
            // None is made that was not due; were it so, the counts would not add up, and say so.
            let gone = self.counts.made + self.counts.missed;
            self.counts.missed += self.counts.intended.saturating_sub(gone);
            self.waited_for_users |= self.setting_up > 0;
        }
        // Those that have not come as far as their arrival are busy, too.
        self.note_busy();
        let (counts, noted) = (self.counts, std::mem::replace(&mut self.noted, self.counts));
        ArrivalsPart {
            intended: counts.intended - noted.intended,
            made: counts.made - noted.made,
            missed: counts.missed - noted.missed,
            waited: counts.waited - noted.waited,
            busy_max: std::mem::take(&mut self.busy_max),
            waited_for_users: std::mem::take(&mut self.waited_for_users),
        }
    }
}

/// Hands this core's arrivals out, each at its time.
pub(crate) async fn run(shard: Rc<Shard>) {
    let Some(open) = &shard.open else { return };
    shard.wake_starter_at_stop().await;
    // The clock is read after what takes time, and not for each arrival.
    let mut now_ns = shard.clock_ns();
    while !shard.stopping() {
        if shard.used_up() {
            open.end();
        }
        let version = open.version.get();
        let over = |shard: &Shard| shard.stopping() || open.version.get() != version;
        let next = open.state.borrow_mut().go_on(now_ns);
        match next {
            Next::Given(number) => {
                shard.wake_user(number);
                continue;
            }
            Next::Start(number) => user::start(&shard, number),
            Next::SleepUntil(at_ns) => {
                let awake_ns = open.state.borrow().awake_ns(at_ns);
                let until_ns = at_ns.saturating_sub(awake_ns);
                now_ns = if until_ns < now_ns + SHORTEST_SLEEP_NS {
                    shard.keep_awake(now_ns).await
                } else {
                    shard.sleep_unless(shard.start_ns.saturating_add(until_ns), over).await;
                    shard.clock_ns()
                };
                while !over(&shard) && now_ns < at_ns {
                    now_ns = shard.keep_awake(now_ns).await;
                }
                open.state.borrow_mut().starts.on_time(shard.ring.rests());
                continue;
            }
            Next::WaitForUser(until_ns) => {
                // Who becomes free takes what was held up, and when nothing is left wakes this task for what comes next.
                open.wanted.set(true);
                let free = |shard: &Shard| over(shard) || !open.wanted.get();
                shard.sleep_unless(shard.start_ns.saturating_add(until_ns), free).await;
                open.wanted.set(false);
                now_ns = shard.clock_ns();
                open.state.borrow_mut().starts.looked(shard.ring.rests());
                continue;
            }
            Next::Exhausted => {
                shard.wake_main();
                poll_fn(|_| if over(&shard) { Poll::Ready(()) } else { Poll::Pending }).await;
            }
        }
        now_ns = shard.clock_ns();
    }
}

impl Shard {
    /// The next arrival for a user that has nothing to do: when it is due, in nanoseconds of the ring's clock. None at the stop.
    pub(crate) async fn arrival(&self, open: &OpenUsers, number: usize) -> Option<u64> {
        if self.used_up() {
            open.end();
            self.wake_starter();
        }
        let mut waits = false;
        poll_fn(|_| {
            if self.stopping() {
                return Poll::Ready(None);
            }
            let mut state = open.state.borrow_mut();
            let mut due_ns = state.given[number].take();
            if due_ns.is_none() && !waits {
                let now_ns = self.clock_ns();
                let took_ns = now_ns.saturating_sub(state.begun_ns[number]);
                state.starts.ended(now_ns, took_ns);
                // What was held up is taken here rather than by way of the one who hands out.
                if let When::Now { due_ns: held_up_ns } = state.when(now_ns) {
                    state.take(held_up_ns, now_ns);
                    due_ns = Some(held_up_ns);
                    state.begun_ns[number] = now_ns;
                }
            }
            if let Some(due_ns) = due_ns {
                state.begin(due_ns);
                return Poll::Ready(Some(self.start_ns.saturating_add(due_ns)));
            }
            if !std::mem::replace(&mut waits, true) {
                state.free.push(number);
                let exhausted = state.arrivals.next_ns().is_none();
                drop(state);
                if open.wanted.replace(false) {
                    self.wake_starter();
                } else if exhausted {
                    self.wake_main();
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Tells the recorder what became of the arrivals up to a time of the run clock; at the end of the load what is still to be
    /// made is missed.
    pub(crate) fn note_arrivals(&self, at_ns: u64, end: bool) {
        let Some(open) = &self.open else { return };
        let part = open.state.borrow_mut().part(at_ns, end);
        self.recorder.borrow_mut().arrivals(part);
    }
}

#[cfg(test)]
#[path = "open_load_tests.rs"]
mod tests;
