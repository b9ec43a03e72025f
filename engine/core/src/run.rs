//! Run control: starts the cores, waits for the end of the load, stops them and brings the results together.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{bounded, select, unbounded, Receiver, Sender};
use pummel_case::Origin;
use pummel_plugin::PluginHost;
use pummel_ring::{now_ns, MailboxSender};
use pummel_stats::{
    threshold::{Abort, Watch},
    Collector, CollectorSpec, Exhausted, FinalFacts, Finished, Host, LiveChange, Model, OutputSpec, PluginProcesses,
    Resource, RunFacts,
};
use serde_json::Value;

use crate::{
    control::{Command, Control},
    core_thread::{self, CoreSpec, Go, News},
    limits,
    network::{dns, origins::Found, tls::RunTls},
    shard::{Message, Shortages},
    shared::Shared,
    split::users_of,
    ways::Ways,
    EngineError, Load, LoadModel, Plan, PortBudget,
};

/// How often the control thread looks whether the [`Control`] was raised.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// How far ahead of now a change of a run under way takes hold: every core has heard of it by then, so all change at one time.
const CHANGE_LEAD_NS: u64 = 20_000_000;

/// Sockets a core may have open beside those in use: closed ones whose last operation is not yet reaped, and those that wait
/// for the server to close first.
const SPARE_SOCKETS: u64 = 1024;

/// Runs the plan to its end and gives what it found; outputs are fed while it runs.
///
/// # Errors
/// [`EngineError`] when the run could not start. A run that started always ends with a summary.
pub fn run(plan: Plan, control: &Control, outputs: Vec<OutputSpec>) -> Result<Finished, EngineError> {
    resolve(plan)?.run(control, outputs)
}

/// A plan whose origins have their addresses and whose certificates are read: what is known of a run before it starts.
pub struct Resolved {
    plan: Plan,
    ways: Ways,
    addresses: Vec<(Origin, Found)>,
    tls: RunTls,
}

/// Looks up the hosts of the plan and reads its certificates.
///
/// # Errors
/// A plan with nothing to run, a file of the TLS flags that cannot be used, or a load none of whose hosts has an address.
pub fn resolve(plan: Plan) -> Result<Resolved, EngineError> {
    if plan.cases.is_empty() || plan.cpus.is_empty() || plan.load.users == 0 {
        return Err(EngineError::EmptyPlan("a run needs a case, a CPU and a user"));
    }
    let plan = if plan.functional.is_some() { for_one_user(plan) } else { plan };
    let plan = on_as_many_cores_as_of_use(plan);
    let tls = RunTls::load(&plan.network, &plan.cases)?;
    let addresses = addresses(&plan)?;
    let ways = Ways::of(&plan);
    Ok(Resolved { plan, ways, addresses, tls })
}

impl Resolved {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The ports it needs and has; none where the system does not tell.
    pub fn port_budget(&self) -> Option<PortBudget> {
        PortBudget::of(&self.plan, &self.ways, &self.addresses)
    }

    /// Runs it; as [`run`].
    ///
    /// # Errors
    /// As [`run`].
    pub fn run(self, control: &Control, outputs: Vec<OutputSpec>) -> Result<Finished, EngineError> {
        let facts = facts(&self);
        let ways = self.ways;
        let (plan, addresses, tls) = (Arc::new(self.plan), Arc::new(self.addresses), Arc::new(self.tls));
        let sockets = limits::prepare(&plan, ways.connections(&plan) + links_to_plugins(&plan))?;
        let capabilities = pummel_ring::probe()?;
        let shared = Arc::new(Shared::new(&plan));

        let (news, events) = unbounded();
        let mut cores = Cores { go: Vec::new(), threads: Vec::new(), mailboxes: Vec::new(), events };
        for (core, &cpu) in plan.cpus.iter().enumerate() {
            let (go, signal) = bounded(1);
            let spec = CoreSpec {
                core,
                cpu,
                users: users_of(&plan, core),
                sockets: sockets_of(&plan, core, &ways, sockets),
                plan: Arc::clone(&plan),
                capabilities,
                addresses: Arc::clone(&addresses),
                shared: Arc::clone(&shared),
                tls: Arc::clone(&tls),
            };
            let news = news.clone();
            let thread = thread::Builder::new().name(format!("core-{cpu}")).spawn(move || {
                core_thread::run(spec, &signal, &news);
            });
            cores.threads.push(thread.map_err(|error| EngineError::Core { cpu, reason: error.to_string() })?);
            cores.go.push(go);
        }
        drop(news);
        let tids = cores.wait_until_ready()?;
        shared.connect(cores.mailboxes.clone());
        if let Some(host) = &plan.plugins {
            let mailboxes = cores.mailboxes.clone();
            host.watch(Box::new(move || {
                let told = mailboxes.iter().filter(|mailbox| mailbox.send(Message::PluginsChanged).is_ok());
                told.count() > 0
            }));
        }

        let start = Instant::now();
        let start_ns = now_ns();
        let spec = CollectorSpec {
            cores: plan.cpus.len(),
            model: match plan.load.model {
                LoadModel::Closed(_) => Model::Closed,
                LoadModel::Open(_) => Model::Open,
            },
            start,
            run: facts,
            outputs,
            thresholds: watch(&plan, control),
            warmup: plan.warmup,
            samples_per_sort: plan.failure_samples.per_kind,
        };
        let (collector, recorders) = Collector::start(spec)?;
        for (core, (tid, recorder)) in tids.into_iter().zip(recorders).enumerate() {
            collector.core_ready(core, Some(plan.cpus[core]), tid);
            // A core that is gone says so in its news.
            let _ = cores.go[core].send(Go { recorder, start_ns });
        }
        control.begin(&plan);
        let end = cores.wait_until_done(control, &collector, start_ns);
        control.end();
        cores.threads.into_iter().for_each(|thread| drop(thread.join()));
        Ok(collector.finish(FinalFacts {
            aborted: control.raised() > 0,
            paced: plan.paced() || end.held_back,
            exhausted: end.shortages.exhausted(),
            broken_cores: end.broken_cores,
            unverified: end.unverified,
            users_max: plan.load.open().map(|_| u64::from(plan.load.users)),
            changes: end.changes,
            plugins: plan.plugins.as_ref().map(processes).unwrap_or_default(),
        })?)
    }
}

/// The thresholds of the plan; where it says so, a broken one stops the run as the first Ctrl-C does.
fn watch(plan: &Plan, control: &Control) -> Watch {
    let abort = plan.thresholds.abort_after.map(|after| {
        let control = control.clone();
        Abort { after, stop: Box::new(move || control.raise_first()) }
    });
    Watch::new(plan.thresholds.conditions.clone(), abort)
}

/// Connections to the processes of plugins: each core has one to each.
fn links_to_plugins(plan: &Plan) -> u64 {
    let processes: u64 = plan.plugins.iter().flat_map(PluginHost::reports).map(|plugin| plugin.workers).sum();
    processes * plan.cpus.len() as u64
}

/// The processes of the plugins that were started, as they are now.
fn processes(plugins: &PluginHost) -> Vec<PluginProcesses> {
    let reports = plugins.reports().into_iter();
    let summed_up = reports.map(|plugin| PluginProcesses {
        path: plugin.path.display().to_string(),
        runner: plugin.runner,
        workers: plugin.workers,
        restarts: plugin.restarts,
    });
    summed_up.collect()
}

/// A functional run has one user, and nothing but its cases bounds or holds it.
fn for_one_user(mut plan: Plan) -> Plan {
    plan.load = Load::closed(1);
    plan.pacing = None;
    plan.warmup = None;
    plan
}

/// A core without a user would only measure idleness, and one without a connection would keep its users waiting for ever.
fn on_as_many_cores_as_of_use(mut plan: Plan) -> Plan {
    plan.cpus.truncate(plan.cores_used());
    plan
}

/// The addresses of every origin known before the start, of its proxy where it has one. A load in which none resolves does not
/// start; where some do, the requests to the others fail and are counted. A functional run tells of each step, and looks names up
/// where the first needs them: what that takes is a phase of it.
fn addresses(plan: &Plan) -> Result<Vec<(Origin, Found)>, EngineError> {
    let mut origins: Vec<Origin> = Vec::new();
    let proxies = &plan.network.proxies;
    for origin in plan.cases.iter().flat_map(pummel_case::Case::origins).map(|origin| proxies.reached(&origin)) {
        let ahead = plan.functional.is_none() || dns::written_out(&origin).is_some();
        if ahead && !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    let found = dns::resolve_all(&origins, &plan.network.addresses);
    let mut addresses: Vec<_> = origins.into_iter().zip(found).collect();
    if plan.functional.is_none() && !addresses.is_empty() && addresses.iter().all(|(_, found)| found.is_err()) {
        let (origin, found) = addresses.swap_remove(0);
        if let Err(error) = found {
            if proxies.has(&origin) {
                return Err(EngineError::UnresolvableProxy { host: origin.host.to_string(), error });
            }
            return Err(EngineError::Unresolvable { host: origin.host.to_string(), error });
        }
    }
    Ok(addresses)
}

/// How many sockets a core's ring has room for.
fn sockets_of(plan: &Plan, core: usize, ways: &Ways, limit: u64) -> u32 {
    let connections = (u64::from(users_of(plan, core)) * ways.count()).min(ways.connections(plan));
    let wanted = connections * 2 + links_to_plugins(plan) + SPARE_SOCKETS;
    wanted.min(limit.max(1)) as u32
}

fn facts(resolved: &Resolved) -> RunFacts {
    let plan = &resolved.plan;
    let mut described = plan.describe();
    described["ports"] = resolved.port_budget().map_or(Value::Null, |budget| budget.describe());
    RunFacts {
        id: format!("{:016x}", fastrand::u64(..)),
        name: plan.name.clone(),
        command: plan.command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: Host::read(plan.cpus.len()),
        plan: described,
    }
}

/// The threads of a run and the ways to talk to them.
struct Cores {
    go: Vec<Sender<Go>>,
    threads: Vec<thread::JoinHandle<()>>,
    mailboxes: Vec<MailboxSender<Message>>,
    events: Receiver<News>,
}

/// How the cores ended.
#[derive(Default)]
struct End {
    shortages: Shortages,
    unverified: bool,
    broken_cores: Vec<usize>,
    changes: Vec<LiveChange>,
    /// Some of them held the load back.
    held_back: bool,
}

impl Cores {
    /// Waits for every core to stand ready and gives their threads' ids; the first failure ends the start.
    fn wait_until_ready(&mut self) -> Result<Vec<u32>, EngineError> {
        let mut ready = vec![None; self.threads.len()];
        while ready.iter().any(Option::is_none) {
            match self.events.recv() {
                Ok(News::Ready { core, ready: Ok(one) }) => ready[core] = Some(one),
                Ok(News::Ready { ready: Err(error), .. }) => return Err(error),
                Ok(_) | Err(_) => {
                    return Err(EngineError::Core { cpu: 0, reason: "its thread ended while starting".into() })
                }
            }
        }
        let (tids, mailboxes) = ready.into_iter().flatten().unzip();
        self.mailboxes = mailboxes;
        Ok(tids)
    }

    /// Passes on what is asked for until every core is done.
    fn wait_until_done(&self, control: &Control, collector: &Collector, start_ns: u64) -> End {
        let mut end = End::default();
        let (mut done, mut stopped, mut stopped_ns, mut passed_on) = (0, 0, 0, 0);
        let cores = self.threads.len();
        // After how many changes each had nothing left to do.
        let mut settled = vec![None; cores];
        while done < cores {
            let raised = control.raised();
            if raised > passed_on {
                passed_on = raised;
                self.tell(|| if raised == 1 { Message::Stop } else { Message::Abort });
            }
            let news = select! {
                recv(self.events) -> news => news.map(Some),
                recv(control.commands()) -> command => {
                    if let Ok(command) = command {
                        let at_ns = now_ns().saturating_sub(start_ns) + CHANGE_LEAD_NS;
                        self.tell(|| Message::Change { at_ns, command });
                        end.held_back |= matches!(command, Command::Rate(_) | Command::Pause);
                        end.changes.push(LiveChange { t_s: at_ns as f64 / 1e9, change: command.to_string() });
                    }
                    Ok(None)
                },
                default(SIGNAL_POLL) => Ok(None),
            };
            match news {
                Ok(Some(News::Settled { core, changes })) => {
                    settled[core] = Some(changes);
                    self.end_if_settled(&settled, &end);
                }
                Ok(Some(News::Stopped { at_ns })) => {
                    stopped += 1;
                    stopped_ns = stopped_ns.max(at_ns);
                    if stopped == cores {
                        collector.load_stopped(stopped_ns);
                    }
                }
                Ok(Some(News::Done { shortages, unverified })) => {
                    done += 1;
                    end.unverified |= unverified;
                    end.shortages.add(shortages);
                }
                Ok(Some(News::Broke { core, at_ns })) => {
                    done += 1;
                    end.broken_cores.push(core);
                    stopped_ns = stopped_ns.max(at_ns);
                    self.end_if_settled(&settled, &end);
                }
                Ok(Some(News::Ready { .. }) | None) => {}
                Err(_) => break,
            }
        }
        if stopped < cores {
            collector.load_stopped(stopped_ns);
        }
        end
    }

    /// Stops the load when no core has anything left to do, and none has been asked for more since it said so.
    fn end_if_settled(&self, settled: &[Option<u64>], end: &End) {
        let changes = end.changes.len() as u64;
        let is_settled = |core: usize| settled[core] == Some(changes) || end.broken_cores.contains(&core);
        if (0..settled.len()).all(is_settled) {
            self.tell(|| Message::Stop);
        }
    }

    fn tell(&self, message: impl Fn() -> Message) {
        for mailbox in &self.mailboxes {
            // A core that has ended is stopped.
            let _ = mailbox.send(message());
        }
    }
}

impl Shortages {
    fn exhausted(self) -> Vec<Exhausted> {
        let mut exhausted = Vec::new();
        if self.ports > 0 {
            exhausted.push(Exhausted {
                resource: Resource::Ports,
                detail: format!(
                    "{} connects found no free ephemeral port: keep connections alive, add --source-ip, widen \
                     net.ipv4.ip_local_port_range or set net.ipv4.tcp_tw_reuse=1",
                    self.ports
                ),
            });
        }
        if self.descriptors > 0 {
            exhausted.push(Exhausted {
                resource: Resource::Descriptors,
                detail: format!("{} connects found no free descriptor: raise `ulimit -n`", self.descriptors),
            });
        }
        if self.memory > 0 {
            exhausted.push(Exhausted {
                resource: Resource::Memory,
                detail: format!(
                    "{} connects found no memory for a socket: use fewer users, or raise net.ipv4.tcp_mem",
                    self.memory
                ),
            });
        }
        exhausted
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, TcpListener},
        thread,
        time::Duration,
    };

    use pummel_case::{Case, PlainRequest};

    use super::{run, Control};
    use crate::{user::PANICS_AT_USER_3, CatchUp, Load, LoadModel, Network, OpenLoad, Plan, Spacing};

    /// Answers every request; returns its URL.
    fn server() -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut bytes = [0; 1024];
                    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    }
                });
            }
        });
        format!("http://{address}/")
    }

    /// A plan whose user 3 panics, on two cores.
    fn panicking(load: Load) -> Plan {
        let cpu = (0..64).find(|&cpu| rustix::thread::sched_getaffinity(None).unwrap().is_set(cpu)).unwrap();
        let request =
            PlainRequest { name: "one".into(), method: "GET".into(), url: server(), headers: Vec::new(), body: None };
        Plan {
            command: "test",
            name: PANICS_AT_USER_3.into(),
            cases: vec![Case::from_requests("a case", vec![request]).unwrap()],
            load,
            pacing: None,
            cpus: vec![cpu, cpu],
            network: Network { request_timeout: Duration::from_secs(30), ..Network::default() },
            stop_timeout: Duration::from_secs(30),
            record_action: false,
            plugins: None,
            thresholds: pummel_stats::Thresholds::default(),
            warmup: None,
            failure_samples: crate::FailureSampling::default(),
            functional: None,
        }
    }

    #[test]
    fn a_core_that_panics_ends_alone_and_its_requests_count_as_abandoned() {
        let plan = panicking(Load { loops_per_user: Some(5), ..Load::closed(4) });
        let finished = run(plan, &Control::default(), Vec::new()).unwrap();
        assert_eq!(finished.broken_cores, [1]);
        let counts = &finished.summary.conservation;
        // Users 0 and 2 do their loops on core 0; user 1 was connecting when user 3 panicked beside it.
        assert_eq!((counts.started, counts.succeeded, counts.abandoned), (11, 10, 1));
        assert!(counts.ok, "{:?}", counts.broken);
    }

    #[test]
    fn the_arrivals_of_a_core_that_panicked_count_as_missed() {
        // The second user of a core starts where the first is busy: all of these are due at once.
        let open = OpenLoad { rate: 1e9, stages: Vec::new(), spacing: Spacing::Even, catch_up: CatchUp::Burst };
        let model = LoadModel::Open(open);
        let finished = run(
            panicking(Load { model, total_iterations: Some(20), ..Load::closed(4) }),
            &Control::default(),
            Vec::new(),
        );
        let finished = finished.unwrap();
        assert_eq!(finished.broken_cores, [1]);
        let (counts, arrivals) = (&finished.summary.conservation, finished.summary.arrivals.as_ref().unwrap());
        assert!(counts.ok, "{:?}", counts.broken);
        // Core 0 makes its half.
        assert!(arrivals.made >= 10, "{arrivals:?}");
        assert_eq!(arrivals.intended, arrivals.made + arrivals.missed);
    }
}
