//! Interleaved rounds: every tool once a round, the order turned around each time, ratios taken within a round.

use std::{fmt::Write, path::PathBuf, time::Duration};

use crate::{
    bench::Bench,
    client::{Client, Ran, GRACE},
    client_said::Said,
    error::BenchError,
    goals::Verdict,
    peers::{Ask, Peer, BARE_LOOP, PEERS, PUMMEL, WRK},
    spread::Spread,
    table,
};

/// A tool's count and nginx's may differ by what was under way at the start and the end, about two requests a user, and by
/// this share; beyond it a note says so.
const COUNTS_MAY_DIFFER: f64 = 0.01;

/// What Pummel should reach against others, in requests per client-CPU-second.
#[derive(Debug)]
pub(crate) struct Goal {
    /// The other tools; the one with the best median counts.
    pub(crate) versus: &'static [&'static str],
    /// The least ratio.
    pub(crate) least: f64,
}

/// One run of one tool.
#[derive(Debug, Clone, Copy)]
struct Sample {
    requests_per_cpu_s: f64,
    rps: f64,
    peak_kib: u64,
    said: Said,
}

/// A tool in a scenario: its runs by round, none where it did not run.
struct Entry {
    peer: &'static Peer,
    program: PathBuf,
    args: Vec<String>,
    samples: Vec<Option<Sample>>,
    out: bool,
}

impl Entry {
    fn spread(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.samples.iter().flatten().filter_map(figure))
    }

    fn median(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.spread(figure).map(|spread| spread.median)
    }

    /// Requests per client-CPU-second against another tool's, round by round.
    fn ratio_to(&self, other: &Self) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(
            pairs.filter_map(|(ours, theirs)| {
                Some(ours.as_ref()?.requests_per_cpu_s / theirs.as_ref()?.requests_per_cpu_s)
            }),
        )
    }
}

/// Runs the rounds and returns the table with its notes, and the verdicts.
pub(crate) fn run(
    bench: &Bench,
    scenario: &str,
    ask: &Ask,
    rounds: u32,
    goals: &[Goal],
) -> Result<(String, Vec<Verdict>), BenchError> {
    let mut notes = Vec::new();
    let mut entries = entries(bench, ask, &mut notes);
    for round in 0..rounds {
        eprintln!("{scenario}: round {} of {rounds}", round + 1);
        let mut order: Vec<&mut Entry> = entries.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for entry in order {
            let sample = if entry.out { None } else { sample(bench, ask, entry, &mut notes)? };
            entry.samples.push(sample);
        }
    }
    notes.dedup();
    let mut text = rendered(&entries);
    for note in notes {
        let _ = write!(text, "\n{note}");
    }
    Ok((text, verdicts(&entries, goals)))
}

/// The tools that can make this load and are here.
fn entries(bench: &Bench, ask: &Ask, notes: &mut Vec<String>) -> Vec<Entry> {
    let mut absent = Vec::new();
    let mut entries = Vec::new();
    for peer in &PEERS {
        let Some(args) = (peer.args)(ask) else { continue };
        match peer.program(bench) {
            Some(program) => entries.push(Entry { peer, program, args, samples: Vec::new(), out: false }),
            None => absent.push(peer.name),
        }
    }
    if !absent.is_empty() {
        notes.push(format!("Not installed: {}.", absent.join(", ")));
    }
    entries
}

/// One run. Another tool that fails is left out of the rest; Pummel's failure ends the bench.
fn sample(bench: &Bench, ask: &Ask, entry: &mut Entry, notes: &mut Vec<String>) -> Result<Option<Sample>, BenchError> {
    let name = entry.peer.name;
    let client = Client {
        name,
        program: &entry.program,
        args: entry.args.clone(),
        cpu: bench.client_cpu,
        limit: Duration::from_secs(ask.seconds) + GRACE,
    };
    let run = || client.run(&bench.work, &bench.interrupted, |_| {});
    let (ran, served) = match bench.nginx.serving(run) {
        Ok(result) => result,
        Err(error @ BenchError::Client { .. }) if name != PUMMEL => {
            entry.out = true;
            notes.push(format!("Left out: {error}"));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let said = (entry.peer.said)(&ran.stdout, &bench.work);
    if let (Some(served), Some(own)) = (served, said.requests) {
        let slack = COUNTS_MAY_DIFFER * own + 2.0 * f64::from(ask.users);
        if (served.requests as f64 - own).abs() > slack {
            notes.push(format!("{name} counted {own} requests, nginx {}.", served.requests));
        }
    }
    let requests = served.map(|served| served.requests as f64).or(said.requests);
    let Some(requests) = requests.filter(|requests| *requests > 0.0) else {
        let what = "requests".into();
        return Err(BenchError::Output { name: name.into(), what });
    };
    Ok(Some(measured(requests, &ran, said)))
}

fn measured(requests: f64, ran: &Ran, said: Said) -> Sample {
    Sample {
        requests_per_cpu_s: requests / ran.cpu_s,
        rps: said.rps.unwrap_or(requests / ran.wall_s),
        peak_kib: ran.peak_kib,
        said,
    }
}

fn rendered(entries: &[Entry]) -> String {
    let find = |name: &str| entries.iter().find(|entry| entry.peer.name == name);
    let (wrk, bare) = (find(WRK), find(BARE_LOOP));
    let mut heading = vec!["tool", "requests per CPU-s", "to wrk", "quartiles", "least to most"];
    if bare.is_some() {
        heading.push("to bare loop");
    }
    heading.extend(["RPS", "peak memory", "p50 us", "p99 us"]);
    let mut rows = vec![heading.into_iter().map(String::from).collect::<Vec<_>>()];
    for entry in entries {
        let to_wrk = wrk.and_then(|wrk| entry.ratio_to(wrk));
        let counted = |figure: fn(&Sample) -> Option<f64>| table::or_dash(entry.median(figure).map(table::count));
        let mut row = vec![
            entry.peer.name.into(),
            counted(|sample| Some(sample.requests_per_cpu_s)),
            table::or_dash(to_wrk.map(|ratio| format!("{:.2}", ratio.median))),
            table::or_dash(to_wrk.map(|ratio| format!("{:.2}-{:.2}", ratio.lower_quartile, ratio.upper_quartile))),
            table::or_dash(to_wrk.map(|ratio| format!("{:.2}-{:.2}", ratio.min, ratio.max))),
        ];
        if let Some(bare) = bare {
            row.push(table::or_dash(entry.ratio_to(bare).map(|ratio| format!("{:.2}", ratio.median))));
        }
        row.extend([
            counted(|sample| Some(sample.rps)),
            table::or_dash(entry.median(|sample| Some(sample.peak_kib as f64)).map(table::mib)),
            counted(|sample| sample.said.p50_us),
            counted(|sample| sample.said.p99_us),
        ]);
        rows.push(row);
    }
    table::markdown(&rows)
}

/// A goal against tools that are not here has no verdict.
fn verdicts(entries: &[Entry], goals: &[Goal]) -> Vec<Verdict> {
    let find = |name: &str| entries.iter().find(|entry| entry.peer.name == name);
    let speed = |entry: &Entry| entry.median(|sample| Some(sample.requests_per_cpu_s));
    let verdict = |goal: &Goal| {
        let others = goal.versus.iter().filter_map(|name| find(name));
        let best = others.max_by(|a, b| speed(a).unwrap_or(0.0).total_cmp(&speed(b).unwrap_or(0.0)))?;
        let ratio = find(PUMMEL)?.ratio_to(best)?;
        let spread = format!("{:.2} to {:.2}", ratio.min, ratio.max);
        let what = format!("pummel / {} ({spread} over the rounds)", best.peer.name);
        Some(Verdict::at_least(what, ratio.median, goal.least, |figure| format!("{figure:.2}")))
    };
    goals.iter().filter_map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::{rendered, verdicts, Entry, Goal, Sample};
    use crate::{client_said::Said, peers::PEERS};

    fn entry(name: &str, speeds: &[Option<f64>]) -> Entry {
        let sample = |speed: &Option<f64>| {
            speed.map(|requests_per_cpu_s| Sample {
                requests_per_cpu_s,
                rps: 1000.0,
                peak_kib: 2048,
                said: Said { p50_us: Some(400.0), ..Said::default() },
            })
        };
        let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
        Entry { peer, program: name.into(), args: Vec::new(), samples: speeds.iter().map(sample).collect(), out: false }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine slowed down by half between the rounds; the ratio did not change.
        let pummel = entry("pummel", &[Some(120.0), Some(60.0), Some(30.0)]);
        let wrk = entry("wrk", &[Some(100.0), Some(50.0), None]);
        let ratio = pummel.ratio_to(&wrk).unwrap();
        assert!((ratio.min - 1.2).abs() < 1e-9 && (ratio.max - 1.2).abs() < 1e-9);
    }

    #[test]
    fn the_table_shows_what_is_known() {
        let text = rendered(&[entry("pummel", &[Some(120.0)]), entry("wrk", &[Some(100.0)])]);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[2][1..10], ["pummel", "120", "1.20", "1.20-1.20", "1.20-1.20", "1,000", "2.0 MiB", "400", "-"]);
    }

    #[test]
    fn a_goal_is_against_the_best_of_those_here() {
        let entries =
            [entry("pummel", &[Some(110.0)]), entry("ab -k", &[Some(100.0)]), entry("h2load --h1", &[Some(125.0)])];
        let goals = [
            Goal { versus: &["ab -k", "h2load --h1", "gcannon"], least: 1.0 },
            Goal { versus: &["hrp boom"], least: 15.0 },
        ];
        let verdicts = verdicts(&entries, &goals);
        assert_eq!(verdicts.len(), 1, "nothing is said about tools that are not here");
        assert_eq!(verdicts[0].what, "pummel / h2load --h1 (0.88 to 0.88 over the rounds)");
        assert_eq!(verdicts[0].measured, "0.88");
        assert!(!verdicts[0].reached);
    }
}
