//! Sockets dropped with operations under way, and the ring's end. That nothing is left under way is checked after each.

use std::io::Write;

use pummel_ring::{now_ns, Event, Payload};

use crate::{
    core::{on_ring, small, Collect},
    peer::{listener, narrow_listener, numbered},
};

#[test]
fn drops_while_connecting_to_a_host_that_does_not_answer() {
    // Nobody accepts, and there is room for two: the other connects wait.
    let (listener, address) = listener(1);
    on_ring(small(), move |ring| async move {
        let sockets: Vec<_> = (0..20).map(|_| ring.connect(address, Collect::default()).unwrap()).collect();
        let waiting = sockets.last().unwrap();
        waiting.set_deadline(now_ns() + 20_000_000);
        assert_eq!(waiting.event().await, Event::Timeout);
        drop(sockets);
        drop(listener);
    });
}

#[test]
fn drops_while_receiving_and_sending() {
    let (listener, address) = narrow_listener();
    on_ring(small(), move |ring| async move {
        let large = numbered(8 * 1024 * 1024);
        for round in 0..40 {
            let socket = ring.connect(address, Collect::default()).unwrap();
            assert_eq!(socket.event().await, Event::Connected);
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&large[..100_000]).unwrap();
            if round % 2 == 0 {
                socket.send(Payload::Owned(large.clone()));
            }
            if round % 3 == 0 {
                assert!(matches!(socket.event().await, Event::Data { .. }));
            }
            drop(socket);
        }
    });
}

#[test]
fn a_refused_connect_is_an_error_of_its_own() {
    let (listener, address) = listener(1);
    drop(listener);
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        let Event::End(end) = socket.event().await else { panic!("nobody listens") };
        assert_eq!(end.to_io().raw_os_error(), Some(libc::ECONNREFUSED));
    });
}

#[test]
fn the_end_of_the_ring_cancels_what_its_tasks_left() {
    let (listener, address) = listener(16);
    on_ring(small(), move |ring| async move {
        // A mailbox with its bell, an acceptor, and open sockets, all waiting when the test returns.
        let (sender, mailbox) = ring.mailbox::<()>();
        let acceptor = ring.accept(listener);
        let accepting = ring.spawn({
            let ring = ring.clone();
            async move {
                loop {
                    let fd = acceptor.accept().await.unwrap();
                    let _socket = ring.adopt(fd, Collect::default()).unwrap();
                }
            }
        });
        let waiting = ring.spawn(async move { mailbox.receive().await });
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        accepting.cancel().await;
        waiting.cancel().await;
        drop(sender);
    });
}
