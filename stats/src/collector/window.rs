//! When the load began and ended, and how long its parts lasted.

use crate::clock::NS_PER_S;

/// The times of a run, nanoseconds on the run clock.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_field_names, reason = "units stand last in a name, also where they agree")]
pub(super) struct Window {
    /// Where the warm-up ends, if there is one.
    pub(super) warmup_ns: Option<u64>,
    pub(super) first_user_ns: Option<u64>,
    pub(super) stopped_ns: Option<u64>,
    pub(super) last_user_ns: u64,
    pub(super) finished_ns: u64,
}

impl Window {
    /// Where the load ended: at the stop, or without one, when the last user did.
    fn end_ns(&self) -> u64 {
        self.stopped_ns.unwrap_or(self.last_user_ns)
    }

    /// The load ended within the warm-up, so nothing was measured.
    pub(super) fn ended_in_warmup(&self) -> bool {
        self.warmup_ns.is_some_and(|warmup_ns| self.end_ns() <= warmup_ns)
    }

    /// Length of what is measured: from the first user's start, or the warm-up's end, to the end of the load, seconds.
    pub(super) fn load_s(&self) -> f64 {
        self.load_until_s(self.end_ns())
    }

    /// Length of the warm-up, from the first user's start to its end or to that of the load, seconds.
    pub(super) fn warmup_s(&self) -> f64 {
        self.warmup_until_s(self.end_ns())
    }

    /// Length of the warm-up that was asked for, seconds.
    pub(super) fn planned_warmup_s(&self) -> f64 {
        self.warmup_ns.map_or(0.0, seconds)
    }

    /// Length of both, seconds.
    pub(super) fn whole_load_s(&self) -> f64 {
        self.whole_load_until_s(self.end_ns())
    }

    /// From the first user's start to the end of the last core's work, seconds.
    pub(super) fn duration_s(&self) -> f64 {
        self.since_first_user_s(self.finished_ns.max(self.end_ns()))
    }

    /// As [`load_s`](Self::load_s), of a load that goes on.
    pub(super) fn load_until_s(&self, now_ns: u64) -> f64 {
        let from_ns = self.first_user_ns.map(|first_ns| first_ns.max(self.warmup_ns.unwrap_or(0)));
        from_ns.map_or(0.0, |from_ns| seconds(self.load_ns(now_ns).saturating_sub(from_ns)))
    }

    /// As [`warmup_s`](Self::warmup_s), of a load that goes on.
    pub(super) fn warmup_until_s(&self, now_ns: u64) -> f64 {
        self.warmup_ns.map_or(0.0, |warmup_ns| self.since_first_user_s(self.load_ns(now_ns).min(warmup_ns)))
    }

    /// As [`whole_load_s`](Self::whole_load_s), of a load that goes on.
    pub(super) fn whole_load_until_s(&self, now_ns: u64) -> f64 {
        self.since_first_user_s(self.load_ns(now_ns))
    }

    fn load_ns(&self, now_ns: u64) -> u64 {
        self.stopped_ns.map_or(now_ns, |stop_ns| stop_ns.min(now_ns))
    }

    fn since_first_user_s(&self, until_ns: u64) -> f64 {
        self.first_user_ns.map_or(0.0, |first_ns| seconds(until_ns.saturating_sub(first_ns)))
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / NS_PER_S as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Load from second 1 to second 11.
    fn ten_seconds() -> Window {
        Window { first_user_ns: Some(NS_PER_S), stopped_ns: Some(11 * NS_PER_S), ..Window::default() }
    }

    fn same(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn it_ends_at_the_stop_or_with_the_last_user() {
        assert!(same(ten_seconds().load_s(), 10.0));
        let unstopped = Window { stopped_ns: None, last_user_ns: 3 * NS_PER_S, ..ten_seconds() };
        assert!(same(unstopped.load_s(), 2.0));
        assert!(same(Window::default().load_s(), 0.0));
        let drained = Window { finished_ns: 12_500_000_000, ..ten_seconds() };
        assert!(same(drained.duration_s(), 11.5));
        assert!(same(ten_seconds().warmup_s(), 0.0) && !ten_seconds().ended_in_warmup());
    }

    #[test]
    fn the_warmup_and_what_is_measured_make_the_whole() {
        let window = Window { warmup_ns: Some(4 * NS_PER_S), ..ten_seconds() };
        // Of the warm-up 3 s had users.
        assert!(same(window.warmup_s(), 3.0) && same(window.load_s(), 7.0) && same(window.whole_load_s(), 10.0));
        assert!(same(window.load_until_s(3 * NS_PER_S), 0.0) && same(window.warmup_until_s(3 * NS_PER_S), 2.0));
        assert!(same(window.load_until_s(6 * NS_PER_S), 2.0) && same(window.warmup_until_s(6 * NS_PER_S), 3.0));
        assert!(same(window.whole_load_until_s(6 * NS_PER_S), 5.0) && !window.ended_in_warmup());
    }

    #[test]
    fn a_first_user_that_came_after_the_warmup_begins_what_is_measured() {
        let window = Window { warmup_ns: Some(NS_PER_S / 2), ..ten_seconds() };
        assert!(same(window.warmup_s(), 0.0) && same(window.load_s(), 10.0));
    }

    #[test]
    fn a_load_that_ends_within_the_warmup_is_not_measured() {
        for warmup_s in [11, 20] {
            let window = Window { warmup_ns: Some(warmup_s * NS_PER_S), ..ten_seconds() };
            assert!(window.ended_in_warmup() && same(window.load_s(), 0.0) && same(window.warmup_s(), 10.0));
        }
        assert!(Window { warmup_ns: Some(1), ..Window::default() }.ended_in_warmup());
    }
}
