//! The state of one process of a plugin, as callers see it.

use std::{
    fmt,
    path::Path,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Condvar, Mutex,
    },
    time::Instant,
};

use crate::{control::Control, locking::lock, wake::Wake, GrpcClient};

/// How far a worker is.
#[derive(Debug, Clone)]
pub enum WorkerState {
    /// Its process is being started, for the first time or anew.
    Starting,
    /// It takes calls.
    Up {
        /// Counts the processes this worker has had, from 1: who saw one break names it by this.
        generation: u64,
        /// How to call it.
        reach: Reach,
    },
    /// It crashes again and again and rests for a while.
    Down {
        /// What is said of calls meanwhile.
        reason: Arc<str>,
    },
}

/// How a worker is called.
#[derive(Debug, Clone)]
pub enum Reach {
    /// With [`frames`](crate::frames), over the Unix socket of this path; one that begins with a NUL byte is an abstract name
    /// (unix(7)).
    Frames(Arc<Path>),
    /// With gRPC.
    Grpc(GrpcClient),
}

/// A worker, between those who call it and the thread that keeps it running.
#[derive(Debug)]
pub(crate) struct Worker {
    state: Mutex<WorkerState>,
    changed: Condvar,
    /// The connection for calls made at load, of the present process; none where it speaks gRPC.
    pub(crate) control: Mutex<Option<Control>>,
    /// The generation that somebody has called broken; 0 for none.
    broken: AtomicU64,
    restarts: AtomicU64,
    wake: Arc<Wake>,
    watchers: Arc<Watchers>,
}

impl Worker {
    pub(crate) fn new(watchers: Arc<Watchers>) -> rustix::io::Result<Self> {
        Ok(Self {
            state: Mutex::new(WorkerState::Starting),
            changed: Condvar::new(),
            control: Mutex::new(None),
            broken: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            wake: Arc::new(Wake::new()?),
            watchers,
        })
    }

    pub(crate) fn state(&self) -> WorkerState {
        lock(&self.state).clone()
    }

    /// The state as soon as it is another than `Starting`, or `Starting` at `until`.
    pub(crate) fn settled(&self, until: Instant) -> WorkerState {
        let mut state = lock(&self.state);
        while matches!(*state, WorkerState::Starting) {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        state.clone()
    }

    /// Tells everyone who wants to know.
    pub(crate) fn set(&self, state: WorkerState) {
        *lock(&self.state) = state;
        self.changed.notify_all();
        self.watchers.tell();
    }

    /// See [`RunningPlugin::broken`](crate::RunningPlugin::broken). The thread of the worker tells everyone.
    pub(crate) fn broken(&self, of: u64) {
        let mut state = lock(&self.state);
        if matches!(*state, WorkerState::Up { generation, .. } if generation == of) {
            *state = WorkerState::Starting;
            self.broken.store(of, Ordering::Relaxed);
            self.wake.wake();
        }
    }

    /// Whether somebody has called this generation broken.
    pub(crate) fn is_broken(&self, generation: u64) -> bool {
        self.broken.load(Ordering::Relaxed) == generation
    }

    /// What the worker's thread waits for besides its process.
    pub(crate) fn wake(&self) -> &Arc<Wake> {
        &self.wake
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who is told of changes, each until it gives false.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Box<dyn Fn() -> bool + Send>>>);

impl Watchers {
    pub(crate) fn add(&self, tell: Box<dyn Fn() -> bool + Send>) {
        lock(&self.0).push(tell);
    }

    fn tell(&self) {
        lock(&self.0).retain(|tell| tell());
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watchers").field(&lock(&self.0).len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn up(generation: u64) -> WorkerState {
        WorkerState::Up { generation, reach: Reach::Frames(Path::new("\0x").into()) }
    }

    #[test]
    fn only_the_present_generation_can_be_called_broken() {
        let worker = Worker::new(Arc::default()).unwrap();
        worker.broken(1);
        assert!(!worker.is_broken(1));
        worker.set(up(2));
        worker.broken(1);
        assert!(matches!(worker.state(), WorkerState::Up { generation: 2, .. }));
        worker.broken(2);
        assert!(worker.is_broken(2));
        assert!(matches!(worker.state(), WorkerState::Starting));
    }

    #[test]
    fn watchers_are_told_until_they_have_heard_enough() {
        let watchers = Arc::new(Watchers::default());
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        watchers.add(Box::new(move || count.fetch_add(1, Ordering::Relaxed) < 1));
        let worker = Worker::new(watchers).unwrap();
        for generation in 1..=4 {
            worker.set(up(generation));
        }
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn waiting_for_a_worker_ends_in_time_or_with_its_state() {
        let worker = Worker::new(Arc::default()).unwrap();
        assert!(matches!(worker.settled(Instant::now()), WorkerState::Starting));
        worker.set(WorkerState::Down { reason: "rests".into() });
        let state = worker.settled(Instant::now() + Duration::from_mins(10));
        assert!(matches!(state, WorkerState::Down { reason } if &*reason == "rests"));
    }
}
