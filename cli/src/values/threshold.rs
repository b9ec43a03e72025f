//! Thresholds as people write them: `p99<250ms`, `login:errors<1%`.

use pummel_stats::Condition;

/// Parses a threshold.
///
/// # Errors
/// A sentence for what is none, or cannot be met by any run or be missed by any.
pub(crate) fn parse_threshold(text: &str) -> Result<Condition, String> {
    text.parse().map_err(|error: pummel_stats::threshold::ConditionError| error.to_string())
}
