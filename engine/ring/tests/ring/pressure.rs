//! More than fits: too few buffers, a full submission queue, a reader that lags.

use std::{cell::RefCell, io::Write, rc::Rc, thread};

use pummel_ring::{now_ns, Capabilities, Config, End, Event, Flow, Payload, Sink};

use crate::{
    core::{capabilities, collected, ended, on_ring, small, Collect, Echo, Side},
    peer::{assert_same, listener, numbered, serve},
};

#[test]
fn sixteen_buffers_serve_a_flood_of_a_hundred_connections() {
    const CONNECTIONS: usize = 100;
    const BYTES: usize = 64 * 1024;
    for capabilities in [capabilities(), Capabilities { multishot_receive: false, ..capabilities() }] {
        let (listener, address) = listener(256);
        let peer = serve(listener, CONNECTIONS, |mut stream| {
            thread::spawn(move || stream.write_all(&numbered(BYTES)).unwrap());
        });
        let config = Config { max_sockets: 128, buffers: 16, buffer_bytes: 64, capabilities };
        on_ring(config, move |ring| async move {
            let sockets: Vec<_> =
                (0..CONNECTIONS).map(|_| ring.connect(address, Collect::default()).unwrap()).collect();
            for socket in &sockets {
                collected(socket, BYTES).await;
                assert_eq!(ended(socket).await, End::Eof);
                assert_same(&socket.with(|sink| sink.take()), &numbered(BYTES));
            }
        });
        peer.join().unwrap();
    }
}

#[test]
fn two_thousand_operations_at_once_pass_a_queue_of_five_hundred() {
    const CONNECTIONS: u32 = 2_200;
    raise_descriptor_limit();
    let (listener, address) = listener(4096);
    let config = Config { max_sockets: 2 * CONNECTIONS, buffers: 256, buffer_bytes: 512, capabilities: capabilities() };
    on_ring(config, move |ring| async move {
        let served = ring.spawn({
            let ring = ring.clone();
            async move {
                let acceptor = ring.accept(listener);
                let mut sockets = Vec::new();
                while sockets.len() < CONNECTIONS as usize {
                    let fd = acceptor.accept().await.unwrap();
                    sockets.push(ring.adopt(fd, Side::Server(Echo::default())).unwrap());
                }
                sockets
            }
        });
        // No await between them: all 2,200 connects wait for the same enter, and later so do the sends.
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| ring.connect(address, Side::Client(Collect::default())).unwrap()).collect();
        for client in &clients {
            assert_eq!(client.event().await, Event::Connected);
        }
        let servers = served.await;
        for (number, client) in clients.iter().enumerate() {
            client.send(Payload::Owned((number as u32).to_le_bytes().to_vec()));
        }
        for (number, client) in clients.iter().enumerate() {
            let echoed = |side: &mut Side| match side {
                Side::Client(sink) => sink.take(),
                Side::Server(_) => unreachable!("clients have client sinks"),
            };
            let mut got = client.with(echoed);
            while got.len() < 4 {
                assert!(matches!(client.event().await, Event::Data { .. }));
                got.extend(client.with(echoed));
            }
            assert_eq!(got, (number as u32).to_le_bytes());
        }
        // And all of them are closed at once: two cancels for each pair.
        drop(clients);
        drop(servers);
    });
}

/// The server's and the client's ends of all connections are in one process, and the default soft limit is 1,024.
#[allow(unsafe_code)]
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid limit to fill or to read.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

/// Stops receiving when it holds too much.
#[derive(Clone, Default)]
struct Lagging {
    held: Rc<RefCell<Vec<u8>>>,
    most: Rc<RefCell<usize>>,
}

/// The ring's users stop at this (design: inbound limit).
const LIMIT: usize = 256 * 1024;

impl Sink for Lagging {
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        let mut held = self.held.borrow_mut();
        held.extend_from_slice(bytes);
        let mut most = self.most.borrow_mut();
        *most = held.len().max(*most);
        if held.len() > LIMIT {
            Flow::Pause
        } else {
            Flow::Wake
        }
    }
}

#[test]
fn a_lagging_reader_holds_the_sender_back_and_gets_everything() {
    const BYTES: usize = 8 * 1024 * 1024;
    for capabilities in [capabilities(), Capabilities { multishot_receive: false, ..capabilities() }] {
        let (listener, address) = listener(16);
        let peer = serve(listener, 1, |mut stream| stream.write_all(&numbered(BYTES)).unwrap());
        let config = Config { capabilities, ..small() };
        let buffered = config.buffers as usize * config.buffer_bytes;
        on_ring(config, move |ring| async move {
            let sink = Lagging::default();
            let socket = ring.connect(address, sink.clone()).unwrap();
            let mut all = Vec::new();
            while all.len() < BYTES {
                let event = socket.event().await;
                assert!(matches!(event, Event::Connected | Event::Data { .. }), "{event:?}");
                // The sender goes on meanwhile, as far as it is let.
                ring.sleep_until(now_ns() + 2_000_000).await;
                all.extend(sink.held.take());
                socket.resume();
            }
            assert_eq!(ended(&socket).await, End::Eof);
            assert_same(&all, &numbered(BYTES));
            let most = *sink.most.borrow();
            assert!(most > LIMIT, "the sender was never held back");
            assert!(most <= LIMIT + buffered, "{most} bytes were held");
        });
        peer.join().unwrap();
    }
}
