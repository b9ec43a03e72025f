//! Functional runs: every step is told of, in order, and a run ends with what failed first (hrp spec 13.3 to 13.6).

use std::{net::SocketAddr, time::Duration};

use crossbeam_channel::{unbounded, Receiver};
use pummel_case::{BrokenStep, Case, RendezvousStep, Repeat, Step, StepError, StepErrorKind};
use pummel_engine::{Control, Functional, FunctionalEvent, Pacing, PacingUnit, Plan, StepRecord};

use crate::{
    plan::{cpus, plan, summary_of, summary_with, yaml, NEVER},
    server::{closed_port, recording, target, OK},
};

fn functional(cases: Vec<Case>, continue_on_failure: bool) -> (Plan, Receiver<FunctionalEvent>) {
    let (events, told) = unbounded();
    let mut plan = plan(cases[0].clone());
    plan.cases = cases;
    plan.functional = Some(Functional { continue_on_failure, case_timeout: NEVER, events });
    // None of these matters here.
    plan.load.users = 3;
    plan.cpus = cpus(2);
    plan.load.loops_per_user = Some(0);
    plan.pacing = Some(Pacing { per_second: 1e-6, unit: PacingUnit::Request });
    (plan, told)
}

/// The events as lines.
fn lines(told: &Receiver<FunctionalEvent>) -> Vec<String> {
    let line = |event| match event {
        FunctionalEvent::CaseStarted { case, .. } => format!("case {case}"),
        FunctionalEvent::Step(step) => {
            let failure = step.failure.as_ref().map_or("ok".to_owned(), |f| format!("{} {}", f.kind, f.exit_code));
            format!("{} {}: {failure}", step.step_type, step.name)
        }
        FunctionalEvent::CaseEnded { case, passed, error, exit_code, .. } => {
            format!("end of {case}: {passed} {exit_code} {}", error.unwrap_or_default())
        }
    };
    told.try_iter().map(line).collect()
}

fn steps(told: &Receiver<FunctionalEvent>) -> Vec<StepRecord> {
    let step = |event| if let FunctionalEvent::Step(step) = event { Some(*step) } else { None };
    told.try_iter().filter_map(step).collect()
}

fn case(address: SocketAddr, steps: &str) -> Case {
    yaml(&format!("config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n{steps}"))
}

const PASSES: &str = "- {name: a, request: {method: GET, url: /a}, validate: [{eq: [status_code, 200]}]}\n";
const FAILS: &str = "- {name: b, request: {method: GET, url: /b}, validate: [{eq: [status_code, 201]}]}\n";
const LAST: &str = "- {name: z, request: {method: GET, url: /z}}\n";

#[test]
fn every_step_is_told_of_in_order() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut first = case(
        address,
        &[
            "- {name: begin, transaction: {name: t, type: start}}\n",
            PASSES,
            "- {name: pause, think_time: {time: 0.01}}\n",
            "- {name: end, transaction: {name: t, type: end}}\n",
        ]
        .concat(),
    );
    first.steps.insert(2, Step::Repeat(Repeat { first: 1, times: 2, index: 0 }));
    let meet = RendezvousStep { step_name: "meet".into(), index: 0, number: 3, percent: 0.0, timeout: NEVER };
    first.steps.insert(3, Step::Rendezvous(meet));
    let (plan, told) = functional(vec![first, case(address, LAST)], false);
    assert_eq!(summary_of(plan).conservation.succeeded, 3);
    assert_eq!(
        lines(&told),
        [
            "case 0",
            "transaction begin: ok",
            "request a_loop_1: ok",
            "request a_loop_2: ok",
            "rendezvous meet: ok",
            "thinktime pause: ok",
            "transaction end: ok",
            "end of 0: true 0 ",
            "case 1",
            "request z: ok",
            "end of 1: true 0 ",
        ]
    );
    assert_eq!(*targets.lock().unwrap(), ["/a", "/a", "/z"]);
}

#[test]
fn a_transaction_took_what_lies_between_its_ends_and_a_start_nothing() {
    let text = "config: {name: c}\nteststeps:\n\
         - {name: begin, transaction: {name: t, type: start}}\n\
         - {name: pause, think_time: {time: 0.02}}\n\
         - {name: end, transaction: {name: t, type: end}}\n";
    let (plan, told) = functional(vec![yaml(text)], false);
    summary_of(plan);
    let elapsed: Vec<_> = steps(&told).iter().map(|step| step.elapsed_us).collect();
    assert_eq!(elapsed[0], 0);
    assert!(elapsed[1] >= 20_000 && elapsed[2] >= elapsed[1], "{elapsed:?}");
}

#[test]
fn a_failure_ends_its_case_and_not_the_next() {
    let (address, targets) = recording(|_| OK.to_vec());
    let cases = vec![case(address, &[PASSES, FAILS, LAST].concat()), case(address, LAST)];
    let (plan, told) = functional(cases, false);
    summary_of(plan);
    assert_eq!(
        lines(&told),
        [
            "case 0",
            "request a: ok",
            "request b: assertion 1",
            "end of 0: false 1 ",
            "case 1",
            "request z: ok",
            "end of 1: true 0 "
        ]
    );
    assert_eq!(*targets.lock().unwrap(), ["/a", "/b", "/z"]);
}

#[test]
fn a_failure_does_not_end_its_case_where_it_is_told_to_go_on() {
    let (address, _) = recording(|_| OK.to_vec());
    let mut broken = case(address, &[PASSES, FAILS, LAST].concat());
    let error = StepError { kind: StepErrorKind::Function, message: "no function nope".into(), exit_code: 23 };
    let step = BrokenStep { name: "call".into(), label: "request-GET".into(), error };
    broken.steps.insert(0, Step::Broken(Box::new(step)));
    let (plan, told) = functional(vec![broken], true);
    summary_of(plan);
    assert_eq!(
        lines(&told),
        [
            "case 0",
            "request call: function 23",
            "request a: ok",
            "request b: assertion 1",
            "request z: ok",
            "end of 0: false 23 ",
        ],
        "the exit code is that of the first failure"
    );
}

#[test]
fn what_went_over_the_wire_is_told() {
    let (address, _) = recording(|_| b"HTTP/1.1 201 Made\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc".to_vec());
    let text = "- {name: a, request: {method: POST, url: \"/p?q=1\", headers: {X-Own: v}, data: hello}}\n";
    let (plan, told) = functional(vec![case(address, text)], false);
    summary_of(plan);
    let step = steps(&told).remove(0);
    assert_eq!((step.content_bytes, step.failure), (3, None));
    let exchange = step.exchange.expect("it was sent");
    assert_eq!((&*exchange.method, exchange.url), ("POST", format!("http://{address}/p?q=1")));
    assert!(exchange.request_headers.contains(&("X-Own".to_owned(), "v".to_owned())), "{:?}", exchange.request_headers);
    assert_eq!(exchange.request_body, b"hello");
    assert_eq!(step.elapsed_us, exchange.phases.total_us);
    let response = exchange.response.expect("it was answered");
    assert_eq!((&*response.version, response.status, &*response.body), ("HTTP/1.1", 201, &b"abc"[..]));
    assert_eq!(response.headers[0], ("X-A".to_owned(), "b".to_owned()));
}

#[test]
fn a_request_without_an_answer_fails_with_its_kind() {
    let (plan, told) = functional(vec![case(closed_port(), LAST)], false);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.failed, summary.totals.exchanges.unsent), (1, 1));
    let step = steps(&told).remove(0);
    let failure = step.failure.expect("nobody listens");
    assert_eq!((failure.kind, failure.exit_code), ("connect_refused", 1));
    assert!(step.exchange.expect("it was to be sent").response.is_none());
}

#[test]
fn a_host_without_an_address_fails_its_step_and_not_the_run() {
    let text = "config: {name: c, base_url: \"http://no-such-host.invalid\"}\nteststeps:\n";
    let (plan, told) = functional(vec![yaml(&(text.to_owned() + LAST))], false);
    summary_of(plan);
    assert_eq!(lines(&told), ["case 0", "request z: dns 1", "end of 0: false 1 "]);
}

#[test]
fn the_time_of_a_case_ends_waits_and_requests_and_only_that_case() {
    let target = target();
    let think = "- {name: pause, think_time: {time: 80000}}\n";
    let hang = "- {name: hang, request: {method: GET, url: /hang}}\n";
    let mut cases: Vec<_> = [think, hang, LAST].map(|text| case(target.local_addr(), &(text.to_owned() + LAST))).into();
    cases[0].case_timeout = Some(Duration::from_millis(500));
    cases[1].case_timeout = Some(Duration::from_millis(500));
    let (plan, told) = functional(cases, true);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.started, summary.conservation.abandoned), (3, 1));
    assert_eq!(
        lines(&told),
        [
            "case 0",
            "thinktime pause: case_timeout 39",
            "end of 0: false 39 the case took longer than 0.5 s (config.case_timeout)",
            "case 1",
            "request hang: case_timeout 39",
            "end of 1: false 39 the case took longer than 0.5 s (config.case_timeout)",
            "case 2",
            "request z: ok",
            "request z: ok",
            "end of 2: true 0 ",
        ]
    );
}

#[test]
fn an_interruption_ends_the_case_and_the_run() {
    let stop = Control::default();
    let signal = stop.clone();
    let (address, targets) = recording(move |_| {
        signal.raise();
        OK.to_vec()
    });
    let think = case(address, &(PASSES.to_owned() + "- {name: pause, think_time: {time: 80000}}\n"));
    let (plan, told) = functional(vec![think.clone(), think], true);
    assert!(summary_with(plan, &stop).run.aborted);
    let mut lines = lines(&told);
    // The signal may be there before the pause begins, and then nothing is to be said of it.
    lines.retain(|line| line != "thinktime pause: interrupted 38");
    assert_eq!(lines, ["case 0", "request a: ok", "end of 0: false 38 interrupted"]);
    assert_eq!(*targets.lock().unwrap(), ["/a"]);
}

#[test]
fn the_steps_of_a_user_come_once_before_the_case() {
    let (address, targets) = recording(|_| OK.to_vec());
    let mut with_setup = case(address, LAST);
    with_setup.setup = case(address, PASSES).steps;
    let (plan, told) = functional(vec![with_setup], false);
    summary_of(plan);
    assert_eq!(lines(&told), ["case 0", "request a: ok", "request z: ok", "end of 0: true 0 "]);
    assert_eq!(*targets.lock().unwrap(), ["/a", "/z"]);
}
