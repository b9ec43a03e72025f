//! Sending: everything arrives once and in order, however slowly the peer reads.

use std::{io::Read, net::TcpStream, sync::mpsc::channel};

use pummel_ring::{now_ns, End, Event, Payload};

use crate::{
    core::{collected, on_ring, small, Collect},
    peer::{assert_same, echo, listener, narrow_listener, numbered, serve},
};

/// Reads to the end in small pieces.
fn read_slowly(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 1500];
    while let Ok(len @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..len]);
    }
    all
}

#[test]
fn owned_and_run_long_bytes_come_back() {
    let (listener, address) = listener(16);
    let peer = serve(listener, 1, echo);
    on_ring(small(), move |ring| async move {
        let again = ring.keep(b"again".to_vec());
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        socket.send(Payload::Owned(b"hello ".to_vec()));
        collected(&socket, 6).await;
        assert!(socket.sent_ns() > 0);
        // The buffer comes back, empty, for the next send.
        let buffer = socket.take_buffer();
        assert!(buffer.is_empty() && buffer.capacity() >= 6);
        for round in 1..=3 {
            socket.send(Payload::Run(again));
            collected(&socket, 6 + round * again.len()).await;
        }
        assert_eq!(socket.with(|sink| sink.take()), b"hello againagainagain");
    });
    peer.join().unwrap();
}

#[test]
fn a_timed_send_tells_when_the_kernel_had_all_of_it() {
    let (listener, address) = listener(16);
    let peer = serve(listener, 1, echo);
    on_ring(small(), move |ring| async move {
        let hello = ring.keep(b"hello".to_vec());
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        // A small send of run-long bytes reports nothing by itself.
        socket.send(Payload::Run(hello));
        collected(&socket, 5).await;
        assert_eq!(socket.taken_ns(), 0);
        for (payload, so_far) in [(Payload::Run(hello), 10), (Payload::Owned(b"hello".to_vec()), 15)] {
            socket.time_next_send();
            assert_eq!(socket.taken_ns(), 0, "that was the send before");
            socket.send(payload);
            collected(&socket, so_far).await;
            assert!(!socket.sending());
            assert!(socket.sent_ns() <= socket.taken_ns() && socket.taken_ns() <= now_ns());
        }
    });
    peer.join().unwrap();
}

#[test]
fn sixteen_mebibytes_reach_a_slow_reader_whole() {
    let (listener, address) = narrow_listener();
    let (got, received) = channel();
    let peer = serve(listener, 2, move |stream| got.send(read_slowly(stream)).unwrap());
    let bytes = numbered(16 * 1024 * 1024);
    let expected = bytes.clone();
    on_ring(small(), move |ring| async move {
        let kept = ring.keep(bytes.clone());
        for payload in [Payload::Owned(bytes), Payload::Run(kept)] {
            let socket = ring.connect(address, Collect::default()).unwrap();
            assert_eq!(socket.event().await, Event::Connected);
            socket.send(payload);
            assert!(socket.sending());
            socket.flushed().await;
            assert_eq!(socket.ended(), None);
        }
    });
    peer.join().unwrap();
    for got in received {
        assert_same(&got, &expected);
    }
}

#[test]
fn quiet_sends_into_a_full_buffer_are_neither_lost_nor_mixed() {
    const ROUNDS: usize = 512;
    let (listener, address) = narrow_listener();
    let (got, received) = channel();
    let (go, may_read) = channel();
    let peer = serve(listener, 1, move |stream| {
        may_read.recv().unwrap();
        got.send(read_slowly(stream)).unwrap();
    });
    let bytes = numbered(16 * 1024);
    let expected = bytes.repeat(ROUNDS);
    on_ring(small(), move |ring| async move {
        let kept = ring.keep(bytes);
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        // 8 MiB at 16 KiB a send are more than the kernel takes while nobody reads.
        let mut full = false;
        for _ in 0..ROUNDS {
            socket.send(Payload::Run(kept));
            // Handed over without being waited for; that it was not taken shows a pass later.
            while socket.sent_ns() == 0 {
                ring.sleep_until(now_ns() + 10_000).await;
            }
            if socket.sending() && !full {
                full = true;
                go.send(()).unwrap();
            }
            socket.flushed().await;
        }
        assert!(full, "the peer did not read, and yet all was taken");
        assert_eq!(socket.ended(), None);
    });
    peer.join().unwrap();
    assert_same(&received.recv().unwrap(), &expected);
}

#[test]
fn a_send_to_a_peer_that_is_gone_ends_the_stream() {
    let (listener, address) = listener(16);
    // Closing with bytes unread resets the connection.
    let peer = serve(listener, 1, |stream| {
        let mut one = [0];
        (&stream).read_exact(&mut one).unwrap();
    });
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        socket.send(Payload::Owned(numbered(16 * 1024 * 1024)));
        loop {
            match socket.event().await {
                Event::End(End::Error(errno)) => {
                    assert!(matches!(errno, libc::ECONNRESET | libc::EPIPE), "errno {errno}");
                    break;
                }
                Event::End(End::Eof) => panic!("a reset is no end of stream"),
                _ => {}
            }
        }
        socket.flushed().await;
        assert!(!socket.sending());
    });
    peer.join().unwrap();
}

#[test]
fn a_reset_reaches_the_peer_as_one() {
    let (listener, address) = listener(16);
    let (said, heard) = channel();
    let peer = serve(listener, 1, move |mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        said.send(stream.read(&mut byte).map_err(|error| error.raw_os_error())).unwrap();
    });
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        socket.send(Payload::Owned(vec![1]));
        socket.flushed().await;
        socket.reset();
    });
    peer.join().unwrap();
    assert_eq!(heard.recv().unwrap(), Err(Some(libc::ECONNRESET)));
}
