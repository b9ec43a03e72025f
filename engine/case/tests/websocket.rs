//! Steps on WebSocket connections (hrp spec 12.6): loaded and rendered.

mod support;

use std::time::Duration;

use pummel_case::{
    Case, Headers, Progress, RenderedRequest, ResponseView, Session, Step, StepError, WebSocketAction, WebSocketStep,
};
use support::{load_yaml, messages};

fn steps(case: &Case) -> Vec<&WebSocketStep> {
    fn websocket(step: &Step) -> Option<&WebSocketStep> {
        match step {
            Step::WebSocket(step) => Some(step),
            _ => None,
        }
    }
    case.steps.iter().filter_map(websocket).collect()
}

fn render(step: &WebSocketStep, session: &mut Session) -> RenderedRequest {
    let mut out = RenderedRequest::default();
    let _ = step.request.render(session, &mut out, &mut Progress::default()).expect("it can be rendered");
    out
}

/// The message of a step, whether it is text, and where it goes.
fn sent(step: &WebSocketStep, session: &mut Session) -> (String, bool, String) {
    let request = render(step, session);
    let message = String::from_utf8_lossy(request.body().unwrap_or_default()).into_owned();
    (message, step.text, format!("{}{}", request.origin(), request.target()))
}

#[test]
fn every_type_is_a_step_with_its_label_and_name() {
    let case = load_yaml(
        "config: {base_url: \"ws://h:81/x\", headers: {X-A: a}, variables: {v: 1}}\nteststeps:\n\
         - websocket: {type: open, url: \"/a?b=$v\", params: {c: 2}, headers: {x-b: b}, timeout: 50}\n\
         - websocket: {type: ping, url: /}\n\
         - {name: both, websocket: {type: wr, url: /, text: hi}}\n\
         - websocket: {type: r, url: /}\n\
         - websocket: {type: w, url: /}\n\
         - websocket: {type: close, url: /, close_status: 4001, timeout: 0}\n",
    );
    let seen: Vec<_> = steps(&case)
        .iter()
        .map(|s| (s.action.name(), s.request.label.to_string(), s.request.name.to_string()))
        .collect();
    let row = |action: &'static str, name: &str| (action, format!("websocket-{action}"), name.to_owned());
    assert_eq!(
        seen,
        [
            row("open", "open /a?b=$v"),
            row("ping", "ping /"),
            row("wr", "both"),
            row("r", "r /"),
            row("w", "w /"),
            row("close", "close /")
        ]
    );
    let [open, .., close] = &steps(&case)[..] else { panic!("six steps") };
    let request = render(open, &mut Session::new());
    assert_eq!((request.origin().to_string().as_str(), request.target()), ("http://h:81", "/x/a?b=1&c=2"));
    assert_eq!(request.headers().collect::<Vec<_>>(), [("X-A", "a"), ("X-B", "b")]);
    assert_eq!(open.request.timeout, Some(Duration::from_millis(50)));
    assert_eq!((close.close_status, close.request.timeout), (4001, Some(Duration::from_secs(30))));
    assert_eq!(render(close, &mut Session::new()).headers().count(), 0, "only a handshake has headers");
    assert_eq!(close.action, WebSocketAction::Close);
    assert_eq!(case.origins().len(), 1);
}

#[test]
fn a_message_is_text_or_bytes_by_the_key_and_json_by_its_value() {
    let case = load_yaml(
        "config: {base_url: \"http://h\", variables: {n: 5, list: [1, a], none: }}\nteststeps:\n\
         - websocket: {type: w, url: /, text: {b: $n, a: \"<é>\"}}\n\
         - websocket: {type: w, url: /, text: \" hi $n \"}\n\
         - websocket: {type: w, url: /, binary: $list}\n\
         - websocket: {type: w, url: /, text: $n}\n\
         - websocket: {type: w, url: /, text: true}\n\
         - websocket: {type: w, url: /, text: $none}\n\
         - websocket: {type: w, url: /}\n",
    );
    let mut session = Session::new();
    session.begin(&case);
    let seen: Vec<_> = steps(&case).iter().map(|step| sent(step, &mut session)).collect();
    let expected = [
        (r#"{"a":"\u003cé\u003e","b":5}"#, true),
        ("hi 5", true),
        (r#"[1,"a"]"#, false),
        ("5", true),
        ("true", true),
        ("", true),
        ("", false),
    ];
    let expected = expected.map(|(message, text)| (message.to_owned(), text, "http://h:80/".to_owned()));
    assert_eq!(seen, expected);
}

#[test]
fn a_message_takes_what_a_message_before_it_gave() {
    let case = load_yaml(
        "config: {base_url: \"ws://h\"}\nteststeps:\n\
         - {websocket: {type: r, url: /}, extract: {v: body.v}, validate: [{eq: [body.v.k, 1]}, {eq: [status_code, null]}]}\n\
         - websocket: {type: w, url: \"/$v\", text: $v}\n\
         - {websocket: {type: close, url: /}, extract: {code: status_code, why: body}}\n\
         - websocket: {type: w, url: /, text: \"$code $why\"}\n",
    );
    let mut session = Session::new();
    session.begin(&case);
    let [read, write, close, after] = &steps(&case)[..] else { panic!("four steps") };
    answer(read, &mut session, 0, r#"{"v":{"k":1}}"#).unwrap();
    assert_eq!(sent(write, &mut session).0, r#"{"k":1}"#);
    answer(close, &mut session, 1001, "away").unwrap();
    assert_eq!(sent(after, &mut session).0, "1001 away");
    let error = answer(read, &mut session, 0, "{}").unwrap_err();
    assert_eq!(error.to_string(), "step validation failed: body.v.k eq 1");
}

fn answer(step: &WebSocketStep, session: &mut Session, status: u16, body: &str) -> Result<(), StepError> {
    let fields: &[(&str, &[u8])] = &[];
    let headers: &dyn Headers = &fields;
    let mut view = ResponseView { status, version: "", headers, body: &mut body.as_bytes().to_vec() };
    step.request.check(session, &mut view, &mut Progress::default(), None).map(drop)
}

#[test]
fn in_a_referenced_case_the_type_is_short() {
    let case = load_yaml(
        "teststeps:\n- name: outer\n  testcase:\n    config: {name: inner, base_url: \"ws://h\"}\n    teststeps:\n    - websocket: {type: open, url: /}\n",
    );
    let step = steps(&case)[0];
    assert_eq!((&*step.request.label, &*step.request.name), ("websocket", "outer - open /"));
}

#[test]
fn what_cannot_be_meant_is_said_with_its_place() {
    let of = |websocket: &str| messages(&format!("teststeps:\n- websocket: {websocket}\n"));
    let error =
        |websocket: &str, message: &str| assert_eq!(of(websocket), (vec![message.to_owned()], 15), "{websocket}");
    error("{url: \"ws://h/\"}", "the websocket step has no type");
    error("{type: read, url: \"ws://h/\"}", "\"read\" is no type of a websocket step");
    error("{type: open}", "request url: the URL has no host and there is no base_url");
    error("{type: open, url: \"ftp://h/\"}", "request url: the scheme must be ws, wss, http or https");
    error("{type: close, url: \"ws://h/\", close_status: 999}", "a websocket cannot be closed with the status 999");
    error("{type: close, url: \"ws://h/\", close_status: 5000}", "a websocket cannot be closed with the status 5000");
    error("{type: close, url: \"ws://h/\", close_status: 1006}", "a websocket cannot be closed with the status 1006");
    error("{type: r, url: \"ws://h/\", timeout: 86400001}", "websocket.timeout is longer than a day");
    assert_eq!(of("{type: r, url: \"ws://h/\", timeout: soon}").1, 12);
    let warned = |websocket: &str, messages: &[&str]| {
        assert_eq!(of(websocket), (messages.iter().map(|&m| m.to_owned()).collect(), 0), "{websocket}");
    };
    warned("{type: open, url: \"ws://h/\", new_connection: false}", &[]);
    warned(
        "{type: open, url: \"ws://h/\", new_connection: true}",
        &["new_connection is ignored: nothing reads it, in hrp either"],
    );
    warned("{type: w, url: \"ws://h/\", text: a, binary: b}", &["\"binary\" is ignored: the message has \"text\""]);
    warned(
        "{type: r, url: \"ws://h/\", text: a, headers: {a: b}, close_status: 1001, body: c}",
        &[
            "\"text\" is ignored: a step of the type r sends no message",
            "\"headers\" is ignored: only a step of the type open sends any, not r",
            "\"close_status\" is ignored: a step of the type r closes nothing",
            "unknown key \"body\" in websocket is ignored",
        ],
    );
}
