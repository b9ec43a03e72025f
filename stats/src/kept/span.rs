//! What happened in a span of time.

use serde::{Deserialize, Serialize};

use crate::latency::Distribution;
use crate::summary::SeriesPoint;

/// What happened in a span of time: a second as it was published, or several that were merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptSecond {
    /// When it began, how many seconds it covers, and the sums over it; users are those at its end. Its percentiles are of all requests.
    pub point: SeriesPoint,
    /// How the load generator was doing at its end.
    pub client: KeptClient,
    /// Row by row, those with activity only, by their place in [`KeptRun::rows`](super::KeptRun::rows).
    pub parts: Vec<KeptPart>,
}

/// How the load generator was doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptClient {
    /// CPU share of the busiest core of the load, 0 to 1; of a merged span the largest.
    pub cpu_share_max: Option<f64>,
    /// Connections open.
    pub connections_open: u64,
    /// Connections opened so far.
    pub connections_opened: u64,
    /// Sockets of the machine in `TIME_WAIT`.
    pub time_wait: Option<u64>,
}

/// One row in a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptPart {
    /// Its place among the run's rows.
    pub row: usize,
    /// Requests that succeeded, or transactions that passed.
    pub succeeded: u64,
    /// Requests or transactions that failed.
    pub failed: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes handed to sockets.
    pub bytes_sent: u64,
    /// Service time of the requests that succeeded; of transactions the durations of all.
    pub service_us: Distribution,
    /// Response time of the requests that succeeded, in an open run; empty in a closed one, and for transactions.
    pub response_us: Distribution,
    /// Time the failed requests took; empty for transactions.
    pub failed_us: Distribution,
}

impl KeptPart {
    /// The latency that percentiles mean unless they say otherwise: response time in an open run, service time in a closed one.
    pub fn latency(&self) -> &Distribution {
        if self.response_us.count() > 0 {
            &self.response_us
        } else {
            &self.service_us
        }
    }

    /// Spans of the same row together; nothing of none. The result is exact.
    pub fn merged(parts: &[KeptPart]) -> Self {
        let sum = |count: fn(&KeptPart) -> u64| parts.iter().map(count).sum();
        let latencies = |of: fn(&KeptPart) -> &Distribution| Distribution::merged(parts.iter().map(of));
        Self {
            row: parts.first().map_or(0, |part| part.row),
            succeeded: sum(|part| part.succeeded),
            failed: sum(|part| part.failed),
            bytes_received: sum(|part| part.bytes_received),
            bytes_sent: sum(|part| part.bytes_sent),
            service_us: latencies(|part| &part.service_us),
            response_us: latencies(|part| &part.response_us),
            failed_us: latencies(|part| &part.failed_us),
        }
    }
}

/// One row over any number of spans.
#[derive(Debug, Default)]
pub(crate) struct PartSum {
    /// What was merged so far, and what came since.
    parts: Vec<KeptPart>,
}

impl PartSum {
    /// So many are merged at once: each merge goes through all that was merged before.
    const AT_ONCE: usize = 16;

    /// Adds a span of the row.
    pub(crate) fn add(&mut self, part: KeptPart) {
        self.parts.push(part);
        if self.parts.len() == Self::AT_ONCE {
            self.parts = vec![KeptPart::merged(&self.parts)];
        }
    }

    /// All that was added. Exact.
    pub(crate) fn finish(&self) -> KeptPart {
        KeptPart::merged(&self.parts)
    }
}

impl KeptSecond {
    /// Spans that follow each other together, without the percentiles of [`Self::point`]. The result is exact.
    fn merged(spans: Vec<KeptSecond>) -> Self {
        let mut whole = Self::default();
        whole.point.span_s = 0;
        let mut parts = Vec::new();
        for (n, span) in spans.into_iter().enumerate() {
            let (point, later) = (&mut whole.point, &span.point);
            if n == 0 {
                (point.t_s, point.warmup, point.drain) = (later.t_s, later.warmup, later.drain);
            }
            point.span_s += later.span_s;
            point.users = later.users;
            point.requests += later.requests;
            point.failures += later.failures;
            point.bytes_received += later.bytes_received;
            point.handshakes += later.handshakes;
            point.plugin_calls += later.plugin_calls;
            point.arrivals += later.arrivals;
            point.arrivals_missed += later.arrivals_missed;
            let shares = whole.client.cpu_share_max.into_iter().chain(span.client.cpu_share_max);
            whole.client = KeptClient { cpu_share_max: shares.reduce(f64::max), ..span.client };
            parts.extend(span.parts);
        }
        parts.sort_by_key(|part: &KeptPart| part.row);
        whole.parts = parts.chunk_by(|one, other| one.row == other.row).map(KeptPart::merged).collect();
        whole
    }

    /// The latency of all rows together that `is_request` says are requests.
    pub fn latency(&self, is_request: impl Fn(usize) -> bool) -> Distribution {
        Distribution::merged(self.parts.iter().filter(|part| is_request(part.row)).map(KeptPart::latency))
    }

    /// Works out the percentiles of [`Self::point`] again, over the rows that `is_request` says are requests.
    pub fn refigure(&mut self, is_request: impl Fn(usize) -> bool) {
        let all = self.latency(is_request);
        (self.point.p50_us, self.point.p95_us, self.point.p99_us) =
            (all.value_at(0.50), all.value_at(0.95), all.value_at(0.99));
    }

    /// Whether a span is to be merged with the one after it where each is to have `each_s` seconds: not the warm-up with what is
    /// measured, and not the drain with anything.
    fn goes_with(&self, next: &KeptSecond, each_s: u64) -> bool {
        !self.point.drain
            && !next.point.drain
            && self.point.warmup == next.point.warmup
            && self.point.t_s / each_s == next.point.t_s / each_s
    }
}

/// Merges spans that follow each other until there are at most about `most`, each with the same number of seconds but for the ends of
/// the warm-up and of the run. No more of them are in memory than make one. The percentiles of the points of merged
/// ones are [to be worked out](KeptSecond::refigure).
pub fn merged_spans(
    seconds: impl Iterator<Item = KeptSecond>,
    length_s: u64,
    most: usize,
) -> impl Iterator<Item = KeptSecond> {
    let each_s = length_s.div_ceil(most.max(1) as u64).max(1);
    let mut seconds = seconds.peekable();
    std::iter::from_fn(move || {
        let mut spans = vec![seconds.next()?];
        while let Some(next) = seconds.next_if(|next| spans[0].goes_with(next, each_s)) {
            spans.push(next);
        }
        Some(if spans.len() == 1 { spans.remove(0) } else { KeptSecond::merged(spans) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(t_s: u64, service_us: &[u64]) -> KeptSecond {
        let requests = service_us.len() as u64;
        let part = KeptPart {
            succeeded: requests,
            service_us: Distribution::of(service_us.iter().copied()),
            ..KeptPart::default()
        };
        let point = SeriesPoint { t_s, requests, users: t_s + 1, ..SeriesPoint::default() };
        KeptSecond { point, parts: vec![part], ..KeptSecond::default() }
    }

    #[test]
    fn a_row_adds_up_however_many_spans_it_has() {
        let mut sum = PartSum::default();
        assert_eq!(sum.finish(), KeptPart::default());
        for t_s in 0..100 {
            sum.add(KeptPart { row: 3, failed: 1, ..second(t_s, &[t_s % 2 + 1]).parts.remove(0) });
        }
        let whole = sum.finish();
        assert_eq!((whole.row, whole.succeeded, whole.failed), (3, 100, 100));
        assert_eq!(whole.service_us.buckets(), [(1, 50), (2, 50)]);
    }

    #[test]
    fn spans_merge_exactly_and_keep_the_ends_apart() {
        let mut seconds: Vec<_> = (0..5).map(|t_s| second(t_s, &[10 * (t_s + 1)])).collect();
        seconds[0].point.warmup = true;
        seconds.push(second(5, &[999]));
        seconds[5].point.drain = true;
        let mut spans: Vec<_> = merged_spans(seconds.into_iter(), 6, 3).collect();
        for span in &mut spans {
            span.refigure(|_| true);
        }
        let seen: Vec<_> = spans
            .iter()
            .map(|span| (span.point.t_s, span.point.span_s, span.point.requests, span.point.p50_us))
            .collect();
        assert_eq!(
            seen,
            [(0, 1, 1, Some(10)), (1, 1, 1, Some(20)), (2, 2, 2, Some(30)), (4, 1, 1, Some(50)), (5, 1, 1, Some(999))]
        );
        assert_eq!(spans[2].parts[0].service_us.buckets(), [(30, 1), (40, 1)]);
        assert_eq!((spans[2].point.users, spans[2].point.span_s), (4, 2));
    }
}
