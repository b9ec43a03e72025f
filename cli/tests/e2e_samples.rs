//! `--sample-failures`: what of failures stands in the report, and that secrets do not.

#[path = "common/load.rs"]
mod load;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use load::{run, target, Folder, Run};
use serde_json::Value;

fn samples(run: &Run) -> &Vec<Value> {
    run.summary["failure_samples"].as_array().unwrap_or_else(|| panic!("{}\n{}", run.stdout, run.stderr))
}

/// A case whose one step wants the status 200 of what `request` says.
fn case(folder: &Folder, name: &str, address: impl std::fmt::Display, request: &str) -> String {
    let text = format!(
        "config: {{name: {name}, base_url: \"http://{address}\"}}\nteststeps:\n\
         - {{name: the step, request: {{{request}}}, validate: [{{eq: [status_code, 200]}}]}}\n"
    );
    folder.write(&format!("{name}.yml"), &text)
}

#[test]
fn the_first_of_each_step_and_kind_are_kept() {
    let (target, folder) = (target(), Folder::new());
    let address = target.local_addr();
    let fails = case(&folder, "fails", address, "method: GET, url: /echo?status=500");
    let drops = case(&folder, "drops", address, "method: GET, url: /drop");
    let ten = run(&["boom", &fails, "--loop-count", "10", "--sample-failures", "2"]);
    assert_eq!((ten.code, ten.number("/totals/failures"), samples(&ten).len()), (0, 10, 2), "{}", ten.stderr);
    assert_eq!((ten.number("/plan/sample_failures"), &ten.summary["plan"]["show_secrets"]), (2, &Value::Bool(false)));
    for sample in samples(&ten) {
        assert_eq!(
            (&sample["case"], &sample["step"], &sample["kind"]),
            (&"fails".into(), &"the step".into(), &"assertion".into())
        );
        assert_eq!(
            sample["response"]["head"].as_str().unwrap().lines().next(),
            Some("HTTP/1.1 500 Internal Server Error")
        );
    }
    let shown = "\nFailure samples (1 of 2; --json has them all)\n  the step, assertion at ";
    assert!(ten.stdout.contains(shown), "{}", ten.stdout);
    let lines = format!("\n    > GET http://{address}/echo?status=500\n    < HTTP/1.1 500 Internal Server Error\n");
    assert!(ten.stdout.contains(&lines), "{}", ten.stdout);

    let both = run(&["boom", &fails, &drops, "--loop-count", "60", "--sample-failures", "2"]);
    let of_kind = |kind: &str| samples(&both).iter().filter(|sample| sample["kind"] == kind).count();
    assert_eq!(
        (samples(&both).len(), of_kind("assertion"), of_kind("closed_early")),
        (4, 2, 2),
        "{:#?}",
        both.summary["errors"]
    );

    let off = run(&["boom", &fails, "--loop-count", "10"]);
    assert_eq!((samples(&off).len(), off.number("/totals/failures")), (0, 10));
    assert!(!off.stdout.contains("Failure samples"));
}

#[test]
fn a_refused_connection_has_a_request_and_no_response() {
    let run = run(&["hit", "http://127.0.0.1:1/a?b=c", "-n", "3", "-c", "1", "--sample-failures", "1"]);
    let [sample] = &samples(&run)[..] else { panic!("{}", run.stdout) };
    assert_eq!((&sample["kind"], &sample["response"]), (&"connect_refused".into(), &Value::Null));
    assert!(sample["request"]["head"]
        .as_str()
        .unwrap()
        .starts_with("GET http://127.0.0.1:1/a?b=c\nHost: 127.0.0.1:1\n"));
    assert!(run.stdout.contains("\n    > GET http://127.0.0.1:1/a?b=c\n    < no response\n"), "{}", run.stdout);
}

#[test]
fn secrets_stand_in_no_report_unless_they_are_asked_for() {
    let (target, folder) = (target(), Folder::new());
    let secrets = ["s3cr3t-auth", "s3cr3t-cookie", "s3cr3t-query", "s3cr3t-body", "s3cr3t-set"];
    let request = |path: &str| {
        format!(
            "method: POST, url: \"{path}?status=500&access_token=s3cr3t-query\", \
             headers: {{Authorization: \"Bearer s3cr3t-auth\"}}, cookies: {{sid: s3cr3t-cookie}}, \
             json: {{user: anna, login: {{password: s3cr3t-body}}, note: \"it is s3cr3t-body\"}}"
        )
    };
    let echoes = case(&folder, "echoes", target.local_addr(), &request("/echo"));
    let sets = case(&folder, "sets", target.local_addr(), &request("/setcookie/id/s3cr3t-set"));
    let masked = run(&["boom", &echoes, &sets, "--loop-count", "40", "--sample-failures", "3"]);
    assert_eq!(samples(&masked).len(), 6, "{}", masked.stderr);
    let shown = run(&["boom", &echoes, &sets, "--loop-count", "40", "--sample-failures", "3", "--show-secrets"]);
    assert_eq!(samples(&shown).len(), 6, "{}", shown.stderr);
    for secret in secrets {
        let json = masked.summary["failure_samples"].to_string();
        assert!(!json.contains(secret), "{secret} in {json}");
        assert!(!masked.summary.to_string().contains(secret), "{secret}");
        assert!(!masked.stdout.contains(secret) && !masked.stderr.contains(secret), "{secret} in {}", masked.stdout);
        assert!(shown.summary["failure_samples"].to_string().contains(secret), "{secret}");
    }
    let echoed = samples(&masked).iter().find(|sample| sample["case"] == "echoes").unwrap();
    for side in ["request", "response"] {
        let body: Value = serde_json::from_str(echoed[side]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, serde_json::json!({"user": "anna", "login": {"password": "***"}, "note": "it is ***"}));
    }
    let head = echoed["request"]["head"].as_str().unwrap();
    assert!(head.contains("/echo?status=500&access_token=***\n"), "{head}");
    assert!(head.contains("\nAuthorization: ***\n") && head.contains("\nCookie: ***"), "{head}");
    assert!(shown.stdout.contains("access_token=s3cr3t-query"), "{}", shown.stdout);
}

#[test]
fn a_large_binary_body_is_cut_and_steers_no_terminal() {
    const BODY_BYTES: usize = 1024 * 1024;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 500 Oops\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
            let body: Vec<u8> = b"\x1b[2J\x9b\0\xff\r".iter().copied().cycle().take(BODY_BYTES).collect();
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    let folder = Folder::new();
    let case = case(&folder, "binary", address, "method: GET, url: /");
    let run = run(&["boom", &case, "--loop-count", "1", "--sample-failures", "1"]);
    let [sample] = &samples(&run)[..] else { panic!("{}", run.stdout) };
    let response = &sample["response"];
    assert_eq!(
        (response["body_bytes"].as_u64(), &response["body_truncated"]),
        (Some(BODY_BYTES as u64), &Value::Bool(true))
    );
    let body = response["body"].as_str().unwrap();
    assert!(body.starts_with(r"\u{1b}[2J\x9b\u{0}\xff\u{d}\u{1b}"), "{body}");
    assert!(!body.chars().any(char::is_control) && body.len() < 6 * 4096, "{}", body.len());
    assert!(run.stdout.contains("      body (1.00 MiB): "), "{}", run.stdout);
    assert!(!run.stdout.chars().any(|c| c.is_control() && c != '\n'), "{:?}", run.stdout);
}

#[test]
fn a_websocket_that_is_refused_has_the_answer_to_its_handshake() {
    let (target, folder) = (target(), Folder::new());
    let text = format!(
        "config: {{name: ws, base_url: \"ws://{}\"}}\nteststeps:\n\
         - {{name: opens, websocket: {{type: open, url: \"/status/403?token=s3cr3t\"}}}}\n",
        target.local_addr()
    );
    let case = folder.write("ws.yml", &text);
    let run = run(&["boom", &case, "--loop-count", "2", "--sample-failures", "1"]);
    let [sample] = &samples(&run)[..] else { panic!("{}\n{}", run.stdout, run.stderr) };
    assert_eq!((&sample["kind"], &sample["step"]), (&"websocket".into(), &"opens".into()));
    let first_line = format!("GET ws://{}/status/403?token=***", target.local_addr());
    assert_eq!(sample["request"]["head"].as_str().unwrap().lines().next(), Some(&*first_line));
    assert_eq!(sample["response"]["head"].as_str().unwrap().lines().next(), Some("HTTP/1.1 403 Forbidden"));
}
