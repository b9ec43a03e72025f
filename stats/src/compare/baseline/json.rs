//! Which of the known JSON documents one is.

use serde_json::Value;

use super::{k6, oha, BaselineError, NAME_CHARS_MAX, ROWS_MAX};
use crate::compare::measured::{Measured, Source};
use crate::compare::summary::from_summary;
use crate::summary::{Summary, SCHEMA};

/// Reads a document.
pub(super) fn read(text: &str) -> Result<(Source, Measured), BaselineError> {
    let document: Value = serde_json::from_str(text).map_err(|error| BaselineError::Json(error.to_string()))?;
    if let Some(schema) = document.get("schema").and_then(Value::as_str) {
        return match schema {
            SCHEMA => Ok((Source::Summary, summary(document)?)),
            other => Err(BaselineError::Schema(other.chars().take(60).collect())),
        };
    }
    if oha::is_it(&document) {
        return Ok((Source::Oha, oha::read(&document)?));
    }
    if k6::is_it(&document) {
        return Ok((Source::K6, k6::read(&document)?));
    }
    Err(BaselineError::Unknown)
}

fn summary(document: Value) -> Result<Measured, BaselineError> {
    let summary: Summary = serde_json::from_value(document).map_err(|error| BaselineError::Incomplete {
        tool: "a summary of pummel",
        what: format!("it cannot be read: {error}"),
    })?;
    let mut measured = from_summary(&summary);
    measured.rows.truncate(ROWS_MAX);
    for row in measured.rows.iter_mut().chain([&mut measured.all]) {
        row.failures = row.failures.min(row.requests);
        let name = &mut row.name;
        for text in [&mut name.name].into_iter().chain(&mut name.case).chain(&mut name.label) {
            if let Some((end, _)) = text.char_indices().nth(NAME_CHARS_MAX) {
                text.truncate(end);
            }
        }
    }
    Ok(measured)
}

/// A number of zero or more at a JSON pointer.
pub(super) fn number(document: &Value, pointer: &str) -> Option<f64> {
    document.pointer(pointer)?.as_f64().filter(|number| *number >= 0.0)
}

/// A count at a JSON pointer; tools in JavaScript write some as floats.
pub(super) fn count(document: &Value, pointer: &str) -> Option<u64> {
    let value = document.pointer(pointer)?;
    value.as_u64().or_else(|| value.as_f64().filter(|count| (0.0..1e15).contains(count)).map(|count| count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::baseline::tests::survives_damage;
    use crate::compare::baseline::{read as read_any, BaselineError};
    use crate::{display::summary_json, sample};

    fn sample_text() -> &'static str {
        let json = String::from_utf8(summary_json(&sample::summary()).unwrap()).unwrap();
        Box::leak(json.into_boxed_str())
    }

    survives_damage!(sample_text());

    #[test]
    fn a_summary_is_read_by_its_schema() {
        let (source, measured) = read_any(sample_text().as_bytes()).unwrap();
        assert_eq!((source, measured.rows.len(), measured.all.requests), (Source::Summary, 3, 30_000));
        let mut long = sample::summary();
        long.steps[0].name = "é".repeat(5_000);
        let (_, measured) = read_any(&summary_json(&long).unwrap()).unwrap();
        assert_eq!(measured.rows[0].name.name.chars().count(), NAME_CHARS_MAX);
    }

    #[test]
    fn other_documents_say_what_they_are() {
        let error = |text: &str| read_any(text.as_bytes()).unwrap_err();
        assert_eq!(error("{\"schema\": \"pummel.capacity/1\"}"), BaselineError::Schema("pummel.capacity/1".into()));
        assert_eq!(error("{\"a\": 1}"), BaselineError::Unknown);
        assert!(matches!(error("{\"schema\": "), BaselineError::Json(_)));
        let wrong = error("{\"schema\": \"pummel.summary/1\", \"totals\": 5}");
        assert!(wrong.to_string().starts_with("looks like a summary of pummel, but it cannot be read: "), "{wrong}");
    }
}
