//! What happened in a span of time.

use std::collections::HashMap;

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

    /// Adds another span of the same row. The result is exact.
    pub fn merge(&mut self, other: &KeptPart) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.service_us.merge(&other.service_us);
        self.response_us.merge(&other.response_us);
        self.failed_us.merge(&other.failed_us);
    }
}

impl KeptSecond {
    /// Adds the span that follows. The result is exact; percentiles are those of the samples of both.
    pub fn merge(&mut self, next: &KeptSecond) {
        let (point, later) = (&mut self.point, &next.point);
        point.span_s += later.span_s;
        point.users = later.users;
        point.requests += later.requests;
        point.failures += later.failures;
        point.bytes_received += later.bytes_received;
        point.handshakes += later.handshakes;
        point.plugin_calls += later.plugin_calls;
        point.arrivals += later.arrivals;
        point.arrivals_missed += later.arrivals_missed;
        let cpu_share_max = self.client.cpu_share_max.into_iter().chain(next.client.cpu_share_max).reduce(f64::max);
        self.client = KeptClient { cpu_share_max, ..next.client };
        let places: HashMap<usize, usize> = self.parts.iter().enumerate().map(|(at, part)| (part.row, at)).collect();
        for part in &next.parts {
            match places.get(&part.row) {
                Some(at) => self.parts[*at].merge(part),
                None => self.parts.push(part.clone()),
            }
        }
    }

    /// Works out the percentiles of [`Self::point`] again, over the rows that `is_request` says are requests.
    pub fn refigure(&mut self, is_request: impl Fn(usize) -> bool) {
        let mut all = Distribution::default();
        for part in self.parts.iter().filter(|part| is_request(part.row)) {
            all.merge(part.latency());
        }
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
/// the warm-up and of the run.
pub fn merged_spans(
    seconds: impl Iterator<Item = KeptSecond>,
    length_s: u64,
    most: usize,
    is_request: impl Fn(usize) -> bool,
) -> Vec<KeptSecond> {
    let each_s = length_s.div_ceil(most.max(1) as u64).max(1);
    let mut spans: Vec<KeptSecond> = Vec::new();
    for second in seconds {
        match spans.last_mut() {
            Some(last) if last.goes_with(&second, each_s) => last.merge(&second),
            _ => spans.push(second),
        }
    }
    for span in &mut spans {
        span.refigure(&is_request);
    }
    spans
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
    fn spans_merge_exactly_and_keep_the_ends_apart() {
        let mut seconds: Vec<_> = (0..5).map(|t_s| second(t_s, &[10 * (t_s + 1)])).collect();
        seconds[0].point.warmup = true;
        seconds.push(second(5, &[999]));
        seconds[5].point.drain = true;
        let spans = merged_spans(seconds.into_iter(), 6, 3, |_| true);
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
