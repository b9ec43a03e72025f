//! A case walked through as the engine does: loops, references, parameters; requests go to the echo server without a network.

#![allow(dead_code)] // Each test file uses its part.

use pummel_case::{Case, Progress, Session, Step, TransactionEdge};

use crate::support::run_step;

/// One iteration's records, `label name` with the error behind it, of a session of its own; the setup's come first.
pub(crate) fn records(case: &Case) -> Vec<String> {
    let mut session = Session::new();
    session.begin(case);
    let mut records = walk(case, &case.setup, &mut session);
    records.extend(iterate(case, &mut session, 0));
    records
}

/// The records of the iteration number `position` of a user.
pub(crate) fn iterate(case: &Case, session: &mut Session, position: u64) -> Vec<String> {
    session.begin(case);
    if let Some(parameters) = &case.parameters {
        parameters.pick(position, &mut fastrand::Rng::with_seed(position), session.rows());
    }
    walk(case, &case.steps, session)
}

fn walk(case: &Case, steps: &[Step], session: &mut Session) -> Vec<String> {
    let mut records = Vec::new();
    let mut loops = vec![1; case.loops()];
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        at += 1;
        match step {
            Step::Request(step) => {
                let mut name = String::new();
                let rendered = step.render_name(session, &mut name);
                let error = run_step(step, session).err().map(|error| format!(": {error}")).unwrap_or_default();
                let name = if rendered { &*name } else { &*step.name };
                records.push(format!("{} {name}{error}", step.label));
            }
            Step::WebSocket(step) => records.push(format!("{} {}", step.request.label, step.request.name)),
            Step::Transaction(mark) => {
                assert_eq!(*mark.name, *case.transaction_names()[mark.index]);
                let edge = if mark.edge == TransactionEdge::Start { "start" } else { "end" };
                records.push(format!("{edge} {} ({})", mark.name, mark.step_name));
            }
            Step::ThinkTime(think) => records.push(format!("thinktime {}", think.name)),
            Step::Rendezvous(rendezvous) => {
                records.push(format!("rendezvous {} {}", rendezvous.index, rendezvous.step_name));
            }
            Step::Evaluate(evaluate) => {
                let _ = evaluate.evaluate(session, &mut Progress::default()).expect("its functions succeed");
                records.push("evaluate".to_owned());
            }
            Step::Enter(enter) => {
                assert_eq!(*enter.name, *case.reference_names()[enter.index]);
                let mut progress = Progress::default();
                let _ = enter.enter(session, &mut progress).expect("the caller's variables are there");
                records.push(format!("> {}", enter.name));
            }
            Step::Leave(leave) => {
                leave.leave(session);
                records.push(format!("testcase {}", case.reference_names()[leave.index]));
            }
            Step::Repeat(repeat) => {
                if loops[repeat.index] < repeat.times {
                    loops[repeat.index] += 1;
                    at = repeat.first;
                } else {
                    loops[repeat.index] = 1;
                }
            }
            Step::Broken(broken) => {
                records
                    .push(format!("{} {}: {} ({})", broken.label, broken.name, broken.error, broken.error.exit_code));
            }
        }
    }
    records
}
