//! What was served is counted, exactly, over all cores.

use std::net::{Ipv4Addr, SocketAddr};

use crate::client::{api, json, target, Client};
use pummel_target::{Target, TargetError, TargetOptions};

#[test]
fn stats_count_everything_but_themselves() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/__stats");
    client.expect(&json(r#"{"requests":0,"refused":0,"connections_opened":1,"connections_open":1}"#));
    for path in ["/api", "/status/1000", "/no/such"] {
        client.get(path);
        let head = client.head();
        let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        client.body(len);
    }
    client.get("/__stats");
    client.expect(&json(r#"{"requests":3,"refused":0,"connections_opened":1,"connections_open":1}"#));
    assert_eq!(target.stop().requests, 3);
}

#[test]
fn cores_add_up_under_many_clients() {
    const CLIENTS: u64 = 16;
    const REQUESTS: u64 = 200;
    let target = target(3);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(&target);
                for _ in 0..REQUESTS {
                    client.get("/api");
                    client.expect(&api());
                }
            });
        }
    });
    let counts = target.counts();
    assert_eq!((counts.requests, counts.connections_opened), (CLIENTS * REQUESTS, CLIENTS));
    assert_eq!(target.stop().connections_open, 0);
}

#[test]
fn a_start_that_fails_says_why() {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    assert!(matches!(Target::start(TargetOptions { listen, cpus: vec![] }), Err(TargetError::NoCpus)));
    let running = target(1);
    let taken = TargetOptions { listen: running.local_addr(), cpus: vec![0] };
    let error = Target::start(taken).err().expect("the port is taken").to_string();
    assert!(error.contains("choose another port"), "{error}");
    let nowhere = Target::start(TargetOptions { listen, cpus: vec![99_999] }).err().expect("no such CPU").to_string();
    assert!(nowhere.contains("CPU 99999"), "{nowhere}");
}
