//! A server that answers before it has read the request: the bytes it reads later are still those that were sent.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{channel, Receiver, Sender},
    thread::JoinHandle,
};

use pummel_ring::{Event, Flow, Payload, Ring, Sink, Socket};

use crate::{
    core::{collected, on_ring, small, Collect},
    peer::{narrow_listener, serve},
};

const BODY_BYTES: usize = 16 * 1024 * 1024;
const ANSWER: &[u8] = b"413";

/// Reads 1 KiB, answers, and reads the rest only when told to. Says how many bytes of each kind came.
fn impatient(
    listener: TcpListener,
    connections: usize,
    go: Receiver<()>,
    counts: Sender<(usize, usize)>,
) -> JoinHandle<()> {
    serve(listener, connections, move |mut stream: TcpStream| {
        let mut all = vec![0; 1024];
        stream.read_exact(&mut all).unwrap();
        stream.write_all(ANSWER).unwrap();
        go.recv().unwrap();
        // A drop of the socket cuts the stream off, by a reset or not.
        let _ = stream.read_to_end(&mut all);
        let (a, b): (Vec<u8>, Vec<u8>) = all.iter().partition(|byte| **byte == b'A');
        assert!(b.iter().all(|byte| *byte == b'B'), "no byte that nobody sent");
        counts.send((a.len(), b.len())).unwrap();
    })
}

async fn answered(ring: &Ring<Collect>, address: SocketAddr, payload: Payload) -> Socket<Collect> {
    let socket = ring.connect(address, Collect::default()).unwrap();
    assert_eq!(socket.event().await, Event::Connected);
    socket.send(payload);
    collected(&socket, ANSWER.len()).await;
    assert!(socket.sending(), "the peer has read 1 KiB, and its buffer is small");
    socket
}

#[test]
fn the_buffer_comes_back_only_after_the_kernel_is_done_with_it() {
    let (listener, address) = narrow_listener();
    let (go, wait) = channel();
    let (counts, counted) = channel();
    let peer = impatient(listener, 1, wait, counts);
    on_ring(small(), move |ring| async move {
        let socket = answered(&ring, address, Payload::Owned(vec![b'A'; BODY_BYTES])).await;
        assert_eq!(socket.take_buffer().capacity(), 0, "the buffer is still being sent");
        go.send(()).unwrap();
        socket.flushed().await;
        let mut buffer = socket.take_buffer();
        assert!(buffer.capacity() >= BODY_BYTES);
        buffer.resize(BODY_BYTES, b'B');
        socket.send(Payload::Owned(buffer));
        socket.flushed().await;
    });
    peer.join().unwrap();
    assert_eq!(counted.recv().unwrap(), (BODY_BYTES, BODY_BYTES));
}

#[test]
fn a_dropped_socket_keeps_its_buffer_until_the_cancel_is_through() {
    const CONNECTIONS: usize = 8;
    let (listener, address) = narrow_listener();
    let (go, wait) = channel();
    let (counts, counted) = channel();
    let peer = impatient(listener, CONNECTIONS, wait, counts);
    on_ring(small(), move |ring| async move {
        for _ in 0..CONNECTIONS {
            let socket = answered(&ring, address, Payload::Owned(vec![b'A'; BODY_BYTES])).await;
            drop(socket);
            // Were the buffer free already, the allocator would give the same memory again, and the peer would read this.
            let overwrite = std::hint::black_box(vec![b'B'; BODY_BYTES]);
            go.send(()).unwrap();
            ring.sleep_until(pummel_ring::now_ns() + 1_000_000).await;
            drop(overwrite);
        }
    });
    peer.join().unwrap();
    for (a, b) in counted {
        assert!((1024..BODY_BYTES).contains(&a), "the stream was cut off");
        assert_eq!(b, 0, "no byte of a later buffer");
    }
}

/// Says that it has something to send, and then has nothing.
struct Speechless(bool);

impl Sink for Speechless {
    fn on_data(&mut self, _: &mut [u8]) -> Flow {
        self.0 = true;
        Flow::ReplyAndWake
    }

    fn reply(&mut self, spare: Vec<u8>) -> Vec<u8> {
        spare
    }
}

#[test]
fn an_answer_that_turns_out_empty_does_not_hide_the_end_of_the_send_before_it() {
    let (listener, address) = narrow_listener();
    let (go, wait) = channel();
    let (counts, counted) = channel();
    let peer = impatient(listener, 1, wait, counts);
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Speechless(false)).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        socket.send(Payload::Owned(vec![b'A'; BODY_BYTES]));
        assert!(matches!(socket.event().await, Event::Data { .. }));
        assert!(socket.with(|sink| sink.0) && socket.sending());
        go.send(()).unwrap();
        socket.flushed().await;
        assert!(!socket.sending());
    });
    assert_eq!(counted.recv().unwrap(), (BODY_BYTES, 0));
    peer.join().unwrap();
}
