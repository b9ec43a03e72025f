//! Load over time with the real binary: open runs, stages, their keys of a profile, and flags that contradict each other.

mod common;
#[path = "common/load.rs"]
mod load;

use std::{thread, time::Duration};

use load::{closed_port, run, start, target, unwrapped, url, Folder, Nginx, Run};
use serde_json::{json, Value};

/// What became of the arrivals of an open run: intended, made, missed.
fn arrivals(run: &Run) -> [u64; 3] {
    let [intended, made, missed] = ["intended", "made", "missed"].map(|part| run.number(&format!("/arrivals/{part}")));
    assert_eq!(intended, made + missed);
    assert!(run.number("/arrivals/users_peak") <= run.number("/arrivals/users_max"));
    run.assert_conserved();
    [intended, made, missed]
}

/// A core of the load ran, or waited for its CPU, longer than the verdict allows.
fn is_saturated(run: &Run) -> bool {
    let cores = run.summary["client"]["cpu_cores"].as_array().unwrap();
    cores.iter().filter_map(|core| core["share_occupied"].as_f64()).any(|share| share > 0.85)
}

/// A case of two steps in a transaction.
fn case(folder: &Folder, target: &pummel_target::Target) -> String {
    let text = format!(
        "config: {{name: two, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: begin, transaction: {{name: whole, type: start}}}}\n\
         - {{name: hello, request: {{method: GET, url: /hello/x}}, validate: [{{eq: [status_code, 200]}}]}}\n\
         - {{name: order, request: {{method: GET, url: /api/order}}}}\n\
         - {{name: end, transaction: {{name: whole, type: end}}}}\n",
        target.local_addr()
    );
    folder.write("two.yml", &text)
}

#[test]
fn hit_makes_as_many_requests_as_arrive() {
    let target = target();
    let run = run(&["hit", &url(&target, "/hello/a"), "--rate", "200/s", "-d", "1s", "--max-users", "40"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let [intended, made, _] = arrivals(&run);
    assert_eq!((intended, run.number("/totals/requests"), target.stop().requests), (200, made, made));
    assert_eq!(run.summary["run"]["model"], "open");
    let plan = &run.summary["plan"];
    assert_eq!((&plan["model"], plan["rate_per_s"].as_f64()), (&json!("open"), Some(200.0)));
    assert_eq!((&plan["arrivals"], &plan["catch_up"], &plan["users"]), (&json!("even"), &json!("burst"), &json!(40)));
    assert_eq!((&plan["seed"], &plan["stages"], &plan["spawn_rate_per_s"]), (&Value::Null, &Value::Null, &Value::Null));
    assert!(
        run.stdout.contains("  load   open run: 200 iterations a second, up to 40 connections, for 1s\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains(&format!("\n  arrivals     intended 200, made {made} (")), "{}", run.stdout);
    assert!(run.stdout.contains("Requests (open model: response time of those that succeeded)"), "{}", run.stdout);
}

#[test]
fn a_number_of_requests_is_one_of_arrivals() {
    let (target, folder) = (target(), Folder::new());
    let list = folder.write("urls.txt", &format!("{}\n{}\n", url(&target, "/hello/a"), url(&target, "/hello/b")));
    let one = run(&["hit", &url(&target, "/hello/a"), "--rate", "500/s", "-n", "60", "--max-users", "60", "--quiet"]);
    assert_eq!((one.code, arrivals(&one), one.number("/totals/requests")), (0, [60, 60, 0], 60));
    assert!(one.stdout.contains("up to 60 connections, 60 requests in all\n"), "{}", one.stdout);
    // Two requests are an iteration, the last of which has one.
    let two = run(&["hit", "--urls", &list, "--rate", "500/s", "-n", "31", "--quiet"]);
    assert_eq!((two.code, arrivals(&two)[0], two.number("/totals/requests")), (0, 16, 31));
    assert_eq!(target.stop().requests, 91);
}

#[test]
fn boom_makes_sessions_that_arrive() {
    let (target, folder) = (target(), Folder::new());
    let case = case(&folder, &target);
    let more = ["--rate", "6000/m", "--poisson", "--seed", "3", "--iterations", "40", "--catch-up", "smooth"];
    let run = run(&[&["boom", case.as_str(), "--max-users", "40", "--quiet"], &more[..]].concat());
    assert_eq!((run.code, arrivals(&run)), (0, [40, 40, 0]), "{}\n{}", run.stdout, run.stderr);
    assert_eq!((run.number("/totals/requests"), target.stop().requests), (80, 80));
    assert_eq!(run.number("/iterations/count"), 40);
    let plan = &run.summary["plan"];
    assert_eq!((plan["rate_per_s"].as_f64(), &plan["seed"]), (Some(100.0), &json!(3)));
    assert_eq!((&plan["arrivals"], &plan["catch_up"]), (&json!("poisson"), &json!("smooth")));
    assert!(
        run.stdout.contains(
            "open run: 100 iterations a second, Poisson (seed 3), late ones made up for smoothly, up to 40 users, 40 \
             iterations in all\n"
        ),
        "{}",
        run.stdout
    );
}

#[test]
fn stages_of_users_and_of_a_rate() {
    let users = run(&["demo", "--stages", "300ms:6,300ms:6@40,200ms:0", "--quiet", "--cores", "1"]);
    assert_eq!(users.code, 0, "{}\n{}", users.stdout, users.stderr);
    users.assert_conserved();
    assert_eq!(users.number("/conservation/abandoned"), 0);
    assert_eq!(users.number("/client/connections/opened"), 6);
    let stages = json!([
        {"over_s": 0.3, "target": 6.0}, {"over_s": 0.0, "target": 6.0}, {"over_s": 0.3, "target": 6.0},
        {"over_s": 0.2, "target": 0.0}
    ]);
    assert_eq!(users.summary["plan"]["stages"], stages);
    assert_eq!(users.summary["plan"]["run_time_s"].as_f64(), Some(0.8));
    assert!(users.stdout.contains("up to 6 users in 4 stages (300ms to 6, "), "{}", users.stdout);
    assert!(users.stdout.contains("exactly what was sent"), "{}", users.stdout);

    let rate = run(&["demo", "--rate", "50/s", "--stages", "400ms:50/s,400ms:150/s,200ms:0/s", "--quiet"]);
    // 20 + 40 + 15.
    assert_eq!((rate.code, arrivals(&rate)[0]), (0, 75), "{}\n{}", rate.stdout, rate.stderr);
    assert!(
        rate.stdout.contains("open run: from 50 iterations a second in 3 stages (400ms to 50/s, "),
        "{}",
        rate.stdout
    );
}

#[test]
fn stages_of_hit_count_connections_whatever_they_carry() {
    let port = closed_port();
    let server = format!("server {{ listen 127.0.0.1:{port} http2; location / {{ return 200 'x'; }} }}");
    let _nginx = Nginx::start_with(&server);
    let run = run(&[
        "hit",
        &format!("http://127.0.0.1:{port}/"),
        "--http2",
        "--streams",
        "5",
        "--stages",
        "0s:4,300ms:4,200ms:1,300ms:1",
        "--quiet",
    ]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    run.assert_conserved();
    assert_eq!((run.number("/plan/users"), run.number("/client/connections/opened")), (20, 4));
    assert_eq!((run.number("/totals/failures"), run.number("/conservation/abandoned")), (0, 0));
    assert!(
        run.stdout.contains("up to 4 connections of 5 streams each in 4 stages (0s to 4, 300ms to 4, "),
        "{}",
        run.stdout
    );
}

#[test]
fn a_profile_holds_load_over_time_too() {
    let (target, folder) = (target(), Folder::new());
    let case = case(&folder, &target);
    let open = "rate: 250/s\npoisson: true\nseed: 9\nmax-users: 30\ncatch-up: drop\niterations: 25\n";
    let profiled = run(&["boom", &case, "--quiet", "--profile", &folder.write("open.yml", open)]);
    assert_eq!((profiled.code, arrivals(&profiled)[0]), (0, 25), "{}\n{}", profiled.stdout, profiled.stderr);
    let plan = &profiled.summary["plan"];
    assert_eq!((&plan["seed"], &plan["users"], &plan["catch_up"]), (&json!(9), &json!(30), &json!("drop")));

    let staged = r#"{"stages": "200ms:3,200ms:3", "pacing": "20ms"}"#;
    let profiled = run(&["boom", &case, "--quiet", "--profile", &folder.write("staged.json", staged)]);
    assert_eq!(profiled.code, 0, "{}\n{}", profiled.stdout, profiled.stderr);
    profiled.assert_conserved();
    let plan = &profiled.summary["plan"];
    assert_eq!((plan["users"].as_u64(), plan["iteration_pacing_s"].as_f64()), (Some(3), Some(0.02)));
    assert!(profiled.stdout.contains("an iteration every 20ms at most"), "{}", profiled.stdout);

    // A key contradicts a flag, and one of a closed run a rate of the same file.
    for (name, text, more, part) in [
        ("a.yml", "rate: 5/s\n", &["--spawn-count", "3"][..], "--spawn-count with --rate: they contradict each other"),
        ("b.yml", "rate: 5/s\nspawn-rate: 4\n", &[], "--spawn-rate with --rate: they contradict each other"),
        ("c.yml", "poisson: maybe\n", &[], "c.yml:1:10: poisson \"maybe\" is not true or false"),
        ("d.yml", "stages: 10s\n", &[], "d.yml:1:9: stages \"10s\" has the stage \"10s\", which is not TIME:TARGET"),
        ("e.yml", "catch-up: later\n", &[], "e.yml:1:11: catch-up \"later\" is not burst, smooth or drop"),
    ] {
        let profile = folder.write(name, text);
        let refused = common::run(&[&["boom", case.as_str(), "--profile", profile.as_str()], more].concat());
        assert_eq!(refused.code, 2, "{text}: {}", refused.stderr);
        assert!(unwrapped(&refused.stderr).contains(part), "{text}: {}", refused.stderr);
    }
}

#[test]
fn flags_that_contradict_each_other_are_wrong_usage() {
    let target = target();
    let hello = url(&target, "/hello/a");
    let rate = ["--rate", "5/s"];
    for (command, args, parts) in [
        ("demo", &["--spawn-count", "3"][..], ["--spawn-count with --rate: they contradict each other", "--max-users"]),
        ("demo", &["--spawn-rate", "3"], ["--spawn-rate with --rate: they contradict", "as its arrivals need them"]),
        ("demo", &["--loop-count", "3"], ["--loop-count with --rate: they contradict", "--iterations"]),
        ("demo", &["--max-rps", "3"], ["--max-rps with --rate: they contradict", "leave out one of them"]),
        ("demo", &["--rate-unit", "iteration"], ["--rate-unit with --rate: they contradict", "belongs to --max-rps"]),
        ("demo", &["--pacing", "1s"], ["--pacing with --rate: they contradict", "arrivals say when"]),
        ("demo", &["--stages", "3s:5"], ["--rate with --stages of users: they contradict", "30s:500/s"]),
        ("demo", &["--seed", "5"], ["--seed without --poisson", "add --poisson"]),
        ("hit", &["-c", "3"], ["--connections with --rate: they contradict", "--max-users"]),
        ("hit", &["--max-rps", "3"], ["--max-rps with --rate: they contradict", "leave out one of them"]),
        ("hit", &["--stages", "3s:5"], ["--rate with --stages of users: they contradict", "30s:500/s"]),
    ] {
        let url: &[&str] = if command == "hit" { &[&hello] } else { &[] };
        assert_refused(&[&[command], url, &rate[..], args].concat(), &parts);
    }
    for (command, args, parts) in [
        (
            "demo",
            &["--stages", "3s:5/s", "--spawn-count", "3"][..],
            ["--spawn-count with --stages of a rate", "--max-users"],
        ),
        ("demo", &["--stages", "3s:5", "--spawn-count", "3"], ["--spawn-count with --stages: the stages say", "@10"]),
        ("demo", &["--stages", "3s:0"], ["--stages without a single user", "30s:10"]),
        ("demo", &["--stages", "3s:0/s"], ["--stages without a single arrival", "30s:10/s"]),
        ("demo", &["--stages", "3s:5,3s:5/s"], ["users in one stage and a rate in another", "--stages"]),
        ("demo", &["--poisson"], ["--poisson without --rate: it belongs to an open run", "--rate 100/s"]),
        ("demo", &["--seed", "3"], ["--seed without --rate", "--rate 100/s"]),
        ("demo", &["--max-users", "3"], ["--max-users without --rate", "--rate 100/s"]),
        ("demo", &["--catch-up", "drop"], ["--catch-up without --rate", "--rate 100/s"]),
        ("demo", &["--rate", "0"], ["--rate", "must be above zero"]),
        ("demo", &["--rate", "5/d"], ["unknown unit \"/d\"", "5000/s"]),
        ("hit", &["--stages", "3s:5", "-c", "3"], ["--connections with --stages", "leave out one of them"]),
        ("hit", &["--stages", "3s:0"], ["--stages without a single connection", "30s:10"]),
        ("hit", &["--stages", "3s:500000", "--http2", "--streams", "3"], ["are 1500000 users", "stay within 1000000"]),
    ] {
        let url: &[&str] = if command == "hit" { &[&hello] } else { &[] };
        assert_refused(&[&[command], url, args].concat(), &parts);
    }
    assert_eq!(target.stop().requests, 0);
}

fn assert_refused(arguments: &[&str], parts: &[&str]) {
    let refused = common::run(arguments);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{arguments:?}: {}", refused.stderr);
    let stderr = unwrapped(&refused.stderr);
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: \"{part}\" is not in\n{}", refused.stderr);
    }
}

#[test]
fn a_target_that_is_down_counts_every_arrival_as_a_failure() {
    let url = format!("http://127.0.0.1:{}/", closed_port());
    let run = run(&["hit", &url, "--rate", "100/s", "-n", "50", "--max-users", "10", "--quiet"]);
    assert_eq!((run.code, arrivals(&run)), (0, [50, 50, 0]), "{}\n{}", run.stdout, run.stderr);
    assert_eq!((run.number("/totals/failures"), run.errors("connect_refused")), (50, 50));
    assert_eq!(run.number("/totals/exchanges/unsent"), 50);
    assert!(run.stdout.contains("no request succeeded, so there is no throughput to explain"), "{}", run.stdout);
}

#[test]
fn a_rate_beyond_what_can_be_sent_is_not_passed_over_in_silence() {
    let target = target();
    let hello = url(&target, "/hello/a");
    // On the target's own CPU, which one of the two always wants while some of so many users have an answer.
    let more = ["--rate", "5000000/s", "--max-users", "1000", "--cpus", "0", "-d", "1s"];
    let run = run(&[&["hit", hello.as_str(), "--fail-on-client-saturation", "--quiet"], &more[..]].concat());
    let [intended, made, missed] = arrivals(&run);
    assert_eq!(intended, 5_000_000);
    assert!(missed > made, "no core sends half of that: {made}");
    let reasons = run.summary["client"]["reasons"].as_array().unwrap();
    let named = reasons[0].as_str().unwrap();
    assert!(named.starts_with(&format!("{made} of 5000000 intended arrivals were made (")), "{named}");
    assert!(is_saturated(&run) && named.ends_with("and a core of the client was saturated"), "{named}");
    let client = &run.summary["client"];
    assert_eq!((run.code, &client["verdict"], &client["limit"]), (98, &json!("invalid"), &json!("client")));
    assert!(run.stdout.contains(&format!(" MISSED {missed} (")), "{}", run.stdout);
}

#[test]
fn a_slow_server_is_not_the_clients_fault() {
    let target = target();
    let slow = url(&target, "/delay/100");
    let more = ["--rate", "200/s", "--max-users", "4", "-d", "1s", "--fail-on-client-saturation"];
    let run = run(&[&["hit", slow.as_str()], &more[..]].concat());
    let [intended, made, missed] = arrivals(&run);
    // Each of four takes 100 ms: 44 at most.
    assert_eq!(intended, 200);
    assert!(made <= 44 && missed >= 156);
    let reason = run.summary["client"]["reasons"][0].as_str().unwrap();
    // A machine that is busy with something else is named instead.
    let (code, verdict, why) = if is_saturated(&run) {
        (98, "invalid", " and a core of the client was saturated")
    } else {
        (0, "valid", ": the others waited for users, of which 4 of 4 were busy")
    };
    assert_eq!((run.code, &run.summary["client"]["verdict"]), (code, &json!(verdict)), "{reason}");
    assert!(reason.contains(why), "{reason}");
    // The live table says so, too.
    assert!(run.stdout.contains(&format!("Arrivals: {made} made, {missed} MISSED\n")), "{}", run.stdout);
}

#[test]
fn a_server_that_falls_behind_is_named_though_each_arrival_was_made() {
    let target = target();
    // It serves 100 a second.
    let queue = url(&target, "/queue/10000/hello/a");
    let run = run(&["hit", queue.as_str(), "--rate", "400/s", "-d", "2s", "--quiet"]);
    let [intended, made, _] = arrivals(&run);
    assert_eq!(intended, 800);
    let ended = run.number("/iterations/count");
    let reasons = run.summary["client"]["reasons"].as_array().unwrap();
    let named = format!("{made} arrivals were made and {ended} iterations ended: {} were under way", made - ended);
    let is_named = reasons.iter().any(|reason| reason.as_str().unwrap().starts_with(&named));
    let limit = &run.summary["client"]["limit"];
    // A machine that is busy with something else is named instead, or made less than it was to.
    if is_saturated(&run) {
        assert_eq!(limit, "client", "{reasons:?}");
    } else if made * 100 >= intended * 99 {
        assert!(is_named && limit == "server", "{reasons:?}");
    }
    assert!(!run.stdout.contains("neither side was at its limit"), "{}", run.stdout);
}

#[test]
fn an_interrupt_ends_an_open_run_with_its_report() {
    let target = target();
    let running = start(&["hit", &url(&target, "/hello/a"), "--rate", "100/s", "-d", "50s", "--quiet"]);
    while target.counts().requests < 20 {
        thread::sleep(Duration::from_millis(2));
    }
    running.interrupt();
    let run = running.finish();
    let [intended, made, _] = arrivals(&run);
    assert_eq!((run.code, &run.summary["run"]["aborted"]), (0, &json!(true)));
    assert!((20..5_000).contains(&intended) && made >= 20, "{intended} {made}");
    assert_eq!(target.stop().requests, made);
}
