//! The warm-up of a plan.

use std::time::Duration;

use pummel_engine::{LoadModel, Plan, Stage};

use crate::{banner::show_duration, failure::Failure, flags::WarmupFlags};

/// Puts what the flags ask for into the plan, whose load is known.
///
/// # Errors
/// A warm-up that would leave nothing of the time the load lasts.
pub(crate) fn with_warmup(mut plan: Plan, flags: &WarmupFlags) -> Result<Plan, Failure> {
    plan.warmup = flags.warmup.filter(|warmup| !warmup.is_zero());
    if let (Some(warmup), Some(time)) = (plan.warmup, plan.load.run_time) {
        if time <= warmup {
            let (warmup_text, time_text) = (show_duration(warmup), show_duration(time));
            return Err(Failure::usage(
                format!("--warmup {warmup_text} with a load of {time_text}: it would end before anything is measured"),
                what_to_lengthen(&plan, warmup, time),
            ));
        }
    }
    Ok(plan)
}

/// How a load of this time becomes longer than its warm-up.
fn what_to_lengthen(plan: &Plan, warmup: Duration, time: Duration) -> String {
    let flag = if plan.command == "hit" { "--duration" } else { "--run-time" };
    let long_enough = show_duration(warmup + time);
    let of_stages: Duration = stages(&plan.load.model).iter().map(|stage| stage.over).sum();
    if of_stages.is_zero() {
        format!("{flag} includes the warm-up: make it longer, such as {flag} {long_enough}")
    } else if of_stages <= warmup {
        // No other flag makes a load longer than its stages.
        format!("the stages include the warm-up: make them longer, such as {long_enough} in all")
    } else {
        format!(
            "{flag} ends the stages within the warm-up: leave it out, or make it longer, such as {flag} {long_enough}"
        )
    }
}

fn stages(model: &LoadModel) -> &[Stage] {
    match model {
        LoadModel::Closed(closed) => &closed.stages,
        LoadModel::Open(open) => &open.stages,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::plan::tests::{planned_demo, planned_hit};

    #[test]
    fn a_warmup_is_a_part_of_the_time() {
        let run = planned_hit(&["http://h/", "-d", "3s", "--warmup", "1s"]).unwrap();
        assert_eq!(
            (run.plan.warmup, run.plan.load.run_time),
            (Some(Duration::from_secs(1)), Some(Duration::from_secs(3)))
        );
        assert_eq!(planned_demo(&["--warmup", "500ms"]).plan.warmup, Some(Duration::from_millis(500)));
        assert_eq!(planned_hit(&["http://h/", "--warmup", "0"]).unwrap().plan.warmup, None);
        assert_eq!(planned_hit(&["http://h/"]).unwrap().plan.warmup, None);
    }

    #[test]
    fn a_warmup_may_be_longer_than_a_load_without_a_time() {
        let run = planned_hit(&["http://h/", "-n", "5", "--warmup", "1h"]).unwrap();
        assert_eq!(run.plan.warmup, Some(Duration::from_hours(1)));
    }

    #[test]
    fn a_warmup_that_leaves_nothing_is_refused() {
        let refused = planned_hit(&["http://h/", "-d", "5s", "--warmup", "5s"]).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert_eq!(refused.message(), "--warmup 5s with a load of 5s: it would end before anything is measured");
        assert_eq!(refused.help().unwrap(), "--duration includes the warm-up: make it longer, such as --duration 10s");
        // Without -d it is 10 s.
        let refused = planned_hit(&["http://h/", "--warmup", "1m"]).unwrap_err();
        assert!(refused.message().contains("--warmup 1m with a load of 10s"), "{}", refused.message());
    }

    #[test]
    fn what_ends_the_load_is_what_is_to_be_longer() {
        let help = |more: &[&str]| {
            let refused = planned_hit(&[&["http://h/", "--warmup", "5s"], more].concat()).unwrap_err();
            refused.help().unwrap()
        };
        let of_stages = "the stages include the warm-up: make them longer, such as 10s in all";
        assert_eq!(help(&["--stages", "2s:10,3s:10"]), of_stages);
        assert_eq!(help(&["--rate", "5/s", "--stages", "5s:10/s"]), of_stages);
        assert_eq!(help(&["--stages", "5s:10", "-d", "20s"]), of_stages);
        assert_eq!(
            help(&["--stages", "9s:10", "-d", "4s"]),
            "--duration ends the stages within the warm-up: leave it out, or make it longer, such as --duration 9s"
        );
    }
}
