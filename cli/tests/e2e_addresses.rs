//! Where connections go and come from: overrides, families, Unix sockets, source addresses, dead addresses, resets.

#[path = "common/load.rs"]
mod load;
#[path = "common/namespace.rs"]
mod namespace;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::FileTypeExt,
    sync::mpsc::{channel, Receiver},
    thread,
    time::Duration,
};

use load::{binary, closed_port, run, start_as, target, Folder, Nginx, Run};
use namespace::Namespace;
use pummel_target::{Target, TargetOptions};
use serde_json::Value;

/// What the summary says of an address: connections, connect errors, requests, failures.
fn counts(run: &Run, list: &str, address: &str) -> [u64; 4] {
    let all = run.summary[list].as_array().expect("a list");
    let entry = all.iter().find(|entry| entry["address"] == address);
    let entry = entry.unwrap_or_else(|| panic!("no {address} in {all:?}\n{}", run.stderr));
    ["connections", "connect_errors", "requests", "failures"].map(|name| entry[name].as_u64().expect("a count"))
}

/// The exit code of a functional run of one GET, and what it showed and wrote of the request.
fn functional(base_url: &str, path: &str, body: &str, flags: &[&str]) -> (i32, Value, String) {
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: a case, base_url: \"{base_url}\"}}\nteststeps:\n- name: one\n  request: {{method: GET, url: \
             {path}}}\n  validate: [{{eq: [body, \"{body}\"]}}]\n"
        ),
    );
    let mut arguments = vec!["run", &case];
    arguments.extend(flags);
    let run = run(&arguments);
    (run.code, run.summary["details"][0]["records"][0].clone(), format!("{}{}", run.stdout, run.stderr))
}

#[test]
fn a_dead_address_of_a_name_is_passed_over_for_a_live_one() {
    let target = target();
    let port = target.local_addr().port();
    let resolve = format!("two.example:{port}:127.0.0.9,127.0.0.1");
    let url = format!("http://two.example:{port}/hello/x");
    let run = run(&["hit", &url, "--resolve", &resolve, "-c", "1", "-n", "10", "--cores", "1"]);
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    assert_eq!(counts(&run, "addresses", &format!("127.0.0.9:{port}")), [0, 1, 0, 0]);
    assert_eq!(counts(&run, "addresses", &format!("127.0.0.1:{port}")), [1, 0, 10, 0]);
    assert_eq!(run.number("/client/connections/errors"), 1);
    assert_eq!(run.number("/plan/ports/destinations"), 2);
    assert!(run.stdout.contains("CONNECT ERRORS"), "{}", run.stdout);
    run.assert_conserved();
    assert_eq!(target.stop().requests, 10);
}

#[test]
fn all_addresses_of_a_name_are_used_in_turn() {
    let listen = |last, port| {
        let listen = SocketAddr::from(([127, 0, 0, last], port));
        Target::start(TargetOptions { listen, cpus: vec![0] }).expect("the target starts")
    };
    let first = listen(2, 0);
    let port = first.local_addr().port();
    let second = listen(3, port);
    let resolve = format!("--resolve=two.example:{port}:127.0.0.2,127.0.0.3");
    let run = run(&["hit", &format!("http://two.example:{port}/hello/x"), &resolve, "-c4", "-n40", "--cores=1"]);
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    for target in [first, second] {
        let [connections, connect_errors, requests, failures] =
            counts(&run, "addresses", &target.local_addr().to_string());
        assert_eq!((connections, connect_errors, failures), (2, 0, 0));
        assert_eq!(target.stop().requests, requests);
    }
}

#[test]
fn hosts_are_reached_where_they_are_said_to_be() {
    let target = [target(), target()];
    let ports = [target[0].local_addr().port(), target[1].local_addr().port()];
    let names = [
        format!("--connect-to=a.example:80:127.0.0.1:{}", ports[0]),
        format!("--connect-to=b.example::127.0.0.1:{}", ports[1]),
    ];
    let folder = Folder::new();
    let urls = folder.write("urls.txt", "http://a.example/hello/a\nhttp://b.example/hello/b\n");
    let run = run(&["hit", "--urls", &urls, &names[0], &names[1], "-c", "2", "-n", "20", "--cores", "1"]);
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    for (target, port) in target.into_iter().zip(ports) {
        let [connections, connect_errors, requests, failures] = counts(&run, "addresses", &format!("127.0.0.1:{port}"));
        assert_eq!((connections, connect_errors, failures), (2, 0, 0));
        assert_eq!(target.stop().requests, requests);
    }
    run.assert_conserved();
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let target = target();
    let port = target.local_addr().port();
    // A listener whose backlog is full answers no SYN.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let silent = SocketAddr::from(([127, 0, 0, 9], port));
    listener.bind(&silent.into()).unwrap();
    listener.listen(0).unwrap();
    let _filling: Vec<_> = (0..3).map(|_| TcpStream::connect_timeout(&silent, Duration::from_millis(200))).collect();
    let run = run(&[
        "hit",
        &format!("http://two.example:{port}/hello/x"),
        &format!("--resolve=two.example:{port}:127.0.0.9,127.0.0.1"),
        "--connect-timeout=3s",
        "-c1",
        "-n5",
        "--cores=1",
    ]);
    assert_eq!((run.number("/totals/failures"), run.number("/totals/requests")), (0, 5), "{}", run.stdout);
    assert_eq!(counts(&run, "addresses", &silent.to_string()), [0, 1, 0, 0]);
    assert_eq!(counts(&run, "addresses", &format!("127.0.0.1:{port}")), [1, 0, 5, 0]);
    run.assert_conserved();
}

#[test]
fn requests_name_the_host_of_the_url_wherever_they_go() {
    // A server block on a port of its own says which host it was asked for.
    let own = closed_port();
    let _nginx =
        Nginx::start_with(&format!("server {{ listen 127.0.0.1:{own}; location / {{ return 200 $http_host; }} }}"));
    let to = format!("--connect-to=shop.example:81:127.0.0.1:{own}");
    let (code, record, shown) = functional("http://shop.example:81", "/", "shop.example:81", &[&to]);
    assert_eq!(code, 0, "{shown} {record}");
}

#[test]
fn only_addresses_of_the_asked_kind_are_used() {
    let port = closed_port();
    let _nginx = Nginx::start_with(&format!("server {{ listen [::1]:{port}; location / {{ return 200 six; }} }}"));
    let url = format!("http://two.example:{port}/");
    let resolve = format!("--resolve=two.example:{port}:127.0.0.1,[::1]");
    let six = run(&["hit", &url, &resolve, "-6", "-c", "2", "-n", "8"]);
    assert_eq!((six.code, six.number("/totals/failures")), (0, 0), "{}", six.stderr);
    assert_eq!(six.summary["addresses"].as_array().unwrap().len(), 1);
    assert_eq!(counts(&six, "addresses", &format!("[::1]:{port}")), [2, 0, 8, 0]);
    let four = run(&["hit", &url, &resolve, "--ipv4", "-c", "1", "-n", "3"]);
    assert_eq!(four.errors("connect_refused"), 3);
    let none = run(&["hit", "http://127.0.0.1/", "--ipv6", "-n", "1"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("no IPv6 address"), "{}", none.stderr);
    assert_eq!(run(&["hit", &url, "-4", "-6"]).code, 2);
}

#[test]
fn unix_sockets_serve_one_host_or_all() {
    let folder = Folder::new();
    let socket = folder.path().join("nginx.sock");
    let path = socket.display();
    let nginx = Nginx::start_with(&format!("server {{ listen unix:{path}; location / {{ return 200 local; }} }}"));
    assert!(socket.metadata().unwrap().file_type().is_socket());

    let all = run(&["hit", "http://any.example/x", "--unix-socket", &path.to_string(), "-c", "3", "-n", "30"]);
    assert_eq!((all.code, all.number("/totals/failures")), (0, 0), "{}", all.stderr);
    assert_eq!(counts(&all, "addresses", &format!("unix:{path}")), [3, 0, 30, 0]);
    assert!(!all.stdout.contains("towards one address"), "a Unix socket takes no port: {}", all.stdout);
    all.assert_conserved();

    let resolve = format!("--resolve=one.example:80:unix:{path}");
    let (code, record, shown) = functional("http://one.example", "/", "local", &[&resolve, "--http-stat"]);
    assert_eq!(code, 0, "{shown} {record}");
    assert!(shown.contains(&format!("unix:{path}")), "{shown}");
    let to = format!("--connect-to=::unix:{path}");
    assert_eq!(functional(&format!("http://{}", nginx.address), "/", "local", &[&to]).0, 0);

    let missing = run(&["hit", "http://any.example/x", "--unix-socket", &format!("{path}.none"), "-c", "1", "-n", "2"]);
    assert_eq!(missing.errors("connect_failed"), 2, "{:#}", missing.summary["errors"]);
    assert!(missing.stdout.contains("No such file"), "{}", missing.stdout);
    missing.assert_conserved();
}

#[test]
fn connections_come_from_the_source_addresses_in_turn() {
    let port = closed_port();
    let _nginx =
        Nginx::start_with(&format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 $remote_addr; }} }}"));
    let base_url = format!("http://127.0.0.1:{port}");
    let (code, record, shown) = functional(&base_url, "/", "127.0.0.77", &["--source-ip", "127.0.0.77"]);
    assert_eq!(code, 0, "{shown} {record}");
    let run = run(&[
        "hit",
        &base_url,
        "--source-ip",
        "127.0.0.2-127.0.0.4,127.0.0.8/29",
        "-c",
        "18",
        "-n",
        "180",
        "--cores=1",
    ]);
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
    for last in [2, 3, 4, 9, 10, 11, 12, 13, 14] {
        assert_eq!(counts(&run, "sources", &format!("127.0.0.{last}"))[..2], [2, 0]);
    }
    let requests: u64 =
        run.summary["sources"].as_array().unwrap().iter().filter_map(|one| one["requests"].as_u64()).sum();
    assert_eq!((requests, run.number("/plan/ports/sources")), (180, 9));
}

#[test]
fn a_source_that_is_not_this_machines_is_wrong_usage() {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let run = run(&["hit", "http://127.0.0.1:1/", "--source-ip", "127.0.0.2,192.0.2.7", "-n", "1"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("192.0.2.7 is not an address of this machine"), "{}", run.stderr);
    assert!(run.stderr.contains("ip address add 192.0.2.7/32"), "{}", run.stderr);
}

/// A server that answers each request of its one connection; tells how that ended.
fn closes() -> (SocketAddr, Receiver<Result<usize, std::io::ErrorKind>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let end = loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(2) => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap(),
                Ok(0) => break stream.read(&mut [0]).map_err(|error| error.kind()),
                Ok(_) => {}
                Err(error) => break Err(error.kind()),
            }
        };
        tell.send(end).unwrap();
    });
    (address, told)
}

#[test]
fn a_connection_is_closed_in_order_or_reset_as_asked() {
    for (how, expected) in [("fin", Ok(0)), ("rst", Err(std::io::ErrorKind::ConnectionReset))] {
        let (address, told) = closes();
        let run = run(&["hit", &format!("http://{address}/"), "--close", how, "-c", "1", "-n", "3"]);
        assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}", run.stderr);
        assert_eq!(told.recv().unwrap(), expected, "{how}");
        assert_eq!(run.stderr.contains("real clients do no such thing"), how == "rst", "{}", run.stderr);
    }
}

/// Answers, and with its first answer gives its name to 127.0.0.3.
const MOVES_AWAY: &str = r"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(sys.argv[1], 'w').write('127.0.0.3 moving.example\n')
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.2', 8080), Handler)
print('listening', flush=True)
server.serve_forever()
";

#[test]
fn a_name_that_moves_is_followed_while_the_load_goes_on() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("no right to make a network namespace here");
        return;
    };
    let hosts = namespace.set_hosts("127.0.0.2 moving.example\n");
    let _first = namespace.server("python3", &["-c", MOVES_AWAY, &hosts.display().to_string()]);
    let binary = binary();
    let binary = binary.to_str().unwrap();
    let _second = namespace.server(binary, &["target", "--listen", "127.0.0.3:8080", "--cpus", "0"]);
    let run = start_as(
        namespace.command(binary),
        &[
            "hit",
            "http://moving.example:8080/hello/x",
            "--disable-keepalive",
            "--dns-ttl=1s",
            "--max-rps=20",
            "--duration=6s",
            "-c1",
        ],
    )
    .finish();
    assert_eq!(run.number("/totals/failures"), 0, "{}", run.stdout);
    for address in ["127.0.0.2:8080", "127.0.0.3:8080"] {
        assert!(counts(&run, "addresses", address)[2] > 0, "{:#}", run.summary["addresses"]);
    }
    run.assert_conserved();
}
