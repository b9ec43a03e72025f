//! The other end of the tests' connections: blocking sockets on threads.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use socket2::{Domain, Socket, Type};

/// A listener on a free port of the loopback interface, with room for so many connections nobody has accepted.
pub(crate) fn listener(backlog: i32) -> (TcpListener, SocketAddr) {
    listen(unbound(), backlog)
}

/// A small receive buffer, that of [`narrow_listener`]; the kernel doubles it.
const NARROW_BYTES: usize = 64 * 1024;

/// The same, whose connections have a small receive buffer that does not grow, so that senders soon meet resistance.
pub(crate) fn narrow_listener() -> (TcpListener, SocketAddr) {
    let socket = unbound();
    socket.set_recv_buffer_size(NARROW_BYTES).expect("a buffer size");
    listen(socket, 128)
}

fn unbound() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket")
}

fn listen(socket: Socket, backlog: i32) -> (TcpListener, SocketAddr) {
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bind");
    socket.listen(backlog).expect("listen");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Serves so many connections, one after the other, on a thread.
pub(crate) fn serve(
    listener: TcpListener,
    connections: usize,
    mut conversation: impl FnMut(TcpStream) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        for _ in 0..connections {
            conversation(listener.accept().expect("accept").0);
        }
    })
}

/// Sends back what arrives until the client closes.
pub(crate) fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        stream.write_all(&buffer[..len]).expect("the client reads");
    }
}

/// `len` bytes of which each eight are their own place, so that a byte lost, doubled or moved shows.
pub(crate) fn numbered(len: usize) -> Vec<u8> {
    (0..=len as u64 / 8).flat_map(u64::to_le_bytes).take(len).collect()
}

/// Compares without printing megabytes.
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    assert_eq!(got.len(), expected.len());
    let differ = got.iter().zip(expected).position(|(got, expected)| got != expected);
    assert_eq!(differ, None, "the first byte that differs");
}
