//! Bars of text, a line each.

/// Spaces in front of every line.
pub(super) const INDENT: usize = 2;

/// The scale is logarithmic where the largest value is this many times the smallest: below it the differences show as they are.
const LINEAR_MAX: f64 = 20.0;

/// One bar.
pub(in crate::display) struct Bar {
    /// In front of it.
    pub(in crate::display) label: String,
    /// Its length; nothing is drawn of 0.
    pub(in crate::display) value: f64,
    /// The value as people read it.
    pub(in crate::display) text: String,
    /// What it is drawn with.
    pub(in crate::display) mark: char,
}

/// How values become lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::display) enum Scale {
    /// Twice the value is twice as long.
    Linear,
    /// Twice the value is longer by the same everywhere. No value is 0.
    Logarithmic,
}

impl Scale {
    /// The one on which the bars can be told apart.
    pub(in crate::display) fn fitting(bars: &[Bar]) -> Self {
        let (least, most) = span(bars);
        if most > least * LINEAR_MAX {
            Self::Logarithmic
        } else {
            Self::Linear
        }
    }
}

/// A line for each bar, with its label and its value in columns, each at most `columns` wide if labels and texts allow.
pub(in crate::display) fn lines(bars: &[Bar], scale: Scale, columns: usize) -> Vec<String> {
    let width = |of: fn(&Bar) -> &str| bars.iter().map(|bar| of(bar).chars().count()).max().unwrap_or(0);
    let (label, text) = (width(|bar| &bar.label), width(|bar| &bar.text));
    let longest = columns.saturating_sub(INDENT + label + text + 5).max(1);
    let (least, most) = span(bars);
    let draw = |bar: &Bar| {
        let share = match scale {
            Scale::Linear => bar.value / most,
            Scale::Logarithmic => (bar.value / least).ln() / (most / least).ln(),
        };
        // The least of them is seen as well.
        let marks =
            if bar.value > 0.0 { (share * longest as f64).round().clamp(1.0, longest as f64) as usize } else { 0 };
        let bar_of_marks = bar.mark.to_string().repeat(marks);
        format!("{:INDENT$}{:>label$}  {:>text$} |{bar_of_marks}", "", bar.label, bar.text)
    };
    bars.iter().map(draw).collect()
}

fn span(bars: &[Bar]) -> (f64, f64) {
    bars.iter().fold((f64::INFINITY, 0.0), |(least, most), bar| (bar.value.min(least), bar.value.max(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Vec<Bar> {
        values.iter().map(|&value| Bar { label: "a".into(), value, text: "b".into(), mark: '#' }).collect()
    }

    /// How many marks each bar has; 71 fit: 80 less two spaces, label, two spaces, value, space, stroke and one to spare.
    fn marks(values: &[f64], scale: Scale) -> Vec<usize> {
        lines(&bars(values), scale, 80).iter().map(|line| line.matches('#').count()).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        assert_eq!(marks(&[71.0, 35.5, 7.1, 3.6], Scale::Linear), [71, 36, 7, 4]);
        assert_eq!(lines(&bars(&[71.0]), Scale::Linear, 80)[0].chars().count(), 79);
        assert_eq!(lines(&bars(&[71.0]), Scale::Linear, 40)[0].chars().count(), 39);
        assert_eq!(Scale::fitting(&bars(&[1.0, 20.0])), Scale::Linear);
    }

    #[test]
    fn a_wide_span_is_drawn_by_its_logarithm() {
        // Decades are equally far apart; the least is drawn with one.
        assert_eq!(marks(&[1.0, 10.0, 100.0, 1_000.0], Scale::Logarithmic), [1, 24, 47, 71]);
        assert_eq!(Scale::fitting(&bars(&[1.0, 20.1])), Scale::Logarithmic);
    }

    #[test]
    fn nothing_and_equals() {
        assert!(lines(&[], Scale::Linear, 80).is_empty());
        assert_eq!(marks(&[5.0, 5.0], Scale::Linear), [71, 71]);
        assert_eq!(marks(&[5.0, 0.0, 0.001], Scale::Linear), [71, 0, 1]);
        assert_eq!(marks(&[0.0, 0.0], Scale::Linear), [0, 0]);
    }
}
