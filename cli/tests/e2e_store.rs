//! Runs that are kept: written while they go on, whatever ends them, and read again.

#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
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
    if !as_root(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", &small.display().to_string()]) {
        eprintln!("mount is refused: the full disk is left out");
        return;
    }
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

#[test]
fn files_of_seconds_and_the_exit_code_do_not_depend_on_the_store() {
    let (target, folder) = (target(), Folder::new());
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("not allowed to mount: the full disk is left out");
        return;
    }
    let _unmount = Unmount(&small);
    let db = small.join("runs.db").display().to_string();
    let url = url(&target, "/hello/a");
    let [csv, page] = ["a.csv", "a.html"].map(|name| folder.path().join(name));
    let [csv_path, page_path] = [&csv, &page].map(|path| path.display().to_string());
    let load = ["hit", &url, "-c", "1", "-d", "4s", "--max-rps", "100", "--threshold", "errors>1%", "--store", &db];
    let going = start(&[&load[..], &["--csv", &csv_path, "--html", &page_path]].concat());
    let since = Instant::now();
    while !(Path::new(&db).exists() && listed(&db).len() == 1) && since.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::write(small.join("filler"), vec![0; 4 << 20]);
    let made = going.finish();
    assert_eq!(made.code, 99, "{}", made.stderr);
    let rows = fs::read_to_string(csv).unwrap();
    let of_all = rows.lines().filter(|line| line.contains(",all,"));
    let requests: u64 = of_all.map(|line| line.split(',').nth(8).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(made.summary["totals"]["requests"], requests, "{rows}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(made.summary["run"]["id"].as_str().unwrap()), "{}", made.stderr);
    let title = page.lines().find(|line| line.contains("<title>")).unwrap();
    assert!(!title.contains("cut off"), "of the whole run: {title}");
    let journal = made.stderr.split_whitespace().find(|word| word.ends_with(".journal")).expect("where the rest is");
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

/// A case whose step fails with secrets wherever there may be some, and what is to hold.
fn secrets(folder: &Folder, name: &str, url: &str, validate: &str) -> String {
    folder.write(
        &format!("{name}.yml"),
        &format!(
            "config:\n  name: {name}\n  base_url: {url}\n  variables:\n    password: hush-variable\nteststeps:\n\
             - name: fails\n  request:\n    method: POST\n    url: /status/500?access_token=hush-query\n\
             \x20   headers:\n      Authorization: Bearer hush-header\n      Cookie: session=hush-cookie\n\
             \x20   json:\n      password: hush-field\n  validate:\n  - {validate}\n"
        ),
    )
}

/// Flags for every file of a run.
fn all_files(folder: &Folder, name: &str) -> Vec<String> {
    let file = |format: &str| format!("--{format}={}", folder.path().join(format!("{name}.{format}")).display());
    ["html", "csv", "hdr", "junit", "markdown"].map(file).into()
}

/// That no file of a folder but the cases holds any of the secrets.
fn assert_hushed(folder: &Folder) {
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in files.iter().filter(|file| file.extension().is_none_or(|ending| ending != "yml")) {
        let bytes = fs::read(file).unwrap();
        let found = bytes.windows(5).position(|window| window == b"hush-");
        let near = found
            .map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..(at + 20).min(bytes.len())]).into_owned());
        assert_eq!(near, None, "{}", file.display());
    }
}

#[test]
fn no_secret_reaches_the_store_or_a_file() {
    let (target, folder) = (target(), Folder::new());
    let (db, url) = (db(&folder), url(&target, ""));
    let status = secrets(&folder, "status", &url, "eq: [status_code, 200]");
    let literal = secrets(&folder, "literal", &url, "eq: [body.password, hush-literal, hush-said]");
    let load = |name: &str, arguments: &[&str]| {
        let files = all_files(&folder, name);
        let files = files.iter().map(String::as_str);
        run(&arguments
            .iter()
            .copied()
            .chain(["--sample-failures", "5", "--store", &db])
            .chain(files)
            .collect::<Vec<_>>())
    };
    for (name, case) in [("status", &status), ("literal", &literal)] {
        let made = load(name, &["boom", case, "--loop-count", "2"]);
        assert_eq!(made.number("/totals/failures"), 2, "{}", made.stderr);
        assert!(!made.summary.to_string().contains("hush-"), "{}", made.summary);
        assert!(!made.stdout.contains("hush-"), "{}", made.stdout);
        let said = made.summary["errors"].to_string();
        let expected = if name == "status" { "status_code eq 200\"" } else { "body.password eq ***\"" };
        assert!(said.contains(expected), "{said}");
    }
    let hit = format!("{url}/status/500?token=hush-url");
    let auth = ["-H", "X-Api-Key: hush-key", "--auth", "basic:me:hush-password"];
    let hit = load("hit", &[&["hit", &hit, "-n", "1", "-c", "1"][..], &auth].concat());
    assert_eq!(hit.number("/totals/requests"), 1, "{}", hit.stderr);
    // Who asks for them sees them, and nobody else does.
    let shown = load("shown", &["boom", &status, "--loop-count", "2", "--show-secrets"]);
    assert!(shown.summary["failure_samples"].to_string().contains("hush-field"), "{}", shown.summary);
    assert!(shown.stdout.contains("hush-query"), "{}", shown.stdout);

    let kept = listed(&db);
    assert_eq!(kept.len(), 4);
    assert_hushed(&folder);
    for (n, run) in kept.iter().enumerate() {
        let id = run["id"].as_str().unwrap();
        let files = all_files(&folder, &format!("again{n}"));
        let files = files.iter().map(String::as_str);
        let report = ["report", id, "--json", "-", "--store", &db].into_iter().chain(files).collect::<Vec<_>>();
        let report = pummel(&report);
        assert_eq!(report.code, 0, "{}", report.stderr);
        assert!(!report.stdout.contains("hush-") && report.stdout.contains("failure_samples"));
        assert!(!pummel(&["report", id, "--store", &db]).stdout.contains("hush-"));
    }
    assert_hushed(&folder);
}

#[test]
fn no_secret_is_told_while_it_goes_on() {
    let (target, folder) = (target(), Folder::new());
    let literal = secrets(&folder, "literal", &url(&target, ""), "eq: [body.password, hush-literal]");
    let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (scraped_at, gateway) = (port().local_addr().unwrap().to_string(), port());
    let gateway_url = format!("http://{}", gateway.local_addr().unwrap());
    let pushed = Arc::new(Mutex::new(String::new()));
    let received = Arc::clone(&pushed);
    thread::spawn(move || {
        for mut stream in gateway.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
            let (mut bytes, mut piece) = (Vec::new(), [0; 8_192]);
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                bytes.extend_from_slice(&piece[..count]);
            }
            received.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let told = ["--metrics", &scraped_at, "--prometheus-gateway", &gateway_url];
    let flags = ["--max-rps", "50", "--run-time", "50s", "--show-secrets", "--sample-failures", "5", "--store", "none"];
    let going = start(&[&["boom", &literal][..], &told, &flags].concat());
    let since = Instant::now();
    let mut scraped = String::new();
    let told = |scraped: &str| {
        scraped.contains("pummel_errors_total{kind=\"assertion\"")
            && pushed.lock().unwrap().contains("body.password eq")
    };
    while !told(&scraped) && since.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(50));
        let Ok(mut stream) = TcpStream::connect(&scraped_at) else { continue };
        scraped.clear();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut scraped);
    }
    going.kill();
    let made = going.finish();
    let pushed = pushed.lock().unwrap();
    assert!(pushed.contains("step validation failed: body.password eq ***"), "{pushed}{}", made.stderr);
    for told in [&scraped, &*pushed] {
        assert!(told.contains("assertion") || told.contains("errors"), "{told}");
        assert!(!told.contains("hush-"), "{told}");
    }
}
