//! Differences that are too much, as people write them: `p99 +10%`, `login:errors +0.1%`.

use pummel_stats::compare::{ChangeLimit, ChangeLimitError};

/// Parses one.
///
/// # Errors
/// A sentence for what is none, or asks for better to fail.
pub(crate) fn parse_change_limit(text: &str) -> Result<ChangeLimit, String> {
    text.parse().map_err(|error: ChangeLimitError| error.to_string())
}
