//! A long run: whether its end is as fast as its beginning, and as small.

use std::ops::Range;

use crate::{
    bench::{arguments, Bench},
    client::Look,
    error::BenchError,
    goals::Verdict,
    spread::Spread,
    table,
};

/// Speed of the last tenth against the second.
const SPEED_LEAST: f64 = 0.98;
/// Growth of resident memory from the second tenth to the last.
const GROWTH_MIB_MAX: f64 = 2.0;

/// 64 connections for as long as asked. The first tenth is left out: it warms up.
pub(crate) fn run(bench: &Bench, seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    eprintln!("soak: {seconds} s");
    let url = bench.nginx.base_url() + "/hello/yangfan";
    let mut looks: Vec<Look> = Vec::new();
    // With the store, as it is used.
    let store = bench.work.file("runs.db").display().to_string();
    let args = arguments(["hit", &url, "-c", "64", "-d", &format!("{seconds}s"), "--store", &store]);
    let (ran, summary) = bench.run_pummel(args, seconds, |look| looks.push(look))?;

    let rates = summary.requests_per_second()?;
    let memory: Vec<f64> = looks.iter().map(|look| look.resident_kib as f64).collect();
    let (Some((second_rps, last_rps)), Some((second_kib, last_kib)), Some((second_work, last_work))) =
        (tenths(&rates), tenths(&memory), requests_per_cpu_s(&rates, &looks))
    else {
        return Err(BenchError::Output { name: "pummel".into(), what: "ten seconds in /series".into() });
    };
    let growth_mib = (last_kib.max - second_kib.median) / 1024.0;
    let rows = [
        ["", "second tenth", "last tenth"].map(String::from).to_vec(),
        vec!["RPS, median of its seconds".into(), table::count(second_rps.median), table::count(last_rps.median)],
        vec!["requests a CPU-second of the client".into(), table::count(second_work), table::count(last_work)],
        vec!["resident memory, median".into(), table::mib(second_kib.median), table::mib(last_kib.median)],
        vec!["resident memory, most".into(), table::mib(second_kib.max), table::mib(last_kib.max)],
    ];
    let text = format!("{}\nPeak memory {}.", table::markdown(&rows), table::mib(ran.peak_kib as f64));
    let verdicts = vec![
        Verdict::at_least(
            "RPS, last tenth / second tenth",
            last_rps.median / second_rps.median,
            SPEED_LEAST,
            |ratio| format!("{ratio:.3}"),
        ),
        Verdict::at_most("growth of resident memory", growth_mib, GROWTH_MIB_MAX, |mib| format!("{mib:.1} MiB")),
    ];
    Ok((text, verdicts))
}

/// The second and the last tenth of a series; none of fewer than ten figures.
fn tenths(series: &[f64]) -> Option<(Spread, Spread)> {
    let tenth = series.len() / 10;
    let part = |range: Range<usize>| Spread::of(series.get(range)?.iter().copied());
    Some((part(tenth..2 * tenth)?, part(series.len() - tenth..series.len())?))
}

/// Requests for each second of CPU time in the second and in the last tenth of a run; none of a run of fewer than ten seconds.
fn requests_per_cpu_s(rates: &[f64], looks: &[Look]) -> Option<(f64, f64)> {
    let tenth_s = rates.len() / 10;
    let part = |range: Range<usize>| {
        let at = |second: usize| looks.iter().take_while(|look| look.elapsed.as_secs_f64() <= second as f64).last();
        let cpu_s = at(range.end)?.cpu_s - at(range.start)?.cpu_s;
        (cpu_s > 0.0).then(|| rates[range].iter().sum::<f64>() / cpu_s)
    };
    Some((part(tenth_s..2 * tenth_s)?, part(rates.len() - tenth_s..rates.len())?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{requests_per_cpu_s, tenths, Look};

    #[test]
    fn requests_for_cpu_time() {
        // Half of a CPU in the first ten seconds, all of it in the others; 100 requests a second, then 180.
        let look = |s: u64| Look {
            pid: 1,
            elapsed: Duration::from_millis(s * 1_000 - 1),
            cpu_s: s as f64 - (s.min(10) as f64 / 2.0),
            resident_kib: 0,
            peak_kib: 0,
        };
        let looks: Vec<Look> = (1..=20).map(look).collect();
        let rates = [[100.0; 10], [180.0; 10]].concat();
        assert_eq!(requests_per_cpu_s(&rates, &looks), Some((200.0, 180.0)));
        assert_eq!(requests_per_cpu_s(&rates[..9], &looks), None);
    }

    #[test]
    fn the_second_tenth_and_the_last() {
        let series: Vec<f64> = (0..20).map(f64::from).collect();
        let (second, last) = tenths(&series).unwrap();
        assert_eq!((second.min, second.max), (2.0, 3.0));
        assert_eq!((last.min, last.max), (18.0, 19.0));
        assert_eq!(tenths(&series[..9]), None);
    }
}
