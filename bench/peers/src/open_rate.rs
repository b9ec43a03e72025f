//! Whether an open run keeps its rate, and how punctual its requests are: Pummel's, wrk2's and vegeta's, by the server's stamps.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    arrivals::{behind_grid_us, quantile, rate_per_s},
    bench::{arguments, on_path, Bench},
    client::{Client, GRACE},
    embedded::{Embedded, STAMPS_MAX},
    error::BenchError,
    goals::Verdict,
    peers::PUMMEL,
    spread::Spread,
    table,
};

/// Length of a run, shorter only where the target could not keep all stamps.
const SECONDS: u64 = 10;
/// Rounds are as few as these, whatever is asked for: the goals are about ten seconds and not about medians.
const ROUNDS_MAX: u32 = 3;
/// The closed run that finds the capacity.
const CAPACITY_SECONDS: u64 = 3;
/// Its connections.
const CAPACITY_USERS: &str = "64";
/// What the rate may be off.
const RATE_ERROR_MAX: f64 = 0.001;
/// Bounds of lateness up to half of the capacity, as Pummel measures it.
const LATENESS_P50_US_MAX: f64 = 60.0;
const LATENESS_P99_US_MAX: f64 = 1000.0;
/// wrk2 spreads its rate evenly over each connection but not over all together, so it gets as few as it needs: one for each
/// thousand a second, which leaves it a millisecond for each request.
const WRK2_RATE_OF_A_CONNECTION: u64 = 1000;
/// Names wrk2's program, which its own build calls wrk.
const WRK2: &str = "WRK2";
/// The file vegeta reads its request from.
const VEGETA_TARGETS: &str = "vegeta-targets";

/// A rate to be kept.
#[derive(Debug, Clone)]
struct Point {
    name: String,
    rate: u64,
    seconds: u64,
    /// Whether lateness has bounds there.
    punctual: bool,
}

/// A tool that makes an open run.
struct Tool {
    name: &'static str,
    program: fn(&Bench) -> Option<PathBuf>,
    args: fn(&Point, url: &str) -> Vec<String>,
}

const TOOLS: [Tool; 3] = [
    Tool {
        name: PUMMEL,
        program: |bench| Some(bench.pummel.clone()),
        args: |point, url| {
            arguments(["hit", url, "--rate", &format!("{}/s", point.rate), "-d", &format!("{}s", point.seconds)])
        },
    },
    Tool {
        name: "wrk2",
        program: |_| std::env::var_os(WRK2).map(PathBuf::from).or_else(|| on_path("wrk2")),
        args: |point, url| {
            let connections = point.rate.div_ceil(WRK2_RATE_OF_A_CONNECTION).to_string();
            let (time, rate) = (format!("{}s", point.seconds), point.rate.to_string());
            arguments(["-t", "1", "-c", &connections, "-d", &time, "-R", &rate, url])
        },
    },
    Tool {
        name: "vegeta",
        program: |_| on_path("vegeta"),
        args: |point, _| {
            let (time, rate) = (format!("-duration={}s", point.seconds), format!("-rate={}/1s", point.rate));
            arguments(["attack", &format!("-targets={VEGETA_TARGETS}"), &rate, &time, "-output=/dev/null"])
        },
    },
];

/// One run of one tool.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Requests the target counted.
    arrived: u64,
    /// By how much the rate is off, as a share: by the count or by the time between first and last, whichever is worse.
    rate_error: f64,
    behind_p50_us: f64,
    behind_p99_us: f64,
    /// Lateness as the tool itself measures it: p50 and p99.
    lateness_us: Option<(f64, f64)>,
}

/// The runs of a tool at a rate.
struct Entry {
    tool: &'static str,
    samples: Vec<Sample>,
}

/// All rates, the tools taking turns.
pub(crate) fn run(bench: &Bench, rounds: u32) -> Result<(String, Vec<Verdict>), BenchError> {
    let target = Embedded::start(bench)?;
    let capacity = capacity(bench, &target)?;
    let url = target.url("/stamp/hello/yangfan");
    bench.work.write(VEGETA_TARGETS, &format!("GET {url}\n"))?;
    let mut notes = vec![format!("Capacity in a closed run: {} requests/s.", table::count(capacity))];
    let mut tools: Vec<(&Tool, PathBuf)> = Vec::new();
    for tool in &TOOLS {
        match (tool.program)(bench) {
            Some(program) => tools.push((tool, program)),
            None => notes.push(format!("Not installed: {}.", tool.name)),
        }
    }
    let mut rows = vec![heading()];
    let mut verdicts = Vec::new();
    for point in points(capacity) {
        let mut entries: Vec<Entry> =
            tools.iter().map(|(tool, _)| Entry { tool: tool.name, samples: Vec::new() }).collect();
        for round in 0..rounds.min(ROUNDS_MAX) {
            eprintln!("open-rate: {}, round {}", point.name, round + 1);
            let mut order: Vec<usize> = (0..tools.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let (tool, program) = &tools[index];
                match sample(bench, &target, &point, tool, program, &url) {
                    Ok(sample) => entries[index].samples.push(sample),
                    Err(error @ (BenchError::Client { .. } | BenchError::Output { .. })) if tool.name != PUMMEL => {
                        notes.push(format!("{}: {error}.", point.name));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        rows.extend(entries.iter().map(|entry| row(&point, entry)));
        verdicts.extend(judged(&point, &entries));
    }
    Ok((format!("{}\n{}", table::markdown(&rows), notes.join("\n")), verdicts))
}

/// Requests a second of a closed run at full speed.
fn capacity(bench: &Bench, target: &Embedded) -> Result<f64, BenchError> {
    let (url, time) = (target.url("/hello/yangfan"), format!("{CAPACITY_SECONDS}s"));
    let args = arguments(["hit", &url, "-c", CAPACITY_USERS, "-d", &time]);
    let (_, summary) = bench.run_pummel(args, CAPACITY_SECONDS, |_| {})?;
    summary.figure("/totals/rps")
}

fn points(capacity: f64) -> Vec<Point> {
    // Whole hundreds, so that a run of seconds holds a whole number of requests.
    let share = |share: f64| ((capacity * share / 100.0).round() as u64).max(1) * 100;
    let (half, most) = (share(0.5), share(0.8));
    let point = |name: String, rate: u64, punctual| Point {
        name,
        rate,
        seconds: SECONDS.min(STAMPS_MAX / rate).max(1),
        punctual,
    };
    vec![
        point("1/s".into(), 1, true),
        point("1,000/s".into(), 1000, true),
        point(format!("50 % ({}/s)", table::count(half as f64)), half, true),
        point(format!("80 % ({}/s)", table::count(most as f64)), most, false),
    ]
}

fn sample(
    bench: &Bench,
    target: &Embedded,
    point: &Point,
    tool: &Tool,
    program: &Path,
    url: &str,
) -> Result<Sample, BenchError> {
    // What a run before this one left.
    target.take_stamps()?;
    let before = target.requests()?;
    let args = (tool.args)(point, url);
    let lateness_us = if tool.name == PUMMEL {
        let (_, summary) = bench.run_pummel(args, point.seconds, |_| {})?;
        Some((summary.figure("/client/lateness_us/p50")?, summary.figure("/client/lateness_us/p99")?))
    } else {
        let limit = Duration::from_secs(point.seconds) + GRACE;
        let client = Client { name: tool.name, program, args, cpu: bench.client_cpu, limit };
        client.run(&bench.work, &bench.interrupted, |_| {})?;
        None
    };
    let arrived = target.requests()? - before;
    measured(point, arrived, &target.take_stamps()?, lateness_us)
        .ok_or_else(|| BenchError::Output { name: tool.name.into(), what: "requests".into() })
}

/// None where too little arrived.
fn measured(point: &Point, arrived: u64, stamps_ns: &[u64], lateness_us: Option<(f64, f64)>) -> Option<Sample> {
    let rate = point.rate as f64;
    let behind = behind_grid_us(stamps_ns, rate);
    let by_count = arrived as f64 / (point.rate * point.seconds) as f64 - 1.0;
    let by_time = rate_per_s(stamps_ns)? / rate - 1.0;
    Some(Sample {
        arrived,
        rate_error: by_count.abs().max(by_time.abs()),
        behind_p50_us: quantile(&behind, 0.5)?,
        behind_p99_us: quantile(&behind, 0.99)?,
        lateness_us,
    })
}

fn heading() -> Vec<String> {
    let columns = [
        "rate, tool",
        "arrived",
        "of",
        "rate error, worst",
        "behind p50 us",
        "behind p99 us",
        "lateness p50 us",
        "lateness p99 us",
    ];
    columns.map(String::from).to_vec()
}

impl Entry {
    fn median(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        Spread::of(self.samples.iter().filter_map(figure)).map(|spread| spread.median)
    }

    fn worst_error(&self) -> Option<f64> {
        Spread::of(self.samples.iter().map(|sample| sample.rate_error)).map(|spread| spread.max)
    }
}

fn row(point: &Point, entry: &Entry) -> Vec<String> {
    let counted = |figure: fn(&Sample) -> Option<f64>| table::or_dash(entry.median(figure).map(table::count));
    vec![
        format!("{}, {}", point.name, entry.tool),
        counted(|sample| Some(sample.arrived as f64)),
        table::count((point.rate * point.seconds) as f64),
        table::or_dash(entry.worst_error().map(percent)),
        counted(|sample| Some(sample.behind_p50_us)),
        counted(|sample| Some(sample.behind_p99_us)),
        counted(|sample| sample.lateness_us.map(|(p50, _)| p50)),
        counted(|sample| sample.lateness_us.map(|(_, p99)| p99)),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

fn judged(point: &Point, entries: &[Entry]) -> Vec<Verdict> {
    let find = |name: &str| entries.iter().find(|entry| entry.tool == name);
    let us = |us: f64| format!("{} us", table::count(us));
    let at = |what: &str| format!("{}: {what}", point.name);
    let mut verdicts = Vec::new();
    let Some(pummel) = find(PUMMEL) else { return verdicts };
    if let Some(error) = pummel.worst_error() {
        verdicts.push(Verdict::at_most(at("error of the rate, worst of the rounds"), error, RATE_ERROR_MAX, percent));
    }
    if point.punctual {
        if let Some(p50) = pummel.median(|sample| Some(sample.lateness_us?.0)) {
            verdicts.push(Verdict::at_most(at("lateness p50"), p50, LATENESS_P50_US_MAX, us));
        }
        if let Some(p99) = pummel.median(|sample| Some(sample.lateness_us?.1)) {
            verdicts.push(Verdict::at_most(at("lateness p99"), p99, LATENESS_P99_US_MAX, us));
        }
    }
    let mut against_wrk2 = |name: &str, figure: fn(&Sample) -> f64| {
        let of = |entry: &Entry| entry.median(|sample| Some(figure(sample)));
        if let (Some(ours), Some(theirs)) = (of(pummel), find("wrk2").and_then(of)) {
            verdicts.push(Verdict::at_most(at(&format!("behind the grid, {name}, against wrk2's")), ours, theirs, us));
        }
    };
    against_wrk2("p50", |sample| sample.behind_p50_us);
    against_wrk2("p99", |sample| sample.behind_p99_us);
    verdicts
}

#[cfg(test)]
mod tests {
    use super::{judged, measured, points, row, Entry};

    #[test]
    fn rates_hold_whole_numbers_of_requests_and_all_stamps_fit() {
        let figures = |capacity| points(capacity).iter().map(|point| (point.rate, point.seconds)).collect::<Vec<_>>();
        assert_eq!(figures(100_030.0), [(1, 10), (1000, 10), (50_000, 10), (80_000, 10)]);
        // 80 % of 400,000/s for ten seconds were 3.2 million stamps.
        assert_eq!(figures(400_000.0), [(1, 10), (1000, 10), (200_000, 10), (320_000, 6)]);
    }

    #[test]
    fn a_run_is_judged_by_its_stamps() {
        // 9,990 of 10,000 requests, each on its place but every second one 100 us behind it.
        let [_, point, ..] = &points(1.0)[..] else { panic!("there are four") };
        let stamps: Vec<u64> = (0..9990).map(|n| n * 1_000_000 + n % 2 * 100_000).collect();
        let sample = measured(point, 9990, &stamps, Some((20.0, 1200.0))).unwrap();
        assert!((sample.rate_error - 0.001).abs() < 1e-9);
        assert_eq!((sample.behind_p50_us, sample.behind_p99_us), (0.0, 100.0));
        let slower = super::Sample { behind_p99_us: 90.0, lateness_us: None, ..sample };
        let entries =
            [Entry { tool: "pummel", samples: vec![sample] }, Entry { tool: "wrk2", samples: vec![slower; 2] }];
        assert_eq!(
            row(point, &entries[0]),
            ["1,000/s, pummel", "9,990", "10,000", "0.100 %", "0", "100", "20", "1,200"]
        );
        assert_eq!(row(point, &entries[1])[6..], ["-", "-"]);
        let reached: Vec<bool> = judged(point, &entries).iter().map(|verdict| verdict.reached).collect();
        // The rate within rounding of its bound; lateness p50 and p99; then both against wrk2.
        assert_eq!(reached[1..], [true, false, true, false]);
        assert!(measured(point, 0, &[], None).is_none());
    }
}
