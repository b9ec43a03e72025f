//! Converted cases are those hrp makes of the sample files, or the better ones, and they load.

mod check;

use check::{assert_loads, NO_FILES};
use pummel_case::{
    convert::{convert, convert_curl_words, CaseFormat, ConvertOptions, Converted, Source, StepNames},
    load_text, LoadOptions, RenderedRequest, Session, Step,
};
use serde_json::{json, Value};

fn sample(name: &str) -> String {
    let path = format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn converted(source: Source, text: &str) -> Converted {
    convert(source, text, &NO_FILES).unwrap_or_else(|error| panic!("{error}"))
}

/// The case as a value, once both its forms have been loaded.
fn case(source: Source, text: &str) -> Value {
    let converted = converted(source, text);
    let json = converted.render(CaseFormat::Json).unwrap();
    assert_loads("case.json", &json);
    assert_loads("case.yaml", &converted.render(CaseFormat::Yaml).unwrap());
    serde_json::from_str(&json).unwrap()
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&sample(name)).unwrap()
}

#[test]
fn curl_commands_are_converted_as_by_hrp_and_sent_as_by_curl() {
    let mut expected = expected("convert/cmds.expected.json");
    // curl -d sends a form; without this header the map would go as JSON.
    expected["teststeps"][2]["request"]["headers"] = json!({"Content-Type": "application/x-www-form-urlencoded"});
    assert_eq!(case(Source::Curl, &sample("convert/cmds.curl")), expected);
}

#[test]
fn a_har_file_is_converted_as_by_hrp() {
    assert_eq!(case(Source::Har, &sample("convert/one.har")), expected("convert/one.expected.json"));
}

#[test]
fn a_postman_collection_is_converted_as_by_hrp_and_its_files_are_files() {
    let mut expected = expected("convert/coll.expected.json");
    expected["teststeps"][2]["request"]["upload"]["f"] = json!("@up.txt");
    assert_eq!(case(Source::Postman, &sample("convert/coll.json")), expected);
}

#[test]
fn the_json_form_is_indented_as_hrp_writes_it() {
    let json = converted(Source::Har, &sample("convert/one.har")).render(CaseFormat::Json).unwrap();
    assert_eq!(json.trim_end(), sample("convert/one.expected.json").trim_end());
}

/// What the first step of a case sends: target, headers, body.
fn sent(name: &str, text: &str) -> (String, Vec<(String, String)>, String) {
    let loaded = load_text(name, text, &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let case = &loaded.cases[0];
    let Step::Request(step) = &case.steps[0] else { panic!("a request") };
    let mut session = Session::new();
    session.begin(case);
    let mut request = RenderedRequest::default();
    let _ = step.render(&mut session, &mut request, &mut pummel_case::Progress::default()).unwrap();
    let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = String::from_utf8(request.body().unwrap_or_default().to_vec()).unwrap();
    (request.target().to_owned(), headers, body)
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_pasted_command_sends_what_curl_sends() {
    let form = "application/x-www-form-urlencoded";
    for (command, target, headers, body) in [
        ("curl 'http://h/a?x=1&x=2'", "/a?x=1&x=2", vec![], ""),
        ("curl http://h -d a=1 -d 'b=x y'", "/", vec![header("Content-Type", form)], "a=1&b=x+y"),
        ("curl http://h -d '{\"a\": [1, \"$b\"]}'", "/", vec![header("Content-Type", form)], "{\"a\": [1, \"$b\"]}"),
        (
            "curl http://h -H 'content-type: application/json' -d '{\"b\": \"$b\", \"a\": 1.50}'",
            "/",
            vec![header("Content-Type", "application/json")],
            "{\"a\":1.5,\"b\":\"$b\"}",
        ),
        (
            "curl http://h -H 'content-type: application/json' -d '{\"b\": \" \"}'",
            "/",
            vec![header("Content-Type", "application/json")],
            "{\"b\": \" \"}",
        ),
        (
            "curl -G http://h/p --data-urlencode 'q=$a&b' -u a:b",
            "/p?q=%24a%26b",
            vec![header("Authorization", "Basic YTpi")],
            "",
        ),
        (
            "curl http://h/$a${b} -b 'k=$v' -H 'X: ${f(1)}'",
            "/$a$%7Bb%7D",
            vec![header("Cookie", "k=$v"), header("X", "${f(1)}")],
            "",
        ),
    ] {
        let case = converted(Source::Curl, command);
        for (name, format) in [("c.json", CaseFormat::Json), ("c.yaml", CaseFormat::Yaml)] {
            let text = case.render(format).unwrap();
            assert_eq!(sent(name, &text), (target.to_owned(), headers.clone(), body.to_owned()), "{command}");
        }
    }
}

#[test]
fn words_of_a_shell_are_a_command_too() {
    let options = ConvertOptions { step_names: StepNames::Request, ..NO_FILES };
    let words = ["curl", "-H", "A: $b", "http://h/a b?c=1"].map(str::to_owned);
    let case = convert_curl_words(&words, &options).unwrap();
    let (target, headers, _) = sent("c.json", &case.render(CaseFormat::Json).unwrap());
    assert_eq!((target.as_str(), headers), ("/a%20b?c=1", vec![header("A", "$b")]));
    let loaded = load_text("c.json", &case.render(CaseFormat::Json).unwrap(), &LoadOptions::default()).unwrap();
    let Step::Request(step) = &loaded.cases[0].steps[0] else { panic!("a request") };
    assert_eq!(&*step.name, "GET http://h/a b");
}

#[test]
fn a_collection_with_variables_folders_and_credentials() {
    let collection = json!({"info": {"name": "shop $1"}, "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
    "variable": [{"key": "base-url", "value": "h:81/v1"}, {"key": "token", "value": "t$1"}, {"key": "off", "disabled": true}],
    "event": [{"listen": "test", "script": {"exec": ["pm.test()"]}}],
    "item": [
        {"name": "a", "request": {"method": "POST", "url": "{{base-url}}/x/:id?q={{q}}&e=",
            "header": [{"key": "Content-Type", "value": "text/xml"}],
            "body": {"mode": "raw", "raw": "<a>{{token}} $5</a>"}}},
        {"name": "f", "auth": {"type": "basic", "basic": {"username": "u", "password": "p"}}, "item": [{"name": "g", "item": [
            {"name": "b", "request": {"method": "PUT", "url": {"host": ["h"], "port": "8", "path": ["y", ":id"],
                "variable": [{"key": "id", "value": "7"}], "query": [{"key": "a", "value": "1"}, {"key": "b", "value": "2", "disabled": true}]},
                "body": {"mode": "urlencoded", "urlencoded": [{"key": "k", "value": "{{token}}"}, {"key": "k", "value": "2"}]}}},
            {"name": "c", "protocolProfileBehavior": {"followRedirects": false},
                "request": {"auth": {"type": "noauth"}, "method": "POST", "url": "http://h/",
                "body": {"mode": "graphql", "graphql": {"query": "{a}", "variables": "{\"n\": 1}"}}}},
        ]}]},
    ]});
    let text = collection.to_string();
    let case = case(Source::Postman, &text);
    assert_eq!(
        case["config"],
        json!({"name": "shop $$1", "variables": {"base_url": "h:81/v1", "token": "t$$1", "q": ""}})
    );
    let steps = case["teststeps"].as_array().unwrap();
    assert_eq!(
        steps[0]["request"],
        json!({"method": "POST", "url": "http://${base_url}/x/:id", "params": {"q": "${q}", "e": ""},
            "headers": {"Content-Type": "text/xml", "Authorization": "Bearer ${token}"}, "body": "<a>${token} $$5</a>"})
    );
    assert_eq!(steps[1]["name"], "f - g - b");
    assert_eq!(
        steps[1]["request"],
        json!({"method": "PUT", "url": "http://h:8/y/7", "params": {"a": "1"},
            "headers": {"Authorization": "Basic dTpw", "Content-Type": "application/x-www-form-urlencoded"},
            "body": "k=${token}&k=2"})
    );
    assert_eq!(
        steps[2]["request"],
        json!({"method": "POST", "url": "http://h/", "headers": {"Content-Type": "application/json"},
            "body": {"query": "{a}", "variables": {"n": 1}}, "allow_redirects": false})
    );
    let (target, headers, body) = sent("c.json", &case.to_string());
    assert_eq!(
        (target.as_str(), headers, body.as_str()),
        (
            "/v1/x/:id?e=&q=",
            vec![header("Authorization", "Bearer t$1"), header("Content-Type", "text/xml")],
            "<a>t$1 $5</a>"
        )
    );
    let notes: Vec<_> = converted(Source::Postman, &text).notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "line 1: the test script is left out: write extract and validate instead",
            "the variable {{base-url}} is called base_url in the test case",
            "the collection gives q no value: \"\" stands in the test case; change it there, or give -e q=...",
        ]
    );
}

#[test]
fn case_files_are_the_same_in_their_other_form() {
    for (name, source, other, format) in [
        ("02_minimal.json", Source::Json, "c.yaml", CaseFormat::Yaml),
        ("03_validators_pass.yml", Source::Yaml, "c.json", CaseFormat::Json),
        ("08_extract.yml", Source::Yaml, "c.json", CaseFormat::Json),
        ("09_bodies.yml", Source::Yaml, "c.json", CaseFormat::Json),
        ("11_headers_cookies.yml", Source::Yaml, "c.json", CaseFormat::Json),
        ("29_dollar_data.yml", Source::Yaml, "c.json", CaseFormat::Json),
    ] {
        let case = converted(source, &sample(name));
        let there = case.render(format).unwrap();
        assert_loads(other, &there);
        let back = match format {
            CaseFormat::Json => Source::Json,
            CaseFormat::Yaml => Source::Yaml,
        };
        assert_eq!(converted(back, &there), case, "{name}");
    }
    let yaml = converted(Source::Json, &sample("02_minimal.json")).render(CaseFormat::Yaml).unwrap();
    assert!(yaml.starts_with(
        "config:\n  name: json keys are case-insensitive\n  base_url: http://127.0.0.1:18999\nteststeps:\n"
    ));
}

#[test]
fn input_made_to_exhaust_is_refused() {
    let deep = format!("{{\"log\":{{\"entries\":{}", "[".repeat(1_000_000));
    let many = format!("{{\"item\":[{}1]}}", "1,".repeat(3_100_000));
    for (source, text, message) in [
        (Source::Har, &deep, "more than 100 levels"),
        (Source::Postman, &many, "more than 3000000 values"),
        (Source::Json, &many, "more than 500000 values"),
    ] {
        let error = convert(source, text, &NO_FILES).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let entry = json!({"request": {"method": "GET", "url": "http://h/?a=1", "headers": [{"name": "a", "value": "b"}]}})
        .to_string();
    let har = format!("{{\"log\":{{\"entries\":[{}{entry}]}}}}", format!("{entry},").repeat(60_000));
    let headers: Vec<String> = (0..2000).map(|n| format!("-H 'a{n}: b'")).collect();
    let headers = format!("curl http://h/ {}", headers.join(" "));
    assert_eq!(
        convert(Source::Curl, &headers, &NO_FILES).unwrap_err().to_string(),
        "line 1: there are more than 1000 headers"
    );
    let bomb: Vec<_> =
        (0..10).map(|n| json!({"key": format!("v{n}"), "value": format!("{{{{v{}}}}}", n + 1).repeat(1000)})).collect();
    let collection =
        json!({"variable": bomb, "item": [{"name": "a", "request": "http://h/{{v0}}"}, {"name": "b", "request": "h"}]});
    assert_eq!(convert(Source::Postman, &collection.to_string(), &NO_FILES).unwrap().steps(), 1);
    let error = convert(Source::Har, &har, &NO_FILES).unwrap_err().to_string();
    assert_eq!(error, "the case would hold more than 500000 values");
    let long = format!("curl http://h/ -d '{}'", "x".repeat(9 << 20));
    let error = convert(Source::Curl, &long, &NO_FILES).unwrap_err().to_string();
    assert_eq!(error, "the case would be larger than 8 MiB, the most that is loaded");
}

#[test]
fn digest_of_a_postman_collection_is_kept() {
    let credentials = json!([{"key": "username", "value": "anna"}, {"key": "password", "value": "a$b"}]);
    let auth = json!({"type": "digest", "digest": credentials});
    let item = json!({"name": "a", "request": {"method": "GET", "url": "http://h/", "auth": auth}});
    let text = json!({"info": {"name": "c"}, "item": [item]}).to_string();
    let rendered = case(Source::Postman, &text);
    let expected = json!({"type": "digest", "username": "anna", "password": "a$$b"});
    assert_eq!(rendered["teststeps"][0]["request"]["auth"], expected);
}
