//! Calls of plugin functions.

use crate::interval::{Interval, UserTime};
use crate::latency::{Distribution, Latency, Recorded};
use crate::row::RowKind;
use crate::summary::Plugin;

use super::thread::StatsThread;
use super::FinalFacts;

/// What the cores have handed over of calls, added up. How many there were stands among the counts.
pub(super) struct PluginTotals {
    call_us: Recorded<u64>,
    /// Time in calls of iterations, up to the stop, microseconds.
    in_iterations_us: u64,
    /// For each core, the most calls it had under way at once.
    in_flight_max: Vec<u64>,
}

impl PluginTotals {
    pub(super) fn new(cores: usize) -> Self {
        Self { call_us: Recorded::default(), in_iterations_us: 0, in_flight_max: vec![0; cores] }
    }

    /// Adds what an interval holds outside its rows.
    pub(super) fn merge(&mut self, interval: &Interval, in_window: bool) {
        let most = &mut self.in_flight_max[interval.core];
        *most = (*most).max(interval.plugin_in_flight_max);
        if let Some(calls) = &interval.plugin_elsewhere {
            self.add(&calls.to_distribution(), in_window);
        }
        if let Some(calls) = &interval.plugin_in_setup {
            self.add(&calls.to_distribution(), false);
        }
    }

    /// Adds the calls of one row's interval. Those of once-per-user steps are no part of iterations.
    pub(super) fn merge_row(&mut self, kind: RowKind, calls: &Distribution, in_window: bool) {
        self.add(calls, in_window && kind != RowKind::Setup);
    }

    fn add(&mut self, calls: &Distribution, in_iterations: bool) {
        self.call_us.merge(calls);
        self.in_iterations_us += if in_iterations { calls.moments().sum() } else { 0 };
    }

    /// What calls took, together with those of the other part of the run.
    fn call_us(&self, other: Option<&Self>) -> Latency {
        let Some(other) = other else { return Latency::from(&self.call_us) };
        let mut both = Recorded::<u64>::default();
        both.merge(&self.call_us.to_distribution());
        both.merge(&other.call_us.to_distribution());
        Latency::from(&both)
    }

    /// The most calls each core had under way at once, added up.
    fn in_flight_max(&self, other: Option<&Self>) -> u64 {
        let of_other = |core: usize| other.map_or(0, |other| other.in_flight_max[core]);
        self.in_flight_max.iter().enumerate().map(|(core, &most)| most.max(of_other(core))).sum()
    }

    /// How many calls the histogram holds, for the check of the counts.
    pub(super) fn bucketed(&self) -> u64 {
        self.call_us.bucketed()
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.call_us.held_bytes()
    }

    /// Share of the iterations' time that went by in calls, 0 to 1.
    ///
    /// Calls are counted up to the stop, also those of iterations that it cut off, so the time of these belongs below the line: it
    /// is in the users' time. Where the plan paces, the users' time holds the waits between iterations, too, and only the
    /// iterations that ended are known; the few calls of others then weigh a little too much.
    fn share_of_iterations(&self, time: &UserTime, paced: bool) -> Option<f64> {
        let all_us = if paced { u128::from(time.iterations.sum()) } else { time.at_work_ns() / 1000 };
        (all_us > 0).then(|| (self.in_iterations_us as f64 / all_us as f64).min(1.0))
    }
}

/// The summary's part; `None` where no plugin was started. It is about the whole run, but for the share, which is that of what is
/// measured.
pub(super) fn summary(stats: &StatsThread, facts: &FinalFacts) -> Option<Plugin> {
    let (totals, counts) = (&stats.totals, &stats.whole.counts);
    let (plugins, before) = (&totals.plugins, stats.warmup.as_ref().map(|warmup| &warmup.plugins));
    (counts.plugin_calls > 0 || !facts.plugins.is_empty()).then(|| Plugin {
        calls: counts.plugin_calls,
        errors: counts.plugin_errors,
        in_flight_max: plugins.in_flight_max(before),
        call_us: plugins.call_us(before),
        share_of_iterations: plugins.share_of_iterations(&totals.user_time, facts.paced),
        processes: facts.plugins.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Moments;

    #[test]
    fn the_share_is_that_of_the_users_time_or_of_the_iterations_where_the_plan_paces() {
        let mut plugins = PluginTotals::new(1);
        plugins.in_iterations_us = 300_000;
        let mut iterations = Moments::default();
        (0..4).for_each(|_| iterations.record(100_000));
        // Two users for 0.5 s each; four iterations of 100 ms ended.
        let time = UserTime { active_ns: 1_000_000_000, iterations, users: 2, ..UserTime::default() };
        assert_eq!(plugins.share_of_iterations(&time, false), Some(0.3));
        assert_eq!(plugins.share_of_iterations(&time, true), Some(0.75));
        plugins.in_iterations_us = 500_000;
        assert_eq!(plugins.share_of_iterations(&time, true), Some(1.0));
        assert_eq!(plugins.share_of_iterations(&UserTime::default(), false), None);
    }
}
