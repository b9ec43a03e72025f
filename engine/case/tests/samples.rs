//! The sample cases do what hrp's documented behaviour, or the engine's better one, asks for. `plain/` holds samples as far as they
//! need no server that redirects or keeps cookies, some with more checks.

mod support;

use std::time::Duration;

use pummel_case::{LoadOptions, Step, TransactionEdge};
use support::{case, case_with, failures, run};

#[test]
fn cases_whose_every_step_passes() {
    for name in [
        "01_minimal.yml",
        "02_minimal.json",
        "03_validators_pass.yml",
        "plain/05_expressions.yml",
        "plain/08_extract.yml",
        "10_upload.yml",
        "plain/11_headers_cookies.yml",
        "plain/12_urls.yml",
        "29_dollar_data.yml",
    ] {
        assert_eq!(failures(&case(name)), [], "{name}");
    }
}

#[test]
fn assertions_that_differ_from_hrp() {
    let failed: Vec<_> = failures(&case("plain/04_validators_differ.yml")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(failed, ["float expectation on int", "string is not number"]);
}

#[test]
fn variables_of_the_environment_stand_above_those_of_the_config() {
    // The project's own `.env` does the same.
    assert_eq!(failures(&case("plain/07_precedence.yml")), []);
    let pairs = pummel_case::parse_env_file("# comment\nENV_ONLY=from_env\nBOTH = env_wins\n").unwrap();
    let case = case_with("plain/07_precedence.yml", &LoadOptions { variables: pairs, ..LoadOptions::default() });
    assert_eq!(failures(&case), []);
}

#[test]
fn bodies_are_byte_for_byte_those_of_hrp() {
    let results = run(&case("09_bodies.yml"));
    let failed: Vec<_> = results.into_iter().filter_map(|(name, error)| Some((name, error?))).collect();
    assert_eq!(
        failed,
        [("scalar body is an error".to_owned(), "request body: unexpected request body type".to_owned())]
    );
}

#[test]
fn names_types_and_values_of_the_smallest_case() {
    let case = case("01_minimal.yml");
    assert_eq!(&*case.name, "minimal");
    let [Step::Request(step)] = &case.steps[..] else { panic!("one request") };
    assert_eq!((&*step.name, &*step.label, &*step.method), ("get", "request-GET", "GET"));
    let request = step.constant().expect("a constant request");
    assert_eq!(request.target(), "/get?a=1");
    assert_eq!(request.origin().authority(), "127.0.0.1:18999");
    assert!(!step.needs.head && !step.needs.body && !step.checks_nothing());
}

#[test]
fn base_url_can_be_given_from_outside() {
    let options = LoadOptions { base_url: Some("http://other:81/v2".into()), ..LoadOptions::default() };
    let case = case_with("01_minimal.yml", &options);
    assert_eq!(case.origins().iter().map(ToString::to_string).collect::<Vec<_>>(), ["http://other:81"]);
    let Step::Request(step) = &case.steps[0] else { panic!("a request") };
    assert_eq!(step.constant().unwrap().target(), "/v2/get?a=1");
}

#[test]
fn an_empty_base_url_from_outside_hides_none() {
    let options = LoadOptions { variables: vec![("base_url".into(), String::new())], ..LoadOptions::default() };
    let origins: Vec<_> = case_with("01_minimal.yml", &options).origins().iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["http://127.0.0.1:18999"]);
}

#[test]
fn transactions_are_numbered_by_name() {
    let case = case("16_transactions.yml");
    let marks: Vec<_> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Transaction(mark) => Some((&*mark.name, mark.index, mark.edge)),
            _ => None,
        })
        .collect();
    assert_eq!(
        marks,
        [("t1", 0, TransactionEdge::Start), ("t1", 0, TransactionEdge::End), ("t2", 1, TransactionEdge::Start)]
    );
    assert_eq!(case.transaction_names().iter().map(|n| &**n).collect::<Vec<_>>(), ["t1", "t2"]);
    assert_eq!(failures(&case), [("bad".into(), "step validation failed: status_code eq 200".into())]);
}

#[test]
fn think_times_follow_the_strategy() {
    let mut rng = fastrand::Rng::with_seed(7);
    let pauses: Vec<_> = case("18_think_time.yml")
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::ThinkTime(think) => Some(think.time.pick(&mut rng)),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [Duration::from_millis(200), Duration::from_millis(300)]);
}
