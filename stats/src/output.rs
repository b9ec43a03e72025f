//! Where snapshots and the summary go. Each output runs on a thread of its own behind a queue of its own.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded, Receiver, RecvTimeoutError, Sender};

use crate::background::step_back;
use crate::collector::{Model, RunFacts};
use crate::snapshot::Snapshot;
use crate::summary::Summary;

/// Snapshots that may wait for a display before newer ones are skipped. A display that is 4 s behind shows nothing
/// anybody can use; the totals in the next one it gets are whole again.
const DISPLAY_QUEUE: usize = 4;

/// How long a display gets at the end to write its last lines. A terminal that is stopped (Ctrl-S) or a pipe nobody reads
/// must not keep the program from ending.
const DISPLAY_GRACE: Duration = Duration::from_secs(5);

/// How long a lossless output gets at the end: more than the longest hang we want to ride out, a database away for 30 s.
const LOSSLESS_GRACE: Duration = Duration::from_mins(1);

/// A consumer of a run: a display, a file, a database. It never sees the cores and cannot hold them back.
pub trait Output: Send {
    /// The run begins. Called once, before the first snapshot.
    fn begin(&mut self, _run: &Arc<Begun>) {}

    /// A second was published. Called once for each, in order; an output that [may skip](Delivery::MaySkip) misses some.
    fn snapshot(&mut self, snapshot: &Arc<Snapshot>);

    /// The run is over. Called once, after the last snapshot.
    fn finish(&mut self, summary: &Arc<Summary>);

    /// What went wrong that the user should know, each in a sentence. Called once, after [`finish`](Self::finish).
    fn problems(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// What an output may want to know of a run before there is anything to say of it.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What the run is called, and its plan.
    pub facts: RunFacts,
    /// Closed or open.
    pub model: Model,
    /// Start of the run clock, RFC 3339 in UTC, as in the summary.
    pub started_at: String,
}

/// What happens to snapshots an output has no time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// They are skipped; for live displays.
    MaySkip,
    /// They wait, without bound: memory grows while the output hangs, and nothing is lost; for stores.
    Lossless,
}

impl Delivery {
    fn grace(self) -> Duration {
        match self {
            Self::MaySkip => DISPLAY_GRACE,
            Self::Lossless => LOSSLESS_GRACE,
        }
    }
}

/// An output and how it wants to be served.
pub struct OutputSpec {
    /// For messages and the thread's name.
    pub name: String,
    /// What happens to snapshots it has no time for.
    pub delivery: Delivery,
    /// The output itself.
    pub output: Box<dyn Output>,
}

enum Message {
    Begin(Arc<Begun>),
    Snapshot(Arc<Snapshot>),
    Finish(Arc<Summary>),
}

/// An output's thread, as the stats thread sees it.
pub(crate) struct OutputThread {
    name: String,
    delivery: Delivery,
    queue: Sender<Message>,
    /// Disconnects when the output's thread has ended; a message means it ended well, and has its problems.
    done: Receiver<Vec<String>>,
}

impl OutputThread {
    /// Starts the output's thread.
    ///
    /// # Errors
    /// The system refused another thread.
    pub(crate) fn start(spec: OutputSpec) -> std::io::Result<Self> {
        let OutputSpec { name, delivery, mut output } = spec;
        let (queue, messages) = unbounded();
        let (ended, done) = bounded(1);
        thread::Builder::new().name(format!("out-{name}")).spawn(move || {
            step_back();
            // A panic in an output is that output's loss alone: `ended` is dropped unsent.
            let served = catch_unwind(AssertUnwindSafe(|| {
                for message in messages {
                    match message {
                        Message::Begin(run) => output.begin(&run),
                        Message::Snapshot(snapshot) => output.snapshot(&snapshot),
                        Message::Finish(summary) => {
                            output.finish(&summary);
                            return output.problems();
                        }
                    }
                }
                Vec::new()
            }));
            if let Ok(problems) = served {
                let _ = ended.send(problems);
            }
        })?;
        Ok(Self { name, delivery, queue, done })
    }

    /// Queues the beginning. Never blocks and is never skipped.
    pub(crate) fn begin(&self, run: &Arc<Begun>) {
        let _ = self.queue.send(Message::Begin(Arc::clone(run)));
    }

    /// Queues a snapshot, or skips it when a display lags. Never blocks.
    pub(crate) fn snapshot(&self, snapshot: &Arc<Snapshot>) {
        if self.delivery == Delivery::MaySkip && self.queue.len() >= DISPLAY_QUEUE {
            return;
        }
        // An error means the output has ended early; [`Self::wait`] reports it.
        let _ = self.queue.send(Message::Snapshot(Arc::clone(snapshot)));
    }

    /// Queues the summary. Never blocks and is never skipped.
    pub(crate) fn finish(&self, summary: &Arc<Summary>) {
        let _ = self.queue.send(Message::Finish(Arc::clone(summary)));
    }

    /// Waits for the output to end, as long as its delivery allows from `since` on. Gives its problems, that it did not end being
    /// one, each in a sentence.
    pub(crate) fn wait(&self, since: Instant) -> Vec<String> {
        let grace = self.delivery.grace();
        match self.done.recv_deadline(since + grace) {
            Ok(problems) => problems,
            Err(RecvTimeoutError::Timeout) => {
                vec![format!("output {} did not finish within {} s and was left behind", self.name, grace.as_secs())]
            }
            Err(RecvTimeoutError::Disconnected) => vec![format!("output {} broke down before it finished", self.name)],
        }
    }
}
