//! Rendezvous across cores (hrp spec 14.9): users wait for each other, and for nothing else.

use std::{
    net::SocketAddr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Barrier,
    },
    thread,
    time::Duration,
};

use pummel_case::{Case, RendezvousStep, Step};
use pummel_engine::{Control, Plan};

use crate::{
    plan::{cpus, plan, summary_of, summary_with, yaml, NEVER},
    server::{read_target, scripted, write, OK},
    stop::SOON,
};

/// `/before`, the rendezvous, then `/after`. The transaction stands around all.
fn meeting(address: SocketAddr, number: i64, timeout: Duration) -> Case {
    let mut case = yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\n\
         teststeps:\n\
         - {{name: begin, transaction: {{name: t, type: start}}}}\n\
         - {{name: before, request: {{method: GET, url: /before}}}}\n\
         - {{name: after, request: {{method: GET, url: /after}}}}\n\
         - {{name: end, transaction: {{name: t, type: end}}}}\n",
    ));
    let step = RendezvousStep { step_name: "meet".into(), index: 0, number, percent: 0.0, timeout };
    case.steps.insert(2, Step::Rendezvous(step));
    case
}

fn on_two_cores(case: Case, users: u32) -> Plan {
    let mut plan = plan(case);
    plan.load.users = users;
    plan.cpus = cpus(2);
    plan.record_action = true;
    plan
}

/// A server that answers `/before` once so many users have asked for it: then all have started.
fn all_at_once(users: usize) -> SocketAddr {
    let barrier = Arc::new(Barrier::new(users));
    scripted(move |stream| {
        while let Some(target) = read_target(stream) {
            if target == "/before" {
                barrier.wait();
            }
            write(stream, OK);
        }
    })
}

#[test]
fn nobody_goes_on_before_the_last_has_come() {
    const USERS: u32 = 6;
    let barrier = Arc::new(Barrier::new(USERS as usize));
    let (after, early) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen_early = Arc::clone(&early);
    let address = scripted(move |stream| {
        while let Some(target) = read_target(stream) {
            if target == "/after" {
                after.fetch_add(1, Ordering::SeqCst);
            } else if barrier.wait().is_leader() {
                // Five users have their answer and wait; this one keeps them waiting.
                thread::sleep(SOON);
                early.fetch_add(after.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            write(stream, OK);
        }
    });
    let summary = summary_of(on_two_cores(meeting(address, i64::from(USERS), NEVER), USERS));
    assert_eq!((summary.conservation.succeeded, seen_early.load(Ordering::SeqCst)), (12, 0));
    let transactions: Vec<_> = summary.transactions.iter().map(|t| (&*t.name, t.passed, t.failed)).collect();
    assert_eq!(transactions, [("t", 6, 0), ("Action", 6, 0)]);
    // The wait belongs to the transaction and to the iteration, which all end after the pause.
    for transaction in &summary.transactions {
        assert!(transaction.duration_us.min >= Some(SOON.as_micros() as u64), "{transaction:?}");
    }
}

#[test]
fn groups_go_on_one_after_the_other_in_every_iteration() {
    // Each of 8 users passes 50 times in pairs: nobody is left alone, as 400 is even.
    let mut plan = on_two_cores(meeting(all_at_once(8), 2, Duration::from_secs(1)), 8);
    plan.load.loops_per_user = Some(50);
    assert_eq!(summary_of(plan).conservation.succeeded, 800);
}

#[test]
fn who_is_left_alone_goes_on_after_the_gap() {
    let plan = on_two_cores(meeting(all_at_once(3), 2, Duration::from_millis(50)), 3);
    assert_eq!(summary_of(plan).conservation.succeeded, 6);
}

#[test]
fn who_waits_ends_at_the_stop() {
    let (stop, barrier, met) = (Control::default(), Arc::new(Barrier::new(3)), Arc::new(AtomicU64::new(0)));
    let signal = stop.clone();
    let address = scripted(move |stream| {
        while let Some(target) = read_target(stream) {
            if target == "/before" {
                barrier.wait();
            } else if met.fetch_add(1, Ordering::SeqCst) == 1 {
                signal.raise();
            }
            write(stream, OK);
        }
    });
    let summary = summary_with(on_two_cores(meeting(address, 2, NEVER), 3), &stop);
    // Two have met and gone on; the third waits for nobody, and what it has not finished is not recorded.
    assert_eq!((summary.conservation.succeeded, summary.conservation.abandoned), (5, 0));
    let transactions: Vec<_> = summary.transactions.iter().map(|t| (&*t.name, t.passed, t.failed)).collect();
    assert_eq!(transactions, [("t", 2, 0), ("Action", 2, 0)]);
}

#[test]
fn nobody_waits_while_users_are_still_to_start() {
    let (stop, asked) = (Control::default(), Arc::new(AtomicU64::new(0)));
    let signal = stop.clone();
    let address = scripted(move |stream| {
        while read_target(stream).is_some() {
            if asked.fetch_add(1, Ordering::SeqCst) == 39 {
                signal.raise();
            }
            write(stream, OK);
        }
    });
    let mut plan = on_two_cores(meeting(address, 2, NEVER), 2);
    // The second user would come in eleven days.
    crate::plan::spawn_at(&mut plan, 1e-6);
    plan.load.loops_per_user = Some(20);
    let succeeded = summary_with(plan, &stop).conservation.succeeded;
    assert_eq!(succeeded, 40, "the first user has done its loops alone");
}

#[test]
fn a_percentage_counts_the_users_of_the_plan() {
    let mut case = meeting(all_at_once(4), 0, NEVER);
    let Some(Step::Rendezvous(step)) = case.steps.get_mut(2) else { panic!("a rendezvous") };
    step.percent = 0.5;
    assert_eq!(summary_of(on_two_cores(case, 4)).conservation.succeeded, 8, "two pairs");
}

#[test]
fn a_user_that_only_meets_itself_leaves_the_core_to_others() {
    let mut case = yaml("config: {name: c}\nteststeps: [{name: pause, think_time: {time: 0}}]\n");
    let meet = RendezvousStep { step_name: "meet".into(), index: 0, number: 1, percent: 0.0, timeout: NEVER };
    case.steps = vec![Step::Rendezvous(meet)];
    let mut plan = plan(case);
    plan.load.loops_per_user = None;
    plan.load.run_time = Some(SOON);
    assert_eq!(summary_of(plan).conservation.started, 0);
}
