//! Plans for the tests, and the run of one under a watchdog.

use std::{
    process,
    sync::mpsc::{channel, RecvTimeoutError},
    sync::Arc,
    thread,
    time::Duration,
};

use pummel_case::{load_text, Case, LoadOptions, PlainRequest};
use pummel_engine::{
    run, CatchUp, ClosedLoad, Control, EngineError, Load, LoadModel, Network, OpenLoad, Plan, Spacing, Stage,
};
use pummel_stats::Summary;

/// No test needs more than a fraction of this, however busy the machine; a run that does never ends.
const WATCHDOG: Duration = Duration::from_mins(2);

/// Longer than any test may last: what must not be waited for.
pub(crate) const NEVER: Duration = Duration::from_hours(10);

/// A case of one constant request.
pub(crate) fn request(method: &str, url: &str) -> Case {
    let request =
        PlainRequest { name: "one".into(), method: method.into(), url: url.into(), headers: Vec::new(), body: None };
    Case::from_requests("a case", vec![request]).expect("a valid request")
}

/// A test case as users write it.
pub(crate) fn yaml(text: &str) -> Case {
    load_text("case.yml", text, &LoadOptions::default()).expect("a valid case").cases.remove(0)
}

/// One user on one CPU that does one iteration; tests change what they are about.
pub(crate) fn plan(case: Case) -> Plan {
    Plan {
        command: "test",
        name: "a test".into(),
        cases: vec![case],
        load: Load { loops_per_user: Some(1), ..Load::closed(1) },
        pacing: None,
        cpus: cpus(1),
        network: Network {
            connect_timeout: Duration::from_secs(30),
            request_timeout: NEVER,
            user_agent: "pummel-test".into(),
            ..Network::default()
        },
        stop_timeout: NEVER,
        record_action: false,
        plugins: None,
        thresholds: pummel_stats::Thresholds::default(),
        warmup: None,
        failure_samples: pummel_engine::FailureSampling::default(),
        functional: None,
    }
}

/// Starts so many users a second.
pub(crate) fn spawn_at(plan: &mut Plan, spawn_rate: f64) {
    plan.load.model = LoadModel::Closed(ClosedLoad { spawn_rate, stages: Vec::new(), pacing: None });
}

/// Iterations that arrive at a rate, evenly, for up to so many users; without a bound of its own.
pub(crate) fn arrive_at(plan: &mut Plan, rate: f64, users: u32) {
    let open = OpenLoad { rate, stages: Vec::new(), spacing: Spacing::Even, catch_up: CatchUp::Burst };
    plan.load = Load { model: LoadModel::Open(open), ..Load::closed(users) };
}

/// Changes what [`arrive_at`] has made.
pub(crate) fn arrivals(plan: &mut Plan) -> &mut OpenLoad {
    match &mut plan.load.model {
        LoadModel::Open(open) => open,
        LoadModel::Closed(_) => panic!("the load is open"),
    }
}

/// Stages, each with its seconds and its target.
pub(crate) fn stages(stages: &[(f64, f64)]) -> Vec<Stage> {
    stages.iter().map(|&(seconds, target)| Stage { over: Duration::from_secs_f64(seconds), target }).collect()
}

/// So many CPUs of those this process may use, from the first again where they are too few.
pub(crate) fn cpus(count: usize) -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None).expect("the CPUs this process may use");
    let numbers: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    numbers.into_iter().cycle().take(count).collect()
}

/// Runs a plan to its end. Every run of every test must add up.
pub(crate) fn summary_of(plan: Plan) -> Arc<Summary> {
    summary_with(plan, &Control::default())
}

/// As [`summary_of`], with a way to stop it.
pub(crate) fn summary_with(plan: Plan, stop: &Control) -> Arc<Summary> {
    let summary = outcome(plan, stop).expect("the run starts");
    assert!(summary.conservation.ok, "{:?}", summary.conservation);
    assert_eq!(summary.client.connections.closed, summary.client.connections.opened, "no connection outlives the run");
    summary
}

/// How a run ended; the test program ends if it does not.
pub(crate) fn outcome(plan: Plan, stop: &Control) -> Result<Arc<Summary>, EngineError> {
    let (done, finished) = channel();
    let stop = stop.clone();
    let runner = thread::spawn(move || {
        // Dropped when the thread ends, by a panic too.
        let _done = done;
        run(plan, &stop, Vec::new()).map(|finished| finished.summary)
    });
    // Only the drop of the sender ends the wait, and nothing is ever sent.
    if finished.recv_timeout(WATCHDOG) == Err::<(), _>(RecvTimeoutError::Timeout) {
        eprintln!("the run does not end");
        process::abort();
    }
    runner.join().expect("the control thread does not panic")
}

/// The one error of a run: its kind and how often it came.
pub(crate) fn error_of(summary: &Summary) -> (&str, u64) {
    match &summary.errors[..] {
        [error] => (&error.kind, error.count),
        errors => panic!("one kind of error is expected: {errors:?}"),
    }
}
