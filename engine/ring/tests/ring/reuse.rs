//! Slots are used again, and nothing of one life reaches the next.

use std::{
    cell::Cell,
    io::{Read, Write},
    rc::Rc,
};

use pummel_ring::{Config, Event, Payload};

use crate::{
    core::{collected, on_ring, small, Collect},
    peer::{echo, listener, serve},
};

#[test]
fn thousands_of_connections_share_a_few_slots() {
    const TASKS: u32 = 16;
    const CONNECTIONS_OF_EACH: u32 = 200;
    let (listener, address) = listener(1024);
    // Answers each tag with itself, many times over and in several segments, so that much is under way at a close.
    let peer = serve(listener, (TASKS * CONNECTIONS_OF_EACH) as usize, |mut stream| {
        let mut tag = [0; 4];
        if stream.read_exact(&mut tag).is_ok() {
            for _ in 0..4 {
                // Fails when the client has gone, as it may.
                let _ = stream.write_all(&tag.repeat(64));
            }
        }
    });
    // Twice as many slots as tasks, since a slot is free only after its last completion.
    on_ring(Config { max_sockets: 2 * TASKS, ..small() }, move |ring| async move {
        let opened = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (ring, opened) = (ring.clone(), Rc::clone(&opened));
                ring.clone().spawn(async move {
                    for round in 0..CONNECTIONS_OF_EACH {
                        let tag = task * CONNECTIONS_OF_EACH + round;
                        let sink = Collect::default();
                        let socket = loop {
                            match ring.connect(address, sink.clone()) {
                                Ok(socket) => break socket,
                                Err(error) => {
                                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                                    ring.sleep_until(pummel_ring::now_ns() + 1_000_000).await;
                                }
                            }
                        };
                        socket.send(Payload::Owned(tag.to_le_bytes().to_vec()));
                        // Dropped while connecting, while sending, while receiving, and after everything.
                        match round % 4 {
                            0 => {}
                            1 => assert_eq!(socket.event().await, Event::Connected),
                            2 => collected(&socket, 4).await,
                            _ => collected(&socket, 1024).await,
                        }
                        drop(socket);
                        opened.set(opened.get() + 1);
                        let got = sink.take();
                        assert!(got.len() <= 1024);
                        assert!(got.chunks(4).all(|four| tag.to_le_bytes().starts_with(four)), "bytes of another life");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(opened.get(), TASKS * CONNECTIONS_OF_EACH);
    });
    peer.join().unwrap();
}

#[test]
fn a_full_ring_refuses_and_recovers() {
    let (listener, address) = listener(16);
    let peer = serve(listener, 3, |stream| {
        std::thread::spawn(|| echo(stream));
    });
    on_ring(Config { max_sockets: 2, ..small() }, move |ring| async move {
        let first = ring.connect(address, Collect::default()).unwrap();
        let second = ring.connect(address, Collect::default()).unwrap();
        let refused = ring.connect(address, Collect::default()).err().unwrap();
        assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(first.event().await, Event::Connected);
        drop(first);
        let third = loop {
            match ring.connect(address, Collect::default()) {
                Ok(socket) => break socket,
                // The slot is free only after the completion of its cancelled receive.
                Err(_) => ring.sleep_until(pummel_ring::now_ns() + 1_000_000).await,
            }
        };
        third.send(Payload::Owned(b"third".to_vec()));
        collected(&third, 5).await;
        assert_eq!(third.with(|sink| sink.take()), b"third");
        assert_eq!(second.event().await, Event::Connected);
        assert_eq!(second.with(|sink| sink.len()), 0);
    });
    peer.join().unwrap();
}
