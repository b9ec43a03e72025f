//! HTTP/2 against servers nobody here wrote (nginx, nghttpd), and against one that breaks every rule.

#[path = "common/breaking.rs"]
mod breaking;
#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/frames.rs"]
mod frames;
#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

use breaking::{break_tls, Breaking, Listener};
use certificates::{Authority, Certificate};
use frames::{
    frame, go_away, ok, reset, Answer, FrameServer, CONTINUATION, DATA, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, PING, STATUS_200,
};
use load::{closed_port, run, start, target, url, Folder, Nginx, Run};

/// An nghttpd of the test's own, without TLS; stopped when dropped.
struct Nghttpd {
    child: Child,
    address: SocketAddr,
}

impl Nghttpd {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
        let child = Command::new("nghttpd")
            .args(["--no-tls", "--address=127.0.0.1", "-d"])
            .arg(folder)
            .args(more)
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nghttpd is installed (scripts/test.sh installs it)");
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(since.elapsed() < Duration::from_secs(30), "nghttpd listens");
            thread::sleep(Duration::from_millis(10));
        }
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nghttpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An nginx with a server that speaks HTTP/2 without TLS, and that server's URL.
fn nginx(directives: &str) -> (Nginx, String) {
    let port = closed_port();
    let server = format!(
        "server {{ listen 127.0.0.1:{port} http2; default_type application/json; {directives}\n\
         location /hello {{ add_header Set-Cookie seen=1; return 200 '{{\"code\":0}}'; }}\n\
         location /cookie {{ return 200 '{{\"cookie\":\"$http_cookie\",\"ua\":\"$http_user_agent\",\"host\":\"$host\"}}'; }}\n\
         location /away {{ return 302 /cookie; }} }}"
    );
    let nginx = Nginx::start_with(&server);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "nginx listens");
        thread::sleep(Duration::from_millis(10));
    }
    (nginx, format!("http://{address}"))
}

/// `hit` with one connection of one stream and these arguments.
fn hit(url: &str, arguments: &[&str]) -> Run {
    let run = run(&[&["hit", url, "--http2"], arguments].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    run
}

#[test]
fn streams_share_connections_and_nginx_counts_the_same() {
    let (nginx, base) = nginx("");
    let before = nginx.requests(0);
    let run = hit(&format!("{base}/hello"), &["-c", "4", "--streams", "10", "-n", "5000"]);
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (5_000, 0));
    assert_eq!(run.number("/client/connections/opened"), 4);
    assert_eq!(run.number("/client/connections/closed"), 4);
    assert_eq!(run.number("/client/connections/reused"), 4_996);
    assert_eq!(nginx.requests(before + 1), run.number("/totals/exchanges/sent"));
}

#[test]
fn each_user_has_its_own_connection_unless_told_otherwise() {
    let folder = Folder::new();
    folder.write("a", "hello");
    let server = Nghttpd::start(folder.path(), &[]);
    let run = hit(&server.url("/a"), &["-c", "7", "-n", "700"]);
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (700, 0));
    assert_eq!(run.number("/client/connections/opened"), 7);
    // At least the DATA frames: five bytes behind nine of header.
    assert!(run.number("/totals/bytes_received") >= 700 * 14, "{}", run.number("/totals/bytes_received"));
}

#[test]
fn bodies_longer_than_the_windows_go_both_ways() {
    const BYTES: u64 = 3_000_000;
    let folder = Folder::new();
    let body = folder.write("body", &"0123456789".repeat(BYTES as usize / 10));
    let server = Nghttpd::start(folder.path(), &["--echo-upload"]);
    let run = hit(&server.url("/"), &["-m", "PUT", "-b", &format!("@{body}"), "-c", "2", "--streams", "3", "-n", "12"]);
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (12, 0));
    for direction in ["received", "sent"] {
        let bytes = run.number(&format!("/totals/bytes_{direction}"));
        // Frames carry 16 KiB at most, each behind nine bytes.
        assert!((12 * BYTES..12 * BYTES + 12 * BYTES / 100).contains(&bytes), "{direction}: {bytes}");
    }
}

#[test]
fn a_server_that_ends_its_connections_under_load_fails_nothing() {
    // nginx says GOAWAY after so many requests of one connection.
    let (nginx, base) = nginx("keepalive_requests 50;");
    let before = nginx.requests(0);
    let run = hit(&format!("{base}/hello"), &["-c", "2", "--streams", "8", "-n", "4000"]);
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (4_000, 0),
        "{:#}",
        run.summary["errors"]
    );
    assert_eq!(run.number("/totals/exchanges/answered"), 4_000);
    assert!(run.number("/client/connections/opened") >= 4_000 / 58, "{:#}", run.summary["client"]["connections"]);
    assert_eq!(run.number("/client/connections/opened"), run.number("/client/connections/closed"));
    assert_eq!(nginx.requests(before + 1), run.number("/totals/exchanges/sent"));
}

#[test]
fn a_server_that_is_killed_under_load_loses_no_count() {
    let folder = Folder::new();
    folder.write("a", "hello");
    let server = Nghttpd::start(folder.path(), &[]);
    let running = start(&["hit", &server.url("/a"), "--http2", "-c", "2", "--streams", "10", "-d", "2s"]);
    thread::sleep(Duration::from_secs(1));
    drop(server);
    let run = running.finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert!(run.number("/totals/requests") > run.number("/totals/failures"));
    let known: u64 = ["reset", "closed_early", "connect_refused"].iter().map(|kind| run.errors(kind)).sum();
    assert!(known > 0);
    assert_eq!(known, run.number("/totals/failures"), "{:#}", run.summary["errors"]);
}

#[test]
fn cases_speak_http2_where_they_say_so_with_cookies_redirects_and_proto() {
    let (_nginx, base) = nginx("");
    let target = target();
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: \"{base}\", verify: false}}\nteststeps:\n\
             - name: a\n  request: {{method: GET, url: /hello, http2: true}}\n  validate:\n  \
             - {{eq: [status_code, 200]}}\n  - {{eq: [proto, HTTP/2.0]}}\n  \
             - {{eq: [headers.Content-Type, application/json]}}\n  - {{eq: [body.code, 0]}}\n\
             - name: b\n  request: {{method: GET, url: /away, http2: true, allow_redirects: true}}\n  validate:\n  \
             - {{eq: [status_code, 200]}}\n  - {{eq: [body.cookie, seen=1]}}\n  - {{startswith: [body.ua, pummel/]}}\n\
             - name: c\n  variables: {{n: 7}}\n  request: {{method: POST, url: \"/cookie?n=$n\", http2: true, \
             headers: {{Host: named, Connection: close, Transfer-Encoding: chunked}}, body: \"n=$n\"}}\n  validate:\n  \
             - {{eq: [body.host, named]}}\n\
             - name: d\n  request: {{method: GET, url: \"{}\", http2: false}}\n  validate:\n  - {{eq: [proto, HTTP/1.1]}}\n",
            url(&target, "/hello/x")
        ),
    );
    for more in [&[][..], &["--http2"]] {
        let run = run(&[&["run", &case], more].concat());
        assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    }
    let run = run(&["boom", &case, "--spawn-count", "3", "--loop-count", "10", "--streams", "3"]);
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (120, 0),
        "{:#}",
        run.summary["errors"]
    );
    assert_eq!(run.number("/totals/exchanges/redirects"), 30);
    run.assert_conserved();
}

#[test]
fn streams_without_http2_are_wrong_usage() {
    let run = run(&["hit", "http://127.0.0.1:1/", "--streams", "5", "-n", "1"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--streams without --http2"), "{}", run.stderr);
}

#[test]
fn a_server_that_speaks_http_1_is_told_as_such() {
    let target = target();
    let run = hit(&url(&target, "/hello/x"), &["-c", "2", "--streams", "3", "-n", "12"]);
    assert_eq!(run.errors("protocol"), 12, "{:#}", run.summary["errors"]);
    assert!(run.stdout.contains("it does not speak HTTP/2 on this port"), "{}", run.stdout);
}

#[test]
fn a_stream_the_server_resets_is_an_error_with_its_reason() {
    const INTERNAL_ERROR: u32 = 2;
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS if got.stream % 4 == 1 => Answer::Send(reset(got.stream, INTERNAL_ERROR)),
        HEADERS => Answer::Send(ok(got.stream)),
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "-n", "20"]);
    assert_eq!((run.errors("stream_reset"), run.number("/totals/failures")), (10, 10));
    assert!(run.stdout.contains("the server reset the stream (INTERNAL_ERROR)"), "{}", run.stdout);
    assert_eq!((server.requests(), run.number("/totals/exchanges/sent")), (20, 20));
    assert_eq!(run.number("/client/connections/opened"), 1, "the connection goes on");
}

#[test]
fn a_refused_stream_is_sent_once_more_where_its_method_allows() {
    const REFUSED_STREAM: u32 = 7;
    let refuse = |got: frames::Received| match got.kind {
        HEADERS if got.stream % 4 == 3 => Answer::Send(reset(got.stream, REFUSED_STREAM)),
        HEADERS => Answer::Send(ok(got.stream)),
        _ => Answer::Send(Vec::new()),
    };
    let server = FrameServer::start(&[], refuse);
    // Streams 1, 3 (refused), 5, 7 (refused), 9: five streams for the first three requests, and so on.
    let run_of = hit(&server.url(), &["-c", "1", "-n", "10"]);
    assert_eq!((run_of.number("/totals/requests"), run_of.number("/totals/failures")), (10, 0));
    assert_eq!(run_of.number("/totals/exchanges/stale_retries"), 9);
    assert_eq!((server.requests(), run_of.number("/totals/exchanges/sent")), (19, 10));
    let run_of = hit(&server.url(), &["-c", "1", "-n", "10", "-m", "POST"]);
    assert_eq!((run_of.errors("stream_reset"), run_of.number("/totals/exchanges/stale_retries")), (5, 0));
}

#[test]
fn streams_behind_a_goaway_are_sent_again_and_those_before_it_finish() {
    // Each connection takes three of the first four streams, says so, and answers them after that.
    let server = FrameServer::start(&[], |got| match (got.kind, got.stream) {
        (HEADERS, 7) => Answer::Send([go_away(5, 0), ok(1), ok(3), ok(5)].concat()),
        (HEADERS, _) if got.connection > 0 => Answer::Send(ok(got.stream)),
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "--streams", "4", "-n", "4", "-m", "POST"]);
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (4, 0), "{:#}", run.summary["errors"]);
    assert_eq!(run.number("/totals/exchanges/stale_retries"), 1, "not begun with, so a POST too");
    assert_eq!(run.number("/totals/exchanges/answered"), 4);
    assert_eq!((server.requests(), run.number("/client/connections/opened")), (5, 2));
}

#[test]
fn a_server_that_ends_every_connection_is_an_error_of_its_own() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS => Answer::Close(go_away(0, ENHANCE_YOUR_CALM)),
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "-n", "5"]);
    assert_eq!(
        (run.errors("goaway"), run.number("/totals/exchanges/stale_retries")),
        (5, 5),
        "{:#}",
        run.summary["errors"]
    );
    assert!(run.stdout.contains("GOAWAY, ENHANCE_YOUR_CALM"), "{}", run.stdout);
}

#[test]
fn fewer_streams_than_ask_are_waited_for() {
    static OPEN: AtomicU32 = AtomicU32::new(0);
    let server = FrameServer::start(&[(MAX_CONCURRENT_STREAMS, 1)], |got| match got.kind {
        HEADERS => {
            assert_eq!(OPEN.fetch_add(1, Ordering::Relaxed), 0);
            thread::sleep(Duration::from_millis(5));
            OPEN.fetch_sub(1, Ordering::Relaxed);
            Answer::Send(ok(got.stream))
        }
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "--streams", "10", "-n", "100"]);
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (100, 0),
        "{:#}",
        run.summary["errors"]
    );
    assert_eq!(run.number("/totals/exchanges/stale_retries"), 0);
    // The wait of nine others is not the server's time.
    let service = run.number("/totals/service_us/p50");
    let response = run.number("/totals/response_us/p50");
    assert!(service * 4 < response, "service {service} us, response {response} us");
}

#[test]
fn a_window_that_never_opens_ends_with_the_request_timeout() {
    let server = FrameServer::start(&[(INITIAL_WINDOW_SIZE, 0)], |_| Answer::Send(Vec::new()));
    let run = hit(&server.url(), &["-b", "body", "-c", "1", "--streams", "2", "-n", "4", "--timeout", "300ms"]);
    assert_eq!(run.errors("request_timeout"), 4, "{:#}", run.summary["errors"]);
    assert!(run.number("/totals/failed_us/min") >= 300_000);
    assert_eq!(run.number("/client/connections/opened"), 1, "the connection goes on");
}

#[test]
fn an_upload_ends_with_its_answer_though_the_window_never_opens() {
    const CANCEL: u32 = 8;
    let folder = Folder::new();
    let file = folder.write("file", &"0123456789".repeat(300_000));
    let ended = Arc::new(AtomicU32::new(0));
    let cancelled = Arc::clone(&ended);
    // The streams' windows are closed: of the bodies nothing arrives but what was sent before the client heard of it.
    let server = FrameServer::start(&[(INITIAL_WINDOW_SIZE, 0)], move |got| match got.kind {
        HEADERS => Answer::Send(ok(got.stream)),
        frames::RST_STREAM if got.payload == CANCEL.to_be_bytes() => {
            cancelled.fetch_add(1, Ordering::Relaxed);
            Answer::Send(Vec::new())
        }
        _ => Answer::Send(Vec::new()),
    });
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: u, base_url: \"{}\"}}\nteststeps:\n- {{name: a, request: {{method: POST, url: /, upload: \
             {{f: '@{file}'}}}}, validate: [{{eq: [status_code, 200]}}]}}\n",
            server.url()
        ),
    );
    let upload = |more: &[&str]| run(&[&["boom", &case, "--http2", "--loop-count", "3"], more].concat());
    // One that waited for the window would end with the limit and not with the watchdog of these tests.
    let run = upload(&["--request-timeout", "10m"]);
    assert_eq!((run.code, run.number("/totals/requests"), run.number("/totals/failures")), (0, 3, 0), "{}", run.stderr);
    assert_eq!((run.number("/client/connections/opened"), server.requests()), (1, 3));
    run.assert_conserved();
    // The last reset may still be on its way.
    assert!(ended.load(Ordering::Relaxed) >= 2, "what was not sent is taken back");

    let silent = FrameServer::start(&[(INITIAL_WINDOW_SIZE, 0)], |_| Answer::Send(Vec::new()));
    folder.write("case.yml", &fs::read_to_string(&case).unwrap().replace(&server.url(), &silent.url()));
    let run = upload(&["--request-timeout", "300ms"]);
    assert_eq!((run.errors("request_timeout"), run.number("/totals/failures")), (3, 3), "{:#}", run.summary["errors"]);
    run.assert_conserved();
}

#[test]
fn a_connection_carries_as_many_requests_as_it_may_though_more_wait_for_a_stream() {
    let folder = Folder::new();
    folder.write("a", "hello");
    let server = Nghttpd::start(folder.path(), &["--max-concurrent-streams=2"]);
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: \"{}\"}}\nteststeps:\n- {{name: a, request: {{method: GET, url: /a}}}}\n",
            server.url("")
        ),
    );
    let load = ["boom", &case, "--http2", "--streams", "10", "--spawn-count", "20", "--spawn-rate", "10000"];
    for (more, requests) in [(&["--disable-keepalive"][..], 1), (&["--max-requests-per-connection", "3"], 3)] {
        let run = run(&[&load[..], &["--loop-count", "15"], more].concat());
        assert_eq!(
            (run.number("/totals/requests"), run.number("/totals/failures")),
            (300, 0),
            "{more:?} {:#}",
            run.summary["errors"]
        );
        assert!(run.number("/client/connections/opened") >= 300 / requests, "{more:?}");
        assert_eq!(run.number("/client/connections/opened"), run.number("/client/connections/closed"));
        run.assert_conserved();
    }
}

#[test]
fn a_connection_that_is_too_old_is_replaced() {
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS => Answer::Send(ok(got.stream)),
        _ => Answer::Send(Vec::new()),
    });
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: \"{}\"}}\nteststeps:\n- {{name: a, request: {{method: GET, url: /}}}}\n\
             - {{name: t, think_time: {{time: 0.02}}}}\n",
            server.url()
        ),
    );
    for (age, opened) in [("10ms", 5), ("10m", 1)] {
        let run = run(&["boom", &case, "--http2", "--loop-count", "5", "--max-connection-age", age]);
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (5, 0));
        assert_eq!(run.number("/client/connections/opened"), opened, "{age}");
        run.assert_conserved();
    }
}

#[test]
fn a_silent_server_ends_with_the_request_timeout_and_a_stop_does_not_wait_for_it() {
    let server = FrameServer::start(&[], |_| Answer::Send(Vec::new()));
    let run = hit(&server.url(), &["-c", "3", "-d", "300ms", "--stop-timeout", "200ms"]);
    assert_eq!(run.number("/conservation/abandoned"), 3);
}

#[test]
fn an_endless_header_list_is_cut_off() {
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS => {
            // A field of 16,000 bytes that is not indexed, again and again, without an end.
            let mut field = vec![0x00, 0x01, b'a', 0x7f, 0x81, 0x7c];
            field.extend_from_slice(&[b'x'; 16_000]);
            let mut bomb = frame(HEADERS, 0, got.stream, STATUS_200);
            (0..64).for_each(|_| bomb.extend(frame(CONTINUATION, 0, got.stream, &field)));
            Answer::Send(bomb)
        }
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "-n", "3", "--timeout", "5s"]);
    assert_eq!(run.errors("protocol"), 3, "{:#}", run.summary["errors"]);
}

#[test]
fn storms_of_resets_and_pings_do_not_take_the_client_along() {
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS => {
            let mut storm = Vec::new();
            (0..2_000).for_each(|_| storm.extend(reset(got.stream, 8)));
            (0..2_000).for_each(|_| storm.extend(frame(PING, 0, 0, &[0; 8])));
            Answer::Send(storm)
        }
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "2", "-n", "20", "--timeout", "5s"]);
    assert_eq!(run.number("/totals/failures"), 20);
    let known: u64 = ["stream_reset", "protocol", "reset", "closed_early"].iter().map(|kind| run.errors(kind)).sum();
    assert_eq!(known, 20, "{:#}", run.summary["errors"]);
}

#[test]
fn a_connection_that_breaks_mid_body_fails_its_requests() {
    let server = FrameServer::start(&[], |got| match got.kind {
        HEADERS => {
            let head = frame(HEADERS, frames::END_HEADERS, got.stream, STATUS_200);
            Answer::Close([head, frame(DATA, 0, got.stream, b"half")].concat())
        }
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&server.url(), &["-c", "1", "-n", "5"]);
    assert_eq!(run.errors("closed_early") + run.errors("reset"), 5, "{:#}", run.summary["errors"]);
    let whole = FrameServer::start(&[], |got| match got.kind {
        HEADERS => {
            let head = frame(HEADERS, frames::END_HEADERS, got.stream, STATUS_200);
            Answer::Close([head, frame(DATA, END_STREAM, got.stream, b"all")].concat())
        }
        _ => Answer::Send(Vec::new()),
    });
    let run = hit(&whole.url(), &["-c", "1", "-n", "5"]);
    assert_eq!(run.number("/totals/failures"), 0, "{:#}", run.summary["errors"]);
}

/// A server that answers each request with a head and with data of these flags, and then ends TLS.
fn ending(certificate: &Certificate, flags: u8, end: fn(&mut rustls::ServerConnection)) -> Listener {
    Breaking::serve(certificate, &[b"h2"], end, move |stream| {
        let answer = |got: frames::Received| match got.kind {
            HEADERS => {
                let head = frame(HEADERS, frames::END_HEADERS, got.stream, STATUS_200);
                Answer::Close([head, frame(DATA, flags, got.stream, b"some")].concat())
            }
            _ => Answer::Send(Vec::new()),
        };
        frames::converse(stream, 0, &frames::settings(&[]), &answer, &AtomicU32::new(0)).ok()
    })
}

#[test]
fn what_breaks_tls_is_named() {
    let authority = Authority::new();
    let certificate = authority.sign("server", "DNS:localhost,IP:127.0.0.1", 1);
    let errors = |server: &Listener, streams: &str| {
        let run = hit(&server.url("https"), &["-k", "-c", "1", "--streams", streams, "-n", "6"]);
        let errors = run.summary["errors"].as_array().expect("errors").clone();
        let of = |error: &serde_json::Value| format!("{} {}: {}", error["count"], error["kind"], error["message"]);
        errors.iter().map(of).collect::<Vec<_>>()
    };
    let broken = "6 \"tls\": \"the server sent the TLS alert bad_record_mac\"";
    let half = ending(&certificate, 0, break_tls);
    assert_eq!(errors(&half, "1"), [broken]);
    assert_eq!(errors(&half, "3"), [broken], "who shares a connection is told the same");
    let before_any_answer =
        Breaking::serve(&certificate, &[b"h2"], break_tls, |stream| stream.read_exact(&mut [0; 24]).ok());
    assert_eq!(errors(&before_any_answer, "1"), [broken]);
    assert_eq!(errors(&before_any_answer, "3"), [broken]);

    // A close in order is none of TLS's failures, and no failure at all behind a whole response.
    let early = "6 \"closed_early\": \"the server closed the connection before the response was complete\"";
    assert_eq!(errors(&ending(&certificate, 0, |tls| tls.send_close_notify()), "1"), [early]);
    assert_eq!(errors(&ending(&certificate, END_STREAM, |tls| tls.send_close_notify()), "1"), [""; 0]);
}

#[test]
fn with_tls_http2_is_what_both_agree_on() {
    let authority = Authority::new();
    let signed = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1", 1);
    let (both, only_1) = (closed_port(), closed_port());
    let server = |port: u16, http2: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl {http2}; ssl_certificate {}; ssl_certificate_key {};\n\
             location / {{ return 200 x; }} }}\n",
            signed.certificate.display(),
            signed.key.display()
        )
    };
    let nginx = Nginx::start_with(&[server(both, "http2"), server(only_1, "")].concat());
    let before = nginx.requests(0);
    let roots = authority.certificate().display().to_string();
    let run =
        hit(&format!("https://127.0.0.1:{both}/"), &["--cacert", &roots, "-c", "2", "--streams", "5", "-n", "1000"]);
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (1_000, 0),
        "{:#}",
        run.summary["errors"]
    );
    assert_eq!(run.number("/client/connections/opened"), 2);
    assert_eq!(nginx.requests(before + 1), run.number("/totals/exchanges/sent"));
    let run =
        hit(&format!("https://127.0.0.1:{only_1}/"), &["--cacert", &roots, "-c", "2", "--streams", "5", "-n", "20"]);
    assert_eq!(run.number("/totals/failures"), 20);
    let tls: u64 = ["protocol", "tls"].iter().map(|kind| run.errors(kind)).sum();
    assert_eq!(tls, 20, "{:#}", run.summary["errors"]);
}

#[test]
fn a_failure_is_sampled_as_it_is_over_http1() {
    let (nginx, base) = nginx("location /full { return 507 '{\"token\":\"s3cr3t\",\"why\":\"full\"}'; }");
    let folder = Folder::new();
    let text = format!(
        "config: {{name: c, base_url: \"{base}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: POST, url: /full, body: some}}, validate: [{{eq: [status_code, 200]}}]}}\n"
    );
    let case = folder.write("case.yml", &text);
    let run = run(&["boom", &case, "--http2", "--loop-count", "3", "--sample-failures", "2"]);
    let samples = run.summary["failure_samples"].as_array().expect("samples");
    assert_eq!(samples.len(), 2, "{}", run.stderr);
    let (request, response) = (&samples[0]["request"], &samples[0]["response"]);
    assert!(request["head"].as_str().unwrap().starts_with(&format!("POST {base}/full\n")), "{request}");
    assert_eq!(request["body"], "some");
    assert!(response["head"].as_str().unwrap().starts_with("HTTP/2.0 507\nserver: nginx"), "{response}");
    assert_eq!(response["body"], "{\"token\":\"***\",\"why\":\"full\"}");
    assert!(samples[0]["timing"]["first_byte_us"].as_u64() >= samples[0]["timing"]["sent_us"].as_u64());
    drop(nginx);
}
