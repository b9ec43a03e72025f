//! Functions of a project's plugin: which one a name means, when it is called, and what becomes of its result (hrp spec 6.12, 7.3,
//! 11.10, 19.7).

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc, Mutex,
    },
};

use pummel_case::{
    load_text, CallOutcome, Case, LoadError, LoadOptions, Loaded, Plugin, PluginCall, PluginFailure, PluginFunction,
    PluginId, PluginSource, Plugins, Prepared, Progress, RenderedRequest, RequestStep, ResponseView, Session, Step,
    StepErrorKind, Wait,
};

/// A plugin of this process: `echo` gives its arguments as a list, the others what their names say.
#[derive(Debug, Default)]
struct Fake {
    calls: Mutex<Vec<String>>,
}

impl Plugin for Fake {
    fn id(&self) -> PluginId {
        PluginId(3)
    }

    fn find(&self, name: &str) -> Option<PluginFunction> {
        let own = ["echo", "max", "fails", "lost", "bad_json", "huge"].contains(&name);
        (own || ["sleep", "uuid4"].contains(&name)).then(|| PluginFunction { name: name.into(), own })
    }

    fn names(&self) -> Vec<Arc<str>> {
        vec!["echo".into(), "max".into()]
    }

    fn call(&self, call: &mut PluginCall) {
        self.calls.lock().unwrap().push(format!("{}{}", call.function, call.arguments));
        finish(call);
    }
}

/// What a worker would do with a call.
fn finish(call: &mut PluginCall) {
    let (outcome, answer) = match &*call.function {
        "fails" => (CallOutcome::Failed, "ValueError: no such user".to_owned()),
        "lost" => (CallOutcome::Lost, "the plugin's process ended during the call".to_owned()),
        "bad_json" => (CallOutcome::Returned, "nan".to_owned()),
        "huge" => (CallOutcome::Returned, format!("1{}", "0".repeat(400))),
        _ => (CallOutcome::Returned, call.arguments.clone()),
    };
    (call.outcome, call.answer) = (outcome, answer);
}

/// Counts how often it is asked.
#[derive(Debug)]
struct Source {
    plugin: Result<Arc<Fake>, PluginFailure>,
    opened: Mutex<Vec<PathBuf>>,
}

impl Source {
    fn new() -> Arc<Self> {
        Arc::new(Self { plugin: Ok(Arc::default()), opened: Mutex::default() })
    }

    fn calls(&self) -> Vec<String> {
        self.plugin.as_ref().unwrap().calls.lock().unwrap().clone()
    }
}

impl PluginSource for Source {
    fn open(&self, file: &Path, _: &BTreeMap<Box<str>, Box<str>>) -> Result<Arc<dyn Plugin>, PluginFailure> {
        self.opened.lock().unwrap().push(file.to_owned());
        self.plugin.clone().map(|plugin| plugin as Arc<dyn Plugin>)
    }
}

/// Loads a case in a project that has a plugin.
fn load_with(source: &Arc<Source>, text: &str, broken_steps: bool) -> Result<Vec<Case>, LoadError> {
    load_all(source, text, broken_steps).map(|loaded| loaded.cases)
}

/// The warnings of a case that is right.
fn load_warned(source: &Arc<Source>, text: &str) -> Vec<String> {
    load_all(source, text, false).unwrap().warnings.iter().map(ToString::to_string).collect()
}

fn load_all(source: &Arc<Source>, text: &str, broken_steps: bool) -> Result<Loaded, LoadError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("pummel-plugin-case-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("debugtalk.py"), "").unwrap();
    let plugins = Some(Plugins(Arc::clone(source) as Arc<dyn PluginSource>));
    let options = LoadOptions { project_dir: Some(folder.clone()), plugins, broken_steps, ..LoadOptions::default() };
    let loaded = load_text("case.yml", text, &options);
    fs::remove_dir_all(&folder).unwrap();
    loaded
}

/// A case with one step.
fn one_step(config: &str, step: &str) -> (Arc<Source>, Case) {
    let source = Source::new();
    let text = format!("config: {{name: n, base_url: \"http://h\", {config}}}\nteststeps:\n- {step}\n");
    let case = load_with(&source, &text, false).unwrap().remove(0);
    (source, case)
}

fn request(case: &Case) -> &RequestStep {
    let Some(Step::Request(step)) = case.steps.first() else { panic!("a request") };
    step
}

/// Kind, text and exit code of a failure.
type Failed = (StepErrorKind, String, u8);

/// Does what `work` asks for until it is done; gives the calls it made.
fn through(
    mut work: impl FnMut(&mut Progress) -> Result<Prepared, pummel_case::StepError>,
) -> Result<Vec<String>, Failed> {
    let (mut progress, mut calls) = (Progress::default(), Vec::new());
    loop {
        match work(&mut progress).map_err(|error| (error.kind, error.message.to_string(), error.exit_code))? {
            Prepared::Done => return Ok(calls),
            Prepared::Wait(Wait::Call(mut call)) => {
                assert_eq!((call.plugin, call.outcome, &*call.answer), (PluginId(3), CallOutcome::Pending, ""));
                calls.push(format!("{}{}", call.function, call.arguments));
                finish(&mut call);
                progress.resume(call);
            }
            Prepared::Wait(wait) => panic!("{wait:?}"),
        }
    }
}

fn render(case: &Case) -> Result<(RenderedRequest, Session, Vec<String>), Failed> {
    let (mut session, mut out) = (Session::new(), RenderedRequest::default());
    session.begin(case);
    let calls = through(|progress| request(case).render(&mut session, &mut out, progress))?;
    Ok((out, session, calls))
}

#[test]
fn calls_stand_in_every_part_of_a_request_and_are_made_in_order() {
    let (source, case) = one_step(
        "variables: {who: bob}",
        "{variables: {v: \"${echo(var)}\"}, setup_hooks: [\"${echo($request)}\"], request: {method: POST, url: \"/${echo(1)}\", params: {p: \"${echo($who, 2.5)}\"}, headers: {X-H: \"<${echo()}>\"}, json: {b: \"${echo(, a)}\", v: $v}}}",
    );
    let (out, _, calls) = render(&case).unwrap();
    assert_eq!(out.target(), "/[1]?p=bob&p=2.5");
    assert!(out.headers().any(|header| header == ("X-H", "<[]>")));
    assert_eq!(out.body(), Some(&b"{\"b\":[null,\"a\"],\"v\":[\"var\"]}"[..]));
    let (hook, before) = calls.split_last().unwrap();
    assert_eq!(before, ["echo[\"var\"]", "echo[1]", "echo[\"bob\",2.5]", "echo[]", "echo[null,\"a\"]"]);
    assert!(hook.starts_with("echo[{\"body\":{\"b\":[null,\"a\"]"), "{hook}");
    assert!(source.calls().is_empty(), "nothing of a step is called at load");
}

#[test]
fn a_call_of_the_config_is_made_once_at_load() {
    let config = "variables: {a: \"${echo(x)}\", b: \"${max(1, 2)} of $a\"}, parameters: {row: [\"${echo(7)}\"]}";
    let (source, case) = one_step(config, "{request: {method: GET, url: \"/$b\"}}");
    assert_eq!(source.calls(), ["echo[\"x\"]", "max[1,2]", "echo[7]"]);
    assert_eq!(request(&case).constant().unwrap().target(), "/[1,2]%20of%20[%22x%22]");
}

#[test]
fn what_a_plugin_defines_hides_built_in_functions_and_what_it_imports_does_not() {
    let step = |call: &str| format!("{{variables: {{v: \"${{{call}}}\"}}, request: {{method: GET, url: \"/$v\"}}}}");
    let (_, case) = one_step("", &step("max(1, 2)"));
    assert_eq!(render(&case).unwrap().2, ["max[1,2]"]);
    let (_, case) = one_step("", &step("uuid4()"));
    assert_eq!(render(&case).unwrap().2, ["uuid4[]"]);
    let (_, case) = one_step("", &step("sleep(3)"));
    let mut session = Session::new();
    session.begin(&case);
    let waited = request(&case).render(&mut session, &mut RenderedRequest::default(), &mut Progress::default());
    assert_eq!(waited, Ok(Prepared::Wait(Wait::Sleep(std::time::Duration::from_secs(3)))));
}

#[test]
fn failures_say_which_function_and_why() {
    let get = |part: &str| one_step("", &format!("{{request: {{method: GET, url: /}}, {part}}}")).1;
    let failure = |part: &str| render(&get(part)).map(|(_, _, calls)| calls).unwrap_err();
    assert_eq!(
        failure("variables: {v: \"${fails(1)}\"}"),
        (StepErrorKind::Function, "call function fails failed: ValueError: no such user".to_owned(), 23)
    );
    assert_eq!(
        failure("setup_hooks: [\"${lost()}\"]"),
        (
            StepErrorKind::Plugin,
            "run setup hooks failed: call function lost failed: the plugin's process ended during the call".to_owned(),
            23
        )
    );
    assert_eq!(
        failure("variables: {v: \"${bad_json()}\"}"),
        (
            StepErrorKind::Function,
            "call function bad_json failed: what it returned is no JSON that can be read: expected ident at line 1 column 2".to_owned(),
            23
        )
    );
    // Python writes it without a word.
    assert_eq!(
        failure("variables: {v: \"${huge()}\"}").1,
        "call function huge failed: what it returned is no JSON that can be read: number out of range at line 1 column 401"
    );
}

#[test]
fn calls_behind_the_response_wait_and_go_on_where_they_were() {
    let (_, case) = one_step(
        "",
        "{request: {method: GET, url: /}, teardown_hooks: [\"${echo($response)}\"], extract: {e: \"${lost()}\"}, validate: [{eq: [body.n, 7]}, {eq: [\"${echo(a)}\", [a]]}, {eq: [body.n, \"${fails()}\"]}]}",
    );
    let (_, mut session, calls) = render(&case).unwrap();
    assert!(calls.is_empty());
    let mut made = Vec::new();
    let error = through(|progress| {
        let headers: &[(&str, &[u8])] = &[("content-type", b"application/json")];
        let mut body = b"{\"n\":7}".to_vec();
        let mut view = ResponseView { status: 200, version: "HTTP/1.1", headers: &headers, body: &mut body };
        let checked = request(&case).check(&mut session, &mut view, progress, None);
        if let Ok(Prepared::Wait(Wait::Call(call))) = &checked {
            made.push(call.function.to_string());
        }
        checked
    })
    .unwrap_err();
    assert_eq!(error, (StepErrorKind::Function, "call function fails failed: ValueError: no such user".to_owned(), 23));
    // An extraction never fails a step (hrp spec 10.5), so the call that was lost in it does not.
    assert_eq!(made, ["echo", "lost", "echo", "fails"]);
}

/// The body that is sent of the JSON text `[$v]`, where `v` is what a function gave as `result`.
fn sent_with(result: &str) -> String {
    let (_, case) = one_step("", "{variables: {v: \"${echo()}\"}, request: {method: POST, url: /, json: [$v]}}");
    let (mut session, mut out, mut progress) = (Session::new(), RenderedRequest::default(), Progress::default());
    session.begin(&case);
    let Ok(Prepared::Wait(Wait::Call(mut call))) = request(&case).render(&mut session, &mut out, &mut progress) else {
        panic!("a call")
    };
    (call.outcome, call.answer) = (CallOutcome::Returned, result.to_owned());
    progress.resume(call);
    assert_eq!(request(&case).render(&mut session, &mut out, &mut progress), Ok(Prepared::Done));
    String::from_utf8(out.body().expect("a body").to_vec()).expect("text")
}

#[test]
fn results_keep_their_type_on_the_way_into_a_body() {
    for (result, sent) in [
        ("1", "[1]"),
        ("-9223372036854775808", "[-9223372036854775808]"),
        ("18446744073709551615", "[18446744073709551615]"),
        ("2.5", "[2.5]"),
        ("\"1\"", "[\"1\"]"),
        ("\"a b\"", "[\"a b\"]"),
        ("\"\\u00e9\\n\"", "[\"é\\n\"]"),
        ("null", "[null]"),
        ("true", "[true]"),
        ("[1,\"a\",null]", "[[1,\"a\",null]]"),
        ("{\"k\":{\"n\":1}}", "[{\"k\":{\"n\":1}}]"),
        // As stock funppy writes them (hrp spec 19.7).
        ("None", "[null]"),
        ("True", "[true]"),
        ("False", "[false]"),
    ] {
        assert_eq!(sent_with(result), sent);
    }
}

#[test]
fn a_plugin_is_opened_once_and_only_when_something_is_called() {
    let (source, _) = one_step("variables: {a: \"$${echo(1)}\"}", "{request: {method: GET, url: /}}");
    assert!(source.opened.lock().unwrap().is_empty());
    let (source, _) = one_step("variables: {a: \"${echo(1)}\"}", "{request: {method: GET, url: \"/${echo(1)}\"}}");
    assert_eq!(source.opened.lock().unwrap().len(), 1);
}

#[test]
fn a_plugin_that_is_not_there_is_said_once_where_it_is_first_needed() {
    let failure = PluginFailure {
        message: "debugtalk.py:3: SyntaxError: invalid syntax".into(),
        help: Some("mend it".into()),
        exit_code: 18,
    };
    for broken_steps in [false, true] {
        let source = Arc::new(Source { plugin: Err(failure.clone()), opened: Mutex::default() });
        let text = "config: {name: n}\nteststeps:\n- request: {method: GET, url: \"http://h/${echo(1)}\"}\n- request: {method: GET, url: \"http://h/${echo(2)}\"}\n";
        let error = load_with(&source, text, broken_steps).unwrap_err();
        assert_eq!((error.exit_code(), error.diagnostics().len()), (18, 1));
        assert!(error.diagnostics()[0].to_string().contains("SyntaxError"), "{}", error.diagnostics()[0]);
    }
}

#[test]
fn text_that_looks_like_a_call_of_the_plugin_is_warned_of() {
    let text = "config: {name: n}\nteststeps:\n- request: {method: GET, url: \"http://h/\", headers: {a: \"${echo('x')}\", b: \"${other('x')}\"}}\n";
    let loaded = load_warned(&Source::new(), text);
    assert_eq!(loaded.len(), 1, "{loaded:?}");
    assert!(loaded[0].contains("the function echo is not called here: this stays text"), "{loaded:?}");
}

#[test]
fn an_unknown_function_offers_those_of_the_plugin() {
    let text = "teststeps:\n- request: {method: GET, url: \"http://h/${ecko(1)}\"}\n";
    let error = load_with(&Source::new(), text, false).unwrap_err();
    assert_eq!(error.exit_code(), 23);
    let shown = format!("{:?}", miette::Report::new(error.diagnostics()[0].clone()));
    assert!(shown.contains("did you mean \"echo\"?"), "{shown}");
}

#[test]
fn a_call_that_fails_in_the_config_is_a_load_error() {
    let text = "config: {name: n, variables: {a: \"${fails(1)}\"}}\nteststeps:\n- request: {method: GET, url: \"http://h/$a\"}\n";
    let error = load_with(&Source::new(), text, false).unwrap_err();
    assert_eq!(error.exit_code(), 23);
    let shown = error.diagnostics()[0].to_string();
    assert!(shown.contains("call function fails failed: ValueError: no such user"), "{shown}");
}

#[test]
fn a_steady_state_of_calls_allocates_nothing() {
    let (_, case) = one_step(
        "",
        "{variables: {v: \"${echo()}\"}, request: {method: GET, url: \"/$v\"}, setup_hooks: [\"${echo($v, 1)}\"]}",
    );
    let (mut session, mut out) = (Session::new(), RenderedRequest::default());
    let mut iterate = || {
        session.begin(&case);
        let mut progress = Progress::default();
        while let Prepared::Wait(Wait::Call(mut call)) =
            request(&case).render(&mut session, &mut out, &mut progress).unwrap()
        {
            call.outcome = CallOutcome::Returned;
            call.answer.push_str("\"some text\"");
            progress.resume(call);
        }
    };
    iterate();
    iterate();
    assert_eq!(allocation_counter::measure(iterate).count_total, 0);
}
