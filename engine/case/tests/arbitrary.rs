//! Nothing in a file makes the loader panic or hang.

mod check;

use proptest::prelude::*;
use pummel_case::parse_env_file;
use serde_json::json;

/// Text made of what cases are made of, so that it gets past the parser often.
fn likely_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "config",
        "teststeps",
        "request",
        "name",
        "variables",
        "validate",
        "extract",
        "url",
        "method",
        "GET",
        "body",
        "json",
        "http://h/",
        "$a",
        "${a}",
        "$$",
        "${f(1)}",
        "${md5($a)}",
        "${max(1, 2.5)}",
        "${split_by_comma($a)}",
        "${sleep(86400)}",
        "${sleep(99999999999)}",
        "${gen_random_string(999999999)}",
        "${random_int($a)}",
        "${random_int(1)}",
        "${get_timestamp()}",
        "${P(nowhere.csv)}",
        "${environ($a)}",
        "setup_hooks",
        "teardown_hooks",
        "testcase",
        "api",
        "transaction",
        "rendezvous",
        "think_time",
        "loops",
        "export",
        "parameters",
        "parameters_setting",
        "setup_case",
        "$request",
        "$response",
        "$hrp_step_name",
        "eq",
        "status_code",
        "body.a",
        "200",
        "null",
        "true",
        ": ",
        ", ",
        "\n",
        "\n- ",
        "  ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&x",
        "*x",
        "<<",
        "|",
        ">",
        "!!str ",
        "#",
        "---",
        "\t",
        "中",
        "~",
        "? ",
        "%",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// Calls with anything for their arguments, some of them variables of the case below.
fn call() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "get_timestamp",
        "sleep",
        "gen_random_string",
        "random_int",
        "random_range",
        "max",
        "md5",
        "parameterize",
        "P",
        "split_by_comma",
        "environ",
        "ENV",
        "load_ws_message",
        "nope",
    ]);
    let argument = prop_oneof![
        "[a-zA-Z0-9_$./=-]{0,6}",
        "-?[0-9]{1,40}(\\.[0-9]{1,3})?",
        prop::sample::select(vec!["$a", "$b", "$response", "$request", "$hrp_step_name", ""]).prop_map(str::to_owned),
    ];
    (name, prop::collection::vec(argument, 0..3), "[ a-z$]{0,4}")
        .prop_map(|(name, arguments, around)| format!("{around}${{{name}({})}}", arguments.join(",")))
}

/// Mostly plain text, so that most cases load.
fn maybe_call() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just("x$a".to_owned()), 1 => Just("${random_int(1)}".to_owned()), 1 => call()]
}

/// Steps of every kind, cases within cases among them.
fn steps() -> impl Strategy<Value = serde_json::Value> {
    let text = || prop::sample::select(vec!["a", "b", "$a", "x$b", "${random_int(1)}"]);
    let request = (text(), text(), text(), 0..4).prop_map(|(name, url, variable, loops)| {
        serde_json::json!({"name": name, "loops": loops, "variables": {"b": variable}, "extract": {"a": "body.a"},
            "request": {"method": "GET", "url": format!("http://h/{url}")}})
    });
    let mark = prop::sample::select(vec![
        serde_json::json!({"transaction": {"name": "t", "type": "start"}, "loops": 2}),
        serde_json::json!({"transaction": {"name": "t", "type": "end"}}),
        serde_json::json!({"rendezvous": {"number": 2}}),
        serde_json::json!({"websocket": {"type": "wr", "url": "ws://h/$b", "text": {"k": "$b"}}, "extract": {"a": "body.k"}, "loops": 2}),
        serde_json::json!({"think_time": {"time": 1}, "loops": 3}),
        serde_json::json!({"api": {"request": {"method": "GET", "url": "http://h/$b"}}, "variables": {"b": "$b"}}),
    ]);
    prop_oneof![3 => request, 2 => mark].prop_recursive(4, 40, 4, move |inner| {
        (prop::collection::vec(inner, 1..4), text(), text(), 0..3).prop_map(|(steps, name, variable, loops)| {
            let case =
                serde_json::json!({"config": {"variables": {"b": "inner"}, "export": ["a"]}, "teststeps": steps});
            serde_json::json!({"name": name, "testcase": case, "variables": {"b": variable}, "loops": loops,
                "export": ["b"]})
        })
    })
}

/// Cases with calls everywhere.
fn calling() -> impl Strategy<Value = String> {
    prop::collection::vec(maybe_call(), 8).prop_map(|calls| {
        let quoted: Vec<String> = calls.iter().map(|call| serde_json::to_string(call).unwrap()).collect();
        let [url, header, param, body, hook, after, check, expect] = &quoted[..] else { unreachable!() };
        format!(
            "{{\"config\":{{\"base_url\":\"http://h\",\"variables\":{{\"a\":\"3\"}}}},\"teststeps\":[{{\"request\":{{\"method\":\"GET\",\
             \"url\":\"/\"}},\"extract\":{{\"b\":\"body.a\"}}}},{{\"variables\":{{\"c\":{param},\"d\":[{url}]}},\"request\":{{\"method\":\"GET\",\
             \"url\":{url},\"headers\":{{\"x\":{header}}},\"params\":{{\"p\":{param}}},\"json\":{{\"k\":{body}}}}},\"setup_hooks\":[{hook}],\
             \"teardown_hooks\":[{after}],\"extract\":{{\"e\":{check}}},\"validate\":[{{\"eq\":[{check},{expect}]}}]}}]}}"
        )
    })
}

/// Cases of the right shape with anything for their values.
fn shaped() -> impl Strategy<Value = String> {
    ("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}", "\\PC{0,30}").prop_map(|(url, header, check, expect)| {
        let quote = |text: &str| serde_json::to_string(text).unwrap();
        format!(
            "{{\"config\":{{\"base_url\":\"http://h\",\"variables\":{{\"a\":{}}}}},\"teststeps\":[{{\"request\":{{\"method\":\"GET\",\
             \"url\":{},\"headers\":{{\"x\":{}}},\"json\":{{\"k\":{}}}}},\"extract\":{{\"b\":{}}},\"validate\":[{{\"eq\":[{},{}]}}]}}]}}",
            quote(&expect), quote(&url), quote(&header), quote(&expect), quote(&check), quote(&check), quote(&expect)
        )
    })
}

/// Commands made of what commands are made of.
fn likely_command() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "curl ",
        "-H ",
        "-d ",
        "-F ",
        "-b ",
        "-X ",
        "-u ",
        "-G ",
        "-I ",
        "--json ",
        "--data-urlencode ",
        "--url-query ",
        "-sSLk ",
        "http://h/",
        "h",
        "http://u:p@h:1/a/../b",
        "?a=1&b=2",
        "#f",
        "'",
        "\"",
        "$'",
        "\\",
        "\\\n",
        "\n",
        " ",
        "^\"",
        "{\"a\":1}",
        "{\"<<\": \" \"}",
        "a=1&a=2",
        "a=%20%zz",
        "'A: b'",
        "'content-type: application/json' ",
        "'Content-Type:' ",
        "$x",
        "${f(1)}",
        "$$",
        "@x",
        ";",
        "|",
        "&&",
        "中",
        "\u{7f}",
        "\\x00",
        "[1-2]",
        "{a,b}",
        "--next ",
        "=",
        ":",
    ]);
    prop::collection::vec(word, 0..25).prop_map(|words| words.concat())
}

/// Recordings of the right shape with anything for their values.
fn shaped_har() -> impl Strategy<Value = String> {
    let mime =
        prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain", "a\nb"]);
    let url = prop::sample::select(vec!["http://h/?", "https://[::1]/", "h", "http://$a/${b}?", "ws://h", ""]);
    (url, "\\PC{0,20}", "\\PC{0,10}", mime, "\\PC{0,20}", ".{0,20}").prop_map(|(url, path, name, mime, text, key)| {
        json!({"log": {"entries": [{"request": {"method": "POST", "url": format!("{url}{path}"),
            "headers": [{"name": "x", "value": text}, {"name": name, "value": "1"}, {"name": "cookie", "value": path}],
            "cookies": [{"name": name, "value": text}], "queryString": [{"name": name, "value": text}],
            "postData": {"mimeType": mime, "text": text, "params": [{"name": key, "value": text}, {"name": "f", "fileName": name}]}},
            "response": {"status": 200, "headers": [{"name": "content-type", "value": text}],
                "content": {"mimeType": "application/json", "text": json!({&key: text, "n": 1.5, "$k": null}).to_string()}}}]}})
        .to_string()
    })
}

/// Collections of the right shape with anything for their values.
fn shaped_collection() -> impl Strategy<Value = String> {
    let url = prop::sample::select(vec!["{{a}}", "http://h/", "{{b}}:{{c}}/", "{{s}}://h", "h/:v", ""]);
    let mode = prop::sample::select(vec!["raw", "urlencoded", "formdata", "graphql"]);
    let auth = prop::sample::select(vec!["basic", "bearer", "apikey", "digest"]);
    (url, "\\PC{0,20}", mode, auth, "(\\{\\{[a-c-]\\}\\}|\\PC){0,8}", ".{0,10}").prop_map(|(url, path, mode, auth, text, key)| {
        json!({"info": {"name": text}, "variable": [{"key": "a", "value": text}, {"key": key, "value": url}],
            "auth": {"type": auth, auth: [{"key": "username", "value": text}, {"key": "key", "value": key}, {"key": "token", "value": text}]},
            "item": [{"name": key, "item": [{"name": text, "request": {"method": "POST", "url": {"raw": format!("{url}{path}"),
                "query": [{"key": key, "value": text}, {"key": text, "value": null}], "variable": [{"key": "v", "value": text}]},
                "header": [{"key": "x", "value": text}, {"key": "cookie", "value": path}],
                "body": {"mode": mode, "raw": text, "urlencoded": [{"key": key, "value": text}], "graphql": {"query": text, "variables": key},
                    "formdata": [{"key": key, "value": text}, {"key": "f", "type": "file", "src": text}],
                    "options": {"raw": {"language": "json"}}}}}]}]})
        .to_string()
    })
}

proptest! {
    #[test]
    fn references_are_well_formed(
        steps in prop::collection::vec(steps(), 1..6),
        setup in prop::option::of(prop::collection::vec(steps(), 1..3)),
        recurs in any::<bool>(),
    ) {
        let variables = serde_json::json!({"a": "A", "b": "B${max(1, 2)}", "c": "${random_int(9)}$b"});
        let config = serde_json::json!({"variables": variables, "variables_scope": if recurs { "iteration" } else { "run" },
            "setup_case": setup, "parameters": {"p-a": [[1, 2]]}});
        let case = serde_json::json!({"config": config, "teststeps": steps});
        check::case_json(case.to_string().as_bytes());
    }

    #[test]
    fn arbitrary_commands(text in likely_command()) {
        check::convert_curl(text.as_bytes());
    }

    #[test]
    fn arbitrary_recordings(text in shaped_har()) {
        check::convert_har(text.as_bytes());
    }

    #[test]
    fn arbitrary_collections(text in shaped_collection()) {
        check::convert_postman(text.as_bytes());
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check::case_yaml(&bytes);
        check::case_json(&bytes);
        check::convert_case(&bytes);
        check::convert_curl(&bytes);
        check::convert_har(&bytes);
        check::convert_postman(&bytes);
        let _ = parse_env_file(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text_of_likely_words(text in likely_text()) {
        check::case_yaml(text.as_bytes());
        check::case_json(text.as_bytes());
        check::convert_case(text.as_bytes());
    }

    #[test]
    fn cases_with_calls_everywhere(text in calling()) {
        check::case_json(text.as_bytes());
    }

    #[test]
    fn cases_with_arbitrary_values(text in shaped()) {
        check::case_json(text.as_bytes());
        check::case_yaml(text.as_bytes());
        check::convert_case(text.as_bytes());
    }
}
