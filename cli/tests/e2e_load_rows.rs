//! What a load run records of each kind of step, and users that wait for each other (hrp spec 14.8 and 14.9): the real binary
//! against the embedded target.

#[path = "common/load.rs"]
mod load;

use load::{run, target, Folder, Run};
use pummel_target::Target;

/// Cases of these tests.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/");

/// So late that a test which waits for it never ends.
const NEVER_MS: u32 = 3_600_000;

/// Runs a case against a target, which has been sent what was counted.
fn boom(target: Target, case: &str, users: u32, loops: u32) -> Run {
    let base_url = format!("http://{}", target.local_addr());
    let (users, loops) = (users.to_string(), loops.to_string());
    let run = run(&[
        "boom",
        case,
        "--base-url",
        &base_url,
        "--spawn-count",
        &users,
        "--spawn-rate",
        "1000",
        "--loop-count",
        &loops,
    ]);
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    run.assert_conserved();
    assert_eq!(target.stop().requests, run.number("/totals/exchanges/sent"));
    run
}

/// Type, name, requests and failures of the steps that were done.
fn steps(run: &Run) -> Vec<(&str, &str, u64, u64)> {
    let rows = run.summary["steps"].as_array().expect("steps").iter();
    let rows = rows.map(|row| {
        let number = |field: &str| row[field].as_u64().expect("a number");
        (row["type"].as_str().unwrap_or(""), row["name"].as_str().unwrap_or(""), number("requests"), number("failures"))
    });
    rows.filter(|row| row.2 > 0).collect()
}

/// Name, passed and failed of the transactions, in the order of their names.
fn transactions(run: &Run) -> Vec<(&str, u64, u64)> {
    let rows = run.summary["transactions"].as_array().expect("transactions").iter();
    let mut rows: Vec<_> = rows
        .map(|row| {
            let number = |field: &str| row[field].as_u64().expect("a number");
            (row["name"].as_str().unwrap_or(""), number("passed"), number("failed"))
        })
        .filter(|row| row.1 + row.2 > 0)
        .collect();
    rows.sort_unstable();
    rows
}

/// The shortest time of a transaction.
fn shortest_us(run: &Run, name: &str) -> u64 {
    let rows = run.summary["transactions"].as_array().expect("transactions");
    let row = rows.iter().find(|row| row["name"] == name).expect("a transaction of that name");
    row["duration_us"]["min"].as_u64().expect("a time")
}

#[test]
fn only_what_goes_over_the_wire_is_a_request() {
    let run = boom(target(), &format!("{OWN}load_rows.yml"), 1, 3);
    assert_eq!(
        steps(&run),
        [
            ("request-get", "plain", 3, 0),
            ("api", "by api", 3, 0),
            ("request", "whole - one", 3, 0),
            ("request", "whole - two", 3, 0),
            ("request-GET", "fails", 3, 3),
        ]
    );
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (15, 3));
    assert_eq!(transactions(&run), [("Action", 0, 3), ("t", 3, 0), ("whole", 3, 0), ("whole - i", 3, 0)]);
    // The think time of the referenced case is no request, and belongs to all that stands around it.
    for around in ["t", "Action"] {
        assert!(shortest_us(&run, around) >= 200_000, "{around}");
    }
    let rows = run.summary["transactions"].as_array().expect("transactions");
    let whole: Vec<_> = rows.iter().filter(|row| row["type"] == "testcase").map(|row| &row["name"]).collect();
    assert_eq!(whole, ["whole"], "a referenced case is timed as a whole and is no transaction");
}

#[test]
fn each_transaction_fails_by_what_fails_within_it() {
    let run = boom(target(), &format!("{OWN}load_transactions.yml"), 1, 2);
    assert_eq!(
        transactions(&run),
        [
            ("Action", 0, 2),
            ("inner", 2, 0),
            ("left", 2, 0),
            ("no begin", 2, 0),
            ("outer", 0, 2),
            ("right", 0, 2),
            ("twice", 0, 2),
        ]
    );
    assert!(shortest_us(&run, "no begin") >= 50_000, "it counts from the begin of the iteration");
}

#[test]
fn a_transaction_that_is_not_ended_lasts_as_long_as_the_iteration() {
    let run = boom(target(), &format!("{OWN}load_open_at_the_end.yml"), 2, 2);
    assert_eq!(transactions(&run), [("Action", 4, 0), ("t", 4, 0)]);
    assert!(shortest_us(&run, "t") >= 50_000);
}

/// Users on all cores wait at `meet`, 200 ms after they started; one user of each four comes 400 ms later.
fn meeting(rendezvous: &str, more: &str) -> String {
    format!(
        "config: {{name: meeting, parameters: {{late: [200, 200, 200, 600]}}}}\n\
         teststeps:\n\
         - {{name: come, request: {{method: GET, url: /delay/$late}}}}\n\
         - {{transaction: {{name: at meet, type: start}}}}\n\
         - {{name: meet, rendezvous: {{name: meet, {rendezvous}}}}}\n\
         - {{transaction: {{name: at meet, type: end}}}}\n{more}"
    )
}

#[test]
fn everyone_waits_for_the_last() {
    // By a number, by a share, and by what makes no sense and so means all (hrp spec 14.9).
    for (rendezvous, warned) in
        [("number: 4", false), ("percent: 1", false), ("number: 3, percent: 0.5", true), ("number: 9", true)]
    {
        let folder = Folder::new();
        let case = folder.write("case.yml", &meeting(&format!("{rendezvous}, timeout: {NEVER_MS}"), ""));
        let run = boom(target(), &case, 4, 1);
        assert_eq!(transactions(&run), [("Action", 4, 0), ("at meet", 4, 0)], "{rendezvous}");
        // All start within 4 ms.
        assert!(shortest_us(&run, "Action") >= 590_000, "{rendezvous}");
        assert_eq!(run.stderr.contains("waits for all"), warned, "{rendezvous}: {}", run.stderr);
    }
}

#[test]
fn in_an_open_run_everyone_passes_and_nobody_is_early_for_it() {
    let (folder, target) = (Folder::new(), target());
    let case = folder.write(
        "case.yml",
        &format!(
            "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n\
             - {{name: meet, rendezvous: {{name: meet, number: 9, timeout: {NEVER_MS}}}}}\n\
             - {{name: slow, request: {{method: GET, url: /delay/50}}}}\n",
            target.local_addr()
        ),
    );
    // Two users for 400 arrivals in 2 s can make 80 of them; what is made at the end was due in the first half second.
    let run = run(&["boom", &case, "--rate", "200/s", "--max-users", "2", "--run-time", "2"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(!run.stderr.contains("waits for all"), "{}", run.stderr);
    assert!(run.number("/totals/requests") > 2, "nobody waited for a third user: {}", run.stdout);
    assert!(run.number("/totals/response_us/max") >= 1_000_000, "{}", run.stdout);
}

#[test]
fn a_share_of_nobody_holds_nobody_up() {
    let folder = Folder::new();
    let case = folder.write("case.yml", &meeting(&format!("percent: 0.1, timeout: {NEVER_MS}"), ""));
    assert_eq!(transactions(&boom(target(), &case, 4, 3)), [("Action", 12, 0), ("at meet", 12, 0)]);
}

#[test]
fn the_longest_gap_between_two_arrivals_opens_it() {
    let folder = Folder::new();
    // The last user comes 400 ms after the others, who have gone on by then, and waits for nobody either.
    let case = folder.write("case.yml", &meeting("number: 4, timeout: 100", ""));
    let run = boom(target(), &case, 4, 1);
    assert_eq!(transactions(&run), [("Action", 4, 0), ("at meet", 4, 0)]);
    assert!(shortest_us(&run, "at meet") >= 100_000);
}

#[test]
fn one_that_fails_on_its_way_is_not_waited_for_beyond_the_gap() {
    let folder = Folder::new();
    let case = folder.write(
        "case.yml",
        "config: {name: c, parameters: {status: [200, 200, 200, 500]}}\n\
         teststeps:\n\
         - {name: all start, request: {method: GET, url: /delay/200}}\n\
         - {name: come, request: {method: GET, url: /status/$status}, validate: [{eq: [status_code, 200]}]}\n\
         - {transaction: {name: at meet, type: start}}\n\
         - {name: meet, rendezvous: {name: meet, number: 4, timeout: 100}}\n\
         - {transaction: {name: at meet, type: end}}\n",
    );
    let run = boom(target(), &case, 4, 1);
    assert_eq!(transactions(&run), [("Action", 3, 1), ("at meet", 3, 0)]);
    assert!(shortest_us(&run, "at meet") >= 100_000);
}

#[test]
fn two_rendezvous_of_a_case_open_in_turn_in_every_cycle() {
    let folder = Folder::new();
    let second = format!(
        "- {{name: go on, request: {{method: GET, url: /delay/10}}}}\n\
         - {{name: again, rendezvous: {{name: again, number: 2, timeout: {NEVER_MS}}}}}\n"
    );
    let case = folder.write("case.yml", &meeting(&format!("number: 4, timeout: {NEVER_MS}"), &second));
    let run = boom(target(), &case, 4, 3);
    // Two open the second one, which ends the cycle, and the others pass it: nobody is ever left alone.
    assert_eq!(transactions(&run), [("Action", 12, 0), ("at meet", 12, 0)]);
    assert_eq!(steps(&run), [("request-GET", "come", 12, 0), ("request-GET", "go on", 12, 0)]);
}

#[test]
fn nobody_waits_before_the_last_user_has_started() {
    let folder = Folder::new();
    let case = folder.write("case.yml", &format!(
        "config: {{name: c}}\nteststeps:\n- {{name: meet, rendezvous: {{name: meet, number: 2, timeout: {NEVER_MS}}}}}\n\
         - {{name: a, request: {{method: GET, url: /status/200}}}}\n"
    ));
    let target = target();
    let base_url = format!("http://{}", target.local_addr());
    // The second user would come after two seconds; the run ends before.
    let users = ["--spawn-count", "2", "--spawn-rate", "0.5", "--run-time", "1"];
    let run = run(&[&["boom", &case, "--base-url", &base_url][..], &users].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.number("/totals/requests") > 1, "the first user goes on alone");
    run.assert_conserved();
}
