//! The embedded target as a server of the bench: it knows when requests arrived, and can be made to stand still.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;

use crate::{
    bench::Bench,
    error::{BenchError, Doing},
};

/// How long an answer may take: that with the stamps has some 30 MB.
const PATIENCE: Duration = Duration::from_secs(30);
/// Stamps a target keeps.
pub(crate) const STAMPS_MAX: u64 = 2_000_000;

/// A `pummel target` on the server's CPU; it is ended when dropped.
#[derive(Debug)]
pub(crate) struct Embedded {
    child: Child,
    address: SocketAddr,
    /// Kept so that what it says at its end has somewhere to go.
    _stdout: BufReader<ChildStdout>,
}

impl Embedded {
    /// Starts it on a free port.
    pub(crate) fn start(bench: &Bench) -> Result<Self, BenchError> {
        let mut child = Command::new(&bench.pummel)
            .args(["target", "--listen", "127.0.0.1:0", "--cpus", &bench.server_cpu.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing("start pummel target")?;
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        if let Some(address) = address_in(&line) {
            return Ok(Self { child, address, _stdout: stdout });
        }
        // It has ended, or is of no use; what went wrong stands on our stderr.
        let _ = child.kill();
        let _ = child.wait();
        read.doing("read where pummel target listens")?;
        Err(lacking("the address it listens on"))
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests served so far.
    pub(crate) fn requests(&self) -> Result<u64, BenchError> {
        self.ask("/__stats")?["requests"].as_u64().ok_or_else(|| lacking("requests"))
    }

    /// When the requests for `/stamp/...` arrived since the last call, nanoseconds of the monotonic clock, ascending.
    pub(crate) fn take_stamps(&self) -> Result<Vec<u64>, BenchError> {
        stamps_in(&self.ask("/__stamps")?).ok_or_else(|| lacking("stamps of all requests"))
    }

    /// Stops the process for about as long, and returns how long it really was.
    pub(crate) fn freeze(&self, length: Duration) -> Result<Duration, BenchError> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).doing("stop the target")?;
        let start = Instant::now();
        thread::sleep(length);
        kill_process(pid, Signal::CONT).doing("continue the target")?;
        Ok(start.elapsed())
    }

    fn ask(&self, path: &str) -> Result<Value, BenchError> {
        let ask = || {
            let mut socket = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = ask().doing(format!("ask the target for {path}"))?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).map_err(std::io::Error::from).doing(format!("read the target's {path}"))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process as well; both fail only for one that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lacking(what: &str) -> BenchError {
    BenchError::Output { name: "pummel target".into(), what: what.into() }
}

/// `listening on http://127.0.0.1:8080 (CPU 1); ...`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// None where some were dropped: the schedule cannot be seen through holes.
fn stamps_in(answer: &Value) -> Option<Vec<u64>> {
    let stamps: Option<Vec<u64>> = answer["stamps_ns"].as_array()?.iter().map(Value::as_u64).collect();
    stamps.filter(|_| answer["dropped"] == 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{address_in, stamps_in};

    #[test]
    fn the_address_stands_in_the_first_line() {
        let line =
            "listening on http://127.0.0.1:41234 (CPU 1); counts on http://127.0.0.1:41234/__stats; Ctrl-C ends it\n";
        assert_eq!(address_in(line), Some(([127, 0, 0, 1], 41234).into()));
        assert_eq!(address_in(""), None);
    }

    #[test]
    fn stamps_with_holes_are_of_no_use() {
        assert_eq!(stamps_in(&json!({"stamps_ns": [1, 5], "dropped": 0})), Some(vec![1, 5]));
        assert_eq!(stamps_in(&json!({"stamps_ns": [1, 5], "dropped": 1})), None);
    }
}
