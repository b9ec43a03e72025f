//! The seconds of the run: which are published, what each held, and what came late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::clock::NS_PER_S;
use crate::interval::SecondTally;
use crate::snapshot::{Correction, RowSecond};
use crate::summary::SeriesPoint;

use super::totals::overall;

/// Published seconds whose distributions are kept, so that a late part can be merged into their percentiles. A part that
/// is later than this adds its counts, and the percentiles stay as published.
const KEPT_SECONDS: usize = 8;

/// What one second holds.
#[derive(Default)]
struct Second {
    users: u64,
    requests: u64,
    failures: u64,
    bytes_received: u64,
    handshakes: u64,
    plugin_calls: u64,
    arrivals: u64,
    arrivals_missed: u64,
    /// By place in the totals.
    rows: BTreeMap<usize, RowSecond>,
}

impl Second {
    fn count(&mut self, tally: &SecondTally) {
        self.users += tally.users;
        self.requests += tally.requests;
        self.failures += tally.failures;
        self.bytes_received += tally.bytes_received;
        self.handshakes += tally.handshakes;
        self.plugin_calls += tally.plugin_calls;
        self.arrivals += tally.arrivals;
        self.arrivals_missed += tally.arrivals_missed;
    }

    fn add_rows(&mut self, parts: Vec<(usize, RowSecond)>) {
        for (index, part) in parts {
            match self.rows.entry(index) {
                std::collections::btree_map::Entry::Vacant(slot) => {
                    slot.insert(part);
                }
                std::collections::btree_map::Entry::Occupied(mut slot) => slot.get_mut().merge(&part),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.requests == 0 && self.handshakes == 0 && self.plugin_calls == 0 && self.rows.is_empty()
    }

    fn point(&self, t_s: u64, warmup: bool, drain: bool) -> SeriesPoint {
        let overall = overall(self.rows.values());
        SeriesPoint {
            t_s,
            span_s: 1,
            users: self.users,
            requests: self.requests,
            failures: self.failures,
            p50_us: overall.value_at(0.50),
            p95_us: overall.value_at(0.95),
            p99_us: overall.value_at(0.99),
            bytes_received: self.bytes_received,
            handshakes: self.handshakes,
            plugin_calls: self.plugin_calls,
            arrivals: self.arrivals,
            arrivals_missed: self.arrivals_missed,
            warmup,
            drain,
        }
    }
}

/// The seconds of a run in order, and its drain.
#[derive(Default)]
pub(super) struct Timeline {
    /// Where the warm-up ends; 0 without one.
    warmup_ns: u64,
    /// Published seconds; the place is the second.
    series: Vec<SeriesPoint>,
    /// Distributions of the last published seconds, the oldest first.
    kept: VecDeque<Second>,
    /// Seconds not yet published, the next first.
    open: VecDeque<Second>,
    drain: Second,
    corrections: Vec<Arc<Correction>>,
    corrected: u64,
}

impl Timeline {
    /// That of a run whose warm-up ends there, if it has one.
    pub(super) fn new(warmup_ns: Option<u64>) -> Self {
        Self { warmup_ns: warmup_ns.unwrap_or(0), ..Self::default() }
    }

    /// Whether a second begins within the warm-up.
    pub(super) fn in_warmup(&self, second: u64) -> bool {
        second.saturating_mul(NS_PER_S) < self.warmup_ns
    }

    /// The second to publish next.
    pub(super) fn next(&self) -> u64 {
        self.series.len() as u64
    }

    /// One past the last second anything is known of.
    pub(super) fn end(&self) -> u64 {
        self.next() + self.open.len() as u64
    }

    /// Adds an interval's seconds. The rows belong to the last of them. What is late becomes a correction.
    pub(super) fn add(&mut self, tallies: &[SecondTally], rows: Vec<(usize, RowSecond)>) {
        let Some((last, before)) = tallies.split_last() else { return };
        for tally in before {
            self.add_second(tally, Vec::new());
        }
        self.add_second(last, rows);
    }

    fn add_second(&mut self, tally: &SecondTally, rows: Vec<(usize, RowSecond)>) {
        if tally.drain {
            self.drain.count(tally);
            self.drain.add_rows(rows);
            return;
        }
        if tally.second < self.next() {
            let counted =
                tally.requests + tally.handshakes + tally.plugin_calls + tally.arrivals + tally.arrivals_missed;
            if tally.users + counted > 0 || !rows.is_empty() {
                self.correct(tally, rows);
            }
            return;
        }
        let place = (tally.second - self.next()) as usize;
        if self.open.len() <= place {
            self.open.resize_with(place + 1, Second::default);
        }
        self.open[place].count(tally);
        self.open[place].add_rows(rows);
    }

    fn correct(&mut self, tally: &SecondTally, rows: Vec<(usize, RowSecond)>) {
        let late: Vec<_> = rows.iter().map(|(_, row)| Arc::new(row.clone())).collect();
        let warmup = self.in_warmup(tally.second);
        let age = (self.next() - tally.second) as usize;
        let published = &mut self.series[tally.second as usize];
        if let Some(kept) = self.kept.len().checked_sub(age).map(|place| &mut self.kept[place]) {
            kept.count(tally);
            kept.add_rows(rows);
            *published = kept.point(tally.second, warmup, false);
        } else {
            published.users += tally.users;
            published.requests += tally.requests;
            published.failures += tally.failures;
            published.bytes_received += tally.bytes_received;
            published.handshakes += tally.handshakes;
            published.plugin_calls += tally.plugin_calls;
            published.arrivals += tally.arrivals;
            published.arrivals_missed += tally.arrivals_missed;
        }
        self.corrected += 1;
        let correction = Correction { number: self.corrected, point: published.clone(), rows: late };
        self.corrections.push(Arc::new(correction));
    }

    /// Publishes the next second as it stands.
    pub(super) fn publish(&mut self) -> (SeriesPoint, Vec<Arc<RowSecond>>) {
        let second = self.open.pop_front().unwrap_or_default();
        let point = second.point(self.next(), self.in_warmup(self.next()), false);
        let rows = shared_rows(&second);
        self.series.push(point.clone());
        self.kept.push_back(second);
        if self.kept.len() > KEPT_SECONDS {
            self.kept.pop_front();
        }
        (point, rows)
    }

    /// The drain, if anything finished after the stop; it belongs to the `warmup` where the stop came within that. Call it once,
    /// when every second is published.
    pub(super) fn publish_drain(&mut self, warmup: bool) -> Option<(SeriesPoint, Vec<Arc<RowSecond>>)> {
        if self.drain.is_empty() {
            return None;
        }
        let point = self.drain.point(self.next(), warmup, true);
        let rows = shared_rows(&self.drain);
        self.series.push(point.clone());
        Some((point, rows))
    }

    /// Whether corrections wait to be taken.
    pub(super) fn has_corrections(&self) -> bool {
        !self.corrections.is_empty()
    }

    /// Corrections since the last call.
    pub(super) fn take_corrections(&mut self) -> Vec<Arc<Correction>> {
        std::mem::take(&mut self.corrections)
    }

    /// Every published second and the drain.
    pub(super) fn series(&self) -> &[SeriesPoint] {
        &self.series
    }
}

fn shared_rows(second: &Second) -> Vec<Arc<RowSecond>> {
    second.rows.values().map(|row| Arc::new(row.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Recorded;
    use crate::row::{RowKey, RowKind};

    fn part(values: &[u64]) -> Vec<(usize, RowSecond)> {
        let key = RowKey { case: "c".into(), kind: RowKind::Request, label: "request-GET".into(), name: "n".into() };
        let mut recorded = Recorded::<u32>::default();
        for &value in values {
            recorded.record(value);
        }
        let mut row = RowSecond::new(Arc::new(key));
        row.succeeded = values.len() as u64;
        row.latency = recorded.to_distribution();
        vec![(0, row)]
    }

    fn tally(second: u64, requests: u64) -> SecondTally {
        SecondTally { second, users: 1, requests, ..SecondTally::default() }
    }

    #[test]
    fn two_cores_make_one_second() {
        let mut timeline = Timeline::default();
        timeline.add(&[tally(0, 3)], part(&[10, 20, 30]));
        timeline.add(&[tally(0, 1)], part(&[40]));
        let (point, rows) = timeline.publish();
        assert_eq!((point.t_s, point.users, point.requests), (0, 2, 4));
        assert_eq!((point.p50_us, point.p95_us, point.p99_us), (Some(20), Some(40), Some(40)));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].succeeded, 4);
        assert!(timeline.take_corrections().is_empty());
    }

    #[test]
    fn a_late_part_is_a_numbered_correction() {
        let mut timeline = Timeline::default();
        timeline.add(&[tally(0, 1)], part(&[10]));
        timeline.publish();
        timeline.publish();
        timeline.add(&[tally(0, 2), tally(1, 1)], part(&[30]));
        let corrections = timeline.take_corrections();
        assert_eq!(corrections.iter().map(|c| c.number).collect::<Vec<_>>(), [1, 2]);
        // Second 0 gets counts alone; the distribution of the late interval belongs to its last second.
        assert_eq!((corrections[0].point.t_s, corrections[0].point.requests), (0, 3));
        assert!(corrections[0].rows.is_empty());
        assert_eq!((corrections[1].point.requests, corrections[1].point.p50_us), (1, Some(30)));
        assert_eq!(corrections[1].rows[0].succeeded, 1);
        assert_eq!(timeline.series().iter().map(|p| p.requests).sum::<u64>(), 4);
        assert!(timeline.take_corrections().is_empty());
    }

    #[test]
    fn a_part_older_than_what_is_kept_still_counts() {
        let mut timeline = Timeline::default();
        timeline.add(&[tally(0, 1)], part(&[10]));
        for _ in 0..=KEPT_SECONDS {
            timeline.publish();
        }
        timeline.add(&[tally(0, 5)], part(&[50; 5]));
        assert_eq!(timeline.series()[0].requests, 6);
        assert_eq!(timeline.series()[0].p50_us, Some(10));
        assert_eq!(timeline.take_corrections()[0].rows[0].latency.count(), 5);
    }

    #[test]
    fn seconds_that_begin_within_the_warmup_are_marked() {
        let mut timeline = Timeline::new(Some(1_200_000_000));
        (0..3).for_each(|second| timeline.add(&[tally(second, 1)], part(&[10])));
        (0..3).for_each(|_| drop(timeline.publish()));
        timeline.add(&[tally(1, 1)], part(&[30]));
        let marks: Vec<_> = timeline.series().iter().map(|point| (point.warmup, point.requests)).collect();
        assert_eq!(marks, [(true, 1), (true, 2), (false, 1)]);
        assert!(timeline.take_corrections()[0].point.warmup);
        assert!(!Timeline::default().in_warmup(0));
    }

    #[test]
    fn the_drain_stands_after_the_last_second() {
        let mut timeline = Timeline::default();
        timeline.add(&[tally(0, 1)], part(&[10]));
        timeline.add(&[SecondTally { requests: 2, drain: true, ..SecondTally::default() }], part(&[70, 80]));
        assert_eq!(timeline.end(), 1);
        timeline.publish();
        let (point, _) = timeline.publish_drain(false).unwrap();
        assert_eq!((point.t_s, point.requests, point.p50_us, point.drain), (1, 2, Some(70), true));
        assert_eq!(timeline.series().len(), 2);
    }
}
