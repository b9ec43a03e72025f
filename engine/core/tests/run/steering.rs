//! Changes of a run while it goes on.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use pummel_engine::{ClosedLoad, Command, Control, ControlError, LoadModel, Pacing, PacingUnit, Plan};
use pummel_stats::{Limit, Summary};
use pummel_target::{Counts, Target};

use crate::{
    arrivals::arrivals_of,
    plan::{arrive_at, cpus, plan, request, stages, summary_with},
    server::target,
};

/// Far longer than the gaps between requests of a run that goes on.
const WHILE: Duration = Duration::from_millis(150);

/// Someone at the controls of a run against a target.
struct Pilot<'a> {
    control: &'a Control,
    target: &'a Target,
}

impl Pilot<'_> {
    /// Asks as soon as the run is under way.
    fn ask(&self, command: Command) {
        while self.control.ask(command) == Err(ControlError::NotRunning) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the target has seen something; the watchdog of the run ends a wait for ever.
    fn until(&self, seen: impl Fn(&Counts) -> bool) -> u64 {
        loop {
            let counts = self.target.counts();
            if seen(&counts) {
                return counts.requests;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until so many connections are open.
    fn until_open(&self, connections: u64) {
        self.until(|counts| counts.connections_open == connections);
    }

    /// Waits until `more` requests have come.
    fn until_more(&self, more: u64) {
        let before = self.target.counts().requests;
        self.until(|counts| counts.requests >= before + more);
    }

    /// Waits until nothing comes for a while, however late the cores are to hear of what was asked; the watchdog of the run ends a
    /// wait for ever.
    fn until_quiet(&self) {
        loop {
            let before = self.target.counts().requests;
            thread::sleep(WHILE);
            if self.target.counts().requests == before {
                return;
            }
        }
    }
}

/// Runs a plan with someone at its controls, who stops it in the end.
fn flown(plan: Plan, target: &Target, flight: impl Fn(&Pilot<'_>) + Sync) -> std::sync::Arc<Summary> {
    let control = Control::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Whatever the flight asserts, the run ends.
            let ends = Raises(&control);
            flight(&Pilot { control: &control, target });
            drop(ends);
        });
        summary_with(plan, &control)
    })
}

struct Raises<'a>(&'a Control);

impl Drop for Raises<'_> {
    fn drop(&mut self) {
        self.0.raise();
    }
}

fn changes(summary: &Summary) -> Vec<&str> {
    assert!(summary.run.changes.is_sorted_by(|a, b| a.t_s <= b.t_s), "{:?}", summary.run.changes);
    summary.run.changes.iter().map(|change| &*change.change).collect()
}

/// A closed run of so many users at most, of whom `first` start at once, for ever.
fn closed(address: SocketAddr, path: &str, most: u32, first: f64, cores: usize) -> Plan {
    let mut plan = plan(request("GET", &format!("http://{address}{path}")));
    (plan.cpus, plan.load.users, plan.load.loops_per_user) = (cpus(cores), most, None);
    let closed = ClosedLoad { spawn_rate: f64::INFINITY, stages: stages(&[(0.0, first)]), pacing: None };
    plan.load.model = LoadModel::Closed(closed);
    plan
}

#[test]
fn users_are_as_many_as_somebody_asks_for() {
    for cores in [1, 2] {
        let target = target();
        let plan = closed(target.local_addr(), "/delay/3", 6, 2.0, cores);
        let summary = flown(plan, &target, |pilot| {
            pilot.until_open(2);
            for users in [6, 1, 0, 3] {
                pilot.ask(Command::Users(users));
                pilot.until_open(users.into());
                if users == 0 {
                    pilot.until_quiet();
                } else {
                    pilot.until_more(10);
                }
            }
        });
        // 2 and 4 more, then 3 anew.
        assert_eq!((summary.client.connections.opened, summary.conservation.abandoned), (9, 0), "{cores} cores");
        assert_eq!(changes(&summary), ["users 6", "users 1", "users 0", "users 3"]);
        assert_eq!(summary.totals.requests, target.stop().requests);
    }
}

#[test]
fn every_core_has_its_part_of_the_users_that_come_later() {
    // One user is on one core; the other has nothing to do until there are more.
    let target = target();
    let summary = flown(closed(target.local_addr(), "/delay/3", 4, 1.0, 2), &target, |pilot| {
        pilot.until_more(5);
        thread::sleep(WHILE);
        pilot.ask(Command::Users(4));
        pilot.until_open(4);
    });
    assert_eq!(summary.client.connections.opened, 4);
}

#[test]
fn the_run_time_ends_a_run_whose_users_somebody_took_away() {
    let target = target();
    let mut plan = closed(target.local_addr(), "/delay/3", 2, 2.0, 2);
    plan.load.run_time = Some(Duration::from_secs(1));
    let control = Control::default();
    let summary = thread::scope(|scope| {
        scope.spawn(|| Pilot { control: &control, target: &target }.ask(Command::Users(0)));
        summary_with(plan, &control)
    });
    // From the start of the first user, which is a little after that of the run.
    assert!(!summary.run.aborted && summary.run.load_s >= 0.5, "{:?}", summary.run);
}

#[test]
fn loops_end_a_run_whose_users_were_changed() {
    let target = target();
    let mut plan = closed(target.local_addr(), "/delay/3", 4, 2.0, 2);
    plan.load.loops_per_user = Some(40);
    let control = Control::default();
    let summary = thread::scope(|scope| {
        scope.spawn(|| {
            let pilot = Pilot { control: &control, target: &target };
            pilot.ask(Command::Users(1));
            pilot.ask(Command::Users(3));
        });
        summary_with(plan, &control)
    });
    assert!(!summary.run.aborted);
    // The two that stay, the one that comes, and the one that had begun before it went.
    assert!((81..=160).contains(&summary.totals.requests), "{}", summary.totals.requests);
}

#[test]
fn users_on_their_way_come_faster() {
    let target = target();
    let mut plan = closed(target.local_addr(), "/delay/3", 5, 5.0, 2);
    crate::plan::spawn_at(&mut plan, 1e-6);
    let summary = flown(plan, &target, |pilot| {
        pilot.until_open(1);
        pilot.ask(Command::SpawnRate(1_000.0));
        pilot.until_open(5);
        pilot.ask(Command::SpawnRate(0.5));
        pilot.until_more(10);
    });
    assert_eq!((summary.client.connections.opened, changes(&summary).len()), (5, 2));
}

#[test]
fn the_rate_of_an_open_run_goes_up_down_to_nothing_and_up_again() {
    for cores in [1, 2] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}/", target.local_addr())));
        plan.cpus = cpus(cores);
        arrive_at(&mut plan, 1e-4, 20);
        let summary = flown(plan, &target, |pilot| {
            pilot.until(|counts| counts.requests == 1);
            pilot.ask(Command::Rate(500.0));
            pilot.until_more(40);
            pilot.ask(Command::Rate(0.0));
            pilot.until_quiet();
            pilot.ask(Command::Rate(200.0));
            pilot.until_more(20);
        });
        let arrivals = arrivals_of(&summary);
        assert!(arrivals.made > 60, "{arrivals:?}");
        assert_eq!((summary.totals.requests, target.stop().requests), (arrivals.made, arrivals.made));
        assert_eq!(changes(&summary), ["rate 500/s", "rate 0/s", "rate 200/s"]);
    }
}

#[test]
fn a_closed_run_gets_a_ceiling_on_its_rate() {
    let target = target();
    let summary = flown(closed(target.local_addr(), "/", 4, 4.0, 2), &target, |pilot| {
        pilot.until_more(100);
        pilot.ask(Command::Rate(0.0));
        pilot.until_quiet();
        pilot.ask(Command::Rate(100.0));
        thread::sleep(WHILE);
        let since = Instant::now();
        let before = pilot.target.counts().requests;
        pilot.until_more(20);
        let more = pilot.target.counts().requests - before;
        let passed_s = since.elapsed().as_secs_f64();
        // What was due and not yet sent when it was first looked at may be made up for.
        assert!(more as f64 <= 100.0 * passed_s + 10.0, "{more} in {passed_s} s");
        pilot.ask(Command::Rate(1e6));
        pilot.until_more(200);
    });
    assert_eq!(summary.conservation.abandoned, 0);
    assert_ne!(summary.client.limit, Limit::Server, "users did not only wait for answers");
}

#[test]
fn nothing_begins_in_a_pause() {
    let ceiling = |unit| Some(Pacing { per_second: 400.0, unit });
    for (cores, pacing) in
        [(1, None), (2, None), (2, ceiling(PacingUnit::Request)), (2, ceiling(PacingUnit::Iteration))]
    {
        let target = target();
        let mut plan = closed(target.local_addr(), "/delay/1", 4, 4.0, cores);
        plan.pacing = pacing;
        let summary = flown(plan, &target, |pilot| {
            pilot.until_more(20);
            for _ in 0..2 {
                pilot.ask(Command::Pause);
                pilot.until_quiet();
                pilot.ask(Command::Resume);
                pilot.until_more(20);
            }
        });
        assert_eq!(changes(&summary), ["pause", "resume", "pause", "resume"]);
        assert_eq!((summary.client.connections.opened, summary.conservation.abandoned), (4, 0));
        assert_ne!(summary.client.limit, Limit::Server, "users did not only wait for answers");
    }
}

#[test]
fn a_pause_stops_arrivals_and_what_was_held_up() {
    // One user for 100 a second, each of which takes 20 ms: there is always something held up.
    for (path, users) in [("/", 20), ("/delay/20", 1)] {
        let target = target();
        let mut plan = plan(request("GET", &format!("http://{}{path}", target.local_addr())));
        arrive_at(&mut plan, 100.0, users);
        let begun = Instant::now();
        let summary = flown(plan, &target, |pilot| {
            pilot.until_more(5);
            pilot.ask(Command::Pause);
            pilot.until_quiet();
            thread::sleep(4 * WHILE);
            pilot.ask(Command::Resume);
            pilot.until_more(5);
        });
        let took_s = begun.elapsed().as_secs_f64();
        let arrivals = arrivals_of(&summary);
        assert_eq!(target.stop().requests, arrivals.made);
        // What would have been due in the pause is none: some 700 ms of it are 70 arrivals.
        let [pause, resume] = &summary.run.changes[..] else { panic!("{:?}", summary.run.changes) };
        let most = (took_s - (resume.t_s - pause.t_s)) * 100.0 + 1.0;
        assert!(arrivals.intended as f64 <= most, "{arrivals:?} in {took_s} s with {:?}", summary.run.changes);
    }
}

#[test]
fn a_stop_ends_a_pause() {
    for open in [false, true] {
        let target = target();
        let mut plan = closed(target.local_addr(), "/", 3, 3.0, 2);
        if open {
            arrive_at(&mut plan, 100.0, 3);
        }
        let summary = flown(plan, &target, |pilot| {
            pilot.until_more(1);
            pilot.ask(Command::Pause);
            pilot.until_quiet();
        });
        assert_eq!((summary.run.aborted, summary.conservation.abandoned), (true, 0));
    }
}

#[test]
fn users_come_and_go_in_a_pause_without_a_request() {
    let target = target();
    let summary = flown(closed(target.local_addr(), "/", 4, 2.0, 2), &target, |pilot| {
        pilot.until_open(2);
        pilot.ask(Command::Pause);
        pilot.ask(Command::Users(0));
        pilot.until_open(0);
        pilot.ask(Command::Users(4));
        pilot.until_quiet();
        pilot.until_open(0);
        pilot.ask(Command::Resume);
        pilot.until_open(4);
    });
    assert_eq!(summary.client.connections.opened, 6);
}

#[test]
fn a_user_that_waits_for_a_far_slot_ends_when_it_is_to() {
    let target = target();
    let mut plan = closed(target.local_addr(), "/", 3, 3.0, 1);
    plan.pacing = Some(Pacing { per_second: 1e-4, unit: PacingUnit::Iteration });
    plan.load.total_iterations = Some(4);
    let summary = flown(plan, &target, |pilot| {
        // The first slot is at the start, the second hours away; a user that ends gives its iteration back.
        pilot.until(|counts| counts.requests == 1);
        pilot.ask(Command::Users(1));
        thread::sleep(WHILE);
        pilot.ask(Command::Rate(1_000.0));
        pilot.until(|counts| counts.requests == 4);
    });
    assert_eq!(summary.iterations.count, 4);
}

#[test]
fn what_a_run_cannot_do_is_refused() {
    let target = target();
    let control = Control::default();
    assert_eq!(control.ask(Command::Users(1)), Err(ControlError::NotRunning));
    let summary = flown(closed(target.local_addr(), "/delay/3", 2, 2.0, 1), &target, |pilot| {
        pilot.ask(Command::Users(2));
        let refused = pilot.control.ask(Command::Users(3));
        assert_eq!(refused, Err(ControlError::TooManyUsers { asked: 3, max: 2 }));
    });
    assert_eq!(changes(&summary), ["users 2"]);
    let mut open = plan(request("GET", &format!("http://{}/", target.local_addr())));
    arrive_at(&mut open, 50.0, 3);
    flown(open, &target, |pilot| {
        pilot.ask(Command::Resume);
        assert_eq!(pilot.control.ask(Command::Users(1)), Err(ControlError::Open));
        assert_eq!(pilot.control.ask(Command::SpawnRate(1.0)), Err(ControlError::Open));
    });
}

#[test]
fn what_was_asked_of_one_run_is_nothing_to_the_next() {
    let target = target();
    let control = Control::default();
    let mut first = closed(target.local_addr(), "/", 1, 1.0, 1);
    first.load.total_iterations = Some(50);
    let asks = |control: &Control| {
        // Until the run has gone: the last of these finds nobody to carry it out.
        while control.ask(Command::Pause) == Err(ControlError::NotRunning) {}
        while control.ask(Command::Resume).is_ok() {
            thread::sleep(Duration::from_micros(200));
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| asks(&control));
        summary_with(first, &control);
    });
    assert_eq!(control.ask(Command::Pause), Err(ControlError::NotRunning));
    let mut second = closed(target.local_addr(), "/", 1, 1.0, 1);
    second.load.total_iterations = Some(50);
    assert_eq!(summary_with(second, &control).run.changes, []);
}
