//! The middle of a few figures and how far they lie apart.

/// Median, quartiles and ends of a list of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) median: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of no figures there is none. Quantiles between two figures are interpolated (Hyndman and Fan 1996, type 7).
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let quantile = |q: f64| {
            let place = q * last as f64;
            let below = place.floor() as usize;
            let above = sorted[(below + 1).min(last)];
            sorted[below] + (above - sorted[below]) * place.fract()
        };
        Some(Self {
            min: sorted[0],
            lower_quartile: quantile(0.25),
            median: quantile(0.5),
            upper_quartile: quantile(0.75),
            max: sorted[last],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn five_figures_are_their_own_quartiles() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!(spread, Spread { min: 1.0, lower_quartile: 2.0, median: 3.0, upper_quartile: 4.0, max: 5.0 });
    }

    #[test]
    fn between_two_figures_it_interpolates() {
        let spread = Spread::of([10.0, 20.0]).unwrap();
        assert_eq!(spread, Spread { min: 10.0, lower_quartile: 12.5, median: 15.0, upper_quartile: 17.5, max: 20.0 });
    }

    #[test]
    fn of_nothing_there_is_none() {
        assert_eq!(Spread::of([]), None);
    }
}
