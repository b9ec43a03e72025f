//! Thresholds against the embedded target: what holds exits with 0, what does not with 99, and the summary says why.

mod common;
#[path = "common/load.rs"]
mod load;

use load::{run, target, unwrapped, url, Folder, Run};
use serde_json::{json, Value};

/// The one threshold of a run.
fn threshold(run: &Run) -> &Value {
    run.summary.pointer("/thresholds/0").unwrap_or_else(|| panic!("no threshold: {}\n{}", run.stdout, run.stderr))
}

#[test]
fn what_holds_passes_and_is_in_the_plan() {
    let target = target();
    let expressions = ["errors < 1%", "requests>=2000", "rps>1", "response.p99<60s", "min>=0.5us"];
    let hello = url(&target, "/hello/a");
    let mut arguments = vec!["hit", &hello, "-c", "4", "-n", "2000"];
    for expression in expressions {
        arguments.extend(["--threshold", expression]);
    }
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let written = json!(["errors<1%", "requests>=2000", "rps>1", "response.p99<60s", "min>=0.5us"]);
    assert_eq!(run.summary["plan"]["thresholds"], written);
    assert_eq!(run.summary["plan"]["abort_on_threshold_s"], Value::Null);
    assert_eq!(
        *threshold(&run),
        json!({
            "expression": "errors<1%", "value": 0.0, "ok": true, "limit": 0.01, "unit": "ratio",
            "by": null, "first_failed_s": null, "reason": null, "samples_missing": null,
        })
    );
    assert_eq!(run.summary["thresholds"][1]["value"], json!(2000.0));
    assert_eq!(run.summary["thresholds"][1]["unit"], "count");
    assert_eq!(run.summary["thresholds"][2]["unit"], "per_second");
    // The same figure as in the totals.
    assert_eq!(run.summary["thresholds"][2]["value"], run.summary["totals"]["rps"]);
    let p99 = run.summary["totals"]["response_us"]["p99"].as_u64().unwrap();
    assert_eq!(run.summary["thresholds"][3]["value"].as_f64(), Some(p99 as f64));
    assert!(run.stdout.contains("\n  held errors<1% (was 0.000%)\n"), "{}", run.stdout);
}

#[test]
fn what_is_missed_exits_with_99_and_says_by_how_much() {
    let target = target();
    let run = run(&["hit", &url(&target, "/delay/2"), "-c", "20", "-n", "1500", "--threshold", "p99<1us"]);
    assert_eq!(run.code, 99, "{}\n{}", run.stdout, run.stderr);
    let missed = threshold(&run);
    let p99 = run.summary["totals"]["service_us"]["p99"].as_f64().unwrap();
    assert!(p99 >= 1_900.0, "the server waits 2 ms: {p99}");
    assert_eq!((missed["ok"].as_bool(), missed["value"].as_f64()), (Some(false), Some(p99)));
    assert_eq!((missed["limit"].as_f64(), missed["unit"].as_str()), (Some(1.0), Some("us")));
    assert_eq!(missed["by"].as_f64(), Some(p99 - 1.0));
    assert!(missed["first_failed_s"].is_u64(), "{missed}");
    assert!(run.stdout.contains("  MISSED p99<1us (was "), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("{p99} times the limit, first seen in second ")), "{}", run.stdout);
    assert_eq!(run.summary["run"]["aborted"], false);
    run.assert_conserved();
}

#[test]
fn a_percentile_of_too_few_samples_does_not_pass() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "-n", "40", "--threshold", "p99<1s"]);
    assert_eq!(run.code, 99);
    let few = threshold(&run);
    assert_eq!((few["ok"].as_bool(), &few["value"], &few["first_failed_s"]), (Some(false), &Value::Null, &Value::Null));
    assert_eq!(few["reason"], "only 40 of 1,000 samples that p99 needs");
    assert!(run.stdout.contains("  MISSED p99<1s (only 40 of 1,000 samples that p99 needs)\n"), "{}", run.stdout);
}

#[test]
fn a_run_of_failures_alone_has_no_latency_to_pass_with() {
    let run =
        run(&["hit", "http://127.0.0.1:1/", "-c", "1", "-n", "3", "--threshold", "max<1s", "--threshold", "errors<=3"]);
    assert_eq!(run.code, 99);
    assert_eq!(threshold(&run)["reason"], "no request succeeded, so there is no latency");
    assert_eq!(
        (&run.summary["thresholds"][1]["ok"], run.summary["thresholds"][1]["value"].as_f64()),
        (&json!(true), Some(3.0))
    );
}

/// A case of two steps, one of which always fails, in a transaction.
fn case(folder: &Folder, target: &pummel_target::Target) -> String {
    let text = format!(
        "config: {{name: two, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: begin, transaction: {{name: whole, type: start}}}}\n\
         - {{name: login, request: {{method: GET, url: /hello/x}}}}\n\
         - {{name: search, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         - {{name: end, transaction: {{name: whole, type: end}}}}\n",
        target.local_addr()
    );
    folder.write("two.yml", &text)
}

#[test]
fn steps_and_transactions_are_judged_by_themselves() {
    let (target, folder) = (target(), Folder::new());
    let case = case(&folder, &target);
    let expressions = ["login:errors<=0", "search:errors<50%", "requests<=20", "Action:max<60s", "whole:requests>=10"];
    let mut arguments = vec!["boom", case.as_str(), "--loop-count", "10"];
    for expression in expressions {
        arguments.extend(["--threshold", expression]);
    }
    let run = run(&arguments);
    assert_eq!(run.code, 99, "{}\n{}", run.stdout, run.stderr);
    let results = run.summary["thresholds"].as_array().unwrap();
    let ok: Vec<_> = results.iter().map(|result| result["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, true, true, true], "{results:#?}");
    // All 10 failed where half were allowed: twice the limit.
    assert_eq!((results[1]["value"].as_f64(), results[1]["by"].as_f64()), (Some(1.0), Some(1.0)));
    assert_eq!(results[2]["value"].as_f64(), Some(20.0));
    assert!(run.stdout.contains("  MISSED search:errors<50% (was 100.000%, 100.0% over, "), "{}", run.stdout);
}

#[test]
fn a_profile_holds_thresholds_too() {
    let (target, folder) = (target(), Folder::new());
    let case = case(&folder, &target);
    let list = folder.write("list.yml", "loop-count: 3\nthreshold:\n- requests>=6\n- search:errors<1\n");
    let run_list = run(&["boom", &case, "--profile", &list, "--threshold", "nobody:rps>1"]);
    assert_eq!(run_list.code, 99, "{}", run_list.stderr);
    let results: Vec<_> =
        run_list.summary["thresholds"].as_array().unwrap().iter().map(|result| &result["ok"]).collect();
    assert_eq!(results, [&json!(true), &json!(false)]);
    for (name, text) in [
        ("one.yml", "loop-count: 3\nthreshold: requests>=6\nabort-on-threshold: 5s\n"),
        ("one.json", r#"{"loop-count": 3, "threshold": ["requests>=6"], "abort-on-threshold": "5s"}"#),
    ] {
        let run = run(&["boom", &case, "--profile", &folder.write(name, text)]);
        assert_eq!((run.code, threshold(&run)["ok"].as_bool()), (0, Some(true)), "{}", run.stderr);
        assert_eq!(run.summary["plan"]["abort_on_threshold_s"].as_f64(), Some(5.0));
    }
    let wrong = common::run(&["boom", &case, "--profile", &folder.write("wrong.yml", "threshold: [p99]\n")]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("wrong.yml:1:13: threshold \"p99\" holds no comparison"), "{}", wrong.stderr);
}

#[test]
fn thresholds_that_mean_nothing_are_wrong_usage() {
    let (target, folder) = (target(), Folder::new());
    let case = case(&folder, &target);
    for (arguments, parts) in [
        (
            ["--threshold", "logn:p95<1ms"],
            ["no step, transaction or referenced case \"logn\"", "did you mean \"login\"?"],
        ),
        (["--threshold", "zzz:p95<1ms"], ["referenced case \"zzz\"", "the run has \"login\", \"search\""]),
        (["--threshold", "p101<1ms"], ["--threshold <EXPR>", "no percentile \"p101\""]),
        (["--threshold", "errors<-1%"], ["--threshold <EXPR>", "not a number of zero or more"]),
        (["--threshold", "rps>5ms"], ["--threshold <EXPR>", "rps is counted in requests a second"]),
        (["--abort-on-threshold", "--quiet"], ["--abort-on-threshold without a threshold", "add one"]),
        (["--abort-on-threshold=soon", "--quiet"], ["--abort-on-threshold", "is not a time"]),
    ] {
        let ran = common::run(&[&["boom", case.as_str()], &arguments[..]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        let stderr = unwrapped(&ran.stderr);
        for part in parts {
            assert!(stderr.contains(part), "{arguments:?}: \"{part}\" is not in\n{}", ran.stderr);
        }
    }
    assert_eq!(target.stop().requests, 0);
}

#[test]
fn a_broken_threshold_ends_the_run_where_it_is_told_to() {
    let target = target();
    let run = run(&[
        "hit",
        &url(&target, "/delay/2"),
        "-c",
        "20",
        "-d",
        "50s",
        "--threshold",
        "requests>9000000",
        "--threshold",
        "p90<1us",
        "--abort-on-threshold=1s",
    ]);
    assert_eq!(run.code, 99, "{}\n{}", run.stdout, run.stderr);
    assert_eq!((&run.summary["run"]["aborted"], &run.summary["run"]["stopped_for"]), (&json!(true), &json!("p90<1us")));
    let load_s = run.summary["run"]["load_s"].as_f64().unwrap();
    assert!((1.0..45.0).contains(&load_s), "the load lasted {load_s} s of 50");
    assert!(run.stdout.contains("stopped early, broken: p90<1us"), "{}", run.stdout);
    assert_eq!(run.number("/conservation/abandoned"), 0, "the stop drains");
    run.assert_conserved();
}
