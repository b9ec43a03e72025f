//! The schedule of a paced run: slot n lies at start + n x interval.

/// The slots of one core. Slots come from arithmetic on the start, never from the time a sleep ended, so lateness does not
/// add up.
#[derive(Debug)]
pub(crate) struct Pacer {
    start_ns: u64,
    interval_ns: f64,
    /// The next slot to give out.
    next: u64,
    /// How far the users may lag before slots are given up rather than made up for.
    tolerance_ns: f64,
}

/// A lag below this is caught up with, above it slots are skipped: the rate is a ceiling, and a stall of the server must not
/// be followed by a burst above it.
const TOLERANCE_NS: f64 = 10_000_000.0;

impl Pacer {
    /// Slots of `per_second` a second, the first at `start_ns`.
    pub(crate) fn new(start_ns: u64, per_second: f64) -> Self {
        let interval_ns = 1e9 / per_second;
        Self { start_ns, interval_ns, next: 0, tolerance_ns: TOLERANCE_NS.max(interval_ns) }
    }

    /// Takes the next slot and gives the time at which its request is due, which may have just passed: the slot's own, or
    /// `ready_ns`, when the user was done with what it did before, if that was later. A slot that came while every user of a
    /// closed run waited for the server does not make the engine late.
    pub(crate) fn take(&mut self, now_ns: u64, ready_ns: u64) -> u64 {
        let behind = now_ns as f64 - self.tolerance_ns - self.start_ns as f64;
        if behind > self.next as f64 * self.interval_ns {
            self.next = (behind / self.interval_ns).ceil() as u64;
        }
        let slot = self.start_ns + (self.next as f64 * self.interval_ns) as u64;
        self.next += 1;
        slot.max(ready_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::Pacer;

    #[test]
    fn slots_lie_on_the_schedule_whatever_the_time_they_are_taken() {
        let mut pacer = Pacer::new(1_000, 1000.0);
        assert_eq!(pacer.take(1_000, 0), 1_000);
        assert_eq!(pacer.take(1_500_000, 0), 1_001_000);
        assert_eq!(pacer.take(1_500_000, 0), 2_001_000);
    }

    #[test]
    fn a_small_lag_is_caught_up_and_a_stall_is_not_followed_by_a_burst() {
        let mut pacer = Pacer::new(0, 1000.0);
        assert_eq!(pacer.take(5_000_000, 0), 0, "five slots behind, within tolerance");
        let mut late = Pacer::new(0, 1000.0);
        // After one second nothing was sent: only the tolerance of 10 ms is made up for.
        assert_eq!(late.take(1_000_000_000, 0), 990_000_000);
        assert_eq!(late.take(1_000_000_000, 0), 991_000_000);
    }

    #[test]
    fn a_slot_that_came_before_the_user_was_ready_is_due_when_it_is() {
        let mut pacer = Pacer::new(0, 1000.0);
        assert_eq!(pacer.take(5_000_000, 4_000_000), 4_000_000, "the slot lies at 0");
        assert_eq!(pacer.take(5_000_000, 500_000), 1_000_000, "the slot is the later one");
    }

    #[test]
    fn a_fractional_interval_does_not_drift() {
        let mut pacer = Pacer::new(0, 3.0);
        let slots: Vec<u64> = (0..4).map(|_| pacer.take(0, 0)).collect();
        assert_eq!(slots, [0, 333_333_333, 666_666_666, 1_000_000_000]);
    }
}
