//! What a call of a plugin's function costs the plugin: our own Python runner beside stock funppy over gRPC, in the same rounds.
//!
//! What counts is calls per second of the plugin's CPU. The plugin itself tells what it has used since its functions were imported, at
//! the moment it is ended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    bench::{arguments, Bench},
    error::{BenchError, Doing},
    goals::Verdict,
    spread::Spread,
    table,
};

/// Users, each of which has a call in flight but for one request in twenty calls.
const USERS: &str = "200";
/// Calls in each iteration.
const CALLS: u32 = 20;
/// What a second of the plugin's CPU should do with our runner against stock funppy.
const RATIO_LEAST: f64 = 10.0;
/// The runners, ours first.
const RUNNERS: [&str; 2] = ["own", "funppy"];
/// Names the Python of an environment with funppy; `scripts/bench.sh` makes one.
const PYTHON: &str = "PUMMEL_FUNPPY_PYTHON";
/// The file the plugin writes its CPU time to, in the folder the client runs in.
const CPU_FILE: &str = "plugin-cpu";

/// The plugin. Both runners end it by SIGTERM, and run what Python does then in the main thread.
const PLUGIN: &str = r#"import os
import signal
import time


def add(a, b):
    return a + b


def tell(*_):
    with open("plugin-cpu", "w") as file:
        file.write(repr(time.process_time() - began))
    os._exit(0)


signal.signal(signal.SIGTERM, tell)
began = time.process_time()
"#;

/// One run with one runner.
#[derive(Debug, Clone, Copy)]
struct Sample {
    calls_per_cpu_s: f64,
    calls_per_s: f64,
    failed: u64,
}

/// Both runners in turn, the order turned around each round.
pub(crate) fn run(bench: &Bench, rounds: u32, seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    let venv = venv()?;
    let project = bench.work.file("plugin-calls");
    fs::create_dir_all(&project).doing(format!("create {}", project.display()))?;
    bench.work.write("plugin-calls/debugtalk.py", PLUGIN)?;
    let case = bench.work.write("plugin-calls/calls.yml", &case(&bench.nginx.base_url()))?;
    let mut samples: [Vec<Sample>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        eprintln!("plugin-calls: round {} of {rounds}", round + 1);
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for runner in order {
            samples[runner].push(sample(bench, &case, &venv, RUNNERS[runner], seconds)?);
        }
    }
    Ok(compared(&samples))
}

/// One run.
fn sample(bench: &Bench, case: &Path, venv: &Path, runner: &str, seconds: u64) -> Result<Sample, BenchError> {
    let (case, venv, run_time) = (case.to_string_lossy(), venv.to_string_lossy(), seconds.to_string());
    let mut args =
        arguments(["boom", &case, "--spawn-count", USERS, "--spawn-rate", "100000", "--run-time", &run_time]);
    args.extend(arguments(["--venv", &venv, "--plugin-runner", runner, "--disable-console-output"]));
    let ((_, summary), _) = bench.nginx.serving(|| bench.run_pummel(args, seconds, |_| {}))?;
    let calls = summary.count("/plugin/calls")? as f64;
    let cpu_file = bench.work.file(CPU_FILE);
    let cpu_s = fs::read_to_string(&cpu_file).doing("read the plugin's CPU time")?;
    let cpu_s: f64 = cpu_s.parse().map_err(std::io::Error::other).doing("read the plugin's CPU time")?;
    // The next run's figure must be its own.
    fs::remove_file(&cpu_file).doing("remove the plugin's CPU time")?;
    let failed = summary.count("/plugin/errors")?;
    Ok(Sample { calls_per_cpu_s: calls / cpu_s, calls_per_s: calls / seconds as f64, failed })
}

fn compared(samples: &[Vec<Sample>; 2]) -> (String, Vec<Verdict>) {
    let mut rows = vec![["runner", "calls per plugin-CPU-s", "least", "most", "calls/s"].map(String::from).to_vec()];
    for (runner, samples) in RUNNERS.iter().zip(samples) {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
        let cpu = spread(|sample| sample.calls_per_cpu_s);
        let figure = |of: Option<f64>| table::or_dash(of.map(table::count));
        rows.push(vec![
            (*runner).into(),
            figure(cpu.map(|cpu| cpu.median)),
            figure(cpu.map(|cpu| cpu.min)),
            figure(cpu.map(|cpu| cpu.max)),
            figure(spread(|sample| sample.calls_per_s).map(|speed| speed.median)),
        ]);
    }
    let [own, funppy] = samples;
    let ratio = Spread::of(own.iter().zip(funppy).map(|(own, funppy)| own.calls_per_cpu_s / funppy.calls_per_cpu_s));
    let what = "calls per plugin-CPU-second, own runner / stock funppy, median";
    let verdict = ratio.map(|ratio| Verdict::at_least(what, ratio.median, RATIO_LEAST, |ratio| format!("{ratio:.1}")));
    let failed = samples.iter().flatten().map(|sample| sample.failed).sum();
    let verdicts = verdict.into_iter().chain([Verdict::exactly("calls that failed", failed, 0)]);
    (table::markdown(&rows), verdicts.collect())
}

/// The environment whose Python has funppy.
fn venv() -> Result<PathBuf, BenchError> {
    let python = std::env::var_os(PYTHON).map(PathBuf::from);
    let venv = python.as_deref().and_then(Path::parent).and_then(Path::parent);
    venv.map(Path::to_owned)
        .ok_or_else(|| BenchError::Usage(format!("{PYTHON} names no Python with funppy; scripts/bench.sh makes one")))
}

/// A request whose URL is made of calls.
fn case(base_url: &str) -> String {
    let sums: Vec<String> = (0..CALLS).map(|n| format!("${{add({n}, 1)}}")).collect();
    format!(
        "config: {{name: plugin calls, base_url: \"{base_url}\"}}\nteststeps:\n- request: {{method: GET, url: \"/hello/yangfan?sums={}\"}}\n",
        sums.join("-")
    )
}

#[cfg(test)]
mod tests {
    use super::{compared, Sample};

    #[test]
    fn runs_of_a_round_are_compared() {
        let sample = |calls_per_cpu_s| Sample { calls_per_cpu_s, calls_per_s: 1000.0, failed: 1 };
        let own = vec![sample(50_000.0), sample(60_000.0), sample(80_000.0)];
        let funppy = vec![sample(5_000.0), sample(4_000.0), sample(4_000.0)];
        let (table, verdicts) = compared(&[own, funppy]);
        assert!(table.contains("| own    |                 60,000 | 50,000 | 80,000 |   1,000 |"), "{table}");
        // 10, 15 and 20 times as many.
        assert_eq!(verdicts[0].measured, "15.0");
        assert!(verdicts[0].reached);
        assert!(!verdicts[1].reached, "six calls failed");
    }
}
