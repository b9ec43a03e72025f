//! Our Python runner with a file of its own, and connections to it.

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use pummel_plugin::frames::{self, Calls, Hello, HELLO};
use serde_json::Value;

/// Ends a test that would otherwise hang.
const PATIENCE: Duration = Duration::from_mins(1);

const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/runner/pummel_runner.py");

/// A reply's id, whether the function returned, and the payload.
pub(crate) type Answer = (u32, bool, Vec<u8>);

/// A runner; ends with its folder when it is dropped.
pub(crate) struct Runner {
    pub(crate) process: Child,
    pub(crate) folder: PathBuf,
    address: SocketAddr,
}

impl Runner {
    /// Starts it with a debugtalk.py of this text.
    pub(crate) fn new(source: &str) -> Self {
        Self::with_files(&[("debugtalk.py", source.as_bytes())])
    }

    /// Starts it in a folder of these files.
    pub(crate) fn with_files(files: &[(&str, &[u8])]) -> Self {
        let name = format!("pummel-runner-{}-{:x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir(&folder).unwrap();
        for (file, text) in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let process = Command::new("python3")
            .arg(RUNNER)
            .arg(folder.join("debugtalk.py"))
            .args(["--threads", "64"])
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, folder, address }
    }

    /// Connects without waiting for its first words.
    pub(crate) fn connect(&self) -> Connection {
        let stream = UnixStream::connect_addr(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, received: Vec::new() }
    }

    /// A connection that takes calls.
    pub(crate) fn open(&self) -> Connection {
        let mut connection = self.connect();
        connection.hello();
        connection
    }

    /// Ends it; gives what it wrote to its standard output and standard error.
    pub(crate) fn end(mut self) -> (String, String) {
        self.process.kill().unwrap();
        let (mut out, mut error) = (String::new(), String::new());
        self.process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        (out, error)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A connection to a runner.
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    received: Vec<u8>,
}

impl Connection {
    /// The next reply; none where the runner closed the connection.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((reply, bytes)) = frames::reply(&self.received).unwrap() {
                let answer = (reply.id, reply.returned, reply.payload.to_vec());
                self.received.drain(..bytes);
                return Some(answer);
            }
            let mut bytes = vec![0; 1 << 20];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no reply: {error}"),
            }
        }
    }

    pub(crate) fn hello(&mut self) -> Hello {
        let (id, returned, payload) = self.answer().unwrap();
        assert_eq!((id, returned), (HELLO, true), "{}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).unwrap()
    }

    /// Sends calls in one frame.
    pub(crate) fn send(&mut self, calls: &[(u32, &str, &str)]) {
        self.stream.write_all(&frame(calls)).unwrap();
    }

    /// Makes one call: its result, or what is wrong.
    pub(crate) fn call(&mut self, function: &str, arguments: &str) -> Result<Value, String> {
        self.send(&[(7, function, arguments)]);
        let (id, returned, payload) = self.answer().unwrap();
        assert_eq!(id, 7);
        if returned {
            Ok(serde_json::from_slice(&payload).unwrap())
        } else {
            Err(String::from_utf8(payload).unwrap())
        }
    }
}

/// The bytes of one frame.
pub(crate) fn frame(calls: &[(u32, &str, &str)]) -> Vec<u8> {
    let mut frame = Calls::default();
    for (id, function, arguments) in calls {
        frame.push(*id, function, arguments);
    }
    frame.take(Vec::new())
}
