//! All plugins of this program.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs, mem,
    path::{Path, PathBuf},
    sync::{mpsc, Arc, Mutex, OnceLock},
    thread::{self, JoinHandle},
    time::Duration,
};

use pummel_case::{shown_path, Plugin, PluginFailure, PluginId, PluginSource};

use crate::{
    locking::lock,
    python,
    start::{Kind, Names, Program, INVALID_FILE, START_FAILED},
    supervisor::{FirstStart, Supervisor},
    worker::{Watchers, Worker},
    PluginOptions, PluginReport, Runner, RunningPlugin,
};

/// Starts plugins and keeps them, one for each absolute path. Clones share them; with the last of them all processes end.
#[derive(Debug, Clone)]
pub struct PluginHost {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Arc<PluginOptions>,
    watchers: Arc<Watchers>,
    python: OnceLock<Result<PathBuf, PluginFailure>>,
    /// By path, each opened once; who asks for one that is being opened waits for it.
    opened: Mutex<HashMap<PathBuf, Arc<OnceLock<Opened>>>>,
    /// By number.
    plugins: Mutex<Vec<Arc<RunningPlugin>>>,
    crew: Mutex<Crew>,
    /// Held by who ends everything, so that others who want that return when it is done.
    ending: Mutex<()>,
}

type Opened = Result<Arc<RunningPlugin>, PluginFailure>;

/// All workers there are, with their threads.
#[derive(Debug, Default)]
struct Crew {
    ended: bool,
    workers: Vec<Arc<Worker>>,
    threads: Vec<JoinHandle<()>>,
}

impl PluginHost {
    /// A host without plugins: each is started when it is first asked for.
    pub fn new(options: PluginOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                options: Arc::new(options),
                watchers: Arc::default(),
                python: OnceLock::new(),
                opened: Mutex::default(),
                plugins: Mutex::default(),
                crew: Mutex::default(),
                ending: Mutex::default(),
            }),
        }
    }

    /// A plugin by its number. It takes a lock, so callers keep what they are given.
    pub fn plugin(&self, id: PluginId) -> Option<Arc<RunningPlugin>> {
        lock(&self.shared.plugins).get(id.0).cloned()
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.shared.options.timeout
    }

    /// What is said of a call that was not answered within that time.
    pub fn late(&self) -> String {
        self.shared.options.late()
    }

    /// Calls `tell` from now on whenever the state of any worker has changed, until it gives false. It must not block, and must not keep a
    /// host: a host that is kept by what it keeps would never end.
    pub fn watch(&self, tell: Box<dyn Fn() -> bool + Send>) {
        self.shared.watchers.add(tell);
    }

    /// What became of each plugin so far.
    pub fn reports(&self) -> Vec<PluginReport> {
        lock(&self.shared.plugins).iter().map(|plugin| plugin.report()).collect()
    }

    /// Ends every process: SIGTERM, after 500 ms SIGKILL, to its process group. Returns when all are gone, and what they started
    /// themselves is killed. No plugin can be opened any more.
    pub fn end(&self) {
        self.shared.end();
    }
}

impl PluginSource for PluginHost {
    fn open(&self, file: &Path, environment: &BTreeMap<Box<str>, Box<str>>) -> Result<Arc<dyn Plugin>, PluginFailure> {
        let file = resolved(file);
        let opened = Arc::clone(lock(&self.shared.opened).entry(file.clone()).or_default());
        let plugin = opened.get_or_init(|| self.shared.open(file, environment)).clone()?;
        Ok(plugin)
    }
}

impl Shared {
    fn open(&self, file: PathBuf, environment: &BTreeMap<Box<str>, Box<str>>) -> Opened {
        let kind = self.kind(&file)?;
        let environment = variables(environment);
        let program = Arc::new(Program { options: Arc::clone(&self.options), file, kind, environment });
        let (workers, told) = self.start(&program)?;
        let names = first_starts(&told, workers.len()).inspect_err(|_| end(&workers))?;
        let names = names.ok_or_else(|| ended(&program.file))?;
        let mut plugins = lock(&self.plugins);
        let plugin = Arc::new(RunningPlugin::new(PluginId(plugins.len()), program, workers, &names));
        plugins.push(Arc::clone(&plugin));
        Ok(plugin)
    }

    /// What runs the file, by its name.
    fn kind(&self, file: &Path) -> Result<Kind, PluginFailure> {
        let failure = |message: &str, help: &str| PluginFailure {
            message: format!("{}: {message}", shown_path(file).display()),
            help: Some(help.to_owned()),
            exit_code: INVALID_FILE,
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("py") => {
                let python = self.python.get_or_init(|| python::find(&self.options)).clone()?;
                Ok(if self.options.runner == Runner::Own { Kind::Own(python) } else { Kind::Funppy(python) })
            }
            Some("bin") => Ok(Kind::Bin),
            Some("so") => Err(failure(
                "a Go plugin of this kind runs within a Go program only",
                "rebuild it as debugtalk.bin: `hrp build debugtalk.go -o debugtalk.bin`",
            )),
            _ => Err(failure("it is no plugin", "a plugin is a debugtalk.py or a debugtalk.bin")),
        }
    }

    /// Starts all workers of a plugin, each from its own thread.
    fn start(&self, program: &Arc<Program>) -> Result<(Vec<Arc<Worker>>, mpsc::Receiver<FirstStart>), PluginFailure> {
        let system = |error: &dyn std::fmt::Display| PluginFailure {
            message: format!("{}: its processes cannot be started: {error}", shown_path(&program.file).display()),
            help: None,
            exit_code: START_FAILED,
        };
        let (tell, told) = mpsc::channel();
        let mut workers = Vec::new();
        let mut crew = lock(&self.crew);
        if crew.ended {
            return Err(ended(&program.file));
        }
        for _ in 0..self.options.workers.max(1) {
            let started = Worker::new(Arc::clone(&self.watchers)).map_err(|error| system(&error)).and_then(|worker| {
                let worker = Arc::new(worker);
                let supervisor = Supervisor { program: Arc::clone(program), worker: Arc::clone(&worker) };
                let tell = tell.clone();
                let thread = thread::Builder::new().name("plugin-worker".into());
                let thread = thread.spawn(move || supervisor.run(&tell)).map_err(|error| system(&error))?;
                Ok((worker, thread))
            });
            let (worker, thread) = started.inspect_err(|_| end(&workers))?;
            crew.workers.push(Arc::clone(&worker));
            crew.threads.push(thread);
            workers.push(worker);
        }
        Ok((workers, told))
    }

    fn end(&self) {
        let _alone = lock(&self.ending);
        let (workers, threads) = {
            let mut crew = lock(&self.crew);
            crew.ended = true;
            (mem::take(&mut crew.workers), mem::take(&mut crew.threads))
        };
        end(&workers);
        for thread in threads {
            // A watcher that kept the last host would have a worker's own thread come here.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end();
    }
}

/// The functions, once each of the workers has started; none where they were ended instead.
///
/// # Errors
/// One has not started.
fn first_starts(told: &mpsc::Receiver<FirstStart>, workers: usize) -> Result<Option<Names>, PluginFailure> {
    let mut names = None;
    for _ in 0..workers {
        match told.recv() {
            Ok(first) => names = Some(first?),
            Err(mpsc::RecvError) => return Ok(None),
        }
    }
    Ok(names)
}

fn end(workers: &[Arc<Worker>]) {
    for worker in workers {
        worker.wake().end();
    }
}

fn ended(file: &Path) -> PluginFailure {
    PluginFailure {
        message: format!("{}: the program ends", shown_path(file).display()),
        help: None,
        exit_code: START_FAILED,
    }
}

/// What of it can be in the environment of a process: no system call takes anything else.
fn variables(environment: &BTreeMap<Box<str>, Box<str>>) -> Vec<(OsString, OsString)> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    let fits = environment.iter().filter(|(name, value)| is_name(name) && !value.contains('\0'));
    fits.map(|(name, value)| (OsString::from(&**name), OsString::from(&**value))).collect()
}

/// The path without links in its folders. A link to the file itself stays: what it imports lies beside the link, not beside the file.
fn resolved(file: &Path) -> PathBuf {
    let folder = file.parent().and_then(|folder| fs::canonicalize(folder).ok());
    match (folder, file.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => file.to_owned(),
    }
}
