//! The thread that pushes to one receiver: one attempt a period, with what there is to say by then.
//!
//! Nobody waits for it. While a push is under way others are only asked for, and the next one has the newest state; the end gives it
//! until a point in time, and then it is left behind.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, Receiver};

use super::client::{Client, Outgoing};
use super::state::State;
use super::target::{Target, TargetKind};
use super::{influx, otlp, remote_write, text};
use crate::background::step_back;

/// Longest time of a push, from the lookup of the name to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The last push is not begun with less time than this.
const LEAST_TIME: Duration = Duration::from_millis(50);

/// The state that all share.
pub(super) type SharedState = Arc<Mutex<State>>;

/// The state, also after a thread that had it broke down: every change is whole or a count that is off by a second.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sender, as the output sees it.
#[derive(Debug)]
pub(super) struct Sender {
    shown: String,
    every_s: u64,
    shared: Arc<Shared>,
    /// Disconnects when the thread has ended.
    done: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    orders: Mutex<Orders>,
    changed: Condvar,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Orders {
    due: bool,
    /// The run is over: one more push, by then, and none after.
    last_until: Option<Instant>,
    /// The output is gone.
    gone: bool,
}

/// What became of the pushes.
#[derive(Debug, Default)]
struct Tally {
    due: u64,
    sent: u64,
    last_reason: Option<String>,
}

impl Sender {
    /// Starts the thread. `client` has to speak TLS if the target does.
    ///
    /// # Errors
    /// The system refused another thread.
    pub(super) fn start(target: Target, client: Client, state: SharedState) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (ended, done) = bounded(0);
        let (shown, every_s) = (target.to_string(), target.kind.every_s());
        let url = target.url(&lock(&state).instance);
        let work = Work { shared: Arc::clone(&shared), target, url, client, state };
        let name = format!("push-{}", work.target.kind.name());
        Builder::new().name(name).spawn(move || {
            step_back();
            work.run();
            drop(ended);
        })?;
        Ok(Self { shown, every_s, shared, done })
    }

    /// A second of the run has ended: where it ends a period, a push is due. Never blocks for longer than a few instructions.
    pub(super) fn second_ended(&self, t_s: u64) {
        if (t_s + 1).is_multiple_of(self.every_s) {
            lock(&self.shared.tally).due += 1;
            let mut orders = lock(&self.shared.orders);
            if orders.due {
                // The one before has not been begun: this one takes its place.
                let reason = "it was too slow for one each period".to_owned();
                lock(&self.shared.tally).last_reason.get_or_insert(reason);
            }
            orders.due = true;
            self.shared.changed.notify_one();
        }
    }

    /// The run is over: the last push is due, and has time until then.
    pub(super) fn finish(&self, until: Instant) {
        lock(&self.shared.tally).due += 1;
        let mut orders = lock(&self.shared.orders);
        if orders.due {
            // The last one takes the place of this one, and has more to say.
            lock(&self.shared.tally).due -= 1;
        }
        orders.due = false;
        orders.last_until = Some(until);
        self.shared.changed.notify_one();
    }

    /// Waits for the end of the thread until then, and says in a sentence what was not sent, if anything.
    pub(super) fn wait(&self, until: Instant) -> Option<String> {
        let ended = self.done.recv_deadline(until).is_err_and(|error| error.is_disconnected());
        let tally = lock(&self.shared.tally);
        let failed = tally.due - tally.sent;
        let reason = match &tally.last_reason {
            _ if !ended => "no answer in time at the end",
            Some(reason) => reason,
            None => "the thread that sends broke down",
        };
        let pushes = if tally.due == 1 { "push" } else { "pushes" };
        (failed > 0).then(|| format!("{}: {failed} of {} {pushes} failed (last: {reason})", self.shown, tally.due))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        lock(&self.shared.orders).gone = true;
        self.shared.changed.notify_one();
    }
}

/// What the thread owns.
struct Work {
    shared: Arc<Shared>,
    target: Target,
    url: String,
    client: Client,
    state: SharedState,
}

impl Work {
    fn run(&self) {
        loop {
            let mut orders = lock(&self.shared.orders);
            while !orders.due && orders.last_until.is_none() && !orders.gone {
                orders = self.shared.changed.wait(orders).unwrap_or_else(PoisonError::into_inner);
            }
            orders.due = false;
            let last_until = orders.last_until;
            let gone = orders.gone && last_until.is_none();
            drop(orders);
            if gone {
                return;
            }
            let left = last_until.map_or(TIMEOUT, |until| until.saturating_duration_since(Instant::now()));
            let pushed = if left < LEAST_TIME {
                Err("no time was left for the last one".to_owned())
            } else {
                self.push(left.min(TIMEOUT))
            };
            let mut tally = lock(&self.shared.tally);
            match pushed {
                Ok(()) => tally.sent += 1,
                Err(reason) => tally.last_reason = Some(reason),
            }
            if last_until.is_some() {
                return;
            }
        }
    }

    fn push(&self, timeout: Duration) -> Result<(), String> {
        // What is written is taken out of the state first, so that nobody waits for its encoding.
        let (body, headers): (_, &[_]) = match self.target.kind {
            TargetKind::Pushgateway => {
                let families = lock(&self.state).hrp.families();
                (text::encode(&families), &[("Content-Type", text::CONTENT_TYPE)])
            }
            TargetKind::RemoteWrite => {
                let writing = remote_write::Writing::of(&lock(&self.state));
                (writing.encode()?, remote_write::HEADERS)
            }
            TargetKind::Influx => {
                let lines = influx::encode(&lock(&self.state));
                (lines, &[("Content-Type", influx::CONTENT_TYPE)])
            }
            TargetKind::Otlp => {
                let export = otlp::Export::of(&lock(&self.state));
                (export.encode(), &[("Content-Type", otlp::CONTENT_TYPE)])
            }
        };
        let request = Outgoing {
            replaces: self.target.kind == TargetKind::Pushgateway,
            url: &self.url,
            authorization: self.target.authorization.as_deref(),
            headers,
            body: &body,
        };
        self.client.send(&request, timeout)
    }
}
