//! `/queue/MEAN_US`: servers of one queue each, whose waiting times are known from theory.

use std::sync::{Mutex, PoisonError};

use crate::admission::Refusal;

/// The longest mean service time, a second.
pub(crate) const MEAN_US_MAX: u32 = 1_000_000;
/// How many mean service times a target keeps apart.
pub(crate) const QUEUES_MAX: usize = 64;
/// Work a queue takes on before it refuses: ten minutes, longer than any timeout a run would set.
const BEHIND_NS_MAX: u64 = 600 * 1_000_000_000;
/// Every target draws the same service times.
const SEED: u64 = 0x7075_6d6d_656c;

/// The queues of a target. Its cores share them behind a lock, which is held for some 50 ns a request.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<Vec<Queue>>);

impl Queues {
    /// Puts a request into the queue of a mean service time; returns when its service ends. Times are of the monotonic clock.
    ///
    /// # Errors
    /// [`Refusal::Behind`] where the queue is too long, [`Refusal::TooMany`] for one mean too many.
    pub(crate) fn arrive(&self, mean_us: u32, now_ns: u64) -> Result<u64, Refusal> {
        // A queue is whole between any two steps, so one that a panicking core left is as good as any.
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = queues.iter().position(|queue| queue.mean_us == mean_us);
        let queue = match place {
            Some(place) => &mut queues[place],
            None if queues.len() < QUEUES_MAX => {
                queues.push(Queue::new(mean_us));
                queues.last_mut().expect("one was pushed")
            }
            None => return Err(Refusal::TooMany { what: "queues", max: QUEUES_MAX }),
        };
        queue.arrive(now_ns).ok_or(Refusal::Behind)
    }
}

/// One server that takes requests in the order they come (first in, first out), each for a time drawn from an exponential
/// distribution. With Poisson arrivals it is M/M/1 of queueing theory: at arrival rate l and service rate m (one by the mean
/// service time) the time from arrival to answer is exponential as well, of mean 1/(m-l), so that its p99 is ln(100)/(m-l)
/// (Kleinrock, Queueing Systems, volume 1, section 3.2).
#[derive(Debug)]
struct Queue {
    mean_us: u32,
    /// When it is done with what it has.
    free_at_ns: u64,
    random: fastrand::Rng,
}

impl Queue {
    fn new(mean_us: u32) -> Self {
        Self { mean_us, free_at_ns: 0, random: fastrand::Rng::with_seed(SEED ^ u64::from(mean_us)) }
    }

    /// When the service of a request ends that arrives now; none where that is too far away.
    fn arrive(&mut self, now_ns: u64) -> Option<u64> {
        let begins_ns = self.free_at_ns.max(now_ns);
        if begins_ns - now_ns > BEHIND_NS_MAX {
            return None;
        }
        // By inversion; the draw is below 1, so the logarithm is of a positive number.
        let service = -(1.0 - self.random.f64()).ln();
        self.free_at_ns = begins_ns + (service * f64::from(self.mean_us) * 1000.0) as u64;
        Some(self.free_at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::{Queues, BEHIND_NS_MAX, QUEUES_MAX};
    use crate::admission::Refusal;

    /// Mean and p99, in microseconds, of the time from arrival to answer of two million Poisson arrivals, service taking 1 ms. Those
    /// near each other meet the same queue, so it takes many: at 80 % load p99 of 200,000 deviates by 4 % from seed to seed.
    fn simulated(arrivals_per_s: f64) -> (f64, f64) {
        const ARRIVALS: usize = 2_000_000;
        let queues = Queues::default();
        let mut random = fastrand::Rng::with_seed(1);
        let mut at_ns = 0.0;
        let mut sojourns_us: Vec<f64> = (0..ARRIVALS)
            .map(|_| {
                at_ns += -(1.0 - random.f64()).ln() * 1e9 / arrivals_per_s;
                let now_ns = at_ns as u64;
                (queues.arrive(1000, now_ns).unwrap() - now_ns) as f64 / 1000.0
            })
            .collect();
        let mean_us = sojourns_us.iter().sum::<f64>() / ARRIVALS as f64;
        let (_, p99_us, _) = sojourns_us.select_nth_unstable_by(ARRIVALS * 99 / 100, f64::total_cmp);
        (mean_us, *p99_us)
    }

    fn assert_near(measured: f64, theory: f64, share: f64) {
        assert!((measured / theory - 1.0).abs() < share, "{measured} against {theory}");
    }

    #[test]
    fn half_loaded_it_takes_what_theory_says() {
        // 1/(1,000 - 500) s, and ln(100) = 4.605 times as much.
        let (mean_us, p99_us) = simulated(500.0);
        assert_near(mean_us, 2000.0, 0.01);
        assert_near(p99_us, 9210.0, 0.02);
    }

    #[test]
    fn loaded_by_four_fifths_it_takes_what_theory_says() {
        // 1/(1,000 - 800) s, and ln(100) times as much.
        let (mean_us, p99_us) = simulated(800.0);
        assert_near(mean_us, 5000.0, 0.02);
        assert_near(p99_us, 23_026.0, 0.04);
    }

    #[test]
    fn service_follows_service_and_every_target_draws_the_same() {
        let (first, second) = (Queues::default(), Queues::default());
        let ends: Vec<u64> = (0..100).map(|_| first.arrive(50, 7).unwrap()).collect();
        assert!(ends[0] >= 7 && ends.is_sorted());
        assert_eq!(ends, (0..100).map(|_| second.arrive(50, 7).unwrap()).collect::<Vec<_>>());
        // An idle server begins at once: with the next draw, later by as much as the request comes later than the end.
        let follows = second.arrive(50, 7).unwrap() - ends[99];
        assert_eq!(first.arrive(50, ends[99] + 1000).unwrap(), ends[99] + 1000 + follows);
    }

    #[test]
    fn a_queue_that_is_too_long_refuses_and_recovers() {
        let queues = Queues::default();
        let end_ns = (0..2000).map_while(|_| queues.arrive(1_000_000, 0).ok()).last().unwrap();
        assert!(end_ns > BEHIND_NS_MAX);
        assert_eq!(queues.arrive(1_000_000, 0), Err(Refusal::Behind));
        assert!(queues.arrive(1_000_000, end_ns - BEHIND_NS_MAX).is_ok());
    }

    #[test]
    fn means_have_queues_of_their_own_up_to_a_number() {
        let queues = Queues::default();
        for mean_us in 1..=QUEUES_MAX as u32 {
            assert!(queues.arrive(mean_us, 0).is_ok());
        }
        assert!(queues.arrive(1, 0).is_ok());
        assert_eq!(queues.arrive(1000, 0), Err(Refusal::TooMany { what: "queues", max: QUEUES_MAX }));
    }
}
