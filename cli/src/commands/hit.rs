//! `pummel hit`.

use crate::{execute::execute, failure::Failure, flags::HitFlags, plan::plan_hit};

/// Loads one URL or a list of them.
///
/// # Errors
/// Wrong usage, and a run that could not start.
pub(crate) fn hit(flags: &HitFlags) -> Result<u8, Failure> {
    Ok(execute(plan_hit(flags)?)?.exit_code)
}
