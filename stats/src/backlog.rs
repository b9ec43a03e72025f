//! Whether the iterations of an open run pile up: more begin than end, beyond what any load has under way.
//!
//! Every arrival may be made and the service still not keep up: its users only wait, more and more of them.

/// How an open run's iterations went through its load window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Backlog {
    /// Arrivals that were made.
    pub made: u64,
    /// Iterations that ended.
    pub ended: u64,
    /// Their mean time from when they were due, microseconds; `None` where none ended.
    pub mean_us: Option<f64>,
    /// Iterations under way when the window began: those of a warm-up.
    pub at_start: u64,
    /// Requests under way when it ended. Iterations that think are under way, too, and wait for nobody.
    pub requests_at_stop: u64,
    /// Most arrivals made in a second.
    pub peak_per_s: f64,
}

impl Backlog {
    /// Iterations under way when the window ended.
    pub fn at_stop(&self) -> u64 {
        (self.at_start + self.made).saturating_sub(self.ended)
    }

    /// How many of them a load has that has settled: Little's law, at the highest rate there was. `None` where no iteration ended.
    pub fn settled(&self) -> Option<f64> {
        self.mean_us.map(|mean_us| self.peak_per_s * mean_us / 1e6)
    }

    /// How many arrivals the service fell behind by. While the load settles its number rises to what it then has; beyond that the
    /// two ends of the window differ by chance: in a queue without memory by the root of twice the mean, of which three are not
    /// exceeded.
    pub fn piled_up(&self) -> f64 {
        let Some(settled) = self.settled() else { return 0.0 };
        let grown = self.made.saturating_sub(self.ended).min(self.requests_at_stop) as f64;
        let by_chance = 1.0 + 3.0 * (2.0 * settled).sqrt();
        (grown - (settled - self.at_start as f64).max(0.0) - by_chance).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 s at 1,000/s, each of 50 ms: 50 are under way, and by chance 1 + 3 x 10 more.
    fn settled() -> Backlog {
        Backlog {
            made: 10_000,
            ended: 9_950,
            mean_us: Some(50_000.0),
            at_start: 0,
            requests_at_stop: 50,
            peak_per_s: 1_000.0,
        }
    }

    #[test]
    fn a_load_that_settles_has_no_more_under_way_than_littles_law_says() {
        assert_eq!((settled().at_stop(), settled().settled(), settled().piled_up()), (50, Some(50.0), 0.0));
        let more = Backlog { ended: 9_869, requests_at_stop: 131, ..settled() };
        assert!((more.piled_up() - 50.0).abs() < 1e-9, "131 - 50 - 31: {}", more.piled_up());
        // After a warm-up nothing is to come to them.
        let warm = Backlog { at_start: 50, ..more };
        assert_eq!((warm.at_stop(), warm.piled_up()), (181, 100.0));
    }

    #[test]
    fn iterations_that_think_are_not_piled_up() {
        assert!(Backlog { ended: 5_000, requests_at_stop: 3, ..settled() }.piled_up() <= 0.0);
    }

    #[test]
    fn where_none_ended_nothing_is_known() {
        let none = Backlog { ended: 0, mean_us: None, requests_at_stop: 10_000, ..settled() };
        assert_eq!((none.settled(), none.piled_up()), (None, 0.0));
    }
}
