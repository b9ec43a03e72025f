//! Percentiles against theory: Poisson arrivals at a server whose service times are exponential, which is M/M/1.

use crate::{
    bench::{arguments, Bench},
    embedded::Embedded,
    error::BenchError,
    goals::Verdict,
    table,
};

/// The server's mean service time; its capacity is a thousand a second.
const MEAN_US: f64 = 1000.0;
const PATH: &str = "/queue/1000/hello/yangfan";
/// More than ever wait at the loads measured here.
const USERS: &str = "2000";
/// What p99 may be off from theory.
const ERROR_MAX: f64 = 0.15;

/// A run at each of some loads, in percent of the capacity.
pub(crate) fn run(bench: &Bench, loads: &[u32], seconds: u64) -> Result<(String, Vec<Verdict>), BenchError> {
    let columns = ["load", "requests", "p50 us", "by theory", "p99 us", "by theory", "off"];
    let mut rows = vec![columns.map(String::from).to_vec()];
    let mut verdicts = Vec::new();
    for load in loads {
        bench.check()?;
        eprintln!("queue-theory: {load} % for {seconds} s");
        // A fresh one each time draws the same service times each time.
        let target = Embedded::start(bench)?;
        let rate = f64::from(*load) / 100.0 * 1e6 / MEAN_US;
        let (url, rate_flag, time) = (target.url(PATH), format!("{rate:.0}/s"), format!("{seconds}s"));
        let mut args = arguments(["hit", &url, "--rate", &rate_flag, "-d", &time]);
        args.extend(arguments(["--poisson", "--seed", "1", "--max-users", USERS]));
        let (_, summary) = bench.run_pummel(args, seconds, |_| {})?;
        let [p50, p99] = ["p50", "p99"].map(|name| summary.figure(&format!("/totals/response_us/{name}")));
        let p99 = p99?;
        let off = p99 / theory_us(rate, 0.99) - 1.0;
        rows.push(vec![
            format!("{load} %"),
            table::count(summary.figure("/totals/requests")?),
            table::count(p50?),
            table::count(theory_us(rate, 0.5)),
            table::count(p99),
            table::count(theory_us(rate, 0.99)),
            percent(off),
        ]);
        verdicts.push(Verdict::at_most(format!("p99 at {load} % load off theory"), off.abs(), ERROR_MAX, percent));
    }
    Ok((table::markdown(&rows), verdicts))
}

/// What a share of requests does not exceed, microseconds: the time from arrival to answer is exponential, at the rate of service less
/// that of arrivals (Kleinrock, Queueing Systems, volume 1, section 3.2).
fn theory_us(arrivals_per_s: f64, share: f64) -> f64 {
    let served_per_s = 1e6 / MEAN_US;
    -(1.0 - share).ln() / (served_per_s - arrivals_per_s) * 1e6
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::theory_us;

    #[test]
    fn an_idle_server_takes_its_service_time_and_a_busy_one_many() {
        // ln(100) = 4.60517 times 1/(1,000 - l) s, ln(2) = 0.69315 for the median.
        let rounded =
            [(0.0, 0.99), (600.0, 0.99), (800.0, 0.5)].map(|(rate, share)| theory_us(rate, share).round() as u64);
        assert_eq!(rounded, [4605, 11_513, 3466]);
    }
}
