//! When an open run may have one more user: not for each arrival that finds all of them busy.

/// Up to this rate of a core each arrival that finds no free user makes one more start: what that costs is nothing to speak of.
const STARTS_PER_S: f64 = 2_000.0;

/// Beyond it an arrival waits so long for a user before one more starts, but for the first few of a run. A new connection costs both
/// sides several times what a request costs, so where one were opened for each arrival that finds all users busy, a hiccup of a few
/// milliseconds at 60,000/s would make both slower, which would open more, up to the most there may be (measured with nginx, which
/// serves 140,000/s on 64 connections, and 47,000/s on the 10,000 it ended with). It is half of what the verdict takes for noise.
pub(crate) const PATIENCE_NS: u64 = 500_000;
const STARTS_AT_ONCE: usize = 16;

/// Arrivals that have waited for longer are to be taken this much faster than they come while the core has time to spare, and users
/// start for what those that are there do not take: as many as a slow service needs, and none where what a hiccup left is soon
/// caught up with.
const TAKEN_SPEED: f64 = 1.25;

/// Hardly any start while the core has no time to spare: one that has more to do than it can needs no more of it, and its users may
/// look busy only because it has not looked after them.
const STARTS_BEHIND_PER_S: f64 = 100.0;

/// When users may be started for arrivals that find none free.
#[derive(Clone, Copy, Default)]
pub(crate) struct Starts {
    /// How often the core had gone to sleep with nothing to do when it last looked.
    rests: u64,
    /// When it was last seen to have had time to spare.
    spare_ns: u64,
    /// When the last user started that was not one of the first few.
    started_ns: u64,
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
        if self.behind(now_ns) {
            let allowed_ns = self.started_ns + (1e9 / STARTS_BEHIND_PER_S) as u64;
            if allowed_ns > now_ns {
                // It may have had a rest long before.
                return Err(allowed_ns.min(now_ns + PATIENCE_NS));
            }
        }
        self.started_ns = now_ns;
        Ok(())
    }

    /// An arrival has been given to a user at last, to a new one or to one that was free again.
    pub(crate) fn taken(&mut self, now_ns: u64, due_ns: u64, per_second: impl FnOnce() -> f64) {
        if now_ns.saturating_sub(due_ns) < PATIENCE_NS {
            return;
        }
        let gap_ns = (1e9 / (per_second() * TAKEN_SPEED)) as u64;
        // Who comes late makes up for it, and a burst of users that become free does not hold back what comes after it.
        let from_ns = self.next_ns.max(now_ns.saturating_sub(PATIENCE_NS));
        self.next_ns = from_ns.saturating_add(gap_ns).min(now_ns + PATIENCE_NS);
    }

    /// So often has the core gone to sleep so far, now that it looks again after an arrival that is due.
    pub(crate) fn looked(&mut self, now_ns: u64, rests: u64) {
        if rests != self.rests {
            self.on_time(now_ns, rests);
        }
    }

    /// The core has come to an arrival when it was due.
    pub(crate) fn on_time(&mut self, now_ns: u64, rests: u64) {
        (self.rests, self.spare_ns) = (rests, now_ns);
    }

    /// The core has had work to do for a while, and did not once come to the end of it.
    fn behind(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.spare_ns) >= PATIENCE_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 1_000;
    const MS: u64 = 1_000_000;

    #[test]
    fn at_rates_that_cost_nothing_each_arrival_may_start_a_user() {
        let mut starts = Starts::default();
        let all = (0..5_000).filter(|n| starts.take(50 * MS, 0, *n, 2_000.0).is_ok()).count();
        assert_eq!(all, 5_000);
    }

    #[test]
    fn beyond_the_first_few_an_arrival_waits_half_a_millisecond_for_a_user_before_one_more_starts() {
        let mut starts = Starts::default();
        assert!((0..16).all(|started| starts.take(0, 0, started, 40_000.0).is_ok()));
        assert_eq!(starts.take(0, 100 * US, 16, 40_000.0), Err(600 * US));
        starts.looked(600 * US, 1);
        assert_eq!(starts.take(600 * US, 100 * US, 16, 40_000.0), Ok(()));
        // The next, due 25 us after it, has its turn as much later.
        starts.taken(600 * US, 100 * US, || 40_000.0);
        assert_eq!(starts.take(600 * US, 125 * US, 17, 40_000.0), Err(625 * US));
    }

    #[test]
    fn what_free_users_take_no_user_starts_for() {
        let mut starts = Starts::default();
        // Arrivals of 50 ms have waited. At 40,000/s 5/4 of the rate is one each 20 us: users that take one each 16 us leave none to
        // start for, once what may be made up for is used up: 480 us, 4 at a time.
        for n in 1..=2_000 {
            let (now_ns, due_ns) = (100 * MS + n * 16 * US, 50 * MS + n * 25 * US);
            starts.looked(now_ns, n);
            starts.taken(now_ns, due_ns, || 40_000.0);
            assert_eq!(starts.take(now_ns, due_ns, 16, 40_000.0).is_ok(), n <= 121, "{n}");
        }
        // And half a millisecond later the next may start.
        let now_ns = 132 * MS + 500 * US;
        starts.looked(now_ns, 2_001);
        assert_eq!(starts.take(now_ns, 120 * MS, 16, 40_000.0), Ok(()));
    }

    #[test]
    fn a_core_without_a_rest_opens_hardly_any() {
        let mut starts = Starts::default();
        starts.on_time(10 * MS, 7);
        // Half a millisecond without one is short.
        assert_eq!(starts.take(10 * MS + 499 * US, 9 * MS, 16, 40_000.0), Ok(()));
        starts.looked(10 * MS + 500 * US, 7);
        assert_eq!(starts.take(10 * MS + 500 * US, 9 * MS, 17, 40_000.0), Err(11 * MS));
        assert_eq!(starts.take(20 * MS + 498 * US, 9 * MS, 17, 40_000.0), Err(20 * MS + 499 * US));
        assert_eq!(starts.take(20 * MS + 499 * US, 9 * MS, 17, 40_000.0), Ok(()));
        // From its first rest on it is not behind.
        starts.looked(21 * MS, 8);
        assert_eq!(starts.take(21 * MS, 9 * MS, 18, 40_000.0), Ok(()));
    }

    #[test]
    fn a_user_that_has_just_started_says_nothing_of_the_core() {
        let mut starts = Starts::default();
        starts.looked(10 * MS, 1);
        for started in 16..26 {
            // A start takes the core 20 us, in which it has no rest.
            let now_ns = 10 * MS + (started as u64 - 16) * 20 * US;
            assert_eq!(starts.take(now_ns, 9 * MS, started, 40_000.0), Ok(()), "{started}");
            starts.taken(now_ns, 9 * MS, || 40_000.0);
            starts.looked(now_ns + 20 * US, 1);
        }
    }
}
