//! Open runs whose server is too slow for them: what was held up is made, or missed, and its times say so.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::Duration,
};

use pummel_engine::{CatchUp, Plan};
use pummel_stats::{Limit, Summary, Verdict};

use crate::{
    arrivals::arrivals_of,
    plan::{arrivals, arrive_at, cpus, plan, request, summary_of},
    server::{read_request, scripted, target, write, OK},
};

/// 100 arrivals a second for half a second, each of which takes the server 50 ms, by `users` on so many cores.
fn slow(address: std::net::SocketAddr, catch_up: CatchUp, users: u32, cores: usize) -> Plan {
    let mut plan = plan(request("GET", &format!("http://{address}/delay/50")));
    plan.cpus = cpus(cores);
    arrive_at(&mut plan, 100.0, users);
    arrivals(&mut plan).catch_up = catch_up;
    plan.load.run_time = Some(Duration::from_millis(500));
    plan
}

/// One user can make 11 of them at most: one every 50 ms, the first at once.
fn assert_most_are_missed(summary: &Summary) -> u64 {
    let arrivals = arrivals_of(summary);
    assert_eq!((arrivals.intended, arrivals.users_peak, arrivals.users_max), (50, 1, 1));
    assert!(arrivals.made <= 11 && arrivals.missed >= 39, "{arrivals:?}");
    assert_eq!(summary.totals.requests, arrivals.made);
    assert!(arrivals.waited_for_users);
    // Nobody was free, so it is not the client that missed them, but on a machine that had no time for it.
    let client = &summary.client;
    if !client.reasons.iter().any(|reason| reason.contains("a core of the client was saturated")) {
        assert!(client.verdict != Verdict::Invalid && client.limit != Limit::Client, "{:?}", client.reasons);
    }
    arrivals.made
}

#[test]
fn a_burst_misses_only_what_is_left_at_the_stop() {
    let target = target();
    let summary = summary_of(slow(target.local_addr(), CatchUp::Burst, 1, 1));
    let made = assert_most_are_missed(&summary);
    // They are made in order: arrival k was due at 10 k ms, and not begun before 50 k ms.
    let last = made - 1;
    let (response, service) = (&summary.totals.response_us, &summary.totals.service_us);
    assert!(response.max.unwrap() >= (50 + 40 * last) * 1_000, "{response:?}");
    assert!(summary.client.lateness_us.max.unwrap() >= 40 * last * 1_000);
    assert!(response.min >= service.min && response.p50 >= service.p50 && response.max >= service.max);
}

#[test]
fn smooth_and_drop_miss_no_less() {
    for catch_up in [CatchUp::Smooth, CatchUp::Drop] {
        let target = target();
        assert_most_are_missed(&summary_of(slow(target.local_addr(), catch_up, 1, 1)));
    }
}

#[test]
fn what_is_dropped_is_none_of_the_run() {
    let target = target();
    let mut plan = slow(target.local_addr(), CatchUp::Drop, 2, 2);
    plan.load.run_time = None;
    plan.load.total_iterations = Some(40);
    let summary = summary_of(plan);
    let arrivals = arrivals_of(&summary);
    assert_eq!(arrivals.intended, 40);
    assert!(arrivals.missed > 0 && arrivals.waited_for_users, "{arrivals:?}");
    assert_eq!(target.stop().requests, arrivals.made);
}

#[test]
fn enough_users_miss_nothing_on_a_slow_server() {
    let target = target();
    let mut plan = slow(target.local_addr(), CatchUp::Burst, 50, 2);
    plan.load.run_time = None;
    plan.load.total_iterations = Some(50);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, summary.totals.requests), (50, 50));
    // Each user of a connection of its own is another one, and there are no more than arrivals.
    assert!((1..=50).contains(&summary.client.connections.opened));
}

#[test]
fn a_stall_shows_in_the_response_times_of_what_was_due_meanwhile() {
    const STALL_MS: u64 = 300;
    let stalled = Arc::new(AtomicBool::new(false));
    let address = scripted(move |stream| {
        while read_request(stream) {
            // The first answer is held back, whoever asked.
            if !stalled.swap(true, Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(STALL_MS));
            }
            write(stream, OK);
        }
    });
    let mut plan = plan(request("GET", &format!("http://{address}/")));
    arrive_at(&mut plan, 100.0, 1);
    plan.load.total_iterations = Some(30);
    let summary = summary_of(plan);
    assert_eq!((arrivals_of(&summary).made, summary.totals.service_us.count), (30, 30));
    let (response, service) = (&summary.totals.response_us, &summary.totals.service_us);
    assert!(response.max.unwrap() >= STALL_MS * 1_000 && service.max.unwrap() >= STALL_MS * 1_000);
    // Arrival k of 1 to 29 was due at 10 k ms and begun after 300 ms: 4,350 ms of waiting in all, over 30 requests.
    let waited_us = (response.mean.unwrap() - service.mean.unwrap()) * 30.0;
    assert!(waited_us >= 4_350_000.0 - 30.0, "{waited_us}");
    // Half of them waited for 150 ms and more.
    assert!(response.p50.unwrap() >= 150_000, "{response:?}");
}

#[test]
fn who_waits_for_its_setup_does_not_shift_what_was_due_meanwhile() {
    // The one user's login takes 200 ms; what was due by then is due when it was.
    let address = scripted(|stream| {
        while let Some(target) = crate::server::read_target(stream) {
            if target == "/login" {
                thread::sleep(Duration::from_millis(200));
            }
            write(stream, OK);
        }
    });
    let mut plan = plan(crate::setup::case(address));
    arrive_at(&mut plan, 100.0, 1);
    plan.load.total_iterations = Some(11);
    let summary = summary_of(plan);
    let response = &summary.totals.response_us;
    assert_eq!((arrivals_of(&summary).made, response.count), (11, 11));
    // Arrival 1, due at 10 ms, was begun after 200 ms; the first, which made its user start, is due when that is ready.
    assert!(response.max.unwrap() >= 190_000, "{response:?}");
    // Those of 1 to 10 were due at 10 k ms: 1,450 ms of waiting.
    assert!(response.mean.unwrap() * 11.0 >= 1_450_000.0 - 11.0, "{response:?}");
}
