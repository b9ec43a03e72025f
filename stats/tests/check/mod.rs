//! What must hold for any file that is compared, shared by the corpus replay and the fuzz target.

use pummel_stats::{
    compare::{
        baseline::{read, NAME_CHARS_MAX, ROWS_MAX},
        compare, Contender, SPANS_MAX,
    },
    display::{comparison_json, comparison_markdown, comparison_report, ReportOptions},
};

/// A file of any contents: read, held against itself, and shown in every form.
pub(crate) fn baseline(data: &[u8]) {
    let Ok((source, measured)) = read(data) else { return };
    assert!(measured.rows.len() <= ROWS_MAX);
    for row in measured.rows.iter().chain([&measured.all]) {
        assert!(row.name.name.chars().count() <= NAME_CHARS_MAX);
        assert!(row.spans.len() <= SPANS_MAX);
        assert!(row.failures <= row.requests, "{row:?}");
    }
    let side = |name: &str| Contender { name: name.into(), source, runs: vec![measured.clone()] };
    let comparison = compare(&[side("a"), side("b")]);
    let text = comparison_report(&comparison, ReportOptions::default());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    let markdown = comparison_markdown(&comparison);
    assert!(markdown.chars().all(|c| c == '\n' || !c.is_control()), "{markdown:?}");
    comparison_json(&comparison).expect("every figure is a number");
}
