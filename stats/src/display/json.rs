//! Documents for scripts, indented: the summary of a run, schema `pummel.summary/1`, the result of a capacity search, schema
//! `pummel.capacity/1`, and a comparison, schema `pummel.comparison/1`.

use serde::Serialize;

use crate::capacity::CapacityResult;
use crate::compare::Comparison;
use crate::summary::Summary;

/// The document, with a line break at its end.
///
/// # Errors
/// None that is known: every figure of a summary is a number or null in JSON.
pub fn summary_json(summary: &Summary) -> serde_json::Result<Vec<u8>> {
    document(summary)
}

/// The document, with a line break at its end.
///
/// # Errors
/// None that is known, as above.
pub fn capacity_json(result: &CapacityResult) -> serde_json::Result<Vec<u8>> {
    document(result)
}

/// The document, with a line break at its end.
///
/// # Errors
/// None that is known, as above.
pub fn comparison_json(comparison: &Comparison) -> serde_json::Result<Vec<u8>> {
    document(comparison)
}

fn document(of: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(of)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_document_reads_back_as_the_summary() {
        let json = summary_json(&sample::summary()).unwrap();
        assert_eq!(serde_json::from_slice::<Summary>(&json).unwrap(), sample::summary());
        assert!(json.starts_with(b"{\n  \"schema\": \"pummel.summary/1\",\n"));
        assert!(json.ends_with(b"}\n"));
    }
}
