//! Samples of failures: which are kept, and that they show what was sent and what came.

use std::net::{Ipv4Addr, SocketAddr};

use pummel_case::Case;
use pummel_engine::{Control, Cookies, Plan};
use pummel_stats::FailureSample;

use crate::{
    plan::{cpus, plan, request, summary_of, summary_with, yaml},
    server::{answering, closed_port, read_request, redirect, response, scripted, target, write, OK},
};

/// `{"token":"s3cr3t","why":"it is full"}` in gzip.
const CODED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\xc9\xcf\x4e\xcd\x53\xb2\x52\x2a\x36\x4e\x2e\x32\x2e\x51\xd2\x51\x2a\xcf\xa8\x04\x72\x33\x4b\x14\x32\x8b\x15\xd2\x4a\x73\x72\x94\x6a\x01\x77\x6e\xcc\xd6\x25\x00\x00\x00";

/// A case whose only step wants the status 200.
fn checked(address: SocketAddr, url: &str) -> Case {
    yaml(&format!(
        "config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: {url}}}, validate: [{{eq: [status_code, 200]}}]}}\n"
    ))
}

/// A plan that keeps so many samples of each kind, as they are.
fn sampling(case: Case, per_kind: u32) -> Plan {
    let mut plan = plan(case);
    plan.failure_samples.per_kind = per_kind;
    plan.failure_samples.show_secrets = true;
    plan
}

/// The one sample of a run.
fn only(samples: &[FailureSample]) -> &FailureSample {
    match samples {
        [sample] => sample,
        samples => panic!("one sample is expected: {samples:?}"),
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[test]
fn the_first_of_each_step_and_kind_are_kept_whatever_the_number_of_cores() {
    let target = target();
    let text = format!(
        "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: /status/500}}, validate: [{{eq: [status_code, 200]}}]}}\n",
        target.local_addr()
    );
    let run = |per_kind| {
        let mut plan = sampling(yaml(&text), per_kind);
        plan.load.users = 4;
        plan.load.loops_per_user = Some(5);
        plan.cpus = cpus(2);
        summary_of(plan)
    };
    assert_eq!(run(0).failure_samples, []);
    let summary = run(3);
    assert_eq!((summary.conservation.failed, summary.failure_samples.len()), (20, 3));
    assert_eq!(summary.failure_samples_left_out, 0);
    for sample in &summary.failure_samples {
        assert_eq!((&*sample.case, &*sample.step, &*sample.kind, sample.setup), ("c", "a", "assertion", false));
        assert_eq!(sample.message, summary.errors[0].message);
        let url = format!("GET http://{}/status/500\n", target.local_addr());
        assert!(sample.request.head.starts_with(&url), "{}", sample.request.head);
        assert!(sample.request.head.ends_with("\nUser-Agent: pummel-test"), "{}", sample.request.head);
        let response = sample.response.as_ref().expect("a response");
        assert!(response.head.starts_with("HTTP/1.1 500 "), "{}", response.head);
        let timing = &sample.timing;
        let (sent_us, first_byte_us) = (timing.sent_us.unwrap(), timing.first_byte_us.unwrap());
        assert!(timing.due_us <= sent_us && sent_us <= first_byte_us, "{timing:?}");
        assert!(sent_us + timing.service_us <= timing.done_us + 1, "{timing:?}");
        assert!(timing.service_us <= timing.response_us, "{timing:?}");
    }
    let times: Vec<f64> = summary.failure_samples.iter().map(|sample| sample.at_s).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_request_that_was_refused_has_no_response() {
    let address = closed_port();
    let summary = summary_of(sampling(request("POST", &format!("http://{address}/a?b=c")), 2));
    let sample = only(&summary.failure_samples);
    assert_eq!((&*sample.kind, &sample.response), ("connect_refused", &None));
    let head = format!("POST http://{address}/a?b=c\nHost: {address}\nUser-Agent: pummel-test\nContent-Length: 0");
    assert_eq!((&*sample.request.head, &*sample.request.body), (&*head, ""));
    assert_eq!((sample.timing.sent_us, sample.timing.first_byte_us), (None, None));
}

#[test]
fn a_response_that_breaks_off_is_shown_as_far_as_it_came() {
    let address = scripted(|stream| {
        read_request(stream);
        write(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
    });
    let summary = summary_of(sampling(request("GET", &format!("http://{address}/")), 1));
    let sample = only(&summary.failure_samples);
    assert_eq!(sample.kind, "closed_early");
    let response = sample.response.as_ref().unwrap();
    assert_eq!(
        (&*response.head, &*response.body, response.body_bytes),
        ("HTTP/1.1 200 OK\nContent-Length: 9", "some", 4)
    );
}

#[test]
fn after_redirects_the_last_exchange_is_shown() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |seen| match &*seen.target {
        "/a" => response("302 Found", "Location: /b?n=1\r\nSet-Cookie: id=7\r\n"),
        _ => answer("500 Oops", b"no"),
    });
    let mut plan = sampling(checked(address, "/a"), 1);
    plan.network.max_redirects = 10;
    plan.network.cookies = Cookies::PerIteration;
    let summary = summary_of(plan);
    let sample = only(&summary.failure_samples);
    let lines: Vec<&str> = sample.request.head.lines().collect();
    assert_eq!(lines[0], format!("GET http://{address}/b?n=1"));
    assert!(lines.contains(&"Cookie: id=7"), "{lines:?}");
    let response = sample.response.as_ref().unwrap();
    assert_eq!((response.head.lines().next(), &*response.body), (Some("HTTP/1.1 500 Oops"), "no"));
}

#[test]
fn a_redirect_too_many_is_shown_with_the_request_it_answers() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |seen| {
        let n: u32 = seen.target[1..].parse().unwrap_or(0);
        redirect("302 Found", &format!("/{}", n + 1))
    });
    let mut plan = sampling(request("GET", &format!("http://{address}/0")), 1);
    plan.network.max_redirects = 2;
    let summary = summary_of(plan);
    let sample = only(&summary.failure_samples);
    assert_eq!((&*sample.kind, &*sample.message), ("redirect", "stopped after 2 redirects"));
    assert!(sample.request.head.starts_with(&format!("GET http://{address}/2\n")), "{}", sample.request.head);
    let response = sample.response.as_ref().unwrap();
    assert!(response.head.ends_with("\nLocation: /3"), "{}", response.head);
}

#[test]
fn steps_that_users_do_once_have_samples_of_their_own() {
    let (address, log) = answering(Ipv4Addr::LOCALHOST, |_| answer("503 Not yet", b""));
    let mut case = checked(address, "/work");
    case.setup = checked(address, "/login").steps;
    let stop = Control::default();
    let raised = stop.clone();
    std::thread::spawn(move || {
        while log.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        raised.raise();
    });
    let summary = summary_with(sampling(case, 1), &stop);
    let sample = only(&summary.failure_samples);
    assert_eq!((sample.setup, &*sample.kind, summary.totals.failures), (true, "assertion", 0));
    assert!(sample.request.head.starts_with(&format!("GET http://{address}/login\n")));
}

#[test]
fn looking_at_failures_makes_none() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |_| answer("200 OK\r\nContent-Encoding: gzip", b"no gzip"));
    let summary = summary_of(sampling(checked(address, "/"), 5));
    assert_eq!((summary.conservation.succeeded, summary.failure_samples.len()), (1, 0));
    assert_eq!(summary.totals.bytes_decoded, 0);
}

#[test]
fn a_coded_body_is_shown_decoded_and_masked() {
    let run = |coded: &'static [u8], show_secrets| {
        let (address, _) = answering(Ipv4Addr::LOCALHOST, move |_| answer("500 Oops\r\nContent-Encoding: gzip", coded));
        let mut plan = sampling(checked(address, "/"), 1);
        plan.failure_samples.show_secrets = show_secrets;
        let summary = summary_of(plan);
        let response = only(&summary.failure_samples).response.clone().unwrap();
        (response.body, response.body_bytes, response.body_truncated)
    };
    let length = CODED.len() as u64;
    assert_eq!(run(CODED, true), ("{\"token\":\"s3cr3t\",\"why\":\"it is full\"}".into(), length, false));
    assert_eq!(run(CODED, false), ("{\"token\":\"***\",\"why\":\"it is full\"}".into(), length, false));
    let cut = run(&CODED[..20], true);
    assert_eq!(cut, ("(what was kept of the body could not be decoded)".into(), 20, true));
}

#[test]
fn bodies_are_cut_and_what_they_hold_cannot_steer_a_terminal() {
    let body = ["\x1b[2J\r\n".as_bytes(), &vec![0xff; 1024 * 1024]].concat();
    let (address, _) = answering(Ipv4Addr::LOCALHOST, move |_| answer("500 Oops", &body));
    for case in [
        checked(address, "/"),
        // The whole body is looked at.
        yaml(&format!(
            "config: {{name: c, base_url: \"http://{address}\"}}\nteststeps:\n\
             - {{name: a, request: {{method: GET, url: /}}, validate: [{{eq: [body.a, 1]}}]}}\n"
        )),
    ] {
        let summary = summary_of(sampling(case, 1));
        let response = only(&summary.failure_samples).response.as_ref().unwrap();
        assert_eq!((response.body_truncated, response.body_bytes), (true, 1024 * 1024 + 6));
        let shown = format!("\\u{{1b}}[2J\n{}", "\\xff".repeat(4 * 1024 - 6));
        assert!(response.body == shown, "{:?}", &response.body[..40]);
    }
}

#[test]
fn a_request_that_succeeds_beside_others_is_no_sample() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |_| OK.to_vec());
    let mut plan = sampling(checked(address, "/"), 5);
    plan.load.loops_per_user = Some(10);
    let summary = summary_of(plan);
    assert_eq!((summary.conservation.succeeded, summary.failure_samples.len()), (10, 0));
}
