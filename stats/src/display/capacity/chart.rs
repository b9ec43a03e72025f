//! Bars of text, for a terminal of 80 columns.

/// Columns of a line.
const COLUMNS: usize = 80;

/// Spaces in front of every line.
const INDENT: usize = 2;

/// The scale is logarithmic where the largest value is this many times the smallest: below it the differences show as they are.
const LINEAR_MAX: f64 = 20.0;

/// One bar.
pub(super) struct Bar {
    /// In front of it.
    pub(super) label: String,
    /// Its length; above 0.
    pub(super) value: f64,
    /// The value as people read it.
    pub(super) text: String,
    /// What it is drawn with.
    pub(super) mark: char,
}

/// Whether the bars need a logarithmic scale.
pub(super) fn is_logarithmic(bars: &[Bar]) -> bool {
    let (least, most) = span(bars);
    most > least * LINEAR_MAX
}

/// A line for each bar, with its label and its value in columns.
pub(super) fn lines(bars: &[Bar]) -> Vec<String> {
    let width = |of: fn(&Bar) -> &str| bars.iter().map(|bar| of(bar).chars().count()).max().unwrap_or(0);
    let (label, text) = (width(|bar| &bar.label), width(|bar| &bar.text));
    let longest = COLUMNS.saturating_sub(INDENT + label + text + 5).max(1);
    let (least, most) = span(bars);
    let logarithmic = is_logarithmic(bars);
    let draw = |bar: &Bar| {
        let share = if logarithmic { (bar.value / least).ln() / (most / least).ln() } else { bar.value / most };
        // The least of them is seen as well.
        let marks = (share * longest as f64).round().clamp(1.0, longest as f64) as usize;
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
    fn marks(values: &[f64]) -> Vec<usize> {
        lines(&bars(values)).iter().map(|line| line.matches('#').count()).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        assert_eq!(marks(&[71.0, 35.5, 7.1, 3.6]), [71, 36, 7, 4]);
        assert_eq!(lines(&bars(&[71.0]))[0].chars().count(), 79);
        assert!(!is_logarithmic(&bars(&[1.0, 20.0])));
    }

    #[test]
    fn a_wide_span_is_drawn_by_its_logarithm() {
        // Decades are equally far apart; the least is drawn with one.
        assert_eq!(marks(&[1.0, 10.0, 100.0, 1_000.0]), [1, 24, 47, 71]);
        assert!(is_logarithmic(&bars(&[1.0, 20.1])));
    }

    #[test]
    fn nothing_and_equals() {
        assert!(lines(&[]).is_empty());
        assert_eq!(marks(&[5.0, 5.0]), [71, 71]);
    }
}
