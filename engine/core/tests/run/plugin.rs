//! Calls of a plugin's functions: each user gets its own answer, and whatever the plugin's process does, each call ends and each
//! request is accounted for.

use std::{
    net::SocketAddr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use crossbeam_channel::unbounded;
use pummel_case::Case;
use pummel_engine::{Control, Functional, FunctionalEvent, Plan};

use crate::{
    fake_plugin::FakePlugin,
    plan::{cpus, outcome, plan, summary_of, summary_with, NEVER},
    server::{recording, OK},
    stop::{raise, SOON},
};

/// Longer than a call takes on any machine.
const PATIENT: Duration = Duration::from_mins(1);

/// A plan for a case of the plugin's project whose one step is written down.
fn one_step(plugin: &FakePlugin, address: SocketAddr, step: &str) -> Plan {
    with_plugin(plugin, plugin.case(&case_text(address, step)))
}

fn case_text(address: SocketAddr, step: &str) -> String {
    format!("config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n- {{name: a, {step}}}\n")
}

fn with_plugin(plugin: &FakePlugin, case: Case) -> Plan {
    let mut plan = plan(case);
    plan.plugins = Some(plugin.host.clone());
    plan
}

/// The query values of a request's target, in order.
fn values(target: &str) -> Vec<&str> {
    target.split(['=', '&']).skip(1).step_by(2).collect()
}

#[test]
fn calls_that_are_ready_together_go_out_together_and_each_user_gets_its_own_answer() {
    let plugin = FakePlugin::new("together", 1, PATIENT);
    let (address, targets) = recording(|_| OK.to_vec());
    let step = "variables: {n: \"${gen_random_string(12)}\"}, \
                request: {method: GET, url: \"/?own=$n&echo=${echo($n)}&most=${most()}\"}";
    let mut plan = one_step(&plugin, address, step);
    plan.load.users = 200;
    plan.load.loops_per_user = Some(3);
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.succeeded, 600, "{:?}", summary.errors);
    let targets = targets.lock().unwrap();
    let mut most = 0;
    for target in targets.iter() {
        let values = values(target);
        assert_eq!(values[0], values[1]);
        most = most.max(values[2].parse().unwrap());
    }
    assert!((100..=200).contains(&most), "of 200 first calls {most} came in one frame");
    let calls = summary.plugin.as_ref().expect("there were calls");
    assert_eq!((calls.calls, calls.errors), (1_200, 0));
    // They are no part of the load: the server has a connection for each user, and nothing else was opened.
    assert_eq!(summary.client.connections.opened, 200);
}

#[test]
fn the_cores_share_the_processes() {
    let plugin = FakePlugin::new("cores", 2, PATIENT);
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = one_step(&plugin, address, "request: {method: GET, url: \"/?g=${generation()}\"}");
    plan.load.users = 8;
    plan.cpus = cpus(2);
    assert_eq!(summary_of(plan).conservation.succeeded, 8);
    // Four users of each core, in turn to the first process and the second.
    let mut processes: Vec<String> =
        targets.lock().unwrap().iter().map(|target| values(target)[0].to_owned()).collect();
    processes.sort_unstable();
    assert_eq!(processes, ["1", "1", "1", "1", "2", "2", "2", "2"]);
}

#[test]
fn a_function_that_fails_fails_its_request_before_it_is_sent() {
    let plugin = FakePlugin::new("fails", 1, PATIENT);
    let (address, targets) = recording(|_| OK.to_vec());
    let mut plan = one_step(&plugin, address, "request: {method: GET, url: \"/?v=${fail(bad pin)}\"}");
    plan.load.users = 3;
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.started, summary.conservation.failed), (3, 3));
    assert_eq!(targets.lock().unwrap().len(), 0);
    let error = &summary.errors[0];
    assert_eq!((&*error.kind, &*error.message), ("function", "call function fail failed: bad pin"));
    assert_eq!(summary.plugin.as_ref().expect("there were calls").errors, 3);
}

/// The messages of the errors, each as often as it came, in order.
fn messages(summary: &pummel_stats::Summary) -> Vec<(&str, u64)> {
    assert!(summary.errors.iter().all(|error| error.kind == "plugin"), "{:?}", summary.errors);
    let mut messages: Vec<_> = summary.errors.iter().map(|error| (&*error.message, error.count)).collect();
    messages.sort_unstable();
    messages
}

#[test]
fn calls_under_way_are_lost_with_their_process_and_the_next_one_takes_those_that_follow() {
    for (function, reason) in [
        ("die_in", "the plugin's process ended during the call"),
        ("babble_in", "the plugin's process was ended, as what it sent is no reply"),
    ] {
        let plugin = FakePlugin::new(function, 1, PATIENT);
        let (address, _) = recording(|_| OK.to_vec());
        let step = format!("request: {{method: GET, url: \"/?v=${{{function}(1)}}\"}}");
        let mut plan = one_step(&plugin, address, &step);
        plan.load.users = 3;
        plan.load.loops_per_user = Some(2);
        let summary = summary_of(plan);
        // The first calls of all three went out together, before their process could end.
        assert_eq!((summary.conservation.failed, summary.conservation.succeeded), (3, 3), "{:?}", summary.errors);
        assert_eq!(messages(&summary), [(&*format!("call function {function} failed: {reason}"), 3)]);
    }
}

#[test]
fn a_call_that_is_not_answered_ends_its_process_and_with_it_the_others() {
    let plugin = FakePlugin::new("hangs", 1, Duration::from_secs(2));
    let (address, _) = recording(|_| OK.to_vec());
    let mut plan = one_step(&plugin, address, "request: {method: GET, url: \"/?v=${hang_in(1)}\"}");
    plan.load.users = 2;
    // The second is half a second behind the first.
    crate::plan::spawn_at(&mut plan, 2.0);
    plan.load.loops_per_user = Some(2);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.failed, summary.conservation.succeeded), (2, 2), "{:?}", summary.errors);
    let text = |reason: &str| format!("call function hang_in failed: {reason}");
    assert_eq!(
        messages(&summary),
        [
            (&*text("no answer within 2 s (--plugin-timeout)"), 1),
            (&*text("the plugin's process was ended, as another call did not answer"), 1)
        ]
    );
}

#[test]
fn a_call_ends_at_the_stop_with_its_request_where_that_was_sent() {
    const PLACES: [(&str, u64, &str); 2] = [
        ("stop-before", 0, "request: {method: GET, url: \"/?v=${hang_in(1)}\"}"),
        ("stop-behind", 3, "request: {method: GET, url: /}, teardown_hooks: [\"${hang_in(1)}\"]"),
    ];
    for (name, abandoned, step) in PLACES {
        let plugin = FakePlugin::new(name, 1, NEVER);
        let (stop, asked) = (Control::default(), Arc::new(AtomicU64::new(0)));
        let signal = stop.clone();
        let (address, _) = recording(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == 2 {
                signal.raise();
            }
            OK.to_vec()
        });
        let mut plan = one_step(&plugin, address, step);
        plan.load.users = 3;
        plan.stop_timeout = SOON;
        if abandoned == 0 {
            raise(&stop, 1, SOON);
        }
        let counts = summary_with(plan, &stop).conservation.clone();
        assert_eq!((counts.started, counts.abandoned), (abandoned, abandoned), "{name}");
    }
}

#[test]
fn a_call_behind_a_response_may_end_after_the_stop() {
    let plugin = FakePlugin::new("drains", 1, PATIENT);
    let stop = Control::default();
    let signal = stop.clone();
    let (address, _) = recording(move |_| {
        signal.raise();
        OK.to_vec()
    });
    // The plugin answers when the run has been told to stop for a while.
    let step = "request: {method: GET, url: /}, teardown_hooks: [\"${slow(1)}\"]";
    let mut plan = one_step(&plugin, address, step);
    plan.load.loops_per_user = None;
    let counts = summary_with(plan, &stop).conservation.clone();
    assert_eq!((counts.started, counts.succeeded), (1, 1));
}

#[test]
fn the_time_of_a_call_is_no_part_of_its_request() {
    let plugin = FakePlugin::new("slow", 1, PATIENT);
    for step in [
        "variables: {v: \"${slow(1)}\"}, request: {method: GET, url: \"/?v=$v\"}",
        "request: {method: GET, url: /}, teardown_hooks: [\"${slow(1)}\"]",
    ] {
        let (address, _) = recording(|_| OK.to_vec());
        let mut plan = one_step(&plugin, address, step);
        plan.record_action = true;
        let summary = summary_of(plan);
        assert_eq!(summary.conservation.succeeded, 1, "{step}: {:?}", summary.errors);
        let second = Duration::from_secs(1).as_micros() as u64;
        // The iteration holds both, so what is left of it beside the request is the call.
        let (iteration, request) = (summary.transactions[0].duration_us.min, summary.totals.response_us.max);
        assert!(iteration >= request.map(|request| request + second), "{step}: {iteration:?} {request:?}");
        let of_step = summary.steps[0].plugin_us.as_ref().expect("its calls");
        assert_eq!(of_step.count, 1);
        assert!(of_step.max >= Some(second), "{step}");
    }
}

#[test]
fn large_arguments_and_results_come_whole() {
    let plugin = FakePlugin::new("whole", 1, PATIENT);
    let letters: Vec<u8> = (0..1024 * 1024u32).map(|n| b'a' + (n % 23) as u8).collect();
    let (address, _) = recording(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", letters.len());
        [head.as_bytes(), &letters].concat()
    });
    let text = format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}, extract: {{v: body}}}}\n\
         - {{name: b, variables: {{w: \"${{echo($v)}}\"}}, request: {{method: GET, url: /}}, \
         validate: [{{eq: [\"$w\", \"$v\"]}}, {{length_equal: [\"$w\", 1048576]}}]}}\n"
    );
    let mut plan = with_plugin(&plugin, plugin.case(&text));
    plan.load.users = 3;
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.succeeded, 6, "{:?}", summary.errors);
    assert_eq!(summary.plugin.as_ref().expect("there were calls").calls, 3);
}

#[test]
fn calls_wait_for_a_process_that_is_started_anew_but_not_for_ever() {
    let plugin = FakePlugin::new("mute", 1, Duration::from_secs(1));
    let (address, _) = recording(|_| OK.to_vec());
    let mut plan = one_step(&plugin, address, "request: {method: GET, url: \"/?v=${mute_in(1)}\"}");
    plan.load.users = 2;
    plan.load.loops_per_user = Some(2);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.failed, summary.conservation.succeeded), (4, 0));
    let text = |reason: &str| format!("call function mute_in failed: {reason}");
    assert_eq!(
        messages(&summary),
        [
            (&*text("the plugin was not ready within 1 s (--plugin-timeout)"), 2),
            (&*text("the plugin's process ended during the call"), 2)
        ]
    );
}

#[test]
fn users_log_in_with_what_a_plugin_gives() {
    let plugin = FakePlugin::new("setup", 1, PATIENT);
    let (address, targets) = recording(|_| OK.to_vec());
    let text = format!(
        "config:\n  name: c\n  base_url: \"http://{address}\"\n  setup_case:\n    config: {{name: s}}\n    teststeps:\n    \
         - {{name: login, request: {{method: GET, url: \"/login?v=${{echo(7)}}\"}}}}\n\
         teststeps:\n- {{name: a, request: {{method: GET, url: /}}}}\n"
    );
    let summary = summary_of(with_plugin(&plugin, plugin.case(&text)));
    assert_eq!(summary.conservation.succeeded, 1, "{:?}", summary.errors);
    assert_eq!(*targets.lock().unwrap(), ["/login?v=7", "/"]);
}

#[test]
fn arguments_that_are_too_large_are_not_sent() {
    let plugin = FakePlugin::new("large", 1, PATIENT);
    let body = vec![b'x'; 15 * 1024 * 1024];
    let (address, targets) = recording(move |_| {
        let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        response.extend_from_slice(&body);
        response
    });
    let text = format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: /}}, extract: {{v: body}}}}\n\
         - {{name: b, request: {{method: GET, url: \"/?v=${{most($v, $v)}}\"}}}}\n"
    );
    let summary = summary_of(with_plugin(&plugin, plugin.case(&text)));
    assert_eq!((summary.conservation.succeeded, summary.conservation.failed), (1, 1), "{:?}", summary.errors);
    assert_eq!(&*summary.errors[0].message, "call function most failed: its arguments are larger than 16 MiB");
    assert_eq!(targets.lock().unwrap().len(), 1);
}

#[test]
fn a_functional_run_tells_what_failed_and_how() {
    let plugin = FakePlugin::new("functional", 1, PATIENT);
    let (address, _) = recording(|_| OK.to_vec());
    let mut plan = one_step(&plugin, address, "request: {method: GET, url: \"/?v=${fail(no user)}\"}");
    let (events, told) = unbounded();
    plan.functional = Some(Functional { continue_on_failure: false, case_timeout: NEVER, events });
    let _ = outcome(plan, &Control::default()).expect("the run starts");
    let failure = told.try_iter().find_map(|event| match event {
        FunctionalEvent::Step(step) => step.failure,
        _ => None,
    });
    let failure = failure.expect("the step fails");
    assert_eq!((failure.kind, failure.exit_code), ("function", 23));
    assert_eq!(failure.message, "call function fail failed: no user");
}

#[test]
fn a_case_whose_time_is_over_waits_for_no_call() {
    let plugin = FakePlugin::new("case-timeout", 1, NEVER);
    let (address, _) = recording(|_| OK.to_vec());
    let step = "request: {method: GET, url: /}, teardown_hooks: [\"${hang_in(1)}\"]";
    let mut plan = one_step(&plugin, address, step);
    let (events, told) = unbounded();
    plan.functional = Some(Functional { continue_on_failure: false, case_timeout: SOON, events });
    let summary = summary_of(plan);
    assert_eq!(summary.conservation.abandoned, 1);
    let codes: Vec<u8> = told
        .try_iter()
        .filter_map(
            |event| if let FunctionalEvent::CaseEnded { exit_code, .. } = event { Some(exit_code) } else { None },
        )
        .collect();
    assert_eq!(codes, [39]);
}
