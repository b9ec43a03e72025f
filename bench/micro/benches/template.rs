//! What a test case costs per request besides the network: rendering a request with variables, and checking its response.

use divan::{black_box, Bencher};
use pummel_case::{
    load_text, Case, Headers, LoadOptions, Progress, RenderedRequest, RequestStep, ResponseView, Session, Step,
};

/// Two extracts, four asserts, variables in url, headers and body: the case of the fourth performance goal.
const CASE: &str = r#"
config: {name: bench, base_url: "http://127.0.0.1:8080/api", variables: {tenant: acme}}
teststeps:
- request: {method: GET, url: /login}
  extract: {token: body.token, user: body.user.id}
- request:
    method: POST
    url: /users/$user/orders?tenant=$tenant
    headers: {Authorization: "Bearer $token", Accept: application/json}
    json: {user: $user, note: "order of $user", items: [{sku: a-1, count: 2}, {sku: b-2, count: 1}], token: $token}
  extract: {token: body.token, user: body.user.id}
  validate:
  - eq: [status_code, 200]
  - eq: [body.user.id, $user]
  - contains: [body.token, tok]
  - len_gt: [body.user.name, 2]
- request: {method: GET, url: /status}
  validate:
  - eq: [status_code, 200]
"#;

const SMALL: &str = r#"{"token":"tok-0123456789abcdef","user":{"id":4711,"name":"someone","n":1},"x":0}"#;

fn main() {
    divan::main();
}

fn case() -> Case {
    load_text("bench.yml", CASE, &LoadOptions::default()).expect("the bench case loads").cases.remove(0)
}

fn step(case: &Case, index: usize) -> &RequestStep {
    match &case.steps[index] {
        Step::Request(step) => step,
        _ => unreachable!("the bench case has only requests"),
    }
}

/// The small body with a list of records behind it, 15 KB in all.
fn large_body() -> String {
    let record = r#"{"id":123456,"name":"a record of some length","price":12.75,"tags":["a","b","c"],"active":true}"#;
    format!("{},\"records\":[{}]}}", SMALL.trim_end_matches('}'), vec![record; 155].join(","))
}

fn check(case: &Case, index: usize, session: &mut Session, body: &mut Vec<u8>) {
    let fields: &[(&str, &[u8])] = &[("Content-Type", b"application/json")];
    let headers: &dyn Headers = &fields;
    let mut view = ResponseView { status: 200, version: "HTTP/1.1", headers, body };
    step(case, index).check(session, &mut view, &mut Progress::default(), None).map(drop).expect("the checks hold");
}

/// A user that has logged in.
fn session(case: &Case) -> Session {
    let mut session = Session::new();
    session.begin(case);
    check(case, 0, &mut session, &mut SMALL.as_bytes().to_vec());
    session
}

#[divan::bench]
fn render_request_with_variables(bencher: Bencher) {
    let case = case();
    let mut session = session(&case);
    let mut out = RenderedRequest::default();
    bencher.bench_local(|| {
        step(&case, 1).render(&mut session, &mut out, &mut Progress::default()).map(drop).expect("it renders");
        black_box(out.target().len())
    });
}

#[divan::bench(args = [78, 15_000])]
fn check_two_extracts_four_asserts(bencher: Bencher, about_bytes: usize) {
    let case = case();
    let mut session = session(&case);
    let mut body = if about_bytes > 100 { large_body() } else { SMALL.to_owned() }.into_bytes();
    bencher.bench_local(|| check(&case, 1, &mut session, &mut body));
}

#[divan::bench]
fn check_status_only(bencher: Bencher) {
    let case = case();
    let mut session = session(&case);
    let mut body = Vec::new();
    bencher.bench_local(|| check(&case, 2, &mut session, &mut body));
}
