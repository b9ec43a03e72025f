//! The failure this engine exists to end: sockets opened without need. And whether server and client count alike.

use std::{fs, time::Duration};

use crate::{
    bench::{arguments, Bench},
    error::BenchError,
    goals::Verdict,
};

/// Users of the run.
const USERS: u64 = 200;
/// Users started per second, as in the comparison case.
const SPAWN_RATE: u64 = 50;
/// Length of the run.
const SECONDS: u64 = 60;
/// From here on all users are there and no socket should close.
const SETTLED: Duration = Duration::from_secs(USERS / SPAWN_RATE + 1);
/// From here on the run is ending and closes its own sockets, which is as it should be.
const ENDING: Duration = Duration::from_secs(SECONDS - 1);

/// The comparison case with 200 users for a minute.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let case = bench.case_for_nginx("scripts/cases/demo.yml")?.to_string_lossy().into_owned();
    let (users, rate, seconds) = (USERS.to_string(), SPAWN_RATE.to_string(), SECONDS.to_string());
    let mut args = arguments(["boom", &case, "--spawn-count", &users, "--spawn-rate", &rate, "--run-time", &seconds]);
    args.push("--disable-console-output".into());

    let mut time_wait = Vec::new();
    let watch = |look: crate::client::Look| {
        if (SETTLED..ENDING).contains(&look.elapsed) {
            time_wait.extend(time_wait_sockets());
        }
    };
    let ((_, summary), served) = bench.nginx.serving(|| bench.run_pummel(args, SECONDS, watch))?;

    let opened = summary.count("/client/connections/opened")?;
    let sent = summary.count("/totals/exchanges/sent")?;
    // Sockets of earlier runs leave TIME_WAIT meanwhile, so only a rise above the first look is growth.
    let first = time_wait.first().copied().unwrap_or(0);
    let growth = time_wait.iter().max().map_or(0, |most| most.saturating_sub(first));

    let text = format!("{USERS} users sent {sent} requests over {opened} sockets in {SECONDS} s.");
    let mut verdicts = vec![
        Verdict::exactly("sockets opened, by pummel's count", opened, USERS),
        Verdict::exactly("growth of TIME_WAIT during the run", growth, 0),
    ];
    if let Some(served) = served {
        verdicts.push(Verdict::exactly("sockets opened, by nginx's count", served.connections, USERS));
        verdicts.push(Verdict::exactly("requests sent, by nginx's count", served.requests, sent));
    }
    Ok((text, verdicts))
}

/// Sockets in TIME_WAIT in this network namespace.
fn time_wait_sockets() -> Option<u64> {
    time_wait_in(&fs::read_to_string("/proc/net/sockstat").ok()?)
}

fn time_wait_in(sockstat: &str) -> Option<u64> {
    let mut words = sockstat.lines().find(|line| line.starts_with("TCP:"))?.split_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::time_wait_in;

    #[test]
    fn time_wait_stands_behind_its_name() {
        let sockstat = "sockets: used 94\nTCP: inuse 5 orphan 0 tw 195 alloc 12 mem 3\nUDP: inuse 2 mem 1\n";
        assert_eq!(time_wait_in(sockstat), Some(195));
        assert_eq!(time_wait_in("sockets: used 94\n"), None);
    }
}
