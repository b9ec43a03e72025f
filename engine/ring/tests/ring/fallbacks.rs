//! The same conversation on kernels that can do less.

use pummel_ring::{probe, Capabilities, Config, End, Event, Payload};

use crate::{
    core::{capabilities, collected, on_ring, small, Collect, Echo, Side},
    peer::{assert_same, echo, listener, numbered, serve},
};

/// All features, each one missing, and none at all.
fn kernels() -> Vec<Capabilities> {
    let all = capabilities();
    vec![
        all,
        Capabilities { multishot_receive: false, ..all },
        Capabilities { fixed_files: false, ..all },
        Capabilities { defer_taskrun: false, ..all },
        Capabilities { defer_taskrun: false, coop_taskrun: false, ..all },
        Capabilities { defer_taskrun: false, coop_taskrun: false, multishot_receive: false, fixed_files: false },
    ]
}

#[test]
fn every_kernel_talks_to_a_server() {
    const BYTES: usize = 256 * 1024;
    for capabilities in kernels() {
        let (listener, address) = listener(16);
        let peer = serve(listener, 8, |stream| {
            std::thread::spawn(|| echo(stream));
        });
        on_ring(Config { capabilities, ..small() }, move |ring| async move {
            let kept = ring.keep(numbered(1000));
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let ring = ring.clone();
                    ring.clone().spawn(async move {
                        let socket = ring.connect(address, Collect::default()).unwrap();
                        for _ in 0..20 {
                            socket.send(Payload::Run(kept));
                            collected(&socket, 1000).await;
                            assert_same(&socket.with(|sink| sink.take()), &numbered(1000));
                        }
                        socket.send(Payload::Owned(numbered(BYTES)));
                        collected(&socket, BYTES).await;
                        assert_same(&socket.with(|sink| sink.take()), &numbered(BYTES));
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
        });
        peer.join().unwrap();
    }
}

#[test]
fn every_kernel_serves_a_client() {
    for capabilities in kernels() {
        let (listener, address) = listener(16);
        on_ring(Config { capabilities, ..small() }, move |ring| async move {
            let acceptor = ring.accept(listener);
            let client = ring.connect(address, Side::Client(Collect::default())).unwrap();
            let server = ring.adopt(acceptor.accept().await.unwrap(), Side::Server(Echo::default())).unwrap();
            let (mailing, mailbox) = ring.mailbox();
            assert_eq!(client.event().await, Event::Connected);
            client.send(Payload::Owned(b"one".to_vec()));
            assert!(matches!(client.event().await, Event::Data { .. }));
            mailing.send(1).unwrap();
            assert_eq!(mailbox.receive().await, Some(1));
            client.reset();
            assert_eq!(server.event().await, Event::End(End::Error(libc::ECONNRESET)));
        });
    }
}

#[test]
fn a_ring_that_is_too_large_still_starts() {
    // More registered files than any limit allows: sockets are then ordinary descriptors.
    let config = Config { max_sockets: u32::MAX, ..small() };
    let (listener, address) = listener(16);
    let peer = serve(listener, 1, echo);
    on_ring(config, move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        socket.send(Payload::Owned(b"hello".to_vec()));
        collected(&socket, 5).await;
    });
    peer.join().unwrap();
    assert!(probe().is_ok());
}
