//! A figure over time: a number of users, or a rate.

use crate::plan::Stage;

/// Piecewise linear over the run clock, in seconds: it moves evenly to a target and stays there until the next piece begins. Times
/// are exact to the nanosecond for 100 days of a run (53 bits).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Course {
    /// By time, never empty; the first begins at 0.
    pieces: Vec<Piece>,
}

/// One change of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    pub(crate) at_s: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// How long it moves, before it stays at `to`.
    pub(crate) over_s: f64,
    /// The integral of the figure from 0 to `at_s`: of a rate, what came before.
    pub(crate) before: f64,
}

impl Piece {
    /// True where it goes nowhere.
    pub(crate) fn stays(&self) -> bool {
        (self.to - self.from).abs() <= 0.0
    }

    fn slope(&self) -> f64 {
        if self.over_s > 0.0 {
            (self.to - self.from) / self.over_s
        } else {
            0.0
        }
    }

    fn value(&self, after_s: f64) -> f64 {
        if after_s >= self.over_s {
            self.to
        } else {
            self.from + self.slope() * after_s
        }
    }

    /// The integral over its first seconds.
    fn sum(&self, after_s: f64) -> f64 {
        let moving_s = after_s.min(self.over_s);
        let moved = moving_s * (self.from + self.value_moving(moving_s)) / 2.0;
        moved + self.to * (after_s - moving_s)
    }

    fn value_moving(&self, after_s: f64) -> f64 {
        self.from + self.slope() * after_s
    }

    /// After how many seconds its integral goes beyond `sum`; infinite where it never does.
    fn passes(&self, sum: f64) -> f64 {
        let moved = self.sum(self.over_s);
        if sum >= moved {
            return if self.to > 0.0 { self.over_s + (sum - moved) / self.to } else { f64::INFINITY };
        }
        // from x t + slope x t^2 / 2 = sum, solved without a difference of near numbers.
        let root = (self.from * self.from + 2.0 * self.slope() * sum).max(0.0).sqrt();
        if self.from + root > 0.0 {
            2.0 * sum / (self.from + root)
        } else {
            0.0
        }
    }
}

impl Course {
    /// `start` at first, then from stage to stage; what the last reaches stays.
    pub(crate) fn new(start: f64, stages: &[Stage]) -> Self {
        let mut course = Self { pieces: vec![Piece { at_s: 0.0, from: start, to: start, over_s: 0.0, before: 0.0 }] };
        let (mut at_s, mut from) = (0.0, start);
        for stage in stages {
            let over_s = stage.over.as_secs_f64();
            // From what the stage before it reaches, to the bit: a stage that stays is none that goes anywhere.
            course.turn_from(from, at_s, stage.target, over_s);
            at_s += over_s;
            from = stage.target;
        }
        course
    }

    /// Steady from the start.
    pub(crate) fn steady(value: f64) -> Self {
        Self::new(value, &[])
    }

    /// From a time on it goes to a target and stays there; what was to come after that time is forgotten.
    pub(crate) fn turn(&mut self, at_s: f64, target: f64, over_s: f64) {
        self.turn_from(self.value(at_s), at_s, target, over_s);
    }

    fn turn_from(&mut self, from: f64, at_s: f64, target: f64, over_s: f64) {
        let before = self.sum(at_s);
        self.pieces.retain(|piece| piece.at_s < at_s);
        self.pieces.push(Piece { at_s, from, to: target, over_s, before });
    }

    /// From a time on it stands at 0.
    pub(crate) fn halt(&mut self, at_s: f64) {
        let before = self.sum(at_s);
        self.pieces.retain(|piece| piece.at_s < at_s);
        self.pieces.push(Piece { at_s, from: 0.0, to: 0.0, over_s: 0.0, before });
    }

    /// From a time on it is again what another course says for that time and later.
    pub(crate) fn take_up(&mut self, at_s: f64, other: &Self) {
        let mut before = self.sum(at_s);
        self.pieces.retain(|piece| piece.at_s < at_s);
        let (place, piece) = other.piece_at(at_s);
        let gone_s = at_s - piece.at_s;
        let rest =
            Piece { at_s, from: piece.value(gone_s), to: piece.to, over_s: (piece.over_s - gone_s).max(0.0), before };
        self.pieces.push(rest);
        for piece in &other.pieces[place + 1..] {
            let last = self.pieces[self.pieces.len() - 1];
            before = last.before + last.sum(piece.at_s - last.at_s);
            self.pieces.push(Piece { before, ..*piece });
        }
    }

    /// The pieces, by time.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The piece that holds at a time.
    pub(crate) fn piece(&self, at_s: f64) -> Piece {
        *self.piece_at(at_s).1
    }

    /// The figure at a time.
    pub(crate) fn value(&self, at_s: f64) -> f64 {
        let (_, piece) = self.piece_at(at_s);
        piece.value(at_s - piece.at_s)
    }

    /// The integral from 0 to a time: of a rate, how many by then.
    pub(crate) fn sum(&self, at_s: f64) -> f64 {
        let (_, piece) = self.piece_at(at_s);
        piece.before + piece.sum(at_s - piece.at_s)
    }

    /// When the integral goes beyond `sum`; none where it never does. While the figure is 0 it does not.
    pub(crate) fn passes(&self, sum: f64) -> Option<f64> {
        let place = self.pieces.partition_point(|piece| piece.before <= sum).max(1) - 1;
        let piece = &self.pieces[place];
        let end_s = self.pieces.get(place + 1).map_or(f64::INFINITY, |next| next.at_s);
        let at_s = (piece.at_s + piece.passes(sum - piece.before)).min(end_s);
        at_s.is_finite().then_some(at_s)
    }

    fn piece_at(&self, at_s: f64) -> (usize, &Piece) {
        let place = self.pieces.partition_point(|piece| piece.at_s <= at_s).max(1) - 1;
        (place, &self.pieces[place])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn stage(seconds: f64, target: f64) -> Stage {
        Stage { over: Duration::from_secs_f64(seconds), target }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn a_steady_rate_is_n_by_rate() {
        let course = Course::steady(1_000.0);
        assert!(close(course.sum(10.0), 10_000.0));
        assert_eq!(course.passes(0.0), Some(0.0));
        assert_eq!(course.passes(3.0), Some(0.003));
        assert_eq!(course.passes(1e9), Some(1e6));
        assert_eq!(Course::steady(0.0).passes(0.0), None);
    }

    #[test]
    fn a_ramp_is_the_triangle_below_it() {
        // 0 to 100/s in 10 s are 500; then 100/s; from 20 s down to 0 in 10 s are 500 more.
        let course = Course::new(0.0, &[stage(10.0, 100.0), stage(10.0, 100.0), stage(10.0, 0.0)]);
        assert!(close(course.value(5.0), 50.0) && close(course.value(15.0), 100.0) && close(course.value(25.0), 50.0));
        assert!(close(course.sum(10.0), 500.0) && close(course.sum(20.0), 1_500.0) && close(course.sum(99.0), 2_000.0));
        // Half of the first triangle's sum at 10 / sqrt 2.
        assert!(close(course.passes(250.0).unwrap(), 50f64.sqrt()));
        assert!(close(course.passes(1_000.0).unwrap(), 15.0));
        assert!(close(course.passes(1_875.0).unwrap(), 25.0));
        assert_eq!(course.passes(2_000.0), None, "it reaches them and goes no further");
    }

    #[test]
    fn a_jump_is_a_stage_without_time() {
        let course = Course::new(10.0, &[stage(1.0, 10.0), stage(0.0, 50.0), stage(1.0, 50.0)]);
        assert!(close(course.value(0.999), 10.0) && close(course.value(1.0), 50.0));
        assert!(close(course.sum(2.0), 60.0));
        let late = Course::new(0.0, &[stage(5.0, 0.0), stage(0.0, 2.0)]);
        assert_eq!((late.passes(0.0), late.passes(1.0)), (Some(5.0), Some(5.5)));
    }

    #[test]
    fn a_stage_that_stays_goes_nowhere() {
        // 0.2 + 0.5 + 0.2 is not 0.9 in binary, and the way down ends a hair above nothing.
        let course = Course::new(0.0, &[stage(0.2, 4.0), stage(0.5, 4.0), stage(0.2, 0.0), stage(0.1, 0.0)]);
        assert!(course.pieces().iter().all(|piece| piece.stays() || close(piece.from + piece.to, 4.0)));
    }

    #[test]
    fn what_was_to_come_is_forgotten_at_a_turn() {
        let mut course = Course::new(0.0, &[stage(10.0, 100.0), stage(10.0, 0.0)]);
        course.turn(5.0, 10.0, 4.0);
        assert!(close(course.value(5.0), 50.0) && close(course.value(7.0), 30.0) && close(course.value(50.0), 10.0));
        assert!(close(course.sum(9.0), 125.0 + 120.0));
    }

    #[test]
    fn a_halt_ends_and_the_course_goes_on_as_if_nothing_had_been() {
        let planned = Course::new(0.0, &[stage(10.0, 100.0), stage(10.0, 100.0), stage(10.0, 0.0)]);
        let mut course = planned.clone();
        course.halt(5.0);
        assert!(close(course.value(8.0), 0.0) && close(course.sum(8.0), 125.0));
        course.take_up(12.0, &planned);
        assert!(close(course.value(12.0), 100.0) && close(course.value(25.0), 50.0));
        assert!(close(course.sum(30.0), 125.0 + 800.0 + 500.0));
        assert_eq!(course.passes(125.5).map(|at_s| (at_s * 1e6).round()), Some(12_005_000.0));
    }

    proptest! {
        #[test]
        fn passing_and_summing_are_each_others_inverse(
            start in 0.0..1e5,
            stages in prop::collection::vec((0.0..1_000.0, 0.0..1e5), 0..6),
            part in 0.0..1.0,
        ) {
            let stages: Vec<Stage> = stages.into_iter().map(|(over, to)| stage(over, to)).collect();
            let course = Course::new(start, &stages);
            let end_s: f64 = stages.iter().map(|stage| stage.over.as_secs_f64()).sum::<f64>() + 10.0;
            let sum = course.sum(end_s) * part;
            if let Some(at_s) = course.passes(sum) {
                prop_assert!(at_s >= 0.0);
                prop_assert!((course.sum(at_s) - sum).abs() <= 1e-6 * sum.max(1.0), "{} {}", course.sum(at_s), sum);
            } else {
                prop_assert!(sum >= course.sum(end_s) * (1.0 - 1e-9));
            }
        }
    }
}
