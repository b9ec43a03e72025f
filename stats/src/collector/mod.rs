//! The stats thread: merges what the cores hand over, publishes each second, and sums up.
//!
//! [`Collector`] is its handle. On the thread, `thread` receives, `totals` adds up what is measured and the warm-up, each by
//! itself, `whole_run` what concerns both, `timeline` keeps the seconds, `samples` the failures that are shown, `window` knows how
//! long each part lasted, `thresholds` measures what they are held against, and `report` builds the summary, `warmup` its part
//! about the warm-up.

mod endpoints;
mod plugins;
mod report;
mod samples;
mod thread;
mod thresholds;
mod timeline;
mod totals;
mod warmup;
mod whole_run;
mod window;

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded, Sender};
use serde::{Deserialize, Serialize};

use crate::clock::nanos;
use crate::failure::SAMPLES_PER_SORT_MAX;
use crate::output::{OutputSpec, OutputThread};
use crate::recorder::{Recorder, TRAVELLING_PER_CORE};
use crate::summary::{Host, LiveChange, PluginProcesses, Summary};
use crate::threshold::Watch;
use crate::verdict::Exhausted;

use thread::{Control, StatsThread};

/// How a run makes its load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// A number of users, each sending its next request when the last was answered. Percentiles mean *service* time.
    #[default]
    Closed,
    /// Arrivals at intended times, whatever the server does. Percentiles mean *response* time.
    Open,
}

/// What a run is called, for its summary.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Identity, unique among the runs a store keeps.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The command, such as `boom`.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// The machine; see [`Host::read`].
    pub host: Host,
    /// The plan as resolved, in whatever shape its owner gives it.
    pub plan: serde_json::Value,
}

/// What a collector needs to know before the start.
pub struct CollectorSpec {
    /// Cores of the load; one recorder each.
    pub cores: usize,
    /// Closed or open.
    pub model: Model,
    /// Zero of the run clock.
    pub start: Instant,
    /// What the run is called.
    pub run: RunFacts,
    /// Where snapshots and the summary go.
    pub outputs: Vec<OutputSpec>,
    /// What must hold.
    pub thresholds: Watch,
    /// What ends so soon after the start of the run clock is kept apart from what is measured; `None` is without a warm-up.
    pub warmup: Option<Duration>,
    /// How many failures of each row and kind are kept as samples, at most [`SAMPLES_PER_SORT_MAX`](crate::SAMPLES_PER_SORT_MAX); 0
    /// for none.
    pub samples_per_sort: u32,
}

/// What is known only at the end.
#[derive(Clone, Debug, Default)]
pub struct FinalFacts {
    /// The run was ended before its plan was fulfilled.
    pub aborted: bool,
    /// The load was held back by its plan: a rate limit, think time or rendezvous.
    pub paced: bool,
    /// Resources that ran out.
    pub exhausted: Vec<Exhausted>,
    /// Cores that broke down; their recorders were told to
    /// [abandon what was unfinished](Recorder::abandon_unfinished).
    pub broken_cores: Vec<usize>,
    /// TLS was spoken to servers whose certificates were not verified. Means something only where there were handshakes.
    pub unverified: bool,
    /// Of an open run, how many users it may have.
    pub users_max: Option<u64>,
    /// What somebody changed while it went on.
    pub changes: Vec<LiveChange>,
    /// The plugins that were started, and their processes.
    pub plugins: Vec<PluginProcesses>,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Everything the run has to say.
    pub summary: Arc<Summary>,
    /// What the outputs could not do, and those that broke down or were left behind, each in a sentence.
    pub output_problems: Vec<String>,
    /// Cores that broke down; the run is a failure of the program then, whatever its figures.
    pub broken_cores: Vec<usize>,
}

/// Why statistics could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum StatsError {
    /// The system refused a thread.
    #[error("cannot start the thread {name}: {source}; raise the limit of processes (ulimit -u)")]
    Thread {
        /// Which thread.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The stats thread broke down. A defect of this program.
    #[error("the stats thread broke down, so there is no summary; please report this with the lines above")]
    BrokeDown,
}

/// Handle of the stats thread. Dropping it without [`finish`](Self::finish) ends the thread without a summary.
pub struct Collector {
    control: Sender<Control>,
    thread: JoinHandle<Option<(Arc<Summary>, Vec<OutputThread>)>>,
}

impl Collector {
    /// Starts the stats thread and the outputs' threads, and makes a recorder for each core, in order.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start(spec: CollectorSpec) -> Result<(Self, Vec<Recorder>), StatsError> {
        let CollectorSpec { cores, model, start, run, outputs, thresholds, warmup, samples_per_sort } = spec;
        let warmup_ns = warmup.filter(|warmup| !warmup.is_zero()).map(nanos);
        let samples_per_sort = samples_per_sort.min(SAMPLES_PER_SORT_MAX);
        let outputs = outputs
            .into_iter()
            .map(|output| {
                let name = output.name.clone();
                OutputThread::start(output).map_err(|source| StatsError::Thread { name, source })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let (control, orders) = unbounded();
        let (to_collector, intervals) = bounded(cores * TRAVELLING_PER_CORE);
        let mut spares = Vec::with_capacity(cores);
        let mut recorders = Vec::with_capacity(cores);
        for core in 0..cores {
            let (give_back, take_back) = bounded(TRAVELLING_PER_CORE);
            // The set being written is the recorder's own; this is the one that travels.
            let _ = give_back.send(Box::default());
            spares.push(give_back);
            recorders.push(Recorder::new(core, warmup_ns, samples_per_sort, take_back, to_collector.clone()));
        }

        let mut stats =
            StatsThread::new(model, (start, warmup_ns), run, thresholds, (intervals, orders), spares, outputs);
        stats.totals.samples.keep(samples_per_sort);
        for (core, recorder) in recorders.iter().enumerate() {
            stats.sampler.leave_out(core, recorder.awake());
        }
        let thread = Builder::new()
            .name("stats".to_owned())
            .spawn(move || stats.run())
            .map_err(|source| StatsError::Thread { name: "stats".to_owned(), source })?;
        Ok((Self { control, thread }, recorders))
    }

    /// A core's thread runs: its CPU is sampled each second from now on. `cpu` is the CPU it is pinned to, if any, `tid`
    /// its kernel thread id.
    pub fn core_ready(&self, core: usize, cpu: Option<usize>, tid: u32) {
        self.order(Control::CoreReady { core, cpu, tid });
    }

    /// The load stops: the end of the load window, nanoseconds on the run clock. The cores'
    /// [`Recorder::load_stopped`] go with it.
    pub fn load_stopped(&self, at_ns: u64) {
        self.order(Control::LoadStopped { at_ns });
    }

    /// Waits for the cores' last intervals, sums up, and lets the outputs finish.
    ///
    /// Returns as soon as every output is done, and after a bounded time in any case; outputs that hang by then are named
    /// in [`Finished::output_problems`] and left behind.
    ///
    /// # Errors
    /// The stats thread broke down.
    pub fn finish(self, facts: FinalFacts) -> Result<Finished, StatsError> {
        let broken_cores = facts.broken_cores.clone();
        self.order(Control::Finish(facts));
        let (summary, outputs) = self.thread.join().ok().flatten().ok_or(StatsError::BrokeDown)?;
        let since = Instant::now();
        let output_problems = outputs.iter().flat_map(|output| output.wait(since)).collect();
        Ok(Finished { summary, output_problems, broken_cores })
    }

    fn order(&self, order: Control) {
        // The thread ends before this handle only by breaking down, which `finish` reports.
        let _ = self.control.send(order);
    }
}
