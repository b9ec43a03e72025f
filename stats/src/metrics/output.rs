//! The output that keeps the state, and those it has it sent by.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::{Client, NoRoots};
use super::scrape::Endpoint;
use super::sender::{lock, Sender, SharedState};
use super::state::{MetricsFacts, State};
use super::target::Target;
use crate::output::{Begun, Delivery, Output, OutputSpec};
use crate::snapshot::Snapshot;
use crate::summary::Summary;

/// How long the last pushes have at the end, all together: a little less than a display has, as what failed is said after it.
const LAST_PUSH: Duration = Duration::from_millis(4500);

/// How much longer the senders are waited for: the time to say that it was too late.
const LAST_WORD: Duration = Duration::from_millis(250);

/// What is to be told of a run while it goes on, and to whom.
#[derive(Debug, Default)]
pub struct MetricsSpec {
    /// What the run is called.
    pub facts: MetricsFacts,
    /// Where it can be scraped; see [`listen`](super::listen).
    pub listener: Option<TcpListener>,
    /// Where it is pushed to.
    pub targets: Vec<Target>,
}

/// Why there can be no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A target wants TLS, and the system trusts nobody.
    #[error("{target}: no trusted root certificate was found: install ca-certificates, or set SSL_CERT_FILE")]
    NoRoots {
        /// Which.
        target: String,
    },
    /// The system refused a thread.
    #[error("cannot start a thread for metrics: {0}; raise the limit of processes (ulimit -u)")]
    Thread(#[from] std::io::Error),
}

/// Tells a run's metrics to those that ask for them and to those that want to be told.
pub struct Metrics {
    state: SharedState,
    senders: Vec<Sender>,
    problems: Vec<String>,
    /// Serves until the output is dropped.
    _endpoint: Option<Endpoint>,
}

impl Metrics {
    /// Starts what serves and sends; a scraper gets an answer from now on.
    ///
    /// # Errors
    /// See [`MetricsError`].
    pub fn start(spec: MetricsSpec) -> Result<Self, MetricsError> {
        let MetricsSpec { facts, listener, targets } = spec;
        let state = Arc::new(Mutex::new(State::new(facts)));
        let start = |target: Target| {
            let no_roots = |NoRoots| MetricsError::NoRoots { target: target.to_string() };
            let client = Client::new(target.is_https()).map_err(no_roots)?;
            Ok::<_, MetricsError>(Sender::start(target, client, Arc::clone(&state))?)
        };
        let senders = targets.into_iter().map(start).collect::<Result<_, _>>()?;
        let endpoint = listener.map(|listener| Endpoint::start(listener, Arc::clone(&state))).transpose()?;
        Ok(Self { state, senders, problems: Vec::new(), _endpoint: endpoint })
    }

    /// As one of a collector's outputs. No second may be skipped: counters and histograms are sums of seconds.
    pub fn into_spec(self) -> OutputSpec {
        OutputSpec { name: "metrics".to_owned(), delivery: Delivery::Lossless, output: Box::new(self) }
    }
}

impl Output for Metrics {
    fn begin(&mut self, run: &Arc<Begun>) {
        lock(&self.state).run_id.clone_from(&run.facts.id);
    }

    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        lock(&self.state).add(snapshot);
        if !snapshot.point.drain {
            self.senders.iter().for_each(|sender| sender.second_ended(snapshot.point.t_s));
        }
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        lock(&self.state).finish(summary);
        let until = Instant::now() + LAST_PUSH;
        self.senders.iter().for_each(|sender| sender.finish(until));
        self.problems = self.senders.iter().filter_map(|sender| sender.wait(until + LAST_WORD)).collect();
    }

    fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}
