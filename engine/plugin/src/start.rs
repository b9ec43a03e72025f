//! From a plugin's file to a process that takes calls.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{mpsc, Arc},
    thread,
    time::{Duration, Instant},
};

use pummel_case::{shown_path, PluginFailure};

use crate::{
    control::{listen, Control, Said},
    frames::{BrokenPlugin, Hello},
    handshake::{handshake, Listening, Network, Unusable},
    launch::{self, Script},
    line::one_line,
    process::{Process, Turn, GRACE},
    wake::Wake,
    GrpcClient, PluginOptions, Reach,
};

/// hrp's exit codes (hrp spec 13.6): a plugin's file that is none, and a plugin that does not start.
pub(crate) const INVALID_FILE: u8 = 18;
pub(crate) const START_FAILED: u8 = 31;

/// How long a plugin may take until it takes calls (hrp spec 19.5): what it imports is read from a disk, perhaps over a network.
const START_TIME: Duration = Duration::from_mins(1);

/// How long a process that says that it takes calls may take to answer the first.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long a process that has closed its connection may take to end by itself, so that its own exit status can be told.
pub(crate) const LAST_MOMENTS: Duration = Duration::from_millis(200);

/// What go-plugin wants to find in its environment (hrp spec 19.4).
const GO_PLUGIN: [(&str, &str); 5] = [
    ("HttpRunnerPlus", "debugtalk"),
    ("HRP_PLUGIN_TYPE", "grpc"),
    ("PLUGIN_MIN_PORT", "10000"),
    ("PLUGIN_MAX_PORT", "25000"),
    ("PLUGIN_PROTOCOL_VERSIONS", "1"),
];

/// What is executed, alike for all workers of a plugin.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) options: Arc<PluginOptions>,
    /// The plugin's file.
    pub(crate) file: PathBuf,
    pub(crate) kind: Kind,
    /// What the project's `.env` adds to the environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// What runs a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our own runner, by this Python.
    Own(PathBuf),
    /// Stock funppy, by this Python.
    Funppy(PathBuf),
    /// Nothing: it is executable.
    Bin,
}

/// A process that takes calls.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) reach: Reach,
    /// Where it does not speak gRPC.
    pub(crate) control: Option<Control>,
    /// A socket in the file system that is the process's own.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) names: Names,
}

/// The names of a plugin's functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Of those it defines.
    pub(crate) own: Vec<String>,
    /// Of those it imports.
    pub(crate) imported: Vec<String>,
}

/// Why there is no process.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// Everything is to end.
    Ending,
    /// It may be different the next time: another process has the port that this one took at random.
    ByChance(PluginFailure),
    /// It does not start.
    Failed(PluginFailure),
}

impl Program {
    /// Starts a process and waits until it takes calls. To be called by a thread that lives as long as the process.
    ///
    /// # Errors
    /// See [`NotStarted`].
    pub(crate) fn start(&self, generation: u64, wake: &Arc<Wake>) -> Result<Started, NotStarted> {
        match &self.kind {
            Kind::Own(python) => self.start_own(python, generation, wake),
            Kind::Funppy(_) | Kind::Bin => self.start_grpc(wake),
        }
    }

    fn start_own(&self, python: &Path, generation: u64, wake: &Wake) -> Result<Started, NotStarted> {
        let system = |error: io::Error| self.failed(&format!("it cannot be started: {error}"));
        let (listener, name) = listen().map_err(system)?;
        // Connected before the process is there, so that a process that is not there any more is one that has closed it.
        let mut control = Control::connect(&name, generation).map_err(system)?;
        let mut process = self.spawn(Stdio::from(listener)).map_err(system)?;
        let until = Instant::now() + START_TIME;
        let mut turn = Turn { ended: false, ready: false };
        loop {
            match control.hear() {
                Said::Nothing if turn.ended => return Err(self.ended(process)),
                Said::Nothing => {}
                Said::Closed => {
                    let last_moments = Instant::now() + LAST_MOMENTS;
                    if process.wait(&[], Some(last_moments), |_| {}).ended {
                        return Err(self.ended(process));
                    }
                    return Err(self.failed("its process closed its input, which belongs to the runner"));
                }
                Said::Broken(broken) => return Err(NotStarted::Failed(self.broken(&broken, Some(python)))),
                Said::Hello(hello) => {
                    let names = Names { own: hello.own, imported: hello.imported };
                    let reach = Reach::Frames(name);
                    return Ok(Started { process, reach, control: Some(control), socket: None, names });
                }
            }
            turn = process.wait(&[control.descriptor(), wake.descriptor()], Some(until), |_| {});
            self.check(wake, until)?;
        }
    }

    fn start_grpc(&self, wake: &Arc<Wake>) -> Result<Started, NotStarted> {
        let process =
            self.spawn(Stdio::null()).map_err(|error| self.failed(&format!("it cannot be started: {error}")))?;
        let until = Instant::now() + START_TIME;
        let (mut process, listening) = self.listening(process, until, wake)?;
        let socket = (listening.network == Network::Unix).then(|| PathBuf::from(&listening.address));
        let connecting = connect(listening, wake);
        loop {
            match connecting.try_recv() {
                Ok(Ok((client, hello))) => {
                    let names = Names { own: hello.own, imported: hello.imported };
                    return Ok(Started { process, reach: Reach::Grpc(client), control: None, socket, names });
                }
                Ok(Err(reason)) => return Err(NotStarted::ByChance(self.failure(&reason))),
                Err(mpsc::TryRecvError::Disconnected) => return Err(self.failed("no thread for gRPC")),
                Err(mpsc::TryRecvError::Empty) => {}
            }
            if process.wait(&[wake.descriptor()], Some(until), |_| {}).ended {
                return Err(self.ended(process));
            }
            self.check(wake, until)?;
        }
    }

    /// Where the process says that it listens. What it prints before is its own.
    fn listening(&self, mut process: Process, until: Instant, wake: &Wake) -> Result<(Process, Listening), NotStarted> {
        let mut said: Option<Result<Listening, Unusable>> = None;
        loop {
            let turn = process.wait_for(&[wake.descriptor()], Some(until), |line| {
                if said.is_none() {
                    said = handshake(line);
                }
                said.is_some()
            });
            match said {
                Some(Ok(listening)) => return Ok((process, listening)),
                Some(Err(unusable)) => return Err(self.failed(&unusable.to_string())),
                None if turn.ended => return Err(self.ended(process)),
                None => self.check(wake, until)?,
            }
        }
    }

    /// Whether the start may go on.
    fn check(&self, wake: &Wake, until: Instant) -> Result<(), NotStarted> {
        wake.heard();
        if wake.is_ending() {
            return Err(NotStarted::Ending);
        }
        if Instant::now() >= until {
            return Err(self.failed(&format!("it took no calls within {} s of its start", START_TIME.as_secs())));
        }
        Ok(())
    }

    fn spawn(&self, input: Stdio) -> io::Result<Process> {
        let launcher = &self.options.launcher;
        let mut command = match &self.kind {
            Kind::Own(python) => {
                let mut command = launch::command(launcher, Some(Script::Own), python);
                command.arg(&self.file).arg("--threads").arg(self.options.threads.to_string());
                command
            }
            Kind::Funppy(python) => {
                let mut command = launch::command(launcher, Some(Script::Funppy), python);
                command.arg(&self.file);
                command
            }
            Kind::Bin => launch::command(launcher, None, &self.file),
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(GO_PLUGIN);
        Process::spawn(command.stdin(input))
    }

    /// What became of a process that has ended before it took calls.
    fn ended(&self, process: Process) -> NotStarted {
        let ended = process.end(GRACE);
        // The runner of funppy says so where it cannot run.
        let broken = ended.last_line.strip_prefix("pummel: ").and_then(|json| serde_json::from_str(json).ok());
        if let Some(broken) = broken {
            return NotStarted::Failed(self.broken(&broken, self.python()));
        }
        let reason = if ended.last_line.is_empty() { String::new() } else { format!(": {}", ended.last_line) };
        let failure = self.failure(&format!("its process {ended} before it took calls{reason}"));
        if ended.last_line.ends_with(PORT_IS_TAKEN) {
            return NotStarted::ByChance(failure);
        }
        NotStarted::Failed(failure)
    }

    fn broken(&self, broken: &BrokenPlugin, python: Option<&Path>) -> PluginFailure {
        let (file, error) = (shown_path(&self.file).display().to_string(), one_line(&broken.error));
        let place = self.file.file_name().and_then(|name| broken.place.strip_prefix(&*name.to_string_lossy()));
        let message = match place {
            Some(line) if line.starts_with(':') => format!("{file}{line}: {error}"),
            _ if broken.place.is_empty() => format!("{file}: {error}"),
            _ => format!("{file}: {error} ({})", broken.place),
        };
        let python = python.unwrap_or(Path::new("python3")).display();
        let help = if broken.syntax {
            format!("correct the file; `{python} -m py_compile {file}` says the same")
        } else if let Some(package) = missing_package(&error) {
            format!("`{python} -m pip install {package}` may be what it needs; --venv names an environment that has it")
        } else {
            "it is imported before the load begins, in the working directory and with the variables of .env; --log-level \
             debug shows the traceback"
                .to_owned()
        };
        PluginFailure { message, help: Some(help), exit_code: if broken.syntax { INVALID_FILE } else { START_FAILED } }
    }

    fn failed(&self, reason: &str) -> NotStarted {
        NotStarted::Failed(self.failure(reason))
    }

    fn failure(&self, reason: &str) -> PluginFailure {
        let file = shown_path(&self.file).display().to_string();
        let help = match &self.kind {
            Kind::Bin if !is_executable(&self.file) => format!("`chmod +x {file}` lets it be executed"),
            Kind::Bin => format!(
                "build it with funplugin 0.5 for this machine; `HttpRunnerPlus=debugtalk {file}` shows what it does"
            ),
            Kind::Own(python) | Kind::Funppy(python) => {
                format!("`{} {file}` shows what the file does when it is imported", python.display())
            }
        };
        PluginFailure { message: format!("{file}: {reason}"), help: Some(help), exit_code: START_FAILED }
    }

    fn python(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Own(python) | Kind::Funppy(python) => Some(python),
            Kind::Bin => None,
        }
    }
}

/// Whether its permissions let anybody execute it.
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// The package whose module is not there, by what Python says: mostly both have the same name.
fn missing_package(error: &str) -> Option<&str> {
    let module = error.strip_prefix("ModuleNotFoundError: No module named '")?.split(['.', '\'']).next()?;
    (!module.is_empty()).then_some(module)
}

/// What gRPC says, through the runner of funppy, where the port that funppy took at random is another's.
const PORT_IS_TAKEN: &str = "is taken";

/// Connects from a thread of its own, as the process's outputs are to be read meanwhile; it wakes who waits for it.
fn connect(listening: Listening, wake: &Arc<Wake>) -> mpsc::Receiver<Result<(GrpcClient, Hello), String>> {
    let (tell, told) = mpsc::sync_channel(1);
    let wake = Arc::clone(wake);
    // Without a thread the sender is dropped, and the receiver says so.
    let _ = thread::Builder::new().name("plugin-connect".into()).spawn(move || {
        let _ = tell.send(GrpcClient::connect(listening.network, &listening.address, CONNECT_TIME));
        wake.wake();
    });
    told
}

/// Takes away the socket of a process that was killed before it could do that itself.
pub(crate) fn remove_socket(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(file: &str) -> Program {
        let (options, environment) = (Arc::default(), Vec::new());
        Program { options, file: file.into(), kind: Kind::Own("/bin/python3".into()), environment }
    }

    #[test]
    fn a_broken_plugin_is_told_with_the_place_in_the_file() {
        let program = program("/p/debugtalk.py");
        let told = |syntax, error: &str, place: &str| {
            let broken = BrokenPlugin { syntax, error: error.into(), place: place.into() };
            let failure = program.broken(&broken, program.python());
            (failure.message, failure.exit_code)
        };
        let syntax = told(true, "SyntaxError: invalid syntax", "debugtalk.py:3");
        assert_eq!(syntax, ("/p/debugtalk.py:3: SyntaxError: invalid syntax".to_owned(), 18));
        let raised = told(false, "ValueError: a\nb", "inner/data.py:7");
        assert_eq!(raised, ("/p/debugtalk.py: ValueError: a b (inner/data.py:7)".to_owned(), 31));
        let nowhere = told(false, "SystemExit: 3", "");
        assert_eq!(nowhere, ("/p/debugtalk.py: SystemExit: 3".to_owned(), 31));
    }

    #[test]
    fn a_missing_module_is_named_with_what_may_install_it() {
        let program = program("/p/debugtalk.py");
        let help = |error: &str| {
            let broken = BrokenPlugin { syntax: false, error: error.into(), place: "debugtalk.py:1".into() };
            program.broken(&broken, program.python()).help.unwrap()
        };
        let missing = help("ModuleNotFoundError: No module named 'faker.providers'");
        assert!(missing.starts_with("`/bin/python3 -m pip install faker` may be"), "{missing}");
        // The module is there, so another package would not help.
        assert!(!help("ImportError: cannot import name 'x' from 'faker'").contains("pip"));
    }
}
