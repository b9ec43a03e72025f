//! Goals, and whether they were reached.

/// A figure that was measured beside the one wanted; its text goes below the tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    /// What was measured, with its unit.
    pub(crate) what: String,
    /// The figure as text.
    pub(crate) measured: String,
    /// The bound as text, as in `>= 1.10`.
    pub(crate) wanted: String,
    /// Whether it was reached.
    pub(crate) reached: bool,
}

impl Verdict {
    /// A figure that should be at least `bound`.
    pub(crate) fn at_least(what: impl Into<String>, figure: f64, bound: f64, text: impl Fn(f64) -> String) -> Self {
        let wanted = format!(">= {}", text(bound));
        Self { what: what.into(), measured: text(figure), wanted, reached: figure >= bound }
    }

    /// A figure that should be at most `bound`.
    pub(crate) fn at_most(what: impl Into<String>, figure: f64, bound: f64, text: impl Fn(f64) -> String) -> Self {
        let wanted = format!("<= {}", text(bound));
        Self { what: what.into(), measured: text(figure), wanted, reached: figure <= bound }
    }

    /// A count that should be exactly another.
    pub(crate) fn exactly(what: impl Into<String>, figure: u64, bound: u64) -> Self {
        Self { what: what.into(), measured: figure.to_string(), wanted: format!("= {bound}"), reached: figure == bound }
    }
}

/// The verdicts as a list: `- pummel / wrk: 1.18 (wanted >= 1.10): reached`.
pub(crate) fn list(verdicts: &[Verdict]) -> String {
    let line = |verdict: &Verdict| {
        let end = if verdict.reached { "reached" } else { "NOT reached" };
        format!("- {}: {} (wanted {}): {end}", verdict.what, verdict.measured, verdict.wanted)
    };
    verdicts.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{list, Verdict};

    #[test]
    fn a_bound_itself_is_within_it() {
        let two_digits = |figure: f64| format!("{figure:.2}");
        let verdicts = [
            Verdict::at_least("a", 1.1, 1.1, two_digits),
            Verdict::at_most("b", 50.1, 50.0, two_digits),
            Verdict::exactly("c", 200, 200),
        ];
        assert_eq!(
            list(&verdicts),
            "- a: 1.10 (wanted >= 1.10): reached\n- b: 50.10 (wanted <= 50.00): NOT reached\n- c: 200 (wanted = 200): reached"
        );
    }
}
