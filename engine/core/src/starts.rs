//! When an open run may have one more user: not for each arrival that finds all of them busy.

/// Up to this rate of a core each arrival that finds no free user makes one more start: what that costs is nothing to speak of.
const STARTS_PER_S: f64 = 2_000.0;

/// Beyond it an arrival waits so long for a user before one more starts, but for the first few of a run. A new connection costs both
/// sides several times what a request costs, so where one were opened for each arrival that finds all users busy, a hiccup of a few
/// milliseconds at 60,000/s would make both slower, which would open more, up to the most there may be (measured with nginx, which
/// serves 140,000/s on 64 connections, and 47,000/s on the 10,000 it ended with).
const PATIENCE_NS: u64 = 1_000_000;
const STARTS_AT_ONCE: usize = 16;

/// Then users start at this share of the rate while the core has time to spare, and at hardly any while it has none: a core that has
/// more to do than it can needs no more of it, and its users may look busy only because it has not looked after them.
const STARTS_SHARE: f64 = 0.25;
const STARTS_BEHIND_PER_S: f64 = 100.0;

/// When users may be started for arrivals that find none free.
#[derive(Clone, Copy, Default)]
pub(crate) struct Starts {
    /// How often the core has gone to sleep with nothing to do so far.
    rests: u64,
    /// The same when it was last on time, or a user started.
    rests_before: u64,
    /// When the next may be started, as far as the pace goes.
    next_ns: u64,
}

impl Starts {
    /// Takes the right to start one more than the `started` users for an arrival that found none free; if there is none, when to ask
    /// again. `per_second` is the rate of this core's arrivals.
    pub(crate) fn take(&mut self, now_ns: u64, due_ns: u64, started: usize, per_second: f64) -> Result<(), u64> {
        if per_second <= STARTS_PER_S || started < STARTS_AT_ONCE {
            return Ok(());
        }
        let allowed_ns = self.next_ns.max(due_ns + PATIENCE_NS);
        if allowed_ns > now_ns {
            return Err(allowed_ns);
        }
        let pace = if self.behind() { STARTS_BEHIND_PER_S } else { STARTS_PER_S.max(per_second * STARTS_SHARE) };
        self.next_ns = now_ns + (1e9 / pace) as u64;
        self.rests_before = self.rests;
        Ok(())
    }

    /// So often has the core gone to sleep so far, now that it looks again after an arrival that is due.
    pub(crate) fn woke(&mut self, rests: u64) {
        self.rests = rests;
    }

    /// The core has come to an arrival when it was due.
    pub(crate) fn on_time(&mut self, rests: u64) {
        (self.rests, self.rests_before) = (rests, rests);
    }

    /// The core has had work to do ever since it was last on time, or a user started.
    pub(crate) fn behind(&self) -> bool {
        self.rests == self.rests_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn at_rates_that_cost_nothing_each_arrival_may_start_a_user() {
        let mut starts = Starts::default();
        let all = (0..5_000).filter(|n| starts.take(50 * MS, 0, *n, 2_000.0).is_ok()).count();
        assert_eq!(all, 5_000);
    }

    #[test]
    fn beyond_the_first_few_an_arrival_waits_a_millisecond_for_a_user_before_one_more_starts() {
        let mut starts = Starts::default();
        assert!((0..16).all(|started| starts.take(0, 0, started, 40_000.0).is_ok()));
        assert_eq!(starts.take(0, 0, 16, 40_000.0), Err(MS));
        starts.woke(1);
        // A quarter of the rate is 10,000 a second.
        assert_eq!(starts.take(MS, 0, 16, 40_000.0), Ok(()));
        assert_eq!(starts.take(MS, 0, 17, 40_000.0), Err(MS + 100_000));
    }

    #[test]
    fn a_core_without_a_rest_opens_no_more_than_it_can() {
        let mut starts = Starts::default();
        starts.on_time(7);
        starts.woke(7);
        assert_eq!(starts.take(10 * MS, 0, 16, 40_000.0), Ok(()));
        assert_eq!(starts.take(10 * MS, 0, 17, 40_000.0), Err(20 * MS));
        // From its first rest on it is not behind.
        starts.woke(8);
        assert_eq!(starts.take(20 * MS, 0, 17, 40_000.0), Ok(()));
        assert_eq!(starts.take(20 * MS, 0, 18, 40_000.0), Err(20 * MS + 100_000));
    }
}
