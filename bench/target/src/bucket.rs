//! `/limit/RATE`: token buckets, one for each rate that is asked for.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::admission::Refusal;

/// The highest rate: some hundred times what a core of this server answers.
pub(crate) const RATE_MAX: u32 = 10_000_000;
/// How many rates a target keeps apart.
pub(crate) const BUCKETS_MAX: usize = 64;
/// A full bucket holds what flows in during this part of a second, and one token at least.
const DEPTH_PER_S: u32 = 50;
const NS_PER_S: u64 = 1_000_000_000;

/// The buckets of a target, shared by its cores without a lock. A bucket is full when it is first asked for.
#[derive(Debug)]
pub(crate) struct Buckets([Bucket; BUCKETS_MAX]);

impl Buckets {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Bucket::default()))
    }

    /// Takes a token from the bucket of a rate, in requests a second, at a time of the monotonic clock.
    ///
    /// # Errors
    /// [`Refusal::OverLimit`] where there is none, [`Refusal::TooMany`] for one rate too many.
    pub(crate) fn take(&self, rate: u32, now_ns: u64) -> Result<(), Refusal> {
        debug_assert!((1..=RATE_MAX).contains(&rate), "routes hold the bounds");
        let bucket = self.0.iter().find(|bucket| bucket.is_of(rate));
        let bucket = bucket.ok_or(Refusal::TooMany { what: "limits", max: BUCKETS_MAX })?;
        if bucket.take(rate, now_ns) {
            Ok(())
        } else {
            Err(Refusal::OverLimit)
        }
    }
}

/// A token bucket as the virtual scheduling form of the generic cell rate algorithm (ITU-T I.371 annex A): one number, the time at
/// which the bucket is full again if nothing more is taken. A request moves it on by the time a token takes to flow in, and
/// passes unless that would take it further ahead than the time the whole bucket takes.
///
/// That time is kept in units of which a token is a power of two, the least that makes a unit no longer than a nanosecond. So a
/// token's share is exact, whatever the rate, and sums of millions of them are too. Only the clock is rounded, always from
/// its absolute time and by less than a unit, so that no error adds up. A second has fewer than 2e9 units: 64 bits last
/// for centuries.
///
/// Cores that take from the same bucket write the same line; two cache lines keep them out of each other's otherwise.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Bucket {
    /// Requests a second; 0 while nobody has asked.
    rate: AtomicU32,
    full_at: AtomicU64,
}

impl Bucket {
    /// Whether it is the bucket of this rate, or free and becomes it.
    fn is_of(&self, rate: u32) -> bool {
        match self.rate.load(Relaxed) {
            0 => match self.rate.compare_exchange(0, rate, Relaxed, Relaxed) {
                Ok(_) => true,
                Err(taken) => taken == rate,
            },
            own => own == rate,
        }
    }

    fn take(&self, rate: u32, now_ns: u64) -> bool {
        let token_bits = (NS_PER_S as u32).div_ceil(rate).next_power_of_two().trailing_zeros();
        let units_per_s = u64::from(rate) << token_bits;
        let now = now_ns / NS_PER_S * units_per_s + now_ns % NS_PER_S * units_per_s / NS_PER_S;
        let (token, whole) = (1 << token_bits, depth(rate) << token_bits);
        let taken = self.full_at.fetch_update(Relaxed, Relaxed, |full_at| {
            let full_at = full_at.max(now) + token;
            (full_at - now <= whole).then_some(full_at)
        });
        taken.is_ok()
    }
}

/// Tokens of a full bucket.
fn depth(rate: u32) -> u64 {
    u64::from(rate / DEPTH_PER_S).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Buckets, BUCKETS_MAX, NS_PER_S, RATE_MAX};
    use crate::admission::Refusal;

    /// An hour after the start of the machine.
    const START_NS: u64 = 3600 * NS_PER_S;

    /// How many of so many even arrivals a second pass.
    fn passed(limit: u32, arrivals_per_s: u64, arrivals: u64) -> u64 {
        let buckets = Buckets::new();
        let at_ns = |n: u64| START_NS + n * NS_PER_S / arrivals_per_s;
        (0..arrivals).filter(|n| buckets.take(limit, at_ns(*n)).is_ok()).count() as u64
    }

    #[test]
    fn at_one_instant_as_many_pass_as_the_bucket_holds() {
        // 1,000/50 = 20 tokens: the bucket is full, and nothing flows in within an instant. (nginx with `burst=20 nodelay`
        // lets 21 pass: one at its rate, and 20 beyond it.)
        let buckets = Buckets::new();
        let at = |ns| (0..40).filter(|_| buckets.take(1000, START_NS + ns).is_ok()).count();
        assert_eq!(at(0), 20);
        // A token a millisecond, and not a nanosecond before.
        assert_eq!(at(999_999), 0);
        assert_eq!(at(1_000_000), 1);
        assert_eq!(at(3_999_999), 2);
        assert_eq!(at(4_000_000), 1);
        // Never more than it holds, however long nobody comes.
        assert_eq!(at(NS_PER_S), 20);
    }

    #[test]
    fn below_50_a_second_the_bucket_holds_one() {
        let buckets = Buckets::new();
        let take = |ns| buckets.take(1, START_NS + ns).is_ok();
        assert_eq!(
            [take(0), take(0), take(NS_PER_S - 1), take(NS_PER_S), take(NS_PER_S)],
            [true, false, false, true, false]
        );
    }

    #[test]
    fn twice_the_limit_gets_the_limit() {
        // The last of 20,000 arrivals comes after 9.9995 s: 20 tokens at first, and 9,999 that flowed in.
        assert_eq!(passed(1000, 2000, 20_000), 10_019);
        // Half of the limit passes whole.
        assert_eq!(passed(1000, 500, 5000), 5000);
        assert_eq!(passed(1000, 1000, 10_000), 10_000);
    }

    #[test]
    fn ten_million_arrivals_do_not_drift() {
        // A token every 300.03 us, no whole number of anything: 66 at first, and 3,333 a second for 1,500.15 s less one arrival.
        // The last comes 9,999,999/6,666 s after the first; 3,333 times that is 4,999,999.5.
        assert_eq!(passed(3333, 6666, 10_000_000), 66 + 4_999_999);
    }

    #[test]
    fn the_highest_rate_is_exact_too() {
        // 200,000 tokens at first; one each 100 ns, at 20 arrivals a microsecond for 10 ms less 50 ns.
        assert_eq!(passed(RATE_MAX, 20_000_000, 1_000_000), 200_000 + 499_999);
    }

    #[test]
    fn cores_share_a_bucket() {
        let buckets = Buckets::new();
        let passed = || (0..5000).filter(|_| buckets.take(500_000, START_NS).is_ok()).count();
        let sum: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(passed)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(sum, 10_000);
    }

    #[test]
    fn rates_have_buckets_of_their_own_up_to_a_number() {
        let buckets = Buckets::new();
        for rate in 1..=BUCKETS_MAX as u32 {
            assert_eq!(buckets.take(rate, START_NS), Ok(()));
        }
        assert_eq!(buckets.take(1, START_NS), Err(Refusal::OverLimit));
        assert_eq!(buckets.take(1000, START_NS), Err(Refusal::TooMany { what: "limits", max: BUCKETS_MAX }));
    }
}
