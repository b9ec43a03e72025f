//! Where connections go and how their sockets are set.

use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{mpsc::channel, Arc},
    thread,
    time::Duration,
};

use pummel_ring::{Address, ConnectOptions, End, Event, Payload};

use crate::{
    core::{collected, on_ring, small, Collect},
    peer::{echo, listener, serve},
};

#[test]
fn a_connection_comes_from_its_source_address() {
    let (listener, address) = listener(16);
    let (tell, told) = channel();
    let peer = serve(listener, 3, move |stream| tell.send(stream.peer_addr().unwrap()).unwrap());
    on_ring(small(), move |ring| async move {
        for last in [2, 3, 2] {
            let source = Some(IpAddr::from([127, 0, 0, last]));
            let options =
                ConnectOptions { source, keepalive: Some(Duration::from_secs(5)), ..ConnectOptions::default() };
            let socket = ring.connect_with(&address.into(), &options, Collect::default()).unwrap();
            assert_eq!(socket.event().await, Event::Connected);
            assert_eq!(socket.event().await, Event::End(End::Eof));
        }
    });
    peer.join().unwrap();
    let seen: Vec<SocketAddr> = told.iter().collect();
    assert_eq!(
        seen.iter().map(SocketAddr::ip).collect::<Vec<_>>(),
        [2, 3, 2].map(|last| IpAddr::from([127, 0, 0, last]))
    );
    assert!(seen.iter().all(|from| from.port() != 0));
}

#[test]
fn a_source_that_is_not_this_machines_is_refused_at_once() {
    on_ring(small(), |ring| async move {
        // 192.0.2.0/24 is for documentation (RFC 5737): no interface has it.
        let foreign = ConnectOptions { source: Some([192, 0, 2, 1].into()), ..ConnectOptions::default() };
        let address = Address::Inet((Ipv4Addr::LOCALHOST, 1).into());
        let refused = ring.connect_with(&address, &foreign, Collect::default()).err().unwrap();
        assert_eq!(refused.raw_os_error(), Some(libc::EADDRNOTAVAIL));
        let other_family = ConnectOptions { source: Some("::1".parse().unwrap()), ..ConnectOptions::default() };
        assert!(ring.connect_with(&address, &other_family, Collect::default()).is_err());
    });
}

/// A path for a Unix socket of one test.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pummel-ring-{name}-{}.sock", std::process::id()))
}

#[test]
fn a_unix_socket_is_spoken_to_as_any_other() {
    let path = path("echo");
    let listener = UnixListener::bind(&path).unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
    });
    let to = Address::Unix(Arc::from(path.as_path()));
    assert_eq!(to.to_string(), format!("unix:{}", path.display()));
    on_ring(small(), move |ring| async move {
        let socket = ring.connect_with(&to, &ConnectOptions::default(), Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        socket.send(Payload::Owned(b"over a path".to_vec()));
        collected(&socket, 11).await;
        assert_eq!(socket.with(|sink| sink.take()), b"over a path");
    });
    peer.join().unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_unix_socket_that_is_not_there_or_has_no_listener_fails_with_its_errno() {
    let (missing, dead) = (path("missing"), path("dead"));
    drop(UnixListener::bind(&dead).unwrap());
    let ends = [(missing, libc::ENOENT), (dead.clone(), libc::ECONNREFUSED)];
    on_ring(small(), move |ring| async move {
        for (path, errno) in ends {
            let to = Address::Unix(Arc::from(path.as_path()));
            let socket = ring.connect_with(&to, &ConnectOptions::default(), Collect::default()).unwrap();
            assert_eq!(socket.event().await, Event::End(End::Error(errno)));
        }
        let too_long = Address::Unix(Arc::from(PathBuf::from(format!("/{}", "x".repeat(200))).as_path()));
        assert!(ring.connect_with(&too_long, &ConnectOptions::default(), Collect::default()).is_err());
    });
    std::fs::remove_file(&dead).unwrap();
}

#[test]
fn a_close_is_a_reset_where_asked() {
    let (listener, address) = listener(16);
    let (tell, told) = channel();
    let peer = serve(listener, 2, move |mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        let end = stream.read(&mut byte).map_err(|error| error.raw_os_error());
        tell.send((byte[0], end)).unwrap();
    });
    on_ring(small(), move |ring| async move {
        for (tag, reset_at_close) in [(1, false), (2, true)] {
            let options = ConnectOptions { reset_at_close, ..ConnectOptions::default() };
            let socket = ring.connect_with(&address.into(), &options, Collect::default()).unwrap();
            socket.send(Payload::Owned(vec![tag]));
            socket.flushed().await;
            drop(socket);
        }
    });
    peer.join().unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), [(1, Ok(0)), (2, Err(Some(libc::ECONNRESET)))]);
}

#[test]
fn held_back_small_writes_still_arrive() {
    let (listener, address) = listener(16);
    let peer = serve(listener, 1, echo);
    on_ring(small(), move |ring| async move {
        let options = ConnectOptions { nodelay: false, ..ConnectOptions::default() };
        let socket = ring.connect_with(&address.into(), &options, Collect::default()).unwrap();
        for _ in 0..3 {
            socket.send(Payload::Owned(b"ab".to_vec()));
            socket.flushed().await;
        }
        collected(&socket, 6).await;
        assert_eq!(socket.with(|sink| sink.take()), b"ababab");
    });
    peer.join().unwrap();
}
