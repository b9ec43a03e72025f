//! A plugin's workers as one core sees them, and which of them takes the next call.

use std::{rc::Rc, sync::Arc};

use pummel_plugin::{RunningPlugin, WorkerState};

use super::link::Link;

/// A plugin and what this core has to do with it.
pub(super) struct Workers {
    pub(super) plugin: Arc<RunningPlugin>,
    all: Vec<Worker>,
    /// The worker looked at first, for the next call.
    turn: usize,
}

/// One worker. Its state is asked for when it has changed, so no call asks.
pub(super) struct Worker {
    pub(super) state: WorkerState,
    /// Calls of this core that it has.
    pub(super) in_flight: u32,
    /// The last of its processes that this core has seen end.
    ended_generation: u64,
    /// The connection to its present process, once there was a call for it.
    pub(super) link: Option<Rc<Link>>,
}

/// Who takes a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This worker.
    Worker(usize),
    /// None yet: one is being started.
    Wait,
    /// None, for this reason.
    Down(Arc<str>),
}

impl Workers {
    pub(super) fn new(plugin: Arc<RunningPlugin>) -> Self {
        let all = (0..plugin.workers()).map(|worker| Worker::new(plugin.state(worker))).collect();
        Self { plugin, all, turn: 0 }
    }

    /// Takes note of what has become of each.
    pub(super) fn refresh(&mut self) {
        for (n, worker) in self.all.iter_mut().enumerate() {
            worker.state = self.plugin.state(n);
        }
    }

    /// The worker for the next call.
    pub(super) fn choose(&mut self) -> Choice {
        choose(&self.all, &mut self.turn)
    }

    pub(super) fn worker(&mut self, worker: usize) -> &mut Worker {
        &mut self.all[worker]
    }

    /// A worker's process has ended, or is of no use any more.
    pub(super) fn ended(&mut self, worker: usize, generation: u64) {
        let known = &mut self.all[worker];
        known.ended_generation = known.ended_generation.max(generation);
        self.plugin.broken(worker, generation);
    }
}

impl Worker {
    fn new(state: WorkerState) -> Self {
        Self { state, in_flight: 0, ended_generation: 0, link: None }
    }

    fn takes_calls(&self) -> bool {
        matches!(self.state, WorkerState::Up { generation, .. } if generation > self.ended_generation)
    }
}

/// The worker with the fewest calls of this core; of those with as few, each in turn.
fn choose(all: &[Worker], turn: &mut usize) -> Choice {
    let in_turn = (0..all.len()).map(|n| (*turn + n) % all.len());
    let usable = in_turn.filter(|&n| all[n].takes_calls());
    if let Some(chosen) = usable.min_by_key(|&n| all[n].in_flight) {
        *turn = chosen + 1;
        return Choice::Worker(chosen);
    }
    let mut reason = None;
    for worker in all {
        match &worker.state {
            WorkerState::Down { reason: why } => reason = Some(Arc::clone(why)),
            WorkerState::Starting | WorkerState::Up { .. } => return Choice::Wait,
        }
    }
    Choice::Down(reason.unwrap_or_else(|| "the plugin has no process".into()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pummel_plugin::Reach;

    use super::*;

    fn up(generation: u64, in_flight: u32) -> Worker {
        let state = WorkerState::Up { generation, reach: Reach::Frames(Path::new("/s").into()) };
        Worker { in_flight, ..Worker::new(state) }
    }

    fn down(reason: &str) -> Worker {
        Worker::new(WorkerState::Down { reason: reason.into() })
    }

    #[test]
    fn the_least_busy_takes_a_call_and_of_equals_each_in_turn() {
        let (mut all, mut turn) = ([up(1, 1), up(1, 0), up(1, 0)], 0);
        let chosen = [0; 3].map(|_| choose(&all, &mut turn));
        assert_eq!(chosen, [Choice::Worker(1), Choice::Worker(2), Choice::Worker(1)]);
        all[0].in_flight = 0;
        assert_eq!([0; 2].map(|_| choose(&all, &mut turn)), [Choice::Worker(2), Choice::Worker(0)]);
    }

    #[test]
    fn a_process_that_has_ended_takes_no_call_though_nobody_said_so_yet() {
        let (mut all, mut turn) = ([up(3, 0), down("it crashes")], 0);
        all[0].ended_generation = 3;
        assert_eq!(choose(&all, &mut turn), Choice::Wait);
        all[0] = Worker { ended_generation: 3, ..up(4, 0) };
        assert_eq!(choose(&all, &mut turn), Choice::Worker(0));
    }

    #[test]
    fn with_all_down_calls_are_lost_and_with_one_that_starts_they_wait() {
        let mut all = [down("it crashes"), down("it crashes")];
        assert_eq!(choose(&all, &mut 0), Choice::Down("it crashes".into()));
        all[1].state = WorkerState::Starting;
        assert_eq!(choose(&all, &mut 0), Choice::Wait);
    }
}
