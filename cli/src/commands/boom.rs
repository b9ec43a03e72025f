//! `pummel boom`.

use std::ffi::OsString;

use crate::{
    execute::execute,
    failure::Failure,
    flags::BoomFlags,
    plan::{plan_boom, with_profile},
    plugins::CommandPlugins,
};

/// Runs test cases as load; `venv` is the Python environment of their functions.
///
/// # Errors
/// Wrong usage, load errors, and a run that could not start.
pub(crate) fn boom(flags: BoomFlags, venv: Option<OsString>) -> Result<u8, Failure> {
    let flags = with_profile(flags)?;
    let plugins = CommandPlugins::new(&flags.plugin, venv);
    Ok(execute(plan_boom(flags, &plugins)?)?.exit_code)
}
