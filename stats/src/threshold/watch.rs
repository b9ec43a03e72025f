//! The thresholds while the run goes on: when each was first broken, and the order to stop.

use std::fmt;
use std::time::Duration;

use crate::summary::Threshold;

use super::judge::Standing;
use super::Condition;

/// What happens when a threshold is broken while load is made.
pub struct Abort {
    /// Not before this long after the first user's start, nor before the warm-up is over.
    pub after: Duration,
    /// Stops the load; true if that was its first stop. Called once, on the stats thread; it must not block.
    pub stop: Box<dyn Fn() -> bool + Send>,
}

impl fmt::Debug for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Abort").field("after", &self.after).finish_non_exhaustive()
    }
}

/// The thresholds of a run under way.
#[derive(Debug, Default)]
pub struct Watch {
    watched: Vec<Watched>,
    abort: Option<Abort>,
    stopped_for: Option<String>,
}

#[derive(Debug)]
struct Watched {
    condition: Condition,
    first_failed_s: Option<u64>,
}

impl Watch {
    /// Watches these; without `abort` a broken one is noted and the run goes on.
    pub fn new(conditions: Vec<Condition>, abort: Option<Abort>) -> Self {
        let watched = conditions.into_iter().map(|condition| Watched { condition, first_failed_s: None }).collect();
        Self { watched, abort, stopped_for: None }
    }

    /// A second of the load was published; `standing` judges everything up to its end, `load_s` seconds after the first
    /// user's start.
    pub(crate) fn second(&mut self, t_s: u64, load_s: f64, standing: impl Fn(&Condition) -> Standing) {
        for Watched { condition, first_failed_s } in &mut self.watched {
            if !condition.can_be_broken_early() || !matches!(standing(condition), Standing::Broken(_)) {
                continue;
            }
            first_failed_s.get_or_insert(t_s);
            if let Some(abort) = self.abort.take_if(|abort| load_s >= abort.after.as_secs_f64()) {
                // Somebody else's stop came first where this is false; then the run was not stopped for the threshold.
                if (abort.stop)() {
                    self.stopped_for = Some(condition.to_string());
                }
            }
        }
    }

    /// The threshold the run was stopped for.
    pub(crate) fn stopped_for(&self) -> Option<&str> {
        self.stopped_for.as_deref()
    }

    /// How all of them stand at the end. What only the last second or the drain broke was broken in `last_s`.
    pub(crate) fn results(&self, last_s: u64, standing: impl Fn(&Condition) -> Standing) -> Vec<Threshold> {
        let result = |watched: &Watched| {
            let Watched { condition, first_failed_s } = watched;
            let standing = standing(condition);
            let broken_now = condition.can_be_broken_early() && matches!(standing, Standing::Broken(_));
            standing.into_threshold(condition, first_failed_s.or(broken_now.then_some(last_s)))
        };
        self.watched.iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;

    use super::*;
    use crate::threshold::Figure;

    /// A watch of one condition, and how often it asked for a stop.
    fn watch(condition: &str, after_s: Option<u64>) -> (Watch, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let abort = after_s.map(|after_s| {
            let asked = Arc::clone(&asked);
            let stop = Box::new(move || asked.fetch_add(1, Ordering::Relaxed) == 0);
            Abort { after: Duration::from_secs(after_s), stop }
        });
        (Watch::new(vec![condition.parse().unwrap()], abort), asked)
    }

    /// 5,000 requests with this figure.
    fn with(value: f64) -> impl Fn(&Condition) -> Standing {
        move |condition| Standing::of(condition, Figure { finished: 5_000, samples: 5_000, value: Some(value) })
    }

    #[test]
    fn the_first_second_that_broke_it_stays() {
        let (mut watch, _) = watch("p99<10us", None);
        for (second, value) in [(0, 9.0), (1, 12.0), (2, 8.0), (3, 13.0)] {
            watch.second(second, second as f64 + 1.0, with(value));
        }
        let broken = &watch.results(4, with(11.0))[0];
        assert_eq!((broken.ok, broken.first_failed_s, broken.value), (false, Some(1), Some(11.0)));
        let held = &watch.results(4, with(9.0))[0];
        assert_eq!((held.ok, held.first_failed_s), (true, Some(1)));
    }

    #[test]
    fn what_the_end_alone_broke_was_broken_in_the_last_second() {
        let (watch, _) = watch("p99<10us", None);
        assert_eq!(watch.results(4, with(11.0))[0].first_failed_s, Some(4));
        assert_eq!(watch.results(4, with(9.0))[0].first_failed_s, None);
    }

    #[test]
    fn the_run_is_stopped_once_and_not_before_the_delay() {
        let (mut watch, asked) = watch("rps>100", Some(2));
        watch.second(0, 1.0, with(5.0));
        assert_eq!((asked.load(Ordering::Relaxed), watch.stopped_for()), (0, None));
        watch.second(1, 2.0, with(5.0));
        watch.second(2, 3.0, with(5.0));
        assert_eq!((asked.load(Ordering::Relaxed), watch.stopped_for()), (1, Some("rps>100")));
    }

    #[test]
    fn one_that_is_held_after_the_delay_stops_nothing() {
        let (mut watch, asked) = watch("rps>100", Some(2));
        watch.second(0, 1.0, with(5.0));
        watch.second(1, 2.0, with(500.0));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_stop_that_came_before_is_not_the_thresholds() {
        let (mut watch, asked) = watch("rps>100", Some(0));
        asked.store(1, Ordering::Relaxed);
        watch.second(0, 1.0, with(5.0));
        assert_eq!(watch.stopped_for(), None);
    }

    #[test]
    fn too_few_samples_and_growing_counts_stop_nothing() {
        let (mut few, asked) = watch("p99<10us", Some(0));
        few.second(0, 1.0, |condition| {
            Standing::of(condition, Figure { finished: 40, samples: 40, value: Some(99.0) })
        });
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let (mut growing, asked) = watch("requests>9000", Some(0));
        growing.second(0, 1.0, with(5_000.0));
        let result = &growing.results(1, with(5_000.0))[0];
        assert_eq!((asked.load(Ordering::Relaxed), result.ok, result.first_failed_s), (0, false, None));
    }
}
