//! When each user of a core starts and ends, in a closed run.

use super::Course;

/// What happens to the number of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One more starts.
    Start,
    /// The last one that started ends.
    End,
}

/// The users of one core over time. User `p` of the run starts, and ends, when the course is at `p`: with 4 users at 2 a second they
/// start at 0, 0.5, 1 and 1.5 s.
#[derive(Debug)]
pub(crate) struct Levels {
    course: Course,
    /// The piece of the course that is being gone through.
    piece: usize,
}

impl Levels {
    pub(crate) fn new(course: Course) -> Self {
        Self { course, piece: 0 }
    }

    /// The next change where `wanted` users of this core are to be active, and its time in seconds of the run clock, which may have
    /// passed; none when the course holds no further one. `position` gives each user's number in the run.
    pub(crate) fn next(
        &mut self,
        wanted: usize,
        most: usize,
        position: impl Fn(usize) -> f64,
    ) -> Option<(f64, Change)> {
        loop {
            let pieces = self.course.pieces();
            let piece = pieces[self.piece];
            let share = |way: f64| if piece.stays() { 0.0 } else { way / (piece.to - piece.from).abs() };
            let end_s = pieces.get(self.piece + 1).map_or(f64::INFINITY, |next| next.at_s);
            let mut change = None;
            if wanted < most && position(wanted) < piece.to {
                change = Some((share((position(wanted) - piece.from).max(0.0)), Change::Start));
            } else if wanted > 0 && position(wanted - 1) >= piece.to {
                change = Some((share((piece.from - position(wanted - 1)).max(0.0)), Change::End));
            }
            if let Some((part, change)) = change {
                let at_s = piece.at_s + piece.over_s * part.min(1.0);
                if at_s < end_s {
                    return Some((at_s, change));
                }
            }
            if end_s.is_infinite() {
                return None;
            }
            self.piece += 1;
        }
    }

    /// Where the number of users is going to at a time; none while it stays.
    pub(crate) fn on_the_way_to(&self, at_s: f64) -> Option<f64> {
        // Not the piece that is being gone through: where no change was left in those before it, that one is still to come.
        let piece = self.course.piece(at_s);
        (at_s < piece.at_s + piece.over_s && !piece.stays()).then_some(piece.to)
    }

    /// From a time on the run goes to so many users, `per_second` more or fewer each second.
    pub(crate) fn turn(&mut self, at_s: f64, users: f64, per_second: f64) {
        let way = (users - self.course.value(at_s)).abs();
        self.course.turn(at_s, users, way / per_second);
        // What was gone through is gone through; the new piece is the last.
        self.piece = self.piece.min(self.course.pieces().len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Stage;

    fn levels(stages: &[(f64, f64)]) -> Levels {
        let stages: Vec<Stage> =
            stages.iter().map(|&(seconds, target)| Stage { over: Duration::from_secs_f64(seconds), target }).collect();
        Levels::new(Course::new(0.0, &stages))
    }

    /// All changes of one core of several, as thousandths of a second with the number of users after each.
    fn changes(levels: &mut Levels, core: usize, cores: usize) -> Vec<(u64, usize)> {
        let (mut wanted, mut seen) = (0, Vec::new());
        while let Some((at_s, change)) = levels.next(wanted, 1_000, |slot| (slot * cores + core) as f64) {
            wanted = if change == Change::Start { wanted + 1 } else { wanted - 1 };
            seen.push(((at_s * 1e3).round() as u64, wanted));
        }
        seen
    }

    #[test]
    fn users_start_one_by_one() {
        assert_eq!(changes(&mut levels(&[(2.0, 4.0)]), 0, 1), [(0, 1), (500, 2), (1_000, 3), (1_500, 4)]);
    }

    #[test]
    fn cores_take_turns() {
        assert_eq!(changes(&mut levels(&[(2.0, 4.0)]), 0, 2), [(0, 1), (1_000, 2)]);
        assert_eq!(changes(&mut levels(&[(2.0, 4.0)]), 1, 2), [(500, 1), (1_500, 2)]);
    }

    #[test]
    fn stages_go_up_stay_and_go_down_to_nothing() {
        let mut stages = levels(&[(1.0, 2.0), (3.0, 2.0), (1.0, 4.0), (2.0, 0.0)]);
        let expected = [(0, 1), (500, 2), (4_000, 3), (4_500, 4), (5_500, 3), (6_000, 2), (6_500, 1), (7_000, 0)];
        assert_eq!(changes(&mut stages, 0, 1), expected);
    }

    #[test]
    fn users_may_come_and_go_at_once() {
        assert_eq!(
            changes(&mut levels(&[(0.0, 3.0), (1.0, 3.0), (0.0, 1.0)]), 0, 1),
            [(0, 1), (0, 2), (0, 3), (1_000, 2), (1_000, 1)]
        );
    }

    #[test]
    fn a_turn_begins_where_the_users_are() {
        let mut levels = levels(&[(10.0, 10.0)]);
        for wanted in 0..4 {
            assert_eq!(levels.next(wanted, 99, |slot| slot as f64), Some((wanted as f64, Change::Start)));
        }
        levels.turn(3.0, 1.0, 2.0);
        // From 3 users (0 to 2) down to one; the fourth, which has just started, goes at once.
        assert_eq!(levels.next(4, 99, |slot| slot as f64), Some((3.0, Change::End)));
        assert_eq!(levels.next(3, 99, |slot| slot as f64), Some((3.5, Change::End)));
        assert_eq!(levels.next(2, 99, |slot| slot as f64), Some((4.0, Change::End)));
        assert_eq!(levels.next(1, 99, |slot| slot as f64), None);
        assert_eq!((levels.on_the_way_to(3.9), levels.on_the_way_to(4.0)), (Some(1.0), None));
    }

    #[test]
    fn a_stage_to_come_is_not_the_one_under_way() {
        let mut stages = levels(&[(1.0, 2.0), (60.0, 2.0), (10.0, 9.0)]);
        assert_eq!(stages.next(2, 99, |slot| slot as f64), Some((61.0, Change::Start)));
        assert_eq!((stages.on_the_way_to(0.5), stages.on_the_way_to(30.0)), (Some(2.0), None));
    }
}
