//! Close names for "did you mean".

/// Names closer than this are offered (Jaro-Winkler similarity: 1 is equal, 0 has nothing in common).
const CLOSE: f64 = 0.83;

/// How alike two short names count that differ by one letter, or by two that changed places: the typing errors the similarity
/// above misses (`ulr`).
const ONE_SLIP: f64 = 0.9;

/// How many are offered.
const MAX_OFFERED: usize = 3;

/// The known names closest to `name`, as a sentence; none where nothing is close.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    let mut close: Vec<(f64, &str)> = known.map(|k| (similarity(&lower, &k.to_lowercase()), k)).collect();
    close.retain(|(similarity, _)| *similarity >= CLOSE);
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    close.dedup_by(|a, b| a.1 == b.1);
    let offered: Vec<String> = close.iter().take(MAX_OFFERED).map(|(_, name)| format!("\"{name}\"")).collect();
    (!offered.is_empty()).then(|| format!("did you mean {}?", offered.join(" or ")))
}

fn similarity(name: &str, known: &str) -> f64 {
    let similarity = strsim::jaro_winkler(name, known);
    if name.len() > 2 && known.len() > 2 && strsim::osa_distance(name, known) == 1 {
        similarity.max(ONE_SLIP)
    } else {
        similarity
    }
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

    #[test]
    fn one_slip_in_a_short_name_is_close() {
        let known = ["url", "eq", "json"];
        assert_eq!(did_you_mean("ulr", known.into_iter()).as_deref(), Some("did you mean \"url\"?"));
        assert_eq!(did_you_mean("jsom", known.into_iter()).as_deref(), Some("did you mean \"json\"?"));
        assert_eq!(did_you_mean("en", known.into_iter()), None);
    }
}
