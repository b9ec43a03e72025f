//! The one way to steer a run while it goes on: Ctrl-C today, a web page later.

use std::{
    fmt,
    sync::{
        atomic::{AtomicU8, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
};

use crossbeam_channel::{unbounded, Receiver, Sender};

use crate::{
    plan::{MAX_ARRIVAL_RATE, MAX_RATE},
    Plan,
};

/// Steers a run; clones steer the same one. What is asked for is carried out by all cores at one time of the run clock.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raised: AtomicU8,
    /// What the run under way can do; none before and after it.
    scope: Mutex<Option<Scope>>,
    sender: Sender<Command>,
    receiver: Receiver<Command>,
}

/// A change of a run under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// So many users, started and ended at the spawn rate. What stages were to come is forgotten.
    Users(u32),
    /// Users started, or ended, per second from now on. Where they are on their way, what stages were to come after that is forgotten.
    SpawnRate(f64),
    /// Iterations per second of an open run; of a closed one, the ceiling on its rate. What stages were to come is forgotten.
    Rate(f64),
    /// No iteration begins, and no request that waits for a ceiling on the rate.
    Pause,
    /// Iterations begin again, as the plan has it for this time.
    Resume,
}

/// What the run at hand can be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    open: bool,
    users_max: u32,
}

/// Why a run cannot do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// There is nothing to steer.
    #[error("no run is under way")]
    NotRunning,
    /// Its users are as many as its arrivals need.
    #[error("an open run has as many users as its arrivals need; change its rate")]
    Open,
    /// Sockets and memory were sized for fewer.
    #[error("{asked} users are more than the {max} this run was sized for; start it with that many, or with a stage of them")]
    TooManyUsers {
        /// How many were asked for.
        asked: u32,
        /// How many there may be.
        max: u32,
    },
    /// No rate at all, or one beyond any machine.
    #[error("{asked} is no rate; it lies from 0 up to {max} a second")]
    NoRate {
        /// What was asked for.
        asked: f64,
        /// The highest there may be: of arrivals, or of a ceiling.
        max: f64,
    },
    /// Users that are started at no rate never come.
    #[error("{0} is no rate of starting users; it is above 0 and up to {MAX_RATE} a second")]
    NoSpawnRate(f64),
}

impl Default for Control {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        Self(Arc::new(Inner { raised: AtomicU8::new(0), scope: Mutex::new(None), sender, receiver }))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users(users) => write!(f, "users {users}"),
            Self::SpawnRate(rate) => write!(f, "spawn rate {rate}/s"),
            Self::Rate(rate) => write!(f, "rate {rate}/s"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
        }
    }
}

impl Control {
    /// One step further to the end: the first call stops the load and drains, every further one ends the run now. Both still report.
    pub fn raise(&self) {
        let _ = self.0.raised.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_add(1)));
    }

    /// The first step, unless somebody took it before; true if nobody had.
    pub fn raise_first(&self) -> bool {
        self.0.raised.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// How often [`raise`](Self::raise) was called, at most 255.
    pub fn raised(&self) -> u8 {
        self.0.raised.load(Ordering::Relaxed)
    }

    /// Asks the run under way for a change.
    ///
    /// # Errors
    /// There is no run, or it cannot do that; nothing has changed then.
    pub fn ask(&self, command: Command) -> Result<(), ControlError> {
        let at_hand = self.scope();
        let scope = (*at_hand).ok_or(ControlError::NotRunning)?;
        let max = if scope.open { MAX_ARRIVAL_RATE } else { MAX_RATE };
        match command {
            Command::Users(_) | Command::SpawnRate(_) if scope.open => return Err(ControlError::Open),
            Command::Users(asked) if asked > scope.users_max => {
                return Err(ControlError::TooManyUsers { asked, max: scope.users_max })
            }
            Command::SpawnRate(rate) if !(rate > 0.0 && rate <= MAX_RATE) => {
                return Err(ControlError::NoSpawnRate(rate))
            }
            Command::Rate(asked) if !(0.0..=max).contains(&asked) => return Err(ControlError::NoRate { asked, max }),
            _ => {}
        }
        // The receiver lives as long as this handle. Within the lock: what is asked of one run is nothing to the next.
        let _ = self.0.sender.send(command);
        Ok(())
    }

    /// A run of this plan begins.
    pub(crate) fn begin(&self, plan: &Plan) {
        *self.scope() = Some(Scope { open: plan.load.open().is_some(), users_max: plan.load.users });
    }

    /// It is over, with what was asked of it and came too late.
    pub(crate) fn end(&self) {
        let mut at_hand = self.scope();
        *at_hand = None;
        self.0.receiver.try_iter().for_each(drop);
    }

    /// What was asked for and is not yet carried out.
    pub(crate) fn commands(&self) -> &Receiver<Command> {
        &self.0.receiver
    }

    fn scope(&self) -> MutexGuard<'_, Option<Scope>> {
        self.0.scope.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_takes_the_first_step() {
        let control = Control::default();
        assert!(control.raise_first());
        assert!(!control.raise_first());
        assert_eq!(control.raised(), 1);
        control.raise();
        assert_eq!(control.raised(), 2);
    }

    #[test]
    fn what_a_run_cannot_do_is_refused() {
        let control = Control::default();
        assert_eq!(control.ask(Command::Pause), Err(ControlError::NotRunning));
        *control.scope() = Some(Scope { open: false, users_max: 5 });
        assert_eq!(control.ask(Command::Users(6)), Err(ControlError::TooManyUsers { asked: 6, max: 5 }));
        assert_eq!(control.ask(Command::SpawnRate(0.0)), Err(ControlError::NoSpawnRate(0.0)));
        assert!(matches!(control.ask(Command::Rate(f64::NAN)), Err(ControlError::NoRate { .. })));
        assert_eq!(control.ask(Command::Rate(2e7)), Ok(()));
        assert_eq!(control.commands().try_iter().count(), 1);
        assert!(control.commands().is_empty());
        assert_eq!(control.ask(Command::Users(5)), Ok(()));
        *control.scope() = Some(Scope { open: true, users_max: 5 });
        assert_eq!(control.ask(Command::Users(5)), Err(ControlError::Open));
        let refused = control.ask(Command::Rate(2e7)).unwrap_err();
        assert_eq!(refused.to_string(), "20000000 is no rate; it lies from 0 up to 10000000 a second");
        assert_eq!(control.ask(Command::Rate(0.0)), Ok(()));
        assert_eq!(control.commands().try_iter().collect::<Vec<_>>(), [Command::Users(5), Command::Rate(0.0)]);
        assert_eq!(control.ask(Command::Pause), Ok(()));
        control.end();
        assert!(control.commands().is_empty(), "the next run is not to begin with a pause");
    }
}
