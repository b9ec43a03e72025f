//! Bodies and who asks for them: content codings, credentials, uploads from files; against nginx and Python's HTTP server.

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/load.rs"]
mod load;
#[path = "common/python_server.rs"]
mod python_server;

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use certificates::Authority;
use load::{binary, closed_port, command, run, Folder, Nginx, Run};
use python_server::PythonServer;

/// `common/bodies.py`, stopped when dropped.
struct Bodies {
    _server: PythonServer,
    base: String,
}

impl Bodies {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/bodies.py");
        let server = PythonServer::start(Command::new("python3").arg(script), "the server of bodies");
        let base = format!("http://{}", server.address());
        Self { _server: server, base }
    }
}

/// An nginx that speaks HTTP/2 to its clients and passes on what they say as it comes.
struct InFront {
    _nginx: Nginx,
    authority: Authority,
    /// Over TLS, and HTTP/1.1 too.
    https: String,
    /// Without TLS.
    http: String,
}

impl InFront {
    fn start(server: &Bodies) -> Self {
        let authority = Authority::new();
        let signed = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1", 1);
        let (tls, plain) = (closed_port(), closed_port());
        let nginx = Nginx::start_with(&format!(
            "server {{ listen 127.0.0.1:{tls} ssl http2; listen 127.0.0.1:{plain} http2; ssl_certificate {};\n\
             ssl_certificate_key {}; client_max_body_size 6m;\n\
             location / {{ proxy_pass {}; proxy_http_version 1.1; proxy_request_buffering off; }} }}\n",
            signed.certificate.display(),
            signed.key.display(),
            server.base
        ));
        let [https, http] =
            [("https", tls), ("http", plain)].map(|(scheme, port)| format!("{scheme}://127.0.0.1:{port}"));
        Self { _nginx: nginx, authority, https, http }
    }
}

/// Runs steps as a case with `boom`, each as often as `loops` says.
fn boom(base: &str, config: &str, steps: &str, more: &[&str]) -> Run {
    let folder = Folder::new();
    boom_in(&folder, base, config, steps, more)
}

fn boom_in(folder: &Folder, base: &str, config: &str, steps: &str, more: &[&str]) -> Run {
    let text = format!("config: {{name: bodies, base_url: \"{base}\"{config}}}\nteststeps:\n{steps}");
    let case = folder.write("case.yml", &text);
    let mut arguments = vec!["boom", &case, "--run-time", "40s", "--stop-timeout", "5s"];
    if !more.contains(&"--loop-count") {
        arguments.extend(["--loop-count", "1"]);
    }
    arguments.extend(more);
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    let part = |name: &str| run.number(&format!("/totals/exchanges/{name}"));
    assert_eq!(
        run.number("/conservation/started") + part("redirects") + part("auth_rounds"),
        part("sent") + part("unsent"),
        "exchanges add up"
    );
    run
}

fn assert_all_passed(run: &Run, requests: u64) {
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (requests, 0),
        "{:#}",
        run.summary["errors"]
    );
}

/// The body all coded answers of the server become.
const DECODED_BYTES: u64 = 1_223;

#[test]
fn every_coding_comes_off_where_something_looks_at_the_body() {
    let server = Bodies::start();
    let paths = ["gzip", "members", "deflate", "raw", "br", "zstd", "both"];
    let step = |path: &&str| {
        format!("- {{name: {path}, request: {{method: GET, url: /{path}}}, validate: [{{eq: [body.code, 0]}}]}}\n")
    };
    let steps: String = paths.iter().map(step).collect();
    let run = boom(&server.base, "", &steps, &[]);
    assert_all_passed(&run, 7);
    assert_eq!(run.number("/totals/bytes_decoded"), 7 * DECODED_BYTES);
    assert_eq!(run.number("/steps/0/bytes_decoded"), DECODED_BYTES);
    assert!(run.number("/steps/0/bytes_received") < DECODED_BYTES, "what came over the wire is counted as it came");

    let unseen = boom(
        &server.base,
        "",
        "- {name: a, request: {method: GET, url: /cut}, validate: [{eq: [status_code, 200]}]}\n",
        &[],
    );
    assert_all_passed(&unseen, 1);
    assert_eq!(unseen.number("/totals/bytes_decoded"), 0, "nothing looked at it");
}

#[test]
fn bodies_that_cannot_be_decoded_are_failures_of_their_own_kind() {
    let server = Bodies::start();
    let step = |path: &str| {
        format!("- {{name: {path}, request: {{method: GET, url: /{path}}}, validate: [{{eq: [body.code, 0]}}]}}\n")
    };
    for (path, message) in [
        ("cut", "the gzip body ends before it is complete"),
        ("bomb", "the decoded body is larger than 67108864 bytes"),
    ] {
        let run = boom(&server.base, "", &step(path), &["--loop-count", "2"]);
        assert_eq!(run.errors("body_decode"), 2, "{:#}", run.summary["errors"]);
        assert_eq!(run.summary["errors"][0]["message"], message);
        assert_eq!(run.number("/client/connections/opened"), 1, "the connection is none the worse for it");
    }
    let unknown = boom(&server.base, "", &step("unknown"), &[]);
    assert_all_passed(&unknown, 1);
}

#[test]
fn gzip_is_asked_for_unless_somebody_says_otherwise() {
    let server = Bodies::start();
    let asked = |request: &str, expected: &str| {
        format!(
            "- {{name: a, request: {{method: GET, url: /asked{request}}}, validate: [{{eq: [body, {expected}]}}]}}\n"
        )
    };
    let steps = [
        asked("", "gzip"),
        asked(", headers: {Accept-Encoding: 'br, zstd'}", "'br, zstd'"),
        asked(", headers: {Range: bytes=0-}", "nothing"),
        asked(", headers: {Range: 'bytes=${v}-'}", "nothing").replace("- {", "- {variables: {v: 0}, "),
        asked("?a=$v", "gzip").replace("- {", "- {variables: {v: 0}, "),
    ]
    .concat()
    .replace("${v}", "$v");
    assert_all_passed(&boom(&server.base, "", &steps, &[]), 5);
    assert_all_passed(&boom(&server.base, "", &asked("", "nothing"), &["--disable-compression"]), 1);
    let hit = run(&["hit", &format!("{}/gzip", server.base), "-n", "3", "-c", "1"]);
    assert_eq!(hit.number("/totals/bytes_decoded"), 0);
}

#[test]
fn who_did_not_ask_for_gzip_does_not_hear_of_it() {
    let server = Bodies::start();
    let steps = "- {name: a, request: {method: GET, url: /gzip}, extract: {e: headers.Content-Encoding}, validate: [{eq: [$e, null]}]}\n\
                 - {name: b, request: {method: GET, url: /br}, validate: [{eq: [headers.Content-Encoding, br]}]}\n\
                 - {name: c, request: {method: GET, url: /gzip, headers: {Accept-Encoding: gzip}}, validate: [{eq: [headers.Content-Encoding, gzip]}, {eq: [body.code, 0]}]}\n";
    let folder = Folder::new();
    let case =
        folder.write("case.yml", &format!("config: {{name: b, base_url: \"{}\"}}\nteststeps:\n{steps}", server.base));
    let ran = run(&["run", &case, "-c"]);
    let record = |step: usize| &ran.summary["details"][0]["records"][step];
    assert_eq!(ran.code, 0, "{}\n{}\n{:#}", ran.stdout, ran.stderr, ran.summary);
    assert_eq!(record(1)["name"], "b");
    let wire = record(2)["content_size"].as_u64().unwrap();
    assert!((1..DECODED_BYTES).contains(&wire), "bytes as they came: {wire}");
}

#[test]
fn nginx_compresses_and_asks_for_a_password() {
    let folder = Folder::new();
    let hash = command("openssl", &["passwd", "-apr1", "s3:cret"]).stdout;
    let users = folder.write("htpasswd", &format!("anna:{}", String::from_utf8(hash).unwrap()));
    let port = closed_port();
    let text = "x".repeat(2_000);
    let nginx = Nginx::start_with(&format!(
        "server {{ listen 127.0.0.1:{port}; default_type application/json; gzip on; gzip_types *;\n\
         location /text {{ return 200 '{{\"code\":0,\"t\":\"{text}\"}}'; }}\n\
         location /private {{ auth_basic realm; auth_basic_user_file {users}; alias {}; }} }}\n",
        folder.path().display()
    ));
    folder.write("a", "secret");
    let base = format!("http://127.0.0.1:{port}");
    let run = boom(
        &base,
        "",
        "- {name: a, request: {method: GET, url: /text}, validate: [{eq: [body.code, 0]}]}\n",
        &["--loop-count", "5"],
    );
    assert_all_passed(&run, 5);
    assert_eq!(run.number("/totals/bytes_decoded"), 5 * 2_017);
    assert!(run.number("/totals/bytes_received") < 5 * 1_000, "it came compressed");

    let get = |url: &str, more: &str, status: u16| {
        format!("- {{name: a, request: {{method: GET, url: \"{url}\"{more}}}, validate: [{{eq: [status_code, {status}]}}]}}\n")
    };
    let in_url = format!("http://anna:s3%3Acret@127.0.0.1:{port}/private/a");
    let own = ", auth: {type: basic, username: $u, password: 's3:cret'}";
    let steps = [
        get("/private/a", "", 401),
        get(&in_url, "", 200),
        get("/private/a", own, 200).replace("- {", "- {variables: {u: anna}, "),
        get("/private/a", ", auth: {type: basic, username: anna, password: no}", 401),
        get(&in_url, ", headers: {Authorization: Basic no}", 401),
    ]
    .concat();
    assert_all_passed(&boom(&base, "", &steps, &[]), 5);
    let in_config = ", auth: {type: basic, username: anna, password: 's3:cret'}";
    let steps = [get("/private/a", "", 200), get("/private/a", ", auth: {type: none}", 401)].concat();
    assert_all_passed(&boom(&base, in_config, &steps, &[]), 2);
    assert_all_passed(&boom(&base, "", &get("/private/a", "", 200), &["--auth", "basic:anna:s3:cret"]), 1);
    let url = format!("{base}/private/a");
    for (given, received) in [(vec!["--auth", "basic:anna:s3:cret"], true), (vec![], false)] {
        let arguments = [vec!["hit", &url, "-n", "4", "-c", "1"], given].concat();
        let hit = load::run(&arguments);
        assert_eq!(
            hit.number("/totals/bytes_received") < 4 * 300,
            received,
            "four secrets, or four pages of nginx's 401"
        );
    }
    drop(nginx);
}

#[test]
fn credentials_do_not_follow_to_another_host() {
    let server = Bodies::start();
    let step = |url: &str, expected: &str| {
        format!("- {{name: a, request: {{method: GET, url: {url}}}, validate: [{{eq: [body, {expected}]}}]}}\n")
    };
    let steps = [step("/who", "Bearer t0"), step("/away", "nobody")].concat();
    assert_all_passed(&boom(&server.base, "", &steps, &["--auth", "bearer:t0"]), 2);
}

#[test]
fn digest_is_asked_for_once_and_then_sent_at_once() {
    let server = Bodies::start();
    for path in ["/digest/md5", "/digest/sha"] {
        let steps = format!(
            "- {{name: a, request: {{method: GET, url: \"{path}?x=1\"}}, validate: [{{eq: [status_code, 200]}}]}}\n"
        );
        let auth = ", auth: {type: digest, username: anna, password: 's3:cret'}";
        let run = boom(&server.base, auth, &steps, &["--loop-count", "5", "--spawn-count", "2", "--spawn-rate", "2"]);
        assert_all_passed(&run, 10);
        assert_eq!(run.number("/totals/exchanges/auth_rounds"), 2, "one for each user");
        assert_eq!(run.number("/totals/exchanges/sent"), 12);
        assert_eq!(run.number("/client/connections/opened"), 2, "on the connection it came on");
    }
    let steps = "- {name: a, request: {method: GET, url: /digest/old}, validate: [{eq: [status_code, 200]}]}\n";
    let run = boom(&server.base, "", steps, &["--loop-count", "6", "--auth", "digest:anna:s3:cret"]);
    assert_all_passed(&run, 6);
    assert_eq!(run.number("/totals/exchanges/auth_rounds"), 2, "a nonce is good for three requests");
}

#[test]
fn a_cookie_that_comes_with_a_challenge_goes_out_with_the_answer() {
    let server = Bodies::start();
    let front = InFront::start(&server);
    let roots = front.authority.certificate().display().to_string();
    let steps = "- {name: a, request: {method: GET, url: /digest/cookie}, validate: [{eq: [body, asked=yes]}]}\n";
    let auth = ["--auth", "digest:anna:s3:cret", "--cacert", &roots, "--loop-count", "4"];
    for (base, more) in
        [(&server.base, &[][..]), (&front.https, &[]), (&front.https, &["--http2"]), (&front.http, &["--http2"])]
    {
        let kept = boom(base, "", steps, &[&auth[..], &["--cookies", "per-user"], more].concat());
        assert_all_passed(&kept, 4);
        assert_eq!(kept.number("/totals/exchanges/auth_rounds"), 1);
    }
}

#[test]
fn a_wrong_password_is_told_once_for_each_request() {
    let server = Bodies::start();
    let steps = "- {name: a, request: {method: GET, url: /digest/md5}, validate: [{eq: [status_code, 401]}, {eq: [body, who?]}]}\n";
    let run = boom(&server.base, "", steps, &["--loop-count", "3", "--auth", "digest:anna:wrong"]);
    assert_all_passed(&run, 3);
    assert_eq!((run.number("/totals/exchanges/auth_rounds"), run.number("/totals/exchanges/sent")), (3, 6));
    let hit = load::run(&[
        "hit",
        &format!("{}/digest/md5", server.base),
        "-n",
        "4",
        "-c",
        "1",
        "--auth",
        "digest:anna:s3:cret",
    ]);
    assert_eq!((hit.number("/totals/exchanges/auth_rounds"), hit.number("/totals/failures")), (1, 0));
}

/// Writes a file whose bytes do not repeat, and gives its path and SHA-256.
fn large_file(folder: &Folder, bytes: usize) -> (String, String) {
    let path = folder.path().join("large.bin");
    let mut state = 1_u64;
    let words = (0..bytes / 8).flat_map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()
    });
    fs::write(&path, words.collect::<Vec<u8>>()).unwrap();
    let path = path.display().to_string();
    let told = command("sha256sum", &[&path]).stdout;
    (path, String::from_utf8(told).unwrap()[..64].to_owned())
}

#[test]
fn a_large_file_arrives_as_it_is() {
    let server = Bodies::start();
    let folder = Folder::new();
    let (path, sha256) = large_file(&folder, 5 * 1024 * 1024);
    let step = |upload: &str| {
        format!("- {{name: a, variables: {{f: large}}, request: {{method: POST, url: /sha256, upload: {upload}}}, validate: [{{eq: [body, {sha256}]}}]}}\n")
    };
    let rendered = path.replace("large.bin", "$f.bin");
    let steps = [step(&format!("{{a: '@{path}'}}")), step(&format!("{{a: '@{rendered}'}}"))].concat();
    let run = boom_in(&folder, &server.base, "", &steps, &["--loop-count", "2"]);
    assert_all_passed(&run, 4);
    assert_eq!(run.number("/client/connections/opened"), 1, "the connection carries one upload after the other");
    let sent = run.number("/totals/bytes_sent");
    assert!((4 * 5 * 1024 * 1024..4 * (5 * 1024 * 1024 + 1_000)).contains(&sent), "{sent}");

    let case = folder.path().join("case.yml").display().to_string();
    let ran = load::run(&["run", &case, "--log-requests"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let body = &ran.summary["details"][0]["records"][0]["data"]["req_resps"]["request"]["body"];
    assert!(body.as_str().is_some_and(|body| body.contains("<large.bin: 5242880 bytes>")), "{body}");
}

#[test]
fn a_large_file_arrives_as_it_is_over_tls_and_over_http2() {
    const BYTES: u64 = 5 * 1024 * 1024;
    let server = Bodies::start();
    let front = InFront::start(&server);
    let roots = front.authority.certificate().display().to_string();
    let folder = Folder::new();
    let (path, sha256) = large_file(&folder, BYTES as usize);
    let steps = format!(
        "- {{name: a, request: {{method: POST, url: /sha256, upload: {{a: '@{path}'}}}}, validate: [{{eq: [body, {sha256}]}}]}}\n"
    );
    let load = ["--cacert", &roots, "--spawn-count", "4", "--spawn-rate", "1000", "--loop-count", "2"];
    for (base, more, connections) in [
        (&front.https, &[][..], 4),
        (&front.https, &["--http2"], 4),
        (&front.https, &["--http2", "--streams", "4"], 1),
        (&front.http, &["--http2", "--streams", "2"], 2),
    ] {
        let run = boom_in(&folder, base, "", &steps, &[&load[..], more].concat());
        assert_all_passed(&run, 8);
        assert_eq!(run.number("/client/connections/opened"), connections, "{base} {more:?}");
        // In HTTP/2 each 16 KiB stand behind nine bytes.
        let sent = run.number("/totals/bytes_sent");
        assert!((8 * BYTES..8 * (BYTES + BYTES / 1_000)).contains(&sent), "{base} {more:?}: {sent}");
    }
    large_file(&folder, 32 * 1024 * 1024);
    let steps = steps.replace(&format!("[body, {sha256}]"), "[status_code, 413]");
    let refused = boom_in(&folder, &front.https, "", &steps, &[&load[..], &["--http2"]].concat());
    assert_all_passed(&refused, 8);
    assert_eq!(refused.number("/client/connections/opened"), 4, "a stream is over, its connection goes on");
    assert!(refused.number("/totals/bytes_sent") < 8 * 6 * 1024 * 1024);
}

#[test]
fn an_answer_before_the_end_of_an_upload_ends_it() {
    let server = Bodies::start();
    let folder = Folder::new();
    let (path, _) = large_file(&folder, 32 * 1024 * 1024);
    let steps = format!("- {{name: a, request: {{method: POST, url: /early, upload: {{a: '@{path}'}}}}, validate: [{{eq: [status_code, 413]}}]}}\n");
    let run = boom_in(&folder, &server.base, "", &steps, &["--loop-count", "3"]);
    // The server closes with bytes of ours unread, which is a reset: whether the answer comes before it is a matter of luck.
    assert_eq!(run.number("/totals/requests"), 3);
    assert_eq!(
        run.errors("reset") + run.errors("closed_early"),
        run.number("/totals/failures"),
        "{:#}",
        run.summary["errors"]
    );
    assert_eq!(run.number("/client/connections/opened"), 3, "a request that was not sent whole ends its connection");
}

#[test]
fn a_file_that_shrinks_meanwhile_is_a_failure() {
    let folder = Folder::new();
    let path = folder.path().join("large.bin").display().to_string();
    // More than the kernel keeps for a receiver that does not read, some 10 MiB.
    File::create(&path).unwrap().set_len(64 * 1024 * 1024).unwrap();
    // A server that reads nothing until the file has become shorter.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let shrinks = path.clone();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let file = File::options().write(true).open(shrinks).unwrap();
        file.set_len(1_100_000).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        let _ = stream.flush();
    });
    // The address is looked at when the user starts, the file when the case is loaded.
    let steps = format!("- {{name: a, request: {{method: POST, url: /, upload: {{a: '@{path}'}}}}}}\n");
    let run = boom_in(&folder, &base, "", &steps, &[]);
    assert_eq!(run.errors("request"), 1, "{:#}", run.summary["errors"]);
    assert_eq!(run.summary["errors"][0]["message"], "the file changed while it was sent");
    server.join().unwrap();
}

/// Takes so many requests, one a connection, reads each to its end and says so; gives its port.
fn sink(requests: usize, bytes_least: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |mut stream: std::net::TcpStream| {
        let (mut buffer, mut seen, mut tail) = (vec![0; 256 * 1024], 0, Vec::new());
        // The last boundary ends the body.
        while seen < bytes_least || !tail.ends_with(b"--\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "closed after {seen} bytes");
            seen += read;
            tail.extend_from_slice(&buffer[read.saturating_sub(4)..read]);
            tail.drain(..tail.len().saturating_sub(4));
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    };
    thread::spawn(move || {
        for stream in listener.incoming().take(requests) {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

#[test]
fn a_hundred_uploads_of_64_mib_take_little_memory() {
    const FILE_BYTES: u64 = 64 * 1024 * 1024;
    let folder = Folder::new();
    let path = folder.path().join("large.bin");
    File::create(&path).unwrap().set_len(FILE_BYTES).unwrap();
    let port = sink(100, FILE_BYTES as usize);
    let text = format!(
        "config: {{name: u, base_url: \"http://127.0.0.1:{port}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: POST, url: /, upload: {{a: '@{}'}}}}, validate: [{{eq: [status_code, 200]}}]}}\n",
        path.display()
    );
    let case = folder.write("case.yml", &text);
    let json = folder.path().join("summary.json");
    let mut child = Command::new(binary())
        .args(["boom", &case, "--loop-count", "1", "--spawn-count", "100", "--spawn-rate", "1000", "--run-time", "50s"])
        .arg("--json")
        .arg(&json)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        // An ended process has no such line.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak_kib = peak.unwrap_or(peak_kib);
        thread::sleep(Duration::from_millis(20));
    }
    let summary: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let totals = &summary["totals"];
    assert_eq!((&totals["requests"], &totals["failures"]), (&100.into(), &0.into()), "{:#}", summary["errors"]);
    assert!(totals["bytes_sent"].as_u64().unwrap() > 100 * FILE_BYTES);
    assert!((1_000..120 * 1024).contains(&peak_kib), "{peak_kib} KiB");
}
