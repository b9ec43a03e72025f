//! What a search is told, and its arithmetic of levels.

use serde::{Deserialize, Serialize};

use crate::threshold::{with_separators, Condition};

/// The first level of a search by rate is this share of the estimate: low enough that a service which only just managed the
/// estimate is not hurt by it.
const START_SHARE: f64 = 0.25;

/// Where the first level fails the next one is lower by this factor, until one holds.
const DESCENT: f64 = 4.0;

/// The level that was found is confirmed at this share of itself (accuracy section 4).
const CONFIRMED_SHARE: f64 = 0.95;

/// Below one arrival in a quarter of an hour nobody waits for a probe.
const RATE_MIN: f64 = 0.001;

/// What a search varies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Iterations that arrive a second: an open load.
    #[default]
    Rate,
    /// Users at once, a whole number: a closed load.
    Users,
}

impl By {
    /// A level as people read it: `4,870/s`, `0.5/s`, `1 user`, `48 users`. Rates have four digits, more where the whole part has.
    pub fn text(self, level: f64) -> String {
        match self {
            Self::Rate => format!("{}/s", number(level)),
            Self::Users if level.round() <= 1.0 => format!("{} user", number(level.round())),
            Self::Users => format!("{} users", number(level.round())),
        }
    }
}

/// What a search is told. [`Search::new`](super::Search::new) moves figures that make no sense to the nearest that do.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchSpec {
    /// What it varies.
    pub by: By,
    /// What a level must hold.
    pub thresholds: Vec<Condition>,
    /// The search ends when the lowest level that failed is at most this share above the highest that held.
    pub precision: f64,
    /// Each level is this many times the one before, until one fails.
    pub growth: f64,
    /// Lowest level to try.
    pub min: f64,
    /// Highest level to try; infinite where there is no bound.
    pub max: f64,
    /// Probes to make at most, repeats and the confirmation among them.
    pub probes_max: usize,
}

impl SearchSpec {
    /// To 2 %, doubling, from 1/s or 1 user on without an upper bound, in 60 probes at most.
    pub fn new(by: By, thresholds: Vec<Condition>) -> Self {
        Self { by, thresholds, precision: 0.02, growth: 2.0, min: 1.0, max: f64::INFINITY, probes_max: 60 }
    }

    /// Figures that make no sense, not-a-numbers among them, replaced by the nearest that do.
    pub(super) fn made_sound(mut self) -> Self {
        // Finer than a thousandth no two runs of the same service agree.
        self.precision = if self.precision.is_nan() { 0.02 } else { self.precision.clamp(0.001, 1.0) };
        self.growth = if self.growth.is_nan() { 2.0 } else { self.growth.clamp(1.1, 100.0) };
        let least = match self.by {
            By::Rate => RATE_MIN,
            By::Users => 1.0,
        };
        self.min = if self.min.is_finite() { self.whole(self.min.max(least)) } else { least };
        let highest = if self.by == By::Rate { least } else { self.min };
        self.max = if self.max.is_nan() { f64::INFINITY } else { self.whole(self.max).max(highest) };
        // Who asks for a highest rate below the lowest means it.
        self.min = self.min.min(self.max);
        self.probes_max = self.probes_max.max(1);
        self
    }

    /// The lowest level is lower than was asked for where the service does hardly more.
    pub(super) fn reach_down_to(&mut self, estimate_per_s: f64) {
        if self.by == By::Rate {
            self.min = self.min.min(four_digits(estimate_per_s * START_SHARE)).max(RATE_MIN);
        }
    }

    /// The level to begin with; of a search by users the estimate does not matter.
    pub(super) fn first(&self, estimate_per_s: f64) -> f64 {
        match self.by {
            By::Rate => four_digits(estimate_per_s * START_SHARE).clamp(self.min, self.max),
            By::Users => self.min,
        }
    }

    /// The next level above one that held.
    pub(super) fn above(&self, held: f64) -> f64 {
        let grown = match self.by {
            By::Rate => four_digits(held * self.growth),
            By::Users => (held * self.growth).round().max(held + 1.0),
        };
        grown.min(self.max)
    }

    /// The next level below one that failed, where none has held; `None` where there is none.
    pub(super) fn below(&self, failed: f64) -> Option<f64> {
        (failed > self.min).then(|| self.level(failed / DESCENT).max(self.min))
    }

    /// The level between one that held and one that failed; `None` where they are as close as was asked for.
    pub(super) fn between(&self, held: f64, failed: f64) -> Option<f64> {
        if failed <= held * (1.0 + self.precision) || self.by == By::Users && failed - held <= 1.0 {
            return None;
        }
        // Not the root of the product, which overflows first.
        let middle = held.sqrt() * failed.sqrt();
        Some(match self.by {
            By::Rate => Some(four_digits(middle)).filter(|&level| held < level && level < failed).unwrap_or(middle),
            By::Users => middle.round().clamp(held + 1.0, failed - 1.0),
        })
    }

    /// Where the level that was found is confirmed.
    pub(super) fn confirmation(&self, held: f64) -> f64 {
        self.level(held * CONFIRMED_SHARE)
    }

    /// Where a service that was overloaded may recover if no level has held yet.
    pub(super) fn half(&self, level: f64) -> f64 {
        self.level(level / 2.0)
    }

    /// A level like this one: four digits of a rate, so that people can ask for the same, or whole users.
    fn level(&self, level: f64) -> f64 {
        match self.by {
            By::Rate => four_digits(level),
            By::Users => level.floor().max(1.0),
        }
    }

    fn whole(&self, level: f64) -> f64 {
        match self.by {
            By::Rate => level,
            By::Users => level.floor(),
        }
    }
}

/// Digits behind the point that make four in all, negative where zeros stand before it.
fn places(value: f64) -> i32 {
    3 - value.log10().floor() as i32
}

/// Rounded to four significant digits.
fn four_digits(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return value;
    }
    match places(value) {
        places @ 0.. => {
            let parts = 10_f64.powi(places);
            (value * parts).round() / parts
        }
        places => {
            let unit = 10_f64.powi(-places);
            (value / unit).round() * unit
        }
    }
}

/// `4,870`, `486.7`, `0.5`: whole from 1,000 on, below with as many digits as it takes, four at most.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return format!("{value}");
    }
    let value = if value < 1e3 { four_digits(value) } else { value.round() };
    match places(value) {
        places @ 1.. if value < 1e3 => {
            let digits = format!("{value:.*}", places as usize);
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => with_separators(value as u64),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "levels are rounded to figures that can be written")]

    use super::*;

    fn by(by: By) -> SearchSpec {
        SearchSpec::new(by, Vec::new()).made_sound()
    }

    #[test]
    fn levels_read_well() {
        for (level, text) in [
            (0.001, "0.001/s"),
            (0.5, "0.5/s"),
            (1.0, "1/s"),
            (48.67, "48.67/s"),
            (99.996, "100/s"),
            (486.7, "486.7/s"),
            (1_000.0, "1,000/s"),
            (4_870.0, "4,870/s"),
            (4_626.5, "4,627/s"),
            (1_234_567.0, "1,234,567/s"),
        ] {
            assert_eq!(By::Rate.text(level), text);
        }
        assert_eq!((By::Users.text(1.0), By::Users.text(1_200.0)), ("1 user".into(), "1,200 users".into()));
    }

    #[test]
    fn rates_have_four_digits() {
        for (value, rounded) in [(12_345.6, 12_350.0), (0.012_345, 0.012_35), (999.96, 1_000.0), (0.0, 0.0)] {
            assert!((four_digits(value) - rounded).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn levels_of_a_rate() {
        let spec = SearchSpec { max: 5_000.0, ..by(By::Rate) };
        // A quarter of the estimate, doubled, bounded.
        assert_eq!([spec.first(3_000.0), spec.first(2.0), spec.first(1e9)], [750.0, 1.0, 5_000.0]);
        assert_eq!([spec.above(750.0), spec.above(3_000.0)], [1_500.0, 5_000.0]);
        assert_eq!([spec.below(750.0), spec.below(2.0), spec.below(1.0)], [Some(187.5), Some(1.0), None]);
        // The root of 1,000 x 2,000 is 1,414.2; 2 % apart is close enough.
        assert_eq!([spec.between(1_000.0, 2_000.0), spec.between(1_000.0, 1_020.0)], [Some(1_414.0), None]);
        assert_eq!(spec.between(1_000.0, 1_021.0), Some(1_010.0));
        assert_eq!([spec.confirmation(4_870.0), spec.half(75.0)], [4_627.0, 37.5]);
    }

    #[test]
    fn a_slow_service_is_searched_below_one_a_second() {
        for (estimate_per_s, max, expected) in [
            (4_000.0, f64::INFINITY, (1.0, 1_000.0)),
            (2.0, f64::INFINITY, (0.5, 0.5)),
            (0.3, f64::INFINITY, (0.075, 0.075)),
            (1e-9, f64::INFINITY, (0.001, 0.001)),
            (4_000.0, 0.2, (0.2, 0.2)),
        ] {
            let mut spec = SearchSpec { max, ..SearchSpec::new(By::Rate, Vec::new()) }.made_sound();
            spec.reach_down_to(estimate_per_s);
            assert_eq!((spec.min, spec.first(estimate_per_s)), expected, "{estimate_per_s} {max}");
        }
        let mut users = by(By::Users);
        users.reach_down_to(0.3);
        assert_eq!(users.min, 1.0);
    }

    #[test]
    fn levels_of_users_are_whole() {
        let spec = by(By::Users);
        assert_eq!([spec.first(9_999.0), spec.above(1.0), spec.above(8.0)], [1.0, 2.0, 16.0]);
        assert_eq!(
            [spec.between(8.0, 16.0), spec.between(8.0, 9.0), spec.between(1.0, 3.0)],
            [Some(11.0), None, Some(2.0)]
        );
        // 102 is 2 % above 100.
        assert_eq!([spec.between(100.0, 102.0), spec.between(100.0, 103.0)], [None, Some(101.0)]);
        assert_eq!([spec.confirmation(1.0), spec.confirmation(10.0), spec.confirmation(100.0)], [1.0, 9.0, 95.0]);
        assert_eq!([spec.below(3.0), spec.below(1.0)], [Some(1.0), None]);
        let slow = SearchSpec { growth: 1.1, ..spec };
        assert_eq!([slow.above(1.0), slow.above(2.0), slow.above(20.0)], [2.0, 3.0, 22.0]);
    }

    #[test]
    fn figures_without_sense_are_replaced() {
        let nan = f64::NAN;
        let spec = SearchSpec { precision: nan, growth: nan, min: nan, max: nan, probes_max: 0, ..by(By::Users) };
        let spec = spec.made_sound();
        assert_eq!((spec.precision, spec.growth, spec.min, spec.max), (0.02, 2.0, 1.0, f64::INFINITY));
        assert_eq!(spec.probes_max, 1);
        let spec = SearchSpec { precision: -1.0, growth: 0.5, min: 7.9, max: 3.0, ..by(By::Users) }.made_sound();
        assert_eq!((spec.precision, spec.growth, spec.min, spec.max), (0.001, 1.1, 7.0, 7.0));
    }
}
