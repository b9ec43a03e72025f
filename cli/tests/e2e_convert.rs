//! Other people's requests as test cases: converted by the real binary, and what is then sent compared with what was to be.

mod common;
#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use load::{Folder, Run};
use serde_json::{json, Value};

/// The sample files of other tools.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/case/tests/cases/convert/");

/// A request as it came.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    /// Names in lower case, sorted; without those each client writes for itself.
    headers: Vec<(String, String)>,
    body: String,
}

/// What every client decides for itself: who it is, what it decodes, how it uses the connection.
const OWN_HEADERS: [&str; 5] = ["accept", "accept-encoding", "connection", "host", "user-agent"];

/// Takes one request and answers it.
fn take(stream: TcpStream, answer: &str) -> Seen {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    headers.retain(|(name, _)| !OWN_HEADERS.contains(&name.as_str()));
    headers.sort();
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{answer}",
        answer.len() - answer.find("\r\n\r\n").unwrap() - 4
    )
    .unwrap();
    Seen { line: lines.remove(0), headers, body: String::from_utf8(body).unwrap() }
}

/// What a command sends to a server that takes one request.
fn seen(run: impl FnOnce(&str)) -> Seen {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || take(listener.accept().unwrap().0, "Content-Type: application/json\r\n\r\n{}"));
    run(&origin);
    server.join().unwrap()
}

/// One iteration of one user. The summary's flag stands before the words, which belong to curl from there on.
fn once(words: &[&str]) -> Run {
    let folder = Folder::new();
    let json = folder.path().join("summary.json");
    let ended = Command::new(load::binary())
        .args(["boom", "--loop-count", "1", "--run-time", "20", "--json"])
        .arg(&json)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let run = Run {
        code: ended.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        summary: fs::read(&json).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default(),
    };
    assert_eq!((run.code, run.number("/totals/failures")), (0, 0), "{}\n{}", run.stderr, run.stdout);
    run.assert_conserved();
    run
}

#[test]
fn a_pasted_command_sends_what_curl_sends() {
    let folder = Folder::new();
    let file = folder.write("body.json", "{\"a\": 1}\n");
    let file = format!("@{file}");
    for words in [
        &["/"][..],
        &["/p/a%2Fb?x=1&x=2&flag", "-H", "X-A: 1", "-H", "X-Empty;"],
        &["/p", "-d", "a=1", "-d", "b=2"],
        &["/p", "-d", "{\"a\":[1,\"$x\"]}"],
        &["/p", "-XPUT", "-H", "Content-Type: application/json", "-d", "{\"a\":1,\"b\":\"<&\\u4e2d $b\"}"],
        &["/p", "-H", "Content-Type: text/plain", "--data-binary", "$a\n${b} $$"],
        &["/p", "-H", "Content-Type: application/json", "-d", &file],
        &["/p", "--json", "[1,2]", "-u", "me:secret"],
        &["/p", "-G", "--data-urlencode", "q=a&b$c"],
        &["/p", "-b", "a=1; b=$2", "-e", "http://r/", "-r", "0-99"],
        &["/p", "-sS", "-X", "delete", "--compressed", "-o", "/dev/null"],
        &["/p", "-d", ""],
    ] {
        let mut by_curl = seen(|origin| {
            let url = format!("{origin}{}", words[0]);
            let mut arguments = vec!["-s", "-o", "/dev/null", "--max-time", "20", &url];
            arguments.extend(&words[1..]);
            load::command("curl", &arguments);
        });
        let by_pummel = seen(|origin| {
            let url = format!("{origin}{}", words[0]);
            let mut arguments = vec!["curl", &url];
            arguments.extend(&words[1..]);
            once(&arguments);
        });
        // A JSON body goes in the form of all bodies of test cases: its keys sorted and < > & escaped, which says the same.
        if let (Ok(a), Ok(b)) =
            (serde_json::from_str::<Value>(&by_curl.body), serde_json::from_str::<Value>(&by_pummel.body))
        {
            assert_eq!(a, b, "{words:?}");
            by_curl.body.clone_from(&by_pummel.body);
            let length = by_curl.headers.iter_mut().find(|(name, _)| name == "content-length");
            length.unwrap().1 = by_pummel.body.len().to_string();
        }
        // -X takes any spelling; methods are sent in capitals here.
        by_curl.line = by_curl.line.replacen("delete", "DELETE", 1);
        assert_eq!(by_curl, by_pummel, "{words:?}");
    }
}

#[test]
fn a_command_in_quotes_is_split_as_a_shell_does() {
    for arguments in [
        &["curl", "curl 'ORIGIN/a b' \\\n  -H 'X: $1' -d 'k=v w'"][..],
        &["curl", "ORIGIN/a\\ b -H X:\\ '$1' -d 'k=v w'"],
        &["curl 'ORIGIN/a b' -H $'X: \\x241' --data 'k=v w'"],
    ] {
        let seen = seen(|origin| {
            let arguments: Vec<String> = arguments.iter().map(|word| word.replace("ORIGIN", origin)).collect();
            let run = once(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(run.summary["run"]["name"], "curl");
            assert_eq!(run.summary["steps"][0]["name"], format!("POST {origin}/a b"));
        });
        assert_eq!((seen.line.as_str(), seen.body.as_str()), ("POST /a%20b HTTP/1.1", "k=v+w"), "{arguments:?}");
        assert!(seen.headers.contains(&("x".to_owned(), "$1".to_owned())));
    }
}

#[test]
fn each_form_is_converted_and_runs() {
    let target = load::target();
    let origin = load::url(&target, "");
    let folder = Folder::new();
    let curl = format!("curl {origin}/hello/a\n# two\ncurl -X POST {origin}/hello/b \\\n  -d k=v\n");
    let har = json!({"log": {"entries": [{"request": {"method": "GET", "url": format!("{origin}/hello/a?b=1"), "headers": []},
        "response": {"status": 200, "headers": []}}]}});
    let postman = json!({"info": {"name": "c"}, "variable": [{"key": "origin", "value": origin}],
        "item": [{"name": "f", "item": [{"name": "g", "request": {"method": "GET", "url": "{{origin}}/hello/{{who}}"}}]}]});
    let yaml = format!("config: {{name: y}}\nteststeps:\n- request: {{method: GET, url: '{origin}/hello/a'}}\n  validate: [eq: [status_code, 200]]\n");
    let json = json!({"Config": {"name": "j"}, "testSteps": [{"Request": {"METHOD": "GET", "url": format!("{origin}/hello/a")}}]});
    for (name, text, steps) in [
        ("a.curl", curl, 2),
        ("b.har", har.to_string(), 1),
        ("c.json", postman.to_string(), 1),
        ("d.yml", yaml, 1),
        ("e.json", json.to_string(), 1),
    ] {
        let path = folder.write(name, &text);
        for to in ["json", "yaml"] {
            let ran = common::run(&["convert", &path, &format!("--to-{to}")]);
            let result = Path::new(&path).with_file_name(format!("{}_test.{to}", &name[..1]));
            let plural = if steps == 1 { "" } else { "s" };
            assert_eq!(ran.stdout, format!("{}: {steps} step{plural}, from {path}\n", result.display()));
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert_eq!(ran.stderr.contains("the collection gives who no value"), name == "c.json", "{}", ran.stderr);
            let run = once(&[result.to_str().unwrap(), "-e", "who=b"]);
            assert_eq!(run.number("/totals/requests"), steps);
        }
    }
    // The folder's results of before are none of its files.
    let ran =
        common::run(&["convert", folder.path().to_str().unwrap(), "-d", folder.path().join("out").to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 5), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 5);
}

#[test]
fn samples_become_what_hrp_makes_of_them() {
    let folder = Folder::new();
    let out = folder.path().to_str().unwrap();
    let (cmds, har, coll) = (format!("{SAMPLES}cmds.curl"), format!("{SAMPLES}one.har"), format!("{SAMPLES}coll.json"));
    assert_eq!(common::run(&["convert", "--from-curl", &cmds, "-d", out]).code, 0);
    assert_eq!(common::run(&["convert", "--from-har", &har, "--output-dir", out]).code, 0);
    assert_eq!(common::run(&["convert", "--from-postman", &coll, "-d", out]).code, 0);
    let written =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap() };
    let expected =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(format!("{SAMPLES}{name}")).unwrap()).unwrap() };
    assert_eq!(written("one_test.json"), expected("one.expected.json"));
    let mut cmds = expected("cmds.expected.json");
    cmds["teststeps"][2]["request"]["headers"] = json!({"Content-Type": "application/x-www-form-urlencoded"});
    assert_eq!(written("cmds_test.json"), cmds);
    let mut coll = expected("coll.expected.json");
    coll["teststeps"][2]["request"]["upload"]["f"] = json!("@up.txt");
    assert_eq!(written("coll_test.json"), coll);
}

#[test]
fn a_profile_changes_every_request() {
    let folder = Folder::new();
    let path = folder.write("a.txt", "curl http://h/ -H 'A: 1' -b c=1");
    let profile = folder.write("p.yml", "override: true\nheaders: {B: $b}\ncookies: {d: 2}\n");
    let ran = common::run(&["convert", "--from-curl", &path, "-p", &profile]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let case: Value = serde_json::from_slice(&fs::read(folder.path().join("a_test.json")).unwrap()).unwrap();
    assert_eq!(
        case["teststeps"][0]["request"],
        json!({"method": "GET", "url": "http://h/", "headers": {"B": "$b"}, "cookies": {"d": "2"}})
    );
    // The variable has no value yet, and this is said.
    assert!(
        ran.stderr.contains("the result does not load as it is") && ran.stderr.contains("variable b"),
        "{}",
        ran.stderr
    );
}

#[test]
fn functions_of_a_project_are_neither_called_nor_missed() {
    let folder = Folder::new();
    folder.write("debugtalk.py", "open('started', 'w')\ndef sign():\n    return 1\n");
    let case = "config: {name: a}\nteststeps:\n- {name: b, request: {method: GET, url: \"http://h/${sign()}\"}}\n";
    let path = folder.write("a.yml", case);
    let ran = common::run(&["convert", &path, "--to-json"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(!folder.path().join("started").exists());
    // What else is wrong is said.
    let path = folder.write("c.yml", &case.replace("http://h/", "http://h/$t/"));
    let ran = common::run(&["convert", &path, "--to-json"]);
    assert!(ran.stderr.contains("variable t") && !ran.stderr.contains("sign"), "{}", ran.stderr);
}

#[test]
fn a_failure_does_not_keep_the_others_back_and_is_an_exit_code() {
    let folder = Folder::new();
    let good = folder.write("good.curl", "curl http://h/");
    let bad = folder.write("bad.curl", "\ncurl -H 'x' http://h/");
    let broken = folder.write("broken.har", "{\"log\":\n{]");
    let other = folder.write("good.txt", "curl http://h/");
    let ran = common::run(&[
        "convert",
        &bad,
        &broken,
        &good,
        &other,
        "/nonexistent.har",
        folder.write("x.csv", "a").as_str(),
    ]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (20, 1), "{}", ran.stderr);
    for part in [
        "bad.curl:2: the header \"x\" has no colon",
        "broken.har:2: broken JSON",
        "good.txt: its result",
        "/nonexistent.har: no such file",
        "x.csv: what the file is cannot be told from its extension",
    ] {
        assert!(ran.stderr.contains(part), "\"{part}\" is not in\n{}", ran.stderr);
    }
    assert!(folder.path().join("good_test.json").exists());
}

#[test]
fn wrong_usage_says_what_to_do() {
    for (arguments, part) in [
        (&["convert", "a.har", "--to-pytest"][..], "--to-pytest is not offered"),
        (&["convert", "a.har", "--from-har", "--from-curl"], "cannot be used with"),
        (&["convert", "a.har", "--to-json", "--to-yaml"], "cannot be used with"),
        (&["convert"], "<PATH>"),
        (&["boom", "curl"], "CURL OPTIONS"),
        (&["boom", "a.yml", "curl", "http://h/"], "one run takes one of them"),
        (&["boom", "curl", "-X", "GET"], "the curl command has no URL"),
        (&["boom", "curl", "http://h/ -d 'a"], "the quote ' that begins here does not end"),
        (&["boom", "curl", "http://h/", "--heder", "a: b"], "did you mean \"header\"?"),
        (&["boom", "curl", "http://h/", "--ntlm"], "--ntlm of curl cannot be converted"),
    ] {
        let ran = common::run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{arguments:?}: \"{part}\" is not in\n{}", ran.stderr);
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("panicked"), "{arguments:?}");
    }
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    let folder = Folder::new();
    let path = folder.write("a.curl", "curl http://h/");
    let mut child = Command::new(load::binary())
        .args(["convert", &path])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
