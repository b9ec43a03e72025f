//! `pummel capacity` against services whose limit is known, and against none.
//!
//! What a slow machine can change is not asserted: a bucket of tokens refuses what comes beyond its rate however late it comes, so
//! the answer has an upper bound; a lower one it has only where nothing stands in the way.

#[path = "common/load.rs"]
mod load;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    thread,
    time::Duration,
};

use load::{run, start, target, url, Folder, Run};
use serde_json::Value;

/// Short probes, and an end in any case.
const QUICK: [&str; 6] = ["--measure", "500ms", "--settle", "200ms", "--max-duration", "40s"];

/// Probes in which a stall of the machine is a small part.
const STEADY: [&str; 6] = ["--measure", "2s", "--settle", "200ms", "--max-duration", "40s"];

/// A search, with its result.
fn capacity(args: &[&str]) -> (Run, Value) {
    let ran = run(&[&["capacity"], args].concat());
    let result = ran.summary.clone();
    (ran, result)
}

fn with_steady<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(STEADY).collect()
}

fn with_quick<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(QUICK).collect()
}

#[test]
fn a_limit_is_found_and_never_exceeded() {
    let target = target();
    let limited = url(&target, "/limit/400/hello/a");
    let (ran, result) = capacity(&with_quick(&[&limited, "--threshold", "errors<1%", "--at-least", "5000/s"]));
    assert_eq!((ran.code, &result["schema"]), (99, &"pummel.capacity/1".into()), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("5,000/s were asked for (--at-least), and "), "{}", ran.stderr);
    let held = result["held"].as_f64().unwrap();
    // In 0.7 s a bucket of 8 lets 288 pass, which are 411 a second; 1 % more may fail.
    assert!(held <= 420.0, "{}", ran.stdout);
    let probes = result["probes"].as_array().unwrap();
    // The last of those within 2 % of the limit is found, unless some below it did not hold: late ones come too many at once.
    let below: Vec<_> = probes.iter().filter(|probe| probe["level"].as_f64().unwrap() < 400.0).collect();
    for probe in below.iter().filter(|probe| probe["grade"] != "held") {
        let [requests, failures] = ["requests", "failures"].map(|figure| probe[figure].as_u64().unwrap());
        let reason = if probe["grade"] == "failed" { failures * 100 >= requests } else { probe["verdict"] != "valid" };
        assert!(reason, "{probe:#}");
    }
    assert!(held >= 392.0 || below.iter().any(|probe| probe["grade"] != "held"), "{}", ran.stdout);
    assert!(probes.iter().any(|probe| probe["level"].as_f64() == Some(held) && probe["grade"] == "held"), "{probes:?}");
    assert_eq!(probes.len() as u64, result["probe_count"].as_u64().unwrap());
    assert!(ran.stdout.contains("estimate at full speed: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("probe 1: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nCapacity: "), "{}", ran.stdout);
}

#[test]
fn a_service_that_is_down_is_said_at_once() {
    let (ran, result) = capacity(&["http://127.0.0.1:1/", "--threshold", "p99<1s"]);
    assert_eq!((ran.code, &result["ended_by"]), (1, &"nothing_succeeded".into()), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!((result["held"].as_f64(), result["probe_count"].as_u64()), (None, Some(0)));
    assert!(ran.stderr.contains("not one iteration succeeded at full speed: connection refused"), "{}", ran.stderr);
}

#[test]
fn a_service_that_refuses_everything_is_no_better() {
    let target = target();
    let (ran, _) = capacity(&[&url(&target, "/status/500"), "--threshold", "p99<1s"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("status_code is 400 or more"), "{}", ran.stderr);
}

#[test]
fn a_service_that_is_slow_is_not_down() {
    let target = target();
    let slow = url(&target, "/delay/30000");
    let (ran, result) = capacity(&[&slow, "--threshold", "errors<1%", "--max-duration", "5s"]);
    assert_eq!((ran.code, &result["ended_by"]), (1, &"nothing_ended".into()), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("estimate at full speed: no iteration ended in 3 s"), "{}", ran.stdout);
    assert!(ran.stderr.contains("and none failed: the service is slow, or does not answer"), "{}", ran.stderr);
}

#[test]
fn a_service_that_accepts_and_never_answers_is_said_within_seconds() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    // An estimate of 3 s and one of 12 s; a probe of 7 s. The watchdog's minute bounds both.
    for (args, what) in
        [(&[][..], "not one iteration ended within 12 s"), (&["--by", "users"], "not one request ended within 7 s")]
    {
        let (ran, result) = capacity(&[&[&silent_url[..], "--threshold", "errors<1%"], args].concat());
        assert_eq!((ran.code, &result["ended_by"]), (1, &"nothing_ended".into()), "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

/// A server on a free port that answers all requests but every fortieth.
fn answers_all_but_every_fortieth() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            thread::spawn(move || {
                let mut request = Vec::new();
                let mut part = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut part) {
                    request.extend(&part[..length]);
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        let is_answered = asked.fetch_add(1, Ordering::Relaxed) % 40 != 39;
                        if is_answered && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

#[test]
fn requests_without_an_answer_count_as_failed() {
    let url = format!("http://{}/", answers_all_but_every_fortieth());
    let bounds = ["--at-most", "40/s", "--measure", "1s", "--settle", "200ms", "--max-duration", "15s"];
    let (ran, result) = capacity(&[&[&url[..], "--threshold", "errors<1%"], &bounds[..]].concat());
    let probe = &result["probes"][0];
    // 48 in 1.2 s: one of them or two, while each arrival was made and hardly an iteration less ended.
    assert_eq!(
        (probe["level"].as_f64(), &probe["grade"]),
        (Some(40.0), &"failed".into()),
        "{}\n{result:#}",
        ran.stdout
    );
    assert_eq!((probe["failures"].as_u64(), probe["thresholds"][0]["ok"].as_bool()), (Some(0), Some(false)));
    let [requests, unanswered] = ["requests", "unanswered"].map(|figure| probe[figure].as_u64().unwrap());
    assert!((1..=2).contains(&unanswered), "{probe:#}");
    let share = unanswered as f64 / (requests + unanswered) as f64;
    assert_eq!(probe["thresholds"][0]["value"].as_f64(), Some(share));
    assert_ne!(result["held"].as_f64(), Some(40.0));
}

#[test]
fn without_an_answer_the_exit_code_is_1() {
    let target = target();
    // p99.999 needs a million samples, which take longer than there is time.
    let hello = url(&target, "/limit/400/hello/a");
    let (ran, result) = capacity(&[&hello, "--threshold", "p99.999<1s", "--max-duration", "15s"]);
    assert_eq!((ran.code, &result["ended_by"]), (1, &"time".into()), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Capacity: unknown; the time was used up before a probe was done"), "{}", ran.stdout);
    assert!(ran.stderr.contains("the time was used up before a level held"), "{}", ran.stderr);
}

#[test]
fn users_that_pause_are_no_limit_of_the_server() {
    let target = target();
    let folder = Folder::new();
    let case = folder.write(
        "pause.yml",
        &format!(
            "config: {{name: pause, base_url: \"{}\"}}\nteststeps:\n- name: a\n  request: {{method: GET, url: /hello/a}}\n- name: think\n  \
             think_time: {{time: 0.6}}\n",
            url(&target, "")
        ),
    );
    // An iteration lasts three times as long as a probe is told to settle.
    let (ran, result) = capacity(&with_quick(&[&case, "--threshold", "errors<1%", "--at-most", "60"]));
    let all_held = grades_follow_verdicts(&result, "held");
    if all_held {
        assert_eq!((ran.code, result["held"].as_f64()), (0, Some(60.0)), "{}\n{}", ran.stdout, ran.stderr);
    }
}

/// Each probe has this grade, but where the client was in its own way, which a busy machine may be. True where none was.
fn grades_follow_verdicts(result: &Value, grade: &str) -> bool {
    let probes = result["probes"].as_array().unwrap();
    assert!(!probes.is_empty());
    for probe in probes {
        let expected = if probe["verdict"] == "valid" { grade } else { "client_limited" };
        assert_eq!(probe["grade"], expected, "{probe:#}");
    }
    probes.iter().all(|probe| probe["verdict"] == "valid")
}

#[test]
fn what_no_level_holds_exits_with_99() {
    let target = target();
    let slow = url(&target, "/delay/20/hello/a");
    let (ran, result) = capacity(&with_steady(&[&slow, "--by", "users", "--threshold", "p50<10ms"]));
    let code = if grades_follow_verdicts(&result, "failed") { 99 } else { 1 };
    assert_eq!((ran.code, result["held"].as_f64()), (code, None), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(result["ended_by"], "nothing_held");
    // Once more before it counts.
    assert_eq!(result["probe_count"], 2);
}

#[test]
fn the_highest_level_to_try_may_hold() {
    let target = target();
    let slow = url(&target, "/delay/20/hello/a");
    let users = ["--by", "users", "--at-most", "4", "--threshold", "errors<1%"];
    let (ran, result) = capacity(&with_steady(&[&[&slow[..]], &users[..]].concat()));
    if grades_follow_verdicts(&result, "held") {
        assert_eq!((ran.code, result["held"].as_f64()), (0, Some(4.0)), "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(result["ended_by"], "highest_reached");
    }
    assert_eq!(result["level_unit"], "users");
    assert_eq!((&result["run"]["name"], &result["run"]["version"]), (&slow.into(), &env!("CARGO_PKG_VERSION").into()));
}

#[test]
fn a_case_is_searched_by_its_iterations() {
    let target = target();
    let folder = Folder::new();
    let case = folder.write(
        "two.yml",
        &format!(
            "config: {{name: two, base_url: \"{}\"}}\nteststeps:\n- name: a\n  request: {{method: GET, url: /hello/a}}\n  validate: \
             [{{eq: [status_code, 200]}}]\n- name: b\n  request: {{method: GET, url: /limit/100/hello/b}}\n  validate: [{{eq: \
             [status_code, 200]}}]\n",
            url(&target, "")
        ),
    );
    let case = case.as_str();
    let (ran, result) = capacity(&with_quick(&[case, "--threshold", "b:errors<2%"]));
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let held = result["held"].as_f64().unwrap();
    assert!((20.0..=110.0).contains(&held), "{}", ran.stdout);
    let (ran, _) = capacity(&with_quick(&[case, "--threshold", "c:errors<2%"]));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("there is no step, transaction or referenced case \"c\""), "{}", ran.stderr);
}

#[test]
fn an_interrupted_search_says_what_it_knows() {
    let target = target();
    let hello = url(&target, "/limit/300/hello/a");
    let search = start(&["capacity", &hello, "--threshold", "errors<1%", "--max-duration", "60s"]);
    thread::sleep(Duration::from_millis(1_500));
    search.interrupt();
    let ran = search.finish();
    assert!(ran.stdout.contains("ended: the search was interrupted"), "{}", ran.stdout);
    assert_eq!(ran.summary["ended_by"], "interrupted");
}

#[test]
fn wrong_usage_is_refused() {
    for (args, part) in [
        (&["http://h/"][..], "--threshold"),
        (&["http://h/", "http://i/", "--threshold", "p99<1s"], "capacity takes one URL, or test cases"),
        (&["http://h/", "--threshold", "p99<1s", "--seed", "3"], "--poisson"),
        (&["http://h/", "--threshold", "rps>5"], "--at-least"),
        (&["localhost:8080/x", "--threshold", "p99<1s"], "http://localhost:8080/x"),
        (&["case.yml", "http://h/", "--threshold", "p99<1s"], "capacity takes one URL, or test cases"),
        (&["http://h/", "--threshold", "p99<1s", "--at-least", "many"], "is no rate"),
        (
            &["http://h/", "--threshold", "p99<1s", "--at-least", "5/s", "--at-most", "4/s"],
            "--at-least is above --at-most",
        ),
        (&["no-such-case.yml", "--threshold", "p99<1s"], "no-such-case.yml"),
    ] {
        let ran = run(&[&["capacity"], args].concat());
        assert!(ran.code != 0 && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
}
