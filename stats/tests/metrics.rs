//! Metrics while a run goes on: receivers that are well, slow, broken or silent, and a run that none of them changes.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{fail, key, start, succeed, Keep, S};
use pummel_stats::metrics::{listen, Metrics, MetricsFacts, MetricsSpec, Target, TargetKind};
use pummel_stats::{Delivery, FinalFacts, Finished, OutputSpec, RowKind};

/// Seconds of the made-up runs.
const SECONDS: u64 = 12;

/// 12 s with 10 requests in each, one of which fails, as fast as they can be recorded.
fn play(outputs: Vec<OutputSpec>) -> Finished {
    let (collector, mut recorders) = start(1, outputs);
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    for second in 1..=SECONDS {
        (0..9).for_each(|_| succeed(&mut recorder, row, 1_000));
        fail(&mut recorder, row, "no");
        recorder.hand_over(second);
    }
    recorder.user_finished(SECONDS * S);
    recorder.finish(SECONDS * S);
    collector.finish(FinalFacts::default()).unwrap()
}

fn metrics(targets: Vec<Target>, listener: Option<TcpListener>) -> OutputSpec {
    let facts = MetricsFacts { command: "boom".into(), users: Some(1), ..MetricsFacts::default() };
    Metrics::start(MetricsSpec { facts, listener, targets }).unwrap().into_spec()
}

fn target(kind: TargetKind, address: SocketAddr) -> Target {
    Target::parse(kind, &format!("http://anna:s3cret@{address}")).unwrap()
}

/// What a receiver does with a connection.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Answers with this status.
    Answers(&'static str),
    /// Takes the request and says nothing.
    Silent,
    /// Closes the connection.
    Closes,
}

/// A request as it came: its head, and its body.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Receives on a port of this machine until the test ends.
fn receiver(manner: Manner) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    let kept = Arc::clone(&received);
    thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            if manner == Manner::Closes {
                continue;
            }
            let Some(request) = read_request(&mut connection) else { continue };
            kept.lock().unwrap().push(request);
            if let Manner::Answers(status) = manner {
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 8\r\n\r\nwhy\nnot\x1b");
                let _ = connection.write_all(answer.as_bytes());
            } else {
                held.push(connection);
            }
        }
    });
    (address, received)
}

fn read_request(connection: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    loop {
        let count = connection.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let body = &bytes[end + 4..];
        if body.len() >= length.unwrap_or(0_usize) {
            return Some((head, body.to_vec()));
        }
    }
}

#[test]
fn a_pushgateway_gets_hrps_metrics_and_the_last_push_says_stopped() {
    let (address, received) = receiver(Manner::Answers("200 OK"));
    let finished = play(vec![metrics(vec![target(TargetKind::Pushgateway, address)], None)]);
    // How many there were depends on who was faster; the last one has everything.
    let received = received.lock().unwrap();
    let (head, body) = received.last().unwrap();
    let lines: Vec<_> = head.lines().collect();
    let path = lines[0].strip_prefix("PUT /metrics/job/hrp/instance/").unwrap();
    let (uuid, rest) = path.split_at(36);
    assert_eq!(uuid.matches('-').count(), 4);
    assert_eq!(rest, "/mode/standalone HTTP/1.1");
    let has = |field: &str| assert!(lines.iter().any(|line| line.eq_ignore_ascii_case(field)), "{field}: {head}");
    has("authorization: Basic YW5uYTpzM2NyZXQ=");
    has("content-type: text/plain; version=0.0.4; charset=utf-8");
    let body = std::str::from_utf8(body).unwrap();
    for line in [
        "state 5",
        "users 0",
        "total_num_requests{method=\"request-GET\",name=\"a\"} 120",
        "total_num_failures{method=\"request-GET\",name=\"a\"} 12",
        "errors{method=\"request-GET\",name=\"a\",error=\"no\"} 12",
        "response_time_count{method=\"request-GET\",name=\"a\"} 108",
        "fail_ratio 0.1",
    ] {
        assert!(body.lines().any(|one| one == line), "{line} is not in\n{body}");
    }
    assert!(
        finished.output_problems.iter().all(|problem| problem.contains("too slow")),
        "{:?}",
        finished.output_problems
    );
}

#[test]
fn every_kind_of_receiver_gets_its_own() {
    let kinds = [TargetKind::RemoteWrite, TargetKind::Influx, TargetKind::Otlp];
    let receivers = kinds.map(|_| receiver(Manner::Answers("204 No Content")));
    let targets = kinds.iter().zip(&receivers).map(|(kind, (address, _))| target(*kind, *address));
    play(vec![metrics(targets.collect(), None)]);
    let last = receivers.map(|(_, received)| received.lock().unwrap().last().unwrap().clone());
    for ((head, body), (line, field)) in last.iter().zip([
        ("POST / HTTP/1.1", "content-encoding: snappy"),
        ("POST / HTTP/1.1", "content-type: text/plain; charset=utf-8"),
        ("POST /v1/metrics HTTP/1.1", "content-type: application/x-protobuf"),
    ]) {
        assert_eq!(head.lines().next(), Some(line));
        assert!(head.lines().any(|one| one.eq_ignore_ascii_case(field)), "{field}: {head}");
        assert!(!body.is_empty());
    }
    let lines = std::str::from_utf8(&last[1].1).unwrap();
    assert!(lines.contains(",type=request-GET,name=a count=120i,failures=12i"), "{lines}");
    let written = snap_decoded(&last[0].1);
    let name = b"pummel_requests_total";
    assert!(written.windows(name.len()).any(|window| window == name));
}

fn snap_decoded(body: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(body).unwrap()
}

#[test]
fn what_could_not_be_sent_is_said_in_one_sentence_without_the_password() {
    let refused = {
        // A port that was free a moment ago.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (broken, _) = receiver(Manner::Answers("500 Internal Server Error"));
    let (closes, _) = receiver(Manner::Closes);
    let targets = [(TargetKind::Pushgateway, refused), (TargetKind::Otlp, broken), (TargetKind::RemoteWrite, closes)];
    let finished = play(vec![metrics(targets.map(|(kind, address)| target(kind, address)).to_vec(), None)]);
    assert_eq!(finished.summary.totals.requests, 10 * SECONDS);
    assert!(finished.summary.conservation.ok);
    let [gateway, otlp, write] = finished.output_problems.as_slice() else { panic!("{:?}", finished.output_problems) };
    // At 3, 6, 9 and 12 s and at the end; if one was not begun when the end came, the last took its place.
    let known = |problem: &str, start: &str, end: &str| {
        assert!(problem.starts_with(start) && problem.ends_with(end), "{problem}");
        assert!(!problem.contains("s3cret") && !problem.contains('\n'), "{problem}");
    };
    known(gateway, &format!("pushgateway http://{refused}: "), " failed (last: connection refused)");
    known(otlp, &format!("OTLP http://{broken}: "), " failed (last: it answered 500 Internal Server Error: why not?)");
    known(write, &format!("remote write http://{closes}: "), ")");
    let of = gateway.split(": ").nth(1).unwrap();
    assert!(of.starts_with("5 of 5 pushes") || of.starts_with("4 of 4 pushes"), "{gateway}");
}

#[test]
fn a_receiver_that_never_answers_ends_with_the_run() {
    let (silent, received) = receiver(Manner::Silent);
    let keep = Keep::default();
    let outputs = vec![metrics(vec![target(TargetKind::Pushgateway, silent)], None), keep.spec(Delivery::Lossless)];
    let since = Instant::now();
    let finished = play(outputs);
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    let [problem] = finished.output_problems.as_slice() else { panic!("{:?}", finished.output_problems) };
    assert!(problem.starts_with(&format!("pushgateway http://{silent}: ")), "{problem}");
    assert!(problem.contains(" of "), "{problem}");
    assert_eq!(finished.summary.totals.requests, 10 * SECONDS);
    assert_eq!(keep.snapshots.lock().unwrap().len() as u64, SECONDS);
    assert!(!received.lock().unwrap().is_empty());
}

/// What a GET is answered with: head and body.
fn get(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

/// An endpoint that is there until the output is dropped.
fn endpoint() -> (SocketAddr, OutputSpec) {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, metrics(Vec::new(), Some(listener)))
}

#[test]
fn the_endpoint_answers_and_refuses() {
    let (address, output) = endpoint();
    let (head, body) = get(address, "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("\npummel_running 1\n") && body.ends_with('\n'), "{body}");
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let (head, _) = get(address, &format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {protobuf}\r\n\r\n"));
    assert!(head.contains("Content-Type: application/vnd.google.protobuf; "), "{head}");
    for (request, status) in [
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK"),
        ("GET / HTTP/1.1\r\n\r\n", "200 OK"),
        ("GET /other HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed"),
        ("\x00\x01\r\n\r\n", "400 Bad Request"),
    ] {
        let (head, _) = get(address, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {head}");
    }
    assert!(get(address, "HEAD /metrics HTTP/1.1\r\n\r\n").1.is_empty());
    drop(output);
    let closed = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    assert!(closed, "the endpoint is still there");
}

#[test]
fn clients_that_say_nothing_or_too_much_hold_nothing_up() {
    let (address, output) = endpoint();
    // All the places there are, and more; those beyond are closed at once.
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    let finished = play(vec![output]);
    assert_eq!(finished.summary.totals.requests, 10 * SECONDS);
    assert!(finished.output_problems.is_empty(), "{:?}", finished.output_problems);
    drop(silent);

    let (address, _output) = endpoint();
    let mut long = TcpStream::connect(address).unwrap();
    // Written in one piece, so that nothing is left to be read when the answer is sent.
    long.write_all(&[b'a'; 8 * 1024 + 1]).unwrap();
    let mut answer = [0; 12];
    long.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}
