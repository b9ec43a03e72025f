//! A virtual user's life: what it does once, then iterations one after the other, until the run or its loops end.

use std::{future::poll_fn, rc::Rc, task::Poll};

use pummel_case::{RenderedRequest, Session};
use pummel_ring::now_ns;

use crate::{
    closed_load::ClosedUsers,
    functional_run,
    iteration::{Ended, Entered, Part, Transaction},
    network::client::Client,
    plan::{Connections, PacingUnit},
    shard::Shard,
};

/// How long a user waits before it tries its once-per-user steps again: often enough that a server which comes up is noticed at
/// once, and seldom enough that ten thousand users whose login is refused are no load to speak of.
const SETUP_RETRY_NS: u64 = 1_000_000_000;

/// The name of a plan whose user 3 panics: what a test needs to see a core break down.
#[cfg(test)]
pub(crate) const PANICS_AT_USER_3: &str = "panics at user 3";

/// A virtual user. Its buffers are used again from iteration to iteration.
pub(crate) struct User<'a> {
    pub(crate) shard: &'a Shard,
    /// Its number on this core.
    number: usize,
    /// No iteration begins before this time.
    rest_ns: u64,
    pub(crate) random: fastrand::Rng,
    /// Its variables in each case, as far as it has had to do with them.
    pub(crate) sessions: Vec<Session>,
    /// The request being built; made with the user's first step that is not constant.
    pub(crate) rendered: Option<Box<RenderedRequest>>,
    /// The name of the present step, where it holds values.
    pub(crate) name: String,
    /// Its connections and cookies.
    pub(crate) client: Client,
    /// Where the user stands in time: the end of what it did last. The next request was due then, so whatever passes until
    /// it is handed to the kernel is the engine's lateness, not the server's.
    pub(crate) now_ns: u64,
    /// Transactions of this iteration, by their index in the case.
    pub(crate) transactions: Vec<Transaction>,
    /// Referenced cases it is in, the innermost last.
    pub(crate) entered: Vec<Entered>,
    /// How often each loop of the case has run, by its index.
    pub(crate) loops: Vec<u32>,
    /// How often a loop went back, to let others run now and then.
    pub(crate) repeats: u32,
    /// This iteration took its time: it leaves room for other users.
    pub(crate) waited: bool,
}

/// Starts the task of one of a core's users.
pub(crate) fn start(shard: &Rc<Shard>, number: usize) {
    shard.live.set(shard.live.get() + 1);
    shard.ring.spawn(live(Rc::clone(shard), number)).detach();
}

async fn live(shard: Rc<Shard>, number: usize) {
    shard.wake_at_stop(number).await;
    match &shard.plan.functional {
        None => run(&shard, number).await,
        // One user of one run: a box keeps what it takes out of all users of a load.
        Some(functional) => Box::pin(functional_run::run(&shard, functional)).await,
    }
    shard.forget_user(number);
}

/// Runs one user to its end.
async fn run(shard: &Shard, number: usize) {
    #[cfg(test)]
    assert!(shard.plan.name != PANICS_AT_USER_3 || shard.position(number) != 3, "what the test asked for");
    let mut user = User::new(shard, number);
    // A user does this once: a box keeps what it takes out of the rest of its life.
    if cases_to_set_up(shard).next().is_none() || Box::pin(user.set_up()).await {
        let mut loops_left = shard.plan.load.loops_per_user.unwrap_or(u64::MAX);
        while loops_left > 0 && user.next().await {
            loops_left -= 1;
            if user.iterate().await == Ended::Cut {
                shard.nothing_left();
                break;
            }
        }
    }
    user.finish();
}

/// The cases that have once-per-user steps and may be given to a user.
fn cases_to_set_up(shard: &Shard) -> impl Iterator<Item = usize> + '_ {
    let to_set_up = |case: &usize| !shard.programs[*case].setup.is_empty() && shard.choice.may_pick(*case);
    (0..shard.programs.len()).filter(to_set_up)
}

impl<'a> User<'a> {
    /// A user that begins now.
    pub(crate) fn new(shard: &'a Shard, number: usize) -> Self {
        let now_ns = now_ns();
        shard.recorder.borrow_mut().user_started(shard.clock_ns());
        shard.shared.rendezvous.user_started();
        Self {
            shard,
            number,
            rest_ns: 0,
            random: fastrand::Rng::with_seed(fastrand::u64(..) ^ shard.position(number) as u64),
            sessions: Vec::new(),
            rendered: None,
            name: String::new(),
            client: Client::new(shard.shared_idle.clone(), shard.plan.network.cookies),
            now_ns,
            transactions: Vec::new(),
            entered: Vec::new(),
            loops: Vec::new(),
            repeats: 0,
            waited: false,
        }
    }

    /// Waits until the next iteration is due, and puts the user there in time; false when there is none any more.
    #[inline]
    async fn next(&mut self) -> bool {
        if let Some(open) = &self.shard.open {
            let Some(due_ns) = self.shard.arrival(open, self.number).await else { return false };
            // The arrival that made its user start is due when the user is ready for it; the others are due when they are.
            self.now_ns = due_ns.max(std::mem::take(&mut self.rest_ns));
            return true;
        }
        let Some(closed) = &self.shard.closed else { return false };
        if self.shard.paused.get() || self.rest_ns > self.now_ns || self.shard.paces(PacingUnit::Iteration) {
            return self.rest(closed).await;
        }
        self.rest_ns = self.now_ns.saturating_add(closed.pacing_ns);
        !self.shard.stopping() && closed.wants(self.number) && self.shard.take_iteration()
    }

    /// Waits between two iterations: for its pace, for the end of a pause, for a slot of the schedule.
    async fn rest(&mut self, closed: &ClosedUsers) -> bool {
        let (shard, from_ns) = (self.shard, self.now_ns);
        let goes_on = self.rested(closed).await;
        let until_ns = if goes_on { self.now_ns } else { now_ns() };
        let on_the_clock = |ns: u64| ns.saturating_sub(shard.start_ns);
        shard.recorder.borrow_mut().rested(on_the_clock(from_ns), on_the_clock(until_ns));
        self.rest_ns = self.now_ns.saturating_add(closed.pacing_ns);
        goes_on
    }

    async fn rested(&mut self, closed: &ClosedUsers) -> bool {
        let (shard, number) = (self.shard, self.number);
        let leaves = |shard: &Shard| shard.stopping() || !closed.wants(number);
        if self.rest_ns > self.now_ns {
            shard.sleep_unless(self.rest_ns, leaves).await;
            self.now_ns = self.rest_ns;
        }
        if shard.paused.get() {
            let over = || leaves(shard) || !shard.paused.get();
            poll_fn(|_| if over() { Poll::Ready(()) } else { Poll::Pending }).await;
            self.now_ns = now_ns();
        }
        // The bound first: who has no iteration left must not wait for a slot that may be far away.
        if leaves(shard) || !shard.take_iteration() {
            return false;
        }
        if !shard.paces(PacingUnit::Iteration) {
            return true;
        }
        let slot_ns = shard.pace_unless(self.now_ns, leaves).await;
        match slot_ns {
            Some(slot_ns) => self.now_ns = slot_ns,
            None => shard.give_iteration_back(),
        }
        slot_ns.is_some()
    }

    /// The user's variables in a case.
    #[inline]
    pub(crate) fn session(&mut self, case: usize) -> &mut Session {
        if self.sessions.len() <= case {
            // No more than it needs: a run may have very many users, and most have one case.
            self.sessions.reserve_exact(case + 1 - self.sessions.len());
            self.sessions.resize_with(case + 1, Session::new);
        }
        &mut self.sessions[case]
    }

    /// Takes the row of a case's parameters at a position of their sequence, where it has any.
    pub(crate) fn take_row(&mut self, case: usize, position: u64) {
        let shard = self.shard;
        if let Some(parameters) = &shard.plan.cases[case].parameters {
            self.session(case);
            parameters.pick(position, &mut self.random, self.sessions[case].rows());
        }
    }

    /// Makes ready for the steps of a case: extracted values are forgotten, nothing is open.
    pub(crate) fn begin(&mut self, case: usize) {
        let program = &self.shard.programs[case];
        let plan = &self.shard.plan;
        self.session(case).begin(&plan.cases[case]);
        self.client.begin_iteration();
        self.transactions.clear();
        self.transactions.resize(program.transaction_rows.len(), Transaction::default());
        self.entered.clear();
        self.loops.clear();
        self.loops.resize(program.loops, 0);
    }

    /// Does the once-per-user steps of each case it may be given, again and again until they pass: a user never iterates
    /// without them. False when the run stopped first, or the user was to end.
    async fn set_up(&mut self) -> bool {
        let shard = self.shard;
        shard.recorder.borrow_mut().setup_began(shard.clock_ns());
        if let Some(open) = &shard.open {
            open.setup_began();
        }
        let mut ended = Ended::Passed;
        for case in cases_to_set_up(shard) {
            ended = self.set_up_case(case).await;
            if ended == Ended::Cut {
                break;
            }
        }
        self.end_visit();
        self.now_ns = now_ns();
        self.rest_ns = self.now_ns;
        shard.recorder.borrow_mut().setup_ended(shard.clock_ns());
        if let Some(open) = &shard.open {
            open.setup_ended();
        }
        ended != Ended::Cut
    }

    async fn set_up_case(&mut self, case: usize) -> Ended {
        loop {
            self.begin(case);
            let ended = self.walk(case, Part::Setup).await;
            self.shard.close_websockets(&mut self.client);
            if ended != Ended::Failed {
                // What it was given to log in with stays with what it extracted.
                self.client.cookies.jar.keep();
                return ended;
            }
            self.now_ns = now_ns().saturating_add(SETUP_RETRY_NS);
            let number = self.number;
            let unwanted = |shard: &Shard| shard.closed.as_ref().is_some_and(|closed| !closed.wants(number));
            let leaves = |shard: &Shard| shard.stopping() || unwanted(shard);
            self.shard.sleep_unless(self.now_ns, leaves).await;
            if leaves(self.shard) {
                return Ended::Cut;
            }
        }
    }

    /// Closes the user's connections where the next iteration is to begin as a new visitor.
    #[inline]
    pub(crate) fn end_visit(&self) {
        if self.shard.plan.network.connections == Connections::PerIteration {
            self.client.idle.borrow_mut().close(|| self.shard.recorder.borrow_mut().connection_closed());
        }
    }

    /// Ends the user.
    pub(crate) fn finish(&mut self) {
        let shard = self.shard;
        shard.close_websockets(&mut self.client);
        let mut recorder = shard.recorder.borrow_mut();
        if shard.shared_idle.is_none() {
            self.client.idle.borrow_mut().close(|| recorder.connection_closed());
        }
        recorder.user_finished(shard.clock_ns());
    }
}

#[cfg(test)]
mod tests {
    use super::{live, run, Rc, Shard};

    /// The size of what `run` gives, which needs no shard to be known.
    fn size<F>(_: impl FnOnce(&'static Shard, usize) -> F) -> usize {
        size_of::<F>()
    }

    /// The same of `live`.
    fn task_bytes<F>(_: impl FnOnce(Rc<Shard>, usize) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_user_takes_little_memory() {
        // Each user of a run has one of these for as long as it lives: what is seldom is boxed where it is done.
        let bytes = size(run);
        assert!(bytes <= 1_040, "{bytes} bytes");
    }

    #[test]
    fn a_users_task_is_little_more_than_its_life() {
        // What only a functional run needs is no part of it.
        let bytes = task_bytes(live);
        assert!(bytes <= 1_088, "{bytes} bytes");
    }
}
