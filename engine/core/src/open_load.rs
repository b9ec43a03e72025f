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
    /// Users that were started, and of these those that have ended.
    started: usize,
    ended: usize,
    starts: Starts,
    counts: ArrivalCounts,
    /// What of it the recorder has.
    noted: ArrivalCounts,
    busy_max: u64,
    /// An arrival waited for a user.
    waited_for_users: bool,
    /// For want of users arrivals are held up, and have been since the last that was made on time.
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
        let turn = Turn { core, cores: plan.cpus.len() };
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

    /// What is intended from here on is measured, as is what of it was due before this core came here.
    pub(crate) fn warmup_ended(&self) {
        self.state.borrow_mut().count_until_ns = u64::MAX;
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
            started: 0,
            ended: 0,
            starts: Starts::default(),
            counts: ArrivalCounts::default(),
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
        self.arrivals.take();
        self.counts.waited += u64::from(self.short_of_users);
        if self.catch_up == CatchUp::Smooth {
            // The schedule's own gaps, shortened: a rate may be nothing at either end of a stage, a gap is not endless.
            let next_ns = self.arrivals.next_ns().unwrap_or(0);
            let gap_ns = next_ns.saturating_sub(due_ns) as f64 / SMOOTH_SPEED;
            self.gate_ns = if next_ns > now_ns { 0 } else { now_ns + gap_ns as u64 };
        }
    }

    /// Gives the arrivals up that are due by a time.
    fn miss_until(&mut self, at_ns: u64) {
        self.counts.missed += self.arrivals.take_until(at_ns);
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
                self.given[number] = Some(due_ns);
                return Next::Given(number);
            }
            if self.started < self.given.len() {
                let per_second = self.arrivals.per_second(now_ns);
                if let Err(ask_again_ns) = self.starts.take(now_ns, due_ns, self.started, per_second) {
                    // Behind with its work, this core does not know whether users are free.
                    self.short_of_users |= !self.starts.behind();
                    return Next::WaitForUser(ask_again_ns);
                }
                self.take(due_ns, now_ns);
                self.started += 1;
                self.given[self.started - 1] = Some(due_ns);
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
                open.state.borrow_mut().starts.woke(shard.ring.rests());
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
                // What was held up is taken here rather than by way of the one who hands out.
                if let When::Now { due_ns: held_up_ns } = state.when(now_ns) {
                    state.take(held_up_ns, now_ns);
                    due_ns = Some(held_up_ns);
                }
            }
            if let Some(due_ns) = due_ns {
                state.counts.made += 1;
                state.note_busy();
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
        let mut state = open.state.borrow_mut();
        if end {
            state.count_until_ns = u64::MAX;
            state.count_intended(at_ns);
            // Who was given one and has not begun it is not ready for it.
            state.waited_for_users |= state.given.iter().any(Option::is_some);
            // None is made that was not due; were it so, the counts would not add up, and say so.
            let gone = state.counts.made + state.counts.missed;
            state.counts.missed += state.counts.intended.saturating_sub(gone);
        } else {
            state.count_intended(at_ns);
        }
        let (counts, noted) = (state.counts, state.noted);
        state.noted = counts;
        // Those that have not come as far as their arrival are busy, too.
        state.note_busy();
        self.recorder.borrow_mut().arrivals(ArrivalsPart {
            intended: counts.intended - noted.intended,
            made: counts.made - noted.made,
            missed: counts.missed - noted.missed,
            waited: counts.waited - noted.waited,
            busy_max: std::mem::take(&mut state.busy_max),
            waited_for_users: std::mem::take(&mut state.waited_for_users),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Spacing, Stage};

    const MS: u64 = 1_000_000;

    /// One core with so many users and 100 arrivals a second.
    fn state(users: usize, catch_up: CatchUp) -> State {
        let turn = Turn { core: 0, cores: 1 };
        let arrivals = Arrivals::new(Course::steady(100.0), Spacing::Even, turn, None, u64::MAX);
        State::new(arrivals, catch_up, users)
    }

    /// Users that are all free already.
    fn with_free_users(users: usize, catch_up: CatchUp) -> State {
        State { free: (0..users).collect(), started: users, ..state(users, catch_up) }
    }

    /// Goes on at a time until there is nothing to do; gives the intended times of what was made, in milliseconds.
    fn made(state: &mut State, now_ms: u64) -> Vec<u64> {
        let mut made = Vec::new();
        while let Next::Given(number) | Next::Start(number) = state.go_on(now_ms * MS) {
            made.push(state.given[number].take().unwrap() / MS);
        }
        made
    }

    #[test]
    fn each_arrival_is_made_at_its_time_by_a_free_user_or_a_new_one() {
        let mut state = state(3, CatchUp::Burst);
        assert_eq!(made(&mut state, 0), [0]);
        assert!(matches!(state.go_on(0), Next::SleepUntil(10_000_000)));
        state.free.push(0);
        assert!(matches!(state.go_on(10 * MS), Next::Given(0)));
        assert!(matches!(state.go_on(20 * MS), Next::Start(1)));
        assert!(matches!(state.go_on(30 * MS), Next::Start(2)));
        assert!(matches!(state.go_on(40 * MS), Next::WaitForUser(u64::MAX)));
        assert_eq!((state.counts.intended, state.counts.waited), (5, 0));
        // What is due at 40 ms and at 50 ms has waited; what comes at 60 ms does not.
        state.free.extend([0, 1, 2]);
        assert_eq!(made(&mut state, 52), [40, 50]);
        assert_eq!(made(&mut state, 60), [60]);
        assert_eq!(state.counts.waited, 2);
    }

    #[test]
    fn what_is_due_from_the_end_of_the_warmup_on_is_none_of_it() {
        let mut state = State { count_until_ns: 50 * MS - 1, ..with_free_users(99, CatchUp::Burst) };
        // The core comes here 3 ms late.
        assert_eq!(made(&mut state, 53), [0, 10, 20, 30, 40, 50]);
        assert_eq!(state.counts.intended, 5);
        state.count_until_ns = u64::MAX;
        state.count_intended(60 * MS);
        assert_eq!(state.counts.intended, 7);
    }

    #[test]
    fn millions_of_arrivals_that_find_no_user_are_missed_at_once() {
        let busy = || State { given: vec![None], started: 1, ..state(1, CatchUp::Drop) };
        let arrivals = Arrivals::new(Course::steady(1e7), Spacing::Even, Turn { core: 0, cores: 1 }, None, u64::MAX);
        let mut state = State { intended: arrivals.clone(), arrivals, ..busy() };
        assert!(made(&mut state, 3_600_000).is_empty());
        assert_eq!((state.counts.intended, state.counts.missed), (36_000_000_001, 36_000_000_001));
        state.free.push(0);
        assert!(matches!(state.go_on(3_600_000 * MS), Next::SleepUntil(3_600_000_000_100)));
    }

    #[test]
    fn a_burst_makes_up_for_everything_with_the_times_that_were_intended() {
        let mut state = with_free_users(99, CatchUp::Burst);
        assert_eq!(made(&mut state, 50), [0, 10, 20, 30, 40, 50]);
        assert_eq!((state.counts.intended, state.counts.missed), (6, 0));
    }

    #[test]
    fn smooth_makes_up_at_five_quarters_of_the_rate() {
        let mut state = with_free_users(999, CatchUp::Smooth);
        assert_eq!(made(&mut state, 1_000), [0]);
        // A gap of 8 ms instead of 10.
        assert!(matches!(state.go_on(1_000 * MS), Next::SleepUntil(1_008_000_000)));
        assert_eq!(made(&mut state, 1_008), [10]);
        // 1 s behind at 100/s is caught up with in 4 s.
        let (mut now_ms, mut count) = (1_008, 2);
        while now_ms < 4_990 {
            now_ms += 8;
            count += made(&mut state, now_ms).len();
        }
        assert_eq!(count, 500);
        assert!(matches!(state.go_on(now_ms * MS), Next::SleepUntil(5_000_000_000)));
    }

    #[test]
    fn smooth_goes_by_the_gaps_of_the_schedule_where_the_rate_begins_at_nothing() {
        let ramp = Course::new(0.0, &[Stage { over: Duration::from_secs(10), target: 100.0 }]);
        let arrivals = Arrivals::new(ramp, Spacing::Even, Turn { core: 0, cores: 1 }, None, u64::MAX);
        let mut state = State { intended: arrivals.clone(), arrivals, ..with_free_users(9, CatchUp::Smooth) };
        // 5 t^2 = n: due at 0, 447, 632 and 775 ms. The second follows the first after 447 / 1.25 ms.
        assert_eq!(made(&mut state, 700), [0]);
        assert!(matches!(state.go_on(1_057 * MS), Next::SleepUntil(_)));
        assert_eq!(made(&mut state, 1_058), [447]);
    }

    #[test]
    fn nothing_that_was_held_up_is_made_in_a_pause() {
        let mut state = with_free_users(1, CatchUp::Burst);
        assert_eq!(made(&mut state, 50), [0]);
        state.pause_ns = 60 * MS..u64::MAX;
        state.follow(|rate| rate.halt(0.06));
        state.free.push(0);
        assert_eq!(made(&mut state, 59), [10]);
        state.free.push(0);
        assert!(matches!(state.go_on(500 * MS), Next::Exhausted));
        state.pause_ns.end = 600 * MS;
        assert!(matches!(state.go_on(590 * MS), Next::SleepUntil(600_000_000)));
        assert_eq!(made(&mut state, 600), [20], "with the time that was intended");
        assert_eq!(state.counts.intended, 6);
    }

    #[test]
    fn who_waits_until_one_more_may_start_waits_for_a_free_user_too() {
        let turn = Turn { core: 0, cores: 1 };
        let fast = Arrivals::new(Course::steady(100_000.0), Spacing::Even, turn, None, u64::MAX);
        let mut state = State::new(fast, CatchUp::Burst, 99);
        // 101 are due within a millisecond; the first 16 start users, and the 17th, due at 160 us, has yet to wait.
        assert_eq!(made(&mut state, 1).len(), 16);
        assert!(matches!(state.go_on(MS), Next::WaitForUser(1_160_000)));
        state.free.push(3);
        assert!(matches!(state.go_on(MS), Next::Given(3)));
    }

    #[test]
    fn what_is_late_is_dropped_and_counted() {
        let mut state = with_free_users(99, CatchUp::Drop);
        // 10 ms late is within the grain of things.
        assert_eq!(made(&mut state, 50), [40, 50]);
        assert_eq!((state.counts.intended, state.counts.missed), (6, 4));
    }

    #[test]
    fn what_finds_no_user_is_dropped_at_once() {
        let mut state = state(1, CatchUp::Drop);
        assert_eq!(made(&mut state, 0), [0]);
        assert!(made(&mut state, 10).is_empty());
        assert_eq!((state.counts.intended, state.counts.missed), (2, 1));
        state.free.push(0);
        assert_eq!(made(&mut state, 20), [20]);
    }
}
