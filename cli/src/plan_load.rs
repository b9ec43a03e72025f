//! How much load: the flags of both models become one [`Load`], and contradictions between them wrong usage.

use std::time::Duration;

use pummel_engine::{
    fit_users, CatchUp, ClosedLoad, Http2, Load, LoadModel, OpenLoad, Plan, Spacing, Stage, MAX_USERS,
};

use crate::{
    failure::Failure,
    flags::{CatchUpBy, GivenFlags, HitFlags, LoadFlags, OpenFlags},
    values::{StageTarget, Stages},
};

/// Most users of an open run where nobody says how many; fewer where descriptors are few.
pub(crate) const MAX_USERS_DEFAULT: u32 = 10_000;

/// How long `hit` makes load when neither a time nor a number of requests is given.
const HIT_DURATION: Duration = Duration::from_secs(10);

/// The load of `boom` and `demo`.
///
/// # Errors
/// Flags that contradict each other.
pub(crate) fn load_of_cases(flags: &LoadFlags) -> Result<Load, Failure> {
    let (open, given) = (&flags.open, &flags.given);
    // The default time of `demo` is none for stages.
    let bounds = open.stages.is_none() || given.first_of(&["run_time"]).is_some();
    let run_time = Some(flags.run_time).filter(|time| !time.is_zero() && bounds);
    let loops_per_user = u64::try_from(flags.loop_count).ok().filter(|&loops| loops > 0);
    let common =
        Load { loops_per_user, total_iterations: flags.iterations, run_time, ..Load::closed(flags.spawn_count) };
    if is_open(open) {
        // Loops and a ceiling of zero or less are none, and say nothing.
        let says = |id: &str| match id {
            "loop_count" => flags.loop_count > 0,
            "max_rps" => flags.max_rps.is_some(),
            _ => true,
        };
        refuse(given, CLOSED_ONLY, open, says)?;
        return opened(&common, open);
    }
    refuse_open_only(open, given)?;
    let Some(stages) = &open.stages else {
        let model =
            LoadModel::Closed(ClosedLoad { spawn_rate: flags.spawn_rate, stages: Vec::new(), pacing: flags.pacing });
        return Ok(Load { model, ..common });
    };
    if let Some(flag) = given.first_of(&["spawn_count", "spawn_rate"]) {
        return Err(Failure::usage(
            format!("{flag} with --stages: the stages say how many users there are and when they start"),
            "leave out one of them; 30s:100@10 is a stage that starts 10 users a second",
        ));
    }
    let (stages, users) = staged(stages, "user")?;
    let run_time = Some(bounded_by(run_time, &stages));
    let model = LoadModel::Closed(ClosedLoad { spawn_rate: flags.spawn_rate, stages, pacing: flags.pacing });
    Ok(Load { users, model, run_time, ..common })
}

/// The load of `hit`, which has a user for each stream of each connection, and `requests_each` in an iteration.
///
/// # Errors
/// Flags that contradict each other, and more users than a run may have.
pub(crate) fn load_of_hit(flags: &HitFlags, http2: Http2, requests_each: u64) -> Result<Load, Failure> {
    let users = hit_users(flags.connections, http2)?;
    let open = &flags.open;
    let run_time = match (flags.duration, flags.requests) {
        (None, None) if open.stages.is_none() => Some(HIT_DURATION),
        (duration, _) => duration,
    };
    // More connections than requests would only be opened and closed.
    let most = flags.requests.map_or(u32::MAX, |requests| u32::try_from(requests).unwrap_or(u32::MAX));
    let common = Load { total_requests: flags.requests, run_time, ..Load::closed(users.min(most)) };
    if is_open(open) {
        refuse(&flags.given, HIT_CLOSED_ONLY, open, |_| true)?;
        // No more arrive than there are requests for: what would come after the last is none of the run, and not missed.
        let total_iterations = flags.requests.map(|requests| requests.div_ceil(requests_each.max(1)));
        return opened(&Load { total_iterations, ..common }, open);
    }
    refuse_open_only(open, &flags.given)?;
    let Some(stages) = &open.stages else { return Ok(common) };
    if let Some(flag) = flags.given.first_of(&["connections"]) {
        return Err(Failure::usage(
            format!("{flag} with --stages: the stages say how many connections there are"),
            "leave out one of them",
        ));
    }
    let (mut stages, connections) = staged(stages, "connection")?;
    let users = hit_users(connections, http2)?;
    for stage in &mut stages {
        stage.target *= f64::from(http2.streams.max(1));
    }
    let run_time = Some(bounded_by(run_time, &stages));
    let model = LoadModel::Closed(ClosedLoad { spawn_rate: f64::INFINITY, stages, pacing: None });
    Ok(Load { users, model, run_time, ..common })
}

/// How many users `hit` has: one for each stream of each connection (as `-c` and `-m` of h2load).
fn hit_users(connections: u32, http2: Http2) -> Result<u32, Failure> {
    if http2.streams > 1 && !http2.all {
        return Err(Failure::usage(
            "--streams without --http2: a connection of HTTP/1.1 carries one request at a time",
            "add --http2, or ask for more connections with -c",
        ));
    }
    connections.checked_mul(http2.streams).filter(|&users| users <= MAX_USERS).ok_or_else(|| {
        let wanted = u64::from(connections) * u64::from(http2.streams);
        Failure::usage(
            format!("{connections} connections with {} streams are {wanted} users", http2.streams),
            format!("stay within {MAX_USERS}"),
        )
    })
}

/// What only a closed run has, with what to do instead.
const CLOSED_ONLY: &[(&str, &str)] = &[
    ("spawn_count", "an open run starts users as its arrivals need them; bound them with --max-users"),
    ("spawn_rate", "an open run starts users as its arrivals need them"),
    ("loop_count", "in an open run the arrivals are counted; bound them with --iterations"),
    ("max_rps", "an open run has its rate; leave out one of them"),
    ("rate_unit", "it belongs to --max-rps; --rate counts iterations"),
    ("pacing", "in an open run arrivals say when an iteration begins"),
];

/// The same of `hit`.
const HIT_CLOSED_ONLY: &[(&str, &str)] = &[
    ("connections", "an open run opens connections as its arrivals need them; bound them with --max-users"),
    ("max_rps", "an open run has its rate; leave out one of them"),
];

fn is_open(flags: &OpenFlags) -> bool {
    flags.rate.is_some() || flags.stages.as_ref().is_some_and(Stages::of_rate)
}

/// Flags of a closed run in an open one, where the value they were given `says` something.
fn refuse(
    given: &GivenFlags,
    closed_only: &[(&str, &str)],
    open: &OpenFlags,
    says: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let with = if open.rate.is_some() { "--rate" } else { "--stages of a rate" };
    for (id, help) in closed_only.iter().filter(|(id, _)| says(id)) {
        if let Some(flag) = given.first_of(&[id]) {
            return Err(Failure::usage(format!("{flag} with {with}: they contradict each other"), *help));
        }
    }
    Ok(())
}

/// Flags of an open run in a closed one.
fn refuse_open_only(flags: &OpenFlags, given: &GivenFlags) -> Result<(), Failure> {
    let flag = given.first_of(&["max_users", "seed", "catch_up"]).or(flags.poisson.then(|| "--poisson".to_owned()));
    match flag {
        Some(flag) => Err(Failure::usage(
            format!("{flag} without --rate: it belongs to an open run"),
            "add --rate, such as --rate 100/s, or stages of a rate",
        )),
        None => Ok(()),
    }
}

fn opened(common: &Load, flags: &OpenFlags) -> Result<Load, Failure> {
    let stages = match &flags.stages {
        None => Vec::new(),
        Some(stages) if stages.of_rate() => rate_stages(stages),
        Some(_) => {
            return Err(Failure::usage(
                "--rate with --stages of users: they contradict each other",
                "write the stages of a rate with their unit, such as 30s:500/s",
            ))
        }
    };
    if flags.seed.is_some() && !flags.poisson {
        return Err(Failure::usage(
            "--seed without --poisson: evenly spaced arrivals are the same each time",
            "add --poisson, or leave out --seed",
        ));
    }
    let rate = flags.rate.unwrap_or(0.0);
    if rate <= 0.0 && stages.iter().all(|stage| stage.target <= 0.0) {
        return Err(Failure::usage("--stages without a single arrival", "give a stage a rate, such as 30s:10/s"));
    }
    let spacing = if flags.poisson {
        Spacing::Poisson { seed: flags.seed.unwrap_or_else(|| fastrand::u64(..)) }
    } else {
        Spacing::Even
    };
    let catch_up = match flags.catch_up {
        CatchUpBy::Burst => CatchUp::Burst,
        CatchUpBy::Smooth => CatchUp::Smooth,
        CatchUpBy::Drop => CatchUp::Drop,
    };
    let run_time = if stages.is_empty() { common.run_time } else { Some(bounded_by(common.run_time, &stages)) };
    Ok(Load {
        users: flags.max_users.unwrap_or(MAX_USERS_DEFAULT),
        model: LoadModel::Open(OpenLoad { rate, stages, spacing, catch_up }),
        run_time,
        ..common.clone()
    })
}

/// An open run has no more users than descriptors allow where nobody said how many.
pub(crate) fn with_fitting_users(mut plan: Plan, flags: &OpenFlags) -> Plan {
    if plan.load.open().is_some() && flags.max_users.is_none() {
        // The server of the demo lives in this process.
        let per_connection = if plan.command == "demo" { 2 } else { 1 };
        fit_users(&mut plan, per_connection);
    }
    plan
}

/// The run ends with its last stage, if nothing ends it before.
fn bounded_by(run_time: Option<Duration>, stages: &[Stage]) -> Duration {
    let all = stages.iter().map(|stage| stage.over).sum();
    run_time.map_or(all, |time| time.min(all))
}

fn rate_stages(stages: &Stages) -> Vec<Stage> {
    let rate = |target| if let StageTarget::Rate(rate) = target { rate } else { 0.0 };
    stages.0.iter().map(|stage| Stage { over: stage.over, target: rate(stage.target) }).collect()
}

/// Stages of users, or of connections, and how many there are at most. One that is left on the way to its target may end between
/// two numbers; the user that is begun counts.
fn staged(stages: &Stages, of_what: &str) -> Result<(Vec<Stage>, u32), Failure> {
    let stages = user_stages(stages);
    let most = stages.iter().map(|stage| stage.target.ceil() as u32).max().unwrap_or(0);
    if most == 0 {
        let message = format!("--stages without a single {of_what}");
        return Err(Failure::usage(message, "give a stage some, such as 30s:10"));
    }
    Ok((stages, most))
}

/// A stage with a spawn rate is two: on the way, and there.
fn user_stages(stages: &Stages) -> Vec<Stage> {
    let (mut all, mut before) = (Vec::new(), 0.0);
    for stage in &stages.0 {
        let StageTarget::Users { users, spawn_rate } = stage.target else { continue };
        let target = f64::from(users);
        let way = spawn_rate.map(|rate| Duration::try_from_secs_f64((target - before).abs() / rate));
        match way {
            Some(Ok(way)) if way < stage.over => {
                all.push(Stage { over: way, target });
                all.push(Stage { over: stage.over.saturating_sub(way), target });
                before = target;
            }
            Some(_) => {
                // The stage ends on the way.
                let moved = spawn_rate.unwrap_or(0.0) * stage.over.as_secs_f64();
                before += moved.min((target - before).abs()) * (target - before).signum();
                all.push(Stage { over: stage.over, target: before });
            }
            None => {
                all.push(Stage { over: stage.over, target });
                before = target;
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{planned_demo, planned_hit, refused_demo};

    fn open(load: &Load) -> &OpenLoad {
        load.open().expect("an open run")
    }

    fn stages_of(load: &Load) -> Vec<(u64, f64)> {
        let stages = load.as_closed().map(|closed| &closed.stages).or(load.open().map(|open| &open.stages)).unwrap();
        stages.iter().map(|stage| (stage.over.as_millis() as u64, stage.target)).collect()
    }

    #[test]
    fn a_rate_makes_an_open_run() {
        let load = planned_hit(&["http://h/", "--rate", "300/m", "--max-users", "7", "-d", "3s"]).unwrap().plan.load;
        assert_eq!((open(&load).rate, load.users, load.run_time), (5.0, 7, Some(Duration::from_secs(3))));
        assert_eq!((open(&load).spacing, open(&load).catch_up), (Spacing::Even, CatchUp::Burst));
        let load = planned_demo(&["--rate", "5/s", "--poisson", "--seed", "4", "--catch-up", "drop"]).plan.load;
        assert_eq!((open(&load).spacing, open(&load).catch_up), (Spacing::Poisson { seed: 4 }, CatchUp::Drop));
    }

    #[test]
    fn stages_bound_the_run() {
        let load = planned_demo(&["--stages", "30s:100,2m:500,30s:0", "--run-time", "60"]).plan.load;
        assert_eq!((load.users, load.run_time), (500, Some(Duration::from_mins(1))));
        let load = planned_demo(&["--stages", "30s:100,2m:500,30s:0"]).plan.load;
        assert_eq!((load.users, load.run_time), (500, Some(Duration::from_mins(3))));
        assert_eq!(stages_of(&load), [(30_000, 100.0), (120_000, 500.0), (30_000, 0.0)]);
        let load = planned_hit(&["http://h/", "--stages", "5s:100/s,5s:0/s", "--rate", "50"]).unwrap().plan.load;
        assert_eq!((open(&load).rate, load.run_time), (50.0, Some(Duration::from_secs(10))));
    }

    #[test]
    fn a_spawn_rate_splits_a_stage_or_ends_on_the_way() {
        let load = planned_demo(&["--stages", "10s:100@20,10s:0@5"]).plan.load;
        assert_eq!(stages_of(&load), [(5_000, 100.0), (5_000, 100.0), (10_000, 50.0)]);
    }

    #[test]
    fn a_stage_that_ends_between_two_numbers_has_the_user_that_is_begun() {
        let load = planned_demo(&["--stages", "1s:1@0.5"]).plan.load;
        assert_eq!((stages_of(&load), load.users), (vec![(1_000, 0.5)], 1));
        let load = planned_hit(&["http://h/", "--stages", "3s:100@0.5"]).unwrap().plan.load;
        assert_eq!((stages_of(&load), load.users), (vec![(3_000, 1.5)], 2));
    }

    #[test]
    fn what_means_none_contradicts_nothing() {
        for args in [&["--loop-count", "-1"][..], &["--loop-count", "0"], &["--max-rps", "0"], &["--max-rps", "-1"]] {
            let load = planned_demo(&[&["--rate", "5/s"], args].concat()).plan.load;
            assert_eq!((open(&load).rate, load.loops_per_user), (5.0, None), "{args:?}");
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused_with_what_to_do() {
        for (args, part) in [
            (&["--rate", "5/s", "--spawn-count", "3"][..], "--spawn-count with --rate"),
            (&["--rate", "5/s", "--spawn-rate", "3"], "--spawn-rate with --rate"),
            (&["--rate", "5/s", "--loop-count", "3"], "--loop-count with --rate"),
            (&["--rate", "5/s", "--max-rps", "3"], "--max-rps with --rate"),
            (&["--rate", "5/s", "--pacing", "3s"], "--pacing with --rate"),
            (&["--rate", "5/s", "--stages", "3s:5"], "--rate with --stages of users"),
            (&["--stages", "3s:5/s", "--spawn-count", "3"], "--spawn-count with --stages of a rate"),
            (&["--stages", "3s:5", "--spawn-count", "3"], "--spawn-count with --stages"),
            (&["--stages", "3s:0"], "without a single user"),
            (&["--stages", "3s:0/s"], "without a single arrival"),
            (&["--poisson"], "--poisson without --rate"),
            (&["--seed", "3"], "--seed without --rate"),
            (&["--max-users", "3"], "--max-users without --rate"),
            (&["--catch-up", "drop"], "--catch-up without --rate"),
            (&["--rate", "5/s", "--seed", "3"], "--seed without --poisson"),
        ] {
            let refused = refused_demo(args);
            assert!(refused.message().contains(part), "{args:?}: {}", refused.message());
            assert_eq!((refused.exit_code(), refused.help().is_some()), (2, true));
        }
        let refused = planned_hit(&["http://h/", "--rate", "5/s", "-c", "3"]).unwrap_err();
        assert!(refused.message().contains("--connections with --rate"), "{}", refused.message());
    }
}
