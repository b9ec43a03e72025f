//! When connections end: by agreement, by fault, and by the stop.

use std::io::{ErrorKind, Read};

use crate::client::{api, target, Client};

fn closing(answer: &str) -> String {
    answer.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

#[test]
fn after_so_many_answers() {
    let target = target(1);
    let mut client = Client::new(&target);
    for _ in 0..2 {
        client.get("/close-after/3/api");
        client.expect(&api());
    }
    client.get("/close-after/3/api");
    client.expect(&closing(&api()));
    assert_eq!(client.rest(), Ok(vec![]));

    let mut silent = Client::new(&target);
    silent.get("/api?close_after=1&announce=0");
    silent.expect(&api());
    assert_eq!(silent.rest(), Ok(vec![]));

    let mut at_once = Client::new(&target);
    at_once.get("/close");
    at_once.expect(&closing(&api()));
    assert_eq!(at_once.rest(), Ok(vec![]));
}

#[test]
fn as_the_client_asks() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.send(b"GET /api HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    client.expect(&closing(&api()));
    assert_eq!(client.rest(), Ok(vec![]));

    let mut old = Client::new(&target);
    old.send(b"GET /api HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    old.expect(&api().replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n"));
    old.send(b"GET /chunked/3 HTTP/1.0\r\n\r\n");
    let head = old.head();
    assert!(head.contains("\r\nContent-Length: 3\r\nConnection: close\r\n"), "{head}");
    assert_eq!(old.rest(), Ok(b"abc".to_vec()));
}

#[test]
fn a_client_that_closes_its_side_gets_its_answers() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/api");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.rest(), Ok(api().into_bytes()));
}

#[test]
fn faults() {
    let target = target(1);
    let fault = |path: &str| {
        let mut client = Client::new(&target);
        client.get("/api");
        client.expect(&api());
        client.get(path);
        client
    };
    assert_eq!(fault("/reset").rest(), Err(ErrorKind::ConnectionReset));
    assert_eq!(fault("/drop").rest(), Ok(vec![]));
    let mut half = fault("/half/1000");
    assert!(half.head().contains("\r\nContent-Length: 1000\r\n"));
    assert_eq!(half.rest().unwrap().len(), 500);
    let garbage = fault("/garbage").rest().unwrap();
    assert!(!garbage.is_empty() && !garbage.starts_with(b"HTTP"));
    // 4 times two requests, and all 4 connections are gone.
    let counts = target.stop();
    assert_eq!((counts.requests, counts.connections_opened, counts.connections_open), (8, 4, 0));
}

#[test]
fn what_is_no_request_is_refused() {
    let target = target(1);
    for (bytes, status) in [
        (&b"what?\r\n\r\n"[..], "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
    ] {
        let mut client = Client::new(&target);
        client.send(bytes);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = String::from_utf8(client.rest().unwrap()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(target.counts().refused, 3);
}

#[test]
fn the_stop_ends_open_delayed_and_hanging_connections() {
    let target = target(2);
    let mut clients: Vec<_> = (0..60).map(|_| Client::new(&target)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.get("/api");
        client.expect(&api());
        match index % 3 {
            0 => client.get("/hang"),
            1 => client.get("/delay/600000"),
            _ => {}
        }
    }
    let counts = target.stop();
    assert_eq!((counts.connections_opened, counts.connections_open), (60, 0));
    for client in &mut clients {
        // The end, or a reset where a request was still unread.
        let mut byte = [0];
        assert!(matches!(client.stream.read(&mut byte), Ok(0) | Err(_)));
    }
}

#[test]
fn a_dropped_target_frees_its_port() {
    let target = target(1);
    let address = target.local_addr();
    drop(target);
    assert!(std::net::TcpStream::connect(address).is_err());
}
