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

/// So many may start before the core has a rest, and then hardly any until it has: one that has more to do than it can needs no more
/// of it, and its users may look busy only because it has not looked after them.
const STARTS_PER_REST: u32 = 16;
const STARTS_BEHIND_PER_S: f64 = 100.0;

/// By Little's law there are as many users busy as arrivals come in the time an iteration takes; so many times that, and the first few,
/// there may be without a thought. Where those are all busy, the service stands still for a moment or has become slower; which of the
/// two, iterations that end tell, or that none has ended for so long: a CPU that was lent to somebody else is back before.
/// (At 100,000/s with a service of 0.3 ms hiccups of 4 ms otherwise leave 500 to 900 users where 35 do.)
const USERS_SHARE: f64 = 1.25;
const HICCUP_NS: u64 = 10_000_000;

/// What an iteration takes is that of the last so long, so that the few that a hiccup caught weigh little among those of a fast service;
/// one alone weighs no more than a quarter.
const REMEMBERED_NS: f64 = 100_000_000.0;
const ITERATION_WEIGHT_MAX: f64 = 0.25;

/// After so long it is looked at again whether it has had one.
const LOOK_NS: u64 = 200_000;

/// When users may be started for arrivals that find none free.
#[derive(Clone, Copy, Default)]
pub(crate) struct Starts {
    /// How often the core had gone to sleep with nothing to do when it last looked.
    rests: u64,
    /// Users that started since it was last seen to have had a rest, or to be on time.
    since_rest: u32,
    /// When the last of them did.
    started_ns: u64,
    /// When the next may be started, as far as the pace goes.
    next_ns: u64,
    /// What an iteration takes, the last ones weighing most; nothing until one has ended.
    iteration_ns: Option<f64>,
    /// When the last one ended.
    ended_ns: u64,
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
        if started as f64 >= self.users_needed(now_ns, per_second) {
            return Err(now_ns + LOOK_NS);
        }
        if self.since_rest >= STARTS_PER_REST {
            let allowed_ns = self.started_ns + (1e9 / STARTS_BEHIND_PER_S) as u64;
            if allowed_ns > now_ns {
                return Err(allowed_ns.min(now_ns + LOOK_NS));
            }
        }
        (self.since_rest, self.started_ns) = (self.since_rest + 1, now_ns);
        Ok(())
    }

    /// How many users a core needs for so many arrivals a second, as far as is known.
    fn users_needed(&self, now_ns: u64, per_second: f64) -> f64 {
        let Some(iteration_ns) = self.iteration_ns else { return f64::INFINITY };
        let silent_ns = now_ns.saturating_sub(self.ended_ns).saturating_sub(HICCUP_NS);
        iteration_ns.max(silent_ns as f64) / 1e9 * per_second * USERS_SHARE + STARTS_AT_ONCE as f64
    }

    /// An iteration has ended that took so long.
    pub(crate) fn ended(&mut self, now_ns: u64, took_ns: u64) {
        let took_ns = took_ns as f64;
        let before = self.iteration_ns.unwrap_or(took_ns);
        let weight = (now_ns.saturating_sub(self.ended_ns) as f64 / REMEMBERED_NS).min(ITERATION_WEIGHT_MAX);
        (self.iteration_ns, self.ended_ns) = (Some(before + (took_ns - before) * weight), now_ns);
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
    pub(crate) fn looked(&mut self, rests: u64) {
        if rests != self.rests {
            self.on_time(rests);
        }
    }

    /// The core has come to an arrival when it was due: whether it slept or kept awake until then, it had time to spare.
    pub(crate) fn on_time(&mut self, rests: u64) {
        (self.rests, self.since_rest) = (rests, 0);
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
        starts.looked(1);
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
            starts.looked(n);
            starts.taken(now_ns, due_ns, || 40_000.0);
            assert_eq!(starts.take(now_ns, due_ns, 16, 40_000.0).is_ok(), n <= 121, "{n}");
        }
        // And half a millisecond later the next may start.
        let now_ns = 132 * MS + 500 * US;
        starts.looked(2_001);
        assert_eq!(starts.take(now_ns, 120 * MS, 16, 40_000.0), Ok(()));
    }

    #[test]
    fn a_hiccup_of_a_fast_service_starts_no_users_and_a_slow_one_has_what_it_needs() {
        let mut starts = Starts::default();
        starts.on_time(1);
        // 40,000/s of 0.5 ms are 20 users at once; 41 there may be.
        starts.ended(20 * MS, 500 * US);
        assert_eq!(starts.take(24 * MS, 20 * MS, 40, 40_000.0), Ok(()));
        assert_eq!(starts.take(24 * MS, 20 * MS, 41, 40_000.0), Err(24 * MS + 200 * US));
        // None has ended for 15 ms: 5 of them are no hiccup, in which 200 come.
        assert_eq!(starts.take(35 * MS, 20 * MS, 41, 40_000.0), Ok(()));
        assert!(starts.take(35 * MS, 20 * MS, 266, 40_000.0).is_err());
        // Those that it caught end, one each 20 us.
        for n in 1..=80 {
            starts.ended(35 * MS + n * 20 * US, 15 * MS);
        }
        // The first of them, 15 ms after the last before, weighs 0.15, and each of the others 0.0002.
        let after_us = starts.iteration_ns.unwrap() / 1e3;
        assert!((2_650.0..3_000.0).contains(&after_us), "{after_us}");
        // 32 of 20 ms, one each 10 ms, make it all but that.
        for n in 0..32 {
            starts.ended((50 + n * 10) * MS, 20 * MS);
        }
        let after_us = starts.iteration_ns.unwrap() / 1e3;
        assert!((19_000.0..20_000.0).contains(&after_us), "{after_us}");
        starts.looked(2);
        assert_eq!(starts.take(360 * MS, 350 * MS, 900, 40_000.0), Ok(()));
    }

    #[test]
    fn a_core_without_a_rest_opens_hardly_any() {
        let mut starts = Starts::default();
        starts.on_time(7);
        // That some have just started says nothing of the core.
        assert!((16..32).all(|started| starts.take(10 * MS, 9 * MS, started, 40_000.0).is_ok()));
        assert_eq!(starts.take(10 * MS, 9 * MS, 32, 40_000.0), Err(10 * MS + 200 * US));
        starts.looked(7);
        assert_eq!(starts.take(19 * MS + 900 * US, 9 * MS, 32, 40_000.0), Err(20 * MS));
        assert_eq!(starts.take(20 * MS, 9 * MS, 32, 40_000.0), Ok(()));
        assert_eq!(starts.take(20 * MS, 9 * MS, 33, 40_000.0), Err(20 * MS + 200 * US));
        // After a rest it may have as many again.
        starts.looked(8);
        assert!((33..49).all(|started| starts.take(21 * MS, 9 * MS, started, 40_000.0).is_ok()));
        assert!(starts.take(21 * MS, 9 * MS, 49, 40_000.0).is_err());
    }
}
