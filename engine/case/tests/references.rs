//! API and testcase steps, loops, marks and setup cases: what a case becomes (hrp spec 7.11, 12, 13.5, 14.8).

mod folder;
mod support;
mod walk;

use std::time::Duration;

use folder::Folder;
use insta::assert_snapshot;
use pummel_case::{Case, LoadOptions, RenderedRequest, Session, Step};
use support::case;
use walk::{iterate, records};

/// A project of these files.
fn project(name: &str, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(name, files);
    folder.write("proj.json", b"{}");
    folder
}

/// What the request steps of a case send, as `METHOD URL`, in order and without answers.
fn targets(case: &Case) -> Vec<String> {
    let mut session = Session::new();
    session.begin(case);
    let mut sent = Vec::new();
    for step in &case.steps {
        match step {
            Step::Request(step) => {
                let mut request = RenderedRequest::default();
                let _ = step.render(&mut session, &mut request, &mut pummel_case::Progress::default()).unwrap();
                sent.push(format!("{} {}{}", step.method, request.origin(), request.target()));
            }
            Step::Enter(enter) => {
                let _ = enter.enter(&mut session, &mut pummel_case::Progress::default()).unwrap();
            }
            _ => {}
        }
    }
    sent
}

#[test]
fn the_samples_with_references_pass() {
    assert_eq!(records(&case("14_api_ref.yml")), ["api use api", "api api get", "request-GET after"]);
    assert_eq!(
        records(&case("15_testcase_ref.yml")),
        ["> login", "request login - get token", "testcase login", "request-GET use"]
    );
    assert_eq!(records(&case("19_loops.yml")), ["request-GET get"; 3]);
    let jar = records(&case("22_cookie_isolation.yml"));
    assert_eq!(jar[..2], ["request-GET login", "thinktime pause"]);
}

#[test]
fn the_rendezvous_sample_keeps_what_is_written() {
    let case = case("17_rendezvous.yml");
    assert_eq!(records(&case), ["rendezvous 0 meet", "request-GET g1", "thinktime pause"]);
    let Step::Rendezvous(meet) = &case.steps[0] else { panic!("a rendezvous") };
    assert_eq!((meet.number, meet.percent, meet.timeout), (4, 0.0, Duration::from_secs(2)));
    assert_eq!(case.rendezvous(), 1);
}

#[test]
fn an_api_gives_what_the_step_leaves_out() {
    let api = "name: of api\nvariables: {a: api, b: api, c: api}\nrequest: {method: GET, url: \"http://h/$a/$b/$c\"}\nextract: {x: body.path, y: body.path}\nvalidate:\n- eq: [body.path, /step/api/outer]\n- eq: [status_code, 201]\n- {check: headers.Content-Type, assert: contains, expect: xml}\n- eq: [body.method, GET]\n";
    let steps = "config: {variables: {c: outer}}\nteststeps:\n- name: mine\n  api: apis/get.yml\n  variables: {a: step, b: $b, c: outer}\n  extract: {x: status_code}\n  validate:\n  - {eq: [status_code, 200]}\n  - {gt: [status_code, 100]}\n  - {contains: [headers.\"Content-Type\", json]}\n- {name: \"\", api: apis/get.yml, variables: {a: step, c: outer}}\n- {name: after, request: {method: GET, url: \"http://h/$x$y\"}, validate: [{eq: [body.path, /200/step/api/outer]}]}\n";
    let folder = project("api", &[("apis/get.yml", api), ("cases/case.yml", steps)]);
    let case = folder.case("cases/case.yml");
    // The first keeps both its checks of status_code, and of the API's only the one nothing in the step looks at, and body.path.
    // The second has the API's own, of which the second fails.
    assert_eq!(
        records(&case),
        [
            "api mine",
            "api of api: step validation failed: status_code eq 201",
            "request-GET after: step validation failed: body.path eq \"/200/step/api/outer\""
        ]
    );
}

#[test]
fn an_api_may_be_written_in_place_and_in_json() {
    let json = r#"{"NAME": "j", "Request": {"Method": "GET", "url": "http://h/json"}, "validate": [{"eq": ["status_code", 200]}]}"#;
    let steps = "teststeps:\n- api: {name: inline, request: {method: POST, url: \"http://h/in\"}, setup_hooks: [a], validate: [{eq: [status_code, 201]}]}\n- {api: j.json, loops: 2}\n- {api: /j.json, name: rooted}\n";
    let case = project("api-inline", &[("j.json", json), ("case.yml", steps)]).case("case.yml");
    assert_eq!(
        records(&case),
        ["api inline: step validation failed: status_code eq 201", "api j", "api j", "api rooted"]
    );
    assert_eq!(targets(&case), ["POST http://h:80/in", "GET http://h:80/json", "GET http://h:80/json"]);
}

#[test]
fn a_reference_to_nothing_is_shown_where_it_stands() {
    let folder = project("missing-ref", &[("cases/case.yml", "teststeps:\n- name: r\n  testcase: nowhere.yml\n")]);
    let error = folder.load("cases/case.yml", &LoadOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 17);
    assert_snapshot!(folder.shown(&error.diagnostics()[0]), @r#"
     x cases/case.yml:3:13: the referenced file "nowhere.yml" does not exist
      ,-[cases/case.yml:3:13]
    2 | - name: r
    3 |   testcase: nowhere.yml
      :             ^^^^^|^^^^^
      :                  `-- referenced here
      `----
     help: paths of referenced files start at the project's root, ROOT
    "#);
    folder
        .write("cases/case.yml", b"teststeps:\n- api: cases\n- api: proj.txt\n- api: ''\n- testcase: [a]\n- api: 3\n");
    folder.write("proj.txt", b"");
    assert_eq!(
        folder.errors("cases/case.yml"),
        (
            vec![
                "cases/case.yml:2:8: cases: the extension is not .yml, .yaml or .json".into(),
                "cases/case.yml:3:8: proj.txt: the extension is not .yml, .yaml or .json".into(),
                "cases/case.yml:4:8: the referenced file \"\" does not exist".into(),
                "cases/case.yml:5:13: a test case must be a map, not a list".into(),
                "cases/case.yml:6:8: the referenced file \"3\" does not exist".into(),
            ],
            16
        )
    );
}

#[test]
fn mistakes_in_a_referenced_file_are_shown_there_and_once() {
    let bad =
        "name: x\nrequest: {method: GET, url: \"http://h/$nothing\"}\nvalidate:\n- equal_to: [status_code, 200]\n";
    let steps = "teststeps:\n- {api: bad.yml}\n- {name: again, api: bad.yml}\n- {api: broken.yml}\n- {testcase: empty.yml}\n- {api: none.yml}\n- {testcase: none.yml}\n";
    let files = [
        ("bad.yml", bad),
        ("broken.yml", "a: [1"),
        ("empty.yml", "teststeps: []"),
        ("none.yml", "name: x"),
        ("case.yml", steps),
    ];
    let (errors, code) = project("bad-refs", &files).errors("case.yml");
    assert_eq!(code, 21);
    assert_eq!(
        errors,
        [
            "bad.yml:2:29: variable nothing not found: nothing before this place defines it",
            "bad.yml:4:3: unknown assert \"equal_to\"",
            "broken.yml:1:6: broken YAML: while parsing a flow sequence, expected ',' or ']'",
            "empty.yml:1:12: the case has no step that does anything",
            "none.yml:1:1: the API has no request",
            "none.yml:1:1: invalid case format: teststeps is missing",
        ]
    );
}

#[test]
fn a_callee_sees_the_callers_variables_above_its_own() {
    let callee = "config:\n  name: callee\n  base_url: http://callee\n  headers: {X-Callee: $who}\n  request_timeout: 7\n  variables: {who: callee, own: \"of $who\", only: callee}\nteststeps:\n- {name: n, request: {method: GET, url: \"/$who/$own/$only/$step$tok\"}}\n- {name: t, request: {method: GET, url: /t, timeout: 3}}\n";
    let caller = "config:\n  base_url: http://caller\n  request_timeout: 9\n  variables: {who: caller}\nteststeps:\n- {name: e, request: {method: GET, url: /tok}, extract: {tok: body.path}}\n- {name: c, testcase: callee.yml, variables: {step: \"s$tok\", tok: $tok}}\n- {name: a, request: {method: GET, url: /after}}\n";
    let folder = project("callee", &[("callee.yml", callee), ("caller.yml", caller)]);
    let case = folder.case("caller.yml");
    let requests: Vec<_> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Request(step) => Some(step),
            _ => None,
        })
        .collect();
    let timeouts: Vec<_> = requests.iter().map(|step| step.timeout.map(|timeout| timeout.as_secs())).collect();
    assert_eq!((timeouts, case.request_timeout), (vec![None, Some(7), Some(3), None], Some(Duration::from_secs(9))));

    let mut session = Session::new();
    session.begin(&case);
    support::run_step(requests[0], &mut session).unwrap();
    let Step::Enter(enter) = &case.steps[1] else { panic!("a reference") };
    let _ = enter.enter(&mut session, &mut pummel_case::Progress::default()).unwrap();
    let mut request = RenderedRequest::default();
    let _ = requests[1].render(&mut session, &mut request, &mut pummel_case::Progress::default()).unwrap();
    assert_eq!(request.origin().to_string(), "http://caller:80");
    // Its config was evaluated by itself; the caller's values count where its steps name them.
    assert_eq!(request.target(), "/caller/of%20callee/callee/s/tok/tok");
    assert_eq!(request.headers().collect::<Vec<_>>(), [("X-Callee", "caller")]);
}

#[test]
fn names_flatten_through_nested_references() {
    let inner = "config: {name: inner case}\nteststeps:\n- {name: x, request: {method: GET, url: \"http://h/x\"}}\n- {name: y, api: get.yml}\n- {transaction: {name: t, type: start}}\n- {name: end it, transaction: {name: t, type: end}}\n- {name: p, think_time: {time: 0}}\n- {name: m, rendezvous: {number: 2}}\n";
    let mid = "teststeps:\n- {testcase: inner.yml}\n- {name: m0, rendezvous: {number: 1}}\n";
    let outer = "teststeps:\n- {name: o, testcase: mid.yml}\n- {testcase: {config: {name: in place}, teststeps: [{name: z, request: {method: PUT, url: \"http://h/z\"}}]}}\n";
    let api = "name: api\nrequest: {method: GET, url: \"http://h/get\"}\n";
    let files = [("inner.yml", inner), ("mid.yml", mid), ("outer.yml", outer), ("get.yml", api)];
    let case = project("nested", &files).case("outer.yml");
    assert_eq!(
        records(&case),
        [
            "> o",
            "> o - inner case",
            "request o -  - x",
            "api o -  - y",
            "start o -  - t (o -  - transaction t start)",
            "end o -  - t (o -  - end it)",
            "thinktime o -  - p",
            "rendezvous 0 o -  - m",
            "testcase o - inner case",
            "rendezvous 1 o - m0",
            "testcase o",
            "> in place",
            "request  - z",
            "testcase in place",
        ]
    );
    assert_eq!(
        case.reference_names().iter().map(|name| &**name).collect::<Vec<_>>(),
        ["o", "o - inner case", "in place"]
    );
    assert_eq!((case.rendezvous(), case.origins().len()), (2, 1));
}

#[test]
fn exports_are_what_the_session_of_the_callee_holds() {
    let callee = "config: {export: [got, config_only, nothing], variables: {config_only: c}}\nteststeps:\n- {request: {method: GET, url: \"http://h/list\"}, extract: {got: body.i, also: body.f, hidden: body.t}}\n";
    let caller = "config: {export: [got, also, config_only, nothing, mine, handed], variables: {mine: m}}\nteststeps:\n- {name: c, testcase: callee.yml, variables: {handed: h}, export: [also, got, handed]}\n- {name: use, request: {method: POST, url: \"http://h/\", json: [$got, $also, $config_only, $nothing, $handed]}, validate: [{eq: [body.text, '[7,1.5,null,null,\"h\"]']}]}\n";
    let folder = project("exports", &[("callee.yml", callee), ("caller.yml", caller)]);
    let case = folder.case("caller.yml");
    let mut session = Session::new();
    assert_eq!(
        iterate(&case, &mut session, 0),
        ["> c", "request c - GET http://h/list", "testcase c", "request-POST use"]
    );
    assert_eq!(
        serde_json::to_string(&case.exported(&session)).unwrap(),
        r#"{"got":7,"also":1.5,"config_only":null,"nothing":null,"mine":null,"handed":"h"}"#
    );
    folder.write(
        "caller.yml",
        b"teststeps:\n- {testcase: callee.yml}\n- {request: {method: GET, url: \"http://h/$hidden\"}}\n",
    );
    let (errors, code) = folder.errors("caller.yml");
    assert!(code == 21 && errors[0].contains("variable hidden not found"), "{errors:?}");
}

#[test]
fn each_execution_of_a_callee_begins_anew() {
    // The first step fails from the second time on if what the last extracted is still there.
    let callee = "config: {variables: {seen: fresh}}\nteststeps:\n- {name: first, request: {method: GET, url: \"http://h/$seen\"}, validate: [{eq: [body.path, /fresh]}]}\n- {name: set, request: {method: GET, url: \"http://h/list\"}, extract: {seen: body.i}}\n- {name: last, loops: 2, request: {method: GET, url: \"http://h/$seen\"}, validate: [{eq: [body.path, /7]}]}\n";
    let files = [("callee.yml", callee), ("case.yml", "teststeps:\n- {name: c, testcase: callee.yml, loops: 3}\n")];
    let case = project("anew", &files).case("case.yml");
    let once = ["> c", "request c - first", "request c - set", "request c - last", "request c - last", "testcase c"];
    assert_eq!(records(&case), [once; 3].concat());
    assert_eq!(case.loops(), 2);
}

#[test]
fn references_that_lead_back_are_refused_with_the_way() {
    let step = |file: &str| format!("teststeps:\n- {{name: s, testcase: {file}}}\n");
    let files = [
        ("self.yml", &*step("self.yml")),
        ("a.yml", &*step("sub/b.yml")),
        ("sub/b.yml", &*step("sub/../c.yml")),
        ("c.yml", "teststeps:\n- testcase: {teststeps: [{testcase: a.yml}]}\n"),
        ("setup.yml", "config: {setup_case: setup.yml}\nteststeps:\n- {request: {method: GET, url: \"http://h\"}}\n"),
    ];
    let folder = project("cycles", &files);
    let errors = |file: &str| folder.errors(file);
    assert_eq!(errors("self.yml"), (vec!["self.yml:2:3: the case refers to itself: self.yml -> self.yml".into()], 15));
    assert_eq!(
        errors("a.yml"),
        (vec!["c.yml:2:26: the case refers to itself: a.yml -> b.yml -> c.yml -> c.yml -> a.yml".into()], 15)
    );
    assert_eq!(
        errors("setup.yml"),
        (vec!["setup.yml:1:22: the case refers to itself: setup.yml -> setup.yml".into()], 15)
    );
}

#[test]
fn references_end_before_they_fill_the_memory() {
    let folder = project("bomb", &[]);
    let request = "- {request: {method: GET, url: \"http://h\"}}\n";
    for depth in 0..17 {
        let next = format!("- {{testcase: d{}.yml}}\n", depth + 1);
        folder.write(&format!("d{depth}.yml"), format!("teststeps:\n{next}").as_bytes());
        let ten = format!("- {{testcase: f{}.yml}}\n", depth + 1).repeat(10);
        folder.write(&format!("f{depth}.yml"), format!("teststeps:\n{ten}").as_bytes());
    }
    for last in ["d17.yml", "f17.yml"] {
        folder.write(last, format!("teststeps:\n{request}").as_bytes());
    }
    // From d1 on there are 16 levels; from d0 one more.
    assert_eq!(folder.case("d1.yml").steps.len(), 33);
    assert_eq!(folder.errors("d0.yml"), (vec!["d16.yml:2:3: references nest deeper than 16 levels".into()], 15));
    let (errors, code) = folder.errors("f3.yml");
    assert_eq!(code, 15);
    assert!(errors[0].ends_with("the case has more than 20000 steps; do its references multiply them?"), "{errors:?}");
    // Few steps with much around them.
    let rows = "1, ".repeat(3000);
    folder.write("wide.yml", format!("config: {{parameters: {{a: [{rows}]}}}}\nteststeps:\n{request}").as_bytes());
    folder.write("many.yml", format!("teststeps:\n{}", "- {testcase: wide.yml}\n".repeat(2000)).as_bytes());
    let (errors, code) = folder.errors("many.yml");
    assert!(code == 15 && errors[0].contains("referenced cases hold more than 500000 values"), "{errors:?}");
}

#[test]
fn loops_have_a_mark_behind_them() {
    let steps = "teststeps:\n- {loops: 0, request: {method: GET, url: \"http://h/0\"}}\n- {loops: -3, request: {method: GET, url: \"http://h/1\"}}\n- {loops: 1, think_time: {time: 0}}\n- {name: t, loops: 2, think_time: {time: 0}}\n- {name: r, loops: 1000000, request: {method: GET, url: \"http://h/2\"}}\n";
    let folder = project(
        "loops",
        &[
            ("case.yml", steps),
            (
                "many.yml",
                "teststeps:\n- {loops: 1000001, think_time: {time: 0}}\n- {loops: x, think_time: {time: 0}}\n",
            ),
        ],
    );
    let case = folder.case("case.yml");
    let marks: Vec<_> = case
        .steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| match step {
            Step::Repeat(repeat) => Some((at, repeat.first, repeat.times, repeat.index)),
            _ => None,
        })
        .collect();
    assert_eq!(marks, [(4, 3, 2, 0), (6, 5, 1_000_000, 1)]);
    assert_eq!(
        folder.errors("many.yml"),
        (
            vec![
                "many.yml:2:11: loops must be at most 1000000".into(),
                "many.yml:3:11: loops must be a whole number, not text".into()
            ],
            15
        )
    );
}

#[test]
fn a_rendezvous_that_waits_for_all_says_so() {
    let steps = "teststeps:\n- rendezvous: {name: a, number: 2, percent: 0.5, timeout: 100}\n- rendezvous: {name: b}\n- rendezvous: {percent: 1.5, timeout: -1}\n- rendezvous: {number: -2}\n- rendezvous: {percent: 1, timeout: 99999999999}\n- {rendezvous: {number: 1}, validate: [{eq: [a, b]}], export: [x]}\n";
    let (case, warnings) = project("rendezvous", &[("case.yml", steps)]).warnings("case.yml");
    let read: Vec<_> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Rendezvous(r) => Some((r.index, r.number, r.percent, r.timeout.as_millis())),
            _ => None,
        })
        .collect();
    assert_eq!(
        read,
        [
            (0, 2, 0.5, 100),
            (1, 0, 0.0, 5000),
            (2, 0, 1.5, 5000),
            (3, -2, 0.0, 5000),
            (4, 0, 1.0, 86_400_000),
            (5, 1, 0.0, 5000)
        ]
    );
    assert_eq!(
        warnings,
        [
            "case.yml:2:15: the rendezvous waits for all users: number and percent are both given",
            "case.yml:3:15: the rendezvous waits for all users: neither number nor percent is given",
            "case.yml:4:15: the rendezvous waits for all users: percent is not above 0 and up to 1",
            "case.yml:5:15: the rendezvous waits for all users: number is below 0",
            "case.yml:7:29: \"validate\" is ignored: a rendezvous step sends no request",
            "case.yml:7:55: \"export\" is ignored: a rendezvous step sends no request",
        ]
    );
}

#[test]
fn keys_that_a_kind_cannot_use_are_named() {
    let callee = "config: {parameters: {a: [1]}, case_timeout: 3, setup_case: x.yml}\nteststeps:\n- {request: {method: GET, url: \"http://h\"}}\n";
    let steps = "teststeps:\n- {testcase: callee.yml, extract: {a: b}, setup_hooks: [x], validate: []}\n- {request: {method: GET, url: \"http://h\"}, export: [a]}\n";
    let (_, warnings) = project("unused", &[("callee.yml", callee), ("case.yml", steps)]).warnings("case.yml");
    assert_eq!(
        warnings,
        [
            "case.yml:2:26: \"extract\" is ignored: a testcase step has only variables and export; the case it refers to does the rest",
            "case.yml:2:43: \"setup_hooks\" is ignored: a testcase step has only variables and export; the case it refers to does the rest",
            "case.yml:3:45: \"export\" is ignored: only a testcase step exports",
            "callee.yml:1:10: config.parameters is ignored here: it counts in the case that is run itself",
            "callee.yml:1:32: config.case_timeout is ignored here: it counts in the case that is run itself",
            "callee.yml:1:49: config.setup_case is ignored here: it counts in the case that is run itself",
        ]
    );
}

#[test]
fn a_setup_case_runs_first_and_what_it_extracts_stays() {
    let login = "config: {name: login, base_url: http://nowhere, variables: {user: setup, own: o}, request_timeout: 4}\nteststeps:\n- {name: in, request: {method: GET, url: \"/$user/$own\"}, extract: {token: body.path, id: status_code}}\n- {name: ref, testcase: {teststeps: [{name: deep, request: {method: GET, url: /deep}, extract: {d: body.path}}]}, export: [d]}\n- {name: wait, think_time: {time: 1}}\n";
    let case_text = "config: {base_url: \"http://h\", setup_case: cases/login.yml, variables: {user: u, token: config}, parameters: {id: [p]}}\nteststeps:\n- {name: a, request: {method: GET, url: $token$d/$id}, validate: [{eq: [body.path, /$want]}], extract: {token: status_code}}\n- {name: b, request: {method: GET, url: /$token}, validate: [{eq: [body.path, /200]}]}\n"
        .replace("/$want", "/u/o/deep/p");
    let folder = project("setup", &[("cases/login.yml", login), ("cases/case.yml", &case_text)]);
    let case = folder.case("cases/case.yml");
    let labels: Vec<_> = case.setup.iter().map(std::mem::discriminant).collect();
    assert_eq!(labels.len(), 5);
    let Step::Request(step) = &case.setup[0] else { panic!("a request") };
    assert_eq!((&*step.label, &*step.name, step.timeout), ("request-GET", "in", Some(Duration::from_secs(4))));
    let setup = ["request-GET in", "> ref", "request ref - deep", "testcase ref", "thinktime wait"];
    let steps = ["request-GET a", "request-GET b"];
    assert_eq!(records(&case), [&setup[..], &steps[..]].concat());

    // What the setup extracted is there in the second iteration, what an iteration extracted is not.
    let mut session = Session::new();
    session.begin(&case);
    for step in &case.setup {
        match step {
            Step::Request(step) => support::run_step(step, &mut session).unwrap(),
            Step::Leave(leave) => leave.leave(&mut session),
            _ => {}
        }
    }
    for position in 0..2 {
        assert_eq!(iterate(&case, &mut session, position), steps);
    }
}

#[test]
fn a_setup_may_be_a_list_or_a_case_in_place() {
    let of = |setup: &str| {
        format!("config: {{base_url: \"http://h\", setup_case: {setup}, verify: true}}\nteststeps:\n- {{name: s, request: {{method: GET, url: /$x}}, validate: [{{eq: [body.path, /7]}}]}}\n")
    };
    let list = of("[{name: l, request: {method: GET, url: /list}, extract: {x: body.i}}]");
    let map =
        of("{config: {name: m}, teststeps: [{name: l, request: {method: GET, url: /list}, extract: {x: body.i}}]}");
    let folder = project("setup-forms", &[("list.yml", &list), ("map.yml", &map)]);
    for file in ["list.yml", "map.yml"] {
        let case = folder.case(file);
        assert_eq!(records(&case), ["request-GET l", "request-GET s"], "{file}");
        let Step::Request(step) = &case.setup[0] else { panic!("a request") };
        assert_eq!(step.verify, Some(true));
    }
    let bad = of("{config: {parameters: {a: [1]}}, teststeps: [{transaction: {name: t, type: start}}, {rendezvous: {number: 1}}]}");
    folder.write("bad.yml", bad.replace("/$x", "/x").as_bytes());
    assert_eq!(
        folder.errors("bad.yml"),
        (
            vec![
                "bad.yml:1:54: a setup case has no parameters: each user runs it once".into(),
                "bad.yml:1:103: a transaction cannot stand in a setup case: it runs once for each user, outside the load".into(),
                "bad.yml:1:141: a rendezvous cannot stand in a setup case: it runs once for each user, outside the load".into(),
            ],
            15
        )
    );
}

#[test]
fn in_a_functional_run_a_broken_step_fails_by_itself() {
    let api = "name: of api\nrequest: {method: GET, url: \"http://h/$no\"}\n";
    let callee = "teststeps:\n- {name: inner, request: {method: GET, url: \"http://h/$nothing\"}, extract: {late: body.i}}\n- {name: uses, request: {method: GET, url: \"http://h/$late\"}}\n";
    let steps = "teststeps:\n- {request: {method: get, url: \"http://h/$missing\"}}\n- {name: good, request: {method: GET, url: \"http://h/\"}}\n- {api: api.yml, loops: 2}\n- {name: c, testcase: callee.yml}\n- {name: v, testcase: callee.yml, variables: {a: $gone}}\n- {name: last, request: {method: GET, url: \"http://h/\"}, variables: {x: $absent}}\n";
    let folder = project("broken-steps", &[("api.yml", api), ("callee.yml", callee), ("case.yml", steps)]);
    assert_eq!(folder.errors("case.yml").1, 21);
    let options = LoadOptions { broken_steps: true, ..LoadOptions::default() };
    let loaded = folder.load("case.yml", &options).unwrap();
    assert_eq!(
        records(&loaded.cases[0]),
        [
            "request-get get http://h/$missing: variable missing not found (21)",
            "request-GET good",
            "api of api: variable no not found (21)",
            "api of api: variable no not found (21)",
            "> c",
            "request c - inner: variable nothing not found (21)",
            "request c - uses: variable late not found: no step has extracted it yet",
            "testcase c",
            "testcase v: variable gone not found (24)",
            "request-GET last: variable absent not found (24)",
        ]
    );
    assert!(loaded.warnings.iter().all(|warning| warning.exit_code() == 0) && loaded.warnings.len() == 5);
    // What is wrong with more than one step still is an error.
    folder.write("case.yml", b"teststeps:\n- {request: {method: GET, url: \"http://h/$missing\", headers: [a]}}\n");
    let error = folder.load("case.yml", &options).unwrap_err();
    let codes: Vec<_> = error.diagnostics().iter().map(pummel_case::Diagnostic::exit_code).collect();
    assert_eq!(codes, [21, 12]);
}

#[test]
fn values_of_calls_are_handed_in_once_for_each_execution() {
    let callee = "teststeps:\n- {name: a, request: {method: GET, url: \"http://h/$id/$same\"}, extract: {first: body.path}}\n- {name: b, request: {method: GET, url: \"http://h/$id/$same\"}, validate: [{eq: [body.path, $first]}, {len_eq: [$id, 8]}]}\n";
    let case_text = "teststeps:\n- {name: c $x, testcase: callee.yml, loops: 2, variables: {id: \"${gen_random_string(8)}\", same: \"<$id>\"}, export: [first]}\n- {name: \"$first\", request: {method: GET, url: \"http://h\"}}\n";
    let case = project("calls", &[("callee.yml", callee), ("case.yml", case_text)]).case("case.yml");
    let mut session = Session::new();
    let first = iterate(&case, &mut session, 0);
    let once = ["> c $x", "request c $x - a", "request c $x - b", "testcase c $x"];
    assert_eq!(first[..8], [once, once].concat());
    let second = iterate(&case, &mut session, 1);
    assert_eq!(second[..8], first[..8]);
    assert!(first[8].starts_with("request-GET /") && first[8] != second[8], "{} {}", first[8], second[8]);
}

#[test]
fn names_of_callees_steps_may_hold_session_values() {
    let callee = "config: {variables: {own: o}}\nteststeps:\n- {name: \"hi $who\", request: {method: GET, url: \"http://h/list\"}, extract: {n: body.i}}\n- {name: $n, request: {method: GET, url: \"http://h/\"}}\n- {name: is $own, request: {method: GET, url: \"http://h/\"}}\n";
    let case_text = "config: {variables: {who: caller}}\nteststeps:\n- {name: c, testcase: callee.yml}\n";
    let case = project("callee-names", &[("callee.yml", callee), ("case.yml", case_text)]).case("case.yml");
    // What the caller hands in is part of the callee's session, its own config is not.
    assert_eq!(records(&case), ["> c", "request c - hi caller", "request c - 7", "request c - is $own", "testcase c"]);
}

#[test]
fn hooks_of_a_step_stand_before_those_of_its_api() {
    let api = "name: a\nrequest: {method: GET, url: \"http://h/\"}\nsetup_hooks: [\"${one()}\", \"${two()}\"]\nteardown_hooks: [\"${three()}\"]\n";
    let steps = "teststeps:\n- api: api.yml\n  setup_hooks: [\"${one()}\", \"${four()}\"]\n";
    let (errors, code) = project("api-hooks", &[("api.yml", api), ("case.yml", steps)]).errors("case.yml");
    assert_eq!(code, 23);
    assert_eq!(
        errors,
        [
            "case.yml:3:17: function one is not found",
            "case.yml:3:29: function four is not found",
            "api.yml:3:27: function two is not found",
            "api.yml:4:18: function three is not found",
        ]
    );
}

#[test]
fn a_callee_keeps_its_own_way_to_think() {
    let callee = "config: {think_time: {strategy: multiply, setting: 2}}\nteststeps: [{think_time: {time: 0.5}}]\n";
    let case_text =
        "config: {think_time: {strategy: ignore}}\nteststeps:\n- {testcase: callee.yml}\n- {think_time: {time: 3}}\n";
    let case = project("think", &[("callee.yml", callee), ("case.yml", case_text)]).case("case.yml");
    let mut random = fastrand::Rng::with_seed(1);
    let pauses: Vec<_> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::ThinkTime(think) => Some(think.time.pick(&mut random).as_millis()),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [1000, 0]);
}
