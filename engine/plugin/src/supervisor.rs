//! Keeps the process of one worker running, from a thread of its own: starts it, waits for its end, starts it anew.
//!
//! The thread lives as long as the process: the kernel kills the process when the thread that started it ends, so that nothing is
//! left behind even where this program is killed.

use std::{
    sync::{mpsc::Sender, Arc},
    time::{Duration, Instant},
};

use pummel_case::{shown_path, PluginFailure};
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::{
    locking::lock,
    process::GRACE,
    restarts::{Next, Restarts},
    start::{remove_socket, Kind, Names, NotStarted, Program, Started, LAST_MOMENTS},
    worker::{Reach, Worker, WorkerState},
};

/// How often a first start is tried that fails by chance (hrp spec 19.5).
const STARTS_MAX: u32 = 5;

/// What becomes of the first start: sent once, by each worker.
pub(crate) type FirstStart = Result<Names, PluginFailure>;

/// See the module.
pub(crate) struct Supervisor {
    pub(crate) program: Arc<Program>,
    pub(crate) worker: Arc<Worker>,
}

impl Supervisor {
    /// Runs until everything is to end, or the first start has failed.
    pub(crate) fn run(self, tell: &Sender<FirstStart>) {
        let mut generation = 1;
        let mut started = match self.first_start(&mut generation) {
            Ok(started) => started,
            Err(NotStarted::Ending) => return,
            Err(NotStarted::ByChance(failure) | NotStarted::Failed(failure)) => {
                // Where nobody waits for it any more, another worker has failed too.
                let _ = tell.send(Err(failure));
                return;
            }
        };
        let names = started.names.clone();
        self.up(&mut started, generation);
        let _ = tell.send(Ok(names));
        let mut end = self.watch(started, generation);
        let mut restarts = Restarts::default();
        while let Some(reason) = end {
            if !self.rest(&mut restarts, &reason) {
                return;
            }
            generation += 1;
            self.worker.restarted();
            end = match self.program.start(generation, self.worker.wake()) {
                Ok(mut started) => {
                    self.up(&mut started, generation);
                    self.watch(started, generation)
                }
                Err(NotStarted::Ending) => None,
                Err(NotStarted::ByChance(failure) | NotStarted::Failed(failure)) => Some(failure.message),
            };
        }
    }

    fn first_start(&self, generation: &mut u64) -> Result<Started, NotStarted> {
        loop {
            match self.program.start(*generation, self.worker.wake()) {
                Err(NotStarted::ByChance(_)) if *generation < u64::from(STARTS_MAX) => *generation += 1,
                result => return result,
            }
        }
    }

    /// Takes calls from now on.
    fn up(&self, started: &mut Started, generation: u64) {
        *lock(&self.worker.control) = started.control.take();
        self.worker.set(WorkerState::Up { generation, reach: started.reach.clone() });
    }

    /// Waits for the end of the process, and says what is wrong with it; none where everything is to end.
    fn watch(&self, mut started: Started, generation: u64) -> Option<String> {
        let wake = self.worker.wake();
        let reason = loop {
            if started.process.wait(&[wake.descriptor()], None, |_| {}).ended {
                self.worker.set(WorkerState::Starting);
                break format!("its process {}", started.process.end(Duration::ZERO));
            }
            wake.heard();
            if wake.is_ending() {
                self.end(started);
                return None;
            }
            if self.worker.is_broken(generation) {
                self.worker.set(WorkerState::Starting);
                // Its end by itself is seen on its connections first.
                let ended = started.process.wait(&[], Some(Instant::now() + LAST_MOMENTS), |_| {}).ended;
                let over = started.process.end(Duration::ZERO);
                break if ended { format!("its process {over}") } else { "its process did not answer".to_owned() };
            }
        };
        if let Some(socket) = &started.socket {
            remove_socket(socket);
        }
        Some(reason)
    }

    fn end(&self, started: Started) {
        self.worker.set(WorkerState::Down { reason: "the plugin was ended".into() });
        if let (Kind::Bin, Reach::Grpc(client)) = (&self.program.kind, &started.reach) {
            client.shutdown();
        }
        started.process.end(GRACE);
        if let Some(socket) = &started.socket {
            remove_socket(socket);
        }
    }

    /// Waits until the process may be started anew; false where everything is to end instead.
    fn rest(&self, restarts: &mut Restarts, reason: &str) -> bool {
        let path = shown_path(&self.program.file);
        let file = path.display();
        let (state, until) = match restarts.next(Instant::now()) {
            Next::At(at) => {
                tracing::warn!(target: "plugin", "{file}: {reason}; it is started anew");
                (WorkerState::Starting, at)
            }
            Next::DownUntil(until) => {
                tracing::error!(target: "plugin", "{file}: {reason}; it ends again and again and rests for a while");
                let reason = format!("the plugin ends again and again and rests for a while: {reason}");
                (WorkerState::Down { reason: reason.into() }, until)
            }
        };
        self.worker.set(state);
        let wake = self.worker.wake();
        loop {
            wake.heard();
            if wake.is_ending() {
                return false;
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            let rest = Timespec::try_from(rest).ok();
            let _ = poll(&mut [PollFd::from_borrowed_fd(wake.descriptor(), PollFlags::IN)], rest.as_ref());
        }
        self.worker.set(WorkerState::Starting);
        true
    }
}
