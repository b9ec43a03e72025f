//! Requests and checks that change from one execution to the next.

use pummel_case::{load_text, Case, LoadOptions, RenderedRequest, ResponseView, Session, Step, StepErrorKind};

fn case(text: &str) -> Case {
    let mut loaded = load_text("case.yml", text, &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings[0]);
    loaded.cases.remove(0)
}

/// A case whose first step extracts `body.v` as `v` and whose second is given.
fn two_steps(second: &str) -> Case {
    case(&format!(
        "config: {{base_url: \"http://h/api\", variables: {{c: config}}}}\nteststeps:\n- request: {{method: GET, url: /first}}\n  extract: {{v: body.v}}\n- {second}\n"
    ))
}

/// Answers the first step with `v` and renders the second.
fn second(case: &Case, session: &mut Session, v: &str) -> Result<RenderedRequest, String> {
    session.begin(case);
    let [Step::Request(first), Step::Request(second)] = &case.steps[..] else { panic!("two requests") };
    answer(first, session, &format!("{{\"v\":{v}}}")).unwrap();
    let mut out = RenderedRequest::default();
    second
        .render(session, &mut out, &mut pummel_case::Progress::default())
        .map(drop)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

fn answer(step: &pummel_case::RequestStep, session: &mut Session, body: &str) -> Result<(), pummel_case::StepError> {
    let fields: &[(&str, &[u8])] = &[];
    let mut body = body.as_bytes().to_vec();
    let mut view = ResponseView { status: 200, version: "HTTP/1.1", headers: &fields, body: &mut body };
    step.check(session, &mut view, &mut pummel_case::Progress::default(), None).map(drop)
}

fn text(request: &RenderedRequest) -> &str {
    std::str::from_utf8(request.body().unwrap()).unwrap()
}

#[test]
fn every_part_takes_variables_and_forgets_the_last_ones() {
    let case = two_steps(
        "{name: two, variables: {w: \"<$v>\"}, request: {method: post, url: \"/u/$v?z=1\", params: {b: $w, a: [$v, x]}, headers: {X-V: \"v $v\", x-c: $c}, cookies: {k: $v}, json: {n: $v, t: \"t-$v\", w: $w, l: [1, $v]}}}",
    );
    let mut session = Session::new();
    let request = second(&case, &mut session, "7").unwrap();
    assert_eq!(request.target(), "/api/u/7?z=1&a=7&a=x&b=%3C7%3E");
    assert_eq!(
        request.headers().collect::<Vec<_>>(),
        [("Content-Type", "application/json; charset=utf-8"), ("Cookie", "k=7"), ("X-C", "config"), ("X-V", "v 7")]
    );
    assert_eq!(text(&request), r#"{"l":[1,7],"n":7,"t":"t-7","w":"\u003c7\u003e"}"#);
    let request = second(&case, &mut session, "\"a b\"").unwrap();
    assert_eq!(request.target(), "/api/u/a%20b?z=1&a=a+b&a=x&b=%3Ca+b%3E");
    assert_eq!(text(&request), r#"{"l":[1,"a b"],"n":"a b","t":"t-a b","w":"\u003ca b\u003e"}"#);
    assert_eq!(case.origins().iter().map(ToString::to_string).collect::<Vec<_>>(), ["http://h:80"]);
}

#[test]
fn data_is_never_scanned_again_and_cannot_break_out() {
    let case = two_steps("{name: two, request: {method: GET, url: /x, params: {v: $v}, headers: {X-V: $v}}}");
    let mut session = Session::new();
    let request = second(&case, &mut session, "\"a$c ${c}\"").unwrap();
    assert_eq!(request.target(), "/api/x?v=a%24c+%24%7Bc%7D");
    assert_eq!(
        second(&case, &mut session, r#""a\r\nX-Evil: 1""#).unwrap_err(),
        "request headers: a value holds a control character"
    );
    let case = two_steps("{name: two, request: {method: GET, url: \"/$v\"}}");
    assert_eq!(
        second(&case, &mut session, r#""a\r\nb""#).unwrap_err(),
        "request url: the URL holds a control character"
    );
}

#[test]
fn a_body_that_is_one_variable_has_its_kind() {
    let json = [("Content-Type", "application/json; charset=utf-8")];
    let case = two_steps("{name: two, request: {method: POST, url: /x, body: $v}}");
    let mut session = Session::new();
    let request = second(&case, &mut session, r#"{"b":1.0,"a":"&"}"#).unwrap();
    assert_eq!(text(&request), r#"{"a":"\u0026","b":1}"#);
    assert_eq!(request.headers().collect::<Vec<_>>(), json);
    let request = second(&case, &mut session, "\"plain\"").unwrap();
    assert_eq!((text(&request), request.headers().count()), ("plain", 0));
    assert_eq!(second(&case, &mut session, "5").unwrap_err(), "request body: unexpected request body type");
    let form = "{name: two, request: {method: POST, url: /x, headers: {Content-Type: application/x-www-form-urlencoded}, data: {b: $v, a: 1.50, t: true}}}";
    let request = second(&two_steps(form), &mut session, "\"x y\"").unwrap();
    assert_eq!(text(&request), "a=1.5&b=x+y&t=true");
}

#[test]
fn names_known_only_at_run_time_are_sorted_in() {
    let case = two_steps(
        "{name: two, request: {method: POST, url: /x, params: {m: 1, \"$v\": 2}, headers: {X-M: cfg, \"x-$v\": step}, json: {m: 1, \"$v\": 2}}}",
    );
    let mut session = Session::new();
    let request = second(&case, &mut session, "\"a\"").unwrap();
    assert_eq!(request.target(), "/api/x?a=2&m=1");
    assert_eq!(text(&request), r#"{"a":2,"m":1}"#);
    assert_eq!(request.headers().map(|(name, _)| name).collect::<Vec<_>>(), ["Content-Type", "X-A", "X-M"]);
    let request = second(&case, &mut session, "\"m\"").unwrap();
    assert_eq!(request.headers().nth(1), Some(("X-M", "step")));
}

#[test]
fn a_host_in_a_variable_is_found_when_it_is_known() {
    let case = two_steps("{name: two, request: {method: GET, url: \"http://$v/p\"}}");
    assert_eq!(case.origins().len(), 1);
    let mut session = Session::new();
    assert_eq!(second(&case, &mut session, "\"Other:81\"").unwrap().origin().to_string(), "http://other:81");
    assert!(second(&case, &mut session, "\"a b\"").is_err());
    let case = two_steps("{name: two, request: {method: GET, url: \"$v\"}}");
    assert_eq!(second(&case, &mut session, "\"https://h/\"").unwrap().origin().to_string(), "https://h:443");
}

#[test]
fn variables_of_a_step_stand_above_all_others_until_it_extracts() {
    let case = case(
        "config: {base_url: \"http://h\", variables: {a: config, b: config}}\nteststeps:\n- variables: {a: step, c: \"$b-$a\", b: $b}\n  request: {method: GET, url: \"/$a/$c\"}\n  extract: {a: body.a}\n  validate: [{eq: [$a, new]}, {eq: [$c, config-step]}]\n- request: {method: GET, url: \"/$a\"}\n  validate: [{eq: [\"body.$a\", 1]}]\n",
    );
    let mut session = Session::new();
    session.begin(&case);
    let [Step::Request(first), Step::Request(second)] = &case.steps[..] else { panic!("two requests") };
    assert_eq!(first.constant().unwrap().target(), "/step/config-step");
    answer(first, &mut session, r#"{"a":"new"}"#).unwrap();
    let mut out = RenderedRequest::default();
    second.render(&mut session, &mut out, &mut pummel_case::Progress::default()).map(drop).unwrap();
    assert_eq!(out.target(), "/new");
    answer(second, &mut session, r#"{"new":1}"#).unwrap();
    let error = answer(second, &mut session, r#"{"new":2}"#).unwrap_err();
    assert_eq!((error.kind, error.exit_code), (StepErrorKind::Assertion, 1));
    assert_eq!(&*error.message, "step validation failed: body.$a eq 1");
    // Until the first step has extracted it, the config's value holds.
    session.begin(&case);
    second.render(&mut session, &mut out, &mut pummel_case::Progress::default()).map(drop).unwrap();
    assert_eq!(out.target(), "/config");
}

#[test]
fn what_a_response_said_is_never_taken_for_an_expression() {
    let case = two_steps(
        "{name: two, request: {method: GET, url: /x}, validate: [{eq: [$v, body.a]}, {eq: [\"is $v\", is body.a]}, {eq: [\"body.$v\", 5]}]}",
    );
    let mut session = Session::new();
    second(&case, &mut session, "\"body.a\"").unwrap();
    let Step::Request(step) = &case.steps[1] else { panic!("a request") };
    answer(step, &mut session, r#"{"a":1,"body":{"a":5}}"#).unwrap();
}

#[test]
fn step_variables_that_multiply_each_other_fail_the_step() {
    let doubled = (1..60).map(|n| format!("v{n}: \"$v{}$v{}\"", n - 1, n - 1));
    let variables: Vec<String> = std::iter::once("v0: \"$v$v\"".to_owned()).chain(doubled).collect();
    let variables = variables.join(", ");
    let case = two_steps(&format!("{{name: two, variables: {{{variables}}}, request: {{method: GET, url: /x}}}}"));
    let error = second(&case, &mut Session::new(), "\"xxxx\"").unwrap_err();
    assert_eq!(error, "step variables: a value is larger than 16 MiB or nests too deep");
}

#[test]
fn a_failed_check_shows_what_the_case_says_and_no_escapes() {
    let case = two_steps("{request: {method: GET, url: /x}, validate: [{eq: [body.v, '<a href=\"/?x=1&y=2\">']}]}");
    let mut session = Session::new();
    session.begin(&case);
    second(&case, &mut session, "1").unwrap();
    let Step::Request(step) = &case.steps[1] else { panic!("a request") };
    let error = answer(step, &mut session, "{}").unwrap_err();
    assert_eq!(&*error.message, r#"step validation failed: body.v eq "<a href=\"/?x=1&y=2\">""#);
}

#[test]
fn a_variable_that_was_not_extracted_fails_the_step() {
    let case = two_steps("{name: two, request: {method: GET, url: \"/$v\"}}");
    let mut session = Session::new();
    session.begin(&case);
    let Step::Request(second) = &case.steps[1] else { panic!("a request") };
    let error = second
        .render(&mut session, &mut RenderedRequest::default(), &mut pummel_case::Progress::default())
        .unwrap_err();
    assert_eq!((error.kind, error.exit_code), (StepErrorKind::Variable, 21));
    // An extraction that finds nothing sets null, whose text is hrp's.
    let mut session = Session::new();
    assert_eq!(self::second(&case, &mut session, "null").unwrap().target(), "/api/%3Cnil%3E");
}

#[test]
fn anchors_share_parts_of_a_case() {
    let case = case(
        "config: {base_url: \"http://h\"}\nteststeps:\n- request: &common {method: GET, headers: {X-A: a}, url: /1}\n- request: {<<: *common, method: PUT, url: /2}\n",
    );
    let methods: Vec<_> = case
        .steps
        .iter()
        .map(|step| match step {
            Step::Request(step) => {
                (step.method.to_string(), step.constant().unwrap().target().to_owned(), step.name.to_string())
            }
            _ => panic!("a request"),
        })
        .collect();
    assert_eq!(methods, [("GET".into(), "/1".into(), "GET /1".into()), ("PUT".into(), "/2".into(), "PUT /2".into())]);
}
