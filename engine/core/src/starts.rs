//! When an open run may have one more user: not for each arrival that finds all of them busy.

/// An arrival that is due for longer finds this core behind with its work, and users that look busy may only not have been looked
/// after. For it no user is started as long as those that there are make up for the lag.
const BEHIND_NS: u64 = 1_000_000;

/// How often it is looked whether the lag becomes less.
const LOOK_NS: u64 = 1_000_000;

/// Users start no faster than at this part of the rate, or [`STARTS_PER_S_MIN`] if that is more, beyond [`STARTS_AT_ONCE`]. A new
/// connection costs a server several times what a request costs it: were one opened for each arrival that finds all users busy, a
/// hiccup of a few milliseconds at 60,000/s would make the server slower, which would open more, up to the most there may be
/// (measured with nginx, which serves 140,000/s on 64 connections, and 47,000/s on the 10,000 it ended with).
const STARTS_SHARE: f64 = 0.25;
const STARTS_PER_S_MIN: f64 = 1_000.0;
const STARTS_AT_ONCE: f64 = 16.0;

/// When users may be started for arrivals that find none free.
#[derive(Clone, Copy, Default)]
pub(crate) struct Starts {
    /// When it was looked how far this core is behind, and how far it was; none while arrivals are on time.
    lag: Option<(u64, u64)>,
    /// The lag has not become less.
    grows: bool,
    /// When the next may be started, as far as the pace goes: a bucket of [`STARTS_AT_ONCE`] (GCRA, ITU-T I.371).
    next_ns: f64,
}

impl Starts {
    /// Takes the right to start a user for an arrival that found none free; if there is none, when to ask again. `per_second` is the
    /// rate of this core's arrivals.
    pub(crate) fn take(&mut self, now_ns: u64, due_ns: u64, per_second: f64) -> Result<(), u64> {
        let lag_ns = now_ns - due_ns;
        if lag_ns <= BEHIND_NS {
            (self.lag, self.grows) = (None, true);
        } else if self.lag.is_none_or(|(at_ns, _)| now_ns >= at_ns + LOOK_NS) {
            self.grows = self.lag.is_some_and(|(_, before_ns)| lag_ns >= before_ns);
            self.lag = Some((now_ns, lag_ns));
        }
        if let (false, Some((at_ns, _))) = (self.grows, self.lag) {
            return Err(at_ns + LOOK_NS);
        }
        let gap_ns = 1e9 / (per_second * STARTS_SHARE).max(STARTS_PER_S_MIN);
        let allowed_ns = self.next_ns - gap_ns * (STARTS_AT_ONCE - 1.0);
        if allowed_ns > now_ns as f64 {
            return Err(allowed_ns.ceil() as u64);
        }
        self.next_ns = self.next_ns.max(now_ns as f64) + gap_ns;
        Ok(())
    }

    /// Nobody is started as long as the users there are make up for a lag.
    pub(crate) fn makes_up_for_a_lag(&self) -> bool {
        self.lag.is_some() && !self.grows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn users_start_at_a_quarter_of_a_high_rate_beyond_the_first_few() {
        let mut starts = Starts::default();
        let mut started_by =
            |now_ns: u64, count: u64| (0..count).filter(|_| starts.take(now_ns, now_ns, 40_000.0).is_ok()).count();
        assert_eq!(started_by(0, 100), 16);
        // 10,000 a second are one every 100 us.
        assert_eq!(started_by(99_999, 5), 0);
        assert_eq!(started_by(1_000_000, 100), 10);
        assert_eq!(starts.take(1_000_000, 1_000_000, 40_000.0), Err(1_100_000));
    }

    #[test]
    fn at_rates_a_server_does_not_notice_each_arrival_may_start_a_user() {
        let mut starts = Starts::default();
        let all = (0..5_000).filter(|n| starts.take(n * MS, n * MS, 1_000.0).is_ok()).count();
        assert_eq!(all, 5_000);
    }
}
