//! Ephemeral ports: shared between destinations, one range for each source address, and a warning before they run out.

#[path = "common/load.rs"]
mod load;
#[path = "common/namespace.rs"]
mod namespace;

use load::{binary, start_as, Folder, Run};
use namespace::Namespace;

/// Answers each request and leaves closing to the client, whatever it is asked for.
const NEVER_CLOSES: &str = r"
import asyncio
async def serve(reader, writer):
    try:
        while await reader.readuntil(b'\r\n\r\n'):
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 8080, backlog=1024)
    print('listening', flush=True)
    await server.serve_forever()
asyncio.run(main())
";

fn namespace() -> Option<Namespace> {
    let namespace = Namespace::new();
    if namespace.is_none() {
        eprintln!("no right to make a network namespace here");
    }
    namespace
}

fn pummel(namespace: &Namespace, arguments: &[&str]) -> Run {
    start_as(namespace.command(binary().to_str().unwrap()), arguments).finish()
}

#[test]
fn ports_are_shared_between_destinations() {
    let Some(namespace) = namespace() else { return };
    namespace.set(&["net.ipv4.ip_local_port_range=40000 41999", "net.ipv4.tcp_tw_reuse=0", "net.core.somaxconn=4096"]);
    let binary = binary();
    let _servers = ["127.0.0.1:8081", "127.0.0.1:8082"]
        .map(|listen| namespace.server(binary.to_str().unwrap(), &["target", "--listen", listen, "--cpus", "0"]));
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        "config: {name: two}\nteststeps:\n\
         - {name: a, request: {method: GET, url: \"http://127.0.0.1:8081/hello/x\"}}\n\
         - {name: b, request: {method: GET, url: \"http://127.0.0.1:8082/hello/x\"}}\n",
    );
    let usual = [
        "boom",
        &case,
        "--spawn-count",
        "1800",
        "--spawn-rate",
        "1800",
        "--loop-count",
        "2",
        "--connect-timeout",
        "30s",
    ];
    // The second run has a source of its own, so the ports that the first left at rest are no matter.
    for more in [&[][..], &["--source-ip", "127.0.0.2"]] {
        let run = pummel(&namespace, &[&usual[..], more].concat());
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (7_200, 0), "{}", run.stdout);
        assert_eq!(run.number("/client/connections/opened"), 3_600);
        for entry in run.summary["addresses"].as_array().unwrap() {
            assert_eq!(
                (entry["connections"].as_u64(), entry["requests"].as_u64()),
                (Some(1_800), Some(3_600)),
                "{entry}"
            );
        }
        assert_eq!((run.number("/plan/ports/needed"), run.number("/plan/ports/available")), (1_800, 2_000));
        assert!(run.stdout.contains("1800 of 2000 towards one address"), "{}", run.stdout);
        run.assert_conserved();
    }
}

#[test]
fn without_keep_alive_the_rate_ports_sustain_is_said_before_and_each_source_adds_its_own() {
    let Some(namespace) = namespace() else { return };
    namespace.set(&["net.ipv4.ip_local_port_range=40000 40099", "net.ipv4.tcp_tw_reuse=0"]);
    let _server = namespace.server("python3", &["-c", NEVER_CLOSES]);
    let run = |requests: &str, more: &[&str]| {
        let usual = ["hit", "http://127.0.0.1:8080/", "--disable-keepalive", "--cores=1", "-c1", "-n", requests];
        pummel(&namespace, &[&usual[..], more].concat())
    };
    // 100 ports rest for 60 s each.
    let one = run("105", &[]);
    assert_eq!((one.number("/totals/requests"), one.errors("address_exhausted")), (105, 5), "{}", one.stdout);
    assert_eq!(one.number("/client/connections/opened"), 100);
    assert_eq!(one.number("/plan/ports/sustainable_connections_per_s"), 1);
    assert!(one.stderr.contains("beyond 1 new connections a second (100 ports x 1 source address"), "{}", one.stderr);
    assert!(one.stderr.contains("--source-ip"), "{}", one.stderr);
    one.assert_conserved();

    let eight = run("805", &["--source-ip", "127.0.0.2-127.0.0.9"]);
    assert_eq!((eight.number("/totals/requests"), eight.errors("address_exhausted")), (805, 5), "{}", eight.stdout);
    assert_eq!(eight.number("/client/connections/opened"), 800);
    for entry in eight.summary["sources"].as_array().unwrap() {
        assert_eq!(entry["connections"], 100, "{entry}");
    }
    assert_eq!(eight.number("/plan/ports/sustainable_connections_per_s"), 8 * 100 / 60);
    assert!(eight.stderr.contains("100 ports x 8 source addresses"), "{}", eight.stderr);
    eight.assert_conserved();

    // A reset leaves nothing at rest: any number of connections, and nothing to be warned of but the reset itself.
    let reset = run("300", &["--close", "rst", "--source-ip", "127.0.0.10"]);
    assert_eq!((reset.number("/client/connections/opened"), reset.number("/totals/failures")), (300, 0));
    assert!(!reset.stderr.contains("address_exhausted"), "{}", reset.stderr);
    assert!(reset.summary["plan"]["ports"]["sustainable_connections_per_s"].is_null());
}

#[test]
fn connections_that_end_by_their_age_are_counted_among_new_ones() {
    let Some(namespace) = namespace() else { return };
    namespace.set(&["net.ipv4.ip_local_port_range=40000 40099", "net.ipv4.tcp_tw_reuse=0"]);
    let _server = namespace.server("python3", &["-c", NEVER_CLOSES]);
    // 100 ports that rest for 60 s: 1 a second. 3 connections of 2 s are more, of 3 s they are not.
    for (age, warned) in [("2s", true), ("3s", false)] {
        let run = pummel(
            &namespace,
            &["hit", "http://127.0.0.1:8080/", "-c", "3", "-d", "200ms", "--cores", "1", "--max-connection-age", age],
        );
        assert_eq!(
            (run.number("/totals/failures"), run.number("/client/connections/opened")),
            (0, 3),
            "{}",
            run.stdout
        );
        let said = run.stderr.contains("beyond 1 new connections a second");
        assert_eq!(said, warned, "{age}: {}", run.stderr);
    }
}

#[test]
fn a_run_that_cannot_use_up_the_ports_is_not_warned() {
    let Some(namespace) = namespace() else { return };
    namespace.set(&["net.ipv4.ip_local_port_range=40000 40099", "net.ipv4.ip_local_reserved_ports=40000-40049"]);
    let _server = namespace.server("python3", &["-c", NEVER_CLOSES]);
    let run = pummel(&namespace, &["hit", "http://127.0.0.1:8080/", "--disable-keepalive", "-c", "1", "-n", "50"]);
    assert_eq!((run.number("/totals/failures"), run.number("/plan/ports/available")), (0, 50), "{}", run.stdout);
    assert!(!run.stderr.contains("may run out"), "{}", run.stderr);
}
