//! The server's side of a connection.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use pummel_ring::{End, Event};

use crate::{
    core::{on_ring, small, Echo},
    peer::{assert_same, listener, numbered},
};

#[test]
fn accepted_connections_are_answered_by_their_sink() {
    const CLIENTS: usize = 20;
    const BYTES: usize = 300_000;
    let (listener, address) = listener(64);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let mut writer = stream.try_clone().unwrap();
                let writing = thread::spawn(move || {
                    writer.write_all(&numbered(BYTES)).unwrap();
                });
                // Answers come while requests are still being sent: each waits for the one before it.
                let mut got = vec![0; BYTES];
                stream.read_exact(&mut got).unwrap();
                assert_same(&got, &numbered(BYTES));
                writing.join().unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                assert_eq!(stream.read(&mut got).unwrap(), 0);
            })
        })
        .collect();
    on_ring(small(), move |ring| async move {
        let acceptor = ring.accept(listener);
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            let socket = ring.adopt(acceptor.accept().await.unwrap(), Echo::default()).unwrap();
            // The owner is woken for the end alone.
            tasks.push(ring.spawn(async move { socket.event().await }));
        }
        for task in tasks {
            assert_eq!(task.await, Event::End(End::Eof));
        }
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn two_listeners_of_one_ring_keep_their_connections_apart() {
    let (first, first_address) = listener(16);
    let (second, second_address) = listener(16);
    on_ring(small(), move |ring| async move {
        let (first, second) = (ring.accept(first), ring.accept(second));
        for _ in 0..5 {
            let to_second = ring.connect(second_address, Echo::default()).unwrap();
            let to_first = ring.connect(first_address, Echo::default()).unwrap();
            for (acceptor, address) in [(&first, first_address), (&second, second_address)] {
                let fd = acceptor.accept().await.unwrap();
                assert_eq!(TcpStream::from(fd).local_addr().unwrap(), address);
            }
            drop((to_first, to_second));
        }
    });
}
