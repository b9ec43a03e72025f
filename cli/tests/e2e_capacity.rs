//! `pummel capacity` against services whose limit is known, and against none.
//!
//! What a slow machine can change is not asserted: a bucket of tokens refuses what comes beyond its rate however late it comes, so
//! the answer has an upper bound; a lower one it has only where nothing stands in the way.

#[path = "common/load.rs"]
mod load;

use std::{thread, time::Duration};

use load::{run, start, target, url, Folder, Run};
use serde_json::Value;

/// Short probes, and an end in any case.
const QUICK: [&str; 6] = ["--measure", "500ms", "--settle", "200ms", "--max-duration", "40s"];

/// A search, with its result.
fn capacity(args: &[&str]) -> (Run, Value) {
    let ran = run(&[&["capacity"], args].concat());
    let result = ran.summary.clone();
    (ran, result)
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
    assert!((20.0..=420.0).contains(&held), "{}", ran.stdout);
    let probes = result["probes"].as_array().unwrap();
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
    assert_eq!((ran.code, result["held"].as_f64()), (0, Some(60.0)), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn what_no_level_holds_exits_with_99() {
    let target = target();
    let slow = url(&target, "/delay/20/hello/a");
    let (ran, result) = capacity(&with_quick(&[&slow, "--by", "users", "--threshold", "p50<10ms"]));
    assert_eq!((ran.code, result["held"].as_f64()), (99, None), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(result["ended_by"], "nothing_held");
    // Once more before it counts.
    let grades: Vec<_> = result["probes"].as_array().unwrap().iter().map(|probe| &probe["grade"]).collect();
    assert!(grades.iter().all(|grade| *grade == "failed") && grades.len() >= 2, "{grades:?}");
}

#[test]
fn the_highest_level_to_try_may_hold() {
    let target = target();
    let slow = url(&target, "/delay/20/hello/a");
    let users = ["--by", "users", "--at-most", "4", "--threshold", "errors<1%"];
    let (ran, result) = capacity(&with_quick(&[&[&slow[..]], &users[..]].concat()));
    assert_eq!((ran.code, result["held"].as_f64()), (0, Some(4.0)), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!((&result["ended_by"], &result["level_unit"]), (&"highest_reached".into(), &"users".into()));
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
