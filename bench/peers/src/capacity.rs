//! Whether `pummel capacity` finds the limit of services whose limit is known: a token bucket in the embedded target, and nginx's
//! `limit_req`, each several times.

use std::time::Instant;

use crate::{
    bench::{arguments, Bench},
    embedded::Embedded,
    error::BenchError,
    goals::Verdict,
    nginx::{LIMITED_PATH, LIMITED_PER_S},
    table,
};

/// Searches for each limit.
const RUNS: usize = 5;
/// What an answer may be off.
const ERROR_MAX: f64 = 0.03;
/// How long a search may take, seconds.
const SECONDS_MAX: f64 = 180.0;
/// The limit of the token bucket.
const BUCKET_PER_S: u32 = 2_000;

/// One search.
struct Found {
    /// The answer per second; 0 where there was none.
    held: f64,
    seconds: f64,
}

/// Searches both limits, by turns.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let target = Embedded::start(bench)?;
    let services = [
        (
            "token bucket of the embedded target",
            f64::from(BUCKET_PER_S),
            target.url(&format!("/limit/{BUCKET_PER_S}/hello/yangfan")),
        ),
        (
            "nginx limit_req, burst rate/50, nodelay",
            f64::from(LIMITED_PER_S),
            format!("{}{LIMITED_PATH}", bench.nginx.base_url()),
        ),
    ];
    let mut found: [Vec<Found>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((_, _, url), found) in services.iter().zip(&mut found) {
            bench.check()?;
            found.push(search(bench, url)?);
        }
    }
    let mut rows = vec![["service", "limit", "found", "furthest off", "seconds, most"].map(String::from).to_vec()];
    let mut verdicts = Vec::new();
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    for ((name, limit, _), found) in services.iter().zip(&found) {
        let off = found.iter().map(|one| (one.held / limit - 1.0).abs()).fold(0.0, f64::max);
        let longest = found.iter().map(|one| one.seconds).fold(0.0, f64::max);
        let all: Vec<String> = found.iter().map(|one| table::count(one.held)).collect();
        rows.push(vec![(*name).into(), table::count(*limit), all.join(" "), percent(off), format!("{longest:.0}")]);
        verdicts.push(Verdict::at_most(format!("{name}: furthest off in {RUNS} runs"), off, ERROR_MAX, percent));
        verdicts
            .push(Verdict::at_most(format!("{name}: longest search"), longest, SECONDS_MAX, |s| format!("{s:.0} s")));
    }
    Ok((table::markdown(&rows), verdicts))
}

fn search(bench: &Bench, url: &str) -> Result<Found, BenchError> {
    let args =
        arguments(["capacity", url, "--threshold", "errors<0.1%", "--threshold", "p99<50ms", "--max-duration", "4m"]);
    let start = Instant::now();
    let (_, result) = bench.run_pummel(args, 240, |_| {})?;
    Ok(Found { held: result.figure("/held").unwrap_or(0.0), seconds: start.elapsed().as_secs_f64() })
}
