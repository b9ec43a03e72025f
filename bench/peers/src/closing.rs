//! A connection for each request, at full speed for a minute: whether ports run out, and whether that was said beforehand.

use std::fs;

use crate::{
    bench::{arguments, Bench, Summary},
    error::BenchError,
    goals::Verdict,
    table,
};

/// Users of the run.
const USERS: &str = "64";
/// Length of the run: ports of closed connections rest for as long.
const SECONDS: u64 = 60;
/// What a warning about ports says, in the lines before the load.
const WARNING: &str = "run out";
/// The kind of error that is one connection for which there was no port.
const NO_PORT: &str = "address_exhausted";

/// `hit --disable-keepalive`.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let url = bench.nginx.base_url() + "/hello/yangfan";
    let args = arguments(["hit", &url, "-c", USERS, "-d", &format!("{SECONDS}s"), "--disable-keepalive"]);
    let ((ran, summary), _) = bench.nginx.serving(|| bench.run_pummel(args, SECONDS, |_| {}))?;
    let stderr = fs::read_to_string(bench.work.file("stderr")).unwrap_or_default();
    let warning = ran.stdout.lines().chain(stderr.lines()).find(|line| line.contains(WARNING)).map(str::trim);
    report(&summary, warning)
}

fn report(summary: &Summary, warning: Option<&str>) -> Result<(String, Vec<Verdict>), BenchError> {
    let (requests, opened) = (summary.count("/totals/requests")?, summary.count("/client/connections/opened")?);
    let errors = summary.errors(NO_PORT)?;
    let count = |figure: u64| table::count(figure as f64);
    let said = warning
        .map_or_else(|| "Nothing was said of it beforehand.".to_owned(), |line| format!("Said beforehand: {line}"));
    let text = format!(
        "{} requests over {} connections in {SECONDS} s; {} found no free port. {said}",
        count(requests),
        count(opened),
        count(errors)
    );
    let unannounced = if warning.is_some() { 0 } else { errors };
    Ok((text, vec![Verdict::exactly("address errors that were not warned of", unannounced, 0)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{report, Summary};

    #[test]
    fn errors_that_were_announced_are_no_surprise() {
        let summary = Summary::from(json!({
            "totals": {"requests": 12_000},
            "client": {"connections": {"opened": 11_990}},
            "errors": [
                {"kind": "address_exhausted", "step": "a", "count": 7},
                {"kind": "reset", "step": "a", "count": 2},
                {"kind": "address_exhausted", "step": "b", "count": 3},
            ],
        }));
        let (text, verdicts) = report(&summary, None).unwrap();
        assert!(text.starts_with("12,000 requests over 11,990 connections in 60 s; 10 found no free port."), "{text}");
        assert_eq!((verdicts[0].measured.as_str(), verdicts[0].reached), ("10", false));
        let (text, verdicts) = report(&summary, Some("ports may run out")).unwrap();
        assert!(text.ends_with("Said beforehand: ports may run out"), "{text}");
        assert!(verdicts[0].reached);
    }
}
