//! The pause after a failed probe: light load until the service's latency is what it was.

/// Cool-downs after one failed probe, at most. A service that is not back by then may never be.
pub const COOL_DOWNS_MAX: u32 = 10;

/// The median may be this many times the baseline's, and [`SLACK_US`] more.
const SLOWER: f64 = 1.5;

/// What a median of some hundred microseconds varies by on a shared machine, microseconds.
const SLACK_US: f64 = 1_000.0;

/// A service that cools down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CoolDown {
    /// The level of the light load.
    pub(super) level: f64,
    /// The median latency at that level before, microseconds; `None` where no level has held yet.
    baseline_p50_us: Option<f64>,
    /// What the last one found.
    last_p50_us: Option<f64>,
    made: u32,
}

/// How a cool-down went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cooled {
    /// Latency is back.
    Yes,
    /// Not yet; once more.
    NotYet,
    /// Not after [`COOL_DOWNS_MAX`]; the search goes on without.
    GivenUp,
}

impl CoolDown {
    pub(super) fn new(level: f64, baseline_p50_us: Option<f64>) -> Self {
        Self { level, baseline_p50_us, last_p50_us: None, made: 0 }
    }

    /// One has been made and had this median; `None` where nothing succeeded, which is not cool.
    ///
    /// Without a baseline the service counts as back when its latency no longer falls from one cool-down to the next.
    pub(super) fn made(&mut self, p50_us: Option<f64>) -> Cooled {
        self.made += 1;
        let back = match (p50_us, self.baseline_p50_us, self.last_p50_us) {
            (Some(now), Some(baseline), _) => now <= bound_us(baseline),
            (Some(now), None, Some(last)) => last <= bound_us(now),
            (Some(_), None, None) | (None, _, _) => false,
        };
        self.last_p50_us = p50_us;
        if back {
            Cooled::Yes
        } else if self.made < COOL_DOWNS_MAX {
            Cooled::NotYet
        } else {
            Cooled::GivenUp
        }
    }
}

fn bound_us(baseline_us: f64) -> f64 {
    baseline_us * SLOWER + SLACK_US
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_back_within_half_more_and_a_millisecond() {
        // 1.5 x 4 ms + 1 ms.
        let mut cool_down = CoolDown::new(10.0, Some(4_000.0));
        assert_eq!([7_001.0, 7_000.0].map(|us| cool_down.made(Some(us))), [Cooled::NotYet, Cooled::Yes]);
    }

    #[test]
    fn without_a_baseline_it_is_back_when_it_falls_no_more() {
        let mut cool_down = CoolDown::new(10.0, None);
        let found = [Some(90_000.0), Some(9_000.0), None, Some(5_000.0), Some(4_000.0)].map(|us| cool_down.made(us));
        assert_eq!(found, [Cooled::NotYet, Cooled::NotYet, Cooled::NotYet, Cooled::NotYet, Cooled::Yes]);
    }

    #[test]
    fn a_service_that_never_comes_back_is_waited_for_ten_times() {
        let mut cool_down = CoolDown::new(10.0, Some(100.0));
        let found: Vec<_> = (0..10).map(|_| cool_down.made(None)).collect();
        assert_eq!(found[8..], [Cooled::NotYet, Cooled::GivenUp]);
    }
}
