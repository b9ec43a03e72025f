//! Runs made up for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kept::{KeptClient, KeptPart, KeptRun, KeptSecond, RunState};
use crate::latency::{Distribution, Moments};
use crate::row::{RowKey, RowKind};
use crate::sample;
use crate::summary::{SeriesPoint, Step};

/// Each value in a bucket of its own: a histogram for each of some ten thousand parts would take a test half a minute.
pub(super) fn distribution(values_us: impl IntoIterator<Item = u64>) -> Distribution {
    let mut moments = Moments::default();
    let mut buckets = BTreeMap::new();
    for us in values_us {
        moments.record(us);
        *buckets.entry(us).or_default() += 1;
    }
    Distribution::new(moments, buckets.into_iter().collect())
}

pub(super) fn key(kind: RowKind, name: &str) -> RowKey {
    let label = match kind {
        RowKind::Request | RowKind::Setup => "request-GET",
        RowKind::Transaction => "transaction",
    };
    RowKey { case: "case".into(), kind, label: label.into(), name: name.into() }
}

/// The summary of [`sample::summary`] with other rows.
pub(super) fn run(rows: Vec<RowKey>) -> KeptRun {
    KeptRun { label: None, state: RunState::Ended, summary: sample::summary(), rows }
}

/// A span in which rows have so many failures beside the latencies of what succeeded: (row, latencies, failures).
pub(super) fn span(t_s: u64, span_s: u64, parts: &[(usize, &[u64], u64)]) -> KeptSecond {
    let parts: Vec<KeptPart> = parts
        .iter()
        .map(|&(row, latencies_us, failed)| KeptPart {
            row,
            succeeded: latencies_us.len() as u64,
            failed,
            bytes_received: 0,
            bytes_sent: 100 * (latencies_us.len() as u64 + failed),
            service_us: distribution(latencies_us.iter().copied()),
            ..KeptPart::default()
        })
        .collect();
    let point = SeriesPoint {
        t_s,
        span_s,
        users: 10 + t_s,
        requests: parts.iter().map(|part| part.succeeded + part.failed).sum(),
        failures: parts.iter().map(|part| part.failed).sum(),
        bytes_received: 3_000,
        ..SeriesPoint::default()
    };
    let client = KeptClient { cpu_share_max: Some(0.25), connections_open: 4, ..KeptClient::default() };
    KeptSecond { point, client, parts }
}

/// An hour of 20 steps and two transactions in 600 spans of 6 s, in each of which each row has 50 samples.
pub(super) fn hour() -> (KeptRun, Vec<KeptSecond>) {
    const STEPS: usize = 20;
    let name = |n: usize| format!("step {n}: a name of usual length for a step");
    let mut rows: Vec<RowKey> = (0..STEPS).map(|n| key(RowKind::Request, &name(n))).collect();
    rows.extend((0..2).map(|n| key(RowKind::Transaction, &format!("transaction {n}"))));
    let mut made = run(rows);
    let like = made.summary.steps[0].clone();
    made.summary.steps = (0..STEPS).map(|n| Step { name: name(n), ..like.clone() }).collect();
    // No two spans are equal, and latencies have as many digits as they do where a server takes a second: buckets are 256 us wide at
    // least there.
    let mut random = fixed_random();
    let spans = (0..600)
        .map(|n| {
            let latencies: Vec<Vec<u64>> =
                made.rows.iter().map(|_| (0..50).map(|_| (131_072 + random() % 900_000) | 255).collect()).collect();
            let parts: Vec<(usize, &[u64], u64)> =
                latencies.iter().enumerate().map(|(row, us)| (row, us.as_slice(), n % 7)).collect();
            span(n * 6, 6, &parts)
        })
        .collect();
    (made, spans)
}

/// Numbers without a pattern, the same in each test (xorshift, Marsaglia 2003).
fn fixed_random() -> impl FnMut() -> u64 {
    let mut state = 88_172_645_463_325_252_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// A name that would be markup, end a script, break lines and fill a screen.
pub(super) fn hostile_name() -> Arc<str> {
    format!("</script><img src=x onerror=alert(1)>\"'\n\u{2028}{}", "x".repeat(10_000)).into()
}
