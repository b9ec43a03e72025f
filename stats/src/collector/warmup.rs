//! The warm-up's part of the summary.

use crate::latency::Latency;
use crate::row::RowKind;
use crate::summary::Warmup;

use super::report::{all_exchanges, per_second, step, transaction};
use super::thread::StatsThread;
use super::totals::RowSum;

/// What the warm-up did; `None` where there was none.
pub(super) fn summary(stats: &mut StatsThread) -> Option<Warmup> {
    let (window, warmup) = (stats.window, stats.warmup.as_deref_mut()?);
    let errors = warmup.errors().to_vec();
    let duration_s = window.warmup_s();
    let in_window = warmup.of_kind(RowKind::Request).map(|row| row.in_window).sum();
    // Rows that came up later are known here, too.
    let seen = |row: &&RowSum| row.succeeded + row.failed + row.abandoned > 0;
    Some(Warmup {
        planned_s: window.planned_warmup_s(),
        duration_s,
        requests: warmup.counts.succeeded + warmup.counts.failed,
        failures: warmup.counts.failed,
        rps: per_second(in_window, duration_s),
        bytes_received: warmup.counts.bytes_received,
        exchanges: all_exchanges(warmup),
        service_us: Latency::from(&warmup.service),
        response_us: Latency::from(&warmup.response),
        failed_us: Latency::from(&warmup.failed_us),
        steps: warmup.of_kind(RowKind::Request).filter(seen).map(|row| step(row, duration_s)).collect(),
        transactions: warmup
            .of_kind(RowKind::Transaction)
            .filter(seen)
            .map(|row| transaction(row, duration_s))
            .collect(),
        errors,
    })
}
