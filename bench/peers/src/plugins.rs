//! Calls of a plugin's functions: what they cost Pummel and the plugin, and that they cost nothing where there are none.

use std::{
    fmt::Write,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    bench::{arguments, at, Bench, Summary},
    children::Children,
    client::{Client, Ran, GRACE},
    error::{BenchError, Doing},
    goals::Verdict,
    nginx::Served,
    peers::{boom, wrk_script, Ask, How, Work, WrkRequest, PEERS, WRK},
    spread::Spread,
    table,
};

/// The plugin all of them use.
const DEBUGTALK: &str = include_str!("../plugin/debugtalk.py");
/// One call in every iteration of two requests.
const ONE_CALL: &str = include_str!("../plugin/one-call.yml");
/// Two calls in every iteration of two requests.
const TWO_CALLS: &str = include_str!("../plugin/two-calls.yml");
/// The comparison case, which makes no call.
const NO_CALL: &str = "scripts/cases/demo.yml";

/// The two requests of the cases, as wrk sends them: with texts as long as those the functions give.
const WRK_REQUESTS: &[WrkRequest] = &[
    WrkRequest { method: "GET", path: "/hello/yangfan", headers: &[("X-Nonce", "abcdefgh")], json: "" },
    WrkRequest {
        method: "GET",
        path: "/api/order",
        headers: &[("X-Sign", "0123456789abcdef0123456789abcdef")],
        json: "",
    },
];

/// Users of the comparison case.
const USERS: u32 = 200;
/// A case that makes no call, in a project with a plugin against the same without: as fast, but for what cannot be told from noise.
const IDLE_LEAST: f64 = 0.98;
/// 15 times what hrp boom does with two calls an iteration (2.3 k requests per client-CPU-second where wrk does 99 k).
const TWO_CALLS_LEAST: f64 = 0.35;
/// Users of the memory's measurement, each with a call in every iteration.
const MEMORY_USERS: u32 = 1000;
/// Long enough for every user to be there and to have called many times.
const MEMORY_SECONDS: u64 = 10;
/// What the plugin's process may take with them.
const PYTHON_MIB_MAX: f64 = 60.0;
/// What Pummel may take with them.
const PUMMEL_MIB_MAX: f64 = 100.0;
/// By then no process of a run that has ended is left.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// The demo case with a call in every iteration, against the embedded target.
pub(crate) fn demo(bench: &Bench, seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    let target = Target::start(bench)?;
    let case = project(bench, "plugin-demo", ONE_CALL, &target.base_url, true)?;
    let run = one(bench, &case, USERS, seconds)?;
    let summary = &run.summary;
    let (iterations, calls) = (summary.count("/transactions/0/passed")?, summary.count("/plugin/calls")?);
    let errors = summary.count("/plugin/errors")?;
    let text = format!(
        "{} requests per second, {} calls ({} iterations) with p50 {} us and p99 {} us; the plugin's share of the iterations' \
         time {:.1} %; CPU: client {:.2} s, plugin {:.2} s, on the same CPU.",
        table::count(summary.figure("/totals/rps")?),
        table::count(calls as f64),
        table::count(iterations as f64),
        summary.count("/plugin/call_us/p50")?,
        summary.count("/plugin/call_us/p99")?,
        summary.figure("/plugin/share_of_iterations")? * 100.0,
        run.client_cpu_s(),
        run.children.cpu_s(),
    );
    let failures = summary.count("/totals/failures")?;
    let verdicts = vec![
        Verdict::exactly("calls and requests that failed", errors + failures, 0),
        Verdict::exactly("processes of the plugin", run.children.count(), 1),
    ];
    Ok((text, verdicts))
}

/// The demo case, which calls nothing, in a project with a plugin and in one without.
pub(crate) fn idle(bench: &Bench, rounds: u32, seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    let text = std::fs::read_to_string(bench.root.join(NO_CALL)).doing(format!("read {NO_CALL}"))?;
    let with = project(bench, "plugin-idle", &text, &bench.nginx.base_url(), true)?;
    let without = project(bench, "no-plugin", &text, &bench.nginx.base_url(), false)?;
    let speed = |case: &Path| one(bench, case, USERS, seconds).map(|run| run.requests_per_client_cpu_s());
    let pairs = turns("plugin-idle", rounds, || speed(&with), || speed(&without))?;
    let compared = Comparison::of(&pairs);
    let text = compared.table("requests per client-CPU-s", ["with a plugin", "without"]);
    Ok((text, vec![compared.verdict("a case without calls, with a plugin / without", IDLE_LEAST)]))
}

/// The comparison case with two calls an iteration, and wrk with the same requests.
pub(crate) fn two_calls(bench: &Bench, rounds: u32, seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    let base_url = bench.nginx.base_url();
    let case = project(bench, "plugin-two-calls", TWO_CALLS, &base_url, true)?;
    let script = bench.work.write("plugin.lua", &wrk_script(WRK_REQUESTS))?;
    let work = Work::Case { case: case.clone(), script, base_url };
    let ask = Ask { users: USERS, seconds, cpu: bench.client_cpu, work, how: How::KeptAlive };
    let mut plugin = Vec::new();
    let ours = || {
        let run = one(bench, &case, USERS, seconds)?;
        plugin.push((
            run.children.cpu_s() / run.client_cpu_s(),
            run.summary.count("/plugin/calls")? as f64,
            run.children.cpu_s(),
        ));
        Ok(run.requests_per_client_cpu_s())
    };
    let pairs = turns("plugin-two-calls", rounds, ours, || wrk(bench, &ask))?;
    let compared = Comparison::of(&pairs);
    let mut text = compared.table("requests per client-CPU-s", ["pummel, two calls an iteration", WRK]);
    let beside = Spread::of(plugin.iter().map(|(beside, ..)| *beside));
    let calls = Spread::of(plugin.iter().map(|(_, calls, cpu_s)| calls / cpu_s));
    if let (Some(beside), Some(calls)) = (beside, calls) {
        let _ = write!(
            text,
            "\nThe plugin took {:.2} s for each of the client's CPU (median), and made {} calls in each of its own.\n",
            beside.median,
            table::count(calls.median)
        );
    }
    Ok((
        text,
        vec![compared.verdict("pummel with two calls an iteration / wrk, the client's CPU alone", TWO_CALLS_LEAST)],
    ))
}

/// Memory of both with 1,000 users, and what is left of the processes.
pub(crate) fn memory(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let case = project(bench, "plugin-memory", ONE_CALL, &bench.nginx.base_url(), true)?;
    let run = one(bench, &case, MEMORY_USERS, MEMORY_SECONDS)?;
    thread::sleep(GONE_AFTER);
    let calls = run.summary.count("/plugin/calls")?;
    let text = format!("{} users made {} calls.", table::count(f64::from(MEMORY_USERS)), table::count(calls as f64));
    let mib = |mib: f64| format!("{mib:.1} MiB");
    let verdicts = vec![
        Verdict::at_most(
            "memory of the plugin's process",
            run.children.peak_kib() as f64 / 1024.0,
            PYTHON_MIB_MAX,
            mib,
        ),
        Verdict::at_most("memory of pummel", run.ran.peak_kib as f64 / 1024.0, PUMMEL_MIB_MAX, mib),
        Verdict::exactly("processes of the plugin", run.children.count(), 1),
        Verdict::exactly("of them left a second after the end", run.children.alive(), 0),
    ];
    Ok((text, verdicts))
}

/// Writes a project into a folder of its own and returns its case, which goes to this server.
fn project(bench: &Bench, name: &str, case: &str, base_url: &str, plugin: bool) -> Result<PathBuf, BenchError> {
    bench.work.folder(name)?;
    if plugin {
        bench.work.write(&format!("{name}/debugtalk.py"), DEBUGTALK)?;
    }
    bench.work.write(&format!("{name}/case.yml"), &at(case, base_url))
}

/// A run of Pummel and of the processes it started.
struct Run {
    ran: Ran,
    summary: Summary,
    children: Children,
    served: Option<Served>,
}

impl Run {
    /// Pummel's CPU time without that of the plugin, which it waits for. The plugin's last moments are in it: it was last looked
    /// at shortly before its end.
    fn client_cpu_s(&self) -> f64 {
        self.ran.cpu_s - self.children.cpu_s()
    }

    fn requests_per_client_cpu_s(&self) -> f64 {
        let requests = self.served.map_or(0.0, |served| served.requests as f64);
        requests / self.client_cpu_s()
    }
}

fn one(bench: &Bench, case: &Path, users: u32, seconds: u64) -> Result<Run, BenchError> {
    let args = boom(case, &users.to_string(), &seconds.to_string());
    let mut children = Children::default();
    let ((ran, summary), served) =
        bench.nginx.serving(|| bench.run_pummel(args, seconds, |look| children.look(look)))?;
    Ok(Run { ran, summary, children, served })
}

/// Requests per client-CPU-second of wrk.
fn wrk(bench: &Bench, ask: &Ask) -> Result<f64, BenchError> {
    let peer = PEERS.iter().find(|peer| peer.name == WRK).expect("wrk is in the table");
    let (Some(program), Some(args)) = (peer.program(bench), (peer.args)(ask)) else {
        return Err(BenchError::Missing(WRK.into()));
    };
    let limit = Duration::from_secs(ask.seconds) + GRACE;
    let client = Client { name: WRK, program: &program, args, cpu: bench.client_cpu, limit };
    let (ran, served) = bench.nginx.serving(|| client.run(&bench.work, &bench.interrupted, |_| {}))?;
    let said = (peer.said)(&ran.stdout, &bench.work);
    let requests = served.map(|served| served.requests as f64).or(said.requests).unwrap_or(0.0);
    Ok(requests / ran.cpu_s)
}

/// Lets two take turns, the order turned around each round; gives their figures by round.
fn turns(
    scenario: &str,
    rounds: u32,
    mut ours: impl FnMut() -> Result<f64, BenchError>,
    mut theirs: impl FnMut() -> Result<f64, BenchError>,
) -> Result<Vec<(f64, f64)>, BenchError> {
    (0..rounds)
        .map(|round| {
            eprintln!("{scenario}: round {} of {rounds}", round + 1);
            if round % 2 == 1 {
                let second = theirs()?;
                return Ok((ours()?, second));
            }
            Ok((ours()?, theirs()?))
        })
        .collect()
}

/// Two figures by round, and one against the other.
struct Comparison {
    ours: Option<Spread>,
    theirs: Option<Spread>,
    ratio: Option<Spread>,
}

impl Comparison {
    fn of(pairs: &[(f64, f64)]) -> Self {
        Self {
            ours: Spread::of(pairs.iter().map(|pair| pair.0)),
            theirs: Spread::of(pairs.iter().map(|pair| pair.1)),
            ratio: Spread::of(pairs.iter().map(|pair| pair.0 / pair.1)),
        }
    }

    fn table(&self, figure: &str, names: [&str; 2]) -> String {
        let heading = ["", figure, "quartiles", "ratio", "least to most"].map(String::from);
        let spread = |spread: &Option<Spread>| {
            let figures = spread.map(|of| [of.median, of.lower_quartile, of.upper_quartile].map(table::count));
            let [median, lower, upper] = figures.unwrap_or_else(|| ["-", "-", "-"].map(String::from));
            [median, format!("{lower}-{upper}")]
        };
        let mut rows = vec![heading.to_vec()];
        let ratio = self.ratio.map_or_else(
            || ["-".to_owned(), "-".to_owned()],
            |of| [format!("{:.2}", of.median), format!("{:.2}-{:.2}", of.min, of.max)],
        );
        rows.push([vec![names[0].to_owned()], spread(&self.ours).to_vec(), ratio.to_vec()].concat());
        rows.push([vec![names[1].to_owned()], spread(&self.theirs).to_vec()].concat());
        table::markdown(&rows)
    }

    fn verdict(&self, what: &str, least: f64) -> Verdict {
        // Of no round there is no ratio, and no goal is reached.
        Verdict::at_least(what, self.ratio.map_or(0.0, |of| of.median), least, |ratio| format!("{ratio:.2}"))
    }
}

/// The embedded target of the Pummel that is measured, on the server's CPU; killed and reaped when dropped.
struct Target {
    child: Child,
    base_url: String,
}

impl Target {
    fn start(bench: &Bench) -> Result<Self, BenchError> {
        let child = Command::new(&bench.pummel)
            .args(arguments(["target", "--listen", "127.0.0.1:0", "--cpus", &bench.server_cpu.to_string()]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing("start the embedded target")?;
        let mut target = Self { child, base_url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = target.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).doing("read where the embedded target listens")?;
        }
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        let missing = || BenchError::Output { name: "pummel target".into(), what: "address".into() };
        address.ok_or_else(missing)?.clone_into(&mut target.base_url);
        Ok(target)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only for a child that is already gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::{turns, Comparison};

    #[test]
    fn two_take_turns_and_are_compared_within_a_round() {
        let order = std::cell::RefCell::new(String::new());
        let figure = |name: char, figure: f64| {
            order.borrow_mut().push(name);
            Ok(figure)
        };
        // The machine slows down by half; the ratio stays.
        let (mut ours, mut theirs) = ([120.0, 60.0].into_iter(), [100.0, 50.0].into_iter());
        let pairs =
            turns("test", 2, || figure('o', ours.next().unwrap()), || figure('t', theirs.next().unwrap())).unwrap();
        assert_eq!(*order.borrow(), "otto");
        assert_eq!(pairs, [(120.0, 100.0), (60.0, 50.0)]);
        let compared = Comparison::of(&pairs);
        assert!(compared.verdict("a / b", 1.2).reached && !compared.verdict("a / b", 1.21).reached);
        let table = compared.table("figure", ["a", "b"]);
        let cells: Vec<Vec<&str>> = table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(cells[2][1..6], ["a", "90", "75-105", "1.20", "1.20-1.20"]);
        assert_eq!(cells[3][1..4], ["b", "75", "62-88"]);
    }
}
