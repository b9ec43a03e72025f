//! Every path answers what the crate's page says, byte for byte.

use std::net::Shutdown;

use crate::client::{api, json, target, Client};

#[test]
fn the_paths_of_the_demo() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/hello/yang");
    client.expect(&json(r#"{"code":0,"msg":"hello yang","data":null}"#));
    client.get("/hello/a%20%22b%22");
    client.expect(&json(r#"{"code":0,"msg":"hello a \"b\"","data":null}"#));
    client.get("/api/users?page=1");
    client.expect(&api());
    client.get("/");
    client.expect(&api());
    assert_eq!(target.stop().requests, 4);
}

#[test]
fn post_comes_back() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Type: text/x\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    client.expect("HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: text/x\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    // Split anywhere, in chunks, and after an interim answer.
    client.send(b"PUT /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"3\r\nab");
    client.send(b"c\r\n2;x=y\r\nde\r\n0\r\n\r\n");
    client.expect(
        "HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\nabcde",
    );
    let mebibyte = vec![b'm'; 1024 * 1024];
    client.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1048576\r\n\r\n");
    client.send(&mebibyte);
    assert!(client.head().contains("\r\nContent-Length: 1048576\r\n"));
    assert_eq!(client.body(mebibyte.len()), mebibyte);
}

#[test]
fn a_body_above_the_limit_is_refused_early() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 16777216\r\n\r\nfirst bytes");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{head}");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    // The rest may still be sent: the connection is not reset under the client.
    client.send(&vec![0; 1024 * 1024]);
    client.stream.shutdown(Shutdown::Write).unwrap();
    let body = client.rest().unwrap();
    assert!(body.starts_with(br#"{"code":413,"#));
    let counts = target.stop();
    assert_eq!((counts.requests, counts.refused), (0, 1));
}

#[test]
fn statuses() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/status/503");
    assert!(client.head().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    client.expect(r#"{"code":503,"msg":"status 503","data":null}"#);
    client.get("/status/204");
    assert_eq!(client.head(), "HTTP/1.1 204 No Content\r\nServer: pummel\r\n\r\n");
    client.get("/hello/x?status=201");
    assert!(client.head().starts_with("HTTP/1.1 201 Created\r\n"));
    client.expect(r#"{"code":0,"msg":"hello x","data":null}"#);
    client.get("/no/such/path");
    assert!(client.head().starts_with("HTTP/1.1 404 Not Found\r\n"));
    client.expect(r#"{"code":404,"msg":"not found","data":null}"#);
    client.get("/status/1000");
    assert!(client.head().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    client.expect(r#"{"code":400,"msg":"the status must be a whole number from 200 to 599","data":null}"#);
}

#[test]
fn bodies_to_order() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/bytes/5");
    client.expect(
        "HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\nabcde",
    );
    for len in [16 * 1024, 16 * 1024 + 1, 3_000_000] {
        client.get(&format!("/bytes/{len}"));
        assert!(client.head().contains(&format!("\r\nContent-Length: {len}\r\n")));
        let body = client.body(len);
        let alphabet = &body[..64];
        assert!(body.chunks(64).all(|line| alphabet.starts_with(line)), "{len} bytes in order");
    }
    client.get("/chunked/6/4");
    client.expect(
        "HTTP/1.1 200 OK\r\nServer: pummel\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
         4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n",
    );
    client.get("/hello/x?chunk=20");
    assert!(client.head().contains("\r\nTransfer-Encoding: chunked\r\n"));
    client.expect("14\r\n{\"code\":0,\"msg\":\"hel\r\n12\r\nlo x\",\"data\":null}\r\n0\r\n\r\n");
    // 100,000 bytes in chunks of 30,000: each size line has 4 digits; then the last chunk.
    client.get("/chunked/100000/30000");
    client.head();
    let body = client.body(100_000 + 4 * 8 + 5);
    assert!(body.starts_with(b"7530\r\n") && body.ends_with(b"\r\n0\r\n\r\n"));
    // A HEAD has the head of the GET and nothing behind it.
    client.send(b"HEAD /bytes/5 HTTP/1.1\r\nHost: t\r\n\r\nHEAD /hello/x HTTP/1.1\r\nHost: t\r\n\r\n");
    assert!(client.head().contains("\r\nContent-Length: 5\r\n"));
    assert!(client.head().contains("\r\nContent-Length: 38\r\n"));
    client.get("/api");
    client.expect(&api());
}

#[test]
fn headers_to_order() {
    let target = target(1);
    let mut client = Client::new(&target);
    client.get("/redirect/1");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 302 Found\r\n") && head.contains("\r\nLocation: /redirect/0\r\n"), "{head}");
    client.get("/redirect");
    assert!(client.head().contains("\r\nLocation: /api/redirected\r\n"));
    client.get("/setcookie");
    assert!(client.head().contains("\r\nSet-Cookie: session=12345; Path=/\r\n"));
    client.body(78);
    client.get("/setcookie/a/b");
    assert!(client.head().contains("\r\nSet-Cookie: a=b; Path=/\r\n"));
    client.body(78);
    client.get("/big-header/1048576");
    let head = client.head();
    let filler = head.lines().find_map(|line| line.strip_prefix("X-Filler: ")).unwrap();
    assert_eq!(filler.len(), 1_048_576);
}

#[test]
fn delays_keep_the_order_of_pipelined_requests() {
    let target = target(1);
    let mut client = Client::new(&target);
    let started = std::time::Instant::now();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
    let all =
        [get("/hello/1"), get("/delay/30/hello/2"), get("/hello/3"), get("/bytes/20000"), get("/hello/4?delay_ms=20")];
    client.send(all.concat().as_bytes());
    for name in ["1", "2", "3"] {
        client.expect(&json(&format!(r#"{{"code":0,"msg":"hello {name}","data":null}}"#)));
    }
    client.head();
    client.body(20_000);
    client.expect(&json(r#"{"code":0,"msg":"hello 4","data":null}"#));
    // Never early: the two delays stand one behind the other.
    assert!(started.elapsed().as_millis() >= 50);
    assert_eq!(target.counts().requests, 5);
}

#[test]
fn a_flood_of_pipelined_requests_is_answered_whole() {
    const REQUESTS: usize = 20_000;
    let target = target(1);
    let mut client = Client::new(&target);
    let mut writer = client.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        let request = b"GET /api HTTP/1.1\r\nHost: t\r\n\r\n".repeat(100);
        for _ in 0..REQUESTS / 100 {
            std::io::Write::write_all(&mut writer, &request).unwrap();
        }
    });
    let expected = api();
    let got = client.body(expected.len() * REQUESTS);
    assert!(got.chunks(expected.len()).all(|answer| answer == expected.as_bytes()));
    writing.join().unwrap();
    assert_eq!(target.stop().requests, REQUESTS as u64);
}

#[test]
fn a_client_that_sends_and_never_reads_is_held_back_and_then_served() {
    let target = target(1);
    let mut client = Client::new(&target);
    // Each answer is 100 KiB, so the socket's buffers hold only some of the 300: the rest waits, as requests.
    let request = b"GET /bytes/102400 HTTP/1.1\r\nHost: t\r\n\r\n".repeat(300);
    client.send(&request);
    for _ in 0..300 {
        assert!(client.head().contains("\r\nContent-Length: 102400\r\n"));
        client.body(102_400);
    }
    assert_eq!(target.stop().requests, 300);
}
