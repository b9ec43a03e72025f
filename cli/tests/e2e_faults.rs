//! Faults: each ends in a clear sentence and the right exit code, the other users go on, and every request is accounted for.

#[path = "common/load.rs"]
mod load;
#[path = "common/namespace.rs"]
mod namespace;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use load::{binary, closed_port, run, start_as, target, url, Folder, Run};
use namespace::Namespace;

fn urls(folder: &Folder, list: &[String]) -> String {
    folder.write("urls.txt", &list.join("\n"))
}

/// Runs a faulty URL beside a good one and gives the run; the good one must all have passed.
fn beside_a_good_one(path: &str, more: &[&str]) -> (Run, u64) {
    let target = target();
    let folder = Folder::new();
    let file = urls(&folder, &[url(&target, "/hello/good"), url(&target, path)]);
    // One user, so that each URL has its half.
    let mut arguments = vec!["hit", "--urls", &file, "-c", "1", "-n", "20"];
    arguments.extend(more);
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(run.number("/conservation/started"), 20);
    let steps = run.summary["steps"].as_array().unwrap();
    let failures = |good: bool| -> u64 {
        let rows = steps.iter().filter(|row| row["name"].as_str().unwrap().contains("good") == good);
        rows.map(|row| row["failures"].as_u64().unwrap()).sum()
    };
    assert_eq!(failures(true), 0, "{:#}", run.summary["errors"]);
    let bad = failures(false);
    (run, bad)
}

#[test]
fn a_refused_port_is_counted_and_named() {
    let address = format!("http://127.0.0.1:{}/", closed_port());
    let run = run(&["hit", &address, "-c", "3", "-n", "9"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.number("/totals/failures"), 9);
    assert_eq!(run.errors("connect_refused"), 9);
    assert_eq!(run.number("/totals/exchanges/unsent"), 9);
    assert_eq!(run.number("/totals/service_us/count"), 0, "a refused connection flatters no latency");
    assert!(run.stdout.contains("connection refused"), "{}", run.stdout);
    run.assert_conserved();
}

#[test]
fn an_unresolvable_host_is_one_clear_sentence() {
    let run = run(&["hit", "http://no-such-host.invalid/", "-n", "1"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("cannot resolve no-such-host.invalid"), "{}", run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

#[test]
fn a_server_that_closes_mid_body() {
    let (run, bad) = beside_a_good_one("/half/1000", &[]);
    assert_eq!((bad, run.errors("closed_early")), (10, 10));
}

#[test]
fn a_server_that_resets() {
    let (run, bad) = beside_a_good_one("/reset", &["--timeout", "5s"]);
    assert_eq!(bad, 10);
    assert_eq!(run.errors("reset") + run.errors("closed_early"), 10);
}

#[test]
fn a_server_that_never_answers() {
    let (run, bad) = beside_a_good_one("/hang", &["--timeout", "1s"]);
    assert_eq!((bad, run.errors("request_timeout")), (10, 10));
    assert!(run.number("/totals/failed_us/min") >= 1_000_000);
}

#[test]
fn a_server_that_sends_garbage() {
    let (run, bad) = beside_a_good_one("/garbage", &[]);
    assert_eq!((bad, run.errors("protocol")), (10, 10));
}

#[test]
fn a_header_of_1_mib() {
    let (run, bad) = beside_a_good_one("/big-header/1048576", &[]);
    assert_eq!((bad, run.errors("protocol")), (10, 10));
}

#[test]
fn a_connection_that_never_opens() {
    // A listener whose backlog is full answers no SYN.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> =
        (0..3).map(|_| std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200))).collect();
    let run = run(&["hit", &format!("http://{address}/"), "-c", "2", "-n", "2", "--connect-timeout", "300ms"]);
    assert_eq!(run.errors("connect_timeout"), 2, "{:#}", run.summary["errors"]);
    run.assert_conserved();
}

#[test]
fn too_few_descriptors_are_said_before_the_start() {
    let target = target();
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=100:100").arg(binary());
    let run = start_as(limited, &["hit", &url(&target, "/hello/a"), "-c", "500", "-n", "500"]).finish();
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("descriptors"), "{}", run.stderr);
    assert!(run.stderr.contains("ulimit -n"), "{}", run.stderr);
    assert_eq!(target.stop().requests, 0);
}

#[test]
fn io_uring_switched_off_is_one_clear_sentence() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: io_uring cannot be switched off here");
        return;
    }
    // With 1 only processes without CAP_SYS_ADMIN are refused, so that tests beside this one go on.
    const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
    let Ok(before) = fs::read_to_string(SWITCH) else { return };
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let copy = folder.path().join("pummel");
    fs::copy(binary(), &copy).unwrap();
    let target = target();
    fs::write(SWITCH, "1").unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(["hit", &url(&target, "/hello/a"), "-n", "1"])
        .output();
    fs::write(SWITCH, before.trim()).unwrap();
    let output = output.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("io_uring is switched off here"), "{stderr}");
    assert!(stderr.contains("kernel.io_uring_disabled=0"), "{stderr}");
}

#[test]
fn exhausted_ports_are_a_kind_of_their_own_and_make_the_run_invalid() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("no right to make a network namespace here");
        return;
    };
    namespace.set(&["net.ipv4.ip_local_port_range=40000 40049", "net.ipv4.tcp_tw_reuse=0"]);
    let binary = binary();
    let server = namespace.server(binary.to_str().unwrap(), &["target", "--listen", "127.0.0.1:8080", "--cpus", "0"]);
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        "config: {name: ports, base_url: \"http://127.0.0.1:8080\"}\nteststeps:\n\
         - {name: g, request: {method: GET, url: /hello/x}}\n",
    );
    let run = start_as(
        namespace.command(binary.to_str().unwrap()),
        &[
            "boom",
            &case,
            "--spawn-count",
            "80",
            "--spawn-rate",
            "100000",
            "--loop-count",
            "3",
            "--fail-on-client-saturation",
        ],
    )
    .finish();
    drop(server);
    assert!(run.errors("address_exhausted") > 0, "{:#}\n{}", run.summary["errors"], run.stderr);
    assert_eq!(run.number("/conservation/started"), 240);
    assert_eq!(run.summary["client"]["verdict"], "invalid");
    assert_eq!(run.code, 98);
    assert!(run.stdout.contains("ip_local_port_range"), "{}", run.stdout);
    run.assert_conserved();
}

#[test]
fn a_host_that_does_not_resolve_fails_its_requests_and_the_others_go_on() {
    let target = target();
    let folder = Folder::new();
    let file = urls(&folder, &[url(&target, "/hello/good"), "http://no-such-host.invalid/x".into()]);
    let run = run(&["hit", "--urls", &file, "-c", "1", "-n", "4"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!((run.number("/totals/requests"), run.errors("dns")), (4, 2));
    run.assert_conserved();
    assert_eq!(target.stop().requests, 2);
}
