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
    fn cases_with_arbitrary_values(text in shaped()) {
        check::case_json(text.as_bytes());
        check::case_yaml(text.as_bytes());
        check::convert_case(text.as_bytes());
    }
}
