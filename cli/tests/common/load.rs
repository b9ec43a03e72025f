//! What the end-to-end tests need: the real binary under load, its summary, and real peers.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use pummel_target::{Target, TargetOptions};
use serde_json::Value;

/// No run of these tests takes longer; one that does is killed and fails its test.
const WATCHDOG: Duration = Duration::from_mins(1);

/// The binary under test: the one `scripts/test.sh` built close to release, or cargo's.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("PUMMEL_BIN").map_or_else(|| env!("CARGO_BIN_EXE_pummel").into(), PathBuf::from)
}

/// A folder of the test's own, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pummel-e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a temporary file");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A finished run of the binary.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The summary it wrote, null if it wrote none.
    pub(crate) summary: Value,
}

impl Run {
    /// A number of the summary by its JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> u64 {
        self.summary
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("no number at {pointer}; exit {}\n{}\n{}", self.code, self.stdout, self.stderr))
    }

    /// How many errors of a kind there were.
    pub(crate) fn errors(&self, kind: &str) -> u64 {
        let errors = self.summary["errors"].as_array().expect("a list of errors");
        errors.iter().filter(|error| error["kind"] == kind).filter_map(|error| error["count"].as_u64()).sum()
    }

    /// Every started request is accounted for, in the JSON and by our own sums.
    pub(crate) fn assert_conserved(&self) {
        assert_eq!(self.summary["conservation"]["ok"], true, "{:#}", self.summary["conservation"]);
        let part = |name| self.number(&format!("/conservation/{name}"));
        assert_eq!(part("started"), part("succeeded") + part("failed") + part("abandoned"));
        let sum = |list: &str, field: &str| -> u64 {
            self.summary[list].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
        };
        assert_eq!(sum("steps", "requests"), self.number("/totals/requests"));
        assert_eq!(sum("series", "requests"), self.number("/totals/requests"));
        assert_eq!(sum("series", "failures"), self.number("/totals/failures"));
        let errors = self.summary["errors"].as_array().unwrap();
        let errors: u64 = errors.iter().map(|error| error["count"].as_u64().unwrap()).sum();
        assert_eq!(errors, self.number("/totals/failures"));
    }
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    json: PathBuf,
    _folder: Folder,
}

/// Starts the binary with these arguments and `--json`.
pub(crate) fn start(arguments: &[&str]) -> Running {
    start_as(Command::new(binary()), arguments)
}

/// Starts a command that ends in the binary, with these arguments and `--json`.
pub(crate) fn start_as(mut command: Command, arguments: &[&str]) -> Running {
    let folder = Folder::new();
    let json = folder.path().join("summary.json");
    let child = command
        .args(arguments)
        .arg("--json")
        .arg(&json)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    Running { child, json, _folder: folder }
}

/// Diagnostics as one line: they are wrapped.
pub(crate) fn unwrapped(stderr: &str) -> String {
    stderr.replace(['\n', '│'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Run {
    start(arguments).finish()
}

impl Running {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Ends it as nothing can prevent.
    pub(crate) fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, signal);
    }

    pub(crate) fn finish(mut self) -> Run {
        let pid = rustix::process::Pid::from_child(&self.child);
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            if ended.recv_timeout(WATCHDOG).is_err() {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let errors = thread::spawn(move || read_all(stderr));
        let stdout = read_all(stdout);
        let status = self.child.wait().expect("it ends");
        let _ = done.send(());
        let _ = watchdog.join();
        let summary = fs::read(&self.json).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Run {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: errors.join().unwrap_or_default(),
            summary: summary.unwrap_or(Value::Null),
        }
    }
}

fn read_all(from: Option<impl Read>) -> String {
    let mut text = Vec::new();
    let _ = from.map(|mut from| from.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// The embedded target on a free port, on CPU 0.
pub(crate) fn target() -> Target {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Target::start(TargetOptions { listen, cpus: vec![0] }).expect("the target starts")
}

/// A URL on the target.
pub(crate) fn url(target: &Target, path: &str) -> String {
    format!("http://{}{path}", target.local_addr())
}

/// A port of the loopback nobody listens on.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// An nginx of the test's own; stopped when dropped.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: Folder,
}

impl Nginx {
    /// Starts one with the two endpoints of the demo case and its own count.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with more `server` blocks, in nginx's own words.
    pub(crate) fn start_with(servers: &str) -> Self {
        let folder = Folder::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
        let place = folder.path().display();
        let config = folder.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; worker_processes 1; pid {place}/pid; error_log stderr error;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {place}/body;\n\
                 proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi;\n\
                 scgi_temp_path {place}/scgi;\n\
                 server {{ listen {address}; default_type application/json;\n\
                 location /hello/ {{ return 200 '{{\"code\":0}}'; }}\n\
                 location /api/ {{ return 200 '{{\"code\":0,\"data\":{{\"id\":12345}}}}'; }}\n\
                 location /short/ {{ return 200 'x'; }}\n\
                 location = /count {{ stub_status; }} }}\n\
                 {servers} }}\n"
            ),
        );
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (scripts/test.sh installs it)");
        let nginx = Self { child, address, _folder: folder };
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(since.elapsed() < WATCHDOG, "nginx listens");
            thread::sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// Requests nginx has begun, less the questions of this function.
    pub(crate) fn requests(&self, questions_before: u64) -> u64 {
        let mut stream = TcpStream::connect(self.address).expect("nginx answers");
        stream.write_all(b"GET /count HTTP/1.1\r\nHost: nginx\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it writes");
        let line = text.lines().skip_while(|line| !line.starts_with("server accepts")).nth(1).expect("its counts");
        let requests: u64 = line.split_whitespace().nth(2).expect("three counts").parse().expect("a number");
        requests - questions_before - 1
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a helper command and gives its output; panics with its stderr where it fails.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().expect("the command starts");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
