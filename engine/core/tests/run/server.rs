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
