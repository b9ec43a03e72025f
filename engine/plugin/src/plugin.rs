//! A plugin that is running: its functions and its workers.

use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{mpsc, Arc},
    time::{Duration, Instant},
};

use pummel_case::{CallOutcome, Plugin, PluginCall, PluginFunction, PluginId};
use serde::{Deserialize, Serialize};

use crate::{
    locking::lock,
    start::{Kind, Names, Program},
    worker::Worker,
    GrpcClient, Reach, WorkerState,
};

/// What is waited beyond the time of a call, for the thread that tells of its end.
const HAND_OVER: Duration = Duration::from_secs(1);

/// A plugin and its workers.
#[derive(Debug)]
pub struct RunningPlugin {
    id: PluginId,
    program: Arc<Program>,
    workers: Vec<Arc<Worker>>,
    /// Those it defines.
    own: HashSet<Arc<str>>,
    /// Those it imports.
    imported: HashSet<Arc<str>>,
    /// Both, in the plugin's order.
    names: Vec<Arc<str>>,
}

impl RunningPlugin {
    pub(crate) fn new(id: PluginId, program: Arc<Program>, workers: Vec<Arc<Worker>>, names: &Names) -> Self {
        let own: Vec<Arc<str>> = names.own.iter().map(|name| (&**name).into()).collect();
        let imported: Vec<Arc<str>> = names.imported.iter().map(|name| (&**name).into()).collect();
        Self {
            id,
            program,
            workers,
            names: own.iter().chain(&imported).cloned().collect(),
            own: own.into_iter().collect(),
            imported: imported.into_iter().collect(),
        }
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// How far a worker is.
    ///
    /// # Panics
    /// There is no such worker.
    pub fn state(&self, worker: usize) -> WorkerState {
        self.workers[worker].state()
    }

    /// Says that a worker's process of this generation does not answer, or that its connection broke: it is ended, if it has not
    /// ended itself, and started anew. Said of an earlier generation than the present it changes nothing.
    ///
    /// # Panics
    /// There is no such worker.
    pub fn broken(&self, worker: usize, generation: u64) {
        self.workers[worker].broken(generation);
    }

    pub(crate) fn report(&self) -> PluginReport {
        let runner = match self.program.kind {
            Kind::Own(_) => "own",
            Kind::Funppy(_) => "funppy",
            Kind::Bin => "bin",
        };
        PluginReport {
            path: self.program.file.clone(),
            runner: runner.to_owned(),
            workers: self.workers.len() as u64,
            restarts: self.workers.iter().map(|worker| worker.restarts()).sum(),
        }
    }

    /// Makes a call and waits for its end, at most as long as a call may take, a restart of the process included.
    fn make(&self, function: &Arc<str>, arguments: &str) -> (CallOutcome, String) {
        let options = &self.program.options;
        let until = Instant::now() + options.timeout;
        let late = || (CallOutcome::Lost, options.late());
        loop {
            let is_up = |worker: &&Arc<Worker>| matches!(worker.state(), WorkerState::Up { .. });
            let worker = self.workers.iter().find(is_up).unwrap_or(&self.workers[0]);
            let (generation, reach) = match worker.settled(until) {
                WorkerState::Starting => return late(),
                WorkerState::Down { reason } => return (CallOutcome::Lost, reason.to_string()),
                WorkerState::Up { generation, reach } => (generation, reach),
            };
            match reach {
                Reach::Grpc(client) => {
                    let (outcome, answer) = over_grpc(&client, function, arguments, until).unwrap_or_else(late);
                    if outcome == CallOutcome::Lost {
                        worker.broken(generation);
                    }
                    return (outcome, answer);
                }
                Reach::Frames(_) => {
                    let mut control = lock(&worker.control);
                    // Another process may have taken its place meanwhile.
                    let Some(connection) = control.as_mut().filter(|control| control.generation == generation) else {
                        continue;
                    };
                    match connection.call(function, arguments, until) {
                        Ok(ended) => return ended,
                        Err(error) => {
                            worker.broken(generation);
                            let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                            let ended = "the plugin's process ended, or its connection broke, during the call";
                            return if is_late { late() } else { (CallOutcome::Lost, ended.to_owned()) };
                        }
                    }
                }
            }
        }
    }
}

/// How a call ended; none where it took too long.
fn over_grpc(
    client: &GrpcClient,
    function: &Arc<str>,
    arguments: &str,
    until: Instant,
) -> Option<(CallOutcome, String)> {
    let (tell, told) = mpsc::sync_channel(1);
    let rest = until.saturating_duration_since(Instant::now());
    let done = Box::new(move |ended| {
        let _ = tell.send(ended);
    });
    client.call(Arc::clone(function), arguments.to_owned(), rest, done);
    let silent = || Some((CallOutcome::Lost, "the thread of gRPC does not answer".to_owned()));
    told.recv_timeout(rest + HAND_OVER).unwrap_or_else(|_| silent())
}

impl Plugin for RunningPlugin {
    fn id(&self) -> PluginId {
        self.id
    }

    /// Functions the plugin defines stand before those it imports, by whichever name.
    fn find(&self, name: &str) -> Option<PluginFunction> {
        let common = name.to_lowercase().replace('_', "");
        let find = |functions: &HashSet<Arc<str>>| functions.get(name).or_else(|| functions.get(&*common)).cloned();
        let own = find(&self.own).map(|name| PluginFunction { name, own: true });
        own.or_else(|| find(&self.imported).map(|name| PluginFunction { name, own: false }))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.names.clone()
    }

    fn call(&self, call: &mut PluginCall) {
        (call.outcome, call.answer) = self.make(&call.function, &call.arguments);
    }
}

/// What became of a plugin's processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginReport {
    /// The plugin's file.
    pub path: PathBuf,
    /// `own`, `funppy` or `bin`.
    pub runner: String,
    /// Processes that run side by side.
    pub workers: u64,
    /// How often one was started anew.
    pub restarts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_name_then_by_their_common_name() {
        let names =
            Names { own: vec!["sum_two".into(), "sumtwo".into(), "Upper".into()], imported: vec!["sleep".into()] };
        let program = Program { options: Arc::default(), file: "p".into(), kind: Kind::Bin, environment: Vec::new() };
        let plugin = RunningPlugin::new(PluginId(0), Arc::new(program), Vec::new(), &names);
        let found = |name: &str| plugin.find(name).map(|function| (function.name.to_string(), function.own));
        assert_eq!(found("sum_two"), Some(("sum_two".into(), true)));
        assert_eq!(found("SumTwo"), Some(("sumtwo".into(), true)));
        assert_eq!(found("Upper"), Some(("Upper".into(), true)));
        assert_eq!(found("upper"), None);
        assert_eq!(found("sleep"), Some(("sleep".into(), false)));
        assert_eq!(plugin.names().len(), 4);
    }
}
