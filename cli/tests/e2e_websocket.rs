//! Websocket steps with the real binary, against a server made of the Python package `websockets` and against one that breaks
//! every rule (hrp spec 12.6).

#[path = "common/breaking.rs"]
mod breaking;
#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/functions.rs"]
mod functions;
#[path = "common/load.rs"]
mod load;
#[path = "common/websockets.rs"]
mod websockets;

use std::{
    fs,
    io::{Read, Write},
    time::Instant,
};

use breaking::{break_tls, read_head, Breaking};
use certificates::Authority;
use functions::Project;
use load::{run, Folder, Run};
use websockets::{accepted, hostile_server, Websockets};

/// The sample of the specification, as it is but for the server's address.
const SAMPLE: &str = include_str!("../../engine/case/tests/cases/21_websocket.yml");

/// Where the sample expects its server.
const ORIGIN: &str = "127.0.0.1:18997";

/// A case with these steps under load: one user, one iteration.
fn once(server: &str, steps: &[String]) -> Run {
    let folder = Folder::new();
    let case = folder.write("case.yml", &case(server, steps));
    run(&["boom", &case, "--spawn-count", "1", "--loop-count", "1"])
}

/// A case with these steps, run once to its end whatever fails.
fn run_all(server: &str, steps: &[String]) -> Run {
    let folder = Folder::new();
    let case = folder.write("case.yml", &case(server, steps));
    run(&["run", "--continue-on-failure", &case])
}

fn case(server: &str, steps: &[String]) -> String {
    format!("config: {{name: ws, base_url: \"ws://{server}\"}}\nteststeps:\n{}\n", steps.join("\n"))
}

/// A step of a type on a path, with more keys of the websocket and more of the step.
fn step(action: &str, path: &str, more: &str, of_step: &str) -> String {
    format!("- {{name: \"{action} {path}\", websocket: {{type: {action}, url: \"{path}\"{more}}}{of_step}}}")
}

/// Rows of the summary: type, name, requests, failures.
fn rows(run: &Run) -> Vec<(String, u64, u64)> {
    let steps = run.summary["steps"].as_array().expect("steps").iter();
    let number = |row: &serde_json::Value, field: &str| row[field].as_u64().expect(field);
    let rows = steps.map(|row| {
        let label = row["type"].as_str().expect("a type").to_owned();
        (label, number(row, "requests"), number(row, "failures"))
    });
    rows.collect()
}

/// Name and error of every step that failed.
fn failed_steps(run: &Run) -> Vec<(String, String)> {
    let records = run.summary["details"][0]["records"].as_array().expect("records").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let failed = records.filter(|record| record["success"] == false);
    failed.map(|record| (text(&record["name"]), text(&record["attachments"]))).collect()
}

#[test]
fn the_sample_runs_as_it_is() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let case = folder.write("21_websocket.yml", &SAMPLE.replace(ORIGIN, &server.address()));
    let run = run(&["run", &case]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("4 steps, all passed"), "{}", run.stdout);
}

#[test]
fn many_users_each_have_connections_of_their_own() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let case = folder.write("21_websocket.yml", &SAMPLE.replace(ORIGIN, &server.address()));
    let run = run(&["boom", &case, "--spawn-count", "50", "--spawn-rate", "1000", "--loop-count", "4"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run.assert_conserved();
    let row = |label: &str| (format!("websocket-{label}"), 200, 0);
    assert_eq!(rows(&run), [row("open"), row("ping"), row("wr"), row("close")]);
    assert_eq!(run.number("/totals/exchanges/sent"), 800);
    assert_eq!(run.number("/totals/exchanges/answered"), 600, "a ping is not waited for");
    assert_eq!(run.number("/client/connections/opened"), 200);
    let counted = run_all(
        &server.address(),
        &[
            step("open", "/counts", "", ""),
            step("r", "/counts", "", ", validate: [{eq: [body.opened, 200]}, {eq: [body.closed, 200]}]"),
        ],
    );
    assert_eq!(counted.code, 0, "{}", counted.stdout);
}

#[test]
fn messages_come_whole_and_in_order() {
    let server = Websockets::start(None);
    let greeted =
        ", extract: {n: body.hello}, validate: [{eq: [body.hello, 1]}, {eq: [status_code, null]}, {eq: [$n, 1]}]";
    let run = once(&server.address(), &[
        step("open", "/greet?a=1", ", params: {b: 2}", ", validate: [{eq: [status_code, 101]}, {eq: [headers.Upgrade, websocket]}, {eq: [proto, HTTP/1.1]}]"),
        step("open", "/greet?a=1&b=2", "", ", validate: [{eq: [status_code, 1]}]"),
        step("r", "/greet?a=1&b=2", "", greeted),
        step("w", "/greet?a=1&b=2", ", text: one", ""),
        step("w", "/greet?a=1&b=2", ", text: two", ""),
        step("wr", "/greet?a=1&b=2", ", text: {n: $n}", ", validate: [{eq: [body, one]}]"),
        step("r", "/greet?a=1&b=2", "", ", validate: [{eq: [body, two]}]"),
        step("r", "/greet?a=1&b=2", "", ", validate: [{eq: [body.n, 1]}]"),
        step("wr", "/greet?a=1&b=2", "", ", validate: [{eq: [body, \"\"]}]"),
        step("close", "/greet?a=1&b=2", ", close_status: 4002", ", validate: [{eq: [status_code, 4002]}, {eq: [body, \"\"]}]"),
        step("open", "/fragments", "", ""),
        step("r", "/fragments", "", ", validate: [{eq: [body, abc]}]"),
        step("open", "/pings", "", ""),
        step("r", "/pings", "", ", validate: [{eq: [body, done]}]"),
        step("open", "/mib", "", ""),
        step("r", "/mib", "", ", extract: {mib: body}, validate: [{len_eq: [body, 1048576]}]"),
        step("wr", "/mib", ", text: \"$mib$mib$mib\"", ", validate: [{len_eq: [body, 3145728]}]"),
        step("open", "/close", "", ""),
        step("close", "/close", "", ", validate: [{eq: [status_code, 4001]}, {eq: [body, enough]}]"),
        step("open", "/headers", ", headers: {X-A: b, Sec-WebSocket-Extensions: permessage-deflate}", ""),
        step("r", "/headers", "", ", validate: [{eq: ['body.\"X-A\"', b]}, {eq: ['body.\"Sec-WebSocket-Extensions\"', null]}, {eq: [body.Upgrade, websocket]}]"),
    ]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run.assert_conserved();
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (21, 0));
    let exchanges = |name: &str| run.number(&format!("/totals/exchanges/{name}"));
    // The second open found its connection open; two messages were only written.
    assert_eq!([exchanges("sent"), exchanges("answered"), exchanges("unsent")], [20, 18, 1]);
}

#[test]
fn what_an_iteration_leaves_open_is_closed_at_its_end() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let steps = [step("open", "/", "", ""), step("open", "/greet", "", ""), step("wr", "/", ", text: a", "")];
    let case = folder.write("case.yml", &case(&server.address(), &steps));
    let run = run(&["boom", &case, "--spawn-count", "10", "--spawn-rate", "1000", "--loop-count", "3"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (90, 0));
    assert_eq!(run.number("/client/connections/opened"), 60);
    // The server may still be about to look at the last of them.
    let counted = ", validate: [{eq: [body, {opened: 60, closed: 60}]}]";
    let all = || run_all(&server.address(), &[step("open", "/counts", "", ""), step("r", "/counts", "", counted)]);
    let begin = Instant::now();
    let mut seen = all();
    while seen.code != 0 && begin.elapsed().as_secs() < 10 {
        seen = all();
    }
    assert_eq!(seen.code, 0, "{}", seen.stdout);
}

#[test]
fn a_validator_that_does_not_hold_fails_the_step_and_ends_the_iteration() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let steps = [
        step("open", "/", "", ""),
        step("wr", "/", ", text: a", ", validate: [{eq: [body, b]}]"),
        step("close", "/", "", ""),
    ];
    let case = folder.write("case.yml", &case(&server.address(), &steps));
    let functional = run(&["run", &case]);
    assert_eq!(functional.code, 1, "{}", functional.stdout);
    let run = run(&["boom", &case, "--spawn-count", "2", "--spawn-rate", "100", "--loop-count", "3"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    let row = |label: &str, requests, failures| (format!("websocket-{label}"), requests, failures);
    assert_eq!(rows(&run)[..2], [row("open", 6, 0), row("wr", 6, 6)], "each iteration opens anew");
    assert_eq!(run.errors("assertion"), 6);
}

#[test]
fn every_broken_rule_is_an_error_of_its_own_and_the_case_goes_on() {
    let server = hostile_server().to_string();
    let mut steps = Vec::new();
    for path in ["stall", "half", "ok", "garbage", "key"] {
        steps.push(step("open", &format!("/{path}"), ", timeout: 300", ""));
    }
    let after = [
        "masked",
        "reserved",
        "opcode",
        "control",
        "utf8",
        "oversized",
        "endless",
        "fragmented-ping",
        "long-ping",
        "continuation",
        "interleaved",
        "close-of-one-byte",
        "close-without-code",
        "gone",
        "silent",
        "pings",
    ];
    for path in after {
        steps.push(step("open", &format!("/{path}"), "", ""));
        steps.push(step("r", &format!("/{path}"), ", timeout: 300", ""));
    }
    steps.push(step("open", "/never-closes", "", ""));
    steps.push(step("close", "/never-closes", ", timeout: 300", ""));
    steps.push(step("wr", "/never-closes", "", ""));
    steps.push(step("open", "/early", "", ""));
    steps.push(step("r", "/early", "", ", validate: [{eq: [body, early]}]"));
    let begin = Instant::now();
    let run = run_all(&server, &steps);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(begin.elapsed().as_secs() < 30, "nothing hangs past its timeout");
    let late = "no complete response within the request timeout";
    let broken = |reason: &str| format!("the server broke the websocket protocol: {reason}");
    let large = "the server sent a message of more than 16 MiB";
    let unknown = |code: u8| format!("the server sent a frame of an unknown kind ({code})");
    let expected = [
        ("open /stall", late.to_owned()),
        ("open /half", "the server closed the connection before the response was complete".into()),
        ("open /ok", "the server answered the handshake with 200 in place of 101".into()),
        (
            "open /garbage",
            "what came back is not HTTP; check that the port speaks plain HTTP/1.1 and not TLS or another protocol"
                .into(),
        ),
        ("open /key", "the server's handshake has the wrong accept key: is there a cache in between?".into()),
        ("r /masked", "the server masked a frame".into()),
        ("r /reserved", "the server set reserved bits of a frame, though no extension is in use".into()),
        ("r /opcode", unknown(3)),
        ("r /control", unknown(11)),
        ("r /utf8", "the server sent a text that is not UTF-8".into()),
        ("r /oversized", large.into()),
        ("r /endless", large.into()),
        ("r /fragmented-ping", broken("Fragmented control frame")),
        ("r /long-ping", broken("Control frame too big (payload must be 125 bytes or less)")),
        ("r /continuation", broken("Continue frame but nothing to continue")),
        ("r /interleaved", broken("While waiting for more fragments received: TEXT")),
        ("r /close-of-one-byte", broken("Invalid close sequence")),
        ("r /close-without-code", "the server closed the websocket (1005) before a message came".into()),
        ("r /gone", "the server closed the connection without closing the websocket".into()),
        ("r /silent", late.into()),
        ("r /pings", late.into()),
        ("close /never-closes", late.into()),
        ("wr /never-closes", "no websocket with this URL is open: a step of the type open comes first".into()),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(name, error)| (name.to_owned(), error)).collect();
    assert_eq!(failed_steps(&run), expected);
}

#[test]
fn failures_count_by_their_kinds() {
    let server = hostile_server().to_string();
    for (path, kind, sent, answered) in [
        ("/masked", "websocket", 2, 1),
        ("/gone", "closed_early", 2, 1),
        ("/silent", "request_timeout", 2, 1),
        ("/garbage", "protocol", 1, 0),
        ("/ok", "websocket", 1, 1),
    ] {
        let run = once(&server, &[step("open", path, "", ""), step("r", path, ", timeout: 200", "")]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.assert_conserved();
        assert_eq!((run.number("/totals/failures"), run.errors(kind)), (1, 1), "{path}: {:#}", run.summary["errors"]);
        let exchanges = ["sent", "answered"].map(|name| run.number(&format!("/totals/exchanges/{name}")));
        assert_eq!(exchanges, [sent, answered], "{path}");
    }
    let run = once(&server, &[step("r", "/unopened", "", "")]);
    run.assert_conserved();
    assert_eq!((run.errors("websocket"), run.number("/totals/exchanges/unsent")), (1, 1));
}

#[test]
fn a_message_too_large_in_all_its_fragments_is_refused() {
    let server = Websockets::start(None);
    let run = run_all(
        &server.address(),
        &[step("open", "/large", "", ""), step("r", "/large", "", ""), step("open", "/refuse", "", "")],
    );
    let expected = [
        ("r /large", "the server sent a message of more than 16 MiB"),
        ("open /refuse", "the server answered the handshake with 403 in place of 101"),
    ];
    assert_eq!(failed_steps(&run), expected.map(|(name, error)| (name.to_owned(), error.to_owned())));
}

#[test]
fn a_server_that_floods_a_thinking_user_is_held_back() {
    let server = hostile_server().to_string();
    let folder = Folder::new();
    let steps = [
        step("open", "/pings", "", ""),
        "- think_time: {time: 1}".to_owned(),
        step("w", "/pings", ", text: still here", ""),
    ];
    let case = folder.write("case.yml", &case(&server, &steps));
    let run = run(&["boom", &case, "--spawn-count", "20", "--spawn-rate", "1000", "--loop-count", "1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    // What a server that only sends has in store is kept by its kernel and ours.
    assert!(run.number("/totals/bytes_received") < 20 * 8 * 1024 * 1024, "{:#}", run.summary["totals"]);
    assert_eq!(run.number("/totals/requests"), 40);
}

#[test]
fn who_waits_for_a_message_at_the_stop_is_abandoned_after_the_grace() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let steps = [step("open", "/silent", "", ""), step("r", "/silent", "", "")];
    let case = folder.write("case.yml", &case(&server.address(), &steps));
    let users = ["--spawn-count", "5", "--spawn-rate", "1000", "--run-time", "1", "--stop-timeout", "500ms"];
    let run = run(&[&["boom", &case][..], &users].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!((run.number("/conservation/succeeded"), run.number("/conservation/abandoned")), (5, 5));
}

#[test]
fn the_summary_of_a_run_shows_each_step_as_hrp_does() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let case = folder.write("21_websocket.yml", &SAMPLE.replace(ORIGIN, &server.address()));
    let mut command = std::process::Command::new(load::binary());
    command.current_dir(folder.path());
    let run = load::start_as(command, &["run", "--save-tests", &case]).finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let results = fs::read_dir(folder.path().join("results")).expect("results").next().expect("one").expect("a folder");
    let summary = fs::read(results.path().join("summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
    let records = summary["details"][0]["records"].as_array().expect("records");
    let url = format!("ws://{}/", server.address());
    for (record, (name, method, status)) in records.iter().zip([
        ("open", "GET", Some(101)),
        ("ping", "ping", None),
        ("write read", "wr", None),
        ("close", "close", Some(1000)),
    ]) {
        let messages = &record["data"]["req_resps"];
        assert_eq!((&record["name"], &record["step_type"]), (&name.into(), &"websocket".into()));
        assert_eq!((&messages["request"]["method"], &messages["request"]["url"]), (&method.into(), &(&*url).into()));
        assert_eq!(messages["response"]["status_code"].as_u64(), status, "{name}");
    }
    let echoed = &records[2]["data"]["req_resps"];
    let sent = echoed["request"]["body"]["foo"].as_str().expect("a text");
    assert!(echoed["response"]["body"].as_str().expect("a text").contains(sent));
    assert_eq!(records[2]["export_vars"]["foo"], sent);
}

#[test]
fn what_a_step_waits_for_is_its_wait() {
    let server = Websockets::start(None);
    let folder = Folder::new();
    let case = folder.write("21_websocket.yml", &SAMPLE.replace(ORIGIN, &server.address()));
    let run = run(&["run", "--http-stat", &case]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let phases: Vec<&str> = run.stdout.lines().filter(|line| line.contains("send ")).collect();
    // open, ping, wr and close; a ping waits for nothing.
    let waits: Vec<bool> = phases.iter().map(|line| !line.contains("wait 0 us")).collect();
    assert_eq!(waits, [true, false, true, true], "{}", run.stdout);
}

#[test]
fn wss_is_the_same_over_tls() {
    let authority = Authority::new();
    let certificate = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1", 1);
    let server = Websockets::start(Some(&certificate));
    let folder = Folder::new();
    let case = SAMPLE.replace(&format!("ws://{ORIGIN}"), &format!("wss://{}", server.address()));
    let case = folder.write("21_websocket.yml", &case);
    let run = run(&["boom", &case, "--spawn-count", "5", "--spawn-rate", "100", "--loop-count", "3"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run.assert_conserved();
    assert_eq!(
        (run.number("/totals/requests"), run.number("/totals/failures")),
        (60, 0),
        "{:#}",
        run.summary["errors"]
    );
}

#[test]
fn what_breaks_tls_is_named() {
    let authority = Authority::new();
    let certificate = authority.sign("server", "DNS:localhost,IP:127.0.0.1", 1);
    let steps = [step("open", "/", "", ""), step("wr", "/", ", text: hello", "")];
    let errors = |after_handshake: bool, end: fn(&mut rustls::ServerConnection)| {
        let server = Breaking::serve(&certificate, &[], end, move |stream| {
            let head = String::from_utf8(read_head(stream)?).ok()?;
            let key = |line: &str| line.strip_prefix("Sec-WebSocket-Key: ").map(str::to_owned);
            if after_handshake {
                stream.write_all(accepted(&head.lines().find_map(key)?).as_bytes()).ok()?;
                // The begin of the message.
                stream.read_exact(&mut [0]).ok()?;
            }
            Some(())
        });
        let folder = Folder::new();
        let base = server.url("wss");
        let case = format!("config: {{name: ws, base_url: \"{base}\"}}\nteststeps:\n{}\n", steps.join("\n"));
        let run = run(&["boom", &folder.write("case.yml", &case), "--spawn-count", "1", "--loop-count", "2"]);
        run.assert_conserved();
        let errors = run.summary["errors"].as_array().expect("errors").clone();
        let of = |error: &serde_json::Value| format!("{} {}: {}", error["count"], error["kind"], error["message"]);
        errors.iter().map(of).collect::<Vec<_>>()
    };
    let broken = "2 \"tls\": \"the server sent the TLS alert bad_record_mac\"";
    assert_eq!(errors(true, break_tls), [broken]);
    assert_eq!(errors(false, break_tls), [broken]);
    let closed = "2 \"closed_early\": \"the server closed the connection without closing the websocket\"";
    assert_eq!(errors(true, |tls| tls.send_close_notify()), [closed]);
}

#[test]
fn messages_of_a_websocket_call_functions() {
    let server = Websockets::start(None);
    let steps = "- {name: open, websocket: {type: open, url: \"/?a=${word(a)}\"}}\n\
        - {name: say, websocket: {type: wr, url: \"/?a=aa\", text: \"${word(hello)}\"}, validate: [{eq: [body, hellohello]}]}\n\
        - {name: close, websocket: {type: close, url: \"/?a=aa\"}}\n";
    let project = Project::new("def word(a):\n    return a * 2\n", &format!("ws://{}", server.address()), steps);
    let once = project.run("run", &[]);
    assert_eq!((once.code, &once.summary["stat"]["teststeps"]["successes"]), (0, &3.into()), "{}", once.stdout);
    let many = project.run("boom", &["--spawn-count", "2", "--spawn-rate", "100", "--loop-count", "3"]);
    many.assert_conserved();
    assert_eq!(
        (many.number("/totals/requests"), many.number("/totals/failures")),
        (18, 0),
        "{:#}",
        many.summary["errors"]
    );
}
