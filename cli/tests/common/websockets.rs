//! Servers that speak WebSocket: one made by others, one that breaks every rule.

#[path = "python_server.rs"]
mod python_server;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use python_server::PythonServer;
use tungstenite::handshake::derive_accept_key;

use crate::certificates::Certificate;

/// `cases/websocket_server.py` on a port of its own; ended when dropped.
pub(crate) struct Websockets(PythonServer);

impl Websockets {
    /// Starts one, over TLS where there is a certificate.
    pub(crate) fn start(certificate: Option<&Certificate>) -> Self {
        // Where the script made none, the system's may have the package.
        let python = std::env::var_os("PUMMEL_WEBSOCKETS_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/websocket_server.py"));
        if let Some(Certificate { certificate, key }) = certificate {
            command.arg(certificate).arg(key);
        }
        let needed = "(the package websockets is needed: scripts/test.sh makes PUMMEL_WEBSOCKETS_PYTHON)";
        Self(PythonServer::start(&mut command, &format!("the websocket server {needed}")))
    }

    /// Its address, as `host:port`.
    pub(crate) fn address(&self) -> String {
        self.0.address()
    }
}

/// A server that does what the path asks for, wrong as a rule, and then says nothing more. It lasts as long as the test.
pub(crate) fn hostile_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// A frame from its first byte and its payload, unmasked as a server's are (RFC 6455 section 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short one");
    [&[first, length], payload].concat()
}

/// What takes a handshake with this key.
pub(crate) fn accepted(key: &str) -> String {
    format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
}

fn answer(mut stream: TcpStream) {
    let Some((path, key)) = read_handshake(&stream) else { return };
    let good = accepted(&key);
    let after: Vec<u8> = match &*path {
        "/stall" => return hold(stream),
        "/half" => {
            let _ = stream.write_all(&good.as_bytes()[..20]);
            return;
        }
        "/ok" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nnever all of it");
            return hold(stream);
        }
        "/garbage" => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9\r\n\r\n");
            return hold(stream);
        }
        "/key" => {
            let _ = stream.write_all(accepted("another").as_bytes());
            return hold(stream);
        }
        "/early" => frame(0x81, b"early"),
        "/masked" => vec![0x81, 0x81, 0, 0, 0, 0, b'a'],
        "/reserved" => frame(0xc1, b"a"),
        "/opcode" => frame(0x83, b"a"),
        "/control" => frame(0x8b, b""),
        "/utf8" => frame(0x81, b"\xff\xfe"),
        "/oversized" => [&[0x82, 127][..], &(17_u64 << 20).to_be_bytes()].concat(),
        "/endless" => [&[0x82, 127][..], &u64::MAX.to_be_bytes()].concat(),
        "/fragmented-ping" => frame(0x09, b""),
        "/long-ping" => [&[0x89, 126, 0, 126][..], &[0; 126]].concat(),
        "/continuation" => frame(0x80, b"a"),
        "/interleaved" => [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
        "/close-of-one-byte" => frame(0x88, b"\x03"),
        "/close-without-code" => frame(0x88, b""),
        "/gone" => {
            let _ = stream.write_all(good.as_bytes());
            return;
        }
        "/pings" => {
            let _ = stream.write_all(good.as_bytes());
            let pings = frame(0x89, &[7; 125]).repeat(100);
            // It reads nothing, so the pongs soon find no room.
            while stream.write_all(&pings).is_ok() {}
            return;
        }
        _ => Vec::new(),
    };
    let _ = stream.write_all(&[good.as_bytes(), &after].concat());
    hold(stream);
}

/// The path and the key of a handshake.
fn read_handshake(stream: &TcpStream) -> Option<(String, String)> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut key = String::new();
    for line in lines {
        let line = line.ok()?;
        if let Some((_, value)) =
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        {
            value.clone_into(&mut key);
        }
        if line.is_empty() {
            return Some((path, key));
        }
    }
    None
}

/// Reads to the end and says nothing.
fn hold(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let _ = io::copy(&mut stream, &mut io::sink());
    let _ = stream.shutdown(Shutdown::Both);
}
