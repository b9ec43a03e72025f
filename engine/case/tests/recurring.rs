//! Config variables of an iteration's own (`variables_scope: iteration`).

use pummel_case::{load_text, Case, LoadOptions, Prepared, Progress, RenderedRequest, Session, Step};

fn case(scope: &str) -> Case {
    let text = format!(
        "config:\n  base_url: http://h\n  {scope}\n  variables: {{id: \"${{gen_random_string(20)}}\", path: \"/$id\", fixed: F}}\n\
         teststeps:\n- request: {{method: GET, url: \"$path/$fixed\"}}\n- request: {{method: GET, url: $path}}\n",
    );
    load_text("case.yml", &text, &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}")).cases.remove(0)
}

/// The targets of one iteration.
fn targets(case: &Case, session: &mut Session) -> Vec<String> {
    session.begin(case);
    let mut targets = Vec::new();
    for step in &case.steps {
        match step {
            Step::Evaluate(step) => {
                assert_eq!(step.evaluate(session, &mut Progress::default()), Ok(Prepared::Done));
            }
            Step::Request(step) => {
                let mut request = RenderedRequest::default();
                assert_eq!(step.render(session, &mut request, &mut Progress::default()), Ok(Prepared::Done));
                targets.push(request.target().to_owned());
            }
            _ => unreachable!("the case has nothing else"),
        }
    }
    targets
}

#[test]
fn they_are_evaluated_once_for_all_unless_asked_for_otherwise() {
    for scope in ["", "variables_scope: run"] {
        let case = case(scope);
        let (mut one, mut other) = (Session::new(), Session::new());
        assert_eq!(targets(&case, &mut one), targets(&case, &mut other));
    }
}

#[test]
fn in_an_iteration_they_are_the_same_and_in_the_next_they_are_not() {
    let case = case("variables_scope: iteration");
    let mut session = Session::new();
    let first = targets(&case, &mut session);
    let id = &first[1];
    assert_eq!((id.len(), &first[0]), (21, &format!("{id}/F")));
    let second = targets(&case, &mut session);
    assert_eq!(second[0], format!("{}/F", second[1]));
    assert_ne!(first, second);
    // A name that is no value of the session is not exported and not reported as one.
    assert_eq!(case.config_variables().keys().collect::<Vec<_>>(), ["base_url", "fixed"]);
}

#[test]
fn any_other_scope_is_an_error() {
    let text = "config: {variables_scope: user}\nteststeps:\n- request: {method: GET, url: \"http://h/\"}\n";
    let error = load_text("case.yml", text, &LoadOptions::default()).unwrap_err();
    assert_eq!(error.diagnostics()[0].to_string(), "case.yml:1:27: unknown variables_scope \"user\"");
}
