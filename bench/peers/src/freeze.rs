//! A server that stands still for a while: whether the time its users would have waited is in the percentiles.
//!
//! At R requests a second for T seconds a server that stops for S of them makes all requests meant for that time wait for its end:
//! a share S/T of them, by times spread evenly over 0 to S. So the time that a share q of requests does not exceed is S - (1-q)T, where that is
//! above nothing, whatever R is. A tool that counts from when it sent loses all of it but the requests that were under way
//! (coordinated omission: Gil Tene, "How NOT to measure latency").

use std::{thread, time::Duration};

use crate::{
    bench::{arguments, Bench, Summary},
    embedded::Embedded,
    error::BenchError,
    goals::Verdict,
    table,
};

const RATE: u32 = 1000;
/// Length of the run.
const SECONDS: u64 = 10;
/// From its start to the stop; less exact than the length of the stop, which is measured.
const FREEZE_AFTER: Duration = Duration::from_secs(3);
const FREEZE: Duration = Duration::from_secs(2);
/// Users, and so requests that can be under way when it stops. Enough to have the backlog done within some ten milliseconds.
const USERS: u32 = 64;
/// What response times may be off from the closed form.
const ERROR_MAX: f64 = 0.02;
/// What the median may be above that of the service times, which knows nothing of the stop.
const MEDIAN_ABOVE_US_MAX: f64 = 1000.0;
/// Service times of all but those that were under way, which are fewer than one in a hundred.
const SERVICE_P99_US_MAX: f64 = 20_000.0;

/// A run with the stop in its middle.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let target = Embedded::start(bench)?;
    let (rate, time, users) = (format!("{RATE}/s"), format!("{SECONDS}s"), USERS.to_string());
    let mut args = arguments(["hit", &target.url("/hello/yangfan"), "--rate", &rate, "-d", &time]);
    args.extend(arguments(["--max-users", &users, "--catch-up", "burst"]));
    let (ran, frozen) = thread::scope(|scope| {
        let freezing = scope.spawn(|| {
            thread::sleep(FREEZE_AFTER);
            target.freeze(FREEZE)
        });
        let ran = bench.run_pummel(args, SECONDS + FREEZE.as_secs(), |_| {});
        (ran, freezing.join().expect("it sleeps and sends signals"))
    });
    let (_, summary) = ran?;
    report(&summary, frozen?.as_secs_f64())
}

/// What a share of requests does not exceed, microseconds.
fn expected_us(freeze_s: f64, share: f64) -> f64 {
    (freeze_s - (1.0 - share) * SECONDS as f64).max(0.0) * 1e6
}

fn report(summary: &Summary, freeze_s: f64) -> Result<(String, Vec<Verdict>), BenchError> {
    let response = |name: &str| summary.figure(&format!("/totals/response_us/{name}"));
    let service = |name: &str| summary.figure(&format!("/totals/service_us/{name}"));
    let mut rows = vec![["", "expected us", "response us", "off", "service us"].map(String::from).to_vec()];
    let mut verdicts = vec![Verdict::at_most(
        "response p50 above service p50",
        response("p50")? - service("p50")?,
        MEDIAN_ABOVE_US_MAX,
        |us| format!("{us:.0} us"),
    )];
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
        let (measured, expected) = (response(name)?, expected_us(freeze_s, share));
        let off = (expected > 0.0).then(|| measured / expected - 1.0);
        rows.push(vec![
            name.into(),
            table::count(expected),
            table::count(measured),
            table::or_dash(off.map(percent)),
            table::count(service(name)?),
        ]);
        if let Some(off) = off {
            verdicts.push(Verdict::at_most(
                format!("response {name} off the closed form"),
                off.abs(),
                ERROR_MAX,
                percent,
            ));
        }
    }
    let us = |us: f64| format!("{} us", table::count(us));
    verdicts.push(Verdict::at_most("service p99, of all but those under way", service("p99")?, SERVICE_P99_US_MAX, us));
    let off = service("max")? / expected_us(freeze_s, 1.0) - 1.0;
    verdicts.push(Verdict::at_most("service max off the stop", off.abs(), ERROR_MAX, percent));
    let text = format!("{}\nThe target stood still for {freeze_s:.3} s of {SECONDS} s.", table::markdown(&rows));
    Ok((text, verdicts))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{expected_us, report, Summary};

    #[test]
    fn the_closed_form() {
        let rounded = |share| expected_us(2.0, share).round() as u64;
        assert_eq!([0.5, 0.8, 0.9, 0.99, 1.0].map(rounded), [0, 0, 1_000_000, 1_900_000, 2_000_000]);
    }

    #[test]
    fn what_was_not_waited_for_is_missed() {
        let honest = json!({"p50": 200, "p90": 1_005_000, "p99": 1_901_000, "max": 2_003_000});
        let omitting = json!({"p50": 180, "p90": 220, "p99": 900, "max": 2_001_000});
        let judged = |response| {
            let summary = Summary::from(json!({"totals": {"response_us": response, "service_us": omitting}}));
            let (text, verdicts) = report(&summary, 2.0).unwrap();
            (text, verdicts.iter().map(|verdict| verdict.reached).collect::<Vec<_>>())
        };
        let (text, reached) = judged(honest);
        assert!(text.contains("| p90 |   1,000,000 |   1,005,000 | 0.5 % |        220 |"), "{text}");
        assert_eq!(reached, [true; 6]);
        // p90 and p99 are what a tool that counts from the sending loses.
        assert_eq!(judged(omitting.clone()).1, [true, false, false, true, true, true]);
    }
}
