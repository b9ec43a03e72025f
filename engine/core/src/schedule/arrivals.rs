//! When the iterations of an open run are due, whatever the server does.

use std::rc::Rc;

use super::Course;
use crate::{
    plan::Spacing,
    split::{rank, share},
};

/// The arrivals of one core, in order. Arrival `n` of the run is due when the integral of the rate passes `n` (even), or the sum of
/// `n + 1` exponential variates of mean 1 (Poisson: the time-rescaling theorem, Brown et al. 2002). Of `U` users of the run arrival
/// `n` falls to the core that has user `n mod U`, so the cores' parts add up to the run's exactly and lie between each other's; which
/// arrivals there are does not depend on the number of cores.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    rate: Course,
    gaps: Gaps,
    turn: Turn,
    /// How many of this core's arrivals come before the next.
    before: u64,
    /// The number of the next, from 0 over the whole run.
    number: u64,
    /// Arrivals with this number or a higher one are none.
    total: u64,
    /// Nor are those from this time on, nanoseconds of the run clock.
    until_ns: u64,
    next_ns: Option<u64>,
}

/// So many evenly spaced arrivals are gone through one by one before the rest is counted: mostly there is one.
const WALKED: u64 = 16;

/// Whose arrivals: as the users of the run take turns, so do their cores.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    core: usize,
    /// How many each core has.
    users: Rc<[usize]>,
    all: u64,
    /// No core has more than one less than another, the first ones the most.
    evenly: bool,
}

impl Turn {
    /// Of a core whose run has so many users on each.
    pub(crate) fn new(core: usize, users: Rc<[usize]>) -> Self {
        let (all, cores) = (users.iter().sum::<usize>() as u64, users.len());
        let evenly = users.iter().enumerate().all(|(core, &users)| users as u64 == share(all, core, cores));
        Self { core, users, all, evenly }
    }

    /// Of a core among such as have as many users each.
    pub(crate) fn of(core: usize, cores: usize) -> Self {
        Self::new(core, vec![1; cores].into())
    }

    fn users_here(&self) -> u64 {
        self.users[self.core] as u64
    }

    /// The part of the run's arrivals that is this core's.
    fn part(&self) -> f64 {
        self.users_here() as f64 / self.all as f64
    }

    /// Which user of the run one of this core's is.
    fn place(&self, user: usize) -> u64 {
        let place = if self.evenly { user * self.users.len() + self.core } else { rank(&self.users, self.core, user) };
        place as u64
    }

    /// The number in the run of an arrival of this core, after so many of its own.
    fn number(&self, before: u64) -> u64 {
        let here = self.users_here();
        (before / here).saturating_mul(self.all).saturating_add(self.place((before % here) as usize))
    }

    /// How many of this core's have a number up to this one.
    fn up_to(&self, number: u64) -> u64 {
        let (mut least, mut most) = (0, self.users[self.core]);
        while least < most {
            let middle = usize::midpoint(least, most);
            if self.place(middle) <= number % self.all {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        number / self.all * self.users_here() + least as u64
    }
}

#[derive(Debug, Clone)]
enum Gaps {
    Even,
    /// The sum up to the arrival at hand.
    Poisson {
        random: fastrand::Rng,
        sum: f64,
    },
}

impl Gaps {
    /// A variate of the exponential distribution of mean 1, by inversion.
    fn draw(random: &mut fastrand::Rng) -> f64 {
        // 1 - [0, 1) is above 0.
        -(1.0 - random.f64()).ln()
    }

    fn draw_all(random: &mut fastrand::Rng, count: u64) -> f64 {
        (0..count).map(|_| Self::draw(random)).sum()
    }
}

impl Arrivals {
    pub(crate) fn new(rate: Course, spacing: Spacing, turn: Turn, total: Option<u64>, until_ns: u64) -> Self {
        let gaps = match spacing {
            Spacing::Even => Gaps::Even,
            Spacing::Poisson { seed } => Gaps::Poisson { random: fastrand::Rng::with_seed(seed), sum: 0.0 },
        };
        let (number, total) = (turn.number(0), total.unwrap_or(u64::MAX));
        let mut arrivals = Self { rate, gaps, turn, before: 0, number, total, until_ns, next_ns: None };
        arrivals.go_on(number + 1);
        arrivals
    }

    /// When the next one is due, nanoseconds of the run clock; none when there is none.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.next_ns
    }

    /// True when there is none any more, and not for want of time.
    pub(crate) fn used_up(&self) -> bool {
        self.next_ns.is_none() && (self.all_taken() || self.until_ns == u64::MAX)
    }

    /// True when each of a bounded number was taken.
    pub(crate) fn all_taken(&self) -> bool {
        self.number >= self.total
    }

    /// Takes the next one; the one after it is next.
    pub(crate) fn take(&mut self) {
        let gaps = self.step();
        self.go_on(gaps);
    }

    /// Goes to the next one of this core; gives how many of the run it is further.
    fn step(&mut self) -> u64 {
        self.before += 1;
        let number = self.turn.number(self.before);
        number - std::mem::replace(&mut self.number, number)
    }

    /// Takes all that are due by a time; gives how many. There may be millions: evenly spaced ones are counted without going through
    /// them, of Poisson ones only the gaps are drawn.
    pub(crate) fn take_until(&mut self, at_ns: u64) -> u64 {
        let (mut taken, mut leapt) = (0, false);
        while self.next_ns.is_some_and(|due_ns| due_ns <= at_ns) {
            if taken == WALKED && !std::mem::replace(&mut leapt, true) {
                taken += self.leap(at_ns);
            } else {
                self.take();
                taken += 1;
            }
        }
        taken
    }

    /// Takes those of the next ones that surely are due by a time; gives how many.
    fn leap(&mut self, at_ns: u64) -> u64 {
        let sum = self.rate.sum(at_ns.min(self.until_ns.saturating_sub(1)) as f64 / 1e9);
        if matches!(self.gaps, Gaps::Even) {
            return self.leap_evenly(at_ns, sum);
        }
        let (sure, mut taken) = (sum * (1.0 - 1e-9) - 1.0, 0);
        while self.integral() <= sure && self.number < self.total {
            let gaps = self.step();
            self.draw(gaps);
            taken += 1;
        }
        self.next_ns = self.due();
        taken
    }

    /// All that are due by a time, where so many of the run come before that.
    fn leap_evenly(&mut self, at_ns: u64, sum: f64) -> u64 {
        let is_due = |number| self.due_of(number as f64, number).is_some_and(|due_ns| due_ns <= at_ns);
        let sum = (sum as u64).min(self.total - 1).max(self.number);
        // The sum says which is the last, but for what is rounded: the times themselves decide.
        let mut last = self.turn.up_to(sum) - 1;
        while last > self.before && !is_due(self.turn.number(last)) {
            last -= 1;
        }
        while is_due(self.turn.number(last + 1)) {
            last += 1;
        }
        let taken = last + 1 - self.before;
        self.before = last;
        self.take();
        taken
    }

    /// This core's part of the rate at a time.
    pub(crate) fn per_second(&self, at_ns: u64) -> f64 {
        self.rate.value(at_ns as f64 / 1e9) * self.turn.part()
    }

    /// The rate of the whole run over time.
    pub(crate) fn course(&self) -> &Course {
        &self.rate
    }

    /// The arrivals that are not yet taken follow another course of the rate.
    pub(crate) fn follow(&mut self, change: impl Fn(&mut Course)) {
        change(&mut self.rate);
        self.next_ns = self.due();
    }

    /// No further arrival is due.
    pub(crate) fn end(&mut self) {
        self.total = 0;
        self.next_ns = None;
    }

    /// Draws the gaps of so many arrivals of the run.
    fn go_on(&mut self, arrivals: u64) {
        self.draw(arrivals);
        self.next_ns = self.due();
    }

    fn draw(&mut self, arrivals: u64) {
        if let Gaps::Poisson { random, sum } = &mut self.gaps {
            *sum += Gaps::draw_all(random, arrivals);
        }
    }

    /// What the integral of the rate passes when the next is due.
    fn integral(&self) -> f64 {
        match self.gaps {
            Gaps::Even => self.number as f64,
            Gaps::Poisson { sum, .. } => sum,
        }
    }

    fn due(&self) -> Option<u64> {
        self.due_of(self.integral(), self.number)
    }

    /// When the arrival with this number is due, before which the integral of the rate is `before`.
    fn due_of(&self, before: f64, number: u64) -> Option<u64> {
        let due_ns = (self.rate.passes(before)? * 1e9).round() as u64;
        (number < self.total && due_ns < self.until_ns).then_some(due_ns)
    }
}

/// Goes through so many arrivals at a steady rate as an open run does, those to be made and those that were intended, and gives the
/// time of the last, nanoseconds. For the benches: what the schedule of a run costs.
pub fn walk_arrivals(per_second: f64, count: u64, spacing: Spacing) -> u64 {
    let mut arrivals = Arrivals::new(Course::steady(per_second), spacing, Turn::of(0, 1), None, u64::MAX);
    let mut intended = arrivals.clone();
    let mut last_ns = 0;
    for _ in 0..count {
        let Some(due_ns) = arrivals.next_ns() else { break };
        intended.take_until(due_ns);
        arrivals.take();
        last_ns = due_ns;
    }
    last_ns
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Stage;

    fn alone() -> Turn {
        Turn::of(0, 1)
    }

    fn taken(mut arrivals: Arrivals) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(due_ns) = arrivals.next_ns() {
            seen.push(due_ns);
            arrivals.take();
        }
        seen
    }

    fn of(rate: &Course, spacing: Spacing, turn: Turn, until_s: u64) -> Vec<u64> {
        taken(Arrivals::new(rate.clone(), spacing, turn, None, until_s * 1_000_000_000))
    }

    #[test]
    fn even_arrivals_lie_at_n_by_rate_and_are_as_many_as_rate_times_time() {
        let third = of(&Course::steady(3.0), Spacing::Even, alone(), 1);
        assert_eq!(third, [0, 333_333_333, 666_666_667]);
        for rate in [1.0, 7.0, 333.3, 1_000.0, 99_999.0] {
            let seen = of(&Course::steady(rate), Spacing::Even, alone(), 10);
            assert_eq!(seen.len(), (rate * 10.0).ceil() as usize, "{rate}");
        }
    }

    #[test]
    fn cores_have_each_arrival_once_whatever_their_number() {
        let stages = [(5.0, 2_000.0), (1.0, 2_000.0), (2.0, 0.0)];
        let stages: Vec<Stage> =
            stages.into_iter().map(|(s, target)| Stage { over: Duration::from_secs_f64(s), target }).collect();
        let course = Course::new(100.0, &stages);
        for spacing in [Spacing::Even, Spacing::Poisson { seed: 7 }] {
            let alone = of(&course, spacing, alone(), 8);
            for cores in [2, 3] {
                let mut all: Vec<u64> =
                    (0..cores).flat_map(|core| of(&course, spacing, Turn::of(core, cores), 8)).collect();
                all.sort_unstable();
                assert_eq!(all, alone, "{cores} cores");
            }
        }
        // 5,250 on the way up, 2,000 at the top, 2,000 on the way down.
        assert_eq!(of(&course, Spacing::Even, alone(), 8).len(), 9_250);
    }

    #[test]
    fn a_core_has_as_many_arrivals_as_it_has_users_for() {
        let of_core =
            |core, users: &[usize]| of(&Course::steady(1_000.0), Spacing::Even, Turn::new(core, users.into()), 3);
        // Three users on two cores: 0 and 2 are those of core 0.
        let [first, second] = [0, 1].map(|core| of_core(core, &[2, 1]));
        assert_eq!((first.len(), second.len()), (2_000, 1_000));
        assert_eq!(first[..4], [0, 2_000_000, 3_000_000, 5_000_000]);
        assert_eq!(second[..2], [1_000_000, 4_000_000]);
        // Users that share connections stay together.
        let cores = [20, 10, 7];
        let parts = [0, 1, 2].map(|core| of_core(core, &cores));
        // 81 times 37, and 3 more.
        assert!(parts.iter().zip(cores).all(|(part, users)| (81 * users..=81 * users + 3).contains(&part.len())));
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, of(&Course::steady(1_000.0), Spacing::Even, alone(), 3));
    }

    #[test]
    fn the_total_is_exact_over_the_cores() {
        let of_core = |core| {
            let turn = Turn::of(core, 2);
            taken(Arrivals::new(Course::steady(10.0), Spacing::Even, turn, Some(7), u64::MAX)).len()
        };
        assert_eq!([of_core(0), of_core(1)], [4, 3]);
    }

    #[test]
    fn taking_all_until_a_time_is_taking_them_one_by_one() {
        let stages = [(0.3, 50_000.0), (0.2, 0.0), (0.1, 0.0), (0.0, 7.3), (0.4, 200_000.0)];
        let stages: Vec<Stage> =
            stages.into_iter().map(|(s, target)| Stage { over: Duration::from_secs_f64(s), target }).collect();
        for course in [Course::new(0.0, &stages), Course::steady(1e5 / 3.0), Course::steady(0.3), Course::steady(1e5)] {
            let uneven = |core, users: &[usize]| Turn::new(core, users.into());
            for (turn, total) in [
                (alone(), None),
                (Turn::of(1, 3), None),
                (Turn::of(1, 2), Some(20_001)),
                (uneven(1, &[4, 3, 3]), None),
                (uneven(0, &[20, 10]), Some(20_001)),
            ] {
                for spacing in [Spacing::Even, Spacing::Poisson { seed: 3 }] {
                    let mut leaping = Arrivals::new(course.clone(), spacing, turn.clone(), total, 900_000_000);
                    let times = taken(leaping.clone());
                    let mut seen = 0;
                    for until_ns in [0, 1, 99_999_999, 100_000_000, 100_000_001, 550_000_000, 899_999_999, u64::MAX] {
                        seen += leaping.take_until(until_ns);
                        let expected = times.iter().filter(|&&due_ns| due_ns <= until_ns).count() as u64;
                        assert_eq!(seen, expected, "until {until_ns} of {turn:?}, {spacing:?}, {course:?}");
                        assert_eq!(leaping.next_ns(), times.get(seen as usize).copied());
                    }
                }
            }
        }
    }

    #[test]
    fn millions_of_arrivals_are_counted_and_not_gone_through() {
        let turn = Turn::of(1, 2);
        let mut arrivals = Arrivals::new(Course::steady(1e7), Spacing::Even, turn, None, 86_400_000_000_000);
        // Those with the numbers 1, 3, 5 and so on, one each 200 ns from 100 ns on.
        assert_eq!(arrivals.take_until(1_000_000_000), 5_000_000);
        assert_eq!(arrivals.next_ns(), Some(1_000_000_100));
        assert_eq!(arrivals.take_until(1_000_000_099), 0);
        assert_eq!(arrivals.take_until(u64::MAX), 86_399 * 5_000_000);
        assert_eq!(arrivals.next_ns(), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_another() {
        let of_seed = |seed| of(&Course::steady(100.0), Spacing::Poisson { seed }, alone(), 10);
        assert_eq!(of_seed(1), of_seed(1));
        assert_ne!(of_seed(1), of_seed(2));
    }

    /// The largest distance between the distribution of the gaps and the exponential one (Kolmogorov-Smirnov).
    fn distance_from_exponential(times_ns: &[u64], rate: f64) -> f64 {
        let mut gaps: Vec<f64> = times_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        let far = |(place, gap): (usize, &f64)| {
            let expected = 1.0 - (-rate * gap).exp();
            (expected - place as f64 / count).abs().max(((place + 1) as f64 / count - expected).abs())
        };
        gaps.iter().enumerate().map(far).fold(0.0, f64::max)
    }

    #[test]
    fn gaps_of_poisson_arrivals_are_exponential() {
        for seed in [1, 2, 3] {
            let times = of(&Course::steady(2_000.0), Spacing::Poisson { seed }, alone(), 10);
            // 20,000 expected; 4 standard deviations of a Poisson count are 566.
            assert!((19_434..=20_566).contains(&times.len()), "seed {seed}: {}", times.len());
            // The critical value at 1 % for many samples is 1.628 / sqrt n (Smirnov 1948).
            let bound = 1.628 / ((times.len() - 1) as f64).sqrt();
            let distance = distance_from_exponential(&times, 2_000.0);
            assert!(distance < bound, "seed {seed}: {distance} is not below {bound}");
        }
    }

    #[test]
    fn a_change_of_the_rate_goes_on_from_what_was_taken() {
        let mut arrivals = Arrivals::new(Course::steady(10.0), Spacing::Even, alone(), None, u64::MAX);
        (0..10).for_each(|_| arrivals.take());
        assert_eq!(arrivals.next_ns(), Some(1_000_000_000));
        arrivals.follow(|rate| rate.turn(0.95, 100.0, 0.0));
        // 9.5 by then; the 11th follows half of one later at 100/s.
        assert_eq!(arrivals.next_ns(), Some(955_000_000));
        arrivals.take();
        assert_eq!(arrivals.next_ns(), Some(965_000_000));
        arrivals.end();
        assert_eq!(arrivals.next_ns(), None);
    }
}
