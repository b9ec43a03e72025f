//! What the tests of the target share: a server, and a client that reads exact bytes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use pummel_target::{Target, TargetOptions};

/// No read takes a fraction of this, however busy the machine: a read that does waits for what never comes.
const WATCHDOG: Duration = Duration::from_mins(1);

/// A target on a free port; all its cores share one CPU.
pub(crate) fn target(cores: usize) -> Target {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Target::start(TargetOptions { listen, cpus: vec![first_allowed_cpu(); cores] }).expect("a target")
}

/// The first CPU this process may use.
fn first_allowed_cpu() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("Linux lists CPUs");
    list.trim().split([',', '-']).next().and_then(|first| first.parse().ok()).expect("a CPU number")
}

/// A connection to the target.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) fn new(target: &Target) -> Self {
        let stream = TcpStream::connect(target.local_addr()).expect("the target listens");
        stream.set_read_timeout(Some(WATCHDOG)).expect("a timeout");
        stream.set_write_timeout(Some(WATCHDOG)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { stream }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the target reads");
    }

    pub(crate) fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes());
    }

    /// Reads exactly what is expected, and no more.
    pub(crate) fn expect(&mut self, expected: &str) {
        let mut got = vec![0; expected.len()];
        self.stream.read_exact(&mut got).expect("as many bytes as expected");
        assert_eq!(String::from_utf8_lossy(&got), expected);
    }

    /// Reads up to the end of a head.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("heads are ASCII")
    }

    pub(crate) fn body(&mut self, len: usize) -> Vec<u8> {
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).expect("a body");
        body
    }

    /// Reads to the end of the stream.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).map_err(|error| error.kind())?;
        Ok(rest)
    }
}

/// An answer with a JSON body on a connection that stays.
pub(crate) fn json(body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
    )
}

/// What `/api` answers.
pub(crate) fn api() -> String {
    json(r#"{"code":0,"msg":"ok","data":{"id":12345,"items":[1,2,3,4,5],"name":"yangfan"}}"#)
}
