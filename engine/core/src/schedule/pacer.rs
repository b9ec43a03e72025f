//! The ceiling on the rate of a closed run: slots that requests or iterations wait for.

use super::Course;

/// The slots of one core. Slots come from arithmetic on the start, never from the time a sleep ended, so lateness does not
/// add up.
#[derive(Debug)]
pub(crate) struct Pacer {
    start_ns: u64,
    /// The rate of the whole run.
    rate: Course,
    /// This core's share of the slots.
    part: f64,
    /// How many slots of the run lie before this core's first: the cores' slots lie between each other's.
    before: f64,
    /// The next slot to give out.
    next: u64,
}

/// A lag below this is caught up with, above it slots are skipped: the rate is a ceiling, and a stall of the server must not
/// be followed by a burst above it.
const TOLERANCE_S: f64 = 0.01;

impl Pacer {
    /// A `part` of the slots of a rate, the first after so many of the run, on a run clock that begins at `start_ns`.
    pub(crate) fn new(start_ns: u64, rate: Course, part: f64, before: f64) -> Self {
        Self { start_ns, rate, part, before, next: 0 }
    }

    /// Takes the next slot and gives the time at which its request is due, which may have just passed: the slot's own, or
    /// `ready_ns`, when the user was done with what it did before, if that was later. A slot that came while every user of a
    /// closed run waited for the server does not make the engine late. None while the rate is 0 for good.
    pub(crate) fn take(&mut self, now_ns: u64, ready_ns: u64) -> Option<u64> {
        let now_s = now_ns.saturating_sub(self.start_ns) as f64 / 1e9;
        let gap_s = 1.0 / (self.rate.value(now_s) * self.part);
        let behind_s = now_s - TOLERANCE_S.max(gap_s);
        if behind_s > 0.0 {
            let gone = (self.rate.sum(behind_s) - self.before) * self.part;
            if gone > self.next as f64 {
                self.next = gone.ceil() as u64;
            }
        }
        let slot_s = self.rate.passes(self.before + self.next as f64 / self.part)?;
        self.next += 1;
        // A tiny rate has its second slot in more years than a clock counts.
        Some(self.start_ns.saturating_add((slot_s * 1e9) as u64).max(ready_ns))
    }

    /// From a time of the run clock on the rate is another.
    pub(crate) fn turn(&mut self, at_s: f64, per_second: f64) {
        self.rate.turn(at_s, per_second, 0.0);
        self.take_back(at_s);
    }

    /// Slots from a time on that were given out are nobody's any more.
    pub(crate) fn take_back(&mut self, at_s: f64) {
        self.next = ((self.rate.sum(at_s) - self.before) * self.part).ceil().max(0.0) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Stage;

    fn steady(start_ns: u64, per_second: f64) -> Pacer {
        Pacer::new(start_ns, Course::steady(per_second), 1.0, 0.0)
    }

    #[test]
    fn slots_lie_on_the_schedule_whatever_the_time_they_are_taken() {
        let mut pacer = steady(1_000, 1000.0);
        assert_eq!(pacer.take(1_000, 0), Some(1_000));
        assert_eq!(pacer.take(1_500_000, 0), Some(1_001_000));
        assert_eq!(pacer.take(1_500_000, 0), Some(2_001_000));
    }

    #[test]
    fn a_small_lag_is_caught_up_and_a_stall_is_not_followed_by_a_burst() {
        let mut pacer = steady(0, 1000.0);
        assert_eq!(pacer.take(5_000_000, 0), Some(0), "five slots behind, within tolerance");
        let mut late = steady(0, 1000.0);
        // After one second nothing was sent: only the tolerance of 10 ms is made up for.
        assert_eq!(late.take(1_000_000_000, 0), Some(990_000_000));
        assert_eq!(late.take(1_000_000_000, 0), Some(991_000_000));
    }

    #[test]
    fn a_slot_that_came_before_the_user_was_ready_is_due_when_it_is() {
        let mut pacer = steady(0, 1000.0);
        assert_eq!(pacer.take(5_000_000, 4_000_000), Some(4_000_000), "the slot lies at 0");
        assert_eq!(pacer.take(5_000_000, 500_000), Some(1_000_000), "the slot is the later one");
    }

    #[test]
    fn a_fractional_interval_does_not_drift() {
        let mut pacer = steady(0, 3.0);
        let slots: Vec<_> = (0..4).filter_map(|_| pacer.take(0, 0)).collect();
        assert_eq!(slots, [0, 333_333_333, 666_666_666, 1_000_000_000]);
    }

    #[test]
    fn cores_share_the_slots_by_their_users() {
        // 3 of 4 users here, one on the other core.
        let slots = |part, before| {
            let mut pacer = Pacer::new(0, Course::steady(4.0), part, before);
            (0..3).filter_map(|_| pacer.take(0, 0)).map(|ns| ns / 1_000_000).collect::<Vec<_>>()
        };
        assert_eq!(slots(0.75, 0.0), [0, 333, 666]);
        assert_eq!(slots(0.25, 1.0), [250, 1_250, 2_250]);
    }

    #[test]
    fn a_rate_that_grows_from_nothing_has_its_slots_closer_and_closer() {
        let ramp = Course::new(0.0, &[Stage { over: std::time::Duration::from_secs(10), target: 100.0 }]);
        let mut pacer = Pacer::new(0, ramp, 1.0, 0.0);
        let slots: Vec<_> = (0..3).filter_map(|_| pacer.take(0, 0)).map(|ns| ns / 1_000_000).collect();
        // 5 t^2 = n.
        assert_eq!(slots, [0, 447, 632]);
    }

    #[test]
    fn another_rate_holds_from_its_time_on() {
        let mut pacer = steady(0, 0.001);
        assert_eq!((pacer.take(0, 0), pacer.take(0, 0)), (Some(0), Some(1_000_000_000_000)));
        pacer.turn(2.0, 10.0);
        assert_eq!(pacer.take(2_000_000_000, 0).map(|ns| ns / 1_000_000), Some(2_099));
        pacer.turn(3.0, 0.0);
        assert_eq!(pacer.take(3_000_000_000, 0), None);
    }

    #[test]
    fn a_tiny_rate_is_a_ceiling_too() {
        let mut pacer = steady(1_000, 1e-12);
        assert_eq!((pacer.take(1_000, 0), pacer.take(1_000, 0)), (Some(1_000), Some(u64::MAX)));
        assert_eq!(pacer.take(5_000_000_000, 0), Some(u64::MAX));
    }

    #[test]
    fn slots_that_were_taken_back_are_given_out_again() {
        let mut pacer = steady(0, 10.0);
        let slots =
            |pacer: &mut Pacer| (0..3).filter_map(|_| pacer.take(0, 0)).map(|ns| ns / 1_000_000).collect::<Vec<_>>();
        assert_eq!(slots(&mut pacer), [0, 100, 200]);
        pacer.take_back(0.05);
        assert_eq!(slots(&mut pacer), [100, 200, 300]);
    }
}
