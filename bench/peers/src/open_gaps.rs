//! Whether even arrivals are even and Poisson arrivals are Poisson, by the times between requests as the server sees them.
//!
//! What is seen is the schedule and the client's lateness together. At 2,000/s a mean gap is 500 us: lateness that varies by 50 us, which is
//! well within its goals, takes a perfect schedule beyond what the test allows 20,000 gaps. At 200/s it does not matter. So a schedule
//! that fails at 200/s is wrong, and one that fails at 2,000/s alone is sent unpunctually.

use crate::{
    arrivals::{distance_allowed, distance_to_exponential, gaps_s, variation},
    bench::{arguments, Bench},
    embedded::Embedded,
    error::BenchError,
    goals::Verdict,
    table,
};

/// Length of a run.
const SECONDS: u64 = 10;
/// Rates of even arrivals.
const EVEN_RATES: [u32; 2] = [100, 1000];
/// Standard deviation of even gaps by their mean.
const VARIATION_MAX: f64 = 0.1;
/// Rates of Poisson arrivals, and their seeds.
const POISSON_RATES: [u32; 2] = [200, 2000];
const SEEDS: [&str; 3] = ["1", "2", "3"];

/// Two even runs, and a Poisson one at each rate of each seed.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let target = Embedded::start(bench)?;
    let mut rows =
        vec![["arrivals", "gaps", "mean us", "variation", "K-S distance", "allowed"].map(String::from).to_vec()];
    let mut verdicts = Vec::new();
    for rate in EVEN_RATES {
        let gaps = gaps(bench, &target, rate, &[])?;
        let variation = variation(&gaps);
        rows.push(row(&format!("even, {rate}/s"), &gaps, None));
        let what = format!("variation of even gaps at {rate}/s");
        verdicts.push(Verdict::at_most(what, variation, VARIATION_MAX, |figure| format!("{figure:.3}")));
    }
    for (rate, seed) in POISSON_RATES.into_iter().flat_map(|rate| SEEDS.map(|seed| (rate, seed))) {
        let gaps = gaps(bench, &target, rate, &["--poisson", "--seed", seed])?;
        let (distance, allowed) = against_poisson(&gaps, rate);
        rows.push(row(&format!("Poisson, {rate}/s, seed {seed}"), &gaps, Some((distance, allowed))));
        let what = format!("K-S distance of Poisson gaps at {rate}/s, seed {seed}");
        verdicts.push(Verdict::at_most(what, distance, allowed, |figure| format!("{figure:.4}")));
    }
    Ok((table::markdown(&rows), verdicts))
}

/// The gaps of one run, seconds.
fn gaps(bench: &Bench, target: &Embedded, rate: u32, more: &[&str]) -> Result<Vec<f64>, BenchError> {
    target.take_stamps()?;
    let (url, rate, time) = (target.url("/stamp/hello/yangfan"), format!("{rate}/s"), format!("{SECONDS}s"));
    let mut args = arguments(["hit", &url, "--rate", &rate, "-d", &time]);
    args.extend(more.iter().map(|word| (*word).to_owned()));
    bench.run_pummel(args, SECONDS, |_| {})?;
    let gaps = gaps_s(&target.take_stamps()?);
    if gaps.is_empty() {
        return Err(BenchError::Output { name: "pummel".into(), what: format!("requests at {rate}") });
    }
    Ok(gaps)
}

/// The Kolmogorov-Smirnov statistic, and what it may be.
fn against_poisson(gaps_s: &[f64], rate: u32) -> (f64, f64) {
    (distance_to_exponential(gaps_s, f64::from(rate)), distance_allowed(gaps_s.len()))
}

fn row(name: &str, gaps_s: &[f64], distance: Option<(f64, f64)>) -> Vec<String> {
    let mean_us = gaps_s.iter().sum::<f64>() / gaps_s.len() as f64 * 1e6;
    let figure = |figure: Option<f64>| table::or_dash(figure.map(|figure| format!("{figure:.4}")));
    vec![
        name.into(),
        table::count(gaps_s.len() as f64),
        table::count(mean_us),
        format!("{:.3}", variation(gaps_s)),
        figure(distance.map(|(distance, _)| distance)),
        figure(distance.map(|(_, allowed)| allowed)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{against_poisson, row};

    #[test]
    fn even_gaps_are_no_poisson_process() {
        let gaps = [1.0 / 2000.0; 100];
        let (distance, allowed) = against_poisson(&gaps, 2000);
        // 1 - 1/e against 1.628 by the root of 100.
        assert!((distance - 0.6321).abs() < 1e-4 && (allowed - 0.1628).abs() < 1e-9);
        assert_eq!(row("a", &gaps, Some((distance, allowed))), ["a", "100", "500", "0.000", "0.6321", "0.1628"]);
        assert_eq!(row("a", &gaps, None)[4..], ["-", "-"]);
    }
}
