//! Limits, queues and stamps, over real connections: what is answered and counted, not when.

use std::time::Instant;

use pummel_ring::now_ns;

use crate::client::{json, target, Client};

const HELLO: &str = r#"{"code":0,"msg":"hello x","data":null}"#;
const OVER_LIMIT: &str = "HTTP/1.1 429 Too Many Requests\r\nServer: pummel\r\nContent-Type: application/json\r\n\
                          Content-Length: 47\r\nRetry-After: 1\r\n\r\n{\"code\":429,\"msg\":\"over the limit\",\"data\":null}";

/// So many requests for a path, in one piece.
fn pipelined(path: &str, count: usize) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").repeat(count).into_bytes()
}

/// Reads an answer with a body; returns status and body.
fn answer(client: &mut Client) -> (u16, String) {
    let head = client.head();
    let status = head[9..12].parse().unwrap();
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    (status, String::from_utf8(client.body(len)).unwrap())
}

#[test]
fn over_the_limit_is_429_at_once() {
    let target = target(1);
    let mut client = Client::new(&target);
    // One a second, and the bucket holds one. Delay and status are those of the rest of the path, which 429 knows nothing of.
    let started = Instant::now();
    client.send(&pipelined("/limit/1/hello/x?status=201", 1));
    assert_eq!(answer(&mut client), (201, HELLO.into()));
    client.send(&pipelined("/limit/1/delay/1/status/500", 2));
    let answers = [(); 2].map(|()| client.head() + &String::from_utf8(client.body(47)).unwrap());
    // A machine that stands still for a second lets a token flow in.
    if started.elapsed().as_millis() < 1000 {
        assert_eq!(answers, [OVER_LIMIT; 2]);
    }
    assert_eq!(target.counts().requests, 3);
}

#[test]
fn cores_and_connections_share_a_limit() {
    const CLIENTS: usize = 12;
    const REQUESTS: usize = 100;
    let target = target(3);
    let started = Instant::now();
    let passed: usize = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::new(&target);
            client.send(&pipelined("/limit/100/hello/x", REQUESTS));
            let statuses: Vec<u16> = (0..REQUESTS).map(|_| answer(&mut client).0).collect();
            assert!(statuses.iter().all(|status| [200, 429].contains(status)));
            statuses.iter().filter(|status| **status == 200).count()
        })
        .sum();
    // Two at first, and what flowed in meanwhile.
    let most = 2.0 + started.elapsed().as_secs_f64() * 100.0;
    assert!(passed >= 2 && passed as f64 <= most, "{passed} passed, of at most {most}");
    assert_eq!(target.stop().requests, (CLIENTS * REQUESTS) as u64);
}

#[test]
fn one_limit_too_many_says_so() {
    let target = target(1);
    let mut client = Client::new(&target);
    for rate in 1000..1064 {
        client.get(&format!("/limit/{rate}/hello/x"));
        client.expect(&json(HELLO));
    }
    client.get("/limit/999/hello/x");
    let said = "this target already keeps 64 different limits; use one of those, or start another target";
    assert_eq!(answer(&mut client), (400, format!(r#"{{"code":400,"msg":"{said}","data":null}}"#)));
}

#[test]
fn a_queue_answers_everyone_in_order() {
    const CLIENTS: usize = 20;
    let target = target(2);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(&target)).collect();
    for client in &mut clients {
        client.send(&pipelined("/queue/500/hello/x", 2));
        client.send(&pipelined("/bytes/3", 1));
        client.send(&pipelined("/queue/500/delay/1/bytes/20000", 1));
    }
    for client in &mut clients {
        client.expect(&json(HELLO).repeat(2));
        assert_eq!(answer(client), (200, "abc".into()));
        assert_eq!(answer(client).1.len(), 20_000);
    }
    assert_eq!(target.stop().requests, 4 * CLIENTS as u64);
}

#[test]
fn the_stop_ends_those_in_a_queue() {
    let target = target(1);
    let mut clients: Vec<_> = (0..20).map(|_| Client::new(&target)).collect();
    for client in &mut clients {
        client.get("/queue/1000000/hello/x");
    }
    let counts = target.stop();
    assert_eq!(counts.connections_open, 0);
    for client in &mut clients {
        assert!(client.rest().map_or(true, |rest| rest.is_empty() || rest.ends_with(HELLO.as_bytes())));
    }
}

#[test]
fn stamps_of_all_cores_come_once_and_in_order() {
    let target = target(2);
    let mut clients: Vec<_> = (0..6).map(|_| Client::new(&target)).collect();
    let before = now_ns();
    for client in &mut clients {
        client.send(&pipelined("/stamp/hello/x", 5000));
        client.send(&pipelined("/hello/x", 1));
    }
    for client in &mut clients {
        client.expect(&json(HELLO).repeat(5001));
    }
    let after = now_ns();
    let [client, ..] = &mut clients[..] else { unreachable!("there are six") };
    client.get("/__stamps");
    let (status, body) = answer(client);
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    let stamps: Vec<u64> = said["stamps_ns"].as_array().unwrap().iter().map(|stamp| stamp.as_u64().unwrap()).collect();
    assert_eq!((status, stamps.len(), &said["dropped"]), (200, 30_000, &0.into()));
    assert!(before <= stamps[0] && stamps.is_sorted() && stamps[29_999] <= after);

    client.get("/__stamps");
    client.expect(&json(r#"{"stamps_ns":[],"dropped":0}"#));
    client.get("/stamp");
    assert_eq!(answer(client).0, 200);
    let taken = target.take_stamps();
    assert!(taken.stamps_ns.len() == 1 && taken.stamps_ns[0] >= after && taken.dropped == 0);
    // 6 times 5,001 and one; those for the stamps are not counted.
    assert_eq!(target.stop().requests, 6 * 5001 + 1);
}
