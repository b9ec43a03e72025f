//! Servers that behave as a test needs: the embedded target, and scripts of a connection's life.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use pummel_target::{Target, TargetOptions};

use crate::plan::cpus;

/// A complete response that keeps the connection.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The embedded target on one CPU.
pub(crate) fn target() -> Target {
    Target::start(TargetOptions { listen: (Ipv4Addr::LOCALHOST, 0).into(), cpus: cpus(1) }).expect("a target")
}

/// A server that plays `script` on a thread for each connection. It lives as long as the test program.
pub(crate) fn scripted(script: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let script = script.clone();
            thread::spawn(move || script(&mut stream));
        }
    });
    address
}

/// Reads one request without a body; false when the client has closed.
pub(crate) fn read_request(stream: &mut TcpStream) -> bool {
    read_target(stream).is_some()
}

/// Reads one request without a body and gives its target; none when the client has closed.
pub(crate) fn read_target(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8_lossy(&request).split(' ').nth(1).map(str::to_owned)
}

/// The targets of the requests a server was sent, in order.
pub(crate) type Targets = Arc<Mutex<Vec<String>>>;

/// A server that answers every request as `answer` says and writes its target down.
pub(crate) fn recording(answer: impl Fn(&str) -> Vec<u8> + Clone + Send + 'static) -> (SocketAddr, Targets) {
    let targets = Targets::default();
    let seen = Arc::clone(&targets);
    let address = scripted(move |stream| {
        while let Some(target) = read_target(stream) {
            seen.lock().expect("no panic").push(target.clone());
            write(stream, &answer(&target));
        }
    });
    (address, targets)
}

/// Writes to a client that may be gone.
pub(crate) fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// A port of this machine on which nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound listener")
}

/// A request as a server of [`answering`] sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The lines behind the first, as they came.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
    /// Which of the server's connections it came on, from 0.
    pub(crate) connection: usize,
}

impl Seen {
    /// The value of a field; empty where there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }
}

/// What a server of [`answering`] has seen, in the order in which it came.
pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

/// A server at `host` that writes what `answer` makes of each request, and closes where that is empty.
pub(crate) fn answering(
    host: Ipv4Addr,
    answer: impl Fn(&Seen) -> Vec<u8> + Clone + Send + 'static,
) -> (SocketAddr, Log) {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let log = Log::default();
    let seen = Arc::clone(&log);
    thread::spawn(move || {
        for (connection, mut stream) in listener.incoming().flatten().enumerate() {
            let (answer, seen) = (answer.clone(), Arc::clone(&seen));
            thread::spawn(move || {
                while let Some(request) = read_whole_request(&mut stream, connection) {
                    seen.lock().expect("no server panics").push(request.clone());
                    let response = answer(&request);
                    if response.is_empty() {
                        return;
                    }
                    write(&mut stream, &response);
                }
            });
        }
    });
    (address, log)
}

/// Reads a request and its body; none when the client has closed.
fn read_whole_request(stream: &mut TcpStream, connection: usize) -> Option<Seen> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head in UTF-8");
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let fields: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut seen = Seen { method, target, fields, body: String::new(), connection };
    let mut body = vec![0; seen.field("Content-Length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8(body).expect("a body in UTF-8");
    Some(seen)
}

/// A response of 2 bytes with these header lines, each with its line end.
pub(crate) fn response(status: &str, fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n{fields}\r\nok").into_bytes()
}

/// A redirect.
pub(crate) fn redirect(status: &str, location: &str) -> Vec<u8> {
    response(status, &format!("Location: {location}\r\n"))
}
