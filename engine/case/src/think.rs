//! Think time (hrp spec 12.3).

use std::time::Duration;

/// A pause between two steps of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinkTime {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fixed(Duration),
    /// Whole milliseconds from `min` to `max`, both included and each as likely as any other, then cut to the limit.
    UniformMs {
        min: u64,
        max: u64,
        limit: Duration,
    },
}

/// The longest pause: a day. A longer one is a typing error, and the sum of several must fit a clock.
pub(crate) const MAX_THINK_TIME_S: f64 = 86_400.0;

impl ThinkTime {
    /// A pause that is always the same.
    pub(crate) fn fixed(seconds: f64) -> Self {
        ThinkTime { kind: Kind::Fixed(duration(seconds)) }
    }

    /// A pause of whole milliseconds between two bounds in seconds, the second not below the first, cut to a limit where that is
    /// above 0.
    pub(crate) fn uniform(min_s: f64, max_s: f64, limit_s: f64) -> Self {
        let min = duration(min_s).as_millis() as u64;
        let max = (duration(max_s).as_millis() as u64).max(min);
        let limit = if limit_s > 0.0 { duration(limit_s) } else { duration(MAX_THINK_TIME_S) };
        ThinkTime { kind: Kind::UniformMs { min, max, limit } }
    }

    /// The next pause.
    pub fn pick(&self, rng: &mut fastrand::Rng) -> Duration {
        match self.kind {
            Kind::Fixed(time) => time,
            Kind::UniformMs { min, max, limit } => Duration::from_millis(rng.u64(min..=max)).min(limit),
        }
    }
}

fn duration(seconds: f64) -> Duration {
    if seconds.is_nan() {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(seconds.clamp(0.0, MAX_THINK_TIME_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_pauses_are_exact_and_bounded() {
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(ThinkTime::fixed(0.2).pick(&mut rng), Duration::from_millis(200));
        assert_eq!(ThinkTime::fixed(-1.0).pick(&mut rng), Duration::ZERO);
        assert_eq!(ThinkTime::fixed(f64::NAN).pick(&mut rng), Duration::ZERO);
        assert_eq!(ThinkTime::fixed(f64::INFINITY).pick(&mut rng), Duration::from_hours(24));
    }

    #[test]
    fn uniform_pauses_stay_within_their_bounds_and_reach_them() {
        let mut rng = fastrand::Rng::with_seed(1);
        let think = ThinkTime::uniform(0.001, 0.003, 0.0);
        let mut seen = [0; 4];
        for _ in 0..200 {
            seen[think.pick(&mut rng).as_millis() as usize] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|n| *n > 0));
        assert_eq!(ThinkTime::uniform(2.0, 3.0, 0.5).pick(&mut rng), Duration::from_millis(500));
    }
}
