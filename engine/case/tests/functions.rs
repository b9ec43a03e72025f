//! Calls in expressions: what each function gives, what it takes, when and how often it is called (hrp spec 6, 8, 11.10).

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pummel_case::{
    Case, Journal, LoadOptions, Prepared, Progress, RenderedRequest, RequestStep, ResponseView, Session, Step,
    StepErrorKind, Wait,
};
use support::{load_yaml, messages};

/// A case whose first step extracts what the response `BODY` holds and whose second is given.
fn two_steps(second: &str) -> Case {
    load_yaml(&format!(
        "config: {{base_url: \"http://h\", variables: {{a: 1, b: BB, c: 1.5, csv: \"x, y,,z\"}}}}\nteststeps:\n- request: {{method: GET, url: /}}\n  extract: {{n: body.n, f: body.f, t: body.t, l: body.l, nul: body.nul, yes: body.yes}}\n- {second}\n"
    ))
}

const BODY: &str = r#"{"n":7,"f":2.9,"t":"text","l":[1],"nul":null,"yes":true}"#;

fn answer(
    step: &RequestStep,
    session: &mut Session,
    progress: &mut Progress,
    journal: Option<&mut Journal>,
) -> Result<Prepared, pummel_case::StepError> {
    let fields: &[(&str, &[u8])] = &[("content-type", b"application/json"), ("Set-Cookie", b"sid=42; Path=/")];
    let mut body = BODY.as_bytes().to_vec();
    let mut view = ResponseView { status: 200, version: "HTTP/1.1", headers: &fields, body: &mut body };
    step.check(session, &mut view, progress, journal)
}

fn second(case: &Case) -> &RequestStep {
    let Some(Step::Request(step)) = case.steps.get(1) else { panic!("a request") };
    step
}

/// A session behind the first step.
fn begun(case: &Case) -> Session {
    let mut session = Session::new();
    session.begin(case);
    let Step::Request(first) = &case.steps[0] else { panic!("a request") };
    assert_eq!(answer(first, &mut session, &mut Progress::default(), None), Ok(Prepared::Done));
    session
}

/// The body the second step sends for an expression, as JSON; of an error its text and exit code.
fn evaluate(expression: &str) -> Result<String, (String, u8)> {
    let quoted = serde_json::to_string(expression).unwrap();
    let case = two_steps(&format!("{{variables: {{v: {quoted}}}, request: {{method: POST, url: /x, json: [$v]}}}}"));
    let mut request = RenderedRequest::default();
    match second(&case).render(&mut begun(&case), &mut request, &mut Progress::default()) {
        Ok(Prepared::Done) => {
            let body = String::from_utf8(request.body().unwrap().to_vec()).unwrap();
            Ok(body[1..body.len() - 1].to_owned())
        }
        Ok(Prepared::Wait(wait)) => panic!("{wait:?}"),
        Err(error) => {
            assert_eq!(error.kind, StepErrorKind::Function);
            Err((error.message.to_string(), error.exit_code))
        }
    }
}

#[test]
fn every_row_of_the_expression_table() {
    for (text, want) in [
        ("$$a", "\"$a\""),
        ("$${a}", "\"${a}\""),
        ("x$$", "\"x$\""),
        ("ABC$$$b{", "\"ABC$BB{\""),
        ("${b}$b", "\"BBBB\""),
        ("v=$a", "\"v=1\""),
        ("$a$", "\"1$\""),
        ("${max(1, 0)} $a", "\"1 1\""),
        ("$a ${max(1, 0)}", "\"1 1\""),
        ("price: $100, name $b", "\"price: $100, name BB\""),
        ("${max(1, 0)}${max(2, 0)}", "\"12\""),
        ("${max( 1 , )}", "1"),
        // A whole call or variable keeps its type, and surrounding space does not count.
        (" ${max($n, $c)} ", "7"),
        ("$c", "1.5"),
        // What looks like a call and is none.
        ("${mine(\\\"1\\\", 2)}", "\"${mine(\\\\\\\"1\\\\\\\", 2)}\""),
    ] {
        let text = text.replace("\\\"", "\"");
        let want = want.replace("\\\\\\\"", "\\\"");
        assert_eq!(evaluate(&text).as_deref(), Ok(want.as_str()), "{text}");
    }
    let (found, code) = messages("teststeps: [{request: {method: GET, url: \"http://h/api/$MISSING\"}}]");
    assert_eq!((code, found.len()), (21, 1));
    assert!(found[0].contains("variable MISSING not found"), "{found:?}");
}

#[test]
fn functions_that_give_the_same_each_time() {
    for (call, want) in [
        ("${max(1, 2.5)}", "2.5"),
        ("${max($f, -3)}", "2.9"),
        ("${md5(abc)}", "\"900150983cd24fb0d6963f7d28e17f72\""),
        ("${md5(123)}", "\"202cb962ac59075b964b07152d234b70\""), // Decimal text, not the character 123.
        ("${md5($n)}", "\"8f14e45fceea167a5a36dedd4bea2543\""),
        ("${md5($nul)}", "\"d41d8cd98f00b204e9800998ecf8427e\""),
        ("${md5($t.$n)}", "\"a51d0656ac0ede4bdb5cafefcb36d070\""),
        ("${split_by_comma($csv)}", "[\"x\",\" y\",\"\",\"z\"]"),
        ("${split_by_comma($t)}", "[\"text\"]"),
        ("${environ(PUMMEL_NO_SUCH_VARIABLE)}", "\"\""),
        ("${random_int(1)}", "0"),
        ("${random_range(2, 2)}", "2"),
        ("${gen_random_string(0)}", "\"\""),
        ("${gen_random_string($nul)}", "\"\""),
        ("${sleep(0)}", "null"),
        ("${sleep(-5)}", "null"),
    ] {
        assert_eq!(evaluate(call).as_deref(), Ok(want), "{call}");
    }
    let path = evaluate("${ENV(PATH)}").unwrap();
    assert_eq!(path, serde_json::to_string(&std::env::var("PATH").unwrap()).unwrap());
}

#[test]
fn functions_that_give_something_else_each_time() {
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let before = now_ms();
    let stamp: u128 = evaluate("${get_timestamp()}").unwrap().parse().unwrap();
    assert!((before..=now_ms()).contains(&stamp));
    for call in ["${gen_random_string(40)}", "${gen_random_string(40.9)}"] {
        let text = evaluate(call).unwrap();
        assert_eq!(text.len(), 42);
        assert!(text.trim_matches('"').bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
        assert_ne!(evaluate(call).unwrap(), text);
    }
    for _ in 0..20 {
        assert!(evaluate("${random_int($n)}").unwrap().parse::<u8>().unwrap() < 7);
        let n: f64 = evaluate("${random_range(-1, $c)}").unwrap().parse().unwrap();
        assert!((-1.0..1.5).contains(&n));
    }
}

#[test]
fn arguments_are_converted_or_refused() {
    for (call, want, code) in [
        ("${gen_random_string($t)}", "gen_random_string failed: argument 1 must be a whole number, not text", 22),
        ("${max(1, $l)}", "max failed: argument 2 must be a number, not a list", 22),
        ("${max($t, 1)}", "max failed: argument 1 must be a number, not text", 22),
        ("${md5($f)}", "md5 failed: argument 1 must be text, not a number", 22),
        ("${md5($yes)}", "md5 failed: argument 1 must be text, not a boolean", 22),
        ("${random_int($nul)}", "random_int failed: the number must be from 1 to 9223372036854775807", 23),
        ("${P($t)}", "parameterize failed: the CSV file does not exist: not in the working directory, the project's root, the case's folder", 14),
        ("${load_ws_message($t)}", "load_ws_message failed: the file does not exist", 23),
    ] {
        let want = format!("call function {want}");
        assert_eq!(evaluate(call), Err((want, code)), "{call}");
    }
}

#[test]
fn calls_that_always_fail_are_found_at_load() {
    for (call, want, code) in [
        ("${nope(1)}", "function nope is not found", 23),
        ("${md5()}", "call function md5 failed: it takes 1 argument, not 0", 22),
        ("${get_timestamp(1)}", "call function get_timestamp failed: it takes 0 arguments, not 1", 22),
        ("${max(1,2,3)}", "call function max failed: it takes 2 arguments, not 3", 22),
        ("${md5(1.5)}", "call function md5 failed: argument 1 must be text, not a number", 22),
        ("${random_int(0)}", "call function random_int failed: the number must be from 1 to 9223372036854775807", 23),
        (
            "${gen_random_string(999999999)}",
            "call function gen_random_string failed: the length must be from 0 to 1048576",
            23,
        ),
        ("${gen_random_string(-1)}", "call function gen_random_string failed: the length must be from 0 to 1048576", 23),
        ("${sleep(86401)}", "call function sleep failed: it sleeps for 86400 seconds at most", 23),
        ("${P(a.csv)}", "call function P failed: the CSV file does not exist: not in the working directory, the project's root, the case's folder (a.csv)", 14),
    ] {
        let step = format!("teststeps: [{{request: {{method: GET, url: \"http://h/\", params: {{p: \"{call}\"}}}}}}]");
        assert_eq!(messages(&step), (vec![want.to_owned()], code), "{call}");
        let config = format!("config: {{variables: {{v: \"{call}\"}}}}\nteststeps: [{{request: {{method: GET, url: \"http://h/\"}}}}]");
        assert_eq!(messages(&config), (vec![want.to_owned()], code), "{call}");
    }
}

#[test]
fn variables_of_the_config_are_evaluated_once() {
    let case = load_yaml(
        "config: {base_url: \"http://h\", name: \"${md5($v)}\", variables: {v: \"${gen_random_string(20)}\", w: \"${md5($v)}\", z: \"${sleep(86400)}\"}}\nteststeps:\n- request: {method: GET, url: \"/$v/$w/$z\"}\n",
    );
    let Step::Request(step) = &case.steps[0] else { panic!("a request") };
    let target = step.constant().expect("nothing is left to do").target();
    let parts: Vec<&str> = target.split('/').collect();
    assert_eq!((parts[1].len(), parts[2].len(), parts[3]), (20, 32, "%3Cnil%3E"));
    assert_eq!(*case.name, *parts[2]);
}

#[test]
fn calls_cannot_fill_the_memory() {
    // 10,001 parts of 32 bytes or more, 200 times: more than 60 MB.
    let commas = ",".repeat(10_000);
    let lists: Vec<String> = (0..200).map(|n| format!("v{n}: \"${{split_by_comma($csv)}}\"")).collect();
    let lists = lists.join(", ");
    let config =
        format!("config: {{variables: {{csv: \"{commas}\", {lists}}}}}\nteststeps: [{{think_time: {{time: 1}}}}]");
    let texts = vec!["\"${gen_random_string(1000000)}\""; 40].join(", ");
    let step = format!("teststeps: [{{request: {{method: POST, url: \"http://h/\", json: [{texts}]}}}}]");
    for text in [config, step] {
        let (found, code) = messages(&text);
        assert!(code == 24 && found[0].contains("grow too large"), "{found:?}");
    }
}

#[test]
fn a_call_is_made_once_an_execution_and_what_is_known_never() {
    let case = two_steps(
        "{variables: {r: \"${gen_random_string(12)}\", again: \"$r$r\"}, request: {method: GET, url: \"/$r/$again/${max(1, 2)}\", headers: {X-R: $r}}, validate: [{eq: [$r, $r]}]}",
    );
    let mut session = begun(&case);
    let mut request = RenderedRequest::default();
    let mut targets = Vec::new();
    for _ in 0..2 {
        assert_eq!(second(&case).render(&mut session, &mut request, &mut Progress::default()), Ok(Prepared::Done));
        let random = request.headers().next().unwrap().1;
        assert_eq!(request.target(), format!("/{random}/{random}{random}/2"));
        targets.push(request.target().to_owned());
    }
    assert_ne!(targets[0], targets[1]);
    let case = two_steps("{request: {method: GET, url: \"/${md5(a)}/${max(1, 2)}\"}}");
    assert!(second(&case).constant().is_some());
}

#[test]
fn a_sleep_is_the_engines_to_wait_for_and_the_rest_goes_on_behind_it() {
    let case = two_steps(
        "{variables: {v: \"${sleep(2)}\", r: \"${gen_random_string(4)}\"}, request: {method: GET, url: \"/$r$v\"}, setup_hooks: [no call, \"${sleep(1)}\", \"${sleep($n)}\"], teardown_hooks: [\"${sleep(3)}\"], validate: [{eq: [body.n, 7]}, {eq: [\"${sleep(4)}\", null]}, {eq: [body.n, 8]}, {eq: [\"${sleep(5)}\", null]}]}",
    );
    let step = second(&case);
    let sleep = |seconds| Ok(Prepared::Wait(Wait::Sleep(Duration::from_secs(seconds))));
    let (mut session, mut request, mut progress) = (begun(&case), RenderedRequest::default(), Progress::default());
    assert_eq!(step.render(&mut session, &mut request, &mut progress), sleep(2));
    assert_eq!(step.render(&mut session, &mut request, &mut progress), sleep(1));
    let target = request.target().to_owned();
    assert_eq!(step.render(&mut session, &mut request, &mut progress), sleep(7));
    assert_eq!(step.render(&mut session, &mut request, &mut progress), Ok(Prepared::Done));
    assert_eq!((request.target(), target.len()), (target.as_str(), 1 + 4 + "%3Cnil%3E".len()));

    let (mut progress, mut journal) = (Progress::default(), Journal::default());
    assert_eq!(answer(step, &mut session, &mut progress, Some(&mut journal)), sleep(3));
    assert_eq!(answer(step, &mut session, &mut progress, Some(&mut journal)), sleep(4));
    let error = answer(step, &mut session, &mut progress, Some(&mut journal)).unwrap_err();
    assert_eq!(&*error.message, "step validation failed: body.n eq 8");
    // The call behind the validator that failed is not made.
    let seen: Vec<_> = journal.validators.iter().map(|one| (&*one.check, one.passed)).collect();
    assert_eq!(seen, [("body.n", true), ("${sleep(4)}", true), ("body.n", false)]);
}

#[test]
fn hooks_see_the_request_and_the_response() {
    let hooks = |setup: &str, teardown: &str, validate: &str| {
        two_steps(&format!(
            "{{name: two, request: {{method: post, url: /x, params: {{q: $n}}, headers: {{X-A: a}}, cookies: {{k: v}}, json: {{n: $n}}}}, setup_hooks: {setup}, teardown_hooks: {teardown}, validate: {validate}}}"
        ))
    };
    let run = |case: &Case| {
        let mut session = begun(case);
        let mut journal = Journal::default();
        let step = second(case);
        assert!(step.has_setup());
        step.render(&mut session, &mut RenderedRequest::default(), &mut Progress::default()).map(drop).unwrap();
        let checked = answer(step, &mut session, &mut Progress::default(), Some(&mut journal)).map(drop);
        (journal, checked)
    };
    // Neither is made before its time: at the request there is no response, in the body no request.
    let (found, code) = messages("teststeps: [{request: {method: GET, url: \"http://h\", body: $request}}]");
    assert!(code == 21 && found[0].contains("variable request not found"), "{found:?}");
    let setup = "teststeps: [{request: {method: GET, url: \"http://h\"}, setup_hooks: [\"${md5($response)}\"]}]";
    assert!(messages(setup).0[0].contains("variable response not found"));

    let case = hooks("[\"${md5($hrp_step_name)}\"]", "[]", "[{eq: [$request, {}, what]}]");
    let (journal, checked) = run(&case);
    assert!(checked.is_err());
    assert_eq!(
        journal.validators[0].actual,
        serde_json::json!({
            "method": "POST", "url": "http://h/x?q=7", "body": {"n": 7}, "cookies": {"k": "v"},
            "headers": {"Content-Type": "application/json; charset=utf-8", "Cookie": "k=v", "X-A": "a"},
        })
    );
    let written = &journal.validators[0];
    assert_eq!((&*written.assertion, &*written.message, &written.expect), ("eq", "what", &serde_json::json!({})));

    let case = hooks(
        "[\"${md5($n)}\"]",
        "[\"${md5($hrp_step_name)}\"]",
        "[{eq: [$hrp_step_name, two]}, {eq: [$response, 1]}]",
    );
    let (journal, _) = run(&case);
    let body: serde_json::Value = serde_json::from_str(BODY).unwrap();
    assert_eq!(
        journal.validators[1].actual,
        serde_json::json!({
            "proto": "HTTP/1.1", "status_code": 200, "headers": {"Content-Type": "application/json", "Set-Cookie": "sid=42; Path=/"},
            "cookies": {"sid": "42"}, "body": body,
        })
    );

    // A failing hook fails the step and says which kind it was.
    let case = hooks("[\"${md5($request)}\"]", "[\"${md5($response)}\"]", "[]");
    let mut session = begun(&case);
    let error =
        second(&case).render(&mut session, &mut RenderedRequest::default(), &mut Progress::default()).unwrap_err();
    assert_eq!(&*error.message, "run setup hooks failed: call function md5 failed: argument 1 must be text, not a map");
    let error = answer(second(&case), &mut session, &mut Progress::default(), None).unwrap_err();
    assert!(error.message.starts_with("run teardown hooks failed: call function md5 failed: "), "{error}");
    assert_eq!((error.kind, error.exit_code), (StepErrorKind::Function, 22));
}

#[test]
fn a_constant_request_with_hooks_stays_constant() {
    let case = two_steps("{request: {method: GET, url: /x}, setup_hooks: [\"${sleep(1)}\"]}");
    let step = second(&case);
    assert!(step.has_setup() && step.constant().is_some());
    let (mut request, mut progress) = (RenderedRequest::default(), Progress::default());
    let wait = Prepared::Wait(Wait::Sleep(Duration::from_secs(1)));
    assert_eq!(step.render(&mut begun(&case), &mut request, &mut progress), Ok(wait));
    assert_eq!(step.render(&mut begun(&case), &mut request, &mut progress), Ok(Prepared::Done));
    assert_eq!(request.target(), "/x");
}

#[test]
fn extraction_never_fails_a_step() {
    let case = two_steps(
        "{request: {method: GET, url: /x}, extract: {missing: body.none, call: \"${md5($n)}\", broken: \"${md5($l)}\", found: \"body.$t\", path: \"${split_by_comma($t)}\"}, validate: [{eq: [$missing, null]}, {str_eq: [$missing, \"<nil>\"]}, {len_eq: [$call, 32]}, {eq: [$path, [text]]}]}",
    );
    let mut session = begun(&case);
    let mut journal = Journal::default();
    assert_eq!(answer(second(&case), &mut session, &mut Progress::default(), Some(&mut journal)), Ok(Prepared::Done));
    let extracted: Vec<_> = journal.extracted.iter().map(|(name, value)| (&**name, value.to_string())).collect();
    assert_eq!(
        extracted,
        [
            ("missing", "null".to_owned()),
            ("call", "\"8f14e45fceea167a5a36dedd4bea2543\"".to_owned()),
            ("broken", "\"${md5($l)}\"".to_owned()),
            ("found", "null".to_owned()),
            ("path", "[\"text\"]".to_owned()),
        ]
    );
}

#[test]
fn what_is_extracted_may_be_made_of_the_last_values() {
    let case = two_steps(
        "{request: {method: GET, url: /x}, extract: {t: \"<$t>\", n: $n, path: \"body.$t\", whole: \"$n of $t\"}, validate: [{eq: [$t, <text>]}, {eq: [$n, 7]}, {eq: [$path, null]}, {eq: [$whole, 7 of text]}]}",
    );
    let mut session = begun(&case);
    assert_eq!(answer(second(&case), &mut session, &mut Progress::default(), None), Ok(Prepared::Done));
}

#[test]
fn names_take_what_the_session_holds() {
    let name = |written: &str| {
        let case =
            two_steps(&format!("{{name: \"{written}\", variables: {{own: 1}}, request: {{method: GET, url: /}}}}"));
        let mut name = String::new();
        let rendered = second(&case).render_name(&begun(&case), &mut name);
        assert_eq!(rendered, second(&case).has_rendered_name());
        (second(&case).name.to_string(), rendered.then_some(name))
    };
    assert_eq!(name("user $n $$"), ("user $n $$".into(), Some("user 7 $".into())));
    assert_eq!(name("$$5"), ("$5".into(), None));
    // Config and step variables are not filled in, and then nothing is.
    for written in ["user $b", "$n and $b", "$own", "$none"] {
        assert_eq!(name(written), (written.into(), None));
    }
    let case = two_steps("{name: \"$n\", request: {method: GET, url: /}}");
    let (mut session, mut name) = (Session::new(), String::new());
    session.begin(&case);
    assert!(!second(&case).render_name(&session, &mut name), "nothing has been extracted");
    let (warnings, code) = messages("teststeps: [{name: \"${md5(a)}\", request: {method: GET, url: \"http://h\"}}]");
    assert_eq!(code, 0);
    assert_eq!(warnings, ["the step's name is used as written: the function md5 is not called in a name"]);
}

#[test]
fn urls_can_be_those_of_hrp() {
    let options = LoadOptions { url_style: pummel_case::UrlStyle::Hrp436, ..LoadOptions::default() };
    let text = "config: {base_url: \"http://h/v1/\"}\nteststeps:\n- request: {method: GET, url: get}\n  extract: {n: body.n}\n- request: {method: GET, url: \"/u/$n\"}\n- request: {method: GET, url: \"/u/$n/\", params: {a: 1}}\n";
    let case = pummel_case::load_text("case.yml", text, &options).unwrap().cases.remove(0);
    let mut session = Session::new();
    session.begin(&case);
    let mut targets = Vec::new();
    for step in &case.steps {
        let Step::Request(step) = step else { panic!("a request") };
        let mut request = RenderedRequest::default();
        step.render(&mut session, &mut request, &mut Progress::default()).map(drop).unwrap();
        targets.push(request.target().to_owned());
        answer(step, &mut session, &mut Progress::default(), None).map(drop).unwrap();
    }
    assert_eq!(targets, ["/v1/get/", "/v1/u/7/", "/v1/u/7?a=1"]);
}

#[test]
fn fields_of_a_request_reach_the_engine() {
    let case = load_yaml(
        "teststeps:\n- request: {method: GET, url: \"http://h\", allow_redirects: false, verify: true, timeout: 1.5}\n- request: {method: GET, url: \"http://h\"}\n",
    );
    let fields = case.steps.iter().map(|step| match step {
        Step::Request(step) => (step.allow_redirects, step.verify, step.timeout),
        _ => panic!("a request"),
    });
    assert_eq!(
        fields.collect::<Vec<_>>(),
        [(Some(false), Some(true), Some(Duration::from_millis(1500))), (None, None, None)]
    );
}

/// A folder of this test's own with a file in it, taken away in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(test: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = std::env::temp_dir().join(format!("pummel-functions-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn tables_and_messages_are_read_at_load() {
    let folder = Folder::new("files", &[("rows.csv", b"user,n\nann,1\nbob,2\n"), ("message.bin", b"\x00\xffab")]);
    let (rows, message) = (folder.path("rows.csv"), folder.path("message.bin"));
    // The folder's path may hold what no argument can.
    assert!(rows.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)), "{rows}");
    let case = load_yaml(&format!(
        "config: {{base_url: \"http://h\", variables: {{all: \"${{parameterize({rows})}}\"}}}}\nteststeps:\n- request: {{method: POST, url: /, json: $all}}\n- request: {{method: POST, url: /, body: \"${{load_ws_message({message})}}\"}}\n- request: {{method: POST, url: /, json: [\"${{P({rows})}}\"]}}\n"
    ));
    let bodies: Vec<_> = case
        .steps
        .iter()
        .map(|step| match step {
            Step::Request(step) => step.constant().expect("a constant request").body().unwrap().to_vec(),
            _ => panic!("a request"),
        })
        .collect();
    let table = r#"[{"n":"1","user":"ann"},{"n":"2","user":"bob"}]"#;
    assert_eq!(bodies, [table.as_bytes().to_vec(), b"\x00\xffab".to_vec(), format!("[{table}]").into_bytes()]);
    // A file named by a response is read when the step runs.
    let folder = Folder::new("named", &[("7.csv", b"user,n\nann,1\nbob,2\n")]);
    let call = format!("${{P({})}}", folder.path("$n.csv"));
    assert_eq!(evaluate(&call).as_deref(), Ok(table));
    let broken = Folder::new("broken", &[("7.csv", b"user,n\nann\n")]);
    let (message, code) = evaluate(&format!("${{P({})}}", broken.path("$n.csv"))).unwrap_err();
    let want =
        "call function parameterize failed: broken CSV at line 2: the number of fields is 1, in the first row it is 2";
    assert_eq!((message.as_str(), code), (want, 14));
}

#[test]
fn bodies_take_the_kind_of_what_a_function_gives() {
    let body = |expression: &str, more: &str| {
        let case = two_steps(&format!("{{request: {{method: POST, url: /, {more}body: \"{expression}\"}}}}"));
        let mut request = RenderedRequest::default();
        second(&case)
            .render(&mut begun(&case), &mut request, &mut Progress::default())
            .map(drop)
            .map_err(|error| error.message.to_string())?;
        let content_type =
            request.headers().find(|(name, _)| *name == "Content-Type").map(|(_, value)| value.to_owned());
        Ok((String::from_utf8(request.body().unwrap().to_vec()).unwrap(), content_type))
    };
    let json = Some("application/json; charset=utf-8".to_owned());
    assert_eq!(body("${split_by_comma($t)}", ""), Ok(("[\"text\"]".into(), json)));
    assert_eq!(body("${md5($n)}", ""), Ok(("8f14e45fceea167a5a36dedd4bea2543".into(), None)));
    let refused: Result<(String, Option<String>), String> = Err("request body: unexpected request body type".into());
    for call in ["${get_timestamp()}", "${random_range(0, 1)}", "${sleep(0)}", "$yes"] {
        assert_eq!(body(call, ""), refused, "{call}");
    }
}

#[test]
fn unknown_functions_get_close_names() {
    let help = |call: &str| {
        let text = format!("teststeps: [{{request: {{method: GET, url: \"http://h/{call}\"}}}}]");
        let error = pummel_case::load_text("case.yml", &text, &LoadOptions::default()).unwrap_err();
        let help = miette::Diagnostic::help(&error.diagnostics()[0]).map(|help| help.to_string());
        (error.to_string(), help.unwrap_or_default())
    };
    let (message, text) = help("${gen_random_sting(5)}");
    assert_eq!(message, "case.yml:1:42: function gen_random_sting is not found");
    assert_eq!(text, "did you mean \"gen_random_string\"?");
    let (_, text) = help("${login()}");
    assert!(text.starts_with("the functions are get_timestamp, sleep, "), "{text}");
}
