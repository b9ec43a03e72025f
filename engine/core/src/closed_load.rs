//! The users of a closed run on one core: who starts when, and who ends.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use crate::{
    plan::{nanos, ClosedLoad},
    schedule::{Change, Course, Levels},
    shard::Shard,
    user, Plan, Stage,
};

/// What a core knows of its users.
pub(crate) struct ClosedUsers {
    levels: RefCell<Levels>,
    spawn_rate: Cell<f64>,
    /// Users with a lower number on this core are to be active.
    wanted: Cell<usize>,
    /// Whether each has a task.
    alive: RefCell<Vec<bool>>,
    /// Counts up with each change of the levels from outside.
    version: Cell<u64>,
    /// No further change is to come as things are.
    settled: Cell<bool>,
    /// Somebody set the users to none: the run goes on until there are some, or it is stopped.
    asked_for_none: Cell<bool>,
    /// A user found nothing left to do.
    used_up: Cell<bool>,
    /// The least time between the beginnings of two iterations of a user; 0 for none.
    pub(crate) pacing_ns: u64,
}

impl ClosedUsers {
    pub(crate) fn new(plan: &Plan, closed: &ClosedLoad, users: usize) -> Self {
        let all_at_spawn_rate =
            [Stage { over: spawn_time(plan.load.users, closed.spawn_rate), target: f64::from(plan.load.users) }];
        let stages = if closed.stages.is_empty() { &all_at_spawn_rate[..] } else { &closed.stages };
        Self {
            levels: RefCell::new(Levels::new(Course::new(0.0, stages))),
            spawn_rate: Cell::new(closed.spawn_rate),
            wanted: Cell::new(0),
            alive: RefCell::new(vec![false; users]),
            version: Cell::new(0),
            settled: Cell::new(false),
            asked_for_none: Cell::new(false),
            used_up: Cell::new(false),
            pacing_ns: closed.pacing.map_or(0, nanos),
        }
    }

    /// True when no user will start, or none would have anything to do.
    pub(crate) fn settled(&self) -> bool {
        self.used_up.get() || (self.settled.get() && !self.asked_for_none.get())
    }

    /// There is nothing left for a user to do.
    pub(crate) fn end(&self) {
        self.used_up.set(true);
    }

    /// True while this user is to be active.
    #[inline]
    pub(crate) fn wants(&self, number: usize) -> bool {
        number < self.wanted.get()
    }

    /// From a time of the run clock on the run goes to so many users.
    pub(crate) fn turn(&self, at_s: f64, users: u32) {
        self.levels.borrow_mut().turn(at_s, f64::from(users), self.spawn_rate.get());
        self.asked_for_none.set(users == 0);
        self.changed();
    }

    /// From a time on users start and end at another rate, those included that are on their way.
    pub(crate) fn spawn_at(&self, at_s: f64, per_second: f64) {
        self.spawn_rate.set(per_second);
        let target = self.levels.borrow().on_the_way_to(at_s);
        if let Some(target) = target {
            self.levels.borrow_mut().turn(at_s, target, per_second);
            self.changed();
        }
    }

    /// A user's task has come to its end.
    pub(crate) fn ended(&self, number: usize) {
        self.alive.borrow_mut()[number] = false;
    }

    fn changed(&self) {
        self.version.set(self.version.get() + 1);
    }
}

/// How long it takes to start so many users.
fn spawn_time(users: u32, spawn_rate: f64) -> Duration {
    Duration::try_from_secs_f64(f64::from(users) / spawn_rate).unwrap_or(Duration::MAX)
}

/// Starts and ends this core's users, each at its time.
pub(crate) async fn run(shard: Rc<Shard>) {
    let Some(closed) = &shard.closed else { return };
    shard.wake_starter_at_stop().await;
    while !shard.stopping() {
        let (version, wanted) = (closed.version.get(), closed.wanted.get());
        let over = |shard: &Shard| shard.stopping() || closed.version.get() != version;
        let position = |number| shard.position(number) as f64;
        let next = closed.levels.borrow_mut().next(wanted, shard.users, position);
        let Some((at_s, change)) = next else {
            closed.settled.set(true);
            shard.wake_main();
            poll_fn(|_| if over(&shard) { Poll::Ready(()) } else { Poll::Pending }).await;
            closed.settled.set(false);
            continue;
        };
        shard.sleep_unless(shard.start_ns.saturating_add((at_s * 1e9) as u64), over).await;
        if over(&shard) {
            continue;
        }
        match change {
            Change::Start => {
                closed.wanted.set(wanted + 1);
                // One that was to end and is still at its last iteration goes on.
                if !std::mem::replace(&mut closed.alive.borrow_mut()[wanted], true) {
                    user::start(&shard, wanted);
                }
            }
            Change::End => {
                closed.wanted.set(wanted - 1);
                shard.hold_nothing_back();
                shard.wake_user(wanted - 1);
            }
        }
    }
}
