//! The warm-up against the embedded target: kept apart, and nothing of it lost.

mod common;
#[path = "common/load.rs"]
mod load;

use load::{run, start, target, unwrapped, url, Folder, Run};
use serde_json::{json, Value};

/// The sum of a figure over the seconds that are, or are not, of the warm-up.
fn seconds(run: &Run, warmup: bool, figure: &str) -> u64 {
    let series = run.summary["series"].as_array().expect("seconds");
    series.iter().filter(|point| point["warmup"] == warmup).filter_map(|point| point[figure].as_u64()).sum()
}

fn assert_adds_up(run: &Run) {
    assert_eq!(run.summary["conservation"]["ok"], true, "{:#}", run.summary["conservation"]);
    let finished = run.number("/warmup/requests") + run.number("/totals/requests");
    assert_eq!(finished, run.number("/conservation/succeeded") + run.number("/conservation/failed"));
    assert_eq!(finished, seconds(run, true, "requests") + seconds(run, false, "requests"));
    for part in ["/warmup", "/totals"] {
        let succeeded = run.number(&format!("{part}/requests")) - run.number(&format!("{part}/failures"));
        assert_eq!(run.number(&format!("{part}/service_us/count")), succeeded);
    }
}

#[test]
fn both_parts_make_what_the_server_counted() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-c", "8", "-d", "3s", "--warmup", "1s", "--max-rps", "4000"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_adds_up(&run);
    assert_eq!(run.number("/conservation/abandoned"), 0);
    let (before, after) = (run.number("/warmup/requests"), run.number("/totals/requests"));
    assert!(before > 0 && after > 0, "{before} and {after}");
    assert_eq!(before + after, target.stop().requests);
    assert_eq!(run.number("/warmup/exchanges/sent") + run.number("/totals/exchanges/sent"), before + after);
    assert_eq!(run.number("/warmup/steps/0/requests"), before);
    assert_eq!(run.summary["steps"][0]["requests"], run.summary["totals"]["requests"]);
    // The connections of the whole run, opened in its warm-up.
    assert_eq!((run.number("/client/connections/opened"), run.number("/phases/connect_us/count")), (8, 8));
    assert_eq!(run.number("/client/connections/reused"), before + after - 8);
    let summary = &run.summary;
    assert_eq!((&summary["plan"]["warmup_s"], &summary["warmup"]["planned_s"]), (&json!(1.0), &json!(1.0)));
    let (load_s, warmup_s) = (summary["run"]["load_s"].as_f64().unwrap(), summary["run"]["warmup_s"].as_f64().unwrap());
    // The first user begins a moment after the clock.
    assert!(warmup_s > 0.0 && warmup_s <= 1.0 && load_s >= 2.0, "{warmup_s} and {load_s}");
    let marks: Vec<_> = summary["series"].as_array().unwrap().iter().map(|point| &point["warmup"]).collect();
    assert_eq!(marks[..3], [&json!(true), &json!(false), &json!(false)]);
    assert!(run.stdout.contains("of load after "), "{}", run.stdout);
    assert!(run.stdout.contains(&format!(", {before} requests, 0 failed (0.0%), ")), "{}", run.stdout);
    assert!(run.stdout.contains("the first 1s as warm-up"), "{}", run.stdout);
}

#[test]
fn cases_have_a_warmup_of_their_own_and_so_have_profiles() {
    let (target, folder) = (target(), Folder::new());
    let case = folder.write(
        "two.yml",
        &format!(
            "config: {{name: two, base_url: \"http://{}\"}}\nteststeps:\n\
             - {{name: begin, transaction: {{name: whole, type: start}}}}\n\
             - {{name: good, request: {{method: GET, url: /hello/x}}}}\n\
             - {{name: bad, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n\
             - {{name: end, transaction: {{name: whole, type: end}}}}\n",
            target.local_addr()
        ),
    );
    let profile =
        folder.write("profile.yml", "warmup: 500ms\nrun-time: 1500ms\nspawn-count: 2\nspawn-rate: 100\nmax-rps: 400\n");
    let run = run(&["boom", &case, "--profile", &profile, "--threshold", "good:errors<=0"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_adds_up(&run);
    assert_eq!(run.summary["plan"]["warmup_s"], json!(0.5));
    for part in ["/warmup", ""] {
        assert!(run.number(&format!("{part}/steps/1/failures")) > 0, "{part}");
        let of_bad = run.number(&format!("{part}/errors/0/count"));
        assert_eq!(of_bad, run.number(&format!("{part}/steps/1/failures")), "{part}");
    }
    // Whole transactions, and the iterations that hold them.
    assert_eq!(run.summary["warmup"]["transactions"].as_array().map(Vec::len), Some(2));
    assert_eq!(run.summary["thresholds"][0]["ok"], true);
}

#[test]
fn a_run_that_ends_in_its_warmup_says_that_nothing_was_measured() {
    let target = target();
    let hello = url(&target, "/hello/a");
    let run = run(&["hit", &hello, "-n", "50", "--warmup", "50s", "--threshold", "errors<1%"]);
    assert_eq!(run.code, 99, "{}\n{}", run.stdout, run.stderr);
    assert_adds_up(&run);
    assert_eq!((run.number("/warmup/requests"), run.number("/totals/requests")), (50, 0));
    assert!(run.stdout.contains("  nothing was measured: the run ended after "), "{}", run.stdout);
    assert!(run.stdout.contains("within its warm-up of 50.0 s\n"), "{}", run.stdout);
    assert!(run.stdout.contains("  MISSED errors<1% (no request after the warm-up: "), "{}", run.stdout);
    assert_eq!(target.stop().requests, 50);
}

#[test]
fn ctrl_c_in_the_warmup_is_reported_as_that() {
    let target = target();
    let running = start(&["hit", &url(&target, "/delay/5"), "-c", "2", "-d", "50s", "--warmup", "40s"]);
    while target.counts().requests == 0 {
        std::thread::yield_now();
    }
    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_adds_up(&run);
    assert_eq!((run.number("/totals/requests"), &run.summary["run"]["load_s"]), (0, &json!(0.0)));
    assert!(run.stdout.contains("of warm-up, stopped by Ctrl-C or a signal"), "{}", run.stdout);
}

#[test]
fn without_a_warmup_there_is_no_word_of_it() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-n", "5", "--warmup", "0"]);
    assert_eq!((run.code, &run.summary["warmup"]), (0, &Value::Null));
    assert!(!run.stdout.to_lowercase().contains("warm"), "{}", run.stdout);
    run.assert_conserved();
}

#[test]
fn the_demo_counts_both_parts_on_both_sides() {
    let run = run(&["demo", "--run-time", "2s", "--warmup", "1s", "--spawn-count", "4", "--spawn-rate", "100"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_adds_up(&run);
    assert!(run.stdout.contains("requests, exactly what was sent."), "{}", run.stdout);
}

#[test]
fn a_warmup_that_leaves_nothing_is_wrong_usage() {
    let hit = ["hit", "http://127.0.0.1:1/"];
    for (arguments, parts) in [
        (&["-d", "5s", "--warmup", "5s"][..], ["--warmup 5s with a load of 5s", "--duration 10s"]),
        (&["--warmup", "1m"], ["--warmup 1m with a load of 10s", "--duration includes the warm-up"]),
        (&["--warmup", "soon"], ["--warmup <TIME>", "is not a time"]),
        (&["--warmup", "-1"], ["--warmup <TIME>", "is not a time"]),
    ] {
        let ran = common::run(&[&hit, arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        let stderr = unwrapped(&ran.stderr);
        for part in parts {
            assert!(stderr.contains(part), "{arguments:?}: \"{part}\" is not in\n{}", ran.stderr);
        }
    }
    let demo = common::run(&["demo", "--warmup", "15s"]);
    assert_eq!(demo.code, 2);
    assert!(demo.stderr.contains("--run-time includes the warm-up"), "{}", demo.stderr);
}
