//! `pummel boom`.

use crate::{execute::execute, failure::Failure, flags::BoomFlags, plan::plan_boom};

/// Runs test cases as load.
///
/// # Errors
/// Wrong usage, load errors, and a run that could not start.
pub(crate) fn boom(flags: BoomFlags) -> Result<u8, Failure> {
    Ok(execute(plan_boom(flags)?)?.exit_code)
}
