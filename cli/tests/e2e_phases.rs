//! Where the time goes: `--http-stat` of the commands that make load, and of `run`, with real servers.

#[path = "common/load.rs"]
mod load;

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use load::{run, Folder, Nginx, Run};

/// How long the slow server lets its client wait at each turn.
const PAUSE: Duration = Duration::from_millis(50);

/// More than the kernel keeps for a receiver that does not read: its buffers of one connection end at some 10 MiB.
const LARGE_BODY_BYTES: usize = 64 * 1024 * 1024;

fn count(run: &Run, phase: &str) -> u64 {
    run.number(&format!("/phases/{phase}/count"))
}

fn mean(run: &Run, pointer: &str) -> f64 {
    run.summary.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("no {pointer}"))
}

/// A server that pauses before it reads a request's body, before it answers, and within the answer.
fn slow_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer_slowly(stream));
        }
    });
    address
}

fn answer_slowly(mut stream: TcpStream) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    thread::sleep(PAUSE);
    let read = std::io::copy(&mut (&stream).take(length), &mut std::io::sink()).ok()?;
    thread::sleep(PAUSE);
    let answer = read.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
    stream.write_all(head.as_bytes()).ok()?;
    thread::sleep(PAUSE);
    stream.write_all(answer.as_bytes()).ok()
}

#[test]
fn every_request_falls_into_its_phases() {
    let nginx = Nginx::start();
    let url = format!("http://{}/hello/x", nginx.address);
    let run = run(&["hit", &url, "-c", "4", "-n", "400", "--http-stat", "--quiet"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(["send_us", "wait_us", "receive_us"].map(|phase| count(&run, phase)), [400; 3]);
    assert_eq!(run.number("/steps/0/phases/wait_us/count"), 400);
    // Each phase loses what is less than a microsecond, and together they are the service time.
    let phases: f64 =
        ["send_us", "wait_us", "receive_us"].iter().map(|name| mean(&run, &format!("/phases/{name}/mean"))).sum();
    let service = mean(&run, "/totals/service_us/mean");
    assert!(phases <= service + 0.01 && service <= phases + 2.01, "{phases} of {service}");
    // An address needs no lookup, and nginx speaks no TLS here.
    assert_eq!((count(&run, "connect_us"), count(&run, "dns_us"), count(&run, "tls_us")), (4, 0, 0));
    assert_eq!(run.number("/client/connections/opened"), 4);
    assert!(run.summary["tls"].is_null());
    assert!(
        run.stdout.contains("\nPhases (of connections opened, and of requests that succeeded)\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_is_not_asked_for_is_not_recorded() {
    let nginx = Nginx::start();
    let url = format!("http://{}/hello/x", nginx.address);
    let run = run(&["hit", &url, "-c", "2", "-n", "20", "--quiet"]);
    assert_eq!((run.code, run.number("/totals/requests")), (0, 20), "{}", run.stderr);
    assert!(run.summary["phases"]["wait_us"].is_null() && run.summary["steps"][0]["phases"].is_null());
    assert_eq!(count(&run, "connect_us"), 2, "connections are always looked at");
    assert!(!run.stdout.contains("Phases ("), "{}", run.stdout);
}

/// Every pause of the slow server is in its phase. A stamp may be taken late, which moves time from the phase it begins to the one it
/// ends, so they are looked at as points of time. Each phase loses what is less than a microsecond.
fn assert_pauses(run: &Run) {
    assert_eq!((run.code, run.number("/totals/requests"), run.number("/totals/failures")), (0, 1, 0), "{}", run.stderr);
    let (pause_us, mut passed_us) = (PAUSE.as_micros() as u64, 0);
    for (pauses, phase) in (1..).zip(["send_us", "wait_us", "receive_us"]) {
        passed_us += run.number(&format!("/phases/{phase}/max")) + 1;
        assert!(passed_us >= pauses * pause_us, "{passed_us} us up to the end of {phase}");
    }
}

#[test]
fn each_pause_of_a_server_is_in_its_phase() {
    let folder = Folder::new();
    let body = folder.write("body", &"b".repeat(LARGE_BODY_BYTES));
    let url = format!("http://{}/", slow_server());
    assert_pauses(&run(&["hit", &url, "-b", &format!("@{body}"), "-c", "1", "-n", "1", "--http-stat", "--quiet"]));
}

#[test]
fn a_file_that_is_sent_in_pieces_is_sent_from_its_first_piece_to_its_last() {
    let folder = Folder::new();
    let file = folder.path().join("large.bin");
    File::create(&file).and_then(|file| file.set_len(LARGE_BODY_BYTES as u64)).expect("a large file");
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: 'http://{}'}}\nteststeps:\n- {{name: s, request: {{method: POST, url: /, upload: \
             {{a: '@{}'}}}}}}\n",
            slow_server(),
            file.display()
        ),
    );
    assert_pauses(&run(&["boom", &case, "--spawn-count", "1", "--loop-count", "1", "--http-stat", "--quiet"]));
}

#[test]
fn a_name_that_is_met_within_the_load_is_a_phase_of_the_connection_that_waits_for_it() {
    let nginx = Nginx::start();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, parameters: {{host: [localhost]}}}}\nteststeps:\n- name: s\n  request: {{method: GET, url: \
             'http://$host:{}/hello/x'}}\n",
            nginx.address.port()
        ),
    );
    let run = run(&["boom", &case, "--loop-count", "3", "--cores", "1", "--quiet"]);
    assert_eq!((run.code, run.number("/totals/requests"), run.number("/totals/failures")), (0, 3, 0), "{}", run.stderr);
    assert_eq!((count(&run, "dns_us"), count(&run, "connect_us")), (1, 1));
}

#[test]
fn a_functional_run_shows_the_phases_of_each_step() {
    let nginx = Nginx::start();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: 'http://localhost:{}'}}\nteststeps:\n- name: first\n  request: {{method: GET, url: \
             /hello/x}}\n- name: second\n  request: {{method: GET, url: /hello/x}}\n",
            nginx.address.port()
        ),
    );
    let run = run(&["run", &case, "--http-stat"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.contains(", wait ")).map(str::trim).collect();
    let words = |line: &str| {
        let words = line.split([' ', ',']).filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        words.filter(|word| !matches!(*word, "" | "us" | "ms" | "s")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    assert_eq!(words(lines[0]), "dns connect send wait receive total");
    assert!(!lines[0].contains("dns 0 us"), "a name is looked up where it is needed: {}", lines[0]);
    assert_eq!(words(lines[1]), "connection reused send wait receive total");
    let stat = &run.summary["details"][0]["records"][0]["httpstat"];
    assert_eq!(stat["TLSHandshake"], 0);
    assert!(stat["StartTransfer"].as_u64() <= stat["Total"].as_u64(), "{stat}");
}
