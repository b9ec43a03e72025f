//! Close names for "did you mean".

/// Names closer than this are offered (Jaro-Winkler similarity: 1 is equal, 0 has nothing in common).
const CLOSE: f64 = 0.83;

/// How many are offered.
const MAX_OFFERED: usize = 3;

/// The known names closest to `name`, as a sentence; none where nothing is close.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    let mut close: Vec<(f64, &str)> =
        known.map(|k| (strsim::jaro_winkler(&lower, &k.to_lowercase()), k)).filter(|(s, _)| *s >= CLOSE).collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    close.dedup_by(|a, b| a.1 == b.1);
    let offered: Vec<String> = close.iter().take(MAX_OFFERED).map(|(_, name)| format!("\"{name}\"")).collect();
    (!offered.is_empty()).then(|| format!("did you mean {}?", offered.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_names_are_offered() {
        let known = ["headers", "validate", "variables"];
        assert_eq!(did_you_mean("header", known.into_iter()).as_deref(), Some("did you mean \"headers\"?"));
        assert_eq!(did_you_mean("Validate", known.into_iter()).as_deref(), Some("did you mean \"validate\"?"));
        assert_eq!(did_you_mean("xyz", known.into_iter()), None);
    }
}
