//! How often a process that ends again and again is started anew.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Restarts within [`WINDOW`]. One that fails more often than this will fail the next time too, and each start costs a core much of a
/// second.
pub(crate) const RESTARTS_MAX: usize = 5;

/// The time in which restarts are counted.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// What the second restart within the window waits; each further one waits twice as long. The first waits for nothing: most processes that
/// end do it once.
const BACK_OFF: Duration = Duration::from_millis(100);

/// When the restarts of one process were.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    at: VecDeque<Instant>,
}

/// When the next restart may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Then, as a process that needs a moment.
    At(Instant),
    /// Then, and until then it counts as down.
    DownUntil(Instant),
}

impl Restarts {
    /// When a process that ends `now` is started anew; it counts as a restart of that time.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        while self.at.front().is_some_and(|first| now.saturating_duration_since(*first) >= WINDOW) {
            self.at.pop_front();
        }
        let next = match (self.at.len(), self.at.front()) {
            (0, _) | (_, None) => Next::At(now),
            (RESTARTS_MAX.., Some(first)) => Next::DownUntil(*first + WINDOW),
            (count, _) => Next::At(now + BACK_OFF * (1 << (count - 1))),
        };
        let (Next::At(at) | Next::DownUntil(at)) = next;
        if self.at.len() == RESTARTS_MAX {
            self.at.pop_front();
        }
        self.at.push_back(at);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_restarts_a_minute_then_a_rest_until_the_first_is_a_minute_old() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut restarts = Restarts::default();
        assert_eq!(restarts.next(at(0)), Next::At(at(0)));
        assert_eq!(restarts.next(at(1_000)), Next::At(at(1_100)));
        assert_eq!(restarts.next(at(2_000)), Next::At(at(2_200)));
        assert_eq!(restarts.next(at(3_000)), Next::At(at(3_400)));
        assert_eq!(restarts.next(at(4_000)), Next::At(at(4_800)));
        assert_eq!(restarts.next(at(5_000)), Next::DownUntil(at(60_000)));
        // The one of 1.1 s is the oldest now.
        assert_eq!(restarts.next(at(60_500)), Next::DownUntil(at(61_100)));
        // All of the first burst are older than a minute; those of 60 s and 61.1 s are not.
        assert_eq!(restarts.next(at(70_000)), Next::At(at(70_200)));
        assert_eq!(restarts.next(at(300_000)), Next::At(at(300_000)));
    }
}
