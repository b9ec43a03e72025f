//! Places where users wait for each other (hrp spec 14.9), across all cores.
//!
//! Who arrives takes a lock, which no request does. Who waits sleeps on its core until the release comes through the core's
//! mailbox, the longest gap between two arrivals is over, or the run stops: nobody asks again and again.

use std::{
    future::{poll_fn, Future},
    ops::Range,
    pin::pin,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Poll, Waker},
};

use pummel_case::{Case, RendezvousStep, Step};
use pummel_ring::{now_ns, MailboxSender};

use crate::{
    plan::nanos,
    shard::{Message, Shard},
    Plan,
};

/// What `percent` of the users may be below a whole number and still mean it: 0.29 of 100 users is 28.999999999999996 in
/// binary.
const ROUNDING: f64 = 1e-9;

/// All rendezvous of a run.
pub(crate) struct Rendezvous {
    state: Mutex<State>,
    /// Where each case's rendezvous stand among all.
    cases: Vec<Range<usize>>,
    mailboxes: OnceLock<Vec<MailboxSender<Message>>>,
}

/// What is known of them at one moment.
struct State {
    /// Users that have not started yet. Until all have, everyone passes.
    unstarted: u64,
    gates: Vec<Gate>,
}

/// One rendezvous.
#[derive(Clone, Default)]
struct Gate {
    /// Its users' case: the gates that make up one cycle.
    cycle: Range<usize>,
    /// Arrivals that open it. With 0 the first opens it.
    target: u64,
    timeout_ns: u64,
    /// Users that wait.
    arrived: u64,
    /// When it opens although users are missing.
    deadline_ns: u64,
    /// It was open in this cycle: who comes now passes.
    released: bool,
    /// How often it was opened.
    epoch: u64,
}

/// What someone who arrives does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Pass,
    /// It opens, for those that wait too.
    Release {
        epoch: u64,
    },
    Wait {
        epoch: u64,
        deadline_ns: u64,
    },
}

impl Rendezvous {
    pub(crate) fn new(plan: &Plan) -> Self {
        let (mut gates, mut cases) = (Vec::new(), Vec::new());
        // In a functional run everyone passes (hrp spec 12.5), and in an open one, which has no number of users to wait for.
        let everyone_passes = plan.functional.is_some() || plan.load.open().is_some();
        let cases_of_load = if everyone_passes { &[] } else { &plan.cases[..] };
        for case in cases_of_load {
            let first = gates.len();
            gates.extend(gates_of(case, u64::from(plan.load.users)));
            let cycle = first..gates.len();
            gates[cycle.clone()].iter_mut().for_each(|gate| gate.cycle = cycle.clone());
            cases.push(cycle);
        }
        let state = State { unstarted: u64::from(plan.load.users), gates };
        Self { state: Mutex::new(state), cases, mailboxes: OnceLock::new() }
    }

    /// How many there are in all cases.
    pub(crate) fn count(&self) -> usize {
        self.cases.last().map_or(0, |last| last.end)
    }

    /// Tells how the cores are reached. To be called before they start.
    pub(crate) fn connect(&self, mailboxes: Vec<MailboxSender<Message>>) {
        let _ = self.mailboxes.set(mailboxes);
    }

    /// Notes that one more user has started.
    pub(crate) fn user_started(&self) {
        if self.count() > 0 {
            let mut state = self.state();
            state.unstarted = state.unstarted.saturating_sub(1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A core that broke down holding the lock left counts behind that the others can go on with.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every core that a rendezvous is open.
    fn broadcast(&self, gate: usize, epoch: u64, at_ns: u64) {
        for mailbox in self.mailboxes.get().into_iter().flatten() {
            // A core that has ended has nobody waiting.
            let _ = mailbox.send(Message::Released { gate, epoch, at_ns });
        }
    }
}

/// The rendezvous of a case by their position, closed.
fn gates_of(case: &Case, users: u64) -> Vec<Gate> {
    let steps =
        || case.steps.iter().filter_map(|step| if let Step::Rendezvous(step) = step { Some(step) } else { None });
    let count = steps().map(|step| step.index + 1).max().unwrap_or(0).min(case.steps.len());
    let mut gates = vec![Gate { target: users, ..Gate::default() }; count];
    for step in steps() {
        if let Some(gate) = gates.get_mut(step.index) {
            gate.timeout_ns = nanos(step.timeout);
            gate.target = target(step, users).unwrap_or_else(|| {
                tracing::warn!(
                    "{}: the rendezvous {:?} waits for all {users} users: it needs either a number from 1 to the number of \
                     users or a percent above 0 and up to 1",
                    case.name,
                    step.step_name,
                );
                users
            });
        }
    }
    gates
}

/// How many users a rendezvous waits for; none where what is written makes no sense with so many users.
fn target(step: &RendezvousStep, users: u64) -> Option<u64> {
    let percent = step.percent;
    match u64::try_from(step.number) {
        Ok(0) if percent > 0.0 && percent <= 1.0 => Some((percent * users as f64 + ROUNDING).floor() as u64),
        Ok(number) if (1..=users).contains(&number) && percent == 0.0 => Some(number),
        _ => None,
    }
}

impl State {
    fn arrive(&mut self, at: usize, now_ns: u64) -> Arrival {
        let cycle = self.gates[at].cycle.clone();
        let early = self.gates[cycle.start..at].iter().any(|earlier| !earlier.released);
        let gate = &mut self.gates[at];
        if self.unstarted > 0 || early || gate.released {
            return Arrival::Pass;
        }
        gate.arrived += 1;
        if gate.arrived >= gate.target {
            let alone = gate.arrived == 1;
            let epoch = self.release(at);
            // Nobody else is to be told.
            return if alone { Arrival::Pass } else { Arrival::Release { epoch } };
        }
        gate.deadline_ns = now_ns.saturating_add(gate.timeout_ns);
        Arrival::Wait { epoch: gate.epoch, deadline_ns: gate.deadline_ns }
    }

    /// What becomes of someone who has waited up to the deadline it knew.
    fn overdue(&mut self, at: usize, epoch: u64, now_ns: u64) -> Arrival {
        let gate = &self.gates[at];
        if gate.epoch != epoch {
            Arrival::Pass
        } else if now_ns < gate.deadline_ns {
            // Others have come since.
            Arrival::Wait { epoch, deadline_ns: gate.deadline_ns }
        } else {
            Arrival::Release { epoch: self.release(at) }
        }
    }

    /// Opens one; the last of its case ends the cycle. Gives how often it was opened.
    fn release(&mut self, at: usize) -> u64 {
        let gate = &mut self.gates[at];
        gate.released = true;
        gate.arrived = 0;
        gate.epoch += 1;
        let (epoch, cycle) = (gate.epoch, gate.cycle.clone());
        if at + 1 == cycle.end {
            self.gates[cycle].iter_mut().for_each(|gate| gate.released = false);
        }
        epoch
    }
}

/// What one core knows of a rendezvous.
#[derive(Default)]
pub(crate) struct LocalGate {
    epoch: u64,
    released_ns: u64,
    waiting: Vec<Waker>,
}

impl LocalGate {
    /// Takes in that it is open.
    pub(crate) fn released(&mut self, epoch: u64, at_ns: u64) {
        // Releases on two cores may tell of themselves in the other order.
        if epoch > self.epoch {
            (self.epoch, self.released_ns) = (epoch, at_ns);
            self.waiting.drain(..).for_each(Waker::wake);
        }
    }
}

impl Shard {
    /// Waits at a rendezvous until it opens or the run stops; gives when it was left.
    pub(crate) async fn meet(&self, case: usize, step: &RendezvousStep) -> u64 {
        let rendezvous = &self.shared.rendezvous;
        let gate = rendezvous.cases[case].start + step.index;
        let mut now = now_ns();
        let mut arrival = rendezvous.state().arrive(gate, now);
        loop {
            match arrival {
                Arrival::Pass => return now,
                Arrival::Release { epoch } => {
                    rendezvous.broadcast(gate, epoch, now);
                    return now;
                }
                Arrival::Wait { epoch, deadline_ns } => {
                    if let Some(left_ns) = self.wait_at(gate, epoch, deadline_ns).await {
                        return left_ns;
                    }
                    now = now_ns();
                    arrival = rendezvous.state().overdue(gate, epoch, now);
                }
            }
        }
    }

    /// Sleeps until a rendezvous opens or the run stops; none when the deadline was first.
    async fn wait_at(&self, gate: usize, epoch: u64, deadline_ns: u64) -> Option<u64> {
        let mut sleep = pin!(self.ring.sleep_until(deadline_ns));
        let mut noted_in = None;
        poll_fn(|cx| {
            let local = &mut self.gates.borrow_mut()[gate];
            if local.epoch > epoch {
                return Poll::Ready(Some(local.released_ns));
            }
            if self.stopping() {
                return Poll::Ready(Some(now_ns()));
            }
            // The news of an earlier release may wake those that wait for the next.
            if noted_in.replace(local.epoch) != Some(local.epoch) {
                local.waiting.push(cx.waker().clone());
            }
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn step(number: i64, percent: f64) -> RendezvousStep {
        RendezvousStep { step_name: "r".into(), index: 0, number, percent, timeout: Duration::from_secs(5) }
    }

    /// Gates of one case with these targets and gaps of 100 ns, armed.
    fn state(targets: &[u64]) -> State {
        let cycle = 0..targets.len();
        let gate = |target: &u64| Gate { cycle: cycle.clone(), target: *target, timeout_ns: 100, ..Gate::default() };
        State { unstarted: 0, gates: targets.iter().map(gate).collect() }
    }

    fn wait(epoch: u64, deadline_ns: u64) -> Arrival {
        Arrival::Wait { epoch, deadline_ns }
    }

    #[test]
    fn the_target_is_a_number_or_a_share_and_else_everyone() {
        assert_eq!(target(&step(10, 0.0), 10), Some(10));
        assert_eq!(target(&step(11, 0.0), 10), None);
        assert_eq!(target(&step(-1, 0.0), 10), None);
        assert_eq!(target(&step(0, 0.0), 10), None);
        assert_eq!(target(&step(0, 0.25), 10), Some(2));
        assert_eq!(target(&step(0, 0.29), 100), Some(29));
        assert_eq!(target(&step(0, 0.01), 10), Some(0), "opened by the first");
        assert_eq!(target(&step(0, 1.0), 10), Some(10));
        assert_eq!(target(&step(0, 1.01), 10), None);
        assert_eq!(target(&step(0, -0.5), 10), None);
        assert_eq!(target(&step(0, f64::NAN), 10), None);
        assert_eq!(target(&step(5, 0.5), 10), None, "both are given");
    }

    #[test]
    fn it_opens_at_the_target_and_closes_again_when_it_is_the_cases_last() {
        let mut state = state(&[3]);
        assert_eq!(state.arrive(0, 10), wait(0, 110));
        assert_eq!(state.arrive(0, 20), wait(0, 120));
        assert_eq!(state.arrive(0, 30), Arrival::Release { epoch: 1 });
        assert_eq!(state.arrive(0, 40), wait(1, 140), "the next cycle has begun");
    }

    #[test]
    fn nobody_waits_before_all_users_have_started() {
        let mut state = State { unstarted: 1, ..state(&[2]) };
        assert_eq!(state.arrive(0, 10), Arrival::Pass);
        state.unstarted = 0;
        assert_eq!(state.arrive(0, 20), wait(0, 120));
    }

    #[test]
    fn the_gap_between_two_arrivals_opens_it() {
        let mut state = state(&[3]);
        assert_eq!(state.arrive(0, 10), wait(0, 110));
        assert_eq!(state.arrive(0, 90), wait(0, 190));
        // The first one's time is over, but another has come since.
        assert_eq!(state.overdue(0, 0, 110), wait(0, 190));
        assert_eq!(state.overdue(0, 0, 190), Arrival::Release { epoch: 1 });
        assert_eq!(state.overdue(0, 0, 190), Arrival::Pass, "the other one finds it open");
    }

    #[test]
    fn one_with_a_target_of_0_is_opened_by_the_first() {
        let mut state = state(&[0, 2]);
        assert_eq!(state.arrive(0, 10), Arrival::Pass);
        assert!(state.gates[0].released);
        assert_eq!(state.arrive(1, 20), wait(0, 120));
    }

    #[test]
    fn a_cycle_goes_through_the_rendezvous_in_order() {
        let mut state = state(&[2, 2]);
        assert_eq!(state.arrive(1, 0), Arrival::Pass, "the first has not opened yet");
        assert_eq!(state.arrive(0, 0), wait(0, 100));
        assert_eq!(state.arrive(0, 0), Arrival::Release { epoch: 1 });
        assert_eq!(state.arrive(0, 0), Arrival::Pass, "it was open in this cycle");
        assert_eq!(state.arrive(1, 0), wait(0, 100));
        assert_eq!(state.arrive(1, 0), Arrival::Release { epoch: 1 });
        // The last one ends the cycle for both.
        assert_eq!(state.arrive(1, 0), Arrival::Pass);
        assert_eq!(state.arrive(0, 0), wait(1, 100));
    }
}
