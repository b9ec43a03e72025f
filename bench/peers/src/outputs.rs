//! What keeping and telling of a run costs: the same load with all outputs and with none, in turns, and once with a database that is locked
//! and a gateway that never answers.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rusqlite::Connection;
use serde_json::Value;

use crate::{
    bench::{arguments, Bench},
    error::{BenchError, Doing},
    goals::Verdict,
    spread::Spread,
    table,
};

/// RPS with outputs against RPS without.
const RATIO_LEAST: f64 = 0.98;
/// How long the database is locked, and how long the run with it lasts, seconds.
const LOCKED_S: u64 = 30;
const LOCKED_RUN_S: u64 = 40;
/// Runs with and without, of this many seconds.
const SECONDS: u64 = 5;

/// 200 users at full speed.
pub(crate) fn run(bench: &Bench, rounds: u32) -> Result<(String, Vec<Verdict>), BenchError> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("outputs: round {} of {rounds}", round + 1);
        for all in [round % 2 == 0, round % 2 == 1] {
            let rps = rps(bench, SECONDS, if all { all_outputs(bench, None) } else { none() })?;
            if all { &mut with } else { &mut without }.push(rps);
        }
    }
    let ratios = with.iter().zip(&without).map(|(with, without)| with / without);
    let (Some(ratio), Some(off), Some(on)) =
        (Spread::of(ratios), Spread::of(without.iter().copied()), Spread::of(with.iter().copied()))
    else {
        return Err(BenchError::Usage("at least one round is needed".into()));
    };
    let trouble = in_trouble(bench)?;
    let rows = [
        ["", "RPS, median", "least", "most"].map(String::from).to_vec(),
        vec!["outputs off".into(), table::count(off.median), table::count(off.min), table::count(off.max)],
        vec!["store and all outputs on".into(), table::count(on.median), table::count(on.min), table::count(on.max)],
        vec!["off, 40 s".into(), table::count(trouble.off_rps), String::new(), String::new()],
        vec![
            "on, 40 s, database locked for 30 s, gateway silent".into(),
            table::count(trouble.on_rps),
            String::new(),
            String::new(),
        ],
    ];
    let text = format!("{}\nRatios of the rounds {:.3} to {:.3}.", table::markdown(&rows), ratio.min, ratio.max);
    let three = |ratio: f64| format!("{ratio:.3}");
    let verdicts = vec![
        Verdict::at_least("RPS, all outputs / none", ratio.median, RATIO_LEAST, three),
        Verdict::at_least(
            "the same with a locked database and a silent gateway",
            trouble.on_rps / trouble.off_rps,
            RATIO_LEAST,
            three,
        ),
        Verdict::exactly("requests in the store after it, against nginx's count", trouble.stored, trouble.served),
    ];
    Ok((text, verdicts))
}

fn load(bench: &Bench, seconds: u64) -> Vec<String> {
    let url = bench.nginx.base_url() + "/hello/yangfan";
    arguments(["hit", &url, "-c", "200", "-d", &format!("{seconds}s"), "--quiet"])
}

fn none() -> Vec<String> {
    arguments(["--store", "none"])
}

fn store(bench: &Bench) -> PathBuf {
    bench.work.file("runs.db")
}

/// The store and every other output; metrics go to a gateway that is not there, or to one that never answers.
fn all_outputs(bench: &Bench, gateway: Option<&str>) -> Vec<String> {
    let gateway = gateway.unwrap_or("http://127.0.0.1:9");
    let mut args = arguments(["--prometheus-gateway", gateway, "--metrics", "127.0.0.1:0"]);
    for (flag, file) in [
        ("--store", "runs.db"),
        ("--html", "run.html"),
        ("--csv", "run.csv"),
        ("--hdr", "run.hlog"),
        ("--junit", "run.xml"),
        ("--markdown", "run.md"),
    ] {
        args.extend([flag.to_owned(), bench.work.file(file).display().to_string()]);
    }
    args
}

fn rps(bench: &Bench, seconds: u64, outputs: Vec<String>) -> Result<f64, BenchError> {
    let args = load(bench, seconds).into_iter().chain(outputs).collect();
    let (_, summary) = bench.run_pummel(args, seconds + LOCKED_S, |_| {})?;
    summary.figure("/totals/rps")
}

struct InTrouble {
    off_rps: f64,
    on_rps: f64,
    stored: u64,
    served: u64,
}

fn in_trouble(bench: &Bench) -> Result<InTrouble, BenchError> {
    eprintln!("outputs: a locked database and a silent gateway, {LOCKED_RUN_S} s");
    let off_rps = rps(bench, LOCKED_RUN_S, none())?;
    let silent = TcpListener::bind(("127.0.0.1", 0)).doing("listen as a gateway")?;
    let gateway = format!("http://{}", silent.local_addr().doing("listen as a gateway")?);
    let database = store(bench);
    let locker = thread::spawn(move || {
        // The run has begun by then.
        thread::sleep(Duration::from_secs(2));
        let connection = Connection::open(database)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        thread::sleep(Duration::from_secs(LOCKED_S));
        connection.execute_batch("COMMIT")
    });
    let outputs = all_outputs(bench, Some(&gateway));
    let (on_rps, served) = bench.nginx.serving(|| rps(bench, LOCKED_RUN_S, outputs))?;
    let locked = locker.join().map_err(|_| std::io::Error::other("it panicked"));
    locked.and_then(|locked| locked.map_err(std::io::Error::other)).doing("lock the database")?;
    let served = served.map(|served| served.requests).unwrap_or_default();
    Ok(InTrouble { off_rps, on_rps, stored: stored(bench)?, served })
}

/// Requests of the last run, as the store has them.
fn stored(bench: &Bench) -> Result<u64, BenchError> {
    let json = bench.work.file("stored.json");
    let status = Command::new(&bench.pummel)
        .args(["report", "last", "--store"])
        .arg(store(bench))
        .arg("--json")
        .arg(&json)
        .stdin(Stdio::null())
        .status()
        .doing("read the store")?;
    let text = fs::read_to_string(json).doing(format!("read the store ({status})"))?;
    let summary: Value = serde_json::from_str(&text).map_err(std::io::Error::from).doing("read the store")?;
    // Second by second, not the total that the end wrote.
    let seconds = summary["series"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(seconds.iter().filter_map(|second| second["requests"].as_u64()).sum())
}
