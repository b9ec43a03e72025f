//! Made-up runs for the tests of this module.

use crate::kept::{KeptPart, KeptRun, KeptSecond, RunState};
use crate::latency::Distribution;
use crate::row::{RowKey, RowKind};
use crate::summary::{SeriesPoint, Summary};

/// A run with steps of these names and nothing to say of its own.
pub(crate) fn kept_run(names: &[&str]) -> KeptRun {
    let key = |name: &&str| RowKey {
        case: "case".into(),
        kind: RowKind::Request,
        label: "request-GET".into(),
        name: (*name).into(),
    };
    KeptRun { label: None, state: RunState::Ended, summary: Summary::default(), rows: names.iter().map(key).collect() }
}

/// A second in which each row had requests that took so long, microseconds.
pub(crate) fn kept_second(t_s: u64, service_us: &[&[u64]]) -> KeptSecond {
    let part = |(row, values): (usize, &&[u64])| KeptPart {
        row,
        succeeded: values.len() as u64,
        service_us: distribution(values),
        ..KeptPart::default()
    };
    let parts = service_us.iter().enumerate().filter(|(_, values)| !values.is_empty()).map(part).collect();
    KeptSecond { point: SeriesPoint { t_s, ..SeriesPoint::default() }, parts, ..KeptSecond::default() }
}

/// These latencies, microseconds.
pub(crate) fn distribution(values: &[u64]) -> Distribution {
    Distribution::of(values.iter().copied())
}
