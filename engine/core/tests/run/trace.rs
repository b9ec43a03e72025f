//! What a functional run is told of what went over the wire.

use std::{net::Ipv4Addr, thread, time::Duration};

use crossbeam_channel::unbounded;
use pummel_engine::{Address, Cookies, ExchangeRecord, Functional, FunctionalEvent};

use crate::{
    plan::{plan, summary_of, yaml, NEVER},
    server::{answering, closed_port, read_request, response, scripted, write, OK},
};

/// The exchanges of one functional run of these steps, none where a step has none.
fn exchanges(steps: &str) -> Vec<Option<Box<ExchangeRecord>>> {
    let (events, told) = unbounded();
    let mut plan = plan(yaml(&format!("config: {{name: c, variables: {{n: 7}}}}\nteststeps:\n{steps}")));
    plan.functional = Some(Functional { continue_on_failure: true, case_timeout: NEVER, events });
    plan.network.max_redirects = 10;
    plan.network.cookies = Cookies::PerUser;
    summary_of(plan);
    let step = |event| if let FunctionalEvent::Step(step) = event { Some(step.exchange) } else { None };
    told.try_iter().filter_map(step).collect()
}

fn texts(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_last_request_of_a_chain_and_its_response_are_told_whole() {
    let (address, _) = answering(Ipv4Addr::LOCALHOST, |seen| match &*seen.target {
        "/login?n=7" => response("303 See Other", "Set-Cookie: sid=1; Path=/\r\nLocation: /home\r\n"),
        _ => response("200 OK", "X-A: b\r\n"),
    });
    let told = exchanges(&format!(
        "- {{name: a, request: {{method: POST, url: \"http://{address}/login?n=$n\", body: x, headers: {{Accept: y}}}}}}\n\
         - {{name: b, request: {{method: PUT, url: \"http://{address}/b\", body: z, cookies: {{own: \"0\"}}}}}}\n",
    ));
    let first = told[0].as_ref().unwrap();
    assert_eq!((&*first.method, &first.url), ("GET", &format!("http://{address}/home")));
    let referer = format!("http://{address}/login?n=7");
    assert_eq!(first.request_headers, texts(&[("Accept", "y"), ("Cookie", "sid=1"), ("Referer", &referer)]));
    assert_eq!(
        (&*first.request_body, first.redirects, first.address.clone()),
        (&b""[..], 1, Some(Address::Inet(address)))
    );
    let answer = first.response.as_ref().unwrap();
    assert_eq!((&*answer.version, answer.status, &*answer.body), ("HTTP/1.1", 200, &b"ok"[..]));
    assert_eq!(answer.headers, texts(&[("Content-Length", "2"), ("X-A", "b")]));

    let second = told[1].as_ref().unwrap();
    assert_eq!((&*second.method, &*second.request_body, second.redirects), ("PUT", &b"z"[..], 0));
    assert_eq!(second.request_headers, texts(&[("Cookie", "own=0; sid=1")]));
    assert_eq!(second.address, Some(Address::Inet(address)), "known of a reused connection too");
    assert_eq!((second.phases.dns_us, second.phases.connect_us), (0, 0), "nothing was opened");
}

#[test]
fn phases_lie_within_the_whole() {
    const PAUSE: Duration = Duration::from_millis(30);
    let address = scripted(|stream| {
        while read_request(stream) {
            thread::sleep(PAUSE);
            write(stream, &OK[..OK.len() - 1]);
            thread::sleep(PAUSE);
            write(stream, &OK[OK.len() - 1..]);
        }
    });
    let told = exchanges(&format!("- {{name: a, request: {{method: GET, url: \"http://{address}/\"}}}}\n"));
    let phases = told[0].as_ref().unwrap().phases;
    // The server's pauses are the least that each can be, whatever else the machine does.
    let first_byte_us = phases.send_us + phases.wait_us;
    assert!(first_byte_us >= PAUSE.as_micros() as u64, "{phases:?}");
    assert!(first_byte_us + phases.receive_us >= 2 * PAUSE.as_micros() as u64, "{phases:?}");
    let opened_us = phases.dns_us + phases.connect_us + phases.tls_us;
    assert!(opened_us + first_byte_us + phases.receive_us <= phases.total_us, "{phases:?}");
}

#[test]
fn a_request_without_an_answer_is_told_as_far_as_it_came() {
    let (refused, dropping) = (closed_port(), answering(Ipv4Addr::LOCALHOST, |_| Vec::new()).0);
    let told = exchanges(&format!(
        "- {{name: a, request: {{method: GET, url: \"http://{refused}/\"}}}}\n\
         - {{name: b, request: {{method: GET, url: \"http://{dropping}/\"}}}}\n",
    ));
    let (first, second) = (told[0].as_ref().unwrap(), told[1].as_ref().unwrap());
    assert_eq!((&first.url, first.address.clone()), (&format!("http://{refused}/"), None));
    assert_eq!((first.phases.send_us, first.phases.wait_us, first.phases.receive_us), (0, 0, 0));
    assert_eq!(second.address, Some(Address::Inet(dropping)));
    assert!(first.response.is_none() && second.response.is_none());
}
