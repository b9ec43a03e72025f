//! The thresholds of a plan: their steps are steps of the run.

use pummel_case::did_you_mean;
use pummel_engine::Plan;
use pummel_stats::{Condition, Thresholds};

use crate::{failure::Failure, flags::ThresholdFlags};

/// Puts what the flags ask for into the plan, whose cases are known.
///
/// # Errors
/// A step nobody runs, and `--abort-on-threshold` without a threshold.
pub(crate) fn with_thresholds(mut plan: Plan, flags: &ThresholdFlags) -> Result<Plan, Failure> {
    if flags.abort_on_threshold.is_some() && flags.thresholds.is_empty() {
        return Err(Failure::usage(
            "--abort-on-threshold without a threshold: there is nothing that could be broken",
            "add one, such as --threshold 'errors<1%'",
        ));
    }
    if let Some(names) = plan.row_names() {
        for condition in &flags.thresholds {
            known(condition, &names)?;
        }
    }
    plan.thresholds = Thresholds { conditions: flags.thresholds.clone(), abort_after: flags.abort_on_threshold };
    Ok(plan)
}

/// How many names a message lists where none is close.
const NAMES_SHOWN: usize = 5;

fn known(condition: &Condition, names: &[&str]) -> Result<(), Failure> {
    let Some(step) = condition.step.as_deref().filter(|step| !names.contains(step)) else { return Ok(()) };
    let help = did_you_mean(step, names.iter().copied()).unwrap_or_else(|| {
        let mut distinct: Vec<&str> = Vec::new();
        for name in names {
            if !distinct.contains(name) {
                distinct.push(name);
            }
        }
        let shown: Vec<String> = distinct.iter().take(NAMES_SHOWN).map(|name| format!("\"{name}\"")).collect();
        let more = distinct.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("the run has {}{more}", shown.join(", "))
    });
    Err(Failure::usage(
        format!("--threshold {condition}: there is no step, transaction or referenced case \"{step}\""),
        help,
    ))
}
