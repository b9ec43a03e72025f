//! Runs that are kept: written while they go on, whatever ends them, and read again.

#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use load::{binary, run, start, target, url, Folder, Run};
use serde_json::Value;

/// Runs a command of the binary that makes no load.
fn pummel(arguments: &[&str]) -> Run {
    let output = Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary starts");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        summary: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
    }
}

fn db(folder: &Folder) -> String {
    folder.path().join("runs.db").display().to_string()
}

/// The runs of a store.
fn listed(db: &str) -> Vec<Value> {
    let listed = pummel(&["runs", "--json", "--store", db]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    listed.summary.as_array().expect("a list").clone()
}

#[test]
fn a_run_is_kept_listed_reported_labelled_and_deleted() {
    let (target, folder) = (target(), Folder::new());
    let db = db(&folder);
    let made = run(&["hit", &url(&target, "/hello/a"), "-c", "2", "-d", "2s", "--max-rps", "200", "--store", &db]);
    assert_eq!((made.code, &*made.stderr), (0, ""));
    let id = made.summary["run"]["id"].as_str().unwrap().to_owned();
    let runs = listed(&db);
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["id"], &runs[0]["state"]), (&made.summary["run"]["id"], &"ended".into()));
    assert_eq!(runs[0]["requests"], made.summary["totals"]["requests"]);

    let again = pummel(&["report", "--json", "-", "--store", &db]);
    assert_eq!(again.summary, made.summary, "the same summary, to the last field");
    let text = pummel(&["report", &id[..6], "--store", &db]);
    assert!(made.stdout.ends_with(&text.stdout), "{}\n---\n{}", made.stdout, text.stdout);

    assert_eq!(pummel(&["runs", "label", "last", "before the change", "--store", &db]).code, 0);
    assert_eq!(pummel(&["report", "before the change", "--store", &db]).stdout, text.stdout);
    assert!(pummel(&["runs", "--store", &db]).stdout.contains("before the change"));
    assert_eq!(pummel(&["runs", "prune", "--keep", "1", "--store", &db]).stdout, "0 runs, 0 B: deleted\n");
    assert_eq!(pummel(&["runs", "delete", &id, "--store", &db]).code, 0);
    assert_eq!(pummel(&["runs", "--store", &db]).stdout, "No runs.\n");
    let gone = pummel(&["report", &id, "--store", &db]);
    assert_eq!(gone.code, 2);
    assert!(gone.stderr.contains("no run is called"), "{}", gone.stderr);
}

#[test]
fn killed_at_any_moment_the_store_opens_and_has_whole_seconds() {
    const WORKERS: u64 = 5;
    const KILLS_EACH: usize = 10;
    let (target, folder) = (target(), Folder::new());
    let url = url(&target, "/hello/a");
    let db = |worker: u64| folder.path().join(format!("runs{worker}.db")).display().to_string();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (url, db) = (&url, db(worker));
            scope.spawn(move || {
                for n in 0..KILLS_EACH {
                    let going = start(&["hit", url, "-c", "1", "--max-rps", "50", "-d", "50s", "--store", &db]);
                    // The last two of each at any moment, before the run is there too; the others once it is.
                    let begun = || Path::new(&db).exists() && listed(&db).len() > n;
                    let since = Instant::now();
                    while n + 2 < KILLS_EACH && !begun() && since.elapsed() < Duration::from_secs(30) {
                        thread::sleep(Duration::from_millis(20));
                    }
                    thread::sleep(Duration::from_millis((worker * 7 + n as u64 * 5) * 61 % 2_300));
                    going.kill();
                    assert_eq!(going.finish().code, -1);
                }
            });
        }
    });
    for db in (0..WORKERS).map(db) {
        let runs = listed(&db);
        assert!(runs.len() + 2 >= KILLS_EACH, "{} runs in {db}", runs.len());
        for run in runs {
            assert_eq!(run["state"], "cut_off");
            let report = pummel(&["report", run["id"].as_str().unwrap(), "--json", "-", "--store", &db]);
            assert_eq!(report.code, 0, "{}", report.stderr);
            let seconds = report.summary["series"].as_array().unwrap();
            let requests: u64 = seconds.iter().map(|second| second["requests"].as_u64().unwrap()).sum();
            assert_eq!(report.summary["totals"]["requests"], requests);
            assert_eq!(run["requests"], requests);
        }
    }
}

#[test]
fn two_runs_may_write_at_once() {
    let (target, folder) = (target(), Folder::new());
    let db = db(&folder);
    let url = url(&target, "/hello/a");
    let arguments = ["hit", &url, "-c", "1", "--max-rps", "100", "-d", "3s", "--store", &db];
    let (one, two) = (start(&arguments), start(&arguments));
    for made in [one.finish(), two.finish()] {
        assert_eq!((made.code, &*made.stderr), (0, ""));
        let id = made.summary["run"]["id"].as_str().unwrap();
        let kept = pummel(&["report", id, "--json", "-", "--store", &db]);
        assert_eq!(kept.summary, made.summary);
    }
}

#[test]
fn a_full_disk_slows_nothing_and_says_so_once() {
    let (target, folder) = (target(), Folder::new());
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    if std::env::var_os("PUMMEL_TEST_NO_MOUNT").is_some() {
        eprintln!("PUMMEL_TEST_NO_MOUNT: the full disk is left out");
        return;
    }
    assert!(
        as_root(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", &small.display().to_string()]),
        "mount is refused: run this as root, or leave it out with PUMMEL_TEST_NO_MOUNT=1"
    );
    let _unmount = Unmount(&small);
    let db = small.join("runs.db").display().to_string();
    let errors = folder.path().join("stderr");
    let said = || fs::read_to_string(&errors).unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>\"$ERRORS\""]).arg(binary()).env("ERRORS", &errors);
    let hit = ["hit", &url(&target, "/hello/a"), "-c", "4", "-d", "10m", "--max-rps", "400", "--store", &db];
    let going = load::start_as(command, &hit);
    // The beginning fits; then something else takes all there is, until that is told.
    wait_for(|| Path::new(&db).exists() && listed(&db).len() == 1);
    let filler = small.join("filler");
    let _ = fs::write(&filler, vec![0; 4 << 20]);
    wait_for(|| said().contains("cannot be written"));
    going.interrupt();
    let made = going.finish();
    let said = said();
    assert_eq!((made.code, said.matches("cannot be written").count()), (0, 1), "{said}");
    made.assert_conserved();
    let journal = said.split_whitespace().find(|word| word.ends_with(".journal")).expect("where the rest is");
    // Somebody makes room.
    fs::remove_file(filler).unwrap();
    let kept = pummel(&["report", "--recover", journal, "--json", "-", "--store", &db]);
    assert_eq!(kept.summary, made.summary, "{}", kept.stderr);
    let _ = fs::remove_file(journal);
}

/// Waits until something is so, for a minute at most.
fn wait_for(is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(1), "it has not come to that");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command, and as root where it may not; whether it did.
fn as_root(command: &[&str]) -> bool {
    let ran = |words: &[&str]| {
        Command::new(words[0]).args(&words[1..]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ran(command) || ran(&[&["sudo", "-n"], command].concat())
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        as_root(&["umount", "-l", &self.0.display().to_string()]);
    }
}

#[test]
fn a_store_that_cannot_be_one_is_wrong_usage_before_the_run() {
    let folder = Folder::new();
    let foreign = folder.write("notes.txt", &"not a database at all, however long it is read. ".repeat(30));
    let since = Instant::now();
    let refused = pummel(&["hit", "http://127.0.0.1:9/", "-d", "30s", "--store", &foreign]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("a file that is no SQLite database"), "{}", refused.stderr);
    assert!(since.elapsed() < Duration::from_secs(20), "no run was made");
    let nowhere = pummel(&["runs", "--store", "none"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("runs are kept nowhere"), "{}", nowhere.stderr);
}

#[test]
fn the_usual_store_is_in_the_users_data_and_does_without_where_it_cannot_be() {
    let (target, folder) = (target(), Folder::new());
    let url = url(&target, "/hello/a");
    let hit = |data: &Path| {
        let mut command = Command::new(binary());
        command.env_remove("PUMMEL_STORE").env("XDG_DATA_HOME", data);
        load::start_as(command, &["hit", &url, "-n", "5", "-c", "1"]).finish()
    };
    assert_eq!(hit(folder.path()).code, 0);
    let db = folder.path().join("pummel/runs.db").display().to_string();
    assert_eq!(listed(&db)[0]["requests"], 5);
    let file = folder.write("file", "");
    let made = hit(Path::new(&file));
    assert_eq!((made.code, made.number("/totals/requests")), (0, 5));
    assert!(made.stderr.contains("this run is kept nowhere"), "{}", made.stderr);
}

#[test]
fn no_secret_reaches_the_store() {
    let (target, folder) = (target(), Folder::new());
    let db = db(&folder);
    let case = folder.write(
        "secrets.yml",
        &format!(
            "config:\n  name: secrets\n  base_url: {}\n  variables:\n    password: hush-variable\nteststeps:\n\
             - name: fails\n  request:\n    method: POST\n    url: /status/500?access_token=hush-query\n\
             \x20   headers:\n      Authorization: Bearer hush-header\n      Cookie: session=hush-cookie\n\
             \x20   json:\n      password: hush-field\n  validate:\n  - eq: [status_code, 200]\n",
            url(&target, "")
        ),
    );
    let made = run(&["boom", &case, "--loop-count", "2", "--sample-failures", "5", "--store", &db]);
    assert_eq!(made.number("/totals/failures"), 2, "{}", made.stderr);
    let hit = run(&[
        "hit",
        &url(&target, "/status/500?token=hush-url"),
        "-n",
        "1",
        "-c",
        "1",
        "-H",
        "X-Api-Key: hush-key",
        "--auth",
        "basic:me:hush-password",
        "--sample-failures",
        "5",
        "--store",
        &db,
    ]);
    assert_eq!(hit.number("/totals/requests"), 1, "{}", hit.stderr);
    let kept = listed(&db);
    assert_eq!(kept.len(), 2);
    for file in fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|ending| ending == "yml") {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(5).position(|window| window == b"hush-");
        let near = found
            .map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..(at + 20).min(bytes.len())]).into_owned());
        assert_eq!(near, None, "{}", file.display());
    }
    for run in kept {
        let report = pummel(&["report", run["id"].as_str().unwrap(), "--json", "-", "--store", &db]);
        assert!(!report.stdout.contains("hush-") && report.stdout.contains("failure_samples"));
    }
}
