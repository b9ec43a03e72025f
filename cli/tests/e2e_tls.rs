//! HTTPS against nginx, OpenSSL and a server that breaks the rules: who is trusted, what is refused and why, and that each
//! request is counted however its TLS ends.

#[path = "common/breaking.rs"]
mod breaking;
#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/load.rs"]
mod load;

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use breaking::{break_tls, read_head, unsealed_record, Breaking, Listener};
use certificates::{Authority, Certificate};
use load::{binary, closed_port, command, run, start_as, Folder, Nginx, Run};
use rustls::ServerConnection;

/// The names of the tests' server.
const NAMES: &str = "DNS:localhost,IP:127.0.0.1";

/// A server block of nginx with TLS.
fn block(port: u16, certificate: &Certificate, words: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {};\n{words}\n}}\n",
        certificate.certificate.display(),
        certificate.key.display()
    )
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs a case of one step, written in the words of its request and what is to hold, by so many loops of one user.
fn boom(loops: u32, config: &str, request: &str, validate: &str, more: &[&str]) -> Run {
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c{config}}}\nteststeps:\n- {{name: a, request: {{method: GET, {request}}}, \
             validate: [{validate}]}}\n"
        ),
    );
    let loops = loops.to_string();
    let mut arguments = vec!["boom", &case, "--spawn-count", "1", "--loop-count", &loops];
    arguments.extend(more);
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    run
}

/// The only error of a run: its kind, its message and its count.
fn only_error(run: &Run) -> (&str, &str, u64) {
    let errors = run.summary["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let error = &errors[0];
    (error["kind"].as_str().unwrap(), error["message"].as_str().unwrap(), error["count"].as_u64().unwrap())
}

/// Six requests of two connections, all refused in the handshake.
fn refused(url: &str, more: &[&str]) -> String {
    let mut arguments = vec!["hit", url, "-c", "2", "-n", "6"];
    arguments.extend(more);
    let run = run(&arguments);
    run.assert_conserved();
    let (kind, message, count) = only_error(&run);
    assert_eq!((kind, count), ("tls", 6));
    assert_eq!([run.number("/totals/exchanges/unsent"), run.number("/totals/exchanges/sent")], [6, 0]);
    assert_eq!(run.number("/client/connections/errors"), 6);
    assert_eq!(run.number("/client/connections/opened"), run.number("/client/connections/closed"));
    message.to_owned()
}

const UNTRUSTED: &str =
    "the server's certificate is self-signed or its issuer is not trusted (--cacert FILE trusts it)";
const NOTICE: &str = "certificates were not verified (as hrp); --verify checks them";

#[test]
fn a_server_of_a_trusted_authority_is_loaded_over_kept_connections() {
    let (authority, port) = (Authority::new(), closed_port());
    let nginx =
        Nginx::start_with(&block(port, &authority.sign("server", NAMES, 1), "location / { return 200 'hello'; }"));
    let roots = text(&authority.certificate());
    for host in ["localhost", "127.0.0.1"] {
        let before = nginx.requests(0);
        let url = format!("https://{host}:{port}/");
        let run = run(&["hit", &url, "-c", "3", "-n", "300", "--cacert", &roots]);
        run.assert_conserved();
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (300, 0), "{}", run.stdout);
        assert_eq!(run.number("/client/connections/opened"), 3);
        assert_eq!(run.number("/client/connections/reused"), 297);
        assert_eq!(nginx.requests(before + 1), 300, "nginx has counted as many");
        assert!(!run.stdout.contains(NOTICE), "{}", run.stdout);
    }
    // The same authority as the system's.
    let mut trusting = Command::new(binary());
    trusting.env("SSL_CERT_FILE", &roots);
    let url = format!("https://localhost:{port}/");
    let run = start_as(trusting, &["hit", &url, "-c", "1", "-n", "4"]).finish();
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (4, 0), "{}", run.stdout);
    // It is not of those the system has otherwise.
    assert_eq!(refused(&url, &[]), UNTRUSTED);
}

#[test]
fn certificates_that_are_not_in_order_are_refused_with_the_reason() {
    let authority = Authority::new();
    let roots = text(&authority.certificate());
    let [expired, other_name, self_signed, plain] = [closed_port(), closed_port(), closed_port(), closed_port()];
    let own = authority.self_signed("own", NAMES);
    let _nginx = Nginx::start_with(
        &[
            block(expired, &authority.sign("expired", NAMES, -1), ""),
            block(other_name, &authority.sign("other", "DNS:other.test", 1), ""),
            block(self_signed, &own, "location / { return 200 'own'; }"),
            format!("server {{ listen 127.0.0.1:{plain}; }}"),
        ]
        .concat(),
    );
    let with_roots = |port: u16| refused(&format!("https://localhost:{port}/"), &["--cacert", &roots]);
    assert_eq!(with_roots(expired), "the server's certificate has expired");
    assert_eq!(
        with_roots(other_name),
        "the server's certificate is for another name (--tls-server-name asks for another)"
    );
    assert_eq!(with_roots(self_signed), UNTRUSTED);
    assert_eq!(with_roots(plain), "the server's answer is no TLS: does it speak plain http:// on this port?");
    // Who trusts the certificate itself, or does not care, gets through.
    let url = format!("https://localhost:{self_signed}/");
    for more in [["--cacert", &text(&own.certificate)].as_slice(), &["-k"]] {
        let run = run(&[["hit", &url, "-c", "1", "-n", "3"].as_slice(), more].concat());
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (3, 0), "{}", run.stdout);
    }
}

#[test]
fn boom_accepts_any_certificate_and_says_so_unless_it_is_told_to_verify() {
    let (authority, port) = (Authority::new(), closed_port());
    let _nginx =
        Nginx::start_with(&block(port, &authority.sign("server", "DNS:other.test", 1), "location / { return 200; }"));
    let (config, url) = (format!(", base_url: \"https://127.0.0.1:{port}\""), "url: /");
    let passed = boom(5, &config, url, "{eq: [status_code, 200]}", &[]);
    assert_eq!((passed.number("/totals/requests"), passed.number("/totals/failures")), (5, 0), "{}", passed.stdout);
    assert!(passed.stdout.contains(NOTICE), "{}", passed.stdout);
    let message = "the server's certificate is for another name (--tls-server-name asks for another)";
    let roots = text(&authority.certificate());
    for failed in [
        boom(5, &config, url, "", &["--verify", "--cacert", &roots]),
        boom(5, &config, url, "", &["--cacert", &roots]),
        boom(5, &format!("{config}, verify: true"), url, "", &["--cacert", &roots]),
    ] {
        assert_eq!(only_error(&failed), ("tls", message, 5));
        assert!(!failed.stdout.contains(NOTICE), "{}", failed.stdout);
    }
    let of_the_step = boom(5, &config, "url: /, verify: true", "", &[]);
    assert_eq!(only_error(&of_the_step), ("tls", UNTRUSTED, 5));
    let of_the_flag = boom(5, &config, url, "", &["--verify", "--insecure"]);
    assert_eq!(of_the_flag.number("/totals/failures"), 0, "the last of the two counts");
    // A step that verifies uses no connection of one that does not, though both go to one host.
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c{config}}}\nteststeps:\n- {{name: a, request: {{method: GET, url: /}}}}\n\
             - {{name: b, request: {{method: GET, url: /, verify: true}}}}\n"
        ),
    );
    let both = run(&["boom", &case, "--spawn-count", "1", "--loop-count", "4"]);
    assert_eq!((only_error(&both).2, both.number("/totals/requests")), (4, 8));
}

#[test]
fn run_shows_the_handshake_and_what_it_did_not_verify() {
    let (authority, port) = (Authority::new(), closed_port());
    let _nginx = Nginx::start_with(&block(port, &authority.sign("server", NAMES, 1), "location / { return 200 'x'; }"));
    let url = format!("https://localhost:{port}/");
    let pasted = |arguments: &[&str]| {
        let output = command(&text(&binary()), &[arguments, &["curl", &url]].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = pasted(&["run", "--http-stat"]);
    assert!(shown.contains(", tls ") && shown.contains(NOTICE), "{shown}");
    let verified = pasted(&["run", "--cacert", &text(&authority.certificate())]);
    assert!(verified.contains("PASSED") && !verified.contains(NOTICE), "{verified}");
    let loaded = pasted(&["boom", "--spawn-count", "2", "--loop-count", "3"]);
    assert!(loaded.contains("started 6 = succeeded 6 + failed 0"), "{loaded}");
}

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for() {
    let (authority, port) = (Authority::new(), closed_port());
    let server = authority.sign("server", NAMES, 1);
    let client = authority.sign("client", "DNS:client.test", 1);
    let roots = text(&authority.certificate());
    let words = format!(
        "ssl_client_certificate {roots}; ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3;\n\
         location / {{ return 200 $ssl_client_s_dn; }}"
    );
    let _nginx = Nginx::start_with(&block(port, &server, &words));
    let url = format!("url: \"https://localhost:{port}/\"");
    // nginx refuses in HTTP.
    let without = boom(3, "", &url, "{eq: [status_code, 400]}", &[]);
    assert_eq!(without.number("/totals/failures"), 0, "{}", without.stdout);
    let shown = "{eq: [status_code, 200]}, {eq: [body, \"CN=client\"]}";
    let (certificate, key) = (text(&client.certificate), text(&client.key));
    let with = boom(3, "", &url, shown, &["--cert", &certificate, "--key", &key]);
    assert_eq!(with.number("/totals/failures"), 0, "{}", with.stdout);
    let folder = Folder::new();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let one = folder.write("one.pem", &(read(&client.certificate) + &read(&client.key)));
    let with = boom(3, "", &url, shown, &["--cert", &one]);
    assert_eq!(with.number("/totals/failures"), 0, "{}", with.stdout);

    // OpenSSL refuses in TLS: after the handshake, as TLS 1.3 has it, and so in place of an answer.
    let server = OpenSsl::start(&server, &["-Verify", "1", "-verify_return_error", "-tls1_3", "-CAfile", &roots]);
    let without = boom(3, "", &format!("url: \"https://localhost:{}/\"", server.port), "", &[]);
    let message =
        "the server sent the TLS alert certificate_required: it asks for a client certificate (--cert and --key)";
    assert_eq!(only_error(&without), ("tls", message, 3));
    assert_eq!(without.number("/totals/exchanges/sent"), 3);
}

#[test]
fn a_server_of_an_older_version_is_refused_where_the_newer_is_asked_for() {
    let (authority, port) = (Authority::new(), closed_port());
    let words = "ssl_protocols TLSv1.2; location / { return 200 $ssl_protocol; }";
    let _nginx = Nginx::start_with(&block(port, &authority.sign("server", NAMES, 1), words));
    let url = format!("https://localhost:{port}/");
    assert_eq!(
        refused(&url, &["-k", "--tls-min", "1.3"]),
        "the server sent the TLS alert protocol_version: it speaks no version of TLS that this run allows (--tls-min)"
    );
    let spoken = boom(3, "", &format!("url: \"{url}\""), "{eq: [body, TLSv1.2]}", &["--tls-min", "1.2"]);
    assert_eq!(spoken.number("/totals/failures"), 0, "{}", spoken.stdout);
}

#[test]
fn the_name_that_is_asked_for_chooses_the_server() {
    let (authority, port) = (Authority::new(), closed_port());
    let named = |name: &str| {
        let words = format!("server_name {name}; location / {{ return 200 '{name}[$ssl_server_name]'; }}");
        block(port, &authority.sign(name, &format!("DNS:{name}"), 1), &words)
    };
    let _nginx = Nginx::start_with(&[named("a.test"), named("b.test")].concat());
    let roots = text(&authority.certificate());
    // The Host header chooses nginx's block for the answer, the name asked for its certificate.
    let request = format!("url: \"https://127.0.0.1:{port}/\", headers: {{Host: b.test}}");
    let more = ["--cacert", &roots, "--tls-server-name", "b.test"];
    let right = boom(3, "", &request, "{eq: [body, \"b.test[b.test]\"]}", &more);
    assert_eq!(right.number("/totals/failures"), 0, "{}", right.stdout);
    let wrong = boom(3, "", &request, "", &["--cacert", &roots, "--tls-server-name", "c.test"]);
    assert_eq!(only_error(&wrong).0, "tls");
    // An address is never asked for by SNI (RFC 6066 section 3).
    let none = boom(3, "", &format!("url: \"https://127.0.0.1:{port}/\""), "{eq: [body, \"a.test[]\"]}", &[]);
    assert_eq!(none.number("/totals/failures"), 0, "{}", none.stdout);
}

#[test]
fn sessions_are_resumed_unless_that_is_switched_off() {
    let authority = Authority::new();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let port = closed_port();
        let words = format!(
            "ssl_protocols {version}; ssl_session_cache shared:{}:1m; location / {{ return 200 $ssl_session_reused; }}",
            version.replace('.', "")
        );
        let _nginx = Nginx::start_with(&block(port, &authority.sign("server", NAMES, 1), &words));
        let url = format!("url: \"https://localhost:{port}/\"");
        // `r` where it was, `.` where not; each request has a connection of its own.
        let reused = "{eq: [body, r]}";
        let on = boom(6, "", &url, reused, &["--disable-keepalive"]);
        assert_eq!((on.number("/totals/requests"), on.number("/totals/failures")), (6, 1), "{version}: {}", on.stdout);
        assert_eq!(on.number("/client/connections/opened"), 6);
        let off = boom(6, "", &url, reused, &["--disable-keepalive", "--tls-resumption", "off"]);
        assert_eq!(
            (off.number("/totals/requests"), off.number("/totals/failures")),
            (6, 6),
            "{version}: {}",
            off.stdout
        );
    }
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_handshake_costs_no_more_than_the_connect_timeout() {
    let silent = Listener::start(|stream| {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let _ = std::io::copy(&mut &*stream, &mut std::io::sink());
    });
    let before = Instant::now();
    let message = refused(&silent.url("https"), &["-k", "--connect-timeout", "200ms"]);
    assert_eq!(message, "the TLS handshake was not complete within --connect-timeout");
    assert!(before.elapsed() < Duration::from_secs(20), "three rounds of 200 ms, and the start of a program");

    let closing = Listener::start(|stream| {
        let _ = (&*stream).read(&mut [0; 4096]);
        // A record of which half never comes.
        let _ = (&*stream).write_all(&[22, 3, 3, 1, 0, 2, 0, 0]);
        let _ = stream.shutdown(Shutdown::Write);
    });
    assert_eq!(refused(&closing.url("https"), &["-k"]), "the server closed the connection during the TLS handshake");
}

#[test]
fn a_run_stopped_in_the_middle_of_a_handshake_ends_with_all_counts() {
    let silent = Listener::start(|stream| {
        let _ = std::io::copy(&mut &*stream, &mut std::io::sink());
    });
    let run = run(&["hit", &silent.url("https"), "-k", "-c", "3", "-d", "300ms", "--stop-timeout", "100ms"]);
    run.assert_conserved();
    assert_eq!([run.number("/conservation/started"), run.number("/conservation/abandoned")], [3, 3], "{}", run.stdout);
}

#[test]
fn what_breaks_a_response_in_the_middle_is_named() {
    let authority = Authority::new();
    let certificate = authority.sign("server", NAMES, 1);
    let after = |head: &'static str, end: fn(&mut ServerConnection)| {
        let server = Breaking::start(&certificate, head, end);
        let run = run(&["hit", &server.url("https"), "-k", "-c", "1", "-n", "4"]);
        run.assert_conserved();
        assert_eq!(run.number("/totals/exchanges/sent"), 4);
        run
    };
    let counted = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let open_ended = "HTTP/1.1 200 OK\r\n\r\nall";

    let alert = after(counted, break_tls);
    assert_eq!(only_error(&alert), ("tls", "the server sent the TLS alert bad_record_mac", 4));

    let early = "the server closed the connection before the response was complete";
    let closed = after(counted, |tls| tls.send_close_notify());
    assert_eq!(only_error(&closed), ("closed_early", early, 4));
    let cut = after(counted, |_| {});
    assert_eq!(only_error(&cut), ("closed_early", early, 4));

    // Where the close is the body's end it must be one that nobody can forge.
    let whole = after(open_ended, |tls| tls.send_close_notify());
    assert_eq!((whole.number("/totals/requests"), whole.number("/totals/failures")), (4, 0), "{}", whole.stdout);
    let cut = after(open_ended, |_| {});
    assert_eq!(only_error(&cut), ("closed_early", early, 4));
}

#[test]
fn what_breaks_an_upload_in_the_middle_is_named_though_the_connection_stays() {
    let authority = Authority::new();
    let certificate = authority.sign("server", NAMES, 1);
    let server = Breaking::serve(
        &certificate,
        &[],
        |_| {},
        |stream| {
            read_head(stream)?;
            // Until then the client mostly stands before a full buffer of the kernel.
            thread::sleep(Duration::from_millis(500));
            stream.sock.write_all(&unsealed_record()).ok()?;
            // It reads nothing more, and closes with the test.
            loop {
                thread::park();
            }
        },
    );
    let folder = Folder::new();
    let file = folder.path().join("large.bin");
    // More than the kernel keeps for a receiver that does not read.
    File::create(&file).and_then(|file| file.set_len(64 * 1024 * 1024)).expect("a large file");
    let request = format!("url: \"{}\", upload: {{a: '@{}'}}, timeout: 20", server.url("https"), file.display());
    let run = boom(1, "", &request, "", &[]);
    assert_eq!(only_error(&run), ("tls", "a TLS record of the server cannot be decrypted", 1));
}

#[test]
fn a_kept_connection_that_turns_out_to_be_closed_is_replaced_once() {
    let authority = Authority::new();
    let certificate = authority.sign("server", NAMES, 1);
    let ends: [fn(&mut ServerConnection); 2] = [|tls| tls.send_close_notify(), |_| {}];
    for end in ends {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let server = Breaking::start_after(&certificate, answer, end, true);
        let run = run(&["hit", &server.url("https"), "-k", "-c", "1", "-n", "4"]);
        run.assert_conserved();
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (4, 0), "{}", run.stdout);
        assert_eq!([run.number("/totals/exchanges/sent"), run.number("/totals/exchanges/stale_retries")], [4, 3]);
        assert_eq!([run.number("/client/connections/opened"), run.number("/client/connections/stale")], [4, 3]);
    }
}

#[test]
fn redirects_lead_into_https_and_out_of_it() {
    let (authority, [port, plain]) = (Authority::new(), [closed_port(), closed_port()]);
    let _nginx = Nginx::start_with(
        &[
            block(
                port,
                &authority.sign("server", NAMES, 1),
                &format!(
                    "location /in {{ return 200 '<$http_authorization>'; }}\n\
                     location /out {{ return 302 http://localhost:{plain}/end; }}"
                ),
            ),
            format!(
                "server {{ listen 127.0.0.1:{plain}; location /begin {{ return 302 https://localhost:{port}/in; }}\n\
                 location /away {{ return 302 https://127.0.0.1:{port}/in; }}\n\
                 location /end {{ return 200 '<$http_referer>'; }} }}"
            ),
        ]
        .concat(),
    );
    let secret = "headers: {Authorization: secret}";
    for (from, body) in [
        (format!("http://localhost:{plain}/begin"), "<secret>"),
        // Another host does not get it.
        (format!("http://localhost:{plain}/away"), "<>"),
        // An address that was reached in secret is told to nobody in the open.
        (format!("https://localhost:{port}/out"), "<>"),
    ] {
        let run = boom(3, "", &format!("url: \"{from}\", {secret}"), &format!("{{eq: [body, \"{body}\"]}}"), &[]);
        assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (3, 0), "{from}: {}", run.stdout);
        assert_eq!(run.number("/totals/exchanges/redirects"), 3);
        assert_eq!(run.number("/totals/exchanges/sent"), 6);
    }
}

#[test]
fn files_that_cannot_be_used_end_the_run_before_it_begins() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let certificate = authority.sign("a", NAMES, 1);
    let other = authority.sign("b", NAMES, 1);
    let empty = folder.write("empty.pem", "nothing\n");
    let refused = |more: &[&str], says: &str| {
        let run = run(&[["hit", "https://127.0.0.1:1/", "-n", "1"].as_slice(), more].concat());
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    };
    let (a, key_of_b) = (text(&certificate.certificate), text(&other.key));
    refused(&["--cacert", "/no/such.pem"], "--cacert /no/such.pem: cannot be read: No such file");
    refused(&["--cacert", &empty], &format!("--cacert {empty}: holds no certificate in PEM form"));
    refused(&["--cert", &a], &format!("--key {a}: holds no private key in PEM form: pass it with --key FILE"));
    refused(&["--cert", &a, "--key", &key_of_b], "the private key is not the certificate's");
    refused(&["--tls-server-name", "a b"], "--tls-server-name a b: is no host name or address");
    let usage = run(&["hit", "https://127.0.0.1:1/", "--key", &key_of_b]);
    assert!(usage.code == 2 && usage.stderr.contains("--cert"), "{}", usage.stderr);
}

/// OpenSSL's own server, which answers each request with a page.
struct OpenSsl {
    child: Child,
    port: u16,
}

impl OpenSsl {
    fn start(certificate: &Certificate, more: &[&str]) -> Self {
        let port = closed_port();
        let child = Command::new("openssl")
            .args(["s_server", "-www", "-quiet", "-accept", &port.to_string(), "-cert"])
            .arg(&certificate.certificate)
            .arg("-key")
            .arg(&certificate.key)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed (scripts/test.sh installs it)");
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(since.elapsed() < Duration::from_mins(1), "OpenSSL listens");
            thread::sleep(Duration::from_millis(10));
        }
        Self { child, port }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
