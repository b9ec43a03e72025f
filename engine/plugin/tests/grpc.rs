//! Calls over gRPC to real processes: stock funppy through our script for it, and a plugin that acts as those written in Go do.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use pummel_case::CallOutcome::{self, Failed, Lost, Returned};
use pummel_plugin::{
    frames::{BrokenPlugin, Hello},
    handshake::{handshake, Network},
    GrpcClient,
};

/// Beyond any wait of a test that goes well.
const LONG: Duration = Duration::from_mins(1);

/// What keeps a test's own files: gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("pummel-grpc-{}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The Python of an environment with funppy.
fn python() -> Command {
    let python = std::env::var_os("PUMMEL_FUNPPY_PYTHON");
    Command::new(python.expect("PUMMEL_FUNPPY_PYTHON names a Python that has funppy: scripts/test.sh makes one"))
}

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Stock funppy with this file.
fn funppy(file: &Path) -> Command {
    let mut command = python();
    command.arg(here("src/runner/funppy_runner.py")).arg(file);
    command
}

/// A process and the connection to it; killed when dropped.
struct Plugin {
    process: Child,
    client: GrpcClient,
    hello: Hello,
}

impl Plugin {
    /// Starts it and connects where it says; what comes before that is the plugin's own output. funppy takes a port at random and ends
    /// where that one is taken: it is started anew then.
    fn start(command: &mut Command) -> Self {
        const TRIES: usize = 5;
        // Tracebacks of functions that are to fail would only hide what a test says.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        for _ in 0..TRIES {
            let mut process = command.spawn().expect("a process");
            let mut lines = BufReader::new(process.stdout.take().expect("its output")).split(b'\n');
            if let Some(said) = lines.find_map(|line| handshake(&line.expect("a line"))) {
                let listening = said.expect("one that can be used");
                let connected = GrpcClient::connect(listening.network, &listening.address, LONG);
                let (client, hello) = connected.expect("a connection");
                return Self { process, client, hello };
            }
            process.wait().expect("its end");
        }
        panic!("no handshake of {command:?}");
    }

    fn funppy() -> Self {
        Self::start(&mut funppy(&here("tests/grpc/debugtalk.py")))
    }

    fn call_within(&self, timeout: Duration, function: &str, arguments: &str) -> Option<(CallOutcome, String)> {
        let (tell, told) = mpsc::channel();
        let done = Box::new(move |ended| tell.send(ended).expect("a test that listens"));
        self.client.call(function.into(), arguments.into(), timeout, done);
        told.recv().expect("an end of the call")
    }

    fn call(&self, function: &str, arguments: &str) -> (CallOutcome, String) {
        self.call_within(LONG, function, arguments).expect("an end in time")
    }

    /// Asserts that it takes calls.
    fn assert_alive(&self) {
        assert_eq!(self.call("sum_two", "[1, 2]"), (Returned, "3".into()));
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn returned(value: &str) -> (CallOutcome, String) {
    (Returned, value.into())
}

fn failed(text: &str) -> (CallOutcome, String) {
    (Failed, text.into())
}

#[test]
fn functions_of_the_file_are_found_and_called() {
    let plugin = Plugin::funppy();
    let own = ["sum_two", "echo", "gen", "nothing", "yes", "pair", "fail", "fail_at_length", "rest", "die", "later"];
    assert_eq!(plugin.hello.own, own);
    assert_eq!(plugin.hello.imported, ["basename"]);
    assert_eq!(plugin.call("sum_two", "[1, 2]"), returned("3"));
    assert_eq!(plugin.call("sum_two", "[1.5, 2]"), returned("3.5"));
    assert_eq!(plugin.call("gen", "[3]"), returned("\"xxx\""));
    assert_eq!(plugin.call("echo", "[{\"a\": [1, \"\\u00fc\"]}]"), returned("{\"a\": [1, \"\\u00fc\"]}"));
    assert_eq!(plugin.call("basename", "[\"/a/b\"]"), returned("\"b\""));
    assert_eq!(plugin.call("later", "[7]"), returned("7"));
    // Not JSON, but what stock funppy makes of a bool (hrp spec 19.7).
    assert_eq!(plugin.call("yes", "[]"), returned("True"));
}

#[test]
fn failures_of_functions_are_told_in_one_line() {
    let plugin = Plugin::funppy();
    assert_eq!(plugin.call("fail", "[\"no such user\"]"), failed("no such user"));
    assert_eq!(plugin.call("fail", "[\"two\\nlines: \\u00fc\"]"), failed("two lines: ü"));
    assert_eq!(plugin.call("fail", "[\"\"]"), failed("it raised an exception without a text"));
    assert_eq!(plugin.call("unknown", "[]"), failed("Function unknown not registered!"));
    let (outcome, text) = plugin.call("sum_two", "[1]");
    assert_eq!(outcome, Failed);
    assert!(text.contains("missing 1 required positional argument: 'second'"), "{text}");
    for (function, kind) in [("nothing", "NoneType"), ("pair", "tuple")] {
        let (outcome, text) = plugin.call(function, "[]");
        assert_eq!(outcome, Failed);
        assert!(text.starts_with(&format!("Function return type <class '{kind}'> not supported! ")), "{text}");
    }
}

#[test]
fn calls_in_flight_get_each_their_own_answer() {
    const CALLS: usize = 500;
    let plugin = Plugin::funppy();
    let (tell, told) = mpsc::channel();
    for i in 0..CALLS {
        let tell = tell.clone();
        let done = Box::new(move |ended| tell.send((i, ended)).expect("a test that listens"));
        plugin.client.call("echo".into(), format!("[{i}]"), LONG, done);
    }
    drop(tell);
    let mut answers: Vec<_> = told.iter().collect();
    answers.sort_by_key(|(i, _)| *i);
    let wanted: Vec<_> = (0..CALLS).map(|i| (i, Some((Returned, i.to_string())))).collect();
    assert_eq!(answers, wanted);
}

#[test]
fn a_call_ends_with_its_timeout_and_others_go_on() {
    let plugin = Plugin::funppy();
    assert_eq!(plugin.call_within(Duration::from_millis(200), "rest", "[30]"), None);
    plugin.assert_alive();
}

#[test]
fn a_process_that_dies_loses_its_calls_and_all_later_ones() {
    let plugin = Plugin::funppy();
    let lost = (Lost, "the plugin's process ended, or its connection broke, during the call".to_owned());
    assert_eq!(plugin.call("die", "[]"), lost);
    for _ in 0..3 {
        assert_eq!(plugin.call("sum_two", "[1, 2]"), lost);
    }
}

#[test]
fn what_is_too_large_fails_its_call_alone() {
    let plugin = Plugin::funppy();
    let most = 16 * 1024 * 1024;
    let (outcome, value) = plugin.call("gen", &format!("[{}]", most - 2));
    assert_eq!((outcome, value.len()), (Returned, most));
    assert_eq!(plugin.call("gen", &format!("[{}]", most + 100)), failed("its result is larger than 16 MiB"));
    plugin.assert_alive();
    let (outcome, text) = plugin.call("echo", &format!("[\"{}\"]", "x".repeat(5 * 1024 * 1024)));
    assert_eq!(outcome, Failed);
    assert!(text.starts_with("the plugin refused the call: "), "{text}");
    plugin.assert_alive();
}

#[test]
fn a_long_text_of_an_exception_is_cut() {
    let plugin = Plugin::funppy();
    let wanted = format!("{}…", "x".repeat(1_000));
    assert_eq!(plugin.call("fail_at_length", "[100000]"), failed(&wanted));
    assert_eq!(plugin.call("fail_at_length", "[10000000]"), failed(&wanted));
    plugin.assert_alive();
}

#[test]
fn stock_funppy_cannot_be_asked_to_end_and_is_left_as_it_is() {
    let plugin = Plugin::funppy();
    plugin.client.shutdown();
    plugin.assert_alive();
}

/// What the script for funppy says of this debugtalk.py.
fn broken(source: &[u8]) -> BrokenPlugin {
    let folder = Folder::new();
    let file = folder.0.join("debugtalk.py");
    fs::write(&file, source).expect("a file");
    fs::write(folder.0.join("helper.py"), "\n\ndef f(:\n").expect("a file");
    let ended = funppy(&file).output().expect("a process");
    assert_eq!(ended.status.code(), Some(1));
    let mut files: Vec<_> =
        fs::read_dir(&folder.0).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    files.sort();
    assert_eq!(files, ["debugtalk.py", "helper.py"], "nothing is written into a project");
    let said = String::from_utf8(ended.stderr).expect("text");
    let last = said.lines().last().expect("a line").strip_prefix("pummel: ").expect("what is said for us");
    serde_json::from_str(last).expect("JSON")
}

#[test]
fn a_plugin_that_cannot_be_imported_is_told_with_its_place() {
    let said = broken(b"x = 1\n\ndef f(:\n    pass\n");
    assert_eq!((said.syntax, &*said.place), (true, "debugtalk.py:3"), "{said:?}");
    assert!(said.error.starts_with("SyntaxError: "), "{said:?}");
    let raised = BrokenPlugin {
        syntax: false,
        error: "ZeroDivisionError: division by zero".into(),
        place: "debugtalk.py:2".into(),
    };
    assert_eq!(broken(b"def f():\n    return 1 / 0\nf()\n"), raised);
    let missing = broken(b"import no_such_module\n");
    assert_eq!((missing.syntax, &*missing.place), (false, "debugtalk.py:1"));
    assert_eq!(missing.error, "ModuleNotFoundError: No module named 'no_such_module'");
    let exit = broken(b"import sys\nsys.exit(3)\n");
    assert_eq!((exit.syntax, &*exit.error, &*exit.place), (false, "SystemExit: 3", "debugtalk.py:2"));
    // The file itself is Python; what it imports is not.
    let helper = broken(b"import helper\n");
    assert_eq!((helper.syntax, &*helper.place), (false, "helper.py:3"), "{helper:?}");
    let lines = broken("raise ValueError('two\\nlines: \u{fc} \\ud800')\n".as_bytes());
    assert_eq!(lines.error, "ValueError: two lines: \u{fc} ?");
    assert!(broken(b"x = '\0'\n").syntax);
    assert!(broken(b"x = '\xff'\n").syntax);
}

#[test]
fn processes_of_a_file_that_seeds_random_take_ports_of_their_own() {
    let folder = Folder::new();
    let file = folder.0.join("debugtalk.py");
    let source = "import os, random\nrandom.seed(1)\ndef pid():\n    return os.getpid()\ndef draw():\n    return random.random()\n";
    fs::write(&file, source).expect("a file");
    let plugins = [Plugin::start(&mut funppy(&file)), Plugin::start(&mut funppy(&file))];
    for plugin in &plugins {
        assert_eq!(plugin.call("pid", "[]"), returned(&plugin.process.id().to_string()));
        // The first number Python's generator gives after this seed.
        assert_eq!(plugin.call("draw", "[]"), returned("0.13436424411240122"));
    }
}

/// The plugin that acts as one written in Go, which was told to listen in this folder.
fn go_like(folder: &Folder) -> Command {
    let mut command = python();
    command.arg(here("tests/grpc/go_like_plugin.py")).arg(folder.0.join("plugin.sock"));
    command.env("HttpRunnerPlus", "debugtalk");
    command
}

#[test]
fn a_plugin_on_a_unix_socket_is_called_and_ends_when_it_is_asked_to() {
    let folder = Folder::new();
    let mut plugin = Plugin::start(&mut go_like(&folder));
    assert_eq!(plugin.hello.own, ["sum_two_int", "sumtwoint", "panic"]);
    assert_eq!(plugin.call("sum_two_int", "[1, 2]"), returned("3"));
    assert_eq!(plugin.call("sum_two_int", "[\"a\", 2]"), failed("arg0 is no number"));
    // On a busy machine it may not have heard it the first time.
    let status = loop {
        plugin.client.shutdown();
        if let Some(status) = plugin.process.try_wait().expect("its state") {
            break status;
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_plugin_that_panics_loses_the_call() {
    let folder = Folder::new();
    let plugin = Plugin::start(&mut go_like(&folder));
    assert_eq!(plugin.call("panic", "[null]").0, Lost);
    assert_eq!(plugin.call("sum_two_int", "[1, 2]").0, Lost);
    plugin.client.shutdown();
}

#[test]
fn a_plugin_wants_its_cookie() {
    let folder = Folder::new();
    let ended = go_like(&folder).env_remove("HttpRunnerPlus").output().expect("a process");
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn who_is_no_plugin_is_told_apart() {
    let limit = Duration::from_millis(300);
    let said = |network, address: &str| GrpcClient::connect(network, address, limit).expect_err("a failure");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let start = Instant::now();
    assert_eq!(said(Network::Tcp, &address), format!("{address} did not answer within 0.3 s"));
    assert!(start.elapsed() >= limit);
    let web = std::thread::spawn(move || {
        for stream in listener.incoming().take(2).flatten() {
            let mut stream = stream;
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.read(&mut [0; 1_024]);
        }
    });
    let told = said(Network::Tcp, &address);
    assert!(told.starts_with(&address), "{told}");
    web.join().expect("its end");
    let told = said(Network::Tcp, &address);
    assert!(told.starts_with(&format!("connecting to {address} failed: ")), "{told}");
    let told = said(Network::Unix, "/nonexistent/plugin.sock");
    assert!(told.starts_with("connecting to /nonexistent/plugin.sock failed: "), "{told}");
    let told = said(Network::Tcp, "no address");
    assert!(told.starts_with("connecting to no address failed: "), "{told}");
}
